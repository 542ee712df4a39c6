#include "sql/input_schema.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "codec/json_span.h"
#include "codec/json_value.h"
#include "codec/json_writer.h"
#include "sql/cast.h"
#include "sql/datetime.h"
#include "sql/error.h"
#include "sql/flat_json.h"
#include "sql/parser.h"

namespace millstream::sql {

namespace {

constexpr std::size_t kShapedColumnsMax = 64;  // one bit each
constexpr std::size_t kShapedDepthMax = 8;

// One step of a path: a member, an element, or all elements.
struct Step {
  enum class Kind { kMember, kElement, kAll } kind = Kind::kMember;
  std::string name;
  std::size_t index = 0;
};

base::Result<std::vector<Step>> ParsePath(std::string_view path) {
  auto bad = [&] {
    return base::Fail(base::Code::kInvalidArgument,
                      "bad path '" + std::string(path) +
                          "'; write $.name, $.a.b, $.list[0:] or $.list[0:].name");
  };
  std::vector<Step> steps;
  if (path.empty() || path[0] != '$') return bad();
  std::size_t i = 1;
  while (i < path.size()) {
    if (path[i] == '.') {
      std::size_t end = path.find_first_of(".[", i + 1);
      std::string name(path.substr(i + 1, end == std::string_view::npos ? end : end - i - 1));
      if (name.empty()) return bad();
      steps.push_back({Step::Kind::kMember, name, 0});
      i = end == std::string_view::npos ? path.size() : end;
    } else if (path[i] == '[') {
      std::size_t end = path.find(']', i);
      if (end == std::string_view::npos) return bad();
      std::string_view inner = path.substr(i + 1, end - i - 1);
      if (inner.size() >= 2 && (inner.front() == '\'' || inner.front() == '"') &&
          inner.back() == inner.front()) {
        steps.push_back({Step::Kind::kMember, std::string(inner.substr(1, inner.size() - 2)), 0});
      } else if (inner == "*" || inner == ":" || inner == "0:") {
        steps.push_back({Step::Kind::kAll, {}, 0});
      } else {
        std::size_t index = 0;
        auto [p, error] = std::from_chars(inner.data(), inner.data() + inner.size(), index);
        if (error != std::errc() || p != inner.data() + inner.size()) return bad();
        steps.push_back({Step::Kind::kElement, {}, index});
      }
      i = end + 1;
    } else {
      return bad();
    }
  }
  return steps;
}

// A scalar as it stands in the input.
struct Scalar {
  enum class Kind { kNull, kBool, kNumber, kText, kStructure } kind = Kind::kNull;
  bool boolean = false;
  std::string_view text;
};

bool TextEqualsIgnoringCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if ((a[i] | 0x20) != b[i]) return false;
  }
  return true;
}

std::string_view Cut(std::string_view text, std::size_t characters) {
  if (text.size() <= characters) return text;
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80 && characters-- == 0) break;
  }
  return text.substr(0, i);
}

}  // namespace

class InputMapper::Impl {
 public:
  struct Column {
    std::string name;
    Type type;
    std::vector<Step> path;
    std::size_t all = std::string::npos;  // position of [0:] in the path, if something follows it
  };

