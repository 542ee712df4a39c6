"""Bytes that make no sense, thrown at a live server: it answers, or closes, and goes on serving.

Mutations of what is right and of the fuzzers' corpora, with a seed that is printed.
"""
import random
import socket
import ssl
from pathlib import Path

import pytest
import raw
from helpers import eventually

CORPUS = Path(__file__).resolve().parent.parent / "corpus"
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
RIGHT = {"StreamName": "orders", "Records": [{"PartitionKey": "k", "Data": "YQ==", "ExplicitHashKey": "1"}] * 2}


@pytest.fixture(scope="module")
def server(millstream_factory_session):
    made = millstream_factory_session(streams=[("orders", 1)], tls=True, loops=1)
    kinesis = made.client()
    eventually(lambda: kinesis.describe_stream_summary(StreamName="orders")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")
    yield made
    assert made.process.poll() is None


@pytest.fixture
def draw():
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)


@pytest.fixture
def rounds(request):
    return 20_000 if request.config.getoption("--long") else 300


def corpus(folder):
    return [path.read_bytes() for path in sorted((CORPUS / folder).iterdir())]


def mutated(draw, content):
    content = bytearray(content)
    for _ in range(draw.choice([1, 1, 2, 5, 20])):
        at = draw.randrange(len(content) + 1)
        what = draw.randrange(6)
        if what == 0 and content:
            content[at % len(content)] ^= 1 << draw.randrange(8)
        elif what == 1:
            content[at:at] = draw.randbytes(draw.choice([1, 2, 8, 100]))
        elif what == 2:
            del content[at:at + draw.choice([1, 2, 8, 100])]
        elif what == 3:
            content[at:at] = content[at // 2:at]
        elif what == 4:
            content[at:at] = draw.choice([b"\x00", b"\r\n", b"\r\n\r\n", b"\xff" * 9, b"99999999999999999999", b'"', b"\\u0000", b"{" * 500, b"[" * 500])
        elif content:
            content[at % len(content)] = draw.randrange(256)
    return bytes(content)


def throw(server, content, wait=0.02):
    """Sends it all and gives what came back, at most a little later."""
    got = b""
    with raw.connect(server, timeout=5) as connection:
        try:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(wait)
            while part := connection.recv(65536):
                got += part
        except OSError:  # a timeout; or the server has closed, which is its right
            pass
    return got


def serves(server):
    kinesis = server.client()
    assert kinesis.put_record(StreamName="orders", Data=b"x", PartitionKey="k")["ShardId"] == "shardId-000000000000"
    assert server.get("/health/ready")[0] == 200


def test_garbage_bytes(server, draw, rounds):
    for _ in range(rounds):
        throw(server, draw.randbytes(draw.choice([1, 10, 1_000, 100_000])))
    serves(server)


def test_malformed_http1(server, draw, rounds):
    seeds = [raw.request("PutRecords", RIGHT), *corpus("http_http1")]
    statuses = set()
    for _ in range(rounds):
        got = throw(server, mutated(draw, draw.choice(seeds)))
        if got.startswith(b"HTTP/1.1 "):
            # What AWS answers to a content type that no protocol has, when the operation is known.
            unknown_type = got.startswith(b"HTTP/1.1 500 ") and b"\r\n\r\n<InternalFailure/>\n" in got
            statuses.add("unknown type" if unknown_type else int(got[9:12]))
    print(sorted(map(str, statuses)))
    assert not [s for s in statuses if s in (500, 502, 504)]
    assert 400 in statuses
    serves(server)


def test_malformed_http2(server, draw, rounds):
    seeds = corpus("http_http2")
    for _ in range(rounds):
        content = mutated(draw, draw.choice(seeds))
        throw(server, content if draw.randrange(4) == 0 else HTTP2_PREFACE + content.removeprefix(HTTP2_PREFACE))
    serves(server)


@pytest.mark.parametrize("frames", [
    b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" * 30_000,              # settings
    b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + b"p" * 8,            # one ping
    (b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + b"p" * 8) * 30_000,  # and many
    b"\x00\x00\x05\x02\x00\x00\x00\x00\x01" + b"\x00" * 5,         # priority
    b"".join(b"\x00\x00\x01\x01\x05" + (1 + 2 * n).to_bytes(4, "big") + b"\x82"
             + b"\x00\x00\x04\x03\x00" + (1 + 2 * n).to_bytes(4, "big") + b"\x00\x00\x00\x08" for n in range(20_000)),  # rapid reset
    b"\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82" + b"\x00\x10\x00\x09\x00\x00\x00\x00\x01" * 5_000,  # continuation flood
    b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",                       # a frame that is too large
], ids=["settings", "ping", "pings", "priority", "rapid-reset", "continuations", "large-frame"])
def test_http2_floods(server, frames):
    before = raw.memory_mib(server)
    for _ in range(10):
        throw(server, HTTP2_PREFACE + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + frames, wait=0.2)
    assert raw.memory_mib(server) - before < 100
    serves(server)


def client_hello():
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    handshake = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        handshake.do_handshake()
    return outgoing.read()


def test_malformed_tls(server, draw, rounds):
    hello = client_hello()
    for _ in range(rounds):
        throw(server, mutated(draw, hello))
    # A handshake that stops, and one whose first record is nonsense.
    for _ in range(min(rounds, 300)):
        context = ssl.create_default_context(cafile=str(server.ca_file))
        with raw.connect(server) as connection, context.wrap_socket(connection, server_hostname="localhost") as tls:
            under = socket.socket(fileno=socket.dup(tls.fileno()))
            under.sendall(draw.randbytes(draw.choice([1, 5, 100])))
            under.close()
    serves(server)


@pytest.mark.parametrize("content_type", [raw.JSON, raw.CBOR])
@pytest.mark.parametrize("operation", ["PutRecords", "PutRecord", "GetRecords", "CreateStream", "ListShards", "NoSuchOperation"])
def test_malformed_bodies(server, draw, rounds, content_type, operation):
    """Each gets an answer, a 4xx with a name and a message unless the change kept it right; never a 500."""
    seeds = corpus("services_kinesis_put_request")
    seeds += corpus("codec_json_value") if content_type == raw.JSON else corpus("codec_cbor")
    if content_type == raw.JSON:
        seeds.append(b'{"StreamName":"orders","PartitionKey":"k","Data":"YQ==","Records":[{"PartitionKey":"k","Data":"YQ=="}],"ShardCount":1,"ShardIterator":"x","Limit":1}')
    connection = raw.connect(server)
    statuses = {}
    for _ in range(rounds):
        body = mutated(draw, draw.choice(seeds))
        connection.sendall(raw.request(operation, body, content_type))
        status, answer = raw.answer(connection)
        statuses[status] = statuses.get(status, 0) + 1
        assert status in (200, 400), (status, body, answer)
        if status == 400:
            assert b"__type" in answer, (body, answer)
    print(statuses)
    serves(server)
