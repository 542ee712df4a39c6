#include "analytics/discover.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "codec/json_span.h"
#include "codec/json_value.h"
#include "codec/json_writer.h"
#include "sql/cast.h"
#include "sql/datetime.h"
#include "sql/lexer.h"

namespace millstream::analytics {
namespace {

using base::Code;
using base::Fail;
using base::Result;
using codec::JsonValue;

constexpr std::size_t kColumnsMax = 1000;
constexpr std::size_t kNameCharactersMax = 100;

std::size_t Characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

// What all values of a column had in common.
class Evidence {
 public:
  void AddNumber(std::string_view text) {
    ++values_;
    characters_ = std::max(characters_, text.size());
    bools_ = dates_ = timestamps_ = false;
    NoteNumber(text);
  }
  void AddBool(bool value) {
    ++values_;
    characters_ = std::max(characters_, value ? std::size_t{4} : std::size_t{5});
    numbers_ = dates_ = timestamps_ = false;
  }
  void AddText(std::string_view text) {
    ++values_;
    characters_ = std::max(characters_, Characters(text));
    bools_ = numbers_ = false;
    NoteTime(text);
  }
  void AddStructure(std::string_view text) {
    ++values_;
    characters_ = std::max(characters_, Characters(text));
    bools_ = numbers_ = dates_ = timestamps_ = false;
  }
  // A field of CSV: text that may be anything.
  void AddField(std::string_view text) {
    ++values_;
    characters_ = std::max(characters_, Characters(text));
    if (numbers_) NoteNumber(text);
    bools_ = bools_ && (text == "true" || text == "false");
    NoteTime(text);
  }

  bool any() const { return values_ > 0; }
  bool typed() const { return any() && (numbers_ || bools_ || dates_ || timestamps_); }

  // `small_integers`: JSON integers become TINYINT and so on, those of CSV INTEGER.
  std::string Type(bool small_integers, bool wide) const {
    if (!any()) return Varchar(wide);
    if (bools_) return "BOOLEAN";
    if (numbers_) return NumberType(small_integers, wide);
    if (timestamps_) return "TIMESTAMP";
    if (dates_) return "DATE";
    return Varchar(wide);
  }

 private:
  void NoteNumber(std::string_view text) {
    double value = 0;
    if (!sql::ParseDouble(text, value)) {
      numbers_ = false;
      return;
    }
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
    std::size_t point = text.find('.');
    if (text.find_first_not_of("0123456789.") != std::string_view::npos) {
      approximate_ = true;  // an exponent
    } else if (point == std::string_view::npos) {
      digits_before_ = std::max(digits_before_, text.size());
      int64_t whole = 0;
      auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
      if (error != std::errc()) approximate_ = true;
      largest_ = std::max(largest_, whole);
    } else {
      whole_ = false;
      digits_before_ = std::max(digits_before_, point);
      digits_after_ = std::max(digits_after_, text.size() - point - 1);
    }
  }
  void NoteTime(std::string_view text) {
    if (!dates_ && !timestamps_) return;
    bool date = sql::ParseDate(text).has_value();
    dates_ = dates_ && date;
    timestamps_ = timestamps_ && !date && sql::ParseTimestamp(text).has_value();
  }
  std::string NumberType(bool small_integers, bool wide) const {
    if (whole_ && !approximate_) {
      if (wide) return "BIGINT";
      if (small_integers && largest_ <= INT8_MAX) return "TINYINT";
      if (small_integers && largest_ <= INT16_MAX) return "SMALLINT";
      return largest_ <= INT32_MAX ? "INTEGER" : "BIGINT";
    }
    std::size_t precision = digits_before_ + digits_after_;
    if (wide || approximate_ || precision > 18) return "DOUBLE";
    return fmt::format("DECIMAL({},{})", precision, digits_after_);
  }
  std::string Varchar(bool wide) const {
    if (wide) return "VARCHAR(65535)";
    std::size_t length = 4;
    while (length < characters_) length *= 2;
    return fmt::format("VARCHAR({})", std::min<std::size_t>(length, 65535));
  }

