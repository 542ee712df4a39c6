"""Who is let in: signatures made by botocore, accounts, policies, and the answers to what is no proper call.

The cases without a signature follow what was recorded on AWS (kinesalite: test/connection.js).
"""
import base64
import datetime
import http.client
import json
import re
from unittest import mock
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

JSON = "application/x-amz-json-1.1"
CBOR = "application/x-amz-cbor-1.1"
LIST = "Kinesis_20131202.ListStreams"

ALICE = "arn:aws:iam::111122223333:user/alice"
BOB = "arn:aws:iam::444455556666:user/bob"
READ_ONLY = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["kinesis:Describe*", "kinesis:List*", "kinesis:Get*"], "Resource": "*"},
    {"Effect": "Deny", "Action": "kinesis:*", "Resource": "arn:aws:kinesis:*:*:stream/secret"}]})
KEYS = f"""
[[access_key]]
id = "ALICE"
secret = "alice-secret"
account = "111122223333"
principal = "{ALICE}"
[[access_key]]
id = "READER"
secret = "reader-secret"
account = "111122223333"
principal = "arn:aws:iam::111122223333:user/reader"
policy = '''{READ_ONLY}'''
[[access_key]]
id = "BOB"
secret = "bob-secret"
account = "444455556666"
principal = "{BOB}"
[[access_key]]
id = "SESSION"
secret = "session-secret"
session_token = "the/token+="
account = "111122223333"
"""


@pytest.fixture(scope="module")
def guarded(millstream_factory_session):
    return millstream_factory_session(config=KEYS)


@pytest.fixture(scope="module")
def alice(guarded):
    return client(guarded, "ALICE", "alice-secret")


def client(server, key, secret, token=None, **options):
    return server.client(aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token, **options)


