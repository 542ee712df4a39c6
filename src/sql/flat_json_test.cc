#include "sql/flat_json.h"

#include <gtest/gtest.h>

#include <random>

#include "sql/input_schema.h"

namespace millstream::sql {
namespace {

struct Given {
  int place;
  FlatJson::Kind kind;
  std::string text;
  friend bool operator==(const Given&, const Given&) = default;
};

FlatJson Members(std::initializer_list<const char*> names) {
  std::vector<std::vector<std::string>> paths;
  for (const char* name : names) paths.push_back({name});
  return FlatJson(paths);
}

bool Read(FlatJson& json, std::string_view record, std::vector<Given>* given = nullptr) {
  return json.Read(record, [&](int place, const FlatJson::Value& value) {
    if (given != nullptr) given->push_back({place, value.kind, std::string(value.text)});
    return true;
  });
}

TEST(FlatJsonTest, GivesWantedMembersInAnyOrder) {
  FlatJson json = Members({"a", "b"});
  std::vector<Given> given;
  EXPECT_TRUE(Read(json, R"({"x": 1.5, "a": "one", "y": null, "b": -12})", &given));
  EXPECT_TRUE(Read(json, R"({"b":true,"a":2.50})", &given));
  EXPECT_TRUE(Read(json, R"({"a":"","x":false} )", &given));
  using Kind = FlatJson::Kind;
  EXPECT_EQ(given, (std::vector<Given>{{0, Kind::kText, "one"},
                                       {1, Kind::kInteger, "-12"},
                                       {1, Kind::kTrue, ""},
                                       {0, Kind::kNumber, "2.50"},
                                       {0, Kind::kText, ""}}));
}

TEST(FlatJsonTest, GivesUpWhatIsNotFlatOrNotJson) {
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
                             R"({"a":"\n"})",
                             "{\"a\":\"\n\"}",
                             "{\"a\":\"\xff\"}",
                             R"({"a":{}})",
                             R"({"a":[1]})",
                             R"({"a" :1})",
                             R"({"a":1,})",
                             R"({a:1})",
                             R"({"a":1 "b":2})",
                             R"({"a":1234567890123456789})",
                             R"({"x":[1},"a":1})",
                             R"({"x":["\n"],"a":1})",
                             "{\"a\":1} x"}) {
    EXPECT_FALSE(Read(json, record)) << record;
    EXPECT_TRUE(Read(json, R"({"a":1})"));  // and goes on
  }
}

TEST(FlatJsonTest, StepsOverNestedValuesThatNobodyWants) {
  FlatJson json = Members({"a"});
  std::vector<Given> given;
  EXPECT_TRUE(Read(json, R"({"x":{"a":[1,{"b":"]}"}],"c":null},"a":1,"y":[]})", &given));
  EXPECT_EQ(given, (std::vector<Given>{{0, FlatJson::Kind::kInteger, "1"}}));
  EXPECT_FALSE(Read(json, "{\"x\":" + std::string(65, '[') + std::string(65, ']') + ",\"a\":1}"));
}

TEST(FlatJsonTest, MembersOfMembersAreGiven) {
  std::vector<std::vector<std::string>> paths = {{"d", "h", "s"}, {"d", "u"}, {"t"}};
  FlatJson json(paths);
  std::vector<Given> given;
  using Kind = FlatJson::Kind;
  EXPECT_TRUE(Read(json, R"({"d":{"u":"x","h":{"z":[],"s":1}},"t":2})", &given));
  EXPECT_TRUE(Read(json, R"({"d":{"h":{}},"t":3})", &given));
  EXPECT_TRUE(Read(json, R"({"d":null,"t":4})", &given));
  EXPECT_TRUE(Read(json, R"({"d":[{"u":1}],"t":5})", &given));
  EXPECT_EQ(given, (std::vector<Given>{{1, Kind::kText, "x"},
                                       {0, Kind::kInteger, "1"},
                                       {2, Kind::kInteger, "2"},
                                       {2, Kind::kInteger, "3"},
                                       {2, Kind::kInteger, "4"},
                                       {2, Kind::kInteger, "5"}}));
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
  std::mt19937_64 random(1);
  FlatJson json = Members({"a"});
  for (int i = 0; i < 20'000; ++i) {
    std::string text = std::to_string(static_cast<int64_t>(random() % 2'000'000) - 1'000'000) + ".";
    for (auto digits = random() % 9 + 1; digits > 0; --digits)
      text += static_cast<char>('0' + random() % 10);
    ASSERT_TRUE(json.Read("{\"a\":" + text + "}", [&](int, const FlatJson::Value& value) {
      EXPECT_EQ(value.text, text);
      if (value.exact) {
        EXPECT_EQ(value.number, std::stod(text)) << text;
      }
      return true;
    }));
  }
}

TEST(FlatJsonTest, ManyDifferentMembersAreBounded) {
  FlatJson json = Members({"a"});
  for (int i = 0; i < 1000; ++i) {
    bool read = Read(json, "{\"m" + std::to_string(i) + "\":1,\"a\":1}");
    EXPECT_EQ(read, i < static_cast<int>(FlatJson::kMembersMax) - 1);
  }
  EXPECT_TRUE(Read(json, R"({"a":1})"));
}

