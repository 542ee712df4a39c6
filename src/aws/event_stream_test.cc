#include "aws/event_stream.h"

#include <gtest/gtest.h>

#include <string>

#include "aws/engine.h"
#include "aws/generated/kinesis.h"
#include "codec/event_stream.h"

namespace millstream::aws {
namespace {

TEST(EventStreamTest, EventsCarryTypeAndPayloadOfTheCallsEncoding) {
  kinesis::SubscribeToShardEvent event;
  event.continuation_sequence_number = "7";
  event.millis_behind_latest = 5;
  for (Protocol protocol : {Protocol::kJson11, Protocol::kCborKinesis}) {
    base::Buffer frames;
    AppendEvent(protocol, "SubscribeToShardEvent", kinesis::shapes::kSubscribeToShardEvent, &event,
                frames);
    codec::EventStreamMessage message;
    auto size = codec::DecodeEventStreamMessage(frames.view(), message);
    ASSERT_TRUE(size.has_value());
    EXPECT_EQ(*size, frames.size());
    EXPECT_EQ(message.FindString(":message-type"), "event");
    EXPECT_EQ(message.FindString(":event-type"), "SubscribeToShardEvent");
    auto decoded = Engine::For(protocol)->DecodeShape(kinesis::shapes::kSubscribeToShardEvent,
                                                      base::Bytes::Copy(message.payload));
    ASSERT_TRUE(decoded.has_value());
    const auto& back = decoded->As<kinesis::SubscribeToShardEvent>();
    EXPECT_EQ(back.continuation_sequence_number, "7");
    EXPECT_EQ(back.millis_behind_latest, 5);
  }
}

TEST(EventStreamTest, TheInitialResponseIsAnEmptyObject) {
  const OperationSchema* operation = kinesis::Schema().Find("SubscribeToShard");
  kinesis::SubscribeToShardOutput output;
  base::Buffer frames;
  AppendEvent(Protocol::kJson11, "initial-response", *operation->output, &output, frames);
  codec::EventStreamMessage message;
  ASSERT_TRUE(codec::DecodeEventStreamMessage(frames.view(), message).has_value());
  EXPECT_EQ(message.FindString(":event-type"), "initial-response");
  EXPECT_EQ(message.FindString(":content-type"), "application/json");
  EXPECT_EQ(message.payload, "{}");
}

TEST(EventStreamTest, Exceptions) {
  base::Buffer frames;
  AppendException(Protocol::kJson11, kinesis::ResourceInUseException("taken over"), frames);
  codec::EventStreamMessage message;
  ASSERT_TRUE(codec::DecodeEventStreamMessage(frames.view(), message).has_value());
  EXPECT_EQ(message.FindString(":message-type"), "exception");
  EXPECT_EQ(message.FindString(":exception-type"), "ResourceInUseException");
  EXPECT_NE(message.payload.find("\"message\":\"taken over\""), std::string_view::npos);
}

}  // namespace
}  // namespace millstream::aws
