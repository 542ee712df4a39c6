#include "sql/flat_json.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>

#include "codec/json_value.h"
#include "sql/input_schema.h"

namespace millstream::sql {
namespace {

enum class Kind { kText, kEscaped, kNumber, kWord, kNested };
struct Given {
  int place;
  Kind kind;
  std::string text;
  friend bool operator==(const Given&, const Given&) = default;
};

struct Sink {
  std::vector<Given> given = {};
  std::vector<FlatJson::Number> numbers = {};
  bool Add(int place, Kind kind, std::string_view text) {
    given.push_back({place, kind, std::string(text)});
    return true;
  }
  bool ShortText(int place, std::string_view text) { return Text(place, text); }
  bool Text(int place, std::string_view text) { return Add(place, Kind::kText, text); }
  bool Escaped(int place, std::string_view raw) { return Add(place, Kind::kEscaped, raw); }
  bool Nested(int place, std::string_view raw) { return Add(place, Kind::kNested, raw); }
  bool Numeric(int place, const FlatJson::Number& number) {
    numbers.push_back(number);
    return Add(place, Kind::kNumber, number.text);
  }
  bool Named(int place, FlatJson::Word word) {
    return Add(place, Kind::kWord,
               word == FlatJson::Word::kNull   ? "null"
               : word == FlatJson::Word::kTrue ? "true"
                                               : "false");
  }
};

FlatJson Members(std::initializer_list<const char*> names) {
  std::vector<std::vector<std::string>> paths;
  for (const char* name : names) paths.push_back({name});
  return FlatJson(paths);
}

// Whether all of the record could be read, as a record and as a line.
bool Read(FlatJson& json, std::string_view record, std::vector<Given>* given = nullptr) {
  Sink sink, line_sink;
  const char* end = record.data() + record.size();
  const char* at = json.Read(record.data(), end, sink);
  const std::string line = std::string(record) + "\n{\"next\":\"line\"}\n";
  const char* stop = json.ReadLine(line.data(), line.data() + line.size(), line_sink);
  const bool read = at == end;
  if (record.find('\n') == std::string_view::npos) {
    EXPECT_EQ(stop == line.data() + record.size(), read) << record;
    if (read) {
      EXPECT_EQ(sink.given, line_sink.given) << record;
    }
  }
  if (given != nullptr) given->insert(given->end(), sink.given.begin(), sink.given.end());
  return read;
}

TEST(FlatJsonTest, GivesWantedMembersInAnyOrder) {
  FlatJson json = Members({"a", "b"});
  std::vector<Given> given;
  EXPECT_TRUE(Read(json, R"({"x": 1.5, "a": "one", "y": null, "b": -12})", &given));
  EXPECT_TRUE(Read(json, R"({"b":true,"a":2.50})", &given));
  EXPECT_TRUE(Read(json, R"({"a":"","x":false})", &given));
  EXPECT_TRUE(Read(json, "{ \"a\" : [1, \"]\"]\t,\r\n\n \"b\" :null }", &given));
  EXPECT_TRUE(Read(json, R"({"\u0061":"\"\ud83d\ude00","x":"\\","b":"\u00e9"})", &given));
  EXPECT_EQ(given, (std::vector<Given>{{0, Kind::kText, "one"},
                                       {1, Kind::kNumber, "-12"},
                                       {1, Kind::kWord, "true"},
                                       {0, Kind::kNumber, "2.50"},
                                       {0, Kind::kText, ""},
                                       {0, Kind::kNested, "[1, \"]\"]"},
                                       {1, Kind::kWord, "null"},
                                       {0, Kind::kEscaped, R"(\"\ud83d\ude00)"},
                                       {1, Kind::kEscaped, R"(\u00e9)"}}));
}

TEST(FlatJsonTest, GivesUpWhatIsNotJson) {
  FlatJson json = Members({"a"});
  for (const char* record : {"",
                             "{",
                             "[]",
                             R"({"a":1)",
                             R"({"a":1}})",
                             R"({"a":1}{"a":2})",
                             R"({"a":01})",
                             R"({"a":1.})",
                             R"({"a":.5})",
                             R"({"a":-})",
                             R"({"a":1e})",
                             R"({"a":1e+})",
                             R"({"a":tru})",
                             R"({"a":nul})",
                             R"({"a":"x)",
                             R"({"a":"\q"})",
                             R"({"x":"\q","a":1})",
                             R"({"x":["\q"],"a":1})",
                             R"({"a":"\ud800"})",
                             R"({"a":"\ud800\u0041"})",
                             R"({"a":"\u12g4"})",
                             "{\"a\":\"\n\"}",
                             "{\"a\":\"\t\"}",
                             "{\"a\":\"\xff\"}",
                             "{\"\xff\":1}",
                             "{\"x\":[\"\xff\"]}",
                             R"({"a":-01})",
                             R"({"x":01})",
                             R"({"x":1-2})",
                             R"({"a":1,})",
                             R"({a:1})",
                             R"({"a":1 "b":2})",
                             R"({"x":[1},"a":1})",
                             "{\"a\":1} x"}) {
    EXPECT_FALSE(Read(json, record)) << record;
    EXPECT_TRUE(Read(json, R"({"a":1})"));  // and goes on
  }
}

TEST(FlatJsonTest, StepsOverNestedValuesThatNobodyWants) {
  FlatJson json = Members({"a"});
  std::vector<Given> given;
  EXPECT_TRUE(Read(json, R"({"x":{"a":[1,{"b":"]}"}],"c":null},"a":1,"y":[]})", &given));
  EXPECT_EQ(given, (std::vector<Given>{{0, Kind::kNumber, "1"}}));
  EXPECT_FALSE(Read(json, "{\"x\":" + std::string(65, '[') + std::string(65, ']') + ",\"a\":1}"));
}

