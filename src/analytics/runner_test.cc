// Runs on a real log and catalog, under a clock that the test moves.
#include "analytics/runner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <future>
#include <map>
#include <random>
#include <set>

#include "codec/json_value.h"
#include "streams/registry_for_test.h"

namespace millstream::analytics {
namespace {

using streams::PutOne;
using streams::ReadData;
using streams::StreamPtr;

// Every row with its ROWTIME, and counts over each kind of window of it.
constexpr std::string_view kCode = R"(
CREATE STREAM raw (t TIMESTAMP, id BIGINT, k VARCHAR(8));
CREATE PUMP raw_pump AS INSERT INTO raw SELECT STREAM s.ROWTIME, id, k FROM s_001 AS s;
CREATE STREAM tumbling (t TIMESTAMP, k VARCHAR(8), n BIGINT);
CREATE PUMP tumbling_pump AS INSERT INTO tumbling
SELECT STREAM STEP(s.ROWTIME BY INTERVAL '1' SECOND), k, COUNT(*) FROM s_001 AS s
GROUP BY k, STEP(s.ROWTIME BY INTERVAL '1' SECOND);
CREATE STREAM sliding (id BIGINT, n BIGINT);
CREATE PUMP sliding_pump AS INSERT INTO sliding
SELECT STREAM id, COUNT(*) OVER (PARTITION BY k RANGE INTERVAL '2' SECOND PRECEDING) FROM s_001;
CREATE STREAM stagger (k VARCHAR(8), n BIGINT, first_id BIGINT);
CREATE PUMP stagger_pump AS INSERT INTO stagger
SELECT STREAM k, COUNT(*), MIN(id) FROM s_001
WINDOWED BY STAGGER (PARTITION BY k RANGE INTERVAL '1' SECOND);
)";

Definition AllWindows() {
  Definition d;
  d.name = "windows";
  d.code = kCode;
  Input input;
  input.id = "1.1";
  input.name_prefix = "S";
  input.resource = "in";
  input.schema.columns = {{"ID", "BIGINT", "$.id"}, {"K", "VARCHAR(8)", "$.k"}};
  input.starting_position = StartingPosition::kTrimHorizon;
  d.inputs.push_back(input);
  int n = 0;
  for (const char* name : {"RAW", "TUMBLING", "SLIDING", "STAGGER"}) {
    Output output;
    output.id = "1." + std::to_string(++n);
    output.name = name;
    output.resource = name;
    d.outputs.push_back(output);
  }
  return d;
}

struct Row {
  int64_t id;
  std::string at;  // "2023-11-14 22:13:20.000"
  int64_t ms;      // since some midnight
  std::string key;
};

int64_t MsOfDay(std::string_view time) {
  auto number = [&](std::size_t at, std::size_t size) {
    return std::stoll(std::string(time.substr(at, size)));
  };
  return ((number(11, 2) * 60 + number(14, 2)) * 60 + number(17, 2)) * 1000 + number(20, 3);
}

std::multiset<std::string> Texts(const std::vector<std::string>& records) {
  return {records.begin(), records.end()};
}

// What an uninterrupted run gives for rows that arrived at these times.
struct Expected {
  std::multiset<std::string> tumbling, sliding, stagger;
};
Expected Compute(std::vector<Row> rows) {
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::pair(a.ms, a.id) < std::pair(b.ms, b.id);
  });
  Expected expected;
  std::map<std::pair<std::string, std::string>, int> windows;
  struct Open {
    int64_t until = INT64_MIN;
    int n = 0;
    int64_t first = 0;
  };
  std::map<std::string, Open> open;
  auto close = [&](const std::string& key, const Open& window) {
    expected.stagger.insert("{\"K\":\"" + key + "\",\"N\":" + std::to_string(window.n) +
                            ",\"FIRST_ID\":" + std::to_string(window.first) + "}");
  };
  for (const Row& row : rows) {
    ++windows[{row.at.substr(0, 19) + ".000", row.key}];
    int n = 0;
    for (const Row& other : rows) {
      bool before = std::pair(other.ms, other.id) <= std::pair(row.ms, row.id);
      n += before && other.key == row.key && other.ms >= row.ms - 2000;
    }
    expected.sliding.insert(row.at + row.key + std::to_string(n));
    Open& window = open[row.key];
    if (row.ms >= window.until) {
      if (window.n > 0) close(row.key, window);
      window = {row.ms + 1000, 0, row.id};
    }
    ++window.n;
  }
  for (const auto& [key, window] : open) close(key, window);
  for (const auto& [window, n] : windows) {
    expected.tumbling.insert("{\"T\":\"" + window.first + "\",\"K\":\"" + window.second +
                             "\",\"N\":" + std::to_string(n) + "}");
  }
  return expected;
}

