#!/usr/bin/env python3
"""Writes sigv4_vectors.json: requests signed by botocore, which our verifier must accept.

The requests follow the cases that AWS publishes (plain, query order, odd paths, folded and repeated
headers, bodies, session tokens, presigned). Run with botocore installed when a case is added:
    python3 make_sigv4_vectors.py > sigv4_vectors.json
"""
import datetime
import json
import sys
from unittest import mock
from urllib.parse import urlsplit

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.timezone.utc)
KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

# name, service, method, url, headers, body, token
CASES = [
    ("get-vanilla", "service", "GET", "/", [], "", None),
    ("get-vanilla-query", "service", "GET", "/?Param1=value1", [], "", None),
    ("get-vanilla-empty-query-key", "service", "GET", "/?Param1=", [], "", None),
    ("get-vanilla-query-order-key-case", "service", "GET", "/?Param2=value2&Param1=value1", [], "", None),
    ("get-vanilla-query-order-value", "service", "GET", "/?Param1=value2&Param1=Value1", [], "", None),
    ("get-vanilla-query-unreserved", "service", "GET",
     "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz="
     "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", [], "", None),
    ("get-query-encoded", "service", "GET", "/?a%20b=%C3%A4%2F%2B&x=1%3D2", [], "", None),
    ("get-unreserved", "service", "GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
     [], "", None),
    ("get-utf8", "service", "GET", "/%E1%88%B4", [], "", None),
    ("get-space", "service", "GET", "/example%20space/", [], "", None),
    ("get-slash", "service", "GET", "//", [], "", None),
    ("get-slash-dot-slash", "service", "GET", "/./", [], "", None),
    ("get-slashes", "service", "GET", "//example//", [], "", None),
    ("get-relative", "service", "GET", "/example/..", [], "", None),
    ("get-relative-relative", "service", "GET", "/example1/example2/../..", [], "", None),
    ("get-slash-pointless-dot", "service", "GET", "/./example", [], "", None),
    ("get-header-key-duplicate", "service", "GET", "/",
     [("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")], "", None),
    ("get-header-value-trim", "service", "GET", "/",
     [("My-Header1", "value1"), ("My-Header2", '"a   b   c"'), ("My-Header3", "a\tb  c")], "", None),
    ("post-vanilla", "service", "POST", "/", [], "", None),
    ("post-header-key-case", "service", "POST", "/", [("MY-HEADER1", "VALUE1")], "", None),
    ("post-form", "service", "POST", "/", [("Content-Type", "application/x-www-form-urlencoded; charset=utf8")],
     "Param1=value1", None),
    ("post-sts-token", "service", "POST", "/", [], "", "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22"),
    ("kinesis-put-record", "kinesis", "POST", "/",
     [("Content-Type", "application/x-amz-json-1.1"), ("X-Amz-Target", "Kinesis_20131202.PutRecord")],
     '{"StreamName":"orders","Data":"aGVsbG8=","PartitionKey":"k"}', None),
    ("kinesis-token", "kinesis", "POST", "/",
     [("Content-Type", "application/x-amz-json-1.1"), ("X-Amz-Target", "Kinesis_20131202.ListStreams"),
      ("amz-sdk-invocation-id", "11111111-2222-4333-8444-555555555555"), ("amz-sdk-request", "attempt=1")],
     "{}", "FwoGZXIvYXdzEXAMPLETOKEN+/=="),
    ("rpc-v2", "kinesis", "POST", "/service/Kinesis_20131202/operation/ListStreams",
     [("Content-Type", "application/cbor"), ("Smithy-Protocol", "rpc-v2-cbor")], "\u00a0", None),
]


def sign(name, service, method, path, headers, body, token, cls, presigned=False, expires=None):
    url = "http://example.amazonaws.com:4566" + path
    request = AWSRequest(method=method, url=url, data=body.encode())
    for key, value in headers:
        request.headers.add_header(key, value)
    request.headers["Host"] = "example.amazonaws.com:4566"
    credentials = Credentials(KEY, SECRET, token)
    signer = cls(credentials, service, "us-east-1", **({"expires": expires} if expires else {}))
    with mock.patch("botocore.auth.get_current_datetime", return_value=NOW):
        signer.add_auth(request)
    parts = urlsplit(request.url)
    # urlsplit drops an empty first segment of "//": the target is what follows the authority.
    target = request.url[request.url.index(parts.netloc) + len(parts.netloc):]
    return {
        "name": name, "service": service, "method": method, "target": target,
        "authority": "example.amazonaws.com:4566",
        "headers": [[k, str(v)] for k, v in request.headers.items() if k.lower() != "host"],
        "body": request.data.decode() if isinstance(request.data, bytes) else request.data or "",
        "token": token or "",
    }


def main():
    vectors = [sign(*case, botocore.auth.SigV4Auth) for case in CASES]
    for case in CASES:
        if case[0] in ("get-vanilla", "get-query-encoded", "kinesis-put-record", "kinesis-token"):
            vectors.append(sign("presigned-" + case[0], *case[1:], botocore.auth.SigV4QueryAuth,
                                expires=900))
    for path, body in (("/bucket/a%20b//c/../d?list-type=2&prefix=x", ""), ("/bucket/key", "hello")):
        vectors.append(sign("s3" + path.split("?")[0], "s3", "PUT", path, [], body, None,
                            botocore.auth.S3SigV4Auth))
    vectors.append(sign("presigned-s3", "s3", "GET", "/bucket/key%20x", [], "", None,
                        botocore.auth.S3SigV4QueryAuth, expires=60))
    json.dump({"now_ms": int(NOW.timestamp() * 1000), "access_key_id": KEY, "secret": SECRET,
               "vectors": vectors}, sys.stdout, indent=1)
    print()


main()
