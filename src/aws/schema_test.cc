#include "aws/schema.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "aws/engine.h"
#include "aws/generated/kinesis.h"
#include "aws/generated/kinesisanalytics.h"
#include "aws/generated/kinesisanalyticsv2.h"
#include "aws/validation.h"

namespace millstream::aws {
namespace {

const ServiceSchema* const kServices[] = {&kinesis::Schema(), &kinesisanalytics::Schema(),
                                          &kinesisanalyticsv2::Schema()};

void CheckShape(const ShapeSchema& shape, std::set<const ShapeSchema*>& seen) {
  if (!seen.insert(&shape).second) return;
  EXPECT_FALSE(shape.name.empty());
  EXPECT_EQ(shape.members.size(), shape.by_name.size()) << shape.name;
  std::set<int> bits;
  for (const MemberSchema& member : shape.members) {
    EXPECT_EQ(shape.Find(member.name), &member) << shape.name << "." << member.name;
    EXPECT_EQ(member.required(), member.optional == nullptr) << shape.name << "." << member.name;
    if (member.required()) {
      EXPECT_TRUE(bits.insert(member.required_bit).second);
    }
    CheckShape(*member.shape, seen);
  }
  EXPECT_EQ(shape.has_required, !bits.empty()) << shape.name;
  EXPECT_EQ(shape.Find("NoSuchMember"), nullptr);
  if (shape.element != nullptr) CheckShape(*shape.element, seen);
  if (shape.key != nullptr) CheckShape(*shape.key, seen);
}

TEST(SchemaTest, TablesAreConsistent) {
  for (const ServiceSchema* service : kServices) {
    std::set<const ShapeSchema*> seen;
    uint16_t index = 0;
    for (const OperationSchema& operation : service->operations) {
      EXPECT_EQ(service->Find(operation.name), &operation);
      EXPECT_EQ(operation.index, index++);
      CheckShape(*operation.input, seen);
      CheckShape(*operation.output, seen);
      if (operation.event != nullptr) CheckShape(*operation.event, seen);
    }
    EXPECT_EQ(service->Find("NoSuchOperation"), nullptr);
    Validator compiles_all_patterns(*service);
  }
  EXPECT_EQ(kinesis::Schema().operations.size(), 39u);
  EXPECT_EQ(kinesis::Schema().target_prefix, "Kinesis_20131202");
  EXPECT_EQ(kinesisanalyticsv2::Schema().signing_name, "kinesisanalytics");
}

TEST(SchemaTest, EventStreamOutputs) {
  const OperationSchema* subscribe = kinesis::Schema().Find("SubscribeToShard");
  EXPECT_EQ(subscribe->event_name, "SubscribeToShardEvent");
  EXPECT_EQ(subscribe->event, &kinesis::shapes::kSubscribeToShardEvent);
  EXPECT_TRUE(subscribe->output->members.empty());
}

// Remembers what was called; answers where the test looks.
class RecordingApi : public kinesis::KinesisApi {
 public:
  std::string called;
  std::string stream_name;

#define RECORDS(Operation)                                                         \
  void Operation(const Call&, kinesis::Operation##Input,                           \
                 Reply<kinesis::Operation##Output> reply) override {               \
    called = #Operation;                                                           \
    std::move(reply).Send({});                                                     \
  }
  RECORDS(AddTagsToStream) RECORDS(CreateStream) RECORDS(DecreaseStreamRetentionPeriod)
  RECORDS(DeleteResourcePolicy) RECORDS(DeregisterStreamConsumer)
  RECORDS(DescribeAccountSettings) RECORDS(DescribeLimits) RECORDS(DescribeStream)
  RECORDS(DescribeStreamConsumer) RECORDS(DescribeStreamSummary)
  RECORDS(DisableEnhancedMonitoring) RECORDS(EnableEnhancedMonitoring) RECORDS(GetRecords)
  RECORDS(GetResourcePolicy) RECORDS(GetShardIterator) RECORDS(IncreaseStreamRetentionPeriod)
  RECORDS(ListShards) RECORDS(ListStreamConsumers) RECORDS(ListStreams)
  RECORDS(ListTagsForResource) RECORDS(ListTagsForStream) RECORDS(MergeShards) RECORDS(PutRecord)
  RECORDS(PutRecords) RECORDS(PutResourcePolicy) RECORDS(RegisterStreamConsumer)
  RECORDS(RemoveTagsFromStream) RECORDS(SplitShard) RECORDS(StartStreamEncryption)
  RECORDS(StopStreamEncryption) RECORDS(TagResource) RECORDS(UntagResource)
  RECORDS(UpdateAccountSettings) RECORDS(UpdateMaxRecordSize) RECORDS(UpdateShardCount)
  RECORDS(UpdateStreamMode) RECORDS(UpdateStreamWarmThroughput)
#undef RECORDS

  void DeleteStream(const Call&, kinesis::DeleteStreamInput input,
                    Reply<kinesis::DeleteStreamOutput> reply) override {
    called = "DeleteStream";
    stream_name = input.stream_name.value_or("");
    std::move(reply).Fail(kinesis::ResourceNotFoundException("gone"));
  }
  void SubscribeToShard(
      const Call&, kinesis::SubscribeToShardInput,
      StreamReply<kinesis::SubscribeToShardOutput, kinesis::SubscribeToShardEvent> reply) override {
    called = "SubscribeToShard";
    std::move(reply).Fail(kinesis::ResourceInUseException("busy"));
  }
};

class RecordingSink final : public ReplySink {
 public:
  explicit RecordingSink(std::string& answer) : answer_(answer) {}
  void Send(const ShapeSchema& shape, const void*) override { answer_ = shape.name; }
  void Fail(ServiceError error) override { answer_ = error.code; }
  void SendEncoded(base::Bytes) override { answer_ = "encoded"; }
  void SendEncoded(std::unique_ptr<http::BodySource>, std::optional<uint64_t>) override {}
  std::unique_ptr<EventSink> Open(const ShapeSchema&, const void*) override { return nullptr; }
  bool closed() const override { return false; }

 private:
  std::string& answer_;
};

TEST(SchemaTest, InvokeCallsTheMethodOfTheOperation) {
  RecordingApi api;
  for (const OperationSchema& operation : api.schema().operations) {
    std::string answer;
    api.Invoke(operation, Call(), Instance(*operation.input),
               std::make_unique<RecordingSink>(answer));
    EXPECT_EQ(api.called, operation.name);
    EXPECT_FALSE(answer.empty()) << operation.name;
  }
}

TEST(SchemaTest, InputAndErrorArriveTyped) {
  RecordingApi api;
  const OperationSchema* operation = api.schema().Find("DeleteStream");
  Instance input(*operation->input);
  input.As<kinesis::DeleteStreamInput>().stream_name = "orders";
  std::string answer;
  api.Invoke(*operation, Call(), std::move(input), std::make_unique<RecordingSink>(answer));
  EXPECT_EQ(api.stream_name, "orders");
  EXPECT_EQ(answer, "ResourceNotFoundException");
}

}  // namespace
}  // namespace millstream::aws
