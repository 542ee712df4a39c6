#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/json_value.h"
#include "sql/flat_json.h"
#include "sql/input_path.h"
#include "sql/input_rows.h"

namespace millstream::sql {

// Records of JSON to rows, in one of two ways with the same results: by the shape of the records
// before (FlatJson), or through a tree of the document, which knows every path and says what is
// wrong.
class InputJson {
 public:
  using OnError = std::function<void(std::string message)>;

  // `rows` outlives it. A row that fails alone, of several in a record, goes to `on_error`.
  InputJson(std::vector<PathStep> row_path, InputRows& rows, OnError on_error);

  // One document or several that follow each other. Throws a RowError; rows of the documents before
  // it are made then.
  void Map(std::string_view record, const RecordFacts& facts);
  // The line at `at`, where end[-1] is a line end: returns behind its end, or nullptr when it has
  // to be given to Map. Nothing has been made of it then.
  const char* MapLine(const char* at, const char* end, const RecordFacts& facts);

 private:
  class Sink;

  void Shape();
  // The document at the beginning of `text` when its rows are the elements of an array: returns
  // where it ends, or nullptr. Nothing has been made of it then.
  const char* MapArray(std::string_view text, const RecordFacts& facts);
  bool FindElements(std::string_view array);
  void MapDocument(std::string_view text);
  void MapRow(codec::JsonValue row);
  void MapElement(codec::JsonValue row, std::optional<codec::JsonValue> element);
  void SetNulls(uint64_t seen);

  std::vector<PathStep> row_path_;
  InputRows& rows_;
  OnError on_error_;
  const RecordFacts* facts_ = nullptr;
  std::vector<PathStep> explode_;  // the path of the array whose elements become rows
  bool explodes_ = false;
  std::optional<FlatJson> shaped_;
  std::optional<FlatJson> array_;    // where the array is in the record; none: it is the record
  std::optional<FlatJson> element_;  // the members of its elements
  std::vector<std::string_view> elements_;
  const char* given_up_ = nullptr;  // the line that MapLine could not read
  std::string unescaped_;
};

}  // namespace millstream::sql
