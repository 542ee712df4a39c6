// The state side of the SQL engine alone, for bench/sql.py: rows that lie in memory as columns go
// through an application, what it takes is printed as one JSON object.
//   sql_state run APP.sql FILE     the clickstream file of sql.py, read before the clock starts
//   sql_state forest ROWS          RANDOM_CUT_FOREST 100 x 256 over two dimensions, after 20,000
//   rows sql_state memory WHAT ROWS     bytes per key or row: tumbling, sliding, join
#include <fmt/format.h>
#include <malloc.h>
#include <time.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "sql/application.h"
#include "sql/input_schema.h"
#include "sql/random_cut_forest.h"

namespace millstream::sql {
namespace {

double CpuSeconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

int64_t ResidentBytes() {
  malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  int64_t pages = 0;
  statm >> pages >> pages;
  return pages * 4096;
}

template <typename T>
T Must(base::Result<T> result, const char* what) {
  if (result) return std::move(*result);
  fmt::print(stderr, "sql_state: {}: {}\n", what, result.error().message());
  std::exit(1);
}
void Must(const base::Status& status, const char* what) {
  if (status) return;
  fmt::print(stderr, "sql_state: {}: {}\n", what, status.error().message());
  std::exit(1);
}

std::string ReadFile(const char* path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::unique_ptr<Application> Create(const std::string& sql,
                                    const std::vector<ColumnConfig>& columns,
                                    std::vector<std::string> inputs, base::Clock& clock) {
  ApplicationConfig config;
  for (std::string& input : inputs) {
    config.inputs.push_back({std::move(input), columns, false});
  }
  return Must(Application::Create(sql, config, clock), "create");
}

int Run(const char* app_path, const char* file) {
  const std::vector<ColumnConfig> columns = {{"ts", "TIMESTAMP"},
                                             {"user_id", "VARCHAR(16)"},
                                             {"event_type", "VARCHAR(16)"},
                                             {"page", "VARCHAR(64)"},
                                             {"amount", "DOUBLE"}};
  base::SystemClock clock;
  auto app = Create(ReadFile(app_path), columns, {"SOURCE"}, clock);
  InputSchema schema;
  for (const ColumnConfig& c : columns) schema.columns.push_back({c.name, c.type, "$." + c.name});
  std::vector<std::unique_ptr<RowBuffer>> table;
  auto keep = [&](const Batch& batch) {
    std::vector<Physical> physical;
    for (const Vector* v : batch.columns) physical.push_back(v->physical());
    auto rows = std::make_unique<RowBuffer>(physical);
    for (std::size_t c = 0; c < physical.size(); ++c) {
      Vector& to = rows->column(static_cast<int>(c));
      for (int i = 0; i < batch.rows; ++i) {
        to.CopyRow(i, *batch.columns[c], i);
        if (physical[c] == Physical::kString) to.strings()[i] = rows->arena().Copy(to.strings()[i]);
      }
    }
    for (int i = 0; i < batch.rows; ++i) rows->rowtime()[i] = batch.columns[0]->ints()[i];
    rows->set_rows(batch.rows);
    table.push_back(std::move(rows));
  };
  auto mapper = Must(InputMapper::Create(schema, false, keep, [](auto&&...) {}), "schema");
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) mapper->Map(line, RecordFacts{});
  mapper->Flush();

  int64_t rows_out = 0, rows_in = 0;
  double most = 0;
  Must(app->SetSink("RESULTS",
                    [&](const Batch& rows) {
                      const Vector& last = *rows.columns.back();
                      for (int i = 0; i < rows.rows; ++i) most = std::max(most, last.doubles()[i]);
                      rows_out += rows.rows;
                    }),
       "sink");
  double start = CpuSeconds();
  for (auto& rows : table) {
    Must(app->Push("SOURCE", rows->view()), "push");
    rows_in += rows->rows();
  }
  Must(app->Advance("SOURCE", INT64_MAX), "advance");
  fmt::print("{{\"cpu\": {}, \"rows\": {}, \"rows_out\": {}, \"max\": {}}}\n", CpuSeconds() - start,
             rows_in, rows_out, most);
  return 0;
}

// The points of bench/Forest.java: a noisy ellipse with an outlier now and then.
class Points {
 public:
  void Next(float* point) {
    double angle = 6.283185307179586 * static_cast<double>(row_ % 360) / 360;
    point[0] = static_cast<float>(10 * std::cos(angle) + Noise());
    point[1] = static_cast<float>(5 * std::sin(angle) + Noise());
    if (++row_ % 170 == 0) point[0] += 40;
  }