  std::size_t values_ = 0;
  bool numbers_ = true, bools_ = true, dates_ = true, timestamps_ = true;
  bool whole_ = true, approximate_ = false;
  int64_t largest_ = 0;
  std::size_t digits_before_ = 0, digits_after_ = 0, characters_ = 0;
};

std::string UniqueName(std::string name, const std::vector<sql::MappedColumn>& columns) {
  auto taken = [&](const std::string& candidate) {
    return std::any_of(columns.begin(), columns.end(),
                       [&](const sql::MappedColumn& c) { return c.name == candidate; });
  };
  if (!taken(name)) return name;
  for (int n = 2;; ++n) {
    std::string numbered = fmt::format("{}_{}", name, n);
    if (!taken(numbered)) return numbered;
  }
}

void AppendValue(JsonValue value, codec::JsonWriter& out) {
  switch (value.type()) {
    case JsonValue::Type::kNull:
      out.Null();
      return;
    case JsonValue::Type::kBool:
      out.Bool(value.AsBool());
      return;
    case JsonValue::Type::kNumber:
      out.Raw(value.NumberText());
      return;
    case JsonValue::Type::kString:
      out.String(value.AsString());
      return;
    case JsonValue::Type::kArray:
      out.BeginArray();
      for (JsonValue element : value) AppendValue(element, out);
      out.EndArray();
      return;
    case JsonValue::Type::kObject:
      out.BeginObject();
      for (JsonValue member : value) {
        out.Key(member.key());
        AppendValue(member, out);
      }
      out.EndObject();
      return;
  }
}

class JsonDiscovery {
 public:
  // False when a record is not JSON objects.
  bool Add(std::string_view record) {
    bool any = false;
    while (true) {
      std::size_t start = record.find_first_not_of(" \t\r\n");
      if (start == std::string_view::npos) return any;
      record.remove_prefix(start);
      std::size_t size = std::min(codec::JsonSpan(record), record.size());
      auto document = codec::JsonDocument::Parse(record.substr(0, size));
      if (!document || !(document->root().is_object() || document->root().is_array())) return false;
      documents_.push_back(std::move(*document));
      record.remove_prefix(size);
      any = true;
    }
  }

  Result<DiscoveredSchema> Finish(DiscoverOptions options) {
    DiscoveredSchema found;
    found.schema.row_path = RowPath();
    for (const codec::JsonDocument& document : documents_) {
      JsonValue root = document.root();
      if (found.schema.row_path != "$") root = *root.begin();
      if (root.is_array()) {
        for (JsonValue row : root) AddRow(row);
      } else {
        AddRow(root);
      }
    }
    if (columns_.empty()) return Fail(Code::kInvalidArgument, "the JSON records have no members");
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      Column& column = columns_[c];
      std::string name = DiscoveredColumnName(column.name, c);
      if (!column.parent.empty() && HasName(found.schema.columns, name)) {
        name = DiscoveredColumnName(column.parent + "_" + column.name, c);
      }
      found.schema.columns.push_back({UniqueName(name, found.schema.columns),
                                      column.evidence.Type(/*small_integers=*/true, options.wide),
                                      column.path});
    }
    for (auto& cells : rows_) {
      cells.resize(columns_.size());
      found.rows.push_back(std::move(cells));
    }
    return found;
  }

 private:
  struct Column {
    std::string name, parent, path;
    Evidence evidence;
  };

  static bool HasName(const std::vector<sql::MappedColumn>& columns, const std::string& name) {
    return std::any_of(columns.begin(), columns.end(),
                       [&](const auto& c) { return c.name == name; });
  }

