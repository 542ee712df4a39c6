"""The whole life of an application through the API of 2015-08-14."""
import time
from collections import Counter

import pytest
from botocore import xform_name

from conftest import (CODE, ROLE, SCHEMA, arn_of, error_of, input_of, output_of, put, results, wait_for, wait_gone)
from helpers import eventually


def create(server, v1, name, source, destination, code=CODE):
    v1.create_application(ApplicationName=name, ApplicationDescription="counts", ApplicationCode=code,
                          Inputs=[input_of(server, source, roles=True)],
                          Outputs=[output_of(server, destination, roles=True)],
                          Tags=[{"Key": "team", "Value": "a"}])
    return v1.describe_application(ApplicationName=name)["ApplicationDetail"]


def start(v1, name, position="TRIM_HORIZON"):
    detail = v1.describe_application(ApplicationName=name)["ApplicationDetail"]
    v1.start_application(ApplicationName=name, InputConfigurations=[
        {"Id": i["InputId"], "InputStartingPositionConfiguration": {"InputStartingPosition": position}}
        for i in detail["InputDescriptions"]])
    wait_for(v1, name, "RUNNING")


def test_an_application_lives(server, kinesis, v1, name, make_stream):
    source, destination = make_stream(2), make_stream(2)
    detail = create(server, v1, name, source, destination)
    assert detail["ApplicationStatus"] == "READY" and detail["ApplicationVersionId"] == 1
    assert detail["ApplicationARN"] == f"arn:aws:kinesisanalytics:{server.region}:000000000000:application/{name}"
    described = detail["InputDescriptions"][0]
    assert described["InputId"] == "1.1" and described["InAppStreamNames"] == ["SOURCE_SQL_STREAM_001"]
    assert described["InputSchema"] == SCHEMA
    assert described["KinesisStreamsInputDescription"] == {"ResourceARN": arn_of(server, source), "RoleARN": ROLE}
    assert detail["OutputDescriptions"][0]["DestinationSchema"] == {"RecordFormatType": "JSON"}

    put(kinesis, source, [{"k": "a", "v": 1}, {"k": "b", "v": 2}, {"k": "a", "v": 3}])
    start(v1, name)
    eventually(lambda: sum(r["N"] for r in results(kinesis, destination)) == 3)
    counted = Counter()
    for row in results(kinesis, destination):
        counted[row["K"]] += row["N"]
    assert counted == {"a": 2, "b": 1}

    # A stop loses nothing and repeats nothing.
    v1.stop_application(ApplicationName=name)
    wait_for(v1, name, "READY")
    put(kinesis, source, [{"k": "c", "v": 1}])
    start(v1, name, "LAST_STOPPED_POINT")
    eventually(lambda: sum(r["N"] for r in results(kinesis, destination)) == 4)
    time.sleep(0.3)
    assert sum(r["N"] for r in results(kinesis, destination)) == 4

    v1.delete_application(ApplicationName=name, CreateTimestamp=detail["CreateTimestamp"])
    wait_gone(v1, name)
    assert error_of(v1.describe_application, ApplicationName=name)[0] == "ResourceNotFoundException"


def test_parts_are_added_one_after_the_other(server, kinesis, v1, name, make_stream):
    """As the getting-started guide does it: code first, then input, output, start."""
    source, destination = make_stream(), make_stream()
    v1.create_application(ApplicationName=name, ApplicationCode=CODE)
    v1.add_application_input(ApplicationName=name, CurrentApplicationVersionId=1,
                             Input=input_of(server, source, roles=True))
    v1.add_application_output(ApplicationName=name, CurrentApplicationVersionId=2,
                              Output=output_of(server, destination, roles=True))
    v1.add_application_cloud_watch_logging_option(
        ApplicationName=name, CurrentApplicationVersionId=3, CloudWatchLoggingOption={
            "LogStreamARN": "arn:aws:logs:us-east-1:000000000000:log-group:g:log-stream:s", "RoleARN": ROLE})
    detail = v1.describe_application(ApplicationName=name)["ApplicationDetail"]
    assert detail["ApplicationVersionId"] == 4
    assert detail["InputDescriptions"][0]["InputId"] == "2.1"
    assert detail["OutputDescriptions"][0]["OutputId"] == "3.1"
    assert detail["CloudWatchLoggingOptionDescriptions"][0]["CloudWatchLoggingOptionId"] == "4.1"
    start(v1, name)
    put(kinesis, source, [{"k": "x", "v": 1}])
    eventually(lambda: results(kinesis, destination) == [{"K": "x", "N": 1}])

    # Updates while it runs.
    v1.update_application(ApplicationName=name, CurrentApplicationVersionId=4, ApplicationUpdate={
        "ApplicationCodeUpdate": CODE.replace("COUNT(*)", "100 + COUNT(*)"),
        "OutputUpdates": [{"OutputId": "3.1", "DestinationSchemaUpdate": {"RecordFormatType": "CSV"}}]})
    wait_for(v1, name, "RUNNING")
    put(kinesis, source, [{"k": "y", "v": 1}])
    from helpers import read_stream
    eventually(lambda: b"y,101" in [bytes(r["Data"]).strip() for r in read_stream(kinesis, destination)])
    v1.delete_application_output(ApplicationName=name, CurrentApplicationVersionId=5, OutputId="3.1")
    wait_for(v1, name, "RUNNING")
    v1.delete_application_cloud_watch_logging_option(ApplicationName=name, CurrentApplicationVersionId=6,
                                                     CloudWatchLoggingOptionId="4.1")
    detail = v1.describe_application(ApplicationName=name)["ApplicationDetail"]
    assert detail["OutputDescriptions"] == [] and detail["ApplicationVersionId"] == 7


