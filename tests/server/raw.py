"""Bytes on sockets, below what SDKs do: for tests of clients that misbehave."""
import json
import resource
import socket
import struct
from pathlib import Path

AUTHORIZATION = (b"AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/kinesis/aws4_request, "
                 b"SignedHeaders=host, Signature=0")
JSON, CBOR = b"application/x-amz-json-1.1", b"application/x-amz-cbor-1.1"


def request(operation, body, content_type=JSON, length=None, more=b""):
    """One HTTP/1.1 request of the Kinesis API (for a server that accepts any credentials)."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return b"\r\n".join([
        b"POST / HTTP/1.1", b"Host: localhost", b"X-Amz-Target: Kinesis_20131202." + operation.encode(),
        b"Content-Type: " + content_type, b"Authorization: " + AUTHORIZATION,
        b"Content-Length: %d" % (len(body) if length is None else length), more.rstrip(b"\r\n") or b"X-Amz-Date: 20260101T000000Z",
        b"", body])


def connect(server, receive_buffer=None, timeout=30):
    made = socket.socket()
    if receive_buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.settimeout(timeout)
    made.connect(("127.0.0.1", server.port))
    return made


def reset(connection):
    """Closes with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def answer(connection):
    """(status, body) of one HTTP/1.1 response that has a Content-Length."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += received(connection)
    head, _, body = got.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
    length = int(headers.get("content-length", 0))
    while len(body) < length:
        body += received(connection)
    return int(lines[0].split()[1]), body


def received(connection):
    got = connection.recv(65536)
    if not got:
        raise EOFError("the server closed the connection")
    return got


def memory_mib(server, what="VmRSS"):
    """What the server's process holds; VmHWM is the most it ever held."""
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) / 1024
    raise AssertionError(what)


def allow_open_files(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(hard, count)))


def answer_to(server, bytes_, wait=0.05):
    """The answer that comes soon; None when there is none yet."""
    with connect(server, timeout=wait) as connection:
        connection.sendall(bytes_)
        try:
            return answer(connection)
        except TimeoutError:
            return None