std::vector<Row> ParseRaw(const std::vector<std::string>& records) {
  std::vector<Row> rows;
  for (const std::string& record : records) {
    auto document = codec::JsonDocument::Parse(record);
    auto root = document->root();
    Row row;
    row.id = *root.Find("ID")->AsInt64();
    row.at = root.Find("T")->AsString();
    row.ms = MsOfDay(row.at);
    row.key = root.Find("K")->AsString();
    rows.push_back(row);
  }
  return rows;
}

class RunnerTest : public testing::Test {
 protected:
  void Open(uint32_t shards = 1) {
    world_.Open();
    in_ = world_.Create("in", shards);
    world_.Create("scratch");
    for (const char* name : {"RAW", "TUMBLING", "SLIDING", "STAGGER"}) world_.Create(name, 2);
    executor_ = std::make_unique<base::TaskExecutor>(world_.clock, base::TaskExecutor::Options{});
    jobs_ = std::make_unique<base::JobPool>(base::JobPool::Options{.threads = 1});
  }
  ~RunnerTest() override {
    if (runner_ != nullptr) runner_->AbandonForTest();
    if (executor_ != nullptr) executor_->Stop();
    if (jobs_ != nullptr) jobs_->Stop();
    runner_ = nullptr;
    in_ = nullptr;
  }

  void Start(bool resume = false) {
    RunnerOptions options;
    options.directory = world_.directory() + "/application";
    options.checkpoint_interval_ms = 700;
    options.stop_patience_ms = 10'000;
    options.state_bytes_max = state_bytes_max_;
    RunnerEnvironment environment{.registry = world_.registry.get(),
                                  .log = world_.log.get(),
                                  .files = &world_.files,
                                  .clock = &world_.clock,
                                  .random = &world_.random,
                                  .executor = executor_.get(),
                                  .jobs = jobs_.get(),
                                  .on_failure = [this](const base::Error& error) {
                                    failure_.set_value(error);
                                  }};
    auto runner = Runner::Start(environment, {"000000000000", "us-east-1", "windows"}, definition_,
                                resume, options, metrics_);
    ASSERT_TRUE(runner) << runner.error().message();
    runner_ = std::move(*runner);
  }
  // The log keeps what it accepted, as far as it happens to have come; so wait for its end.
  void Crash() {
    runner_->AbandonForTest();
    runner_ = nullptr;
    PutOne(*world_.Find("scratch"), "k", "behind all that was on its way");
  }
  void Stop() {
    auto stopped = runner_->Stop();
    ASSERT_TRUE(stopped) << stopped.error().message();
    runner_ = nullptr;
  }

  void Put(const std::string& key) {
    std::string data =
        "{\"id\":" + std::to_string(next_id_++) + ",\"k\":\"" + key + "\"}";
    PutOne(*in_, std::to_string(next_id_), data);
  }