TEST(FlatJsonTest, MembersOfMembersAreGiven) {
  std::vector<std::vector<std::string>> paths = {{"d", "h", "s"}, {"d", "u"}, {"t"}};
  FlatJson json(paths);
  std::vector<Given> given;
  EXPECT_TRUE(Read(json, R"({"d":{"u":"x","h":{"z":[],"s":1}},"t":2})", &given));
  EXPECT_TRUE(Read(json, R"({"d":{"h":{}},"t":3})", &given));
  EXPECT_TRUE(Read(json, R"({"d":null,"t":4})", &given));
  EXPECT_TRUE(Read(json, R"({"d":[{"u":1}],"t":5})", &given));
  EXPECT_EQ(given, (std::vector<Given>{{1, Kind::kText, "x"},
                                       {0, Kind::kNumber, "1"},
                                       {2, Kind::kNumber, "2"},
                                       {2, Kind::kNumber, "3"},
                                       {2, Kind::kNumber, "4"},
                                       {2, Kind::kNumber, "5"}}));
  EXPECT_FALSE(Read(json, R"({"d":{"u":"x"},"d":{"h":{}}})"));
  EXPECT_FALSE(Read(json, R"({"d":{"u":"x"},"d":1})"));

  std::vector<std::vector<std::string>> in_rows = {{"r", "a"}};
  std::vector<std::string> rows = {"r"};
  FlatJson inner(in_rows, rows);
  EXPECT_TRUE(Read(inner, R"({"r":{"a":1}})"));
  EXPECT_TRUE(Read(inner, R"({"r":{}})"));
  EXPECT_FALSE(Read(inner, R"({"r":[{"a":1}]})"));
  EXPECT_FALSE(Read(inner, R"({"x":1})"));
}

TEST(FlatJsonTest, NumbersAreTheNearestDoubles) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  FlatJson json = Members({"a"});
  auto digits = [&](uint64_t count) {
    std::string out;
    for (; count > 0; --count) out += static_cast<char>('0' + random() % 10);
    return out;
  };
  for (int i = 0; i < 50'000; ++i) {
    std::string text = random() % 4 == 0 ? "-" : "";
    text += random() % 4 == 0 ? "0" : std::to_string(random() % 9 + 1) + digits(random() % 12);
    const bool whole = random() % 3 == 0;
    if (!whole) text += "." + digits(random() % 12 + 1);
    const bool exponent = random() % 8 == 0;
    if (exponent) text += random() % 2 == 0 ? "e-3" : "E+2";
    // Near the end of the record, where few bytes can be read, and far from it.
    const std::string record =
        "{\"a\":" + text +
        (random() % 2 == 0 ? "}" : ",\"more\":\"" + std::string(40, 'x') + "\"}");
    Sink sink;
    ASSERT_NE(json.Read(record.data(), record.data() + record.size(), sink), nullptr) << record;
    ASSERT_EQ(sink.numbers.size(), 1u);
    const FlatJson::Number& number = sink.numbers[0];
    ASSERT_EQ(number.text, text);
    if (exponent) {
      ASSERT_EQ(number.scale, -1) << text;
    }
    if (number.scale < 0) continue;
    ASSERT_EQ(number.whole(), whole) << text;
    if (number.whole()) {
      ASSERT_EQ(number.digits, std::stoll(text));
    }
    if (!number.has_double()) continue;
    const double expected = std::stod(text);
    ASSERT_EQ(number.AsDouble(), expected) << text;
    ASSERT_EQ(std::signbit(number.AsDouble()), std::signbit(expected)) << text;
  }
}