  base::Status Init(const InputSchema& schema, bool has_shards, Emit emit, OnError on_error) {
    schema_ = schema;
    has_shards_ = has_shards;
    emit_ = std::move(emit);
    on_error_ = std::move(on_error);
    std::vector<Physical> physical;
    flat_ = schema.format == InputSchema::Format::kJson && schema.row_path == "$";
    if (schema.columns.empty()) {
      return base::Fail(base::Code::kInvalidArgument, "an input schema needs columns");
    }
    for (const MappedColumn& c : schema.columns) {
      Column column;
      column.name = c.name;
      try {
        column.type = ParseType(c.type);
      } catch (const SqlError& error) {
        return base::Fail(base::Code::kInvalidArgument, "type of column " + c.name + ": " + error.what());
      }
      if (schema.format == InputSchema::Format::kJson) {
        auto path = ParsePath(c.mapping.empty() ? "$." + c.name : c.mapping);
        if (!path) return base::Fail(path.error().Within("mapping of column " + c.name));
        column.path = std::move(*path);
        for (std::size_t i = 0; i + 1 < column.path.size(); ++i) {
          if (column.path[i].kind == Step::Kind::kAll) {
            column.all = i;
            if (explode_.empty()) explode_.assign(column.path.begin(), column.path.begin() + static_cast<std::ptrdiff_t>(i));
          }
        }
        flat_ &= column.path.size() == 1 && column.path[0].kind == Step::Kind::kMember;
        if (column.all != std::string::npos) explodes_ = true;
      }
      physical.push_back(PhysicalOf(column.type.kind));
      columns_.push_back(std::move(column));
    }
    auto row_path = ParsePath(schema.row_path.empty() ? "$" : schema.row_path);
    if (!row_path) return base::Fail(row_path.error().Within("the record row path"));
    row_path_ = std::move(*row_path);
    if (schema.format == InputSchema::Format::kCsv &&
        (schema.column_delimiter.empty() || schema.row_delimiter.empty())) {
      return base::Fail(base::Code::kInvalidArgument, "CSV needs a column and a row delimiter");
    }
    if (schema.format == InputSchema::Format::kJson) Shape();
    physical.push_back(Physical::kInt);
    if (has_shards) physical.insert(physical.end(), 3, Physical::kString);
    out_.Init(physical);
    return {};
  }

  void Map(std::string_view record, const RecordFacts& facts) {
    facts_ = &facts;
    record_ = record;
    try {
      if (schema_.format == InputSchema::Format::kCsv) {
        MapCsv(record);
      } else if (shaped_ && MapShaped(record)) {
        return;
      } else if (!flat_ || !MapFlat(record)) {
        MapTree(record);
      }
    } catch (const RowError& error) {
      on_error_(error.message, facts.rowtime, record);
    }
  }

  void Flush() {
    if (out_.rows() > 0) emit_(out_.view());
    out_.Clear();
  }

 private:
  void Commit() {
    int row = out_.rows();
    int c = static_cast<int>(columns_.size());
    Vector& arrival = out_.column(c);
    arrival.valid()[row] = 1;
    arrival.ints()[row] = facts_->arrival_ms;
    if (has_shards_) {
      for (std::string_view text : {facts_->shard_id, facts_->partition_key, facts_->sequence_number}) {
        Vector& v = out_.column(++c);
        v.valid()[row] = 1;
        v.strings()[row] = out_.arena().Copy(text);
      }
    }
    out_.Commit(facts_->rowtime);
    if (out_.full()) Flush();
  }

  // Whether records can be read by their shape: every column is a member, or a member of members, of
  // a row that is no element of an array, and none lies inside another.
  void Shape() {
    auto names = [](const std::vector<Step>& path, std::vector<std::string>& out) {
      for (const Step& step : path) {
        if (step.kind != Step::Kind::kMember) return false;
        out.push_back(step.name);
      }
      return out.size() <= kShapedDepthMax;
    };
    std::vector<std::string> rows;
    if (!names(row_path_, rows) || columns_.size() > kShapedColumnsMax) return;
    std::vector<std::vector<std::string>> paths;
    for (const Column& column : columns_) {
      paths.push_back(rows);
      if (column.path.empty() || !names(column.path, paths.back())) return;
    }
    for (std::size_t a = 0; a < paths.size(); ++a) {
      for (std::size_t b = 0; b < paths.size(); ++b) {
        bool inside = paths[a].size() <= paths[b].size() &&
                      std::equal(paths[a].begin(), paths[a].end(), paths[b].begin());
        if (a != b && inside) return;
      }
    }
    shaped_.emplace(paths, rows);
  }

