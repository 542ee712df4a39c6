#include "sql/input_rows.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "sql/cast.h"
#include "sql/datetime.h"
#include "sql/error.h"

namespace millstream::sql {

namespace {

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

[[noreturn]] void Bad(const InputColumn& column, const InputValue& value) {
  throw RowError{"INPUT_ERROR", "column " + column.name + ": '" +
                                    std::string(value.text.substr(0, 100)) + "' is no " +
                                    TypeName(column.type)};
}

double ToDouble(const InputColumn& column, const InputValue& value, std::string_view text) {
  double number = 0;
  if (!ParseDouble(text, number)) Bad(column, value);
  return column.type.kind == Kind::kReal ? static_cast<double>(static_cast<float>(number)) : number;
}

// A truth value is its lowest bit, a text a literal: X'3F67A23A'.
std::string ToBinary(const InputColumn& column, const InputValue& value) {
  const std::size_t length = static_cast<std::size_t>(column.type.length);
  const bool fixed = column.type.kind == Kind::kBinary;
  if (value.kind == InputValue::Kind::kBool) {
    std::string bytes(fixed ? length : 1, '\0');
    bytes.back() = value.boolean ? '\1' : '\0';
    return bytes;
  }
  std::string_view text = value.text;
  if (value.kind != InputValue::Kind::kText || text.size() < 3 || text.size() % 2 == 0 ||
      (text[0] != 'X' && text[0] != 'x') || text[1] != '\'' || text.back() != '\'') {
    Bad(column, value);
  }
  std::string bytes;
  for (text = text.substr(2, text.size() - 3); !text.empty(); text.remove_prefix(2)) {
    unsigned byte = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + 2, byte, 16);
    if (error != std::errc() || end != text.data() + 2) Bad(column, value);
    bytes += static_cast<char>(byte);
  }
  if (bytes.size() > length) Bad(column, value);
  if (fixed) bytes.resize(length, '\0');
  return bytes;
}

int64_t ToExact(const InputColumn& column, const InputValue& value, std::string_view text) {
  const Kind kind = column.type.kind;
  const int scale = kind == Kind::kDecimal ? column.type.scale : 0;
  const int precision = kind == Kind::kDecimal ? column.type.length : 19;
  int64_t v = 0;
  if (!ParseDecimal(text, precision, scale, false, v)) {
    double d = 0;  // 1e3
    if (text.find_first_of("eE") == std::string_view::npos || !ParseDouble(text, d) || d < -1e15 ||
        d > 1e15 || d != static_cast<double>(static_cast<int64_t>(d))) {
      Bad(column, value);
    }
    v = static_cast<int64_t>(d);
    if (__builtin_mul_overflow(v, PowerOfTen(scale), &v) || !FitsPrecision(v, precision))
      Bad(column, value);
  }
  if (kind != Kind::kDecimal && (v < IntegerMin(kind) || v > IntegerMax(kind))) Bad(column, value);
  return v;
}

}  // namespace

void InputRows::Init(std::vector<InputColumn> columns, bool has_shards, Emit emit) {
  columns_ = std::move(columns);
  has_shards_ = has_shards;
  emit_ = std::move(emit);
  std::vector<Physical> physical;
  for (const InputColumn& column : columns_) physical.push_back(PhysicalOf(column.type.kind));
  physical.push_back(Physical::kInt);
  if (has_shards) physical.insert(physical.end(), 3, Physical::kString);
  buffer_.Init(physical);
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    const Type& type = columns_[c].type;
    Target& target = targets_.emplace_back();
    target.vector = &buffer_.column(static_cast<int>(c));
    target.valid = target.vector->valid();
    if (IsCharacter(type.kind)) {
      target.form = Form::kText;
      target.max = type.length;
    } else if (IsInteger(type.kind)) {
      target.form = Form::kInteger;
      target.min = IntegerMin(type.kind);
      target.max = IntegerMax(type.kind);
    } else if (type.kind == Kind::kDecimal && type.length <= kDecimalPrecisionMax) {
      target.form = Form::kDecimal;
      target.scale = type.scale;
      target.max = PowerOfTen(type.length) - 1;
      target.min = -target.max;
    } else if (type.kind == Kind::kDouble) {
      target.form = Form::kDouble;
    } else if (type.kind == Kind::kTimestamp) {
      target.form = Form::kTimestamp;
    }
  }
}

