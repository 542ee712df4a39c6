"""The whole life of a SQL application through the API of 2018-05-23."""
import json

from conftest import (CODE, ROLE, SCHEMA, arn_of, error_of, input_of, output_of, put, results, wait_for, wait_gone)
from helpers import eventually, read_stream


PASS = """
CREATE STREAM "DESTINATION_SQL_STREAM" (k VARCHAR(16));
CREATE PUMP p AS INSERT INTO "DESTINATION_SQL_STREAM" SELECT STREAM "k" FROM "SOURCE_SQL_STREAM_001";
"""


def create(server, v2, name, inputs, outputs, code=CODE, **more):
    return v2.create_application(
        ApplicationName=name, RuntimeEnvironment="SQL-1_0", ServiceExecutionRole=ROLE, ApplicationConfiguration={
            "SqlApplicationConfiguration": {"Inputs": inputs, "Outputs": outputs},
            "ApplicationCodeConfiguration": {"CodeContentType": "PLAINTEXT", "CodeContent": {"TextContent": code}}},
        **more)["ApplicationDetail"]


def start(v2, name, position="TRIM_HORIZON"):
    detail = v2.describe_application(ApplicationName=name)["ApplicationDetail"]
    inputs = detail["ApplicationConfigurationDescription"]["SqlApplicationConfigurationDescription"]["InputDescriptions"]
    v2.start_application(ApplicationName=name, RunConfiguration={"SqlRunConfigurations": [
        {"InputId": i["InputId"], "InputStartingPositionConfiguration": {"InputStartingPosition": position}} for i in inputs]})
    wait_for(v2, name, "RUNNING")


def test_an_application_lives(server, kinesis, v1, v2, name, make_stream):
    source, destination = make_stream(), make_stream()
    detail = create(server, v2, name, [input_of(server, source)], [output_of(server, destination)],
                    Tags=[{"Key": "team", "Value": "a"}])
    assert detail["RuntimeEnvironment"] == "SQL-1_0" and detail["ServiceExecutionRole"] == ROLE
    assert detail["ApplicationVersionId"] == 1 and detail["ApplicationStatus"] == "READY"
    configuration = detail["ApplicationConfigurationDescription"]
    assert configuration["ApplicationCodeConfigurationDescription"]["CodeContentDescription"]["TextContent"] == CODE
    described = configuration["SqlApplicationConfigurationDescription"]["InputDescriptions"][0]
    assert described["InputSchema"] == SCHEMA and described["InputParallelism"] == {"Count": 1}
    assert v2.list_tags_for_resource(ResourceARN=detail["ApplicationARN"])["Tags"] == [{"Key": "team", "Value": "a"}]

    start(v2, name)
    put(kinesis, source, [{"k": "a", "v": 1}])
    eventually(lambda: results(kinesis, destination) == [{"K": "a", "N": 1}])

    # Version 1 of the API sees it and leaves it alone.
    assert v1.describe_application(ApplicationName=name)["ApplicationDetail"]["ApplicationStatus"] == "RUNNING"
    code, text = error_of(v1.update_application, ApplicationName=name, CurrentApplicationVersionId=1,
                          ApplicationUpdate={"ApplicationCodeUpdate": CODE})
    assert code == "UnsupportedOperationException" and "kinesisanalyticsv2" in text

    updated = v2.update_application(ApplicationName=name, CurrentApplicationVersionId=1, ApplicationConfigurationUpdate={
        "SqlApplicationConfigurationUpdate": {"InputUpdates": [
            {"InputId": "1.1", "InputParallelismUpdate": {"CountUpdate": 2}}]},
        "ApplicationCodeConfigurationUpdate": {"CodeContentUpdate": {"TextContentUpdate": CODE}}})["ApplicationDetail"]
    assert updated["ApplicationVersionId"] == 2
    wait_for(v2, name, "RUNNING")
    v2.stop_application(ApplicationName=name)
    wait_for(v2, name, "READY")
    v2.delete_application(ApplicationName=name, CreateTimestamp=detail["CreateTimestamp"])
    wait_gone(v2, name)


