"""`millstream sql`: applications on files, pipes and live streams."""
import gzip
import json
import os
import signal
import subprocess

import pytest
from helpers import eventually

APPLICATION = """
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (ticker VARCHAR(4), n INTEGER, total DOUBLE);
CREATE OR REPLACE PUMP "STREAM_PUMP" AS INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM "ticker", COUNT(*), SUM("price")
FROM "SOURCE_SQL_STREAM_001" s
GROUP BY "ticker", STEP(s.ROWTIME BY INTERVAL '60' SECOND);
"""
SCHEMA = {
    "RecordFormat": {"RecordFormatType": "JSON", "MappingParameters": {"JSONMappingParameters": {"RecordRowPath": "$"}}},
    "RecordEncoding": "UTF-8",
    "RecordColumns": [{"Name": "ticker", "SqlType": "VARCHAR(4)", "Mapping": "$.ticker"},
                      {"Name": "price", "SqlType": "DOUBLE", "Mapping": "$.price"}],
}
RECORDS = [{"ticker": "AMZN", "price": 10.5, "at": "2026-01-01T11:00:20Z"},
           {"ticker": "AMZN", "price": 9.5, "at": "2026-01-01T11:00:30Z"},
           {"ticker": "TBV", "price": 1, "at": "2026-01-01T11:01:59Z"}]
RESULTS = [["2026-01-01 11:01:00.000", {"TICKER": "AMZN", "N": 2, "TOTAL": 20}],
           ["2026-01-01 11:02:00.000", {"TICKER": "TBV", "N": 1, "TOTAL": 1}]]


def ndjson(records):
    return "".join(json.dumps(record) + "\n" for record in records)


def rows(text):
    return [[line["rowtime"], line["row"]] for line in map(json.loads, text.splitlines())]


@pytest.fixture
def sql(run_millstream, tmp_path):
    """sql("app.sql", "--input", "r.json"): paths are in a directory of the test's own."""
    def run(*arguments, check=True, **options):
        return run_millstream("sql", *[tmp_path / a if (tmp_path / str(a)).is_file() else a for a in arguments], check=check, **options)
    (tmp_path / "app.sql").write_text(APPLICATION)
    (tmp_path / "records.json").write_text(ndjson(RECORDS))
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    return run


# -- happy paths -------------------------------------------------------------------------------------

def test_a_file_with_a_schema_and_its_own_time(sql):
    done = sql("app.sql", "--schema", "schema.json", "--input", "records.json", "--rowtime", "$.at")
    assert rows(done.stdout) == RESULTS
    assert json.loads(done.stdout.splitlines()[0])["stream"] == "DESTINATION_SQL_STREAM"
    assert done.stderr == ""


def test_the_schema_beside_the_application_is_found(sql, tmp_path):
    (tmp_path / "app.schema.json").write_text(json.dumps(SCHEMA))
    assert rows(sql("app.sql", "--input", "records.json", "--rowtime", "$.at").stdout) == RESULTS


def test_without_a_schema_one_is_discovered_and_told(sql):
    done = sql("app.sql", "--input", "records.json", "--rowtime", "COL_at")
    assert rows(done.stdout) == RESULTS
    assert 'assumed from the first 3 records' in done.stderr and '"price" DOUBLE, "COL_at" TIMESTAMP' in done.stderr


def test_the_arrival_is_the_time_of_the_row(sql, tmp_path):
    (tmp_path / "arrival.sql").write_text("""CREATE STREAM d (t TIMESTAMP, r TIMESTAMP, ticker VARCHAR(4));
        CREATE PUMP p AS INSERT INTO d SELECT STREAM approximate_arrival_time, s.ROWTIME, "ticker" FROM source_sql_stream_001 s;""")
    times = ["2026-01-01 11:00:20.000", "2026-01-01 11:00:30.000", "2026-01-01 11:01:59.000"]
    for columns in ('"ticker" VARCHAR(4)', '"ticker" VARCHAR(4), "at" TIMESTAMP', '"at" VARCHAR(32), "ticker" VARCHAR(4)'):
        done = sql("arrival.sql", "--columns", columns, "--input", "records.json", "--rowtime", "$.at", "--bare")
        assert [json.loads(line) for line in done.stdout.splitlines()] == [
            {"T": time, "R": time, "TICKER": record["ticker"]} for time, record in zip(times, RECORDS, strict=True)]


def test_columns_in_sql(sql):
    done = sql("app.sql", "--columns", '"ticker" VARCHAR(4), "price" DOUBLE', "--input", "records.json", "--rowtime", "$.at")
    assert rows(done.stdout) == RESULTS and done.stderr == ""