  // The quickest way: records like those before them. False when the record is none, or is wrong;
  // nothing has been committed then.
  bool MapShaped(std::string_view record) {
    const int row = out_.rows();
    uint64_t seen = 0;
    try {
      auto use = [&](int place, const FlatJson::Value& value) {
        SetShaped(static_cast<std::size_t>(place), value, row);
        seen |= uint64_t{1} << place;
        return true;
      };
      if (!shaped_->Read(record, use)) return false;
    } catch (const RowError&) {
      return false;  // what is wrong is said by those who read everything
    }
    for (uint64_t left = ~seen << (64 - columns_.size()) >> (64 - columns_.size()); left != 0; left &= left - 1) {
      out_.column(__builtin_ctzll(left)).SetNull(row);
    }
    Commit();
    return true;
  }

  // 2026-01-31 23:59:59[.999...][Z], as most are: most rows have the date of the one before. False:
  // ParseTimestamp knows.
  bool QuickTimestamp(std::string_view text, int64_t& out) {
    if (text.size() < 19) return false;
    const char* p = text.data();
    if (std::memcmp(p, date_, sizeof date_) != 0) {
      auto days = ParseDate(text.substr(0, sizeof date_));
      if (!days) return false;
      std::memcpy(date_, p, sizeof date_);
      date_ms_ = *days * kMsPerDay;
    }
    if ((p[10] != ' ' && p[10] != 'T') || p[13] != ':' || p[16] != ':') return false;
    auto digit = [&](std::size_t i) { return static_cast<unsigned>(p[i] - '0'); };
    unsigned worst = std::max({digit(11), digit(12), digit(14), digit(15), digit(17), digit(18)});
    unsigned hour = digit(11) * 10 + digit(12), minute = digit(14) * 10 + digit(15);
    unsigned second = digit(17) * 10 + digit(18);
    if (worst > 9 || hour > 23 || minute > 59 || second > 59) return false;
    std::size_t at = 19;
    unsigned ms = 0;
    if (at < text.size() && p[at] == '.') {
      unsigned weight = 100;
      std::size_t first = ++at;
      for (; at < text.size() && digit(at) <= 9; ++at, weight /= 10) ms += digit(at) * weight;
      if (at == first || at - first > 9) return false;
    }
    if (at < text.size() && p[at] == 'Z') ++at;
    if (at != text.size()) return false;
    out = date_ms_ + (hour * 3600 + minute * 60 + second) * int64_t{1000} + ms;
    return true;
  }

  void SetShaped(std::size_t c, const FlatJson::Value& value, int row) {
    const Column& column = columns_[c];
    const Kind kind = column.type.kind;
    Vector& out = out_.column(static_cast<int>(c));
    Scalar scalar;
    scalar.text = value.text;
    switch (value.kind) {
      case FlatJson::Kind::kNull: break;
      case FlatJson::Kind::kTrue:
      case FlatJson::Kind::kFalse:
        scalar.kind = Scalar::Kind::kBool;
        scalar.boolean = value.kind == FlatJson::Kind::kTrue;
        break;
      case FlatJson::Kind::kText:
        if (IsCharacter(kind) && value.text.size() <= static_cast<std::size_t>(column.type.length)) {
          out.valid()[row] = 1;
          out.strings()[row] = out_.arena().Copy(value.text);
          return;
        }
        if (kind == Kind::kTimestamp && QuickTimestamp(value.text, out.ints()[row])) {
          out.valid()[row] = 1;
          return;
        }
        scalar.kind = Scalar::Kind::kText;
        break;
      case FlatJson::Kind::kInteger:
        if (IsInteger(kind) && value.integer >= IntegerMin(kind) && value.integer <= IntegerMax(kind)) {
          out.valid()[row] = 1;
          out.ints()[row] = value.integer;
          return;
        }
        if (kind == Kind::kDouble) {
          out.valid()[row] = 1;
          out.doubles()[row] = static_cast<double>(value.integer);
          return;
        }
        scalar.kind = Scalar::Kind::kNumber;
        break;
      case FlatJson::Kind::kNumber:
        if (kind == Kind::kDouble && value.exact) {
          out.valid()[row] = 1;
          out.doubles()[row] = value.number;
          return;
        }
        scalar.kind = Scalar::Kind::kNumber;
        break;
    }
    Set(c, scalar);
  }