  // {"Records":[{..},{..}]}: the rows are the elements when every document is such an object.
  std::string RowPath() const {
    std::string path = "$";
    for (const codec::JsonDocument& document : documents_) {
      JsonValue root = document.root();
      if (!root.is_object() || root.size() != 1) return "$";
      JsonValue only = *root.begin();
      if (!only.is_array() || only.size() == 0 || !(*only.begin()).is_object()) return "$";
      std::string here = Path("$", only.key());
      if (path != "$" && path != here) return "$";
      path = here;
    }
    return path;
  }

  static std::string Path(std::string_view parent, std::string_view key) {
    bool plain = !key.empty() && key.find_first_of(".[]'\"") == std::string_view::npos;
    return plain ? fmt::format("{}.{}", parent, key) : fmt::format("{}['{}']", parent, key);
  }

  void AddRow(JsonValue row) {
    rows_.emplace_back();
    if (!row.is_object()) return;
    for (JsonValue member : row) AddMember("$", "", member, 1);
  }

  void AddMember(const std::string& parent_path, const std::string& parent, JsonValue member,
                 int level) {
    std::string path = Path(parent_path, member.key());
    if (member.is_object() && member.size() > 0 && level <= 2) {
      std::string name(member.key());
      for (JsonValue inner : member) AddMember(path, name, inner, level + 1);
      return;
    }
    if (member.key().find('\'') != std::string_view::npos) return;  // no path can name it
    if (member.is_array()) path += "[0:]";
    auto at = places_.find(path);
    if (at == places_.end()) {
      if (columns_.size() == kColumnsMax) return;
      at = places_.emplace(path, columns_.size()).first;
      columns_.push_back({std::string(member.key()), parent, path, {}});
    }
    std::optional<std::string> text;
    Evidence& evidence = columns_[at->second].evidence;
    switch (member.type()) {
      case JsonValue::Type::kNull:
        break;
      case JsonValue::Type::kBool:
        evidence.AddBool(member.AsBool());
        text = member.AsBool() ? "true" : "false";
        break;
      case JsonValue::Type::kNumber:
        evidence.AddNumber(member.NumberText());
        text = std::string(member.NumberText());
        break;
      case JsonValue::Type::kString:
        evidence.AddText(member.AsString());
        text = std::string(member.AsString());
        break;
      default: {
        text.emplace();
        codec::JsonWriter writer(*text);
        AppendValue(member, writer);
        evidence.AddStructure(*text);
      }
    }
    auto& cells = rows_.back();
    if (cells.size() <= at->second) cells.resize(at->second + 1);
    cells[at->second] = std::move(text);
  }

