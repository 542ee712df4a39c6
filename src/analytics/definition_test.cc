#include "analytics/definition.h"

#include <gtest/gtest.h>

namespace millstream::analytics {
namespace {

Definition Counting() {
  Definition d;
  d.name = "counting";
  d.code =
      "CREATE STREAM \"OUT\" (k VARCHAR(8), n BIGINT);\n"
      "CREATE PUMP p AS INSERT INTO \"OUT\" SELECT STREAM k, COUNT(*) FROM source_001 AS s\n"
      "GROUP BY k, STEP(s.ROWTIME BY INTERVAL '1' SECOND);";
  Input input;
  input.name_prefix = "SOURCE";
  input.resource = "in";
  input.schema.columns = {{"K", "VARCHAR(8)", "$.k"}};
  d.inputs.push_back(input);
  Output output;
  output.name = "OUT";
  output.resource = "out";
  d.outputs.push_back(output);
  return d;
}

TEST(DefinitionTest, AcceptsAWholeApplication) {
  auto checked = Check(Counting());
  EXPECT_TRUE(checked) << checked.error().message();
}

TEST(DefinitionTest, SaysWhereTheCodeIsWrong) {
  Definition d = Counting();
  d.code.replace(d.code.find("COUNT(*)"), 8, "COUNTT(k)");
  auto checked = Check(d);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().message().substr(0, 7), "line 2,") << checked.error().message();
}

TEST(DefinitionTest, RefusesOutputsOfUnknownStreamsButTakesTheErrorStream) {
  Definition d = Counting();
  d.outputs[0].name = "out";
  EXPECT_FALSE(Check(d));
  d.outputs[0].name = "ERROR_STREAM";
  EXPECT_TRUE(Check(d));
}

TEST(DefinitionTest, NumbersInAppStreams) {
  Input input;
  input.name_prefix = "S";
  input.parallelism = 3;
  EXPECT_EQ(InAppStreamNames(input), (std::vector<std::string>{"S_001", "S_002", "S_003"}));
}

TEST(DefinitionTest, FindsTheNameOfAResource) {
  EXPECT_EQ(ResourceName("arn:aws:kinesis:us-east-1:000000000000:stream/orders"), "orders");
  EXPECT_EQ(ResourceName("orders"), "orders");
  EXPECT_EQ(ResourceName("arn:aws:lambda:us-east-1:000000000000:function:f"), "f");
}

}  // namespace
}  // namespace millstream::analytics