def test_refusals(server, v1, name, make_stream):
    source, destination = make_stream(), make_stream()
    create(server, v1, name, source, destination)
    assert error_of(v1.create_application, ApplicationName=name)[0] == "ResourceInUseException"
    code, text = error_of(v1.update_application, ApplicationName=name, CurrentApplicationVersionId=1,
                          ApplicationUpdate={"ApplicationCodeUpdate": CODE.replace("COUNT(*)", "COUNTT(*)")})
    assert code == "CodeValidationException" and "line 4, column" in text
    assert error_of(v1.update_application, ApplicationName=name, CurrentApplicationVersionId=9,
                    ApplicationUpdate={})[0] == "ConcurrentModificationException"
    assert error_of(v1.add_application_input, ApplicationName=name, CurrentApplicationVersionId=1,
                    Input=input_of(server, source, roles=True))[0] == "InvalidArgumentException"
    assert error_of(v1.stop_application, ApplicationName=name)[0] == "ResourceInUseException"
    assert error_of(v1.delete_application_output, ApplicationName=name, CurrentApplicationVersionId=1,
                    OutputId="9.9")[0] == "InvalidArgumentException"
    code, text = error_of(v1.add_application_output, ApplicationName=name, CurrentApplicationVersionId=1, Output={
        "Name": "DESTINATION_SQL_STREAM", "DestinationSchema": {"RecordFormatType": "JSON"},
        "LambdaOutput": {"ResourceARN": "arn:aws:lambda:us-east-1:000000000000:function:f", "RoleARN": ROLE}})
    assert code == "UnsupportedOperationException" and "not supported" in text
    code, text = error_of(v1.add_application_output, ApplicationName=name, CurrentApplicationVersionId=1,
                          Output=output_of(server, destination, name="destination_sql_stream", roles=True))
    assert code == "InvalidArgumentException" and "DESTINATION_SQL_STREAM" in text
    assert error_of(v1.delete_application, ApplicationName=name, CreateTimestamp=1)[0] == "InvalidArgumentException"

    foreign = name + "-foreign"
    v1.create_application(ApplicationName=foreign, ApplicationCode=CODE, Inputs=[{
        **input_of(server, source, roles=True), "KinesisStreamsInput": {
            "ResourceARN": f"arn:aws:kinesis:{server.region}:111111111111:stream/{source}", "RoleARN": ROLE}}])
    code, text = error_of(v1.start_application, ApplicationName=foreign, InputConfigurations=[
        {"Id": "1.1", "InputStartingPositionConfiguration": {"InputStartingPosition": "NOW"}}])
    assert code == "InvalidApplicationConfigurationException" and "another account" in text

    other = name + "-missing"
    v1.create_application(ApplicationName=other, ApplicationCode=CODE, Inputs=[input_of(server, "nowhere", roles=True)])
    code, text = error_of(v1.start_application, ApplicationName=other, InputConfigurations=[
        {"Id": "1.1", "InputStartingPositionConfiguration": {"InputStartingPosition": "NOW"}}])
    assert code == "InvalidApplicationConfigurationException" and "nowhere" in text


