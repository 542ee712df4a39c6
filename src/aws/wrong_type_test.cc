#include "aws/wrong_type.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "aws/engine.h"
#include "aws/generated/kinesis.h"

// What AWS says to members of a wrong type; pairs recorded by kinesalite (test/helpers.js).
namespace millstream::aws {
namespace {

constexpr std::string_view kList = "Start of list found where not expected";
constexpr std::string_view kStructure = "Start of structure or map found where not expected.";

std::string MessageOf(std::string_view operation, const std::string& body) {
  const OperationSchema* schema = kinesis::Schema().Find(operation);
  auto decoded =
      Engine::For(Protocol::kJson11)->DecodeShape(*schema->input, base::Bytes::Copy(body));
  if (decoded) return "no error";
  EXPECT_EQ(decoded.error().code, "SerializationException");
  return decoded.error().message;
}

// `pattern` is a body with % where the value goes.
void Expect(std::string_view operation, std::string pattern,
            const std::vector<std::pair<std::string, std::string>>& cases) {
  for (const auto& [value, message] : cases) {
    std::string body = pattern;
    body.replace(body.find('%'), 1, value);
    EXPECT_EQ(MessageOf(operation, body), message) << body;
  }
}

std::string Class(std::string_view java_class, std::string_view to) {
  return "class " + std::string(java_class) + " can not be converted to " + std::string(to);
}
std::string Number(std::string_view to) {
  return Class("com.amazon.coral.value.json.numbers.TruncatingBigNumber", to);
}

TEST(WrongTypeTest, String) {
  for (std::string pattern : {R"({"StreamName":%})", R"({"Records":[{"PartitionKey":%}]})"}) {
    Expect("PutRecords", pattern,
           {{"true", Class("java.lang.Boolean", "an String")},
            {"23", Number("an String")},
            {"-2147483648", Number("an String")},
            {"34.56", Number("an String")},
            {"[]", std::string(kList)},
            {"{}", std::string(kStructure)}});
  }
  Expect("AddTagsToStream", R"({"Tags":{"a":%}})", {{"23", Number("an String")}});
  Expect("RemoveTagsFromStream", R"({"TagKeys":[%]})", {{"23", Number("an String")}});
}

TEST(WrongTypeTest, Integer) {
  Expect("ListStreams", R"({"Limit":%})",
         {{"\"23\"", Class("java.lang.String", "an Integer")},
          {"true", Class("java.lang.Boolean", "an Integer")},
          {"[]", std::string(kList)},
          {"{}", std::string(kStructure)},
          {"null", "no error"}});
}

TEST(WrongTypeTest, Boolean) {
  Expect("DeleteStream", R"({"EnforceConsumerDeletion":%})",
         {{"\"23\"", "'23' can not be converted to an Boolean"},
          {"\"hello\"", "'HELLO' can not be converted to an Boolean"},
          {"23", Number("an Boolean")},
          {"2147483648", Number("an Boolean")},
          {"[]", std::string(kList)},
          {"{}", std::string(kStructure)}});
}

TEST(WrongTypeTest, Blob) {
  Expect("PutRecord", R"({"Data":%})",
         {{"true", Class("java.lang.Boolean", "a Blob")},
          {"23", Number("a Blob")},
          {"[]", std::string(kList)},
          {"{}", std::string(kStructure)},
          {"\"23456\"",
           "'23456' can not be converted to a Blob: Base64 encoded length is expected a multiple of "
           "4 bytes but found: 5"},
          {"\"=+/=\"", "'=+/=' can not be converted to a Blob: Invalid Base64 character: '='"},
          {"\"a!bc\"", "'a!bc' can not be converted to a Blob: Invalid Base64 character: '!'"},
          {"\"+/+=\"",
           "'+/+=' can not be converted to a Blob: Invalid last non-pad Base64 character "
           "dectected"}});
}

TEST(WrongTypeTest, Timestamp) {
  Expect("GetShardIterator", R"({"Timestamp":%})",
         {{"\"23\"", Class("java.lang.String", "milliseconds since epoch")},
          {"true", Class("java.lang.Boolean", "milliseconds since epoch")},
          {"[]", std::string(kList)},
          {"{}", std::string(kStructure)}});
}

TEST(WrongTypeTest, ListMapAndStructure) {
  for (std::string scalar : {"\"23\"", "true", "23", "34.56"}) {
    Expect("PutRecords", R"({"Records":%})", {{scalar, "Expected list or null"}});
    Expect("AddTagsToStream", R"({"Tags":%})", {{scalar, "Expected map or null"}});
    Expect("PutRecords", R"({"Records":[%]})", {{scalar, "Expected null"}});
  }
  Expect("PutRecords", R"({"Records":%})", {{"{}", std::string(kStructure)}});
  Expect("AddTagsToStream", R"({"Tags":%})", {{"[]", std::string(kList)}});
  Expect("PutRecords", R"({"Records":[%]})", {{"[]", std::string(kList)}});
}

TEST(WrongTypeTest, CborSaysTheSame) {
  auto message = [](std::string_view operation, std::string_view body) {
    const OperationSchema* schema = kinesis::Schema().Find(operation);
    auto decoded = Engine::For(Protocol::kCborKinesis)
                       ->DecodeShape(*schema->input, base::Bytes::Copy(body));
    return decoded ? "no error" : decoded.error().message;
  };
  EXPECT_EQ(message("ListStreams", "\xa1\x65Limit\x61x"), Class("java.lang.String", "an Integer"));
  EXPECT_EQ(message("PutRecord", "\xa1\x64" "Data\x61x"), Class("java.lang.String", "a Blob"));
  EXPECT_EQ(message("PutRecord", "\xa1\x6aStreamName\x41x"),
            Class("java.nio.HeapByteBuffer", "an String"));
  EXPECT_EQ(message("PutRecords", "\xa1\x67Records\xa0"), kStructure);
  EXPECT_EQ(message("PutRecords", "\xa1\x67Records\x81\x05"), "Expected null");
}

}  // namespace
}  // namespace millstream::aws