def test_several_inputs_and_the_error_stream(server, kinesis, v2, name, make_stream):
    left, right, rows, errors = make_stream(), make_stream(), make_stream(), make_stream()
    second = {**input_of(server, right), "NamePrefix": "OTHER"}
    code = """
CREATE STREAM "DESTINATION_SQL_STREAM" (k VARCHAR(16), v INTEGER);
CREATE PUMP p1 AS INSERT INTO "DESTINATION_SQL_STREAM" SELECT STREAM "k", "v" FROM "SOURCE_SQL_STREAM_001";
CREATE PUMP p2 AS INSERT INTO "DESTINATION_SQL_STREAM" SELECT STREAM "k", "v" FROM "OTHER_001";
"""
    create(server, v2, name, [input_of(server, left), second],
           [output_of(server, rows), output_of(server, errors, name="error_stream")], code)
    start(v2, name)
    put(kinesis, left, [{"k": "l", "v": 1}])
    put(kinesis, right, [{"k": "r", "v": 2}, {"k": "r", "v": "many"}])
    eventually(lambda: sorted(r["K"] for r in results(kinesis, rows)) == ["l", "r"])
    eventually(lambda: len(results(kinesis, errors)) == 1)
    error = results(kinesis, errors)[0]
    assert set(error) == {"ERROR_TIME", "ERROR_LEVEL", "ERROR_NAME", "MESSAGE", "DATA_ROWTIME", "DATA_ROW", "PUMP_NAME"}


def test_parallelism_reads_every_shard_once(server, kinesis, v2, name, make_stream):
    source, destination = make_stream(4), make_stream()
    code = 'CREATE STREAM "DESTINATION_SQL_STREAM" (k VARCHAR(16), shard VARCHAR(64));\n' + "\n".join(
        f'CREATE PUMP p{i} AS INSERT INTO "DESTINATION_SQL_STREAM" SELECT STREAM "k", SHARD_ID FROM "SOURCE_SQL_STREAM_00{i}";'
        for i in (1, 2))
    create(server, v2, name, [input_of(server, source, InputParallelism={"Count": 2})], [output_of(server, destination)], code)
    start(v2, name)
    put(kinesis, source, [{"k": str(i), "v": i} for i in range(200)])
    eventually(lambda: len(results(kinesis, destination)) == 200)
    rows = results(kinesis, destination)
    assert sorted(int(r["K"]) for r in rows) == list(range(200))
    assert len({r["SHARD"] for r in rows}) == 4


