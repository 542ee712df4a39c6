#include "aws/engine.h"

#include <gtest/gtest.h>

#include <iostream>
#include <string>

#include "aws/generated/kinesis.h"
#include "aws/generated/kinesisanalytics.h"
#include "aws/generated/kinesisanalyticsv2.h"
#include "aws/random_shape_for_test.h"
#include "aws/wrong_type.h"

namespace millstream::aws {
namespace {

const ServiceSchema* const kServices[] = {&kinesis::Schema(), &kinesisanalytics::Schema(),
                                          &kinesisanalyticsv2::Schema()};
constexpr Protocol kProtocols[] = {Protocol::kJson10, Protocol::kJson11, Protocol::kCborKinesis,
                                   Protocol::kRpcV2Cbor};

std::string Encode(Protocol protocol, const ShapeSchema& shape, const void* value) {
  base::Buffer into;
  Engine::For(protocol)->EncodeShape(shape, value, into);
  return std::string(into.view());
}

Outcome<Instance> Decode(Protocol protocol, const ShapeSchema& shape, std::string_view body) {
  return Engine::For(protocol)->DecodeShape(shape, base::Bytes::Copy(body));
}

template <typename T>
T DecodeAs(Protocol protocol, const ShapeSchema& shape, std::string_view body) {
  auto decoded = Decode(protocol, shape, body);
  EXPECT_TRUE(decoded.has_value()) << body << ": " << decoded.error().message;
  return decoded ? std::move(decoded->As<T>()) : T();
}

std::string ErrorOf(Protocol protocol, const ShapeSchema& shape, std::string_view body) {
  auto decoded = Decode(protocol, shape, body);
  return decoded ? "no error" : decoded.error().code + ":" + decoded.error().message;
}

constexpr Protocol kJson = Protocol::kJson11;
constexpr Protocol kCbor = Protocol::kCborKinesis;

TEST(EngineTest, EveryShapeComesBackAsItWasInEveryEncoding) {
  const uint64_t seed = base::SystemRandom().Next64();
  std::cout << "seed " << seed << "\n";
  base::SeededRandom random(seed);
  RandomShape filler(random);
  for (const ServiceSchema* service : kServices) {
    for (const OperationSchema& operation : service->operations) {
      for (const ShapeSchema* shape : {operation.input, operation.output, operation.event}) {
        if (shape == nullptr) continue;
        for (int round = 0; round < 5; ++round) {
          Instance value(*shape);
          filler.Fill(*shape, value.get());
          const std::string expected = Encode(kJson, *shape, value.get());
          for (Protocol protocol : kProtocols) {
            auto decoded = Decode(protocol, *shape, Encode(protocol, *shape, value.get()));
            ASSERT_TRUE(decoded.has_value())
                << shape->name << " in " << static_cast<int>(protocol) << ": " << expected;
            EXPECT_EQ(Encode(kJson, *shape, decoded->get()), expected)
                << shape->name << " in " << static_cast<int>(protocol);
          }
        }
      }
    }
  }
}

TEST(EngineTest, DecodesAJsonInput) {
  const auto input = DecodeAs<kinesis::PutRecordsInput>(
      kJson, kinesis::shapes::kPutRecordsInput,
      R"({"StreamName":"s","Unknown":[{"a":1}],"StreamARN":null,
          "Records":[{"Data":"AQID","PartitionKey":"a"},null,{"PartitionKey":"\u00e9"}]})");
  EXPECT_EQ(input.stream_name, "s");
  EXPECT_FALSE(input.stream_arn.has_value());
  ASSERT_EQ(input.records.size(), 3u);
  EXPECT_EQ(input.records[0].data.view(), "\1\2\3");
  EXPECT_EQ(input.records[0].partition_key, "a");
  EXPECT_EQ(input.records[2].partition_key, "\xc3\xa9");
  EXPECT_EQ(input.present, 1u);
  EXPECT_EQ(input.records[1].present, 0u);
}

TEST(EngineTest, NumbersAreCutToTheirType) {
  const auto& shape = kinesis::shapes::kListStreamsInput;
  using Input = kinesis::ListStreamsInput;
  EXPECT_EQ(DecodeAs<Input>(kJson, shape, R"({"Limit":3.99})").limit, 3);
  EXPECT_EQ(DecodeAs<Input>(kJson, shape, R"({"Limit":-0.5})").limit, -1);
  EXPECT_EQ(DecodeAs<Input>(kJson, shape, R"({"Limit":1e300})").limit, INT32_MAX);
  EXPECT_EQ(DecodeAs<Input>(kJson, shape, R"({"Limit":-99999999999999999999})").limit, INT32_MIN);
  // {"Limit": 4294967296}
  EXPECT_EQ(DecodeAs<Input>(kCbor, shape, std::string_view("\xa1\x65Limit\x1b\0\0\0\1\0\0\0\0", 16))
                .limit,
            INT32_MAX);
}

TEST(EngineTest, BooleansPassAsWordsAndFractions) {
  const auto& shape = kinesis::shapes::kDeleteStreamInput;
  using Input = kinesis::DeleteStreamInput;
  for (const char* yes : {"true", "\"true\"", "\"YES\"", "\"1\"", "34.56"}) {
    const std::string body = std::string(R"({"EnforceConsumerDeletion":)") + yes + "}";
    EXPECT_EQ(DecodeAs<Input>(kJson, shape, body).enforce_consumer_deletion, true) << yes;
  }
  for (const char* no : {"false", "\"no\"", "\"False\"", "0.0"}) {
    const std::string body = std::string(R"({"EnforceConsumerDeletion":)") + no + "}";
    EXPECT_EQ(DecodeAs<Input>(kJson, shape, body).enforce_consumer_deletion, false) << no;
  }
}

TEST(EngineTest, JsonTimestampsAreSecondsWithAFraction) {
  const auto& shape = kinesis::shapes::kGetShardIteratorInput;
  using Input = kinesis::GetShardIteratorInput;
  EXPECT_EQ(DecodeAs<Input>(kJson, shape, R"({"Timestamp":1441215410.867})").timestamp,
            1441215410867);
  EXPECT_EQ(DecodeAs<Input>(kJson, shape, R"({"Timestamp":1.441215410867E9})").timestamp,
            1441215410867);
  EXPECT_EQ(DecodeAs<Input>(kJson, shape, R"({"Timestamp":1441215410})").timestamp, 1441215410000);
  kinesis::Record record;
  record.approximate_arrival_timestamp = 1441215410867;
  EXPECT_NE(Encode(kJson, kinesis::shapes::kRecord, &record).find(":1441215410.867"),
            std::string::npos);
}

TEST(EngineTest, KinesisCborTimestampsAreTaggedIntegerMilliseconds) {
  kinesis::Record record;
  record.approximate_arrival_timestamp = 1441215410867;
  const std::string body = Encode(kCbor, kinesis::shapes::kRecord, &record);
  EXPECT_NE(body.find(std::string_view("\xc1\x1b\x00\x00\x01\x4f\x8f\x21\xf2\xb3", 10)),
            std::string::npos);
  const auto& shape = kinesis::shapes::kGetShardIteratorInput;
  using Input = kinesis::GetShardIteratorInput;
  // {"Timestamp": 1(1000)}, without the tag, and as a float.
  for (std::string_view value : {std::string_view("\xc1\x19\x03\xe8"), std::string_view("\x19\x03\xe8"),
                                 std::string_view("\xc1\xfb\x40\x8f\x40\0\0\0\0\0", 10)}) {
    const std::string with = "\xa1\x69Timestamp" + std::string(value);
    EXPECT_EQ(DecodeAs<Input>(kCbor, shape, with).timestamp, 1000);
    EXPECT_EQ(DecodeAs<Input>(Protocol::kRpcV2Cbor, shape, with).timestamp, 1'000'000);
  }
}

TEST(EngineTest, TimestampsBeyondTheCalendarAreCut) {
  const auto& shape = kinesis::shapes::kGetShardIteratorInput;
  using Input = kinesis::GetShardIteratorInput;
  constexpr int64_t kLast = 253'402'300'799'999;
  EXPECT_EQ(DecodeAs<Input>(kJson, shape, R"({"Timestamp":1e400})").timestamp, kLast);
  EXPECT_EQ(DecodeAs<Input>(kJson, shape, R"({"Timestamp":-1e17})").timestamp, -62'135'596'800'000);
  for (Protocol protocol : {kCbor, Protocol::kRpcV2Cbor}) {
    const auto input = DecodeAs<Input>(protocol, shape, "\xa1\x69Timestamp\xc1\xfb\x5b[[[[[[[");
    EXPECT_EQ(input.timestamp, kLast);
  }
}

TEST(EngineTest, RpcV2TimestampsAreSeconds) {
  kinesis::Record record;
  record.approximate_arrival_timestamp = 1500;
  EXPECT_NE(Encode(Protocol::kRpcV2Cbor, kinesis::shapes::kRecord, &record)
                .find(std::string_view("\xc1\xfb\x3f\xf8\0\0\0\0\0\0", 10)),
            std::string::npos);
  record.approximate_arrival_timestamp = 2000;
  EXPECT_NE(Encode(Protocol::kRpcV2Cbor, kinesis::shapes::kRecord, &record).find("\xc1\x02"),
            std::string::npos);
}

TEST(EngineTest, CborOfIndefiniteLengthAndChunks) {
  // {_ "Records": [_ {_ "Data": (_ h'0102', h'03'), "PartitionKey": (_ "a", "b")}], "X": {_ }}
  const std::string body =
      "\xbf\x67Records\x9f\xbf\x64" "Data\x5f\x42\1\2\x41\3\xff\x6cPartitionKey\x7f\x61" "a\x61"
      "b\xff\xff\xff\x61X\xbf\xff\xff";
  const auto input =
      DecodeAs<kinesis::PutRecordsInput>(kCbor, kinesis::shapes::kPutRecordsInput, body);
  ASSERT_EQ(input.records.size(), 1u);
  EXPECT_EQ(input.records[0].data.view(), "\1\2\3");
  EXPECT_EQ(input.records[0].partition_key, "ab");
}

TEST(EngineTest, CborBlobsShareTheBody) {
  const auto body = base::Bytes::Copy(std::string("\xa1\x64" "Data\x43xyz"));
  auto decoded =
      Engine::For(kCbor)->DecodeShape(kinesis::shapes::kPutRecordsRequestEntry, body);
  ASSERT_TRUE(decoded.has_value());
  const auto& data = decoded->As<kinesis::PutRecordsRequestEntry>().data;
  EXPECT_EQ(data.view(), "xyz");
  EXPECT_EQ(data.data(), body.data() + 7);
}

TEST(EngineTest, BodiesThatDoNotParseGetNoText) {
  const auto& shape = kinesis::shapes::kListStreamsInput;
  for (std::string_view body : {"", "{", "nonsense", "\"text\"", "null", "12", "{}x", "\xff"}) {
    EXPECT_EQ(ErrorOf(kJson, shape, body), "SerializationException:") << body;
  }
  for (std::string_view body : {"", "\xbf", "\xf6", "\x01", "\x61x", "\xa1\x65Limit", "\xff"}) {
    EXPECT_EQ(ErrorOf(kCbor, shape, body), "SerializationException:") << body;
  }
  EXPECT_EQ(ErrorOf(kJson, shape, "[]"),
            "SerializationException:Start of list found where not expected");
}

TEST(EngineTest, CborStringsAreUtf8) {
  EXPECT_EQ(ErrorOf(kCbor, kinesis::shapes::kPutRecordInput, "\xa1\x6aStreamName\x62\xc3\x28"),
            "SerializationException:");
}

TEST(EngineTest, NestingOfUnknownMembersIsLimited) {
  const std::string deep = R"({"x":)" + std::string(100'000, '[');
  EXPECT_EQ(ErrorOf(kJson, kinesis::shapes::kListStreamsInput, deep), "SerializationException:");
  EXPECT_EQ(ErrorOf(kCbor, kinesis::shapes::kListStreamsInput,
                    "\xa1\x61x" + std::string(100'000, '\x81')),
            "SerializationException:");
}

TEST(EngineTest, ElementsAreLimitedBeforeTheyAreStored) {
  std::string json = R"({"Records":[{})";
  std::string cbor = "\xa1\x67Records\x9f";
  for (std::size_t i = 0; i < kElementsMax; ++i) {
    json += ",{}";
    cbor += '\xa0';
  }
  EXPECT_EQ(ErrorOf(kJson, kinesis::shapes::kPutRecordsInput, json + "]}"),
            "SerializationException:" + TooManyElements().message);
  cbor += "\xa0\xff";
  EXPECT_EQ(ErrorOf(kCbor, kinesis::shapes::kPutRecordsInput, cbor),
            "SerializationException:" + TooManyElements().message);
}

http::Response ErrorAnswer(Protocol protocol, const ServiceError& error) {
  http::Response response;
  Engine::For(protocol)->EncodeError(&kinesis::Schema(), error, response);
  return response;
}

TEST(EngineTest, ErrorsTravelInTheRequestsEncoding) {
  const ServiceError error = kinesis::ResourceNotFoundException("no \"s\"");
  auto json = ErrorAnswer(kJson, error);
  EXPECT_EQ(json.status, 400);
  EXPECT_EQ(json.body.view(),
            R"({"__type":"ResourceNotFoundException","message":"no \"s\""})");
  EXPECT_EQ(json.headers.lines(), "content-type: application/x-amz-json-1.1\r\n");
  auto cbor = ErrorAnswer(kCbor, error);
  EXPECT_EQ(cbor.body.view(),
            "\xa2\x66__type\x78\x19ResourceNotFoundException\x67message\x66no \"s\"");
  EXPECT_EQ(cbor.headers.lines(), "content-type: application/x-amz-cbor-1.1\r\n");
}

TEST(EngineTest, SpellingOfTheErrorsText) {
  EXPECT_EQ(ErrorAnswer(kJson, SerializationException("x")).body.view(),
            R"({"__type":"SerializationException","Message":"x"})");
  EXPECT_EQ(ErrorAnswer(kJson, InternalFailure()).body.view(), R"({"__type":"InternalFailure"})");
  EXPECT_EQ(ErrorAnswer(kJson, InternalFailure()).status, 500);
  EXPECT_EQ(ErrorAnswer(kJson, kinesisanalyticsv2::InvalidRequestException("x")).body.view(),
            R"({"__type":"InvalidRequestException","Message":"x"})");
}

TEST(EngineTest, ErrorsCarryTheirModelledMembers) {
  kinesisanalytics::UnableToDetectSchemaExceptionMembers members;
  members.raw_input_records = {"a", "b"};
  const auto error = kinesisanalytics::UnableToDetectSchemaException("m", members);
  EXPECT_EQ(ErrorAnswer(kJson, error).body.view(),
            R"({"__type":"UnableToDetectSchemaException","message":"m","RawInputRecords":["a","b"]})");
  EXPECT_EQ(ErrorAnswer(kCbor, error).body.view().substr(0, 1), "\xa3");
}

TEST(EngineTest, OperationsWithoutOutputAnswerAnEmptyBody) {
  const OperationSchema* create = kinesis::Schema().Find("CreateStream");
  const OperationSchema* limits = kinesis::Schema().Find("DescribeLimits");
  kinesis::CreateStreamOutput nothing;
  kinesis::DescribeLimitsOutput output;
  output.shard_limit = 5;
  for (Protocol protocol : kProtocols) {
    http::Response response;
    Engine::For(protocol)->EncodeOutput(*create, &nothing, response);
    EXPECT_TRUE(response.body.empty());
    http::Response other;
    Engine::For(protocol)->EncodeOutput(*limits, &output, other);
    EXPECT_FALSE(other.body.empty());
  }
}

}  // namespace
}  // namespace millstream::aws
