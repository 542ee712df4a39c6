"""Create, delete, describe (three ways), list, modes, retention, record size."""
import re

import pytest

from .conftest import error_of, shards_of, wait_active

ACCOUNT = r"\d{12}"


def test_create_describe_delete(kinesis, name):
    kinesis.create_stream(StreamName=name, ShardCount=3)
    wait_active(kinesis, name)
    stream = kinesis.describe_stream(StreamName=name)["StreamDescription"]
    assert stream["StreamName"] == name
    assert re.fullmatch(rf"arn:aws:kinesis:[a-z0-9-]+:{ACCOUNT}:stream/{name}", stream["StreamARN"])
    assert stream["StreamStatus"] == "ACTIVE"
    assert stream["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}
    assert stream["RetentionPeriodHours"] == 24
    assert stream["EncryptionType"] == "NONE"
    assert stream["EnhancedMonitoring"] == [{"ShardLevelMetrics": []}]
    assert stream["HasMoreShards"] is False
    assert [s["ShardId"] for s in stream["Shards"]] == [f"shardId-{i:012}" for i in range(3)]
    size = 2**128 // 3
    for i, shard in enumerate(stream["Shards"]):
        assert int(shard["HashKeyRange"]["StartingHashKey"]) == i * size
        assert int(shard["HashKeyRange"]["EndingHashKey"]) == ((i + 1) * size - 1 if i < 2 else 2**128 - 1)
        start = shard["SequenceNumberRange"]["StartingSequenceNumber"]
        assert re.fullmatch(r"49\d{54}", start)
        assert "EndingSequenceNumber" not in shard["SequenceNumberRange"]
        assert "ParentShardId" not in shard

    summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    assert summary["OpenShardCount"] == 3
    assert summary["ConsumerCount"] == 0
    assert summary["StreamARN"] == stream["StreamARN"]
    assert abs(summary["StreamCreationTimestamp"].timestamp() - stream["StreamCreationTimestamp"].timestamp()) < 1

    kinesis.delete_stream(StreamName=name)
    waiter = kinesis.get_waiter("stream_not_exists")
    waiter.wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    code, message, status = error_of(kinesis.describe_stream, StreamName=name)
    assert (code, status) == ("ResourceNotFoundException", 400)
    assert re.fullmatch(rf"Stream {name} under account {ACCOUNT} not found\.", message)


def test_describe_pages(kinesis, make_stream):
    stream = make_stream(shards=7)
    first = kinesis.describe_stream(StreamName=stream, Limit=3)["StreamDescription"]
    assert first["HasMoreShards"] is True
    second = kinesis.describe_stream(StreamName=stream, Limit=100, ExclusiveStartShardId=first["Shards"][-1]["ShardId"])["StreamDescription"]
    assert second["HasMoreShards"] is False
    assert [s["ShardId"] for s in first["Shards"] + second["Shards"]] == [f"shardId-{i:012}" for i in range(7)]


def test_arn_and_name_are_the_same(kinesis, stream):
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    by_arn = kinesis.describe_stream(StreamARN=arn)["StreamDescription"]
    assert by_arn["StreamName"] == stream
    assert kinesis.list_shards(StreamARN=arn)["Shards"]
    kinesis.put_record(StreamARN=arn, Data=b"x", PartitionKey="k")


def test_create_twice(kinesis, stream):
    code, message, _ = error_of(kinesis.create_stream, StreamName=stream, ShardCount=1)
    assert code == "ResourceInUseException"
    assert re.fullmatch(rf"Stream {stream} under account {ACCOUNT} already exists\.", message)


def test_create_with_tags(kinesis, make_stream):
    stream = make_stream(Tags={"team": "a", "stage": "test"})
    tags = kinesis.list_tags_for_stream(StreamName=stream)
    assert tags["Tags"] == [{"Key": "stage", "Value": "test"}, {"Key": "team", "Value": "a"}]
    assert tags["HasMoreTags"] is False


@pytest.mark.parametrize("bad, constraint", [
    ("", "Member must have length greater than or equal to 1"),
    ("a b", r"Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"),
    ("x" * 129, "Member must have length less than or equal to 128"),
])
def test_stream_name_constraints(server, bad, constraint):
    kinesis = server.client("kinesis", parameter_validation=False)
    code, message, _ = error_of(kinesis.create_stream, StreamName=bad, ShardCount=1)
    assert code == "ValidationException"
    assert message == f"1 validation error detected: Value '{bad}' at 'streamName' failed to satisfy constraint: {constraint}" or (
        bad == "" and message.startswith("2 validation errors detected: ") and constraint in message)


def test_missing_stream_names_are_told(server):
    kinesis = server.client("kinesis", parameter_validation=False)
    code, message, _ = error_of(kinesis.create_stream, ShardCount=1)
    assert code == "ValidationException"
    assert message == "1 validation error detected: Value null at 'streamName' failed to satisfy constraint: Member must not be null"


def test_list_streams_pages(kinesis, make_stream):
    made = sorted(make_stream() for _ in range(5))
    seen, token = [], {}
    while True:
        page = kinesis.list_streams(Limit=2, **token)
        assert len(page["StreamNames"]) <= 2
        seen += page["StreamNames"]
        assert [s["StreamName"] for s in page["StreamSummaries"]] == page["StreamNames"]
        if not page["HasMoreStreams"]:
            break
        token = {"NextToken": page["NextToken"]}
    assert seen == sorted(seen)
    assert set(made) <= set(seen)
    after = kinesis.list_streams(ExclusiveStartStreamName=made[0])["StreamNames"]
    assert made[0] not in after and made[1] in after


def test_on_demand(kinesis, make_stream):
    stream = make_stream(StreamModeDetails={"StreamMode": "ON_DEMAND"})
    summary = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    assert summary["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    assert summary["OpenShardCount"] == 4
    code, message, _ = error_of(kinesis.update_shard_count, StreamName=stream, TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    assert code == "ValidationException"
    assert re.fullmatch(rf"Request is invalid\. Stream {stream} under account {ACCOUNT} is in On-Demand mode\.", message)


def test_switch_mode(kinesis, make_stream):
    stream = make_stream(shards=2)
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    summary = wait_active(kinesis, stream)
    assert summary["StreamModeDetails"]["StreamMode"] == "ON_DEMAND"
    kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": "PROVISIONED"})
    assert wait_active(kinesis, stream)["StreamModeDetails"]["StreamMode"] == "PROVISIONED"


def test_retention(kinesis, stream):
    kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=48)
    assert wait_active(kinesis, stream)["RetentionPeriodHours"] == 48
    kinesis.decrease_stream_retention_period(StreamName=stream, RetentionPeriodHours=25)
    assert wait_active(kinesis, stream)["RetentionPeriodHours"] == 25


def test_retention_rules(kinesis, stream):
    code, message, _ = error_of(kinesis.decrease_stream_retention_period, StreamName=stream, RetentionPeriodHours=23)
    assert (code, message) == ("InvalidArgumentException",
                               "Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is too short.")
    code, message, _ = error_of(kinesis.decrease_stream_retention_period, StreamName="no-such-stream", RetentionPeriodHours=-1)
    assert (code, message) == ("ValidationException",
                               "1 validation error detected: Value '-1' at 'retentionPeriodHours' failed to satisfy constraint: "
                               "Member must have value greater than or equal to 1")
    code, message, _ = error_of(kinesis.decrease_stream_retention_period, StreamName=stream, RetentionPeriodHours=25)
    assert (code, message) == ("InvalidArgumentException",
                               f"Requested retention period (25 hours) for stream {stream} can not be longer than existing "
                               "retention period (24 hours). Use IncreaseRetentionPeriod API.")
    code, _, _ = error_of(kinesis.increase_stream_retention_period, StreamName=stream, RetentionPeriodHours=8761)
    assert code == "InvalidArgumentException"


def test_max_record_size(kinesis, make_stream):
    stream = make_stream()
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    code, _, _ = error_of(kinesis.put_record, StreamName=stream, PartitionKey="k", Data=b"x" * (3 << 20))
    assert code in ("ValidationException", "InvalidArgumentException")
    kinesis.update_max_record_size(StreamARN=arn, MaxRecordSizeInKiB=4096)
    assert wait_active(kinesis, stream)["MaxRecordSizeInKiB"] == 4096
    kinesis.put_record(StreamName=stream, PartitionKey="k", Data=b"x" * (3 << 20))


def test_warm_throughput(kinesis, make_stream):
    stream = make_stream(StreamModeDetails={"StreamMode": "ON_DEMAND"})
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    code, _, _ = error_of(kinesis.update_stream_warm_throughput, StreamARN=arn, WarmThroughputMiBps=20)
    assert code == "ValidationException"  # needs the account's throughput commitment


def test_account_settings_and_limits(server):
    kinesis = server.client("kinesis", region_name="eu-north-1")
    settings = kinesis.describe_account_settings()
    assert settings["MinimumThroughputBillingCommitment"]["Status"] == "DISABLED"
    limits = kinesis.describe_limits()
    assert limits["ShardLimit"] > 0 and limits["OpenShardCount"] == 0
    assert limits["OnDemandStreamCount"] == 0 and limits["OnDemandStreamCountLimit"] > 0


def test_regions_and_accounts_are_apart(server, kinesis, stream):
    other_region = server.client("kinesis", region_name="ap-southeast-2")
    assert stream not in other_region.list_streams()["StreamNames"]
    other_account = server.client("kinesis", aws_access_key_id="111122223333")
    assert stream not in other_account.list_streams()["StreamNames"]


def test_enhanced_monitoring(kinesis, stream):
    answer = kinesis.enable_enhanced_monitoring(StreamName=stream, ShardLevelMetrics=["IncomingBytes", "OutgoingBytes"])
    assert answer["StreamName"] == stream
    assert answer["CurrentShardLevelMetrics"] == []
    assert sorted(answer["DesiredShardLevelMetrics"]) == ["IncomingBytes", "OutgoingBytes"]
    wait_active(kinesis, stream)
    answer = kinesis.disable_enhanced_monitoring(StreamName=stream, ShardLevelMetrics=["IncomingBytes"])
    assert sorted(answer["CurrentShardLevelMetrics"]) == ["IncomingBytes", "OutgoingBytes"]
    assert answer["DesiredShardLevelMetrics"] == ["OutgoingBytes"]


def test_encryption(kinesis, stream):
    key = "alias/aws/kinesis"
    kinesis.put_record(StreamName=stream, PartitionKey="k", Data=b"before")
    kinesis.start_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId=key)
    summary = wait_active(kinesis, stream)
    assert (summary["EncryptionType"], summary["KeyId"]) == ("KMS", key)
    assert kinesis.put_record(StreamName=stream, PartitionKey="k", Data=b"secret")["EncryptionType"] == "KMS"
    shard = shards_of(kinesis, stream)[0]["ShardId"]
    from .conftest import read_all
    records = read_all(kinesis, stream, shard)
    assert [r["Data"] for r in records] == [b"before", b"secret"]
    assert "EncryptionType" not in records[0] and records[1]["EncryptionType"] == "KMS"
    kinesis.stop_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId=key)
    assert wait_active(kinesis, stream)["EncryptionType"] == "NONE"