@pytest.mark.parametrize("change, words", [
    ({"RecordColumns": SCHEMA["RecordColumns"] + [{"Name": "k", "SqlType": "DOUBLE", "Mapping": "$.x"}]}, "column k comes twice"),
    ({"RecordColumns": [{"Name": "ROWTIME", "SqlType": "TIMESTAMP", "Mapping": "$.t"}]}, "give the column another name"),
    ({"RecordColumns": [{"Name": "k", "SqlType": "TEXT", "Mapping": "$.k"}]}, "TEXT is not a data type"),
    ({"RecordColumns": [{"Name": "k", "SqlType": "INTEGER", "Mapping": "k"}]}, "bad path 'k'"),
])
@pytest.mark.parametrize("code", ["", CODE])
def test_schemas_are_judged_when_they_come(server, v1, name, change, words, code):
    """With the exception that the model has for it: InvalidApplicationConfiguration is for starts."""
    refused, text = error_of(v1.create_application, ApplicationName=name, ApplicationCode=code, Inputs=[
        {**input_of(server, "s", roles=True), "InputSchema": {**SCHEMA, **change}}])
    assert refused == "InvalidArgumentException" and words in text


@pytest.mark.parametrize("arn", ["arn:aws:sqs:eu-west-1:000000000000:orders", "arn:aws:kinesis:eu-west-1:000000000000:stream/",
                                 "arn:aws:firehose:eu-west-1:000000000000:deliverystream/orders", "arn:aws:kinesis:orders"])
def test_only_streams_are_read_and_written_as_streams(server, v1, name, arn):
    resource = {"ResourceARN": arn, "RoleARN": ROLE}
    code, text = error_of(v1.create_application, ApplicationName=name, ApplicationCode=CODE,
                          Inputs=[{**input_of(server, "s", roles=True), "KinesisStreamsInput": resource}])
    assert code == "InvalidArgumentException" and "input SOURCE_SQL_STREAM: " + arn + " is not the ARN of a stream" in text
    code, text = error_of(v1.create_application, ApplicationName=name, ApplicationCode=CODE,
                          Outputs=[{**output_of(server, "s", roles=True), "KinesisStreamsOutput": resource}])
    assert code == "InvalidArgumentException" and "output DESTINATION_SQL_STREAM: " + arn in text


def test_errors_are_those_of_the_model(server, v1, v2, name):
    """SDKs with types have classes only for these: an exception that an operation does not declare is caught by nobody."""
    wrong_code, wrong_schema = "CREATE STREAMM x", {**SCHEMA, "RecordColumns": [{"Name": "k", "SqlType": "TEXT"}]}
    v1.create_application(ApplicationName=name, ApplicationCode=CODE)
    bad_input = {**input_of(server, "s", roles=True), "InputSchema": wrong_schema}
    v2_name, bad_input_v2 = name + "-2", {**input_of(server, "s"), "InputSchema": wrong_schema}
    v2.create_application(ApplicationName=v2_name, RuntimeEnvironment="SQL-1_0", ServiceExecutionRole=ROLE)
    bad_output = output_of(server, "s", name="NOWHERE")
    for api, operation, arguments in [
            (v1, "CreateApplication", dict(ApplicationName="x", ApplicationCode=wrong_code)),
            (v1, "CreateApplication", dict(ApplicationName="x", ApplicationCode=CODE, Inputs=[bad_input])),
            (v1, "UpdateApplication", dict(ApplicationName=name, CurrentApplicationVersionId=1, ApplicationUpdate={"ApplicationCodeUpdate": wrong_code})),
            (v1, "UpdateApplication", dict(ApplicationName=name, CurrentApplicationVersionId=7, ApplicationUpdate={})),
            (v1, "AddApplicationInput", dict(ApplicationName=name, CurrentApplicationVersionId=1, Input=bad_input)),
            (v1, "AddApplicationInput", dict(ApplicationName=name, CurrentApplicationVersionId=1, Input={
                **input_of(server, "s", roles=True), "InputSchema": {**SCHEMA, "RecordColumns": SCHEMA["RecordColumns"][1:]}})),
            (v1, "StartApplication", dict(ApplicationName=name, InputConfigurations=[])),
            (v1, "StopApplication", dict(ApplicationName=name)),
            (v1, "DescribeApplication", dict(ApplicationName="nowhere")),
            (v2, "CreateApplication", dict(ApplicationName="x", RuntimeEnvironment="SQL-1_0", ServiceExecutionRole=ROLE, ApplicationConfiguration={
                "SqlApplicationConfiguration": {"Inputs": [bad_input_v2]}})),
            (v2, "AddApplicationInput", dict(ApplicationName=v2_name, CurrentApplicationVersionId=1, Input=bad_input_v2)),
            (v2, "AddApplicationOutput", dict(ApplicationName=v2_name, CurrentApplicationVersionId=7, Output=bad_output)),
            (v2, "UpdateApplication", dict(ApplicationName=v2_name, CurrentApplicationVersionId=1, ApplicationConfigurationUpdate={
                "ApplicationCodeConfigurationUpdate": {"CodeContentUpdate": {"TextContentUpdate": wrong_code}}})),
            (v2, "StartApplication", dict(ApplicationName=v2_name)),
            (v2, "DeleteApplication", dict(ApplicationName=v2_name, CreateTimestamp=1))]:
        declared = {shape.name for shape in api.meta.service_model.operation_model(operation).error_shapes}
        code, _ = error_of(getattr(api, xform_name(operation)), **arguments)
        assert code in declared, operation