void InputRows::Flush() {
  if (buffer_.rows() > 0) emit_(buffer_.view());
  buffer_.Clear();
  texts_ = texts_end_ = nullptr;
}

void InputRows::MakeRoom(std::size_t size) {
  constexpr std::size_t kBlockBytes = 8 * 1024;
  const std::size_t block = std::max(size, kBlockBytes);
  texts_ = buffer_.arena().Allocate(block);
  texts_end_ = texts_ + block;
}

void InputRows::SetWord(std::size_t column, FlatJson::Word word) {
  if (word == FlatJson::Word::kNull) return SetNull(column);
  Set(column, {InputValue::Kind::kBool, word == FlatJson::Word::kTrue, {}});
}

void InputRows::Set(std::size_t c, const InputValue& value) {
  const InputColumn& column = columns_[c];
  const Kind kind = column.type.kind;
  const int at = row();
  Vector& out = buffer_.column(static_cast<int>(c));
  if (value.kind == InputValue::Kind::kNull) return out.SetNull(at);
  out.valid()[at] = 1;
  std::string_view text = value.text;
  if (IsCharacter(kind)) {
    if (value.kind == InputValue::Kind::kBool) text = value.boolean ? "true" : "false";
    out.strings()[at] = Keep(Cut(text, static_cast<std::size_t>(column.type.length)));
    return;
  }
  if (value.kind == InputValue::Kind::kStructure) Bad(column, value);
  if (kind == Kind::kBoolean) {
    double number = 0;
    out.ints()[at] = value.kind == InputValue::Kind::kBool ? value.boolean
                     : value.kind == InputValue::Kind::kNumber
                         ? ParseDouble(text, number) && number != 0
                         : TextEqualsIgnoringCase(text, "true");
    return;
  }
  if (IsBinary(kind)) {
    out.strings()[at] = Keep(ToBinary(column, value));
    return;
  }
  if (value.kind == InputValue::Kind::kBool) {
    if (IsApproximate(kind)) {
      out.doubles()[at] = value.boolean;
    } else if (IsExact(kind)) {
      out.ints()[at] = !value.boolean           ? 0
                       : kind == Kind::kDecimal ? PowerOfTen(column.type.scale)
                                                : 1;
    } else {
      throw RowError{"INPUT_ERROR",
                     "column " + column.name + ": a truth value is no " + TypeName(column.type)};
    }
    return;
  }
  if (value.kind == InputValue::Kind::kText) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  }
  if (IsApproximate(kind)) {
    out.doubles()[at] = ToDouble(column, value, text);
    return;
  }
  if (IsExact(kind)) {
    out.ints()[at] = ToExact(column, value, text);
    return;
  }
  if (value.kind != InputValue::Kind::kText || !IsDatetime(kind)) Bad(column, value);
  const auto time = kind == Kind::kTimestamp ? ParseTimestamp(text)
                    : kind == Kind::kDate    ? ParseDate(text)
                                             : ParseTime(text);
  if (!time) Bad(column, value);
  out.ints()[at] = *time;
  if (kind == Kind::kTimestamp) RememberMinute(text);
}

void InputRows::RememberMinute(std::string_view text) {
  if (text.size() < sizeof minute_ || std::memcmp(text.data(), minute_, sizeof minute_) == 0)
    return;
  std::string minute(text.substr(0, sizeof minute_));
  if (auto start = ParseTimestamp(minute + ":00")) {
    std::memcpy(minute_, minute.data(), sizeof minute_);
    minute_ms_ = *start;
  }
}

}  // namespace millstream::sql
