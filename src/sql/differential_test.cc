// Random queries over random rows, against an evaluator that looks at all rows for every result. Rows
// go in in batches of random size, with bounds and restarts between them. Seeds are in the failure.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "sql/application.h"
#include "sql/cast.h"

namespace millstream::sql {
namespace {

constexpr int kSeeds = 40;

struct Row {
  int64_t t;
  std::optional<std::string> k;
  std::optional<int64_t> v;
  int64_t side;
};
using Results = std::vector<std::pair<int64_t, std::string>>;  // ROWTIME and values

struct Random {
  explicit Random(uint64_t seed) : engine(seed) {}
  int64_t Below(int64_t n) { return static_cast<int64_t>(engine() % static_cast<uint64_t>(n)); }
  bool Chance(int percent) { return Below(100) < percent; }
  std::mt19937_64 engine;
};

std::vector<Row> RandomRows(Random& random, int64_t rows_min = 50) {
  std::vector<Row> rows;
  int64_t t = 1'000'000'000 + random.Below(100'000);
  int64_t keys = 1 + random.Below(6), pace = 1 + random.Below(4000);
  for (int64_t i = 0, n = rows_min + random.Below(300); i < n; ++i) {
    if (!random.Chance(30)) t += random.Below(pace);
    if (random.Chance(2)) t += 40'000;
    Row row{t, "k" + std::to_string(random.Below(keys)), random.Below(40) - 20, random.Below(2)};
    if (random.Chance(4)) row.k.reset();
    if (random.Chance(10)) row.v.reset();
    rows.push_back(row);
  }
  return rows;
}

// Runs the code and gives what stream D got.
Results Answers(const std::string& code, const std::vector<Row>& rows, Random& random,
                int restarts = 20) {
  ApplicationConfig config;
  config.inputs.push_back(
      {"S", {{"K", "VARCHAR(8)"}, {"V", "INTEGER"}, {"SIDE", "INTEGER"}}, false});
  base::ManualClock clock{1'767'225'600'000};
  Results results;
  std::unique_ptr<Application> app;
  auto start = [&] {
    auto created = Application::Create(code, config, clock);
    ASSERT_TRUE(created) << code << "\n" << created.error().message();
    app = std::move(*created);
    auto columns = *app->Columns("D");
    ASSERT_TRUE(app->SetSink("D", [&results, columns](const Batch& batch) {
      for (int i = 0; i < batch.rows; ++i) {
        std::string line;
        for (std::size_t c = 0; c < columns.size(); ++c) {
          if (c > 0) line += ' ';
          if (batch.columns[c]->valid()[i] == 0) {
            line += "NULL";
          } else {
            AppendText(columns[c].type, *batch.columns[c], i, line);
          }
        }
        results.emplace_back(batch.rowtime[i], line);
      }
    }));
    app->SetErrorSink([](const ErrorRow& e) { ADD_FAILURE() << e.name << ": " << e.message; });
  };
  start();
  if (app == nullptr) return results;
  RowBuffer buffer({Physical::kString, Physical::kInt, Physical::kInt, Physical::kInt});
  for (std::size_t i = 0; i < rows.size();) {
    std::size_t n = std::min<std::size_t>(rows.size() - i,
                                          static_cast<std::size_t>(1 + random.Below(60)));
    buffer.Clear();
    for (std::size_t r = i; r < i + n; ++r) {
      int at = buffer.rows();
      auto set = [&](int column, const std::optional<int64_t>& v) {
        buffer.column(column).SetValue(
            at, v ? Value::Int(MakeType(Kind::kInteger), *v) : Value::Null(), buffer.arena());
      };
      buffer.column(0).SetValue(at, rows[r].k ? Value::String(*rows[r].k) : Value::Null(),
                                buffer.arena());
      set(1, rows[r].v);
      set(2, rows[r].side);
      set(3, rows[r].t);
      buffer.Commit(rows[r].t);
    }
    i += n;
    EXPECT_TRUE(app->Push("S", buffer.view()));
    if (random.Chance(20)) {
      EXPECT_TRUE(app->Advance("S", rows[i - 1].t));
    }
    if (random.Chance(restarts)) {
      std::string state = app->Save();
      start();
      auto restored = app->Restore(state);
      EXPECT_TRUE(restored) << restored.error().message();
    }
  }
  EXPECT_TRUE(app->Advance("S", INT64_MAX));
  return results;
}

// COUNT(*), COUNT(v), SUM(v), MIN(v), MAX(v), AVG(v) of some rows, as text.
std::string Summary(const std::vector<const Row*>& rows) {
  int64_t count = 0, sum = 0, low = INT64_MAX, high = INT64_MIN;
  for (const Row* r : rows) {
    if (!r->v) continue;
    ++count;
    sum += *r->v;
    low = std::min(low, *r->v);
    high = std::max(high, *r->v);
  }
  std::string out = std::to_string(rows.size()) + " " + std::to_string(count);
  if (count == 0) return out + " NULL NULL NULL NULL";
  return out + " " + std::to_string(sum) + " " + std::to_string(low) + " " + std::to_string(high) +
         " " + std::to_string(sum / count);
}
constexpr const char* kSummary = "COUNT(*), COUNT(v), SUM(v), MIN(v), MAX(v), AVG(v)";
constexpr const char* kSummaryColumns =
    "n BIGINT, nv BIGINT, s BIGINT, lo INTEGER, hi INTEGER, av INTEGER";

std::string KeyText(const Row& row) { return row.k.value_or("NULL"); }
int64_t Floor(int64_t t, int64_t step) { return t / step * step; }
std::string Seconds(int64_t ms) {
  return "'" + std::to_string(ms / 1000) + "." + std::to_string(1000 + ms % 1000).substr(1) +
         "' SECOND(6,3)";
}

// Distinct values, in one word: a set of what is there.
std::string DistinctOf(const std::vector<const Row*>& rows) {
  std::set<int64_t> values;
  for (const Row* r : rows) {
    if (r->v) values.insert(*r->v);
  }
  return std::to_string(values.size());
}

class Differential : public testing::TestWithParam<int> {
 protected:
  uint64_t seed() const { return static_cast<uint64_t>(GetParam()); }
};

TEST_P(Differential, TumblingWindows) {
  Random random(seed());
  std::vector<Row> rows = RandomRows(random);
  int64_t step = 1000 * (1 + random.Below(30));
  bool keyed = random.Chance(70), filtered = random.Chance(50);
  std::string code = std::string("CREATE STREAM D (k VARCHAR(8), ") + kSummaryColumns +
                     ", d BIGINT);\nCREATE PUMP P AS INSERT INTO D SELECT STREAM " +
                     (keyed ? "k" : "'-'") + ", " + kSummary + ", COUNT(DISTINCT v) FROM S" +
                     (filtered ? " WHERE v > -5" : "") + " GROUP BY STEP(S.ROWTIME BY INTERVAL '" +
                     std::to_string(step / 1000) + "' SECOND)" + (keyed ? ", k" : "");
  Results expected;
  std::vector<std::pair<int64_t, std::string>> groups;  // in the order of appearance
  std::map<std::pair<int64_t, std::string>, std::vector<const Row*>> members;
  for (const Row& r : rows) {
    if (filtered && !(r.v && *r.v > -5)) continue;
    auto group = std::pair(Floor(r.t, step), keyed ? KeyText(r) : std::string("-"));
    if (members.count(group) == 0) groups.push_back(group);
    members[group].push_back(&r);
  }
  for (const auto& group : groups) {
    expected.emplace_back(group.first + step, group.second + " " + Summary(members[group]) + " " +
                                                  DistinctOf(members[group]));
  }
  EXPECT_EQ(Answers(code, rows, random), expected) << "seed " << seed() << "\n" << code;
}

TEST_P(Differential, SlidingWindows) {
  Random random(seed());
  std::vector<Row> rows = RandomRows(random);
  bool by_rows = random.Chance(50), keyed = random.Chance(70);
  int64_t size = by_rows ? random.Below(20) : random.Below(20'000);
  // Without functions that look at single rows, another implementation runs.
  bool unbounded = random.Chance(15), positions = random.Chance(40);
  std::string window = std::string("(") + (keyed ? "PARTITION BY k " : "") +
                       (unbounded ? "ROWS UNBOUNDED"
                        : by_rows ? "ROWS " + std::to_string(size)
                                  : "RANGE INTERVAL " + Seconds(size)) +
                       " PRECEDING)";
  std::string code = std::string("CREATE STREAM D (k VARCHAR(8), ") + kSummaryColumns +
                     ", least DOUBLE, x BOOLEAN, nk BIGINT" + (positions ? ", f INTEGER, l INTEGER, g INTEGER, d BIGINT, sd BIGINT, list VARCHAR(9999), low DOUBLE" : "") +
                     ");\nCREATE PUMP P AS INSERT INTO D SELECT STREAM k, "
                     "COUNT(*) OVER w, COUNT(v) OVER w, SUM(v) OVER w, MIN(v) OVER w, MAX(v) OVER w, "
                     "AVG(v) OVER w, MIN(v / 2.0E0) OVER w, ANY(v > 15) OVER w, COUNT(k) OVER w" +
                     (positions ? ", FIRST_VALUE(v) OVER w, LAST_VALUE(v) OVER w, LAG(v, 2) OVER w, COUNT(DISTINCT v) OVER w, "
                                 "SUM(DISTINCT v) OVER w, LISTAGG(k, '+') OVER w, "
                                 "PERCENTILE_DISC(0.25) WITHIN GROUP (ORDER BY v) OVER w" : "") +
                     " FROM S WINDOW w AS " + window;
  Results expected;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<const Row*> in;
    for (std::size_t j = 0; j <= i; ++j) {
      if (keyed && rows[j].k != rows[i].k) continue;
      if (!by_rows && !unbounded && rows[j].t < rows[i].t - size) continue;
      in.push_back(&rows[j]);
    }
    if (by_rows && !unbounded && static_cast<int64_t>(in.size()) > size + 1) {
      in.erase(in.begin(), in.end() - static_cast<std::ptrdiff_t>(size + 1));
    }
    auto text = [](const Row* r) { return r != nullptr && r->v ? std::to_string(*r->v) : "NULL"; };
    std::optional<int64_t> least, most;
    int64_t keys = 0;
    for (const Row* r : in) {
      keys += r->k ? 1 : 0;
      if (!r->v) continue;
      least = std::min(least.value_or(*r->v), *r->v);
      most = std::max(most.value_or(*r->v), *r->v);
    }
    std::string half = "NULL";
    if (least) half = std::to_string(*least / 2) + (*least % 2 == 0 ? ".0" : ".5");
    if (least && *least == -1) half = "-0.5";
    std::string line = KeyText(rows[i]) + " " + Summary(in) + " " + half + " " +
                       (!most ? "NULL" : *most > 15 ? "TRUE" : "FALSE") + " " + std::to_string(keys);
    if (positions) {
      line += " " + text(in.front()) + " " + text(in.back()) + " " + text(in.size() > 2 ? in[in.size() - 3] : nullptr);
      std::vector<int64_t> values;
      std::string list;
      for (const Row* r : in) {
        if (r->v) values.push_back(*r->v);
        if (r->k) list += (list.empty() ? "" : "+") + *r->k;
      }
      std::sort(values.begin(), values.end());
      std::string quarter = values.empty() ? "NULL" : std::to_string(values[(values.size() + 3) / 4 - 1]) + ".0";
      values.erase(std::unique(values.begin(), values.end()), values.end());
      int64_t sum = 0;
      for (int64_t v : values) sum += v;
      line += " " + std::to_string(values.size()) + " " + (values.empty() ? "NULL" : std::to_string(sum)) + " " +
              (list.empty() ? "NULL" : list) + " " + quarter;
    }
    expected.emplace_back(rows[i].t, line);
  }
  EXPECT_EQ(Answers(code, rows, random), expected) << "seed " << seed() << "\n" << code;
}

TEST_P(Differential, LookingAhead) {
  Random random(seed());
  std::vector<Row> rows = RandomRows(random);
  const int64_t wait = random.Below(20'000), n = random.Below(4);
  const bool keyed = random.Chance(70), skip = random.Chance(50), fallback = random.Chance(50);
  std::string code = "CREATE STREAM D (k VARCHAR(8), v INTEGER, later INTEGER, kk VARCHAR(8), c BIGINT);\n"
                     "CREATE PUMP P AS INSERT INTO D SELECT STREAM k, v, LEAD(v, " + std::to_string(n) +
                     (fallback ? ", 100 + side" : "") + ")" + (skip ? " IGNORE NULLS" : "") + " OVER w, "
                     "LEAD(k) OVER (RANGE BETWEEN CURRENT ROW AND INTERVAL '5' SECOND FOLLOWING), COUNT(*) OVER () "
                     "FROM S WINDOW w AS (" + (keyed ? "PARTITION BY k " : "") + "RANGE INTERVAL " + Seconds(wait) + " FOLLOWING)";
  Results expected;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto text = [](const std::optional<int64_t>& v) { return v ? std::to_string(*v) : "NULL"; };
    std::string later = fallback ? std::to_string(100 + rows[i].side) : "NULL";
    if (n == 0) later = text(rows[i].v);
    int64_t ahead = 0;
    for (std::size_t j = i + 1; j < rows.size() && n > 0 && rows[j].t <= rows[i].t + wait; ++j) {
      if ((keyed && rows[j].k != rows[i].k) || (skip && !rows[j].v) || ++ahead < n) continue;
      later = text(rows[j].v);
      break;
    }
    const bool next = i + 1 < rows.size() && rows[i + 1].t <= rows[i].t + 5000;
    expected.emplace_back(rows[i].t, KeyText(rows[i]) + " " + text(rows[i].v) + " " + later + " " +
                                         (next ? KeyText(rows[i + 1]) : "NULL") + " " + std::to_string(i + 1));
  }
  EXPECT_EQ(Answers(code, rows, random), expected) << "seed " << seed() << "\n" << code;
}

TEST_P(Differential, StaggeredWindows) {
  Random random(seed());
  std::vector<Row> rows = RandomRows(random);
  int64_t size = 1000 * (1 + random.Below(20));
  std::string code = std::string("CREATE STREAM D (k VARCHAR(8), ") + kSummaryColumns +
                     ");\nCREATE PUMP P AS INSERT INTO D SELECT STREAM k, " + kSummary +
                     " FROM S WINDOWED BY STAGGER (PARTITION BY k RANGE INTERVAL " + Seconds(size) + ")";
  Results expected;
  std::vector<bool> used(rows.size(), false);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (used[i]) continue;  // otherwise it opens a window
    std::vector<const Row*> in;
    for (std::size_t j = i; j < rows.size() && rows[j].t < rows[i].t + size; ++j) {
      if (rows[j].k != rows[i].k) continue;
      in.push_back(&rows[j]);
      used[j] = true;
    }
    expected.emplace_back(rows[i].t + size, KeyText(rows[i]) + " " + Summary(in));
  }
  EXPECT_EQ(Answers(code, rows, random), expected) << "seed " << seed() << "\n" << code;
}

