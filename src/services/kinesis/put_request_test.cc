#include "services/kinesis/put_request.h"

#include <gtest/gtest.h>

#include <string>

#include "codec/cbor.h"
#include "codec/md5.h"

namespace millstream::services::kinesis {
namespace {

bool TakesMany(std::string_view body, PutRequest& request) {
  return ParsePutRecords(body, false, request);
}
bool TakesOne(std::string_view body, PutRequest& request) {
  return ParsePutRecord(body, false, request);
}

TEST(PutRequestTest, ReadsPutRecordsInAnyOrderOfMembers) {
  PutRequest request;
  ASSERT_TRUE(TakesMany(R"( {"Records" : [ {"PartitionKey":"a","Data":"aGVsbG8="},
                            {"Data":"", "ExplicitHashKey":"17", "PartitionKey":"bé"} ],
                            "StreamName":"s" } )",
                        request));
  EXPECT_EQ(request.stream_name, "s");
  ASSERT_EQ(request.entries.size(), 2u);
  EXPECT_EQ(request.entries[0].partition_key, "a");
  EXPECT_EQ(request.entries[0].data, "aGVsbG8=");
  EXPECT_TRUE(request.entries[0].data_is_base64);
  EXPECT_EQ(request.entries[0].data_size, 5u);
  EXPECT_EQ(request.entries[0].hash, codec::Md5HashKey("a"));
  EXPECT_FALSE(request.entries[0].explicit_hash);
  EXPECT_EQ(request.entries[1].data_size, 0u);
  EXPECT_TRUE(request.entries[1].explicit_hash);
  EXPECT_EQ(request.entries[1].hash, streams::HashKey{17});
  EXPECT_EQ(request.payload_bytes, 5u + 1 + 3);
}

// Records are read by the shape of the one before; every other one must be noticed.
TEST(PutRequestTest, RecordsThatAreNotLikeTheOneBefore) {
  const std::string alike = R"({"Data":"AAAA","PartitionKey":"k"})";
  const struct {
    std::string record;
    bool taken;
  } cases[] = {
      {alike, true},
      {R"({"PartitionKey":"k2","Data":"AAA="})", true},
      {R"({"Data": "AAAA", "PartitionKey": "k"})", true},
      {R"({"Data":"","PartitionKey":"k"})", true},
      {R"({"Data":"AAAA","PartitionKey":"k","ExplicitHashKey":"5"})", true},
      {R"({"Data":"AAAA","PartitionKey":""})", false},
      {R"({"Data":"AAAA","PartitionKey":"k\"})", false},
      {R"({"Data":"AAAA","PartitionKey":"k\""})", false},
      {R"({"Data":"AAA","PartitionKey":"k"})", false},
      {R"({"Data":"AAAA","PartitionKez":"k"})", false},
      {R"({"Data":"AAAA","PartitionKey":"k")", false},
      {R"({"Data":"AAAA","PartitionKey":"k"}})", false},
      {R"({"Data":"AAAA"})", false},
  };
  PutRequest request;
  for (const auto& [record, taken] : cases) {
    const std::string body =
        R"({"StreamName":"s","Records":[)" + alike + "," + record + "," + alike + "]}";
    ASSERT_EQ(TakesMany(body, request), taken) << body;
    if (!taken) continue;
    ASSERT_EQ(request.entries.size(), 3u) << body;
    EXPECT_EQ(request.entries[2].partition_key, "k");
    EXPECT_EQ(request.entries[2].data, "AAAA");
    PutRequest alone;
    const std::string lone = R"({"StreamName":"s","Records":[)" + record + "]}";
    ASSERT_TRUE(TakesMany(lone, alone));
    EXPECT_EQ(request.entries[1].partition_key, alone.entries[0].partition_key);
    EXPECT_EQ(request.entries[1].data, alone.entries[0].data);
    EXPECT_EQ(request.entries[1].explicit_hash, alone.entries[0].explicit_hash);
  }
}