def test_lists_and_tags(v1, name):
    for i in range(3):
        v1.create_application(ApplicationName=f"{name}-{i}", ApplicationCode="")
    first = v1.list_applications(Limit=1, ExclusiveStartApplicationName=name)
    assert [s["ApplicationName"] for s in first["ApplicationSummaries"]] == [f"{name}-0"]
    assert first["HasMoreApplications"]
    arn = first["ApplicationSummaries"][0]["ApplicationARN"]
    v1.tag_resource(ResourceARN=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b"}])
    v1.untag_resource(ResourceARN=arn, TagKeys=["b"])
    assert v1.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "a", "Value": "1"}]
    assert error_of(v1.tag_resource, ResourceARN=arn, Tags=[{"Key": f"k{i}", "Value": ""} for i in range(50)])[0] == \
        "TooManyTagsException"


def test_reference_data_from_a_bucket(server, kinesis, v1, name, make_stream, buckets):
    (buckets / "prices").mkdir(exist_ok=True)
    (buckets / "prices/names.csv").write_text("a,Anna\nb,Berta\n")
    source, destination = make_stream(), make_stream()
    code = """
CREATE STREAM "DESTINATION_SQL_STREAM" (k VARCHAR(16), name VARCHAR(16));
CREATE PUMP p AS INSERT INTO "DESTINATION_SQL_STREAM" SELECT STREAM s."k", n."name"
FROM "SOURCE_SQL_STREAM_001" AS s LEFT JOIN "NAMES" AS n ON s."k" = n."k";
"""
    create(server, v1, name, source, destination, code)
    v1.add_application_reference_data_source(
        ApplicationName=name, CurrentApplicationVersionId=1, ReferenceDataSource={
            "TableName": "NAMES", "S3ReferenceDataSource": {
                "BucketARN": "arn:aws:s3:::prices", "FileKey": "names.csv", "ReferenceRoleARN": ROLE},
            "ReferenceSchema": {
                "RecordFormat": {"RecordFormatType": "CSV", "MappingParameters": {"CSVMappingParameters": {
                    "RecordRowDelimiter": "\n", "RecordColumnDelimiter": ","}}},
                "RecordColumns": [{"Name": "k", "SqlType": "VARCHAR(16)"}, {"Name": "name", "SqlType": "VARCHAR(16)"}]}})
    start(v1, name)
    put(kinesis, source, [{"k": "a"}])
    eventually(lambda: results(kinesis, destination) == [{"K": "a", "NAME": "Anna"}])
    # The file changes: the table follows by itself.
    (buckets / "prices/names.csv").write_text("a,Antonia\nb,Berta\n")

    def follows():
        put(kinesis, source, [{"k": "a"}])
        time.sleep(0.2)
        return {"K": "a", "NAME": "Antonia"} in results(kinesis, destination)
    eventually(follows)


def test_discovers_schemas(server, kinesis, v1, make_stream):
    source = make_stream()
    request = {"ResourceARN": arn_of(server, source), "RoleARN": ROLE,
               "InputStartingPositionConfiguration": {"InputStartingPosition": "TRIM_HORIZON"}}
    assert error_of(v1.discover_input_schema, **request)[0] == "UnableToDetectSchemaException"
    put(kinesis, source, [{"ticker": "AMZN", "price": 12.5}, {"ticker": "GOOG", "price": 7}])
    answer = v1.discover_input_schema(**request)
    assert [c["Name"] for c in answer["InputSchema"]["RecordColumns"]] == ["ticker", "price"]
    assert answer["InputSchema"]["RecordFormat"]["RecordFormatType"] == "JSON"
    assert answer["ParsedInputRecords"][0][0] == "AMZN"
    assert len(answer["RawInputRecords"]) == 2
