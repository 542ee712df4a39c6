#include "aws/validation.h"

#include <gtest/gtest.h>

#include <string>

#include "aws/engine.h"
#include "aws/generated/kinesis.h"
#include "aws/generated/kinesisanalyticsv2.h"

namespace millstream::aws {
namespace {

// The message AWS answers to a JSON body, or "" when all constraints hold.
std::string Message(const ServiceSchema& service, std::string_view operation,
                    std::string_view body) {
  const OperationSchema* schema = service.Find(operation);
  auto input = Engine::For(Protocol::kJson11)->DecodeShape(*schema->input, base::Bytes::Copy(body));
  if (!input) {
    ADD_FAILURE() << body << ": " << input.error().message;
    return "";
  }
  auto error = Validator(service).Check(*schema->input, input->get());
  if (!error) return "";
  EXPECT_EQ(error->code, "ValidationException");
  EXPECT_EQ(error->http_status, 400);
  return error->message;
}

std::string Message(std::string_view operation, std::string_view body) {
  return Message(kinesis::Schema(), operation, body);
}

TEST(ValidationTest, MissingMembers) {
  EXPECT_EQ(Message("GetRecords", "{}"),
            "1 validation error detected: Value null at 'shardIterator' failed to satisfy "
            "constraint: Member must not be null");
  EXPECT_EQ(Message("PutRecord", R"({"Data":null})"),
            "2 validation errors detected: Value null at 'data' failed to satisfy constraint: "
            "Member must not be null; Value null at 'partitionKey' failed to satisfy constraint: "
            "Member must not be null");
  EXPECT_EQ(Message("ListStreams", "{}"), "");
}

TEST(ValidationTest, EmptyStringsBreakPatternAndLength) {
  EXPECT_EQ(Message("CreateStream", R"({"StreamName":"","ShardCount":0})"),
            "3 validation errors detected: Value '' at 'streamName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; "
            "Value '' at 'streamName' failed to satisfy constraint: Member must have length greater "
            "than or equal to 1; Value '0' at 'shardCount' failed to satisfy constraint: Member "
            "must have value greater than or equal to 1");
}

TEST(ValidationTest, PatternsMatchTheWholeString) {
  EXPECT_NE(Message("CreateStream", R"({"StreamName":"a b"})"), "");
  EXPECT_NE(Message("CreateStream", R"({"StreamName":"ab\n"})"), "");
  EXPECT_EQ(Message("CreateStream", R"({"StreamName":"a_b.C-9"})"), "");
}

TEST(ValidationTest, LongStringsAreNamedWhole) {
  const std::string name(129, 'a');
  EXPECT_EQ(Message("DeleteStream", R"({"StreamName":")" + name + "\"}"),
            "1 validation error detected: Value '" + name +
                "' at 'streamName' failed to satisfy constraint: Member must have length less than "
                "or equal to 128");
}

TEST(ValidationTest, LengthsCountCharactersNotBytes) {
  std::string key;
  for (int i = 0; i < 256; ++i) key += "\xe2\x82\xac";
  const std::string body = R"({"Data":"","PartitionKey":")";
  EXPECT_EQ(Message("PutRecord", body + key + "\"}"), "");
  EXPECT_NE(Message("PutRecord", body + key + "x\"}"), "");
}

TEST(ValidationTest, PathsOfRecordsAndBlobs) {
  const std::string data = std::string(10'485'761 / 3 * 4 + 3, 'A') + "=";  // 10,485,761 bytes
  EXPECT_EQ(Message("PutRecords", R"({"StreamName":"s","Records":[{"PartitionKey":"a","Data":""},
                    {"PartitionKey":"","Data":")" + data + R"(","ExplicitHashKey":""}]})"),
            "3 validation errors detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=10485761 "
            "cap=10485761]' at 'records.2.member.data' failed to satisfy constraint: Member must "
            "have length less than or equal to 10485760; Value '' at "
            "'records.2.member.explicitHashKey' failed to satisfy constraint: Member must satisfy "
            "regular expression pattern: 0|([1-9]\\d{0,38}); Value '' at "
            "'records.2.member.partitionKey' failed to satisfy constraint: Member must have length "
            "greater than or equal to 1");
}

TEST(ValidationTest, AtMostTenErrors) {
  std::string body = R"({"StreamName":"","Records":[)";
  for (int i = 0; i < 501; ++i) {
    body += i == 0 ? "" : ",";
    body += R"({"PartitionKey":"","Data":""})";
  }
  const std::string message = Message("PutRecords", body + "]}");
  EXPECT_TRUE(message.starts_with(
      "10 validation errors detected: Value '[com.amazonaws.kinesis.v20131202."
      "PutRecordsRequestEntry@"))
      << message.substr(0, 200);
  EXPECT_NE(message.find("]' at 'records' failed to satisfy constraint: Member must have length "
                         "less than or equal to 500; Value '' at 'records.1.member.partitionKey'"),
            std::string::npos);
  EXPECT_NE(message.find("records.9.member"), std::string::npos);
  EXPECT_EQ(message.find("records.10.member"), std::string::npos);
}