TEST_P(Differential, HoppingWindows) {
  Random random(seed());
  std::vector<Row> rows = RandomRows(random);
  int64_t slide = 1000 * (1 + random.Below(10)), size = 1000 * (1 + random.Below(30));
  bool cumulate = random.Chance(30);
  if (cumulate) size = slide * (1 + random.Below(6));
  std::string code = std::string("CREATE STREAM D (k VARCHAR(8), ") + kSummaryColumns +
                     ", d BIGINT);\nCREATE PUMP P AS INSERT INTO D SELECT STREAM k, " + kSummary +
                     ", COUNT(DISTINCT v) FROM " + (cumulate ? "CUMULATE" : "HOP") +
                     "(TABLE S, DESCRIPTOR(ROWTIME), INTERVAL " + Seconds(slide) + ", INTERVAL " +
                     Seconds(size) + ") GROUP BY window_start, window_end, k";
  Results expected;
  for (int64_t end = Floor(rows.front().t, slide) + slide; end <= rows.back().t + size + slide;
       end += slide) {
    int64_t start = cumulate ? Floor(end - 1, size) : end - size;
    std::vector<std::string> keys;
    std::map<std::string, std::vector<const Row*>> members;
    for (const Row& r : rows) {
      if (r.t < start || r.t >= end) continue;
      if (members.count(KeyText(r)) == 0) keys.push_back(KeyText(r));
      members[KeyText(r)].push_back(&r);
    }
    for (const std::string& k : keys) {
      expected.emplace_back(end, k + " " + Summary(members[k]) + " " + DistinctOf(members[k]));
    }
  }
  EXPECT_EQ(Answers(code, rows, random), expected) << "seed " << seed() << "\n" << code;
}