  std::vector<codec::JsonDocument> documents_;
  std::vector<Column> columns_;
  std::map<std::string, std::size_t, std::less<>> places_;
  std::vector<std::vector<std::optional<std::string>>> rows_;
};

std::vector<std::string> SplitFields(std::string_view line, char delimiter) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    char c = line[i];
    if (quoted) {
      if (c != '"') {
        fields.back() += c;
      } else if (i + 1 < line.size() && line[i + 1] == '"') {
        fields.back() += c;
        ++i;
      } else {
        quoted = false;
      }
    } else if (c == '"' && fields.back().empty()) {
      quoted = true;
    } else if (c == delimiter) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

Result<DiscoveredSchema> DiscoverCsv(std::span<const std::string_view> records,
                                     DiscoverOptions options) {
  std::vector<std::string_view> lines;
  bool carriage_returns = false;
  for (std::string_view record : records) {
    while (!record.empty()) {
      std::size_t end = record.find('\n');
      std::string_view line = record.substr(0, end);
      record.remove_prefix(end == std::string_view::npos ? record.size() : end + 1);
      if (!line.empty() && line.back() == '\r') {
        line.remove_suffix(1);
        carriage_returns = true;
      }
      if (!line.empty()) lines.push_back(line);
    }
  }
  if (lines.empty()) return Fail(Code::kInvalidArgument, "there are no records to look at");
  char delimiter = 0;
  std::size_t width = 1;
  for (char candidate : {',', '\t', '|', ';'}) {
    std::size_t first = SplitFields(lines[0], candidate).size();
    bool same = std::all_of(lines.begin(), lines.end(), [&](std::string_view line) {
      return SplitFields(line, candidate).size() == first;
    });
    if (same && first > width) {
      delimiter = candidate;
      width = first;
    }
  }
  if (delimiter == 0) {
    return Fail(
        Code::kInvalidArgument,
        "the records are neither JSON nor lines with the same number of fields; give a schema "
        "(a single VARCHAR column holds any text)");
  }
  width = std::min(width, kColumnsMax);

  DiscoveredSchema found;
  found.schema.format = sql::InputSchema::Format::kCsv;
  found.schema.column_delimiter = std::string(1, delimiter);
  found.schema.row_delimiter = carriage_returns ? "\r\n" : "\n";
  std::vector<std::vector<std::string>> fields;
  for (std::string_view line : lines) fields.push_back(SplitFields(line, delimiter));

  // The first line is a header when it holds only names and a later line has a value that is none.
  std::vector<Evidence> evidence(width), with_first(width);
  bool names = true;
  for (std::size_t row = 0; row < fields.size(); ++row) {
    for (std::size_t c = 0; c < width; ++c) {
      const std::string& field = fields[row][c];
      if (row == 0) {
        Evidence alone;
        alone.AddField(field);
        names = names && !field.empty() && !alone.typed();
      }
      if (field.empty()) continue;
      with_first[c].AddField(field);
      if (row > 0) evidence[c].AddField(field);
    }
  }
  found.has_header = names && std::any_of(evidence.begin(), evidence.end(),
                                          [](const Evidence& e) { return e.typed(); });
  if (!found.has_header) evidence = std::move(with_first);
  std::vector<std::string> types;
  for (std::size_t c = 0; c < width; ++c) {
    std::string name =
        found.has_header ? DiscoveredColumnName(fields[0][c], c) : fmt::format("COL_{}", c);
    found.schema.columns.push_back({UniqueName(name, found.schema.columns),
                                    evidence[c].Type(/*small_integers=*/false, options.wide), ""});
  }
  for (std::size_t row = 0; row < fields.size(); ++row) {
    auto& cells = found.rows.emplace_back(width);
    for (std::size_t c = 0; c < width; ++c) {
      bool fits = !fields[row][c].empty() && !(row == 0 && found.has_header && evidence[c].typed());
      if (fits) cells[c] = std::move(fields[row][c]);
    }
  }
  return found;
}

}  // namespace

std::string DiscoveredColumnName(std::string_view name, std::size_t place) {
  std::string kept;
  for (char c : name) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')
      kept += c;
  }
  if (kept.empty()) return fmt::format("COL_{}", place);
  bool renamed = kept.size() != name.size() || kept.size() > kNameCharactersMax ||
                 (kept[0] >= '0' && kept[0] <= '9') || sql::IsReserved(sql::UpperCase(kept));
  if (!renamed) return kept;
  kept = "COL_" + kept;
  kept.resize(std::min(kept.size(), kNameCharactersMax));
  return kept;
}

Result<DiscoveredSchema> DiscoverSchema(std::span<const std::string_view> records,
                                        DiscoverOptions options) {
  records = records.first(std::min(records.size(), kDiscoverRecordsMax));
  JsonDiscovery json;
  std::size_t good = 0;
  bool braces =
      false;  // whether it looks like JSON at all: a broken record among good ones is skipped
  for (std::string_view record : records) {
    if (json.Add(record)) ++good;
    std::size_t first = record.find_first_not_of(" \t\r\n");
    braces = braces ||
             (first != std::string_view::npos && (record[first] == '{' || record[first] == '['));
  }
  if (good > 0) return json.Finish(options);
  if (braces)
    return Fail(Code::kInvalidArgument, "the records look like JSON, but none can be read");
  return DiscoverCsv(records, options);
}

}  // namespace millstream::analytics