  // Moves time in small steps until all shards of a stream have that many records together.
  std::vector<std::string> WaitForRecords(const std::string& name, std::size_t count) {
    StreamPtr stream = world_.Find(name);
    std::vector<std::string> data;
    for (int tries = 0; tries < 2000; ++tries) {
      data.clear();
      for (const auto& shard : stream->state()->shards) {
        for (auto& record : ReadData(*stream, shard.facts.id)) data.push_back(std::move(record));
      }
      if (data.size() >= count) break;
      world_.clock.Advance(1);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return data;
  }

  // The last word on exactly once: every record in, and every result of an uninterrupted run, once.
  void ExpectExactlyOnce() {
    auto count = static_cast<std::size_t>(next_id_ - 1);
    std::vector<Row> rows = ParseRaw(WaitForRecords("RAW", count));
    std::set<int64_t> ids;
    for (const Row& row : rows) ids.insert(row.id);
    EXPECT_EQ(rows.size(), count);
    EXPECT_EQ(ids.size(), rows.size());
    Expected expected = Compute(rows);
    // Of rows of one moment from two shards either may come first: a sliding count is of the moment
    // and the key, not of the id.
    std::map<int64_t, const Row*> by_id;
    for (const Row& row : rows) by_id[row.id] = &row;
    std::multiset<std::string> sliding;
    for (const std::string& record : WaitForRecords("SLIDING", count)) {
      auto document = codec::JsonDocument::Parse(record);
      const Row& row = *by_id.at(*document->root().Find("ID")->AsInt64());
      sliding.insert(row.at + row.key + std::string(document->root().Find("N")->NumberText()));
    }
    EXPECT_EQ(sliding, expected.sliding);
    for (const auto& [name, results] : {std::pair("TUMBLING", &expected.tumbling),
                                        std::pair("STAGGER", &expected.stagger)}) {
      EXPECT_EQ(Texts(WaitForRecords(name, results->size())), *results) << name;
    }
  }

  streams::RegistryWorld world_;
  StreamPtr in_;
  Definition definition_ = AllWindows();
  std::shared_ptr<ApplicationMetrics> metrics_ = std::make_shared<ApplicationMetrics>();
  std::unique_ptr<base::TaskExecutor> executor_;
  std::unique_ptr<base::JobPool> jobs_;
  std::shared_ptr<Runner> runner_;
  int64_t next_id_ = 1;
  std::size_t state_bytes_max_ = std::size_t{1} << 30;
  std::promise<base::Error> failure_;
};

TEST_F(RunnerTest, GivesTheResultsOfEveryWindow) {
  Open(2);
  Start();
  for (int i = 0; i < 30; ++i) {
    Put(i % 3 == 0 ? "a" : "b");
    world_.clock.Advance(150);
    WaitForRecords("RAW", static_cast<std::size_t>(i + 1));
  }
  world_.clock.Advance(5000);
  ExpectExactlyOnce();
  EXPECT_EQ(metrics_->records_total.value(), 30u);
}

TEST_F(RunnerTest, StopAndStartAtTheLastPointContinueWindows) {
  Open();
  Start();
  Put("a");
  WaitForRecords("RAW", 1);
  Stop();
  world_.clock.Advance(100);
  Put("a");
  definition_.inputs[0].starting_position = StartingPosition::kLastStoppedPoint;
  Start();
  WaitForRecords("RAW", 2);
  world_.clock.Advance(5000);
  ExpectExactlyOnce();
}

TEST_F(RunnerTest, StartingAnewForgetsWindowsAndReadsFromTheBeginning) {
  Open();
  Start();
  Put("a");
  WaitForRecords("RAW", 1);
  Stop();
  Start();
  EXPECT_EQ(WaitForRecords("RAW", 2).size(), 2u);
}

TEST_F(RunnerTest, NowReadsWhatComesAfterTheStart) {
  Open();
  Put("old");
  definition_.inputs[0].starting_position = StartingPosition::kNow;
  Start();
  Put("new");
  std::vector<Row> rows = ParseRaw(WaitForRecords("RAW", 1));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].key, "new");
}

TEST_F(RunnerTest, CrashesChangeNoResult) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  Open(2);
  Start();
  for (int round = 0; round < 12; ++round) {
    int puts = static_cast<int>(random() % 12);
    for (int i = 0; i < puts; ++i) {
      Put(std::string(1, static_cast<char>('a' + random() % 3)));
      if (random() % 3 == 0) world_.clock.Advance(static_cast<int64_t>(random() % 400));
    }
    if (random() % 2 == 0) WaitForRecords("RAW", static_cast<std::size_t>(next_id_ - 1));
    if (random() % 2 == 0) world_.clock.Advance(static_cast<int64_t>(random() % 1500));
    if (random() % 3 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(random() % 30));
    if (random() % 5 == 0) {
      Stop();
    } else {
      Crash();
    }
    world_.clock.Advance(static_cast<int64_t>(random() % 700));
    Start(/*resume=*/true);
  }
  WaitForRecords("RAW", static_cast<std::size_t>(next_id_ - 1));
  world_.clock.Advance(10'000);
  ExpectExactlyOnce();
}

// Streams and writes that are under way keep the waker; the executor need not outlive them.
TEST_F(RunnerTest, WakesNobodyWhenItsTaskIsGone) {
  Open();
  Start();
  Put("a");
  WaitForRecords("RAW", 1);
  runner_->AbandonForTest();
  executor_ = nullptr;
  Put("b");  // its reader is woken
  runner_ = nullptr;
}

TEST_F(RunnerTest, AWallClockThatJumpsBackStopsNoWindow) {
  Open();
  Start();
  Put("a");
  WaitForRecords("RAW", 1);
  world_.clock.JumpWall(-3'600'000);
  world_.clock.Advance(100);
  Put("a");
  WaitForRecords("RAW", 2);
  world_.clock.Advance(5000);
  ExpectExactlyOnce();
}