TEST_P(Differential, Sessions) {
  Random random(seed());
  std::vector<Row> rows = RandomRows(random);
  int64_t gap = 1 + random.Below(6000);
  std::string code = std::string("CREATE STREAM D (k VARCHAR(8), start_ms BIGINT, ") + kSummaryColumns +
                     ");\nCREATE PUMP P AS INSERT INTO D SELECT STREAM k, UNIX_TIMESTAMP(window_start), " +
                     kSummary + " FROM SESSION(TABLE S PARTITION BY k, DESCRIPTOR(ROWTIME), INTERVAL " +
                     Seconds(gap) + ") GROUP BY window_start, window_end, k";
  Results expected;
  std::vector<bool> used(rows.size(), false);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (used[i]) continue;
    std::vector<const Row*> in;
    for (std::size_t j = i; j < rows.size(); ++j) {
      if (rows[j].k != rows[i].k) continue;
      if (!in.empty() && rows[j].t >= in.back()->t + gap) break;
      in.push_back(&rows[j]);
      used[j] = true;
    }
    expected.emplace_back(in.back()->t + gap, KeyText(rows[i]) + " " + std::to_string(rows[i].t) +
                                                  " " + Summary(in));
  }
  std::stable_sort(expected.begin(), expected.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  EXPECT_EQ(Answers(code, rows, random), expected) << "seed " << seed() << "\n" << code;
}