  // Single documents whose columns are top-level members: one pass over the text, no tree. False
  // when the record is something else; nothing has been committed then.
  bool MapFlat(std::string_view record) {
    if (padded_.size() < record.size() + simdjson::SIMDJSON_PADDING) {
      padded_.resize((record.size() + simdjson::SIMDJSON_PADDING) * 2);
    }
    std::memcpy(padded_.data(), record.data(), record.size());
    std::memset(padded_.data() + record.size(), ' ', simdjson::SIMDJSON_PADDING);
    simdjson::padded_string_view view(padded_.data(), record.size(), padded_.size());
    simdjson::ondemand::document document;
    if (parser_.iterate(view).get(document) != simdjson::SUCCESS) return false;
    simdjson::ondemand::object object;
    if (document.get_object().get(object) != simdjson::SUCCESS) return false;
    int row = out_.rows();
    for (std::size_t c = 0; c < columns_.size(); ++c) out_.column(static_cast<int>(c)).SetNull(row);
    std::size_t hint = 0;
    for (auto field : object) {
      simdjson::ondemand::field f;
      if (std::move(field).get(f) != simdjson::SUCCESS) return false;
      simdjson::ondemand::raw_json_string key = f.key();
      std::size_t c = columns_.size();
      for (std::size_t k = 0; k < columns_.size(); ++k) {  // members mostly come in column order
        std::size_t i = hint + k < columns_.size() ? hint + k : hint + k - columns_.size();
        if (key.unsafe_is_equal(columns_[i].path[0].name)) {
          c = i;
          break;
        }
      }
      if (c == columns_.size()) continue;
      hint = c + 1 == columns_.size() ? 0 : c + 1;
      simdjson::ondemand::value value = f.value();
      simdjson::ondemand::json_type type;
      if (value.type().get(type) != simdjson::SUCCESS) return false;
      Scalar scalar;
      switch (type) {
        case simdjson::ondemand::json_type::null: scalar.kind = Scalar::Kind::kNull; break;
        case simdjson::ondemand::json_type::boolean:
          scalar.kind = Scalar::Kind::kBool;
          if (value.get_bool().get(scalar.boolean) != simdjson::SUCCESS) return false;
          break;
        case simdjson::ondemand::json_type::number: {
          // Checked by the parser's own rules before the text is used.
          simdjson::ondemand::number number;
          std::string_view token = value.raw_json_token();
          if (value.get_number().get(number) != simdjson::SUCCESS) return false;
          while (!token.empty() && static_cast<unsigned char>(token.back()) <= ' ') token.remove_suffix(1);
          // Numbers that the parser holds exactly need no second look at their text.
          Kind kind = columns_[c].type.kind;
          Vector& out = out_.column(static_cast<int>(c));
          if (kind == Kind::kDouble) {
            out.valid()[row] = 1;
            out.doubles()[row] = number.as_double();
            continue;
          }
          if (number.is_int64() && IsInteger(kind) && number.get_int64() >= IntegerMin(kind) &&
              number.get_int64() <= IntegerMax(kind)) {
            out.valid()[row] = 1;
            out.ints()[row] = number.get_int64();
            continue;
          }
          scalar.kind = Scalar::Kind::kNumber;
          scalar.text = token;
          break;
        }
        case simdjson::ondemand::json_type::string:
          scalar.kind = Scalar::Kind::kText;
          if (value.get_string().get(scalar.text) != simdjson::SUCCESS) return false;
          break;
        default: {
          std::string_view raw;
          if (type == simdjson::ondemand::json_type::object) {
            simdjson::ondemand::object inner;
            if (value.get_object().get(inner) != simdjson::SUCCESS ||
                inner.raw_json().get(raw) != simdjson::SUCCESS) {
              return false;
            }
          } else {
            simdjson::ondemand::array inner;
            if (value.get_array().get(inner) != simdjson::SUCCESS ||
                inner.raw_json().get(raw) != simdjson::SUCCESS) {
              return false;
            }
          }
          while (!raw.empty() && static_cast<unsigned char>(raw.back()) <= ' ') raw.remove_suffix(1);
          scalar.kind = Scalar::Kind::kStructure;
          scalar.text = raw;
        }
      }
      Set(c, scalar);
    }
    if (document.current_location().error() == simdjson::SUCCESS) return false;  // more follows
    Commit();
    return true;
  }

