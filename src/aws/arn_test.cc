#include "aws/arn.h"

#include <gtest/gtest.h>

namespace millstream::aws {
namespace {

TEST(ArnTest, StreamArnRoundTrips) {
  const std::string text = FormatStreamArn("eu-west-1", "123456789012", "orders");
  EXPECT_EQ(text, "arn:aws:kinesis:eu-west-1:123456789012:stream/orders");
  const auto arn = ParseStreamArn(text);
  ASSERT_TRUE(arn.has_value());
  EXPECT_EQ(*arn, (StreamArn{"eu-west-1", "123456789012", "orders"}));
}

TEST(ArnTest, PartitionFollowsTheRegion) {
  EXPECT_EQ(FormatStreamArn("cn-north-1", "123456789012", "s"),
            "arn:aws-cn:kinesis:cn-north-1:123456789012:stream/s");
  EXPECT_EQ(FormatStreamArn("us-gov-west-1", "123456789012", "s"),
            "arn:aws-us-gov:kinesis:us-gov-west-1:123456789012:stream/s");
}

TEST(ArnTest, ConsumerArnRoundTrips) {
  const std::string text =
      FormatConsumerArn("us-east-1", "000000000000", "orders", "billing", 1700000000);
  EXPECT_EQ(text,
            "arn:aws:kinesis:us-east-1:000000000000:stream/orders/consumer/billing:1700000000");
  EXPECT_TRUE(LooksLikeConsumerArn(text));
  const auto arn = ParseConsumerArn(text);
  ASSERT_TRUE(arn.has_value());
  EXPECT_EQ(arn->stream.stream_name, "orders");
  EXPECT_EQ(arn->consumer_name, "billing");
  EXPECT_EQ(arn->creation_seconds, 1700000000);
}

TEST(ArnTest, RejectsWhatIsNotAStream) {
  for (const char* text :
       {"", "orders", "arn:aws:kinesis", "arn:aws:s3:::bucket",
        "arn:aws:kinesis:us-east-1:12345:stream/s", "arn:aws:kinesis::123456789012:stream/s",
        "arn:aws:kinesis:us-east-1:123456789012:stream/",
        "arn:aws:kinesis:us-east-1:123456789012:stream/a b",
        "arn:aws:kinesis:us-east-1:123456789012:stream/s/consumer/c:1",
        "arn:aws:firehose:us-east-1:123456789012:stream/s"}) {
    EXPECT_FALSE(ParseStreamArn(text).has_value()) << text;
  }
}

TEST(ArnTest, RejectsWhatIsNotAConsumer) {
  for (const char* text : {"arn:aws:kinesis:us-east-1:123456789012:stream/s",
                           "arn:aws:kinesis:us-east-1:123456789012:stream/s/consumer/c",
                           "arn:aws:kinesis:us-east-1:123456789012:stream/s/consumer/c:",
                           "arn:aws:kinesis:us-east-1:123456789012:stream/s/consumer/c:-1",
                           "arn:aws:kinesis:us-east-1:123456789012:stream/s/consumer/c:1x",
                           "arn:aws:kinesis:us-east-1:123456789012:stream//consumer/c:1"}) {
    EXPECT_FALSE(ParseConsumerArn(text).has_value()) << text;
  }
}

TEST(ArnTest, AccountOfPrincipal) {
  EXPECT_EQ(AccountOfPrincipal("arn:aws:iam::123456789012:user/a"), "123456789012");
  EXPECT_EQ(AccountOfPrincipal("123456789012"), "123456789012");
  EXPECT_EQ(AccountOfPrincipal("firehose.amazonaws.com"), "");
}

}  // namespace
}  // namespace millstream::aws
