#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sql/batch.h"
#include "sql/flat_json.h"
#include "sql/input_path.h"
#include "sql/input_schema.h"
#include "sql/type.h"

namespace millstream::sql {

struct InputColumn {
  std::string name;
  Type type;
  std::vector<PathStep> path;           // JSON
  std::size_t all = std::string::npos;  // position of [0:] in the path, if something follows it
};

// A value as it stands in the input.
struct InputValue {
  enum class Kind { kNull, kBool, kNumber, kText, kStructure } kind = Kind::kNull;
  bool boolean = false;
  std::string_view text;
};

// The rows of an input while they are made: values become those of their columns by the rules of
// the schema page. The row that is made is row(); all of its columns are set before Commit.
class InputRows {
 public:
  using Emit = std::function<void(const Batch&)>;
  static constexpr std::size_t kShortText = 64;

  void Init(std::vector<InputColumn> columns, bool has_shards, Emit emit);
  const std::vector<InputColumn>& columns() const { return columns_; }

  // What fits is converted, texts are cut silently, the rest fails the row with a RowError.
  void Set(std::size_t column, const InputValue& value);
  void SetNull(std::size_t column) { buffer_.column(static_cast<int>(column)).SetNull(row()); }
  // The same for values of JSON, most of which take few steps.
  void SetText(std::size_t column, std::string_view text);
  void SetShortText(std::size_t column, std::string_view text);  // kShortText bytes can be read
  void SetNumber(std::size_t column, const FlatJson::Number& number);
  void SetWord(std::size_t column, FlatJson::Word word);

  // Hands out 1024 rows when there are so many.
  void Commit(const RecordFacts& facts);
  void Flush();

 private:
  // How the values of a column mostly become its own.
  enum class Form : uint8_t { kText, kTimestamp, kDouble, kInteger, kDecimal, kOther };
  struct Target {
    Form form = Form::kOther;
    int scale = 0;             // of kDecimal
    int64_t min = 0, max = 0;  // of integers and the digits of decimals; max: bytes of a text
    Vector* vector = nullptr;
    uint8_t* valid = nullptr;
  };

  int row() const { return buffer_.rows(); }
  // Memory for so many more bytes of texts.
  char* Room(std::size_t size);
  void MakeRoom(std::size_t size);
  std::string_view Keep(std::string_view text);
  std::string_view KeepShort(std::string_view text);
  // Of texts of the minute that was last, as most are. False: ParseTimestamp knows.
  bool QuickTimestamp(std::string_view text, int64_t& out) const;
  void RememberMinute(std::string_view text);

  std::vector<InputColumn> columns_;
  std::vector<Target> targets_;
  bool has_shards_ = false;
  Emit emit_;
  RowBuffer buffer_;
  char* texts_ = nullptr;  // a part of the buffer's arena that is not used yet
  char* texts_end_ = nullptr;
  char minute_[16] = {};  // 2026-01-31 23:59
  int64_t minute_ms_ = 0;
};

MILLSTREAM_INLINE char* InputRows::Room(std::size_t size) {
  if (static_cast<std::size_t>(texts_end_ - texts_) < size) MakeRoom(size);
  return texts_;
}

inline std::string_view InputRows::Keep(std::string_view text) {
  char* to = Room(text.size());
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  texts_ += text.size();
  return {to, text.size()};
}

// A whole number of steps of 16 bytes costs less than a call of memcpy.
MILLSTREAM_INLINE std::string_view InputRows::KeepShort(std::string_view text) {
  char* to = Room(kShortText);
  std::memcpy(to, text.data(), 16);
  if (text.size() > 16) {
    std::memcpy(to + 16, text.data() + 16, 16);
    std::memcpy(to + 32, text.data() + 32, 32);
  }
  texts_ += text.size();
  return {to, text.size()};
}

// 2026-01-31 23:59:59[.999...][Z]
MILLSTREAM_INLINE bool InputRows::QuickTimestamp(std::string_view text, int64_t& out) const {
  const char* p = text.data();
  if (text.size() < 19 || std::memcmp(p, minute_, sizeof minute_) != 0 || p[16] != ':')
    return false;
  const auto digit = [&](std::size_t i) { return static_cast<unsigned>(p[i] - '0'); };
  const unsigned second = digit(17) * 10 + digit(18);
  if (digit(17) > 5 || digit(18) > 9) return false;
  std::size_t at = 19;
  unsigned ms = 0;
  if (text.size() >= 23 && p[19] == '.') {  // digits below a millisecond are dropped
    if (digit(20) > 9 || digit(21) > 9 || digit(22) > 9) return false;
    ms = digit(20) * 100 + digit(21) * 10 + digit(22);
    for (at = 23; at < text.size() && at < 29 && digit(at) <= 9; ++at) {
    }
  }
  if (at < text.size() && p[at] == 'Z') ++at;
  if (at != text.size()) return false;
  out = minute_ms_ + second * 1000 + ms;
  return true;
}

inline void InputRows::SetText(std::size_t column, std::string_view text) {
  const Target& target = targets_[column];
  if (target.form == Form::kText && text.size() <= static_cast<std::size_t>(target.max)) {
    target.valid[row()] = 1;
    target.vector->strings()[row()] = Keep(text);
    return;
  }
  Set(column, {InputValue::Kind::kText, false, text});
}

MILLSTREAM_INLINE void InputRows::SetShortText(std::size_t column, std::string_view text) {
  const Target& target = targets_[column];
  const int at = row();
  if (target.form == Form::kText && text.size() <= static_cast<std::size_t>(target.max)) {
    target.valid[at] = 1;
    target.vector->strings()[at] = KeepShort(text);
    return;
  }
  if (target.form == Form::kTimestamp && QuickTimestamp(text, target.vector->ints()[at])) {
    target.valid[at] = 1;
    return;
  }
  Set(column, {InputValue::Kind::kText, false, text});
}

MILLSTREAM_INLINE void InputRows::SetNumber(std::size_t column, const FlatJson::Number& number) {
  const Target& target = targets_[column];
  const int at = row();
  if (target.form == Form::kDouble && number.has_double()) {
    target.valid[at] = 1;
    target.vector->doubles()[at] = number.AsDouble();
    return;
  }
  if (target.form == Form::kInteger && number.whole() && number.digits >= target.min &&
      number.digits <= target.max) {
    target.valid[at] = 1;
    target.vector->ints()[at] = number.digits;
    return;
  }
  if (target.form == Form::kDecimal && number.scale >= 0 && number.scale <= target.scale) {
    int64_t value;
    if (!__builtin_mul_overflow(number.digits, PowerOfTen(target.scale - number.scale), &value) &&
        value >= target.min && value <= target.max) {
      target.valid[at] = 1;
      target.vector->ints()[at] = value;
      return;
    }
  }
  Set(column, {InputValue::Kind::kNumber, false, number.text});
}

MILLSTREAM_INLINE void InputRows::Commit(const RecordFacts& facts) {
  const int at = row();
  auto c = static_cast<int>(columns_.size());
  Vector& arrival = buffer_.column(c);
  arrival.valid()[at] = 1;
  arrival.ints()[at] = facts.arrival_ms;
  if (has_shards_) {
    for (std::string_view text : {facts.shard_id, facts.partition_key, facts.sequence_number}) {
      Vector& v = buffer_.column(++c);
      v.valid()[at] = 1;
      v.strings()[at] = Keep(text);
    }
  }
  buffer_.Commit(facts.rowtime);
  if (buffer_.full()) Flush();
}

}  // namespace millstream::sql
