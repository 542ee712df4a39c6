// What operators hold: bytes per key and row, and that every kind of state meets its bound.
#include <gtest/gtest.h>

#include "sql/application.h"

namespace millstream::sql {
namespace {

constexpr int64_t kStart = 1'767'225'600'000;

// An application over the inputs S and O that takes any number of rows.
class Feed {
 public:
  explicit Feed(const std::string& body, std::size_t state_bytes_max = std::size_t{2} << 30) {
    ApplicationConfig config;
    config.state_bytes_max = state_bytes_max;
    for (const char* input : {"S", "O"}) {
      config.inputs.push_back(
          {input, {{"K", "VARCHAR(20)"}, {"V", "DOUBLE"}, {"N", "INTEGER"}}, false});
    }
    auto app = Application::Create(
        "CREATE STREAM D (k VARCHAR(20), r DOUBLE); CREATE PUMP P AS INSERT INTO D " + body, config,
        clock_);
    if (!app) {
      ADD_FAILURE() << body << ": " << app.error().message();
      return;
    }
    app_ = std::move(*app);
    buffer_.Init({Physical::kString, Physical::kDouble, Physical::kInt, Physical::kInt});
  }

  // Row i has key i % keys, and comes i * step_ms behind the first.
  base::Status Push(int64_t rows, int64_t keys, int64_t step_ms = 0) {
    base::Status status;
    if (app_ == nullptr) return status;
    for (int64_t i = 0; i < rows && status; ++i) {
      const int at = buffer_.rows();
      std::string key = std::to_string(i % keys);
      key.insert(0, 12 - key.size(), 'k');
      buffer_.column(0).strings()[at] = buffer_.arena().Copy(key);
      buffer_.column(1).doubles()[at] = static_cast<double>(i);
      buffer_.column(2).ints()[at] = i;
      buffer_.Commit(kStart + i * step_ms);
      if (!buffer_.full() && i + 1 < rows) continue;
      status = app_->Push("S", buffer_.view());
      if (status) status = app_->Advance("O", kStart + i * step_ms);
      buffer_.Clear();
    }
    return status;
  }
  double BytesPer(int64_t n) const {
    if (app_ == nullptr) return 0;
    std::size_t bytes = 0;
    for (const StateSize& size : app_->StateSizes()) bytes += size.bytes;
    return static_cast<double>(bytes) / static_cast<double>(n);
  }
  Application& app() { return *app_; }

