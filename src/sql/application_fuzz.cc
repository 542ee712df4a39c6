#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <random>
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

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION

// Words, numbers, texts in quotes, and single signs.
std::vector<std::string_view> Tokens(std::string_view text) {
  auto word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  std::vector<std::string_view> tokens;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i + 1;
    if (word(text[i])) {
      while (end < text.size() && word(text[end])) ++end;
    } else if (text[i] == '\'' || text[i] == '"') {
      end = std::min(text.find(text[i], end), text.size() - 1) + 1;
    }
    if (static_cast<unsigned char>(text[i]) > ' ') tokens.push_back(text.substr(i, end - i));
    i = end;
  }
  return tokens;
}

constexpr std::string_view kWords[] = {"0",
                                       "1",
                                       "-1",
                                       "2",
                                       "10",
                                       "2147483648",
                                       "9223372036854775807",
                                       "1e308",
                                       "0.000001",
                                       "NULL",
                                       "TRUE",
                                       "''",
                                       "'a'",
                                       "'%'",
                                       "'0'",
                                       "'1:30'",
                                       "ticker_symbol",
                                       "sector",
                                       "price",
                                       "change",
                                       "event_time",
                                       "n",
                                       "b",
                                       "d",
                                       "flag",
                                       "day_",
                                       "k",
                                       "v",
                                       "ROWTIME",
                                       "s.ROWTIME",
                                       "SECOND",
                                       "MINUTE",
                                       "DAY",
                                       "MONTH",
                                       "YEAR",
                                       "INTEGER",
                                       "DOUBLE",
                                       "TIMESTAMP",
                                       "DATE",
                                       "TIME",
                                       "COUNT",
                                       "SUM",
                                       "AVG",
                                       "MIN",
                                       "MAX",
                                       "STDDEV_POP",
                                       "VAR_SAMP",
                                       "FIRST_VALUE",
                                       "LAST_VALUE",
                                       "LAG",
                                       "LEAD",
                                       "NTH_VALUE",
                                       "LISTAGG",
                                       "FLOOR",
                                       "CEIL",
                                       "STEP",
                                       "ABS",
                                       "MOD",
                                       "POWER",
                                       "SQRT",
                                       "LN",
                                       "ROUND",
                                       "COALESCE",
                                       "NULLIF",
                                       "GREATEST",
                                       "MONOTONIC",
                                       "UNIX_TIMESTAMP",
                                       "TO_TIMESTAMP",
                                       "TSDIFF",
                                       "UPPER",
                                       "SUBSTRING",
                                       "DISTINCT",
                                       "NOT",
                                       "AND",
                                       "OR",
                                       "IS",
                                       "LIKE",
                                       "SIMILAR",
                                       "IN",
                                       "BETWEEN",
                                       "LEFT",
                                       "FULL",
                                       "CROSS",
                                       "NATURAL",
                                       "UNION ALL",
                                       "EXCEPT",
                                       "INTERSECT",
                                       "PRECEDING",
                                       "FOLLOWING",
                                       "RANGE",
                                       "ROWS",
                                       "PARTITION BY n",
                                       "ORDER BY n",
                                       "DESC",
                                       "OVER w",
                                       "OVER (ROWS 1 PRECEDING)",
                                       "CASE WHEN flag THEN 1 END",
                                       "CAST(n AS VARCHAR(2))",
                                       "INTERVAL '2' SECOND",
                                       "(SELECT MAX(k) FROM t)",
                                       "(VALUES (1), (2)) AS q(v)",
                                       "+",
                                       "-",
                                       "*",
                                       "/",
                                       "||",
                                       "=",
                                       "<",
                                       "(",
                                       ")",
                                       ","};

// Changes tokens; the rest of the mutations is libFuzzer's.
std::string MutateTokens(std::string_view text, unsigned seed) {
  std::vector<std::string_view> tokens = Tokens(text);
  std::minstd_rand random(seed);
  auto below = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
  for (std::size_t round = 1 + below(3); round > 0 && !tokens.empty(); --round) {
    const std::size_t at = below(tokens.size());
    const auto place = tokens.begin() + static_cast<std::ptrdiff_t>(at);
    const std::size_t count = std::min(1 + below(6), tokens.size() - at);
    switch (below(6)) {
      case 0:
        *place = kWords[below(std::size(kWords))];
        break;
      case 1:
        *place = tokens[below(tokens.size())];
        break;
      case 2:
        tokens.insert(place, kWords[below(std::size(kWords))]);
        break;
      case 3:
        tokens.erase(place, place + static_cast<std::ptrdiff_t>(count));
        break;
      case 4: {  // a run of tokens again, somewhere else
        const std::vector<std::string_view> run(place, place + static_cast<std::ptrdiff_t>(count));
        tokens.insert(tokens.begin() + static_cast<std::ptrdiff_t>(below(tokens.size())),
                      run.begin(), run.end());
        break;
      }
      default:
        std::swap(*place, tokens[below(tokens.size())]);
    }
  }
  std::string out;
  for (std::string_view token : tokens) (out += token) += ' ';
  return out;
}

#endif

}  // namespace
}  // namespace millstream::sql

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t size_max);
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max,
                                          unsigned int seed) {
  if (seed % 4 == 0) return LLVMFuzzerMutate(data, size, size_max);
  const std::string out =
      millstream::sql::MutateTokens({reinterpret_cast<const char*>(data), size}, seed);
  size = std::min(out.size(), size_max);
  std::copy_n(out.data(), size, data);
  return size;
}
#endif

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