TEST(FlatJsonTest, LongNumbersAreTexts) {
  FlatJson json = Members({"a"});
  for (const char* number : {"9999999999999999999", "-9999999999999999999", "9.999999999999999999",
                             "0.1234567890123456789", "1e400", "-0", "-0.000"}) {
    const std::string record = "{\"a\":" + std::string(number) + "}";
    Sink sink;
    ASSERT_NE(json.Read(record.data(), record.data() + record.size(), sink), nullptr);
    EXPECT_EQ(sink.numbers[0].scale, -1) << number;
    EXPECT_EQ(sink.numbers[0].text, number);
  }
}

TEST(FlatJsonTest, MoreMembersThanAreKeptAreRead) {
  FlatJson json = Members({"a"});
  std::vector<Given> given;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(Read(json,
                     "{\"m" + std::to_string(i) + "\":1,\"n" + std::to_string(i) +
                         "\":[],\"a\":" + std::to_string(i) + "}",
                     &given));
    EXPECT_EQ(given.back(), (Given{0, Kind::kNumber, std::to_string(i)}));
  }
  EXPECT_TRUE(Read(json, R"({"a":1})"));
}

TEST(FlatJsonTest, NamesOfAnyLengthAreTold) {
  std::vector<std::vector<std::string>> paths;
  for (std::size_t size = 1; size < 80; ++size) {
    paths.push_back({std::string(size, 'x') + "1"});
    paths.push_back({std::string(size, 'x') + "2"});
  }
  FlatJson json(paths);
  for (int round = 0; round < 3; ++round) {
    for (std::size_t place = 0; place < paths.size(); ++place) {
      std::vector<Given> given;
      EXPECT_TRUE(Read(json, "{\"" + paths[place][0] + "\":1}", &given));
      EXPECT_EQ(given, (std::vector<Given>{{static_cast<int>(place), Kind::kNumber, "1"}}));
    }
  }
}

// Maps records in one of the ways there are, which must not differ.
class Mapped : public LineFacts {
 public:
  enum class Way { kTree, kRecords, kLines };
  Mapped(InputSchema schema, Way way) : way_(way), columns_(schema.columns.size()) {
    // A column of an element, which no record has, turns every quick way off.
    if (way == Way::kTree) schema.columns.push_back({"OFF", "INTEGER", "$.none[7]"});
    auto mapper = InputMapper::Create(
        schema, false, [this](const Batch& rows) { Take(rows); },
        [this](std::string, int64_t, std::string_view record) {
          out_ += "error " + std::string(record) + "\n";
        });
    EXPECT_TRUE(mapper) << mapper.error().message();
    mapper_ = std::move(*mapper);
  }

  // The rows and errors of records, as text. A record that is the last line may lack its end.
  std::string Map(const std::string& record, bool with_end = true) {
    out_.clear();
    if (way_ == Way::kLines) {
      mapper_->MapLines(record + (with_end ? "\n" : ""), *this);
    } else {
      mapper_->Map(record, {});
    }
    mapper_->Flush();
    return out_;
  }

 private:
  const RecordFacts& Next() override { return facts_; }
  void Take(const Batch& rows) {
    for (int i = 0; i < rows.rows; ++i) {
      for (std::size_t c = 0; c < columns_; ++c) {
        const Vector& v = *rows.columns[c];
        out_ += '|';
        if (v.valid()[i] == 0) {
          EXPECT_TRUE(v.has_nulls());
          out_ += "NULL";
        } else if (v.physical() == Physical::kString) {
          out_ += v.strings()[i];
        } else if (v.physical() == Physical::kDouble) {
          char text[64];
          std::snprintf(text, sizeof text, "%a", v.doubles()[i]);
          out_ += text;
        } else {
          out_ += std::to_string(v.ints()[i]);
        }
      }
      out_ += '\n';
    }
  }

  Way way_;
  std::size_t columns_;
  std::string out_;
  RecordFacts facts_;
  std::unique_ptr<InputMapper> mapper_;
};

// JSON objects of the members below, most of them right.
class RandomRecords {
 public:
  explicit RandomRecords(unsigned seed) : random_(seed) {}

  unsigned Below(std::size_t n) { return static_cast<unsigned>(random_() % n); }
  std::string Pick(const std::vector<std::string>& of) { return of[Below(of.size())]; }