// No model of these operators here; but results that a replay does not give again would be counted.
TEST_F(RunnerTest, EveryOperatorReplaysAsItRan) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  Open();
  StreamPtr other = world_.Create("other", 1);
  definition_.code = R"(
    CREATE STREAM raw (t TIMESTAMP, id BIGINT, k VARCHAR(8));
    CREATE PUMP p1 AS INSERT INTO raw SELECT STREAM s.ROWTIME, id, k FROM s_001 AS s;
    CREATE STREAM tumbling (id BIGINT, k VARCHAR(8), score DOUBLE);
    CREATE PUMP p2 AS INSERT INTO tumbling SELECT STREAM id, k, ANOMALY_SCORE FROM TABLE(
      RANDOM_CUT_FOREST(CURSOR(SELECT STREAM id, k FROM s_001), 10, 16, 1000, 1));
    CREATE STREAM sliding (id BIGINT, n BIGINT, k VARCHAR(8), a DOUBLE, x VARCHAR(8));
    CREATE PUMP p3 AS INSERT INTO sliding (id, k, x)
      SELECT STREAM l.id, l.k, r.k
      FROM s_001 OVER (RANGE INTERVAL '1' SECOND PRECEDING) AS l
      LEFT JOIN o_001 OVER (RANGE INTERVAL '1' SECOND PRECEDING) AS r ON l.k = r.k;
    CREATE PUMP p4 AS INSERT INTO sliding (x, n)
      SELECT STREAM ITEM, ITEM_COUNT FROM TABLE(
        TOP_K_ITEMS_TUMBLING(CURSOR(SELECT STREAM k FROM s_001), 'K', 2, 1));
    CREATE STREAM stagger (k VARCHAR(8), n BIGINT, first_id BIGINT, a DOUBLE, d BIGINT);
    CREATE PUMP p5 AS INSERT INTO stagger (k, n, a, d)
      SELECT STREAM k, COUNT(*), STDDEV_POP(CAST(id AS DOUBLE)), COUNT(DISTINCT id) FROM s_001 AS s
      GROUP BY k, FLOOR(s.ROWTIME TO SECOND);
    CREATE PUMP p6 AS INSERT INTO stagger (k, first_id)
      SELECT STREAM k, id FROM s_001 AS s ORDER BY STEP(s.ROWTIME BY INTERVAL '1' SECOND), id DESC;
    CREATE PUMP p7 AS INSERT INTO stagger (k, first_id)
      SELECT STREAM k, LAG(id, 2) OVER (PARTITION BY k ROWS 5 PRECEDING) FROM s_001;
  )";
  Input input = definition_.inputs[0];
  input.id = "1.2";
  input.name_prefix = "O";
  input.resource = "other";
  definition_.inputs.push_back(input);
  Start();
  for (int round = 0; round < 15; ++round) {
    int puts = 1 + static_cast<int>(random() % 15);
    for (int i = 0; i < puts; ++i) {
      std::string key(1, static_cast<char>('a' + random() % 3));
      Put(key);
      if (random() % 2 == 0) PutOne(*other, "k", "{\"id\":1,\"k\":\"" + key + "\"}");
      if (random() % 3 == 0) world_.clock.Advance(static_cast<int64_t>(random() % 400));
    }
    if (random() % 3 != 0) WaitForRecords("RAW", static_cast<std::size_t>(next_id_ - 1));
    world_.clock.Advance(static_cast<int64_t>(random() % 1500));
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 15));
    Crash();
    Start(/*resume=*/true);
  }
  EXPECT_EQ(WaitForRecords("RAW", static_cast<std::size_t>(next_id_ - 1)).size(),
            static_cast<std::size_t>(next_id_ - 1));
  EXPECT_GT(metrics_->replayed_steps_total.value(), 0u);
  EXPECT_EQ(metrics_->replay_mismatches_total.value(), 0u);
}

TEST_F(RunnerTest, FollowsASplitThroughParentsToChildren) {
  Open();
  Start();
  for (int i = 0; i < 5; ++i) Put("a");
  ASSERT_TRUE(world_.registry->Split(*in_, {0}, streams::HashKey{1} << 127));
  world_.Pass(100);
  for (int i = 0; i < 20; ++i) Put("b");
  std::vector<Row> rows = ParseRaw(WaitForRecords("RAW", 25));
  EXPECT_EQ(rows.size(), 25u);
  Crash();
  for (int i = 0; i < 5; ++i) Put("c");
  Start(/*resume=*/true);
  WaitForRecords("RAW", 30);
  world_.clock.Advance(5000);
  ExpectExactlyOnce();
}