def refusal(call, *arguments, **options):
    """(code, text, status) of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **options)
    response = caught.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def send(server, method="POST", path="/", headers=None, body=b""):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def check_ids(headers):
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", headers["x-amzn-requestid"])
    assert 64 <= len(base64.b64decode(headers["x-amz-id-2"])) <= 80


# -- signatures ----------------------------------------------------------------------------------


def test_what_botocore_signs_is_accepted(guarded, alice):
    alice.list_streams()
    session = client(guarded, "SESSION", "session-secret", "the/token+=")
    session.list_streams()


@pytest.mark.parametrize("key, secret, token, code", [
    ("ALICE", "wrong", None, "InvalidSignatureException"),
    ("NOBODY", "alice-secret", None, "UnrecognizedClientException"),
    ("ALICE", "alice-secret", "surplus", "UnrecognizedClientException"),
    ("SESSION", "session-secret", None, "UnrecognizedClientException"),
    ("SESSION", "session-secret", "another", "UnrecognizedClientException"),
])
def test_what_does_not_prove_a_key_is_refused(guarded, key, secret, token, code):
    got, text, status = refusal(client(guarded, key, secret, token).list_streams)
    assert (got, status) == (code, 400)
    if code == "UnrecognizedClientException":
        assert text == "The security token included in the request is invalid."
    else:
        assert text.startswith("The request signature we calculated does not match the signature you provided.")
        assert "The Canonical String for this request should have been\n'POST\n/\n\ncontent-type:" in text
    assert "alice-secret" not in text and "the/token" not in text


@pytest.mark.parametrize("minutes, text", [
    (-6, r"Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 5 min\.\)"),
    (6, r"Signature not yet current: \d{8}T\d{6}Z is still later than \d{8}T\d{6}Z \(\d{8}T\d{6}Z \+ 5 min\.\)"),
])
def test_clocks_may_differ_by_five_minutes(guarded, minutes, text):
    def at(offset):
        moved = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=offset)
        return mock.patch("botocore.auth.get_current_datetime", return_value=moved)
    kinesis = client(guarded, "ALICE", "alice-secret")
    with at(minutes / 2):
        kinesis.list_streams()
    with at(minutes):
        code, message, _ = refusal(kinesis.list_streams)
    assert code == "InvalidSignatureException"
    assert re.fullmatch(text, message), message


def test_the_scope_must_name_the_service(guarded):
    kinesis = client(guarded, "ALICE", "alice-secret")
    kinesis._request_signer._signing_name = "dynamodb"
    assert refusal(kinesis.list_streams)[:2] == (
        "InvalidSignatureException", "Credential should be scoped to correct service: 'kinesis'. ")


def test_presigned_requests(guarded):
    request = AWSRequest(method="POST", url=f"http://127.0.0.1:{guarded.port}/")
    request.headers["X-Amz-Target"] = LIST
    request.headers["Content-Type"] = JSON
    signer = botocore.auth.SigV4QueryAuth(Credentials("ALICE", "alice-secret"), "kinesis", "eu-west-1", expires=60)
    # botocore moves a body into the query; sign the hash of the one we send.
    signer.payload = lambda _: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    signer.add_auth(request)
    parts = urlsplit(request.url)
    headers = {"X-Amz-Target": LIST, "Content-Type": JSON}
    status, _, body = send(guarded, path=f"/?{parts.query}", headers=headers, body=b"{}")
    assert (status, json.loads(body)["HasMoreStreams"]) == (200, False)
    status, _, body = send(guarded, path=f"/?{parts.query}", headers=headers, body=b"{} ")
    assert (status, json.loads(body)["__type"]) == (400, "InvalidSignatureException")


# -- accounts and policies -----------------------------------------------------------------------


def test_open_mode_takes_accounts_and_regions_from_the_credentials(server, name):
    here = server.client(aws_access_key_id="111111111111")
    here.create_stream(StreamName=name, ShardCount=1)
    for other in (server.client(aws_access_key_id="222222222222"), server.client(),
                  server.client(aws_access_key_id="111111111111", region_name="us-west-2")):
        assert name not in other.list_streams()["StreamNames"]
        assert refusal(other.describe_stream_summary, StreamName=name)[0] == "ResourceNotFoundException"
    arn = here.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    assert arn == f"arn:aws:kinesis:eu-west-1:111111111111:stream/{name}"


def test_identity_policies(guarded, alice, name):
    alice.create_stream(StreamName=name, ShardCount=1)
    reader = client(guarded, "READER", "reader-secret")
    reader.describe_stream_summary(StreamName=name)
    arn = f"arn:aws:kinesis:eu-west-1:111122223333:stream/{name}"
    for call, action in (
            (lambda: reader.put_record(StreamName=name, Data=b"x", PartitionKey="k"), "PutRecord"),
            (lambda: reader.put_records(StreamARN=arn, Records=[{"Data": b"x", "PartitionKey": "k"}]), "PutRecords"),
            (lambda: reader.delete_stream(StreamName=name), "DeleteStream")):
        assert refusal(call) == (
            "AccessDeniedException",
            "User: arn:aws:iam::111122223333:user/reader is not authorized to perform: "
            f"kinesis:{action} on resource: {arn} because no identity-based policy allows the kinesis:{action} action",
            400)
    assert refusal(reader.describe_stream_summary, StreamName="secret")[1].endswith(
        "stream/secret with an explicit deny in an identity-based policy")


def test_resource_policies_let_other_accounts_in(guarded, alice, name):
    alice.create_stream(StreamName=name, ShardCount=1)
    arn = f"arn:aws:kinesis:eu-west-1:111122223333:stream/{name}"
    bob = client(guarded, "BOB", "bob-secret")
    put = {"StreamARN": arn, "Data": b"x", "PartitionKey": "k"}
    assert refusal(bob.put_record, **put)[1] == (
        f"User: {BOB} is not authorized to perform: kinesis:PutRecord on resource: {arn} "
        "because no resource-based policy allows the kinesis:PutRecord action")
    statement = {"Effect": "Allow", "Principal": {"AWS": BOB}, "Action": "kinesis:PutRecord", "Resource": arn}
    alice.put_resource_policy(ResourceARN=arn, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    bob.put_record(**put)
    assert refusal(bob.describe_stream_summary, StreamARN=arn)[0] == "AccessDeniedException"
    # An iterator of the stream does not help who may not read it.
    shard = alice.list_shards(StreamName=name)["Shards"][0]["ShardId"]
    iterator = alice.get_shard_iterator(StreamName=name, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    for extra in ({}, {"StreamARN": "arn:aws:kinesis:eu-west-1:444455556666:stream/own"}):
        assert refusal(bob.get_records, ShardIterator=iterator["ShardIterator"], **extra)[0] == "AccessDeniedException"
    statement |= {"Effect": "Deny", "Principal": "*"}
    alice.put_resource_policy(ResourceARN=arn, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    for who in (alice, bob):
        assert refusal(who.put_record, **put)[1].endswith("with an explicit deny in a resource-based policy")
    alice.delete_resource_policy(ResourceARN=arn)
    alice.put_record(**put)


# -- what is no proper call ----------------------------------------------------------------------

INCOMPLETE_QUERY = "".join(f"AWS query-string parameters must include '{p}'. " for p in (
    "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")) + (
    "Re-examine the query-string parameters.")
INCOMPLETE_HEADER = "".join(f"Authorization header requires '{p}' parameter. " for p in (
    "Credential", "Signature", "SignedHeaders")) + (
    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=X")


@pytest.mark.parametrize("content_type, target, body, path, authorization, expected", [
    (JSON, None, b"", "/", None, {"__type": "UnknownOperationException"}),
    (JSON, LIST, b"", "/", None, {"__type": "SerializationException"}),
    (JSON, LIST, b"hello", "/", None, {"__type": "SerializationException"}),
    (JSON, "x.y", b"hello", "/", None, {"__type": "SerializationException"}),
    (JSON, "x.y", b"{}", "/", None, {"__type": "UnknownOperationException"}),
    (JSON, LIST, b"{}", "/", None,
     {"__type": "MissingAuthenticationTokenException", "message": "Missing Authentication Token"}),
    ("   application/x-amz-json-1.1   ;whatever", LIST, b"{}", "/", None,
     {"__type": "MissingAuthenticationTokenException", "message": "Missing Authentication Token"}),
    (JSON, LIST, b"{}", "/", "X", {"__type": "IncompleteSignatureException", "message": INCOMPLETE_HEADER}),
    (JSON, LIST, b"{}", "/?X-Amz-Algorithm", None,
     {"__type": "IncompleteSignatureException", "message": INCOMPLETE_QUERY}),
    (JSON, LIST, b"{}", "/?X-Amz-Algorithm", "X",
     {"__type": "InvalidSignatureException",
      "message": "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."}),
])
@pytest.mark.parametrize("mode", ["open", "guarded"])
def test_refusals_in_json(server, guarded, mode, content_type, target, body, path, authorization, expected):
    headers = {"Content-Type": content_type}
    if target:
        headers["X-Amz-Target"] = target
    if authorization:
        headers["Authorization"] = authorization
    status, headers, answer = send(guarded if mode == "guarded" else server, "POST", path, headers, body)
    assert (status, json.loads(answer)) == (400, expected)
    assert headers["content-type"] == JSON
    assert headers["x-amzn-errortype"] == expected["__type"]
    check_ids(headers)


@pytest.mark.parametrize("headers, code", [
    ({}, b"UnknownOperationException"),
    ({"X-Amz-Target": "Kinesis_20131202."}, b"UnknownOperationException"),
    ({"X-Amz-Target": LIST}, b"SerializationException"),
    ({"X-Amz-Target": LIST, "Content-Type": "application/json"}, b"SerializationException"),
])
def test_empty_bodies_are_refused_in_cbor(server, headers, code):
    status, answered, body = send(server, headers=headers)
    assert (status, answered["content-type"]) == (400, CBOR)
    assert b"__type" in body and code in body
    check_ids(answered)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused_in_xml(server, method):
    status, headers, body = send(server, method)
    assert (status, body) == (403, b"<MissingAuthenticationTokenException>\n  <Message>Missing Authentication Token"
                                   b"</Message>\n</MissingAuthenticationTokenException>\n")
    assert "content-type" not in headers
    check_ids(headers)


def test_preflight(server):
    status, headers, body = send(server, "OPTIONS", headers={
        "Origin": "whatever", "Access-Control-Request-Headers": "a, b, c", "Access-Control-Request-Method": "d"})
    assert (status, body) == (200, b"")
    assert headers["access-control-allow-origin"] == "*"
    assert headers["access-control-allow-headers"] == "a, b, c"
    assert headers["access-control-allow-methods"] == "d"
    assert headers["access-control-max-age"] == "172800"
    assert "x-amz-id-2" not in headers and "content-type" not in headers