  std::string Next() {
    const std::string space = Pick({"", "", "", " ", "\t "});
    std::string record = Pick({"{", "{", "{", " {", "{ "});
    std::vector<std::string> names = {"t",
                                      "i",
                                      "d",
                                      "b",
                                      "n",
                                      "c",
                                      "x",
                                      "x",
                                      "a_name_of_more_than_16",
                                      "a name of more bytes than are compared at once"};
    if (Below(4) == 0) std::shuffle(names.begin(), names.end(), random_);
    bool first = true;
    for (std::string& name : names) {
      if (Below(8) == 0) continue;
      const bool again = name == "x" && record.find("\"x\"") != std::string::npos;
      if (again && Below(4) != 0) continue;
      if (Below(64) == 0) name = "unknown" + std::to_string(Below(1000));
      if (Below(64) == 0)
        name = Pick({"\\u0074", "\\u0069", "caf\xc3\xa9", "q\\\"", "\xff", "\\q"});
      if (!first) record += "," + space;
      first = false;
      record += "\"" + name + "\"" + (Below(16) == 0 ? " :" : ":") + space;
      record += Below(4) == 0 ? Text() : Pick(values_);
      record += Pick({"", "", "", " "});
    }
    record += Pick({"}", "}", "}", "}\r", "} "});
    if (Below(32) == 0) record += Pick({"{\"t\":\"two\"}", " x", ",", "}", "{"});
    if (Below(24) == 0) record.resize(Below(record.size()) + 1);
    if (Below(12) == 0) {
      static constexpr char kBytes[] = "\"\\{}[],:x0 -.e\x01\xff";
      record[Below(record.size())] = kBytes[Below(sizeof kBytes - 1)];
    }
    return record;
  }

 private:
  std::string Text() {
    std::string text = "\"";
    for (unsigned n = Below(Below(4) == 0 ? 200 : 24); n > 0; --n) {
      text += Below(12) != 0 ? std::string(1, static_cast<char>('a' + Below(26)))
                             : Pick({"\xc3\xa9", "\\n", "\\\"", "\\\\", "\\u00e9", "\\ud83d\\ude00",
                                     "[", "}", " ", "/", "0"});
    }
    return text + Pick({"\"", "\"", "\"", "\"", "\\ud800\"", "\\q\"", "\t\"", "\xc3\""});
  }

  std::mt19937 random_;
  const std::vector<std::string> values_ = {"1",
                                            "-7",
                                            "0",
                                            "2.5",
                                            "-0.125",
                                            "1e2",
                                            "3.14159",
                                            "true",
                                            "false",
                                            "null",
                                            "\"x\"",
                                            "\"12\"",
                                            "\"\"",
                                            "2147483648",
                                            "99999999999999999999",
                                            "0.30000000000000004",
                                            "-0",
                                            "-0.0",
                                            "01",
                                            "1.",
                                            "1E400",
                                            "123456789012",
                                            "0.000000000000000000000001",
                                            "12345678.12345678",
                                            "9007199254740993",
                                            "[1, 2 ]",
                                            "[]",
                                            "{}",
                                            "{\"y\":1}",
                                            "{\"y\":2,\"z\":{\"w\":true}}",
                                            "{\"z\":{\"w\":0,\"v\":[{},[\"]\"]]}}",
                                            "[\"\\\"\",{\"k\":\"\\\\\"}]",
                                            "1234.56",
                                            "\"2026-01-31 10:11:12\"",
                                            "\"2026-01-31T10:11:12.5Z\"",
                                            "\"2026-01-31 10:11:12.123\"",
                                            "\"2026-01-31 10:11:59.999Z\"",
                                            "\"2026-01-31 10:11:61.999\"",
                                            "\"2026-01-31 10:11:12.12x\"",
                                            "\"2026-02-28 10:11:12.123456789\"",
                                            "\"2026-01-31\"",
                                            "\"2026-01-31 10:11:12.1234567890\"",
                                            "\"2026-01-31 24:11:12\"",
                                            "\"2026-13-31 10:11:12\"",
                                            "\"2026-01-31 10:11:12.\"",
                                            "\"2026-01-31 10:11:12+01:00\"",
                                            "\"2026-01-31 1:11:12.5\"",
                                            "\"true\""};
};