def test_columns_and_rowtime_without_a_name_are_those_of_the_only_input(sql, tmp_path):
    (tmp_path / "named.sql").write_text('CREATE STREAM d (t VARCHAR(4), p DOUBLE); CREATE PUMP p AS INSERT INTO d SELECT STREAM "ticker", "price" FROM trades;')
    (tmp_path / "lines.json").write_text(ndjson(RECORDS))
    common = ("named.sql", "--columns", '"ticker" VARCHAR(4), "price" DOUBLE', "--rowtime", "$.at")
    done = sql(*common, "--input", f"trades={tmp_path}/lines.json")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert [row["rowtime"][:10] for row in map(json.loads, done.stdout.splitlines())] == [RECORDS[0]["at"][:10]] * len(RECORDS)
    both = sql(*common, "--input", f"trades={tmp_path}/lines.json", "--input", f"other={tmp_path}/lines.json")
    assert "assumed from the first" in both.stderr  # of several inputs, the first stream has the columns


def test_the_virtual_clock_advances_a_tick_per_record(sql):
    done = sql("app.sql", "--schema", "schema.json", "--input", "records.json", "--start", "2026-05-01T00:00:50Z", "--tick", "5s")
    assert rows(done.stdout) == [["2026-05-01 00:01:00.000", {"TICKER": "AMZN", "N": 2, "TOTAL": 20}],
                                 ["2026-05-01 00:02:00.000", {"TICKER": "TBV", "N": 1, "TOTAL": 1}]]


def test_a_pipe(sql):
    done = sql("app.sql", "--schema", "schema.json", "--input", "-", "--rowtime", "$.at", input=ndjson(RECORDS))
    assert rows(done.stdout) == RESULTS