TEST_F(RunnerTest, ReferenceTablesAreReadAgainWhenTheirFileChanges) {
  Open();
  std::string path = world_.directory() + "/names.csv";
  std::ofstream(path) << "a,Anna\nb,Berta\n";
  definition_.code = R"(
    CREATE STREAM raw (id BIGINT, name VARCHAR(16));
    CREATE PUMP p AS INSERT INTO raw
    SELECT STREAM s.id, n.name FROM s_001 AS s LEFT JOIN names AS n ON s.k = n.k;)";
  definition_.outputs.resize(1);
  ReferenceDataSource source;
  source.table_name = "NAMES";
  source.file_path = path;
  source.schema.format = sql::InputSchema::Format::kCsv;
  source.schema.columns = {{"K", "VARCHAR(8)", ""}, {"NAME", "VARCHAR(16)", ""}};
  definition_.reference_tables.push_back(source);
  Start();
  Put("a");
  EXPECT_EQ(WaitForRecords("RAW", 1), std::vector<std::string>{"{\"ID\":1,\"NAME\":\"Anna\"}"});
  std::ofstream(path) << "a,Antonia\nb,Berta\n";
  // The clock must move for the file to be looked at; then a row shows which table is in use.
  for (int tries = 0; tries < 200; ++tries) {
    world_.clock.Advance(2500);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    Put("a");
    auto records = WaitForRecords("RAW", static_cast<std::size_t>(next_id_ - 1));
    if (std::any_of(records.begin(), records.end(), [](const std::string& record) {
          return record.find("Antonia") != std::string::npos;
        })) {
      return;
    }
  }
  FAIL() << "the table was not read again";
}

TEST_F(RunnerTest, StopsWhenItsStateOutgrowsTheBoundAndGoesOnWithMore) {
  Open();
  state_bytes_max_ = 4096;
  Start();
  for (int i = 0; i < 300; ++i) Put("k" + std::to_string(i));
  base::Error failure = failure_.get_future().get();
  EXPECT_EQ(failure.code(), base::Code::kResourceExhausted) << failure.message();
  EXPECT_TRUE(runner_->failed());
  Stop();
  state_bytes_max_ = std::size_t{1} << 30;
  Start(/*resume=*/true);
  WaitForRecords("RAW", 300);
  world_.clock.Advance(5000);
  ExpectExactlyOnce();
}

TEST_F(RunnerTest, AThrottledDestinationSlowsItDownAndLosesNothing) {
  world_.options.limits.enforced = true;
  world_.options.limits.write_records_per_s = 60;
  Open();
  definition_.outputs.resize(1);
  Start();
  for (int i = 0; i < 240; ++i) {
    world_.clock.Advance(40);  // the source has the same quota
    Put("a");
  }
  Crash();  // with results that wait
  Start(/*resume=*/true);
  std::vector<Row> rows;
  for (int tries = 0; tries < 300 && rows.size() < 240; ++tries) {
    world_.clock.Advance(500);
    rows = ParseRaw(WaitForRecords("RAW", rows.size() + 1));
  }
  std::set<int64_t> ids;
  for (const Row& row : rows) ids.insert(row.id);
  EXPECT_EQ(rows.size(), 240u);
  EXPECT_EQ(ids.size(), 240u);
}

TEST_F(RunnerTest, RowsThatDoNotFitGoToTheErrorStream) {
  Open();
  definition_.outputs.resize(1);
  definition_.outputs[0].name = "error_stream";
  Start();
  PutOne(*in_, "k", "{\"id\":\"many\",\"k\":\"a\"}");
  auto records = WaitForRecords("RAW", 1);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_NE(records[0].find("\"ERROR_LEVEL\":\"ERROR\""), std::string::npos) << records[0];
  EXPECT_NE(records[0].find("\"DATA_ROW\":"), std::string::npos);
}

TEST_F(RunnerTest, WaitsForADestinationThatIsGoneAndGoesOn) {
  Open();
  ASSERT_TRUE(world_.registry->Delete(*world_.Find("RAW"), true));
  world_.Pass(100);
  Start();
  for (int i = 0; i < 3; ++i) Put("a");
  WaitForRecords("SLIDING", 3);
  world_.Create("RAW", 1);
  world_.clock.Advance(5000);
  ExpectExactlyOnce();
}

}  // namespace
}  // namespace millstream::analytics