def test_follows_resharding(server, kinesis, v2, name, make_stream):
    source, destination = make_stream(), make_stream()
    create(server, v2, name, [input_of(server, source)], [output_of(server, destination)], """
CREATE STREAM "DESTINATION_SQL_STREAM" (k VARCHAR(16));
CREATE PUMP p AS INSERT INTO "DESTINATION_SQL_STREAM" SELECT STREAM "k" FROM "SOURCE_SQL_STREAM_001";""")
    start(v2, name)
    put(kinesis, source, [{"k": str(i)} for i in range(50)])
    kinesis.update_shard_count(StreamName=source, TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    eventually(lambda: len(kinesis.list_shards(StreamName=source)["Shards"]) == 3)
    put(kinesis, source, [{"k": str(i)} for i in range(50, 100)])
    eventually(lambda: len(results(kinesis, destination)) >= 100)
    assert sorted(int(r["K"]) for r in results(kinesis, destination)) == list(range(100))


def test_an_input_that_goes_is_told_and_read_again_when_it_is_back(server, kinesis, v2, name, make_stream):
    source, destination = make_stream(), make_stream()
    create(server, v2, name, [input_of(server, source)], [output_of(server, destination)], PASS)
    start(v2, name)
    put(kinesis, source, [{"k": "before"}])
    eventually(lambda: results(kinesis, destination) == [{"K": "before"}])
    kinesis.delete_stream(StreamName=source)
    told = f'an application cannot read its input application={name} input=arn:aws:kinesis:{server.region}:000000000000:stream/{source} error="there is no such stream"'
    eventually(lambda: told in server.log())
    assert v2.describe_application(ApplicationName=name)["ApplicationDetail"]["ApplicationStatus"] == "RUNNING"
    kinesis.create_stream(StreamName=source, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=source, WaiterConfig={"Delay": 1})
    put(kinesis, source, [{"k": "after"}])
    eventually(lambda: results(kinesis, destination) == [{"K": "before"}, {"K": "after"}])


def test_other_runtimes_and_their_operations_answer_clearly(v2, name):
    code, text = error_of(v2.create_application, ApplicationName=name, RuntimeEnvironment="FLINK-1_20",
                          ServiceExecutionRole=ROLE)
    assert code == "UnsupportedOperationException" and "SQL-1_0" in text
    for call, arguments in [(v2.create_application_snapshot, {"SnapshotName": "s"}), (v2.list_application_snapshots, {}),
                            (v2.list_application_versions, {}),
                            (v2.rollback_application, {"CurrentApplicationVersionId": 1})]:
        assert error_of(call, ApplicationName=name, **arguments)[0] == "UnsupportedOperationException"


def test_code_is_judged_when_it_comes(server, v2, name, make_stream):
    source = make_stream()
    code, text = error_of(create, server=server, v2=v2, name=name, inputs=[input_of(server, source)], outputs=[],
                          code='CREATE STREAM s (a INTEGER);\nCREATE PUMP p AS INSERT INTO s SELECT STREAM "kk" FROM "SOURCE_SQL_STREAM_001";')
    assert code == "CodeValidationException" and "line 2, column 46: column \"kk\" does not exist" in text
    code, text = error_of(create, server=server, v2=v2, name=name, inputs=[], outputs=[], code="SELEKT")
    assert code == "CodeValidationException" and "line 1, column 1" in text
    assert error_of(v2.describe_application, ApplicationName=name)[0] == "ResourceNotFoundException"
    # A reference table may come later, so an unknown name in FROM is judged at the start.
    create(server, v2, name, [input_of(server, source)], [],
           'CREATE STREAM s (a VARCHAR(8));\nCREATE PUMP p AS INSERT INTO s SELECT STREAM x."k" '
           'FROM "SOURCE_SQL_STREAM_001" x JOIN "LATER_TABLE" l ON x."k" = l."k";')
    code, text = error_of(v2.start_application, ApplicationName=name, RunConfiguration={})
    assert code == "InvalidApplicationConfigurationException" and "LATER_TABLE" in text


def test_roles_that_nobody_gave_are_not_shown(v2, name):
    v2.create_application(ApplicationName=name, RuntimeEnvironment="SQL-1_0", ServiceExecutionRole=ROLE, ApplicationConfiguration={
        "SqlApplicationConfiguration": {"ReferenceDataSources": [{
            "TableName": "T", "S3ReferenceDataSource": {"BucketARN": "arn:aws:s3:::b", "FileKey": "k"}, "ReferenceSchema": {
                "RecordFormat": {"RecordFormatType": "CSV"}, "RecordColumns": [{"Name": "k", "SqlType": "INTEGER"}]}}]}},
        CloudWatchLoggingOptions=[{"LogStreamARN": "arn:aws:logs:us-east-1:000000000000:log-group:g:log-stream:s"}])
    detail = v2.describe_application(ApplicationName=name)["ApplicationDetail"]
    assert "RoleARN" not in detail["CloudWatchLoggingOptionDescriptions"][0]
    table = detail["ApplicationConfigurationDescription"]["SqlApplicationConfigurationDescription"]["ReferenceDataSourceDescriptions"][0]
    assert table["S3ReferenceDataSourceDescription"] == {"BucketARN": "arn:aws:s3:::b", "FileKey": "k"}


def test_lists_in_pages(server, v2, name):
    for i in range(3):
        create(server, v2, f"{name}-{i}", [], [], "")
    seen, token = [], {}
    while True:
        page = v2.list_applications(Limit=1, **token)
        seen += [s["ApplicationName"] for s in page["ApplicationSummaries"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert [n for n in seen if n.startswith(name)] == [f"{name}-{i}" for i in range(3)]
    assert error_of(v2.list_applications, NextToken="?")[0] == "ValidationException"


def test_metrics_are_there(server, v2):
    status, page = server.get("/metrics")
    assert status == 200 and "analytics_records_total{" in page and "analytics_millis_behind_latest{" in page
