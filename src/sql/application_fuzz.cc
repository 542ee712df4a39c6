#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "sql/application.h"
#include "sql/type.h"

// Any text is an application that runs over awkward rows, saves and is restored, or fails with a
// message that names a place.
namespace millstream::sql {
namespace {

constexpr int64_t kStart = 1'767'225'600'000;  // 2026-01-01
constexpr std::string_view kTexts[] = {"",
                                       "AMZN",
                                       "a,b,\"c",
                                       "10.0.0.1 - - [x] \"GET /\" 200 -",
                                       "{\"a\":[1,null]}",
                                       "\xc3\xa9%_(",
                                       "2026-01-31 10:11:12"};
constexpr int64_t kNumbers[] = {0, 1, -1, 7, INT32_MAX, INT64_MIN, INT64_MAX, 1'767'225'601'001};
constexpr double kReals[] = {0, -0.5, 1e300, -1e-300, 3, 1.0 / 3};

const ApplicationConfig& Config() {
  static const ApplicationConfig kConfig = [] {
    ApplicationConfig config;
    config.inputs = {{"SOURCE_SQL_STREAM_001",
                      {{"TICKER_SYMBOL", "VARCHAR(4)"},
                       {"SECTOR", "VARCHAR(64)"},
                       {"PRICE", "DOUBLE"},
                       {"CHANGE", "REAL"},
                       {"EVENT_TIME", "TIMESTAMP"},
                       {"N", "INTEGER"},
                       {"B", "BIGINT"},
                       {"D", "DECIMAL(9,2)"},
                       {"FLAG", "BOOLEAN"},
                       {"DAY_", "DATE"}}},
                     {"S", {{"K", "VARCHAR(4)"}, {"V", "INTEGER"}}}};
    TableConfig table = {"T", {{"K", "VARCHAR(4)"}, {"NAME", "VARCHAR(16)"}}, {}};
    Value key = Value::String("AMZN");
    table.rows = {{key, Value::String("Amazon")}, {key, Value::Null()}};
    config.tables = {table};
    config.state_bytes_max = 4 << 20;
    return config;
  }();
  return kConfig;
}

// Twenty rows a second apart, two of each time; the rows of a stream differ from one another's.
bool Push(Application& app, const std::string& input, int64_t from) {
  auto columns = app.InputColumns(input);
  if (!columns) __builtin_trap();
  std::vector<Physical> physical;
  for (const PlanColumn& column : *columns) physical.push_back(PhysicalOf(column.type.kind));
  RowBuffer rows(physical);
  for (int row = 0; row < 20; ++row) {
    for (std::size_t c = 0; c < physical.size(); ++c) {
      Vector& column = rows.column(static_cast<int>(c));
      const std::size_t pick = static_cast<std::size_t>(row) * 3 + c + input.size();
      column.valid()[row] = 1;
      if (pick % 5 == 4 && !(*columns)[c].not_null) {
        column.SetNull(row);
      } else if (physical[c] == Physical::kString) {
        const std::string_view text = kTexts[pick % std::size(kTexts)];
        const auto longest = static_cast<std::size_t>((*columns)[c].type.length);
        column.strings()[row] = rows.arena().Copy(text.substr(0, longest));
      } else if (physical[c] == Physical::kDouble) {
        const double real = kReals[pick % std::size(kReals)];
        const bool fits = (*columns)[c].type.kind != Kind::kReal || real < 1e30;
        column.doubles()[row] = fits ? real : -2.5;
      } else {
        const Kind kind = (*columns)[c].type.kind;
        const int64_t number = kNumbers[pick % std::size(kNumbers)];
        column.ints()[row] = kind == Kind::kBoolean     ? number & 1
                             : kind == Kind::kInteger   ? static_cast<int32_t>(number)
                             : kind == Kind::kDecimal   ? number % 1'000'000'000
                             : kind == Kind::kDate      ? number % 100'000
                             : kind == Kind::kTimestamp ? kStart + number % 100'000'000
                                                        : number;
      }
    }
    rows.Commit(from + row / 2 * 1000);
  }
  return app.Push(input, rows.view()).has_value();
}

}  // namespace
}  // namespace millstream::sql

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millstream::sql;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  millstream::base::ManualClock clock(kStart);
  auto app = Application::Create(text, Config(), clock);
  if (!app) {
    if (app.error().message().compare(0, 5, "line ") != 0) __builtin_trap();
    return 0;
  }
  (void)(*app)->Explain();
  bool runs = true;
  for (int part = 0; part < 2 && runs; ++part) {
    const int64_t from = kStart + part * 70'000;
    runs = Push(**app, "SOURCE_SQL_STREAM_001", from) && Push(**app, "S", from) &&
           (*app)->Advance("S", from + 10'000).has_value();
    auto restored = Application::Create(text, Config(), clock);
    if (!restored) __builtin_trap();
    if (runs && !(*restored)->Restore((*app)->Save())) __builtin_trap();
    app = std::move(restored);
  }
  if (runs) {
    (void)(*app)->Advance("SOURCE_SQL_STREAM_001", INT64_MAX);
    (void)(*app)->Advance("S", INT64_MAX);
  }
  return 0;
}