TEST_P(Differential, Joins) {
  Random random(seed());
  const bool many = seed() % 5 == 0;  // so many that what is kept is given back in between
  std::vector<Row> rows = RandomRows(random, many ? 4000 : 50);
  static constexpr const char* kKinds[] = {"JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"};
  int kind = static_cast<int>(random.Below(4));
  int64_t size[2] = {random.Below(10'000), random.Below(10'000)};
  bool extra = random.Chance(50);
  std::string code =
      "CREATE STREAM L (k VARCHAR(8), v INTEGER);\n"
      "CREATE PUMP PL AS INSERT INTO L SELECT STREAM k, v FROM S WHERE side = 0;\n"
      "CREATE STREAM R (k VARCHAR(8), v INTEGER);\n"
      "CREATE PUMP PR AS INSERT INTO R SELECT STREAM k, v FROM S WHERE side = 1;\n"
      "CREATE STREAM D (lk VARCHAR(8), lv INTEGER, rk VARCHAR(8), rv INTEGER);\n"
      "CREATE PUMP P AS INSERT INTO D SELECT STREAM l.k, l.v, r.k, r.v FROM L OVER (RANGE INTERVAL " +
      Seconds(size[0]) + " PRECEDING) AS l " + kKinds[kind] + " R OVER (RANGE INTERVAL " +
      Seconds(size[1]) + " PRECEDING) AS r ON l.k = r.k" + (extra ? " AND l.v < r.v" : "");
  // Rows meet in the order of ROWTIME, the left first.
  std::vector<Row> ordered = rows;
  std::stable_sort(ordered.begin(), ordered.end(), [](const Row& a, const Row& b) {
    return a.t != b.t ? a.t < b.t : a.side < b.side;
  });
  auto text = [](const Row* r) {
    return r == nullptr ? std::string("NULL NULL")
                        : KeyText(*r) + " " + (r->v ? std::to_string(*r->v) : "NULL");
  };
  Results expected;
  std::vector<bool> matched(ordered.size(), false);
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const Row &a = ordered[i], &b = ordered[j];
      if (a.side == b.side || !a.k || !b.k || *a.k != *b.k) continue;
      if (b.t < a.t - size[b.side]) continue;
      const Row &l = a.side == 0 ? a : b, &r = a.side == 0 ? b : a;
      if (extra && !(l.v && r.v && *l.v < *r.v)) continue;
      expected.emplace_back(a.t, text(&l) + " " + text(&r));
      matched[i] = matched[j] = true;
    }
  }
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    const Row& r = ordered[i];
    bool preserved = kind == 3 || (kind == 1 && r.side == 0) || (kind == 2 && r.side == 1);
    if (matched[i] || !preserved) continue;
    expected.emplace_back(r.t + size[r.side], r.side == 0 ? text(&r) + " " + text(nullptr)
                                                          : text(nullptr) + " " + text(&r));
  }
  Results got = Answers(code, rows, random, many ? 1 : 20);
  EXPECT_TRUE(std::is_sorted(got.begin(), got.end(),
                             [](const auto& a, const auto& b) { return a.first < b.first; }))
      << "results ascend in ROWTIME; seed " << seed();
  std::sort(got.begin(), got.end());
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(got, expected) << "seed " << seed() << "\n" << code;
}