 private:
  base::ManualClock clock_{kStart};
  std::unique_ptr<Application> app_;
  RowBuffer buffer_;
};

constexpr double kKeyBytes = 12;

TEST(StateSizeTest, KeyOfATumblingCountStaysBelow64Bytes) {
  for (int64_t keys : {100'000, 132'000, 200'000, 262'145, 530'000}) {  // slots double behind 2^n
    Feed feed("SELECT STREAM k, COUNT(*) FROM S GROUP BY k, STEP(S.ROWTIME BY INTERVAL '1' HOUR)");
    ASSERT_TRUE(feed.Push(keys, keys));
    EXPECT_LT(feed.BytesPer(keys) - kKeyBytes, 64) << keys;  // beside the key
    EXPECT_GT(feed.BytesPer(keys), 24) << keys;
  }
}

TEST(StateSizeTest, WindowsUseTheMemoryOfThoseBefore) {
  Feed feed("SELECT STREAM k, COUNT(*) FROM S GROUP BY k, STEP(S.ROWTIME BY INTERVAL '1' SECOND)");
  ASSERT_TRUE(feed.Push(5000, 5000));
  double once = feed.BytesPer(1);
  ASSERT_TRUE(feed.app().Advance("S", kStart + 10'000));
  ASSERT_TRUE(feed.Push(5000, 5000));
  EXPECT_EQ(feed.BytesPer(1), once);
}

TEST(StateSizeTest, RowOfASlidingWindowCosts17Bytes) {
  const std::string code =
      "SELECT STREAM k, SUM(v) OVER w FROM S WINDOW w AS (PARTITION BY k RANGE INTERVAL '24' HOUR "
      "PRECEDING)";
  Feed feed(code);
  ASSERT_TRUE(feed.Push(500'000, 100, 100));
  EXPECT_LT(feed.BytesPer(500'000), 18);
  EXPECT_GT(feed.BytesPer(500'000), 16);
  Feed passing(code);  // 1,000 s a row: 86 rows are in the window
  ASSERT_TRUE(passing.Push(500'000, 100, 1'000'000));
  EXPECT_LT(passing.BytesPer(1), 1 << 20);
}

TEST(StateSizeTest, PartitionsWithoutRowsAreForgotten) {
  for (const char* call : {"SUM(v)", "MIN(v)", "FIRST_VALUE(v)"}) {
    Feed feed("SELECT STREAM k, " + std::string(call) +
              " OVER (PARTITION BY k RANGE INTERVAL '1' SECOND PRECEDING) FROM S");
    ASSERT_TRUE(feed.Push(300'000, 300'000, 10));
    EXPECT_LT(feed.BytesPer(1), 2 << 20) << call;
  }
}

TEST(StateSizeTest, RowOfAJoinStaysBelow128Bytes) {
  Feed feed(
      "SELECT STREAM a.k, b.v FROM S OVER (RANGE INTERVAL '1' DAY PRECEDING) AS a JOIN O AS b ON "
      "a.k = b.k");
  ASSERT_TRUE(feed.Push(300'000, 300'000));
  EXPECT_LT(feed.BytesPer(300'000), 128);
}

struct Bounded {
  const char* name;
  const char* operation;  // what the error calls it
  const char* code;
};
std::string NameOf(const testing::TestParamInfo<Bounded>& info) { return info.param.name; }

class StateBoundTest : public testing::TestWithParam<Bounded> {};

TEST_P(StateBoundTest, IsMetWithTheReason) {
  constexpr std::size_t kBound = 4 << 20;
  Feed feed(GetParam().code, kBound);
  base::Status status = feed.Push(400'000, 400'000, 1);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), base::Code::kResourceExhausted);
  EXPECT_NE(
      status.error().message().find("pump P: its " + std::string(GetParam().operation) + " holds "),
      std::string::npos)
      << status.error().message();
  EXPECT_NE(status.error().message().find("the limit is 4194304 (state_bytes_max)"),
            std::string::npos);
  EXPECT_LT(feed.BytesPer(1), 3 * kBound);  // one step of growth beyond it at most
  EXPECT_FALSE(feed.Push(1, 1));            // and it stays stopped
}

INSTANTIATE_TEST_SUITE_P(
    All, StateBoundTest,
    testing::Values(
        Bounded{
            "Tumbling", "aggregate",
            "SELECT STREAM k, COUNT(*) FROM S GROUP BY k, STEP(S.ROWTIME BY INTERVAL '1' HOUR)"},
        Bounded{
            "TumblingTexts", "aggregate",
            "SELECT STREAM MAX(k), 1.0 FROM S GROUP BY n, STEP(S.ROWTIME BY INTERVAL '1' HOUR)"},
        Bounded{"TumblingDistinct", "aggregate",
                "SELECT STREAM 'a', COUNT(DISTINCT k) FROM S GROUP BY STEP(S.ROWTIME BY INTERVAL "
                "'1' HOUR)"},
        Bounded{"Stagger", "stagger",
                "SELECT STREAM k, COUNT(*) FROM S WINDOWED BY STAGGER (PARTITION BY k RANGE "
                "INTERVAL '1' HOUR)"},
        Bounded{"Distinct", "distinct",
                "SELECT STREAM k, 1.0 FROM (SELECT STREAM DISTINCT k, FLOOR(S.ROWTIME TO HOUR) AS "
                "h FROM S)"},
        Bounded{"SlidingRange", "sliding window",
                "SELECT STREAM k, SUM(v) OVER (PARTITION BY k RANGE INTERVAL '1' HOUR PRECEDING) "
                "FROM S"},
        Bounded{"SlidingRangeFew", "sliding window",
                "SELECT STREAM k, SUM(v) OVER (RANGE INTERVAL '1' HOUR PRECEDING) FROM S"},
        Bounded{"SlidingMinimum", "sliding window",
                "SELECT STREAM k, MIN(v) OVER (RANGE INTERVAL '1' HOUR PRECEDING) FROM S"},
        Bounded{"SlidingFirst", "sliding window",
                "SELECT STREAM k, FIRST_VALUE(v) OVER (RANGE INTERVAL '1' HOUR PRECEDING) FROM S"},
        Bounded{"SlidingRows", "sliding window",
                "SELECT STREAM k, SUM(v) OVER (PARTITION BY k ROWS 10 PRECEDING) FROM S"},
        Bounded{"SlidingUnbounded", "sliding window",
                "SELECT STREAM k, SUM(v) OVER (PARTITION BY k ROWS UNBOUNDED PRECEDING) FROM S"},
        Bounded{
            "SlidingDistinct", "sliding window",
            "SELECT STREAM k, COUNT(DISTINCT k) OVER (RANGE INTERVAL '1' HOUR PRECEDING) FROM S"},
        Bounded{"SlidingPercentile", "sliding window",
                "SELECT STREAM k, PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY v) OVER (RANGE "
                "INTERVAL '1' HOUR PRECEDING) FROM S"},
        Bounded{"Lead", "sliding window",
                "SELECT STREAM k, LEAD(v) OVER (PARTITION BY k RANGE INTERVAL '1' HOUR FOLLOWING) "
                "FROM S"},
        Bounded{"Hop", "window aggregate",
                "SELECT STREAM k, COUNT(*) FROM TABLE(HOP(TABLE S, DESCRIPTOR(ROWTIME), INTERVAL "
                "'1' MINUTE, INTERVAL '1' HOUR)) "
                "GROUP BY window_start, window_end, k"},
        Bounded{"Cumulate", "window aggregate",
                "SELECT STREAM k, COUNT(*) FROM TABLE(CUMULATE(TABLE S, DESCRIPTOR(ROWTIME), "
                "INTERVAL '1' HOUR, INTERVAL '1' DAY)) "
                "GROUP BY window_start, window_end, k"},
        Bounded{"Session", "window aggregate",
                "SELECT STREAM k, COUNT(*) FROM TABLE(SESSION(TABLE S PARTITION BY k, "
                "DESCRIPTOR(ROWTIME), INTERVAL '1' HOUR)) "
                "GROUP BY window_start, window_end, k"},
        Bounded{"JoinRange", "join",
                "SELECT STREAM a.k, b.v FROM S OVER (RANGE INTERVAL '1' DAY PRECEDING) AS a JOIN O "
                "AS b ON a.k = b.k"},
        Bounded{"JoinRows", "join",
                "SELECT STREAM a.k, b.v FROM S OVER (ROWS 1000000 PRECEDING) AS a JOIN O AS b ON "
                "a.k = b.k"},
        Bounded{"Sort", "sort",
                "SELECT STREAM k, v FROM S ORDER BY STEP(S.ROWTIME BY INTERVAL '1' HOUR), v"}),
    NameOf);

}  // namespace
}  // namespace millstream::sql