TEST(FlatJsonTest, RecordsBecomeTheRowsOfTheTree) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomRecords records(seed);
  InputSchema schema;
  schema.columns = {{"T", "VARCHAR(8)", "$.t"}, {"I", "INTEGER", "$.i"},
                    {"D", "DOUBLE", "$.d"},     {"B", "BOOLEAN", "$.b"},
                    {"N", "TIMESTAMP", "$.n"},  {"C", "DECIMAL(9,3)", "$.c"}};
  const bool flat = records.Below(2) == 0;
  if (!flat) {
    schema.columns[1].mapping = "$.x.y";
    schema.columns[3].mapping = "$.x.z.w";
  }
  if (records.Below(4) == 0) schema.row_path = "$.x";
  Mapped tree(schema, Mapped::Way::kTree), quick(schema, Mapped::Way::kRecords),
      lines(schema, Mapped::Way::kLines);
  std::string all, all_rows;
  int lenient = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string record = records.Next();
    if (record.find_first_not_of(" \r\t") == std::string::npos) continue;  // an empty line
    const std::string rows = quick.Map(record);
    ASSERT_EQ(rows, lines.Map(record)) << record;
    ASSERT_EQ(rows, lines.Map(record, false)) << record;
    all += record + "\n";
    all_rows += rows;
    const std::string expected = tree.Map(record);
    if (rows == expected) continue;
    // Nested values that nobody wants are looked at for brackets and texts only.
    ASSERT_TRUE(expected.starts_with("error") && !codec::JsonDocument::Parse(record)) << record;
    ASSERT_NE(record.find_first_of("[{", record.find('{') + 1), std::string::npos) << record;
    ++lenient;
  }
  EXPECT_LT(lenient, 1000);
  // The same lines together, whatever was learnt from those before.
  Mapped together(schema, Mapped::Way::kLines);
  auto sorted = [](const std::string& text) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      out.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    std::sort(out.begin(), out.end());
    return out;
  };
  EXPECT_TRUE(sorted(together.Map(all)) == sorted(all_rows));
}

TEST(FlatJsonTest, ElementsBecomeTheRowsOfTheTree) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomRecords records(seed);
  for (const char* row_path : {"$", "$[0:]", "$.r", "$.r[0:]", "$.o.r[0:]"}) {
    InputSchema schema;
    schema.row_path = row_path;
    schema.columns = {{"T", "VARCHAR(8)", "$.t"},
                      {"I", "INTEGER", "$.x.y"},
                      {"D", "DOUBLE", "$.d"},
                      {"N", "TIMESTAMP", "$.n"}};
    Mapped tree(schema, Mapped::Way::kTree), quick(schema, Mapped::Way::kRecords),
        lines(schema, Mapped::Way::kLines);
    for (int i = 0; i < 4'000; ++i) {
      std::string array = records.Pick({"[", "[", "[ "});
      for (unsigned n = records.Below(4); n > 0; --n) {
        array += records.Below(16) == 0 ? records.Pick({"1", "null", "[]", "[{}]", "", "\"x\""})
                                        : records.Next();
        if (n > 1) array += records.Pick({",", ",", ",", " , ", " "});
      }
      array += records.Pick({"]", "]", "]", " ]", ",]", ""});
      const std::string other = "{\"a\":[\"]\"],\"r\":" + array + ",\"o\":{\"r\":" + array + "}}";
      std::string record = records.Pick({array, other, other});
      if (records.Below(8) == 0) record += records.Pick({" ", "{\"r\":null}", other, "[]", "x"});
      const std::string rows = quick.Map(record);
      ASSERT_EQ(rows, lines.Map(record)) << record;
      const std::string expected = tree.Map(record);
      if (rows == expected) continue;
      // Nested values that nobody wants are looked at for brackets and texts only.
      ASSERT_NE(expected.find("error"), std::string::npos) << record << "\n" << rows << expected;
      ASSERT_FALSE(codec::JsonDocument::Parse(record)) << record << "\n" << rows << expected;
    }
  }
}

TEST(FlatJsonTest, ManyRowsKeepTheirTexts) {
  InputSchema schema;
  schema.columns = {{"A", "VARCHAR(300)", "$.a"}, {"B", "VARCHAR(20)", "$.b"}};
  Mapped lines(schema, Mapped::Way::kLines);
  std::string text, expected;
  for (unsigned i = 0; i < 3000; ++i) {
    const std::string a(i % 290, static_cast<char>('a' + i % 26)), b = std::to_string(i);
    text += "{\"a\":\"" + a + "\",\"b\":\"" + b + "\"}\n\n\r\n";
    expected += "|" + a + "|" + b + "\n";
  }
  EXPECT_EQ(lines.Map(text, false), expected);
}

}  // namespace
}  // namespace millstream::sql
