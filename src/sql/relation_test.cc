#include "sql/relation.h"

#include <gtest/gtest.h>

#include "sql/application.h"

namespace millstream::sql {
namespace {

std::vector<std::vector<Value>> Numbers(int count) {
  std::vector<std::vector<Value>> rows;
  for (int i = 0; i < count; ++i) rows.push_back({Value::Int(MakeType(Kind::kInteger), i)});
  return rows;
}

class RelationTest : public testing::Test {
 protected:
  void Create(std::string_view code) {
    auto created = Application::Create(code, config_, clock_);
    ASSERT_TRUE(created) << created.error().message();
    application_ = std::move(*created);
    ASSERT_TRUE(application_->SetSink("D", [this](const Batch& rows) {
      for (int i = 0; i < rows.rows; ++i) got_.push_back(rows.columns[0]->ints()[i]);
    }));
    application_->SetErrorSink([this](const ErrorRow& row) { errors_.push_back(row); });
  }
  // A row of the only column v.
  base::Status Push(int64_t v) {
    auto columns = application_->InputColumns("S");
    RowBuffer row(PhysicalColumns(*columns));
    for (std::size_t c = 1; c < columns->size(); ++c) row.column(static_cast<int>(c)).SetNull(0);
    row.column(0).SetValue(0, Value::Int(MakeType(Kind::kInteger), v), row.arena());
    row.Commit(++time_);
    return application_->Push("S", row.view());
  }

  base::ManualClock clock_;
  ApplicationConfig config_ = {.inputs = {{.name = "S", .columns = {{"V", "INTEGER"}}}},
                               .tables = {{"T", {{"N", "INTEGER"}}, Numbers(3)}}};
  std::unique_ptr<Application> application_;
  int64_t time_ = 0;
  std::vector<int64_t> got_;
  std::vector<ErrorRow> errors_;
};

TEST_F(RelationTest, ATableThatDoesNotFitLeavesTheOldRows) {
  config_.state_bytes_max = 64 * 1024;
  Create("CREATE STREAM d (n BIGINT); CREATE PUMP p AS INSERT INTO d SELECT STREAM x.c FROM s JOIN "
         "(SELECT COUNT(*) AS c FROM t a, t b WHERE a.n <= b.n) AS x ON s.v <= x.c;");
  ASSERT_TRUE(Push(1));
  EXPECT_EQ(got_, (std::vector<int64_t>{6}));
  auto replaced = application_->ReplaceTable("T", Numbers(1000));
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().code(), base::Code::kResourceExhausted);
  EXPECT_NE(replaced.error().message().find("join over reference tables takes"), std::string::npos)
      << replaced.error().message();
  ASSERT_TRUE(Push(1));
  EXPECT_EQ(got_, (std::vector<int64_t>{6, 6}));
  ASSERT_TRUE(application_->ReplaceTable("T", Numbers(4)));
  ASSERT_TRUE(Push(1));
  EXPECT_EQ(got_, (std::vector<int64_t>{6, 6, 10}));
}

TEST_F(RelationTest, RowsThatFailAreReportedOnceBeforeTheFirstRow) {
  constexpr std::string_view kCode =
      "CREATE STREAM d (n BIGINT); CREATE PUMP p AS INSERT INTO d SELECT STREAM x.q FROM s JOIN "
      "(SELECT n, 4 / n AS q FROM t) AS x ON s.v = x.n;";
  Create(kCode);
  EXPECT_TRUE(errors_.empty());
  ASSERT_TRUE(Push(2));
  EXPECT_EQ(got_, (std::vector<int64_t>{2}));
  ASSERT_EQ(errors_.size(), 1u);
  EXPECT_EQ(errors_[0].name, "DIVISION_BY_ZERO");
  EXPECT_EQ(errors_[0].pump, "P");
  const std::string state = application_->Save();
  Create(kCode);
  ASSERT_TRUE(application_->Restore(state));
  ASSERT_TRUE(Push(1));
  EXPECT_EQ(got_, (std::vector<int64_t>{2, 4}));
  EXPECT_EQ(errors_.size(), 1u);
}

TEST_F(RelationTest, ManyRowsThatFailAreReportedShort) {
  config_.tables[0].rows.assign(3000, {Value::Int(MakeType(Kind::kInteger), 0)});
  Create("CREATE STREAM d (n BIGINT); CREATE PUMP p AS INSERT INTO d SELECT STREAM v FROM s WHERE "
         "v IN (SELECT 4 / n FROM t);");
  ASSERT_TRUE(Push(2));
  ASSERT_EQ(errors_.size(), 1001u);
  EXPECT_NE(errors_.back().message.find("the first 1000 are above"), std::string::npos);
}

// What a pump inserts once does not come again behind a restart.
TEST_F(RelationTest, RowsAreInsertedOnce) {
  constexpr std::string_view kCode =
      "CREATE STREAM d (n BIGINT); CREATE PUMP p AS INSERT INTO d SELECT n FROM t WHERE n > 0;";
  Create(kCode);
  ASSERT_TRUE(Push(1));
  ASSERT_TRUE(Push(2));
  EXPECT_EQ(got_, (std::vector<int64_t>{1, 2}));
  const std::string state = application_->Save();
  Create(kCode);
  ASSERT_TRUE(application_->Restore(state));
  ASSERT_TRUE(Push(3));
  EXPECT_EQ(got_, (std::vector<int64_t>{1, 2}));
}

}  // namespace
}  // namespace millstream::sql