// The rows and errors of a schema, as texts.
std::vector<std::string> Map(InputSchema schema, const std::vector<std::string>& records,
                             bool shaped) {
  // A column of an element, which no record has, turns every quick way off.
  if (!shaped) schema.columns.push_back({"OFF", "INTEGER", "$.none[7]"});
  std::vector<std::string> out;
  auto mapper = InputMapper::Create(
      schema, false,
      [&](const Batch& rows) {
        for (int i = 0; i < rows.rows; ++i) {
          std::string row;
          for (std::size_t c = 0; c < 5; ++c) {
            const Vector& v = *rows.columns[c];
            row += '|';
            if (v.valid()[i] == 0) {
              EXPECT_TRUE(v.has_nulls());
              row += "NULL";
            } else if (v.physical() == Physical::kString) {
              row += v.strings()[i];
            } else if (v.physical() == Physical::kDouble) {
              row += std::to_string(v.doubles()[i]);
            } else {
              row += std::to_string(v.ints()[i]);
            }
          }
          out.push_back(row);
        }
      },
      [&](std::string, int64_t, std::string_view record) {
        out.push_back("error " + std::string(record));
      });
  EXPECT_TRUE(mapper) << mapper.error().message();
  for (const std::string& record : records) {
    (*mapper)->Map(record, {});
    (*mapper)->Flush();  // rows and errors in the order of the records
  }
  return out;
}

TEST(FlatJsonTest, RecordsBecomeTheRowsOfTheSlowWay) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  auto pick = [&](std::initializer_list<const char*> of) {
    return std::string(of.begin()[random() % of.size()]);
  };
  InputSchema schema;
  schema.columns = {{"T", "VARCHAR(8)", "$.t"},
                    {"I", "INTEGER", "$.i"},
                    {"D", "DOUBLE", "$.d"},
                    {"B", "BOOLEAN", "$.b"},
                    {"N", "TIMESTAMP", "$.n"}};
  if (random() % 2 == 0) {
    schema.columns[1].mapping = "$.x.y";
    schema.columns[3].mapping = "$.x.z.w";
  }
  if (random() % 4 == 0) schema.row_path = "$.x";
  std::vector<std::string> records;
  for (int i = 0; i < 3000; ++i) {
    std::string space = pick({"", "", " ", "  "});
    std::string record = pick({"{", "{", " {", "{ "});
    bool first = true;
    std::vector<const char*> names = {"t", "i", "d", "b", "n", "x", "x", "a_name_of_more_than_16"};
    if (random() % 4 == 0) std::shuffle(names.begin(), names.end(), random);
    for (const char* name : names) {
      if (random() % 8 == 0) continue;
      if (name == std::string("x") && random() % 4 != 0 &&
          record.find("\"x\"") != std::string::npos)
        continue;
      if (!first) record += "," + space;
      first = false;
      record += "\"" + std::string(name) + "\":" + space;
      record += pick({"1",
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
                      "\"a longer text than the column\"",
                      "\"\"",
                      "\"caf\xc3\xa9\"",
                      "\"q\\\"x\"",
                      "2147483648",
                      "99999999999999999999",
                      "0.30000000000000004",
                      "[1,2]",
                      "{\"y\":1}",
                      "1234.56",
                      "\"2026-01-31 10:11:12\"",
                      "\"2026-01-31T10:11:12.5Z\"",
                      "\"2026-02-28 10:11:12.123456789\"",
                      "\"2026-01-31\"",
                      "\"2026-01-31 24:11:12\"",
                      "\"2026-13-31 10:11:12\"",
                      "\"2026-01-31 10:11:12.\"",
                      "\"2026-01-31 10:11:12+01:00\"",
                      "\"2026-01-31 1:11:12.5\"",
                      "\"true\""});
      record += pick({"", "", "", " "});
    }
    record += pick({"}", "}", "}\r", "} "});
    if (random() % 16 == 0 && record.size() > 2) record.resize(random() % record.size());
    records.push_back(record);
  }
  auto slow = Map(schema, records, false);
  auto shaped = Map(schema, records, true);
  ASSERT_EQ(slow.size(), shaped.size());
  for (std::size_t i = 0; i < slow.size(); ++i) ASSERT_EQ(shaped[i], slow[i]);
}

TEST(FlatJsonTest, NineteenDigitsAreGivenUpWithoutOverflow) {
  for (const char* number : {"9999999999999999999", "-9999999999999999999", "9.999999999999999999"}) {
    const std::vector<std::vector<std::string>> paths(1, std::vector<std::string>(1, "a"));
    FlatJson reader(paths);
    EXPECT_FALSE(reader.Read("{\"a\":" + std::string(number) + "}",
                             [](int, const FlatJson::Value&) { return true; }))
        << number;
  }
}

}  // namespace
}  // namespace millstream::sql
