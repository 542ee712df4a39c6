"""One server for the tests of the API, and the words of an application that counts by key and second."""
import json
import time
import uuid

import pytest
from botocore.exceptions import ClientError
from helpers import eventually, read_stream

ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service"
CODE = """
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (k VARCHAR(16), n BIGINT);
CREATE OR REPLACE PUMP "STREAM_PUMP" AS INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM "k", COUNT(*) FROM "SOURCE_SQL_STREAM_001" AS s
GROUP BY "k", STEP(s.ROWTIME BY INTERVAL '1' SECOND);
"""
SCHEMA = {
    "RecordFormat": {"RecordFormatType": "JSON", "MappingParameters": {"JSONMappingParameters": {"RecordRowPath": "$"}}},
    "RecordEncoding": "UTF-8",
    "RecordColumns": [{"Name": "k", "SqlType": "VARCHAR(16)", "Mapping": "$.k"},
                      {"Name": "v", "SqlType": "INTEGER", "Mapping": "$.v"}],
}


def arn_of(server, stream):
    return f"arn:aws:kinesis:{server.region}:{ACCOUNT}:stream/{stream}"


def input_of(server, stream, roles=False, **more):
    resource = {"ResourceARN": arn_of(server, stream)}
    if roles:
        resource["RoleARN"] = ROLE
    return {"NamePrefix": "SOURCE_SQL_STREAM", "KinesisStreamsInput": resource, "InputSchema": SCHEMA, **more}


def output_of(server, stream, name="DESTINATION_SQL_STREAM", roles=False, format="JSON"):
    resource = {"ResourceARN": arn_of(server, stream)}
    if roles:
        resource["RoleARN"] = ROLE
    return {"Name": name, "KinesisStreamsOutput": resource, "DestinationSchema": {"RecordFormatType": format}}


def put(kinesis, stream, rows):
    answer = kinesis.put_records(StreamName=stream, Records=[
        {"Data": json.dumps(row).encode(), "PartitionKey": str(i)} for i, row in enumerate(rows)])
    assert answer["FailedRecordCount"] == 0


def results(kinesis, stream):
    return [json.loads(r["Data"]) for r in read_stream(kinesis, stream)]


def wait_for(analytics, name, status):
    def reached():
        return analytics.describe_application(ApplicationName=name)["ApplicationDetail"]["ApplicationStatus"] == status
    eventually(reached)


def wait_gone(analytics, name):
    def gone():
        try:
            analytics.describe_application(ApplicationName=name)
            return False
        except analytics.exceptions.ResourceNotFoundException:
            return True
    eventually(gone)


def error_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


@pytest.fixture(scope="session")
def buckets(tmp_path_factory):
    return tmp_path_factory.mktemp("buckets")


@pytest.fixture(scope="session")
def server(millstream_factory_session, buckets):
    return millstream_factory_session(config=f'[analytics]\nbuckets_directory = "{buckets}"\n')


@pytest.fixture
def kinesis(server):
    return server.client("kinesis")


@pytest.fixture
def v1(server):
    return server.client("kinesisanalytics")


@pytest.fixture
def v2(server):
    return server.client("kinesisanalyticsv2")


@pytest.fixture
def name():
    return f"a-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def make_stream(kinesis):
    def make(shards=1):
        stream = f"s-{uuid.uuid4().hex[:12]}"
        kinesis.create_stream(StreamName=stream, ShardCount=shards)
        kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})
        return stream
    return make


def next_second():
    """Just after a second of the wall clock begins, so that what is put next shares a window."""
    time.sleep(1.02 - time.time() % 1)