 private:
  double Noise() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state_ >> 11) * 0x1.0p-53 - 0.5;
  }
  uint64_t state_ = 12345;
  int64_t row_ = 0;
};

int Forest(int64_t rows) {
  ForestOptions options;
  options.dimensions = 2;
  RandomCutForest forest(options);
  Points points;
  float point[2];
  double sum = 0, start = 0;
  for (int64_t i = -20'000; i < rows; ++i) {
    if (i == 0) start = CpuSeconds(), sum = 0;
    points.Next(point);
    sum += forest.Score(point, nullptr);
    forest.Update(point);
  }
  double cpu = CpuSeconds() - start;
  fmt::print("{{\"cpu\": {}, \"rows\": {}, \"mean\": {}}}\n", cpu, rows,
             sum / static_cast<double>(rows));
  return 0;
}

int Memory(const std::string& what, int64_t rows) {
  const std::vector<ColumnConfig> columns = {{"K", "VARCHAR(16)"}, {"V", "DOUBLE"}};
  std::string sql;
  int64_t span_ms = 3'600'000, keys = rows;
  std::vector<std::string> inputs = {"SOURCE"};
  if (what == "tumbling") {
    sql =
        "CREATE STREAM D (k VARCHAR(16), n BIGINT); CREATE PUMP p AS INSERT INTO D SELECT STREAM "
        "k, COUNT(*) "
        "FROM SOURCE GROUP BY k, STEP(SOURCE.ROWTIME BY INTERVAL '1' DAY);";
  } else if (what == "sliding") {
    keys = 1000;
    span_ms = 24 * 3'600'000;
    sql =
        "CREATE STREAM D (k VARCHAR(16), n DOUBLE); CREATE PUMP p AS INSERT INTO D SELECT STREAM "
        "k, SUM(v) OVER w "
        "FROM SOURCE WINDOW w AS (PARTITION BY k RANGE INTERVAL '24' HOUR PRECEDING);";
  } else if (what == "join") {
    inputs.push_back("OTHER");
    sql =
        "CREATE STREAM D (k VARCHAR(16), n DOUBLE); CREATE PUMP p AS INSERT INTO D SELECT STREAM "
        "a.k, b.v "
        "FROM SOURCE OVER (RANGE INTERVAL '1' DAY PRECEDING) AS a JOIN OTHER AS b ON a.k = b.k;";
  } else {
    fmt::print(stderr, "sql_state memory tumbling|sliding|join ROWS\n");
    return 2;
  }
  base::SystemClock clock;
  auto app = Create(sql, columns, inputs, clock);
  auto physical = std::vector<Physical>{Physical::kString, Physical::kDouble, Physical::kInt};
  RowBuffer buffer(physical);
  const int64_t before = ResidentBytes();
  const int64_t t0 = 1'767'225'600'000;
  double start = CpuSeconds();
  for (int64_t i = 0; i < rows; ++i) {
    const int at = buffer.rows();
    buffer.column(0).strings()[at] = buffer.arena().Copy(fmt::format("key-{:010d}", i % keys));
    buffer.column(1).doubles()[at] = static_cast<double>(i % 1000) / 8;
    buffer.Commit(t0 + static_cast<int64_t>(static_cast<double>(i) / static_cast<double>(rows) *
                                            static_cast<double>(span_ms)));
    if (!buffer.full() && i + 1 < rows) continue;
    Must(app->Push("SOURCE", buffer.view()), "push");
    if (inputs.size() == 2)
      Must(app->Advance("OTHER", buffer.rowtime()[buffer.rows() - 1]), "advance");
    buffer.Clear();
  }
  double cpu = CpuSeconds() - start;
  std::size_t counted = 0;
  for (const StateSize& size : app->StateSizes()) counted += size.bytes;
  fmt::print("{{\"cpu\": {}, \"rows\": {}, \"counted\": {:.1f}, \"resident\": {:.1f}}}\n", cpu,
             rows, static_cast<double>(counted) / static_cast<double>(rows),
             static_cast<double>(ResidentBytes() - before) / static_cast<double>(rows));
  return 0;
}

}  // namespace
}  // namespace millstream::sql

int main(int argc, char** argv) {
  using namespace millstream::sql;
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "run" && argc == 4) return Run(argv[2], argv[3]);
  if (what == "forest" && argc == 3) return Forest(std::atoll(argv[2]));
  if (what == "memory" && argc == 4) return Memory(argv[2], std::atoll(argv[3]));
  fmt::print(
      stderr,
      "usage: sql_state run APP.sql FILE | forest ROWS | memory tumbling|sliding|join ROWS\n");
  return 2;
}