  static std::optional<codec::JsonValue> Walk(codec::JsonValue value, const std::vector<Step>& path,
                                              std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      std::optional<codec::JsonValue> next;
      if (path[i].kind == Step::Kind::kMember) {
        auto found = value.Find(path[i].name);
        if (found) next = *found;
      } else if (path[i].kind == Step::Kind::kElement) {
        std::size_t n = 0;
        if (value.is_array()) {
          for (codec::JsonValue element : value) {
            if (n++ == path[i].index) next = element;
          }
        }
      } else {
        next = value.is_array() ? std::optional(value) : std::nullopt;
      }
      if (!next) return std::nullopt;
      value = *next;
    }
    return value;
  }

  // Splits a record into its JSON documents: {..}{..} or one per line.
  template <typename Use>
  void ForEachDocument(std::string_view text, Use use) {
    while (true) {
      while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
      if (text.empty()) return;
      // What is no object or array, or has no end, is one document: its parser says what is wrong.
      const bool nested = text.front() == '{' || text.front() == '[';
      const std::size_t size = std::min(nested ? codec::JsonSpan(text) : text.size(), text.size());
      use(text.substr(0, size));
      text.remove_prefix(size);
    }
  }

  void MapTree(std::string_view record) {
    bool any = false;
    ForEachDocument(record, [&](std::string_view text) {
      any = true;
      auto document = codec::JsonDocument::Parse(text);
      if (!document) throw RowError{"INPUT_ERROR", "the record is not JSON: " + document.error().message()};
      std::optional<codec::JsonValue> rows = Walk(document->root(), row_path_, 0, row_path_.size());
      if (!rows) return;
      if (rows->is_array()) {
        for (codec::JsonValue row : *rows) MapRow(row);
      } else {
        MapRow(*rows);
      }
    });
    if (!any) throw RowError{"INPUT_ERROR", "the record is empty"};
  }

  void MapRow(codec::JsonValue row) {
    if (!explodes_) {
      MapElement(row, std::nullopt);
      return;
    }
    std::optional<codec::JsonValue> list = Walk(row, explode_, 0, explode_.size());
    if (!list || !list->is_array() || list->size() == 0) {
      MapElement(row, std::nullopt);
      return;
    }
    for (codec::JsonValue element : *list) MapElement(row, element);
  }

  void MapElement(codec::JsonValue row, std::optional<codec::JsonValue> element) {
    try {
      for (std::size_t c = 0; c < columns_.size(); ++c) {
        const Column& column = columns_[c];
        std::optional<codec::JsonValue> value;
        if (column.all != std::string::npos) {
          if (element) value = Walk(*element, column.path, column.all + 1, column.path.size());
        } else {
          value = Walk(row, column.path, 0, column.path.size());
        }
        Scalar scalar;
        std::string raw;
        if (value) {
          switch (value->type()) {
            case codec::JsonValue::Type::kNull: break;
            case codec::JsonValue::Type::kBool:
              scalar.kind = Scalar::Kind::kBool;
              scalar.boolean = value->AsBool();
              break;
            case codec::JsonValue::Type::kNumber:
              scalar.kind = Scalar::Kind::kNumber;
              scalar.text = value->NumberText();
              break;
            case codec::JsonValue::Type::kString:
              scalar.kind = Scalar::Kind::kText;
              scalar.text = value->AsString();
              break;
            default: {
              codec::JsonWriter writer(raw);
              Write(*value, writer);
              scalar.kind = Scalar::Kind::kStructure;
              scalar.text = raw;
            }
          }
        }
        Set(c, scalar);
      }
      Commit();
    } catch (const RowError& error) {
      on_error_(error.message, facts_->rowtime, record_);
    }
  }

  static void Write(codec::JsonValue value, codec::JsonWriter& out) {
    switch (value.type()) {
      case codec::JsonValue::Type::kNull: out.Null(); return;
      case codec::JsonValue::Type::kBool: out.Bool(value.AsBool()); return;
      case codec::JsonValue::Type::kNumber: out.Raw(value.NumberText()); return;
      case codec::JsonValue::Type::kString: out.String(value.AsString()); return;
      case codec::JsonValue::Type::kArray:
        out.BeginArray();
        for (codec::JsonValue v : value) Write(v, out);
        out.EndArray();
        return;
      case codec::JsonValue::Type::kObject:
        out.BeginObject();
        for (codec::JsonValue v : value) {
          out.Key(v.key());
          Write(v, out);
        }
        out.EndObject();
        return;
    }
  }

  void MapCsv(std::string_view record) {
    while (!record.empty()) {
      std::size_t end = record.find(schema_.row_delimiter);
      std::string_view line = record.substr(0, end);
      record.remove_prefix(end == std::string_view::npos ? record.size()
                                                         : end + schema_.row_delimiter.size());
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      if (line.empty()) continue;
      try {
        MapLine(line);
      } catch (const RowError& error) {
        on_error_(error.message, facts_->rowtime, line);
      }
    }
  }

  void MapLine(std::string_view line) {
    bool more = true;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      Scalar scalar;
      std::string unquoted;
      if (more) {
        if (!line.empty() && line[0] == '"') {
          std::size_t i = 1;
          for (; i < line.size(); ++i) {
            if (line[i] == '"') {
              if (i + 1 < line.size() && line[i + 1] == '"') {
                ++i;
              } else {
                break;
              }
            }
            unquoted += line[i];
          }
          scalar.kind = Scalar::Kind::kText;
          scalar.text = unquoted;
          line.remove_prefix(std::min(line.size(), i + 1));
          std::size_t next = line.find(schema_.column_delimiter);
          more = next != std::string_view::npos;
          if (more) line.remove_prefix(next + schema_.column_delimiter.size());
        } else {
          std::size_t next = line.find(schema_.column_delimiter);
          scalar.text = line.substr(0, next);
          scalar.kind = scalar.text.empty() ? Scalar::Kind::kNull : Scalar::Kind::kText;
          more = next != std::string_view::npos;
          if (more) line.remove_prefix(next + schema_.column_delimiter.size());
        }
      }
      Set(c, scalar);
    }
    Commit();
  }

  [[noreturn]] void Bad(const Column& column, const Scalar& s) {
    throw RowError{"INPUT_ERROR", "column " + column.name + ": '" + std::string(s.text.substr(0, 100)) +
                                      "' is no " + TypeName(column.type)};
  }

  // The coercions of the schema page: what fits is converted, texts are cut silently, the rest
  // fails the row.
  void Set(std::size_t c, const Scalar& s) {
    const Column& column = columns_[c];
    Vector& out = out_.column(static_cast<int>(c));
    int row = out_.rows();
    if (s.kind == Scalar::Kind::kNull) return out.SetNull(row);
    out.valid()[row] = 1;
    std::string_view text = s.text;
    Kind kind = column.type.kind;
    if (IsCharacter(kind)) {
      if (s.kind == Scalar::Kind::kBool) text = s.boolean ? "true" : "false";
      out.strings()[row] = out_.arena().Copy(Cut(text, static_cast<std::size_t>(column.type.length)));
      return;
    }
    if (s.kind == Scalar::Kind::kStructure) Bad(column, s);
    if (kind == Kind::kBoolean) {
      if (s.kind == Scalar::Kind::kBool) {
        out.ints()[row] = s.boolean;
      } else if (s.kind == Scalar::Kind::kNumber) {
        double d = 0;
        out.ints()[row] = ParseDouble(text, d) && d != 0;
      } else {
        out.ints()[row] = TextEqualsIgnoringCase(text, "true");
      }
      return;
    }
    if (s.kind == Scalar::Kind::kBool) {
      if (IsApproximate(kind)) {
        out.doubles()[row] = s.boolean;
      } else if (kind == Kind::kDecimal) {
        out.ints()[row] = s.boolean ? PowerOfTen(column.type.scale) : 0;
      } else if (IsInteger(kind)) {
        out.ints()[row] = s.boolean;
      } else {
        throw RowError{"INPUT_ERROR", "column " + column.name + ": a truth value is no " +
                                          TypeName(column.type)};
      }
      return;
    }
    if (s.kind == Scalar::Kind::kText) {
      while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
      while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    }
    if (IsApproximate(kind)) {
      double d = 0;
      if (!ParseDouble(text, d)) Bad(column, s);
      out.doubles()[row] = kind == Kind::kReal ? static_cast<double>(static_cast<float>(d)) : d;
      return;
    }
    if (IsExact(kind)) {
      int64_t v = 0;
      int scale = kind == Kind::kDecimal ? column.type.scale : 0;
      int precision = kind == Kind::kDecimal ? column.type.length : 19;
      if (!ParseDecimal(text, precision, scale, false, v)) {
        double d = 0;  // 1e3
        if (text.find_first_of("eE") == std::string_view::npos || !ParseDouble(text, d) ||
            d != static_cast<double>(static_cast<int64_t>(d)) || d < -1e15 || d > 1e15) {
          Bad(column, s);
        }
        v = static_cast<int64_t>(d);
        if (__builtin_mul_overflow(v, PowerOfTen(scale), &v) || !FitsPrecision(v, precision)) Bad(column, s);
      }
      if (kind != Kind::kDecimal && (v < IntegerMin(kind) || v > IntegerMax(kind))) Bad(column, s);
      out.ints()[row] = v;
      return;
    }
    if (s.kind == Scalar::Kind::kText && (kind == Kind::kTimestamp || kind == Kind::kDate || kind == Kind::kTime)) {
      auto v = kind == Kind::kTimestamp ? ParseTimestamp(text)
               : kind == Kind::kDate    ? ParseDate(text)
                                        : ParseTime(text);
      if (!v) Bad(column, s);
      out.ints()[row] = *v;
      return;
    }
    Bad(column, s);
  }

  InputSchema schema_;
  bool has_shards_ = false, flat_ = false, explodes_ = false;
  Emit emit_;
  OnError on_error_;
  std::vector<Column> columns_;
  std::vector<Step> row_path_, explode_;
  RowBuffer out_;
  std::optional<FlatJson> shaped_;
  char date_[10] = {};  // what QuickTimestamp saw last, and its midnight
  int64_t date_ms_ = 0;
  simdjson::ondemand::parser parser_;
  std::vector<char> padded_;
  const RecordFacts* facts_ = nullptr;
  std::string_view record_;
};

InputMapper::InputMapper(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
InputMapper::~InputMapper() = default;

base::Result<std::unique_ptr<InputMapper>> InputMapper::Create(const InputSchema& schema,
                                                               bool has_shards, Emit emit,
                                                               OnError on_error) {
  auto impl = std::make_unique<Impl>();
  TRY(impl->Init(schema, has_shards, std::move(emit), std::move(on_error)));
  return std::unique_ptr<InputMapper>(new InputMapper(std::move(impl)));
}

void InputMapper::Map(std::string_view record, const RecordFacts& facts) { impl_->Map(record, facts); }
void InputMapper::Flush() { impl_->Flush(); }

}  // namespace millstream::sql
