"""Identity policies and the audit trail know these services."""
import json

from conftest import CODE, error_of
from helpers import eventually, read_stream

POLICY = """
[[access_key]]
id = "AKIDREADER"
secret = "reader"
policy = '''{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["kinesisanalytics:Describe*"],
 "Resource": "arn:aws:kinesisanalytics:*:*:application/open-*"}]}'''
"""


def test_policies_name_applications_and_calls_are_audited(millstream_factory):
    server = millstream_factory(credentials=True, audit=True, config=POLICY + '[defaults]\nregion = "eu-west-1"\n')
    owner = server.client("kinesisanalytics")
    for name in ("open-one", "closed-one"):
        owner.create_application(ApplicationName=name, ApplicationCode=CODE)
    reader = server.client("kinesisanalytics", access_key="AKIDREADER", secret_key="reader")
    assert reader.describe_application(ApplicationName="open-one")["ApplicationDetail"]["ApplicationVersionId"] == 1
    assert error_of(reader.describe_application, ApplicationName="closed-one")[0] == "AccessDeniedException"
    assert error_of(reader.stop_application, ApplicationName="open-one")[0] == "AccessDeniedException"

    def events():
        return [json.loads(r["Data"]) for r in read_stream(server.client(), "millstream-audit")]
    eventually(lambda: any(e["eventName"] == "CreateApplication" and
                           e["eventSource"] == "kinesisanalytics.amazonaws.com" for e in events()))