TEST(PutRequestTest, ReadsPutRecord) {
  PutRequest request;
  ASSERT_TRUE(TakesOne(
      R"({"StreamARN":"arn:aws:kinesis:r:a:stream/s","Data":"AA==","PartitionKey":"k","ExplicitHashKey":null})",
      request));
  EXPECT_EQ(request.stream_arn, "arn:aws:kinesis:r:a:stream/s");
  ASSERT_EQ(request.entries.size(), 1u);
  EXPECT_EQ(request.entries[0].data_size, 1u);
  EXPECT_EQ(request.entries[0].hash, codec::Md5HashKey("k"));
}

TEST(PutRequestTest, LeavesTheOddOnesToTheGenericPath) {
  PutRequest request;
  for (
      std::string_view body : {
          R"({})",
          R"({"StreamName":"s","Records":[]})",
          R"({"Records":[{"Data":"AA==","PartitionKey":"k"}]})",
          R"({"StreamName":"s","StreamARN":"a","Records":[{"Data":"AA==","PartitionKey":"k"}]})",
          R"({"StreamName":"s","Records":[{"Data":"AA=="}]})",
          R"({"StreamName":"s","Records":[{"PartitionKey":"k"}]})",
          R"({"StreamName":"s","Records":[{"Data":"AA==","PartitionKey":""}]})",
          R"({"StreamName":"s","Records":[{"Data":"AA=","PartitionKey":"k"}]})",
          R"({"StreamName":"s","Records":[{"Data":5,"PartitionKey":"k"}]})",
          R"({"StreamName":"s","Records":[{"Data":"AA==","PartitionKey":"k\u0041"}]})",
          R"({"StreamName":"s","Records":[{"Data":"A\/==","PartitionKey":"k"}]})",
          R"({"StreamName":"s","Records":[{"Data":"AA==","PartitionKey":"k","ExplicitHashKey":"-1"}]})",
          R"({"StreamName":"s","Records":[{"Data":"AA==","PartitionKey":"k","Other":1}]})",
          R"({"StreamName":"s","Records":[{"Data":"AA==","PartitionKey":"k"}],"Other":1})",
          R"({"StreamName":"s","Records":[{"Data":"AA==","PartitionKey":"k"}]} x)",
          R"({"StreamName":"s","Records":[{"Data":"AA==","PartitionKey":"k"}])",
          "{\"StreamName\":\"s\",\"Records\":[{\"Data\":\"AA==\",\"PartitionKey\":\"\xff\"}]}",
      }) {
    EXPECT_FALSE(TakesMany(body, request)) << body;
  }
  std::string long_key(257, 'k');
  EXPECT_FALSE(
      TakesOne(R"({"StreamName":"s","Data":"","PartitionKey":")" + long_key + "\"}", request));
}

TEST(PutRequestTest, LeavesMoreThan500RecordsToTheGenericPath) {
  std::string body = R"({"StreamName":"s","Records":[)";
  for (int i = 0; i < 501; ++i)
    body += std::string(i ? "," : "") + R"({"Data":"","PartitionKey":"k"})";
  PutRequest request;
  EXPECT_FALSE(TakesMany(body + "]}", request));
}

TEST(PutRequestTest, ReadsCborOfBothLengths) {
  for (bool indefinite : {false, true}) {
    std::string body;
    codec::CborWriter cbor(body);
    indefinite ? cbor.BeginMap() : cbor.BeginMap(2);
    cbor.Text("StreamName").Text("s").Text("Records");
    indefinite ? cbor.BeginArray() : cbor.BeginArray(1);
    indefinite ? cbor.BeginMap() : cbor.BeginMap(2);
    cbor.Text("Data").Bytes(std::string_view("\0\1\2", 3)).Text("PartitionKey").Text("k");
    if (indefinite) cbor.Break().Break().Break();
    PutRequest request;
    ASSERT_TRUE(ParsePutRecords(body, true, request));
    ASSERT_EQ(request.entries.size(), 1u);
    EXPECT_FALSE(request.entries[0].data_is_base64);
    EXPECT_EQ(request.entries[0].data, std::string_view("\0\1\2", 3));
    for (std::size_t cut = 0; cut < body.size(); ++cut) {
      EXPECT_FALSE(ParsePutRecords(std::string_view(body).substr(0, cut), true, request)) << cut;
    }
  }
}

}  // namespace
}  // namespace millstream::services::kinesis