// Rows out of order by less than the watermark's delay, and some by more, which are refused.
TEST_P(Differential, Watermarks) {
  Random random(seed());
  const bool many = seed() % 5 == 0;
  std::vector<Row> rows = RandomRows(random, many ? 4000 : 50);
  const int64_t delay = random.Below(8000);
  const int64_t disorder = random.Chance(30) ? 0 : random.Below(10'000);
  int64_t high = INT64_MIN;
  std::vector<Row> ordered;
  for (Row& row : rows) {
    // v is the row's own time, in hundredths of a second.
    row.v = (row.t - rows.front().t) / 10 - random.Below(disorder / 10 + 1);
    const int64_t t = *row.v * 10;
    if (high != INT64_MIN && t < high - delay) {
      row.v.reset();  // no time: dropped as well
      continue;
    }
    high = std::max(high, t);
    ordered.push_back(row);
  }
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const Row& a, const Row& b) { return *a.v < *b.v; });
  Results expected;
  for (const Row& row : ordered) {
    expected.emplace_back(*row.v * 10, KeyText(row) + " " + std::to_string(*row.v));
  }
  std::string code =
      "CREATE STREAM D (at_time TIMESTAMP, k VARCHAR(8), v INTEGER, WATERMARK FOR at_time AS at_time - INTERVAL " +
      Seconds(delay) + ");\nCREATE PUMP P AS INSERT INTO D SELECT STREAM TO_TIMESTAMP(v * 10), k, v FROM S";
  Results got = Answers(code, rows, random, many ? 1 : 20);
  for (auto& [t, text] : got) text = text.substr(text.find(' ', text.find(' ') + 1) + 1);
  EXPECT_EQ(got, expected) << "seed " << seed() << "\n" << code;
}

INSTANTIATE_TEST_SUITE_P(Seeds, Differential, testing::Range(1, kSeeds + 1));

}  // namespace
}  // namespace millstream::sql