def test_resource_policy(kinesis, stream):
    import json
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{
        "Sid": "read", "Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": ["kinesis:GetRecords"], "Resource": arn}]})
    kinesis.put_resource_policy(ResourceARN=arn, Policy=policy)
    assert json.loads(kinesis.get_resource_policy(ResourceARN=arn)["Policy"]) == json.loads(policy)
    kinesis.delete_resource_policy(ResourceARN=arn)
    code, _, _ = error_of(kinesis.get_resource_policy, ResourceARN=arn)
    assert code == "ResourceNotFoundException"


def test_tags(kinesis, stream):
    kinesis.add_tags_to_stream(StreamName=stream, Tags={"a": "1", "b": "2", "c": "3"})
    page = kinesis.list_tags_for_stream(StreamName=stream, Limit=2)
    assert page["Tags"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}] and page["HasMoreTags"]
    page = kinesis.list_tags_for_stream(StreamName=stream, ExclusiveStartTagKey="b")
    assert page["Tags"] == [{"Key": "c", "Value": "3"}] and not page["HasMoreTags"]
    kinesis.remove_tags_from_stream(StreamName=stream, TagKeys=["a", "b"])
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    kinesis.tag_resource(ResourceARN=arn, Tags={"d": "4"})
    assert kinesis.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "c", "Value": "3"}, {"Key": "d", "Value": "4"}]
    kinesis.untag_resource(ResourceARN=arn, TagKeys=["c", "d"])
    assert kinesis.list_tags_for_resource(ResourceARN=arn)["Tags"] == []