def test_a_pipe_shows_results_as_they_come(binary, tmp_path):
    (tmp_path / "pass.sql").write_text('CREATE STREAM d (ticker VARCHAR(4)); CREATE PUMP p AS INSERT INTO d '
                                       'SELECT STREAM "ticker" FROM source_sql_stream_001;')
    process = subprocess.Popen([binary, "sql", tmp_path / "pass.sql", "--columns", '"ticker" VARCHAR(4)', "--input", "-", "--bare"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write('{"ticker": "A"}\n')
    process.stdin.flush()
    assert process.stdout.readline() == '{"TICKER":"A"}\n'
    process.stdin.close()
    assert process.stdout.read() == "" and process.wait(10) == 0


def test_the_application_on_standard_input(sql):
    done = sql("-", "--schema", "schema.json", "--input", "records.json", "--rowtime", "$.at", input=APPLICATION)
    assert rows(done.stdout) == RESULTS


@pytest.mark.parametrize("text", [
    json.dumps(RECORDS), json.dumps(RECORDS, indent=2), "\n".join(json.dumps(r, indent=1) for r in RECORDS),
    "".join(json.dumps(r) for r in RECORDS) + "\n", "\r\n".join(json.dumps(r) for r in RECORDS), "\n\n" + ndjson(RECORDS),
    "\ufeff" + ndjson(RECORDS), "\ufeff" + json.dumps(RECORDS)])
def test_json_in_all_shapes(sql, tmp_path, text):
    (tmp_path / "shape.json").write_text(text)
    done = sql("app.sql", "--schema", "schema.json", "--input", "shape.json", "--rowtime", "$.at")
    assert rows(done.stdout) == RESULTS


def test_records_longer_than_the_buffer(sql, tmp_path):
    (tmp_path / "long.json").write_text(ndjson([{**r, "padding": "x" * 700_000} for r in RECORDS]))
    assert rows(sql("app.sql", "--schema", "schema.json", "--input", "long.json", "--rowtime", "$.at").stdout) == RESULTS


def test_csv_with_a_discovered_header(sql, tmp_path):
    (tmp_path / "r.csv").write_text("ticker,price,at\n" + "".join(f"{r['ticker']},{r['price']},{r['at']}\n" for r in RECORDS))
    assert rows(sql("app.sql", "--input", "r.csv", "--rowtime", "COL_at").stdout) == RESULTS
    given = sql("app.sql", "--columns", '"ticker" VARCHAR(4), "price" DOUBLE, at_time TIMESTAMP', "--input", "r.csv", "--header", "--rowtime", "AT_TIME")
    assert rows(given.stdout) == RESULTS


def test_csv_with_lines_of_unequal_length(sql, tmp_path):
    """Of columns that --columns names nothing says that they are CSV, but lines that are no JSON."""
    (tmp_path / "r.csv").write_text("AMZN,10.5\nTBV\nAMZN,9.5,more\n")
    (tmp_path / "pass.sql").write_text("CREATE STREAM d (t VARCHAR(4), p DOUBLE); CREATE PUMP p AS INSERT INTO d SELECT STREAM * FROM source_sql_stream_001;")
    done = sql("pass.sql", "--columns", "ticker VARCHAR(4), price DOUBLE", "--input", "r.csv", "--bare", "--format", "csv")
    assert done.stdout == "T,P\nAMZN,10.5\nTBV,\nAMZN,9.5\n" and done.stderr == ""


def test_csv_with_delimiters_as_templates_have_them(sql, tmp_path):
    (tmp_path / "r.csv").write_text("AMZN\t10.5\r\nTBV\t1\r\n")
    (tmp_path / "pass.sql").write_text("CREATE STREAM d (t VARCHAR(4), p DOUBLE); CREATE PUMP p AS INSERT INTO d SELECT STREAM * FROM source_sql_stream_001;")
    (tmp_path / "csv.json").write_text(json.dumps({"RecordColumns": [{"Name": "ticker", "SqlType": "VARCHAR(4)"}, {"Name": "price", "SqlType": "DOUBLE"}], "RecordFormat": {
        "RecordFormatType": "CSV", "MappingParameters": {"CSVMappingParameters": {"RecordColumnDelimiter": "\\t", "RecordRowDelimiter": "\\r\\n"}}}}))
    done = sql("pass.sql", "--schema", "csv.json", "--input", "r.csv", "--bare", "--format", "csv")
    assert done.stdout == "T,P\nAMZN,10.5\nTBV,1.0\n" and done.stderr == ""


def test_formats(sql):
    common = ("app.sql", "--schema", "schema.json", "--input", "records.json", "--rowtime", "$.at")
    assert [[r["rowtime"], r["row"]] for r in json.loads(sql(*common, "--format", "json").stdout)] == RESULTS
    assert sql(*common, "--format", "csv").stdout == ("ROWTIME,TICKER,N,TOTAL\n2026-01-01 11:01:00.000,AMZN,2,20.0\n"
                                                      "2026-01-01 11:02:00.000,TBV,1,1.0\n")
    assert sql(*common, "--format", "csv", "--bare").stdout == "TICKER,N,TOTAL\nAMZN,2,20.0\nTBV,1,1.0\n"
    assert sql(*common, "--bare").stdout == '{"TICKER":"AMZN","N":2,"TOTAL":20}\n{"TICKER":"TBV","N":1,"TOTAL":1}\n'
    assert sql(*common, "--format", "table").stdout == """\
DESTINATION_SQL_STREAM
ROWTIME                  TICKER  N  TOTAL
-----------------------  ------  -  -----
2026-01-01 11:01:00.000  AMZN    2   20.0
2026-01-01 11:02:00.000  TBV     1    1.0
"""


def test_several_inputs_are_merged_by_rowtime(sql, tmp_path):
    (tmp_path / "join.sql").write_text("""
        CREATE STREAM d (n INTEGER, origin VARCHAR(8));
        CREATE PUMP p1 AS INSERT INTO d SELECT STREAM "n", 'left' FROM a;
        CREATE PUMP p2 AS INSERT INTO d SELECT STREAM "n", 'right' FROM b;""")
    left, right = [1, 3, 5, 6], [2, 4, 6]
    for name, numbers in (("a.json", left), ("b.json", right)):
        (tmp_path / name).write_text(ndjson({"n": n, "t": 1767225600 + n} for n in numbers))
    done = sql("join.sql", "--input", f"a={tmp_path}/a.json", "--input", f"b={tmp_path}/b.json", "--rowtime", "$.t", "--bare")
    got = [(r["N"], r["ORIGIN"]) for r in map(json.loads, done.stdout.splitlines())]
    assert got == [(1, "left"), (2, "right"), (3, "left"), (4, "right"), (5, "left"), (6, "left"), (6, "right")]


def test_a_reference_table(sql, tmp_path):
    (tmp_path / "names.csv").write_text("ticker,name,shares\nAMZN,Amazon,100\nTBV,Tbv Inc,5\n")
    (tmp_path / "join.sql").write_text("""
        CREATE STREAM d (ticker VARCHAR(4), name VARCHAR(16));
        CREATE PUMP p AS INSERT INTO d SELECT STREAM s."ticker", c."name"
        FROM source_sql_stream_001 s LEFT JOIN names c ON s."ticker" = c."ticker";""")
    done = sql("join.sql", "--schema", "schema.json", "--input", "records.json", "--reference", f"NAMES={tmp_path}/names.csv", "--bare")
    assert [json.loads(line)["NAME"] for line in done.stdout.splitlines()] == ["Amazon", "Amazon", "Tbv Inc"]


def test_a_reference_table_has_a_quoted_name_and_columns_in_sql(sql, tmp_path):
    """As the documented example has it: "CompanyName", with "Ticker" and "Company"."""
    (tmp_path / "names.csv").write_text("AMZN,Amazon\nTBV,Tbv Inc\n")
    (tmp_path / "names.json").write_text(ndjson([{"Ticker": "AMZN", "Company": "Amazon"}, {"Ticker": "TBV", "Company": "Tbv Inc"}]))
    (tmp_path / "join.sql").write_text("""
        CREATE STREAM d (ticker VARCHAR(4), name VARCHAR(16));
        CREATE PUMP p AS INSERT INTO d SELECT STREAM s."ticker", "c"."Company"
        FROM source_sql_stream_001 s LEFT JOIN "CompanyName" AS "c" ON s."ticker" = "c"."Ticker";""")
    for file in ("names.csv", "names.json"):
        done = sql("join.sql", "--schema", "schema.json", "--input", "records.json", "--reference", f'"CompanyName"={tmp_path}/{file}',
                   "--columns", '"CompanyName"="Ticker" VARCHAR(4), "Company" VARCHAR(16)', "--bare")
        assert [json.loads(line)["NAME"] for line in done.stdout.splitlines()] == ["Amazon", "Amazon", "Tbv Inc"]
    twice = sql("join.sql", "--input", "records.json", "--reference", f"n={tmp_path}/names.csv", "--reference", f"N={tmp_path}/names.json",
                check=False)
    assert twice.returncode == 2 and "table N has" in twice.stderr


def test_a_reference_table_beside_records_of_tail(sql, tmp_path):
    import base64
    (tmp_path / "tail.json").write_text(ndjson(
        {"SequenceNumber": str(n), "ApproximateArrivalTimestamp": r["at"], "PartitionKey": "k",
         "Data": base64.b64encode(json.dumps(r).encode()).decode()} for n, r in enumerate(RECORDS)))
    (tmp_path / "names.json").write_text(ndjson([{"ticker": "AMZN", "name": "Amazon"}]))
    (tmp_path / "join.sql").write_text("""
        CREATE STREAM d (ticker VARCHAR(4), name VARCHAR(16));
        CREATE PUMP p AS INSERT INTO d SELECT STREAM s."ticker", c."name"
        FROM source_sql_stream_001 s JOIN names c ON s."ticker" = c."ticker";""")
    done = sql("join.sql", "--schema", "schema.json", "--input", "tail.json", "--records", "--reference", f"NAMES={tmp_path}/names.json",
               "--bare")
    assert [json.loads(line)["NAME"] for line in done.stdout.splitlines()] == ["Amazon", "Amazon"]


def test_records_of_tail_keep_their_arrival(sql, tmp_path):
    import base64
    lines = [{"ShardId": "shardId-000000000000", "SequenceNumber": str(n), "ApproximateArrivalTimestamp": r["at"], "PartitionKey": f"k{n}",
              "Data": base64.b64encode(json.dumps(r).encode()).decode()} for n, r in enumerate(RECORDS)]
    (tmp_path / "tail.json").write_text(ndjson(lines))
    assert rows(sql("app.sql", "--schema", "schema.json", "--input", "tail.json", "--records").stdout) == RESULTS
    discovered = sql("app.sql", "--input", "tail.json", "--records")
    assert rows(discovered.stdout) == RESULTS and '"price" DOUBLE' in discovered.stderr
    (tmp_path / "facts.sql").write_text("""CREATE STREAM d (k VARCHAR(8), q VARCHAR(8), t TIMESTAMP);
        CREATE PUMP p AS INSERT INTO d SELECT STREAM partition_key, sequence_number, approximate_arrival_time FROM source_sql_stream_001;""")
    done = sql("facts.sql", "--schema", "schema.json", "--input", "tail.json", "--records", "--bare")
    assert json.loads(done.stdout.splitlines()[1]) == {"K": "k1", "Q": "1", "T": "2026-01-01 11:00:30.000"}


def test_rows_are_enough_at_some_point(sql):
    assert len(sql("app.sql", "--schema", "schema.json", "--input", "records.json", "--rowtime", "$.at", "-n", "1").stdout.splitlines()) == 1


def test_the_same_bytes_twice(sql, tmp_path):
    import random
    rng = random.Random(7)
    (tmp_path / "many.json").write_text(ndjson({"ticker": f"T{rng.randrange(50)}", "price": rng.random()} for _ in range(20_000)))
    (tmp_path / "app2.sql").write_text(APPLICATION + """
        CREATE STREAM scores (ticker VARCHAR(4), price DOUBLE, score DOUBLE, at_time TIMESTAMP);
        CREATE PUMP p2 AS INSERT INTO scores SELECT STREAM "ticker", "price", anomaly_score, CURRENT_TIMESTAMP
        FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM * FROM "SOURCE_SQL_STREAM_001"), 10, 64));""")
    common = ("app2.sql", "--schema", "schema.json", "--tick", "10ms")
    first = sql(*common, "--input", "many.json").stdout
    assert len(first) > 1_000_000
    assert sql(*common, "--input", "many.json").stdout == first
    # What a pipe has brought when it pauses is shown: how the streams alternate then depends on the pauses, the rows of each do not.
    piped = sql(*common, "--input", "-", input=(tmp_path / "many.json").read_text()).stdout
    for stream in ("DESTINATION_SQL_STREAM", "SCORES"):
        of_stream = [[line for line in out.splitlines() if f'"stream":"{stream}"' in line] for out in (first, piped)]
        assert of_stream[0] == of_stream[1] != []


# -- what an application looks like ----------------------------------------------------------------------

def application_forms():
    v1_input = {"NamePrefix": "SOURCE_SQL_STREAM", "InputSchema": SCHEMA}
    output = {"Name": "DESTINATION_SQL_STREAM", "DestinationSchema": {"RecordFormatType": "JSON"}}
    stream = {"ResourceARN": "arn:aws:kinesis:us-east-1:1:stream/s", "RoleARN": "arn:aws:iam::1:role/r"}
    create_v1 = {"ApplicationName": "calls", "ApplicationCode": APPLICATION, "Inputs": [{**v1_input, "KinesisStreamsInput": stream}],
                 "Outputs": [{**output, "KinesisStreamsOutput": stream}]}
    sql_part = {"Inputs": [{**v1_input, "KinesisStreamsInput": {"ResourceARN": stream["ResourceARN"]}}], "Outputs": [output]}
    create_v2 = {"ApplicationName": "calls", "RuntimeEnvironment": "SQL-1_0", "ServiceExecutionRole": "r", "ApplicationConfiguration": {
        "ApplicationCodeConfiguration": {"CodeContentType": "PLAINTEXT", "CodeContent": {"TextContent": APPLICATION}},
        "SqlApplicationConfiguration": sql_part}}
    describe_v1 = {"ApplicationDetail": {"ApplicationName": "calls", "ApplicationARN": "a", "ApplicationStatus": "READY", "ApplicationVersionId": 3,
                                         "ApplicationCode": APPLICATION,
                                         "InputDescriptions": [{**v1_input, "InputId": "1.1", "KinesisStreamsInputDescription": stream}],
                                         "OutputDescriptions": [{**output, "OutputId": "1.1", "KinesisStreamsOutputDescription": stream}]}}
    describe_v2 = {"ApplicationDetail": {"ApplicationName": "calls", "RuntimeEnvironment": "SQL-1_0", "ApplicationConfigurationDescription": {
        "ApplicationCodeConfigurationDescription": {"CodeContentType": "PLAINTEXT", "CodeContentDescription": {"TextContent": APPLICATION}},
        "SqlApplicationConfigurationDescription": {"InputDescriptions": [v1_input], "OutputDescriptions": [output]}}}}
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {
        "App": {"Type": "AWS::KinesisAnalytics::Application", "Properties": {"ApplicationCode": {"Fn::Sub": APPLICATION}, "Inputs": [v1_input]}},
        "Out": {"Type": "AWS::KinesisAnalytics::ApplicationOutput", "Properties": {"ApplicationName": {"Ref": "App"}, "Output": output}}}}
    template_v2 = {"Resources": {"App": {"Type": "AWS::KinesisAnalyticsV2::Application", "Properties": create_v2}}}
    terraform_schema = [{"record_columns": [{"name": c["Name"], "sql_type": c["SqlType"], "mapping": c["Mapping"]} for c in SCHEMA["RecordColumns"]],
                         "record_format": [{"record_format_type": "JSON", "mapping_parameters": [{"csv": [], "json": [{"record_row_path": "$"}]}]}]}]
    terraform = {"terraform_version": "1.9.0", "values": {"root_module": {"resources": [
        {"type": "aws_kinesis_analytics_application", "name": "calls", "values": {
            "name": "calls", "code": APPLICATION, "inputs": [{"name_prefix": "SOURCE_SQL_STREAM", "schema": terraform_schema}],
            "outputs": [{"name": "DESTINATION_SQL_STREAM", "schema": [{"record_format_type": "JSON"}]}]}}]}}}
    resource = terraform["values"]["root_module"]["resources"][0]
    # The file of a state, and configuration as programs write it.
    terraform_state = {"version": 4, "terraform_version": "1.9.0", "resources": [
        {"type": "aws_s3_bucket", "instances": [{"attributes": {"bucket": "b"}}]},
        {"type": resource["type"], "mode": "managed", "name": "calls", "instances": [{"schema_version": 0, "attributes": resource["values"]}]}]}
    terraform_configuration = {"terraform": {"backend": {}}, "provider": {"aws": [{}]}, "resource": {
        "aws_kinesis_stream": {"s": {"name": "s"}}, resource["type"]: {"calls": {**resource["values"], "inputs": {
            "name_prefix": "SOURCE_SQL_STREAM", "schema": {**terraform_schema[0], "record_format": {"mapping_parameters": {"json": {"record_row_path": "$"}}}}}}}}}
    return {name: form for name, form in locals().items() if name in (
        "create_v1", "create_v2", "describe_v1", "describe_v2", "template", "template_v2", "terraform", "terraform_state", "terraform_configuration")}


def test_a_template_in_yaml(sql, tmp_path):
    (tmp_path / "template.yaml").write_text(f"""\
AWSTemplateFormatVersion: 2010-09-09
Resources:
  Out:
    Type: AWS::KinesisAnalytics::ApplicationOutput
    Properties: {{ApplicationName: !Ref App, Output: {{Name: DESTINATION_SQL_STREAM, DestinationSchema: {{RecordFormatType: JSON}}}}}}
  App:
    Type: AWS::KinesisAnalytics::Application
    Properties:
      Inputs:
        - NamePrefix: SOURCE_SQL_STREAM
          InputSchema: {json.dumps(SCHEMA)}
      ApplicationCode: |{APPLICATION.replace(chr(10), chr(10) + " " * 8)}
""")
    done = sql("template.yaml", "--input", "records.json", "--rowtime", "$.at")
    assert rows(done.stdout) == RESULTS and done.stderr == ""


@pytest.mark.parametrize("form", sorted(application_forms()))
def test_every_form_of_an_application(sql, tmp_path, form):
    (tmp_path / "document.json").write_text(json.dumps(application_forms()[form], indent=2))
    done = sql("document.json", "--input", "records.json", "--rowtime", "$.at")
    assert rows(done.stdout) == RESULTS
    assert done.stderr == ""


def test_what_only_terraform_can_resolve_is_said(sql, tmp_path):
    (tmp_path / "main.tf").write_text('resource "aws_kinesis_analytics_application" "calls" {}\n')
    done = sql("main.tf", "--check", check=False)
    assert done.returncode == 3 and "`terraform show -json`" in done.stderr
    (tmp_path / "main.tf.json").write_text('{"resource": {"aws_kinesis_analytics_application": {"calls": {"code": "${file(\\"a.sql\\")}"}}}}')
    done = sql("main.tf.json", "--check", check=False)
    assert done.returncode == 3 and "application calls: the code has a ${...}" in done.stderr


def test_one_of_several_applications(sql, tmp_path):
    forms = application_forms()
    both = {"Resources": {"One": forms["template"]["Resources"]["App"], "Two": forms["template_v2"]["Resources"]["App"]}}
    (tmp_path / "both.json").write_text(json.dumps(both))
    refused = sql("both.json", "--input", "records.json", check=False)
    assert refused.returncode == 2 and "choose one of its applications with --name: One, calls" in refused.stderr
    assert rows(sql("both.json", "--name", "calls", "--input", "records.json", "--rowtime", "$.at").stdout) == RESULTS


def test_an_applications_outputs_are_what_is_printed(sql, tmp_path):
    document = application_forms()["create_v1"]
    document["ApplicationCode"] += 'CREATE STREAM other (a INTEGER); CREATE PUMP q AS INSERT INTO other SELECT STREAM 1 FROM source_sql_stream_001;'
    (tmp_path / "document.json").write_text(json.dumps(document))
    assert rows(sql("document.json", "--input", "records.json", "--rowtime", "$.at").stdout) == RESULTS
    everything = sql("document.json", "--input", "records.json", "-o", "other", "-o", "destination_sql_stream").stdout
    assert {json.loads(line)["stream"] for line in everything.splitlines()} == {"OTHER", "DESTINATION_SQL_STREAM"}


def test_parts_that_are_not_used_are_named(sql, tmp_path):
    (tmp_path / "document.json").write_text(json.dumps({**application_forms()["create_v1"], "Colour": "red"}))
    done = sql("document.json", "--input", "records.json")
    assert "document.json: Colour: not used" in done.stderr


def test_a_function_before_the_input_is_named(sql, tmp_path):
    document = application_forms()["create_v1"]
    document["Inputs"][0]["InputProcessingConfiguration"] = {"InputLambdaProcessor": {"ResourceARN": "arn:aws:lambda:us-east-1:1:function:clean", "RoleARN": "r"}}
    (tmp_path / "document.json").write_text(json.dumps(document))
    done = sql("document.json", "--check")
    assert "input SOURCE_SQL_STREAM: arn:aws:lambda:us-east-1:1:function:clean does not run here" in done.stderr


# -- judging without running ------------------------------------------------------------------------------

def test_check_of_a_valid_application(sql):
    done = sql("app.sql", "--schema", "schema.json", "--check")
    assert "valid" in done.stdout and "stream DESTINATION_SQL_STREAM (TICKER VARCHAR(4), N INTEGER, TOTAL DOUBLE)" in done.stdout


def test_check_points_at_the_mistake(sql, tmp_path):
    (tmp_path / "app.sql").write_text(APPLICATION.replace('SUM("price")', "SUM(price)"))
    done = sql("app.sql", "--schema", "schema.json", "--check", check=False)
    assert done.returncode == 3
    assert done.stderr.splitlines()[0].endswith('app.sql:4:39: column PRICE does not exist; unquoted names are read in upper case, write "price"')
    assert done.stderr.splitlines()[1:] == ['  4 | SELECT STREAM "ticker", COUNT(*), SUM(price)', '    |                                       ^']


def test_of_a_long_line_the_part_with_the_mistake_is_shown(sql, tmp_path):
    before, after = "CREATE STREAM d (" + ", ".join(f"ä{i} INTEGER" for i in range(200)), ", " + ", ".join(f"b{i} INTEGER" for i in range(200)) + ");"
    (tmp_path / "wrong.sql").write_text(before + ", c INTEGR" + after)
    lines = sql("wrong.sql", "--check", "--columns", "a INTEGER", check=False).stderr.splitlines()
    assert lines[0].endswith(f"wrong.sql:1:{len(before) + 5}: INTEGR is not a data type; did you mean INTEGER?")
    assert max(map(len, lines[1:])) < 200 and lines[1][lines[2].index("^"):].startswith("INTEGR") and "..." in lines[1]


def test_explain(sql):
    assert "aggregate by [ticker, STEP(ROWTIME" in sql("app.sql", "--schema", "schema.json", "--explain").stdout


def test_a_printed_schema_is_one_that_is_read(sql, tmp_path):
    printed = sql("app.sql", "--input", "records.json", "--print-schema").stdout
    assert json.loads(printed)["Inputs"][0]["InputSchema"]["RecordColumns"][1] == {"Name": "price", "SqlType": "DOUBLE", "Mapping": "$.price"}
    (tmp_path / "app.schema.json").write_text(printed)
    done = sql("app.sql", "--input", "records.json", "--rowtime", "$.at")
    assert rows(done.stdout) == RESULTS and done.stderr == ""


def test_expressions(sql):
    done = sql("--eval", "1 + 1", "-e", "'a' || 'b'", "-e", "CAST(NULL AS INTEGER)")
    assert done.stdout == "2\n'ab'\nNULL\n"


# -- wrong inputs ---------------------------------------------------------------------------------------

def test_bad_records_go_to_the_error_stream_and_stop_nothing(sql, tmp_path):
    (tmp_path / "bad.json").write_text(ndjson(RECORDS[:1]) + '{"ticker": "AMZN", "price": \n' + '{"ticker":"TBV","price":"high"}\n' + ndjson(RECORDS[1:]))
    common = ("app.sql", "--schema", "schema.json", "--input", "bad.json")
    done = sql(*common)
    assert rows(done.stdout) == [["2026-01-01 00:01:00.000", {"TICKER": "AMZN", "N": 2, "TOTAL": 20}],
                                 ["2026-01-01 00:01:00.000", {"TICKER": "TBV", "N": 1, "TOTAL": 1}]]
    assert "column price: 'high' is no DOUBLE" in done.stderr and "2 rows went to error_stream" in done.stderr
    assert sql(*common, "--strict", check=False).returncode == 4
    errors = sql(*common, "-o", "error_stream")
    assert errors.stderr == ""
    failed = [row for _, row in rows(errors.stdout)]
    assert [list(row) for row in failed] == [["ERROR_TIME", "ERROR_LEVEL", "ERROR_NAME", "MESSAGE", "DATA_ROWTIME", "DATA_ROW", "PUMP_NAME"]] * 2
    assert bytes.fromhex(failed[1]["DATA_ROW"]).decode() == '{"ticker":"TBV","price":"high"}'


def test_records_without_a_time_go_to_the_error_stream(sql, tmp_path):
    (tmp_path / "r.json").write_text(ndjson(RECORDS + [{"ticker": "X", "price": 1}, {"ticker": "X", "price": 1, "at": "soon"}]))
    done = sql("app.sql", "--schema", "schema.json", "--input", "r.json", "--rowtime", "$.at")
    assert rows(done.stdout) == RESULTS
    assert "ROWTIME from $.at: there is no time" in done.stderr and "ROWTIME from $.at: 'soon' is no time" in done.stderr


def test_division_by_zero_goes_to_the_error_stream(sql, tmp_path):
    (tmp_path / "app.sql").write_text('CREATE STREAM d (a DOUBLE); CREATE PUMP p AS INSERT INTO d SELECT STREAM 1 / ("price" - 1) FROM source_sql_stream_001;')
    done = sql("app.sql", "--schema", "schema.json", "--input", "records.json")
    assert len(done.stdout.splitlines()) == 2 and "in pump P" in done.stderr


@pytest.mark.parametrize("arguments, code, message", [
    (["app.sql", "--schema", "schema.json", "--input", "nowhere.json"], 1, "cannot read nowhere.json: No such file or directory"),
    (["nowhere.sql", "--input", "records.json"], 1, "cannot read nowhere.sql"),
    (["app.sql", "--schema", "nowhere.json", "--input", "records.json"], 1, "cannot read nowhere.json"),
    (["app.sql", "--schema", "records.json", "--input", "records.json"], 3, "not JSON"),
    (["app.sql", "--schema", "schema.json"], 2, "give the records with --input FILE"),
    (["app.sql", "--input", "app.sql"], 3, "no schema for SOURCE_SQL_STREAM_001 and none can be discovered"),
    (["app.sql", "--columns", "ticker", "--input", "records.json"], 2, "--columns 'ticker'"),
    (["app.sql", "--schema", "schema.json", "--input", "records.json", "--rowtime", "when"], 2, "--rowtime when: no such column; there are ticker, price"),
    (["app.sql", "--schema", "schema.json", "--input", "records.json", "--tick", "often"], 2, "--tick often: expected a duration"),
    (["app.sql", "--schema", "schema.json", "--input", "records.json", "--start", "now"], 2, "--start now: expected a time"),
    (["app.sql", "--schema", "schema.json", "--input", "records.json", "-o", "X"], 2, "no such stream; there are SOURCE_SQL_STREAM_001, DESTINATION_SQL_STREAM, error_stream"),
    (["app.sql", "--schema", "schema.json", "--input", "records.json", "--follow", "s"], 2, "give --input or --follow, not both"),
    (["app.sql", "--check"], 3, "there is no input stream"),
    (["app.sql", "--format", "xml", "--check"], 2, "--format: xml is none of csv, json, ndjson, table"),
    (["app.sql", "--columns", "ticker TEXT", "--input", "records.json"], 2, "--columns 'ticker TEXT': column 8: TEXT"),
    (["schema.json", "--input", "records.json"], 3, "not an application"),
    ([], 2, "name the application"),
    (["--eval", "1 +"], 3, "expression:1:4: "),
])
def test_what_is_wrong_is_said(sql, arguments, code, message):
    done = sql(*arguments, check=False)
    assert done.returncode == code and message in done.stderr and done.stdout == ""


def test_an_application_without_sql_is_wrong(sql, tmp_path):
    for name, text in [("none.sql", " \n"), ("none.json", '{"ApplicationDetail": {"ApplicationName": "x"}}')]:
        (tmp_path / name).write_text(text)
        for arguments in (["--check"], ["--schema", "schema.json", "--input", "records.json"]):
            done = sql(name, *arguments, check=False)
            assert done.returncode == 3 and "there is no SQL in it" in done.stderr and done.stdout == ""


@pytest.mark.parametrize("begins, what, remedy", [
    (gzip.compress(b"{}"), "compressed with gzip", "zcat"), (b"\x28\xb5\x2f\xfd\x00\x00", "compressed with zstd", "zstdcat"),
    ("{}".encode("utf-16"), "UTF-16", "iconv"), (b"PK\x03\x04\x14\x00", "a zip archive", "unzip -p"), (b"PAR1\x15\x04", "Parquet", "JSON lines")])
def test_files_that_are_not_text_are_named(sql, tmp_path, begins, what, remedy):
    (tmp_path / "packed").write_bytes(begins)
    for arguments in (["app.sql", "--schema", "schema.json", "--input", "packed"], ["app.sql", "--input", "packed"],
                      ["packed", "--check"], ["app.sql", "--schema", "packed", "--input", "records.json"]):
        done = sql(*arguments, check=False)
        assert done.returncode == 1 and f"packed is {what}: " in done.stderr and remedy in done.stderr and done.stdout == ""


def test_results_that_cannot_be_written_are_a_failure(binary, tmp_path, sql):
    for more in ([], ["--format", "table"], ["--format", "json"], ["--check"], ["--explain"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([binary, "sql", tmp_path / "app.sql", "--schema", tmp_path / "schema.json", "--input", tmp_path / "records.json",
                                   *more], stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1 and "No space left on device" in done.stderr, more


def test_a_reader_that_has_seen_enough_is_no_failure(binary, tmp_path, sql):
    (tmp_path / "pass.sql").write_text('CREATE STREAM d (t VARCHAR(4)); CREATE PUMP p AS INSERT INTO d SELECT STREAM "ticker" FROM source_sql_stream_001;')
    (tmp_path / "records.json").write_text(ndjson(RECORDS) * 50_000)
    run = subprocess.Popen([binary, "sql", tmp_path / "pass.sql", "--schema", tmp_path / "schema.json", "--input", tmp_path / "records.json"],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert run.stdout.readline()
    run.stdout.close()
    assert run.wait(20) in (0, -signal.SIGPIPE) and run.stderr.read() == b""
    run.stderr.close()


def test_an_empty_input_gives_nothing(sql, tmp_path):
    (tmp_path / "empty.json").write_text("")
    done = sql("app.sql", "--schema", "schema.json", "--input", "empty.json")
    assert done.stdout == "" and done.stderr == ""


# -- live -------------------------------------------------------------------------------------------------

def test_follow_runs_on_a_live_stream(millstream_factory, binary, tmp_path):
    server = millstream_factory(streams=[("orders", 2)])
    kinesis = server.client()
    eventually(lambda: kinesis.describe_stream_summary(StreamName="orders")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")
    (tmp_path / "app.sql").write_text(APPLICATION.replace("'60' SECOND", "'1' SECOND"))
    environment = {**os.environ, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}", "AWS_REGION": server.region}
    server.command("put", "orders", stdin=ndjson(RECORDS))
    process = subprocess.Popen([binary, "sql", tmp_path / "app.sql", "--follow", "orders", "--from", "oldest", "--bare"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        seen = {}
        while sum(seen.values()) < 3:  # a window of the wall clock may end between the records
            row = json.loads(process.stdout.readline())
            seen[row["TICKER"]] = seen.get(row["TICKER"], 0) + row["N"]
        server.command("put", "orders", json.dumps({"ticker": "LATE", "price": 1}))
        assert json.loads(process.stdout.readline()) == {"TICKER": "LATE", "N": 1, "TOTAL": 1}
        assert seen == {"AMZN": 2, "TBV": 1}
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert "assumed from the first 3 records" in process.stderr.read()
    finally:
        process.kill()
        process.wait()


def test_follow_says_what_is_missing(millstream_factory, tmp_path):
    server = millstream_factory()
    (tmp_path / "app.sql").write_text(APPLICATION)
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    with pytest.raises(AssertionError, match="ResourceNotFoundException"):
        server.command("sql", tmp_path / "app.sql", "--schema", tmp_path / "schema.json", "--follow", "missing")
