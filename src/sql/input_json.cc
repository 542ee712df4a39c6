#include "sql/input_json.h"

#include <algorithm>

#include "codec/json_cursor.h"
#include "codec/json_span.h"
#include "codec/json_writer.h"
#include "sql/error.h"

namespace millstream::sql {

namespace {

constexpr std::size_t kShapedColumnsMax = 64;  // one bit each
constexpr std::size_t kShapedDepthMax = 8;

std::optional<codec::JsonValue> Walk(codec::JsonValue value, const std::vector<PathStep>& path,
                                     std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to; ++i) {
    std::optional<codec::JsonValue> next;
    if (path[i].kind == PathStep::Kind::kMember) {
      auto found = value.Find(path[i].name);
      if (found) next = *found;
    } else if (path[i].kind == PathStep::Kind::kElement) {
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

void Write(codec::JsonValue value, codec::JsonWriter& out) {
  switch (value.type()) {
    case codec::JsonValue::Type::kNull:
      out.Null();
      return;
    case codec::JsonValue::Type::kBool:
      out.Bool(value.AsBool());
      return;
    case codec::JsonValue::Type::kNumber:
      out.Raw(value.NumberText());
      return;
    case codec::JsonValue::Type::kString:
      out.String(value.AsString());
      return;
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

bool IsBlank(char c) { return static_cast<unsigned char>(c) <= ' '; }

// The first JSON document of `text`, which does not begin with a blank: {..}{..} or one per line.
// What is no object or array, or has no end, is one document: its parser says what is wrong.
std::size_t DocumentSize(std::string_view text) {
  const bool nested = text.front() == '{' || text.front() == '[';
  return nested ? std::min(codec::JsonSpan(text), text.size()) : text.size();
}

}  // namespace

// What FlatJson finds becomes columns of the row that is made.
class InputJson::Sink {
 public:
  explicit Sink(InputJson& input) : input_(input) {}

  bool Text(int place, std::string_view text) {
    input_.rows_.SetText(Column(place), text);
    return true;
  }
  MILLSTREAM_INLINE bool ShortText(int place, std::string_view text) {
    input_.rows_.SetShortText(Column(place), text);
    return true;
  }
  bool Escaped(int place, std::string_view raw) {
    input_.unescaped_.clear();
    if (!codec::UnescapeJson(raw, input_.unescaped_)) return false;
    return Text(place, input_.unescaped_);
  }
  MILLSTREAM_INLINE bool Numeric(int place, const FlatJson::Number& number) {
    input_.rows_.SetNumber(Column(place), number);
    return true;
  }
  bool Named(int place, FlatJson::Word word) {
    input_.rows_.SetWord(Column(place), word);
    return true;
  }
  // Structures become texts, written anew so that blanks and escapes do not matter.
  bool Nested(int place, std::string_view raw) {
    auto document = codec::JsonDocument::Parse(raw);
    if (!document) return false;
    std::string text;
    codec::JsonWriter writer(text);
    Write(document->root(), writer);
    input_.rows_.Set(Column(place), {InputValue::Kind::kStructure, false, text});
    return true;
  }

  uint64_t seen() const { return seen_; }

 private:
  std::size_t Column(int place) {
    seen_ |= uint64_t{1} << place;
    return static_cast<std::size_t>(place);
  }

  InputJson& input_;
  uint64_t seen_ = 0;
};

namespace {

// Takes everything and keeps the structure that came last.
struct StructureSink {
  bool Text(int, std::string_view) { return Other(); }
  bool ShortText(int, std::string_view) { return Other(); }
  bool Escaped(int, std::string_view) { return Other(); }
  bool Numeric(int, const FlatJson::Number&) { return Other(); }
  bool Named(int, FlatJson::Word) { return Other(); }
  bool Nested(int, std::string_view raw) {
    structure = raw;
    return true;
  }
  bool Other() {
    structure = "other";
    return true;
  }
  std::string_view structure;
};

}  // namespace

InputJson::InputJson(std::vector<PathStep> row_path, InputRows& rows, OnError on_error)
    : row_path_(std::move(row_path)), rows_(rows), on_error_(std::move(on_error)) {
  for (const InputColumn& column : rows.columns()) {
    if (column.all == std::string::npos || explodes_) continue;
    explodes_ = true;
    const auto first = std::find_if(column.path.begin(), column.path.end(), [](const PathStep& s) {
      return s.kind == PathStep::Kind::kAll;
    });
    explode_.assign(column.path.begin(), first);
  }
  Shape();
}

// Whether records can be read by their shape: every column is a member, or a member of members, of
// a row, and none lies inside another. Rows are objects in the record or the elements of an array
// in it.
void InputJson::Shape() {
  auto names = [](const std::vector<PathStep>& path, std::vector<std::string>& out) {
    for (const PathStep& step : path) {
      if (step.kind != PathStep::Kind::kMember || !FlatJson::CanName(step.name)) return false;
      out.push_back(step.name);
    }
    return out.size() <= kShapedDepthMax;
  };
  std::vector<PathStep> row_path = row_path_;
  const bool all = !row_path.empty() && row_path.back().kind == PathStep::Kind::kAll;
  if (all) row_path.pop_back();
  std::vector<std::string> rows;
  if (!names(row_path, rows) || rows_.columns().size() > kShapedColumnsMax) return;
  std::vector<std::vector<std::string>> paths, of_element;
  for (const InputColumn& column : rows_.columns()) {
    paths.push_back(rows);
    of_element.emplace_back();
    if (column.path.empty() || !names(column.path, of_element.back())) return;
    if (!names(column.path, paths.back())) return;
  }
  for (std::size_t a = 0; a < paths.size(); ++a) {
    for (std::size_t b = 0; b < paths.size(); ++b) {
      const bool inside = paths[a].size() <= paths[b].size() &&
                          std::equal(paths[a].begin(), paths[a].end(), paths[b].begin());
      if (a != b && inside) return;
    }
  }
  if (!all) shaped_.emplace(paths, rows);
  if (!rows.empty()) array_.emplace(std::vector<std::vector<std::string>>{rows});
  element_.emplace(of_element);
}

inline void InputJson::SetNulls(uint64_t seen) {
  const std::size_t unused = kShapedColumnsMax - rows_.columns().size();
  for (uint64_t left = ~seen << unused >> unused; left != 0; left &= left - 1) {
    rows_.SetNull(static_cast<std::size_t>(__builtin_ctzll(left)));
  }
}

const char* InputJson::MapLine(const char* at, const char* end, const RecordFacts& facts) {
  if (!shaped_) return nullptr;
  given_up_ = at;  // unless it can be read
  Sink sink(*this);
  try {
    at = shaped_->ReadLine(at, end, sink);
  } catch (const RowError&) {
    return nullptr;  // what is wrong is said by those who read everything
  }
  if (at == nullptr) return nullptr;
  given_up_ = nullptr;
  while (*at == ' ' || *at == '\t' || *at == '\r') ++at;
  if (*at != '\n') return nullptr;  // another document
  SetNulls(sink.seen());
  rows_.Commit(facts);
  return at + 1;
}

void InputJson::Map(std::string_view record, const RecordFacts& facts) {
  facts_ = &facts;
  bool any = false;
  while (true) {
    while (!record.empty() && IsBlank(record.front())) record.remove_prefix(1);
    if (record.empty()) break;
    any = true;
    const char* end = nullptr;
    if (shaped_ && record.data() != given_up_) {
      Sink sink(*this);
      try {
        end = shaped_->Read(record.data(), record.data() + record.size(), sink);
      } catch (const RowError&) {
        end = nullptr;
      }
      if (end != nullptr) {
        SetNulls(sink.seen());
        rows_.Commit(facts);
      }
    }
    given_up_ = nullptr;
    if (end == nullptr && element_) end = MapArray(record, facts);
    if (end == nullptr) {
      end = record.data() + DocumentSize(record);
      MapDocument({record.data(), static_cast<std::size_t>(end - record.data())});
    }
    record.remove_prefix(static_cast<std::size_t>(end - record.data()));
  }
  if (!any) throw RowError{"INPUT_ERROR", "the record is empty"};
}

const char* InputJson::MapArray(std::string_view text, const RecordFacts& facts) {
  const char* end = text.data() + text.size();
  std::string_view array;
  if (array_) {
    StructureSink sink;
    end = array_->Read(text.data(), end, sink);
    if (end == nullptr) return nullptr;
    array = sink.structure;
    if (array.empty()) return end;  // no rows
  } else if (text.front() == '[') {
    JsonScanned scanned;
    end = EndOfNested(text.data(), end, /*lines=*/false, scanned);
    if (end == nullptr) return nullptr;
    array = text.substr(0, static_cast<std::size_t>(end - text.data()));
  }
  if (array.empty() || array.front() != '[' || !FindElements(array)) return nullptr;
  for (std::string_view element : elements_) {
    Sink sink(*this);
    bool read = false;
    try {
      read = element_->Read(element.data(), element.data() + element.size(), sink) != nullptr;
    } catch (const RowError&) {
      read = false;
    }
    if (read) {
      SetNulls(sink.seen());
      rows_.Commit(facts);
    } else if (auto document = codec::JsonDocument::Parse(element)) {
      MapRow(document->root());
    } else {
      on_error_("the row is not JSON: " + document.error().message());
    }
  }
  return end;
}

// Whether the array holds objects alone that can be read: no row may be made of a record that is
// wrong further on.
bool InputJson::FindElements(std::string_view array) {
  elements_.clear();
  const char* end = array.data() + array.size() - 1;  // the closing bracket
  const auto skip_blanks = [&](const char* at) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')) ++at;
    return at;
  };
  const char* at = skip_blanks(array.data() + 1);
  while (at < end) {
    StructureSink sink;
    const char* stop = element_->Read(at, end, sink);
    if (stop == nullptr) return false;
    elements_.emplace_back(at, static_cast<std::size_t>(stop - at));
    at = skip_blanks(stop);
    if (at == end) return true;
    if (*at != ',') return false;
    at = skip_blanks(at + 1);
    if (at == end) return false;
  }
  return true;
}

void InputJson::MapDocument(std::string_view text) {
  auto document = codec::JsonDocument::Parse(text);
  if (!document)
    throw RowError{"INPUT_ERROR", "the record is not JSON: " + document.error().message()};
  std::optional<codec::JsonValue> rows = Walk(document->root(), row_path_, 0, row_path_.size());
  if (!rows) return;
  if (rows->is_array()) {
    for (codec::JsonValue row : *rows) MapRow(row);
  } else {
    MapRow(*rows);
  }
}

void InputJson::MapRow(codec::JsonValue row) {
  if (!explodes_) return MapElement(row, std::nullopt);
  std::optional<codec::JsonValue> list = Walk(row, explode_, 0, explode_.size());
  if (!list || !list->is_array() || list->size() == 0) return MapElement(row, std::nullopt);
  for (codec::JsonValue element : *list) MapElement(row, element);
}

void InputJson::MapElement(codec::JsonValue row, std::optional<codec::JsonValue> element) {
  try {
    for (std::size_t c = 0; c < rows_.columns().size(); ++c) {
      const InputColumn& column = rows_.columns()[c];
      std::optional<codec::JsonValue> found;
      if (column.all == std::string::npos) {
        found = Walk(row, column.path, 0, column.path.size());
      } else if (element) {
        found = Walk(*element, column.path, column.all + 1, column.path.size());
      }
      InputValue value;
      std::string raw;
      if (found) {
        switch (found->type()) {
          case codec::JsonValue::Type::kNull:
            break;
          case codec::JsonValue::Type::kBool:
            value = {InputValue::Kind::kBool, found->AsBool(), {}};
            break;
          case codec::JsonValue::Type::kNumber:
            value = {InputValue::Kind::kNumber, false, found->NumberText()};
            break;
          case codec::JsonValue::Type::kString:
            value = {InputValue::Kind::kText, false, found->AsString()};
            break;
          default: {
            codec::JsonWriter writer(raw);
            Write(*found, writer);
            value = {InputValue::Kind::kStructure, false, raw};
          }
        }
      }
      rows_.Set(c, value);
    }
    rows_.Commit(*facts_);
  } catch (const RowError& error) {
    on_error_(error.message);
  }
}

}  // namespace millstream::sql