TEST(ValidationTest, ListsOfScalarsReportOnce) {
  const std::string name(129, 'a');
  EXPECT_EQ(Message("RemoveTagsFromStream", R"({"StreamName":"s","TagKeys":["a",")" + name +
                                                R"(",""]})"),
            "1 validation error detected: Value '[a, " + name +
                ", ]' at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: "
                "[Member must have length less than or equal to 128, Member must have length "
                "greater than or equal to 1]");
  EXPECT_EQ(Message("RemoveTagsFromStream", R"({"StreamName":"s","TagKeys":[]})"),
            "1 validation error detected: Value '[]' at 'tagKeys' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1");
  EXPECT_TRUE(Message("EnableEnhancedMonitoring", R"({"ShardLevelMetrics":["foo"]})")
                  .starts_with("1 validation error detected: Value '[foo]' at 'shardLevelMetrics' "
                               "failed to satisfy constraint: Member must satisfy constraint: "
                               "[Member must satisfy enum value set: [IncomingBytes, "));
}

TEST(ValidationTest, KeysAndValuesOfMaps) {
  const std::string key(129, 'k');
  const std::string value(257, 'v');
  EXPECT_EQ(Message("AddTagsToStream", R"({"StreamName":"s","Tags":{"a":"1",")" + key + R"(":"3"}})"),
            "1 validation error detected: Value '{a=1, " + key +
                "=3}' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: "
                "[Member must have length less than or equal to 128, Member must have length "
                "greater than or equal to 1]");
  EXPECT_EQ(Message("AddTagsToStream", R"({"StreamName":"s","Tags":{"a":")" + value + R"("}})"),
            "1 validation error detected: Value '{a=" + value +
                "}' at 'tags' failed to satisfy constraint: Map value must satisfy constraint: "
                "[Member must have length less than or equal to 256, Member must have length "
                "greater than or equal to 0]");
  EXPECT_EQ(Message("AddTagsToStream", R"({"StreamName":"s","Tags":{}})"),
            "1 validation error detected: Value '{}' at 'tags' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1");
}

TEST(ValidationTest, Enumerations) {
  EXPECT_EQ(Message("GetShardIterator",
                    R"({"StreamName":"s","ShardId":"shardId-0","ShardIteratorType":"FOO"})"),
            "1 validation error detected: Value 'FOO' at 'shardIteratorType' failed to satisfy "
            "constraint: Member must satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, "
            "AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]");
}

TEST(ValidationTest, NestedStructures) {
  EXPECT_EQ(Message("CreateStream", R"({"StreamName":"s","StreamModeDetails":{}})"),
            "1 validation error detected: Value null at 'streamModeDetails.streamMode' failed to "
            "satisfy constraint: Member must not be null");
}

TEST(ValidationTest, PrintedValuesAreCutAt64KiB) {
  const std::string message =
      Message("CreateStream", R"({"StreamName":")" + std::string(1'000'000, 'a') + "\"}");
  EXPECT_LT(message.size(), 66'000u);
  EXPECT_NE(message.find("aaa...' at 'streamName'"), std::string::npos);
}

TEST(ValidationTest, OverlaidPatternsMeanWhatTheModelSays) {
  const auto& service = kinesisanalyticsv2::Schema();
  const std::string head =
      R"({"ResourceARN":"arn:x","ServiceExecutionRole":"arn:aws:iam::1:role/x","ApplicationName":"a",
          "RuntimeEnvironment":"SQL-1_0","ApplicationConfiguration":{"SqlApplicationConfiguration":
          {"Inputs":[{"NamePrefix":"p","InputSchema":{"RecordFormat":{"RecordFormatType":"JSON",
          "MappingParameters":{"JSONMappingParameters":{"RecordRowPath":")";
  const std::string tail =
      R"("}}},"RecordColumns":[{"Name":"a","SqlType":"INTEGER"}]}}]}}})";
  EXPECT_EQ(Message(service, "CreateApplication", head + "$.a[0]" + tail), "");
  const std::string wrong = Message(service, "CreateApplication", head + "a b" + tail);
  EXPECT_NE(wrong.find("inputs.1.member.inputSchema.recordFormat.mappingParameters."
                       "jSONMappingParameters.recordRowPath' failed to satisfy constraint: Member "
                       "must satisfy regular expression pattern: ^(?=^\\$)(?=^\\S+$).*$"),
            std::string::npos)
      << wrong;
}

}  // namespace
}  // namespace millstream::aws
