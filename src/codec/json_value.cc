#include "codec/json_value.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/check.h"
#include "codec/json_cursor.h"
#include "codec/utf8.h"

namespace millstream::codec {

using internal::JsonNode;
using Kind = JsonNode::Kind;

namespace {

// A number's text taken apart: the digits without point and zeros in front, and how many of them
// stand before the point (fewer than none for 0.001, more than there are for 1e3).
struct Decimal {
  bool negative = false;
  std::string digits;
  int64_t whole_digits = 0;
};

Decimal TakeApart(std::string_view text) {
  Decimal decimal;
  decimal.negative = text.front() == '-';
  if (decimal.negative) text.remove_prefix(1);
  bool behind_point = false;
  std::size_t i = 0;
  for (; i < text.size() && text[i] != 'e' && text[i] != 'E'; ++i) {
    if (text[i] == '.') {
      behind_point = true;
      continue;
    }
    if (decimal.digits.empty() && text[i] == '0') {
      if (behind_point) --decimal.whole_digits;
      continue;
    }
    decimal.digits.push_back(text[i]);
    if (!behind_point) ++decimal.whole_digits;
  }
  if (i < text.size()) {
    const bool down = text[i + 1] == '-';
    int64_t exponent = 0;
    for (const char c : text.substr(i + 1)) {
      // Far beyond what any number of digits that fits in memory could bring back.
      if (c != '-' && c != '+') exponent = std::min(exponent * 10 + (c - '0'), INT64_MAX / 100);
    }
    decimal.whole_digits += down ? -exponent : exponent;
  }
  return decimal;
}

// The magnitude of a number that is whole and below 2^64.
std::optional<uint64_t> WholeMagnitude(const Decimal& decimal) {
  if (decimal.digits.empty()) return 0;
  if (decimal.whole_digits <= 0 || decimal.whole_digits > 20) return std::nullopt;
  const auto whole_digits = static_cast<std::size_t>(decimal.whole_digits);
  uint64_t magnitude = 0;
  for (std::size_t i = 0; i < whole_digits; ++i) {
    const uint64_t digit = i < decimal.digits.size() ? decimal.digits[i] - '0' : 0;
    if (__builtin_mul_overflow(magnitude, 10, &magnitude) ||
        __builtin_add_overflow(magnitude, digit, &magnitude)) {
      return std::nullopt;
    }
  }
  for (std::size_t i = whole_digits; i < decimal.digits.size(); ++i) {
    if (decimal.digits[i] != '0') return std::nullopt;
  }
  return magnitude;
}

template <typename T>
bool ParsePlain(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// Recursive descent over a copy of the text, in which escaped strings are unescaped in place (the
// value is never longer than its escaped form).
class Parser {
 public:
  Parser(char* text, std::size_t size, std::vector<JsonNode>& nodes)
      : begin_(text), at_(text), end_(text + size), nodes_(nodes) {}

  base::Status ParseText() {
    if (!ParseValue(0, {})) return Failure();
    SkipSpace();
    if (at_ != end_) {
      Fault("expected the end of the text");
      return Failure();
    }
    return {};
  }

 private:
  base::Status Failure() const {
    return base::Fail(base::Code::kInvalidArgument,
                      std::string(what_) + ", at byte " + std::to_string(fault_ - begin_));
  }
  bool Fault(const char* what) { return FaultAt(what, at_); }
  bool FaultAt(const char* what, const char* at) {
    what_ = what;
    fault_ = at;
    return false;
  }

  void SkipSpace() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  bool Consume(char c) {
    SkipSpace();
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }

  bool ParseValue(int depth, std::string_view key) {
    SkipSpace();
    if (at_ == end_) return Fault("expected a value, found the end of the text");
    const std::size_t index = nodes_.size();
    JsonNode& node = nodes_.emplace_back();
    node.key = key.data();
    node.key_size = key.size();
    switch (*at_) {
      case '{':
        return ParseObject(index, depth + 1);
      case '[':
        return ParseArray(index, depth + 1);
      case '"': {
        std::string_view text;
        if (!ParseString(text)) return false;
        node.kind = Kind::kString;
        node.text = text.data();
        node.size = text.size();
        return true;
      }
      case 't':
        node.kind = Kind::kTrue;
        return ParseWord("true");
      case 'f':
        node.kind = Kind::kFalse;
        return ParseWord("false");
      case 'n':
        return ParseWord("null");
      default: {
        const char* const stop = internal::JsonNumberEnd(at_, end_);
        if (stop == nullptr) {
          const bool number = *at_ == '-' || (*at_ >= '0' && *at_ <= '9');
          return Fault(number ? "malformed number" : "expected a value");
        }
        node.kind = Kind::kNumber;
        node.text = at_;
        node.size = static_cast<std::size_t>(stop - at_);
        at_ += node.size;
        return true;
      }
    }
  }

  bool ParseWord(std::string_view word) {
    if (static_cast<std::size_t>(end_ - at_) < word.size() ||
        std::memcmp(at_, word.data(), word.size()) != 0) {
      return Fault("expected a value");
    }
    at_ += word.size();
    return true;
  }

  bool ParseString(std::string_view& value) {
    if (at_ == end_ || *at_ != '"') return Fault("expected a string");
    char* const quote = at_++;
    bool escapes = false;
    for (const char* from = at_;;) {
      const char* const stop = FindJsonStringStop(from, end_);
      if (stop == end_) return FaultAt("string without an end", quote);
      if (*stop == '"') {
        value = {at_, static_cast<std::size_t>(stop - at_)};
        break;
      }
      if (*stop != '\\') return FaultAt("control character in a string", stop);
      escapes = true;
      if (end_ - stop < 2) return FaultAt("string without an end", quote);
      from = stop + 2;
    }
    char* const first = at_;
    at_ += value.size() + 1;
    if (!escapes) return true;
    unescaped_.clear();
    if (!UnescapeJson(value, unescaped_)) return FaultAt("wrong escape in the string", quote);
    CHECK(unescaped_.size() <= value.size());
    if (!unescaped_.empty()) std::memcpy(first, unescaped_.data(), unescaped_.size());
    value = {first, unescaped_.size()};
    return true;
  }

  bool ParseArray(std::size_t index, int depth) {
    if (depth > kJsonDepthMax) return Fault("nested too deep");
    ++at_;
    std::size_t count = 0;
    if (!Consume(']')) {
      do {
        if (!ParseValue(depth, {})) return false;
        ++count;
      } while (Consume(','));
      if (!Consume(']')) return Fault("expected ',' or ']' after an element");
    }
    Close(index, Kind::kArray, count);
    return true;
  }

  bool ParseObject(std::size_t index, int depth) {
    if (depth > kJsonDepthMax) return Fault("nested too deep");
    ++at_;
    std::size_t count = 0;
    if (!Consume('}')) {
      do {
        SkipSpace();
        std::string_view key;
        if (!ParseString(key)) return false;
        if (!Consume(':')) return Fault("expected ':' after a key");
        if (!ParseValue(depth, key)) return false;
        ++count;
      } while (Consume(','));
      if (!Consume('}')) return Fault("expected ',' or '}' after a member");
    }
    Close(index, Kind::kObject, count);
    if (count > 1) HideRepeated(index);
    return true;
  }

  void Close(std::size_t index, Kind kind, std::size_t count) {
    JsonNode& node = nodes_[index];
    node.kind = kind;
    node.size = count;
    node.span = static_cast<uint32_t>(nodes_.size() - index);
  }

  // Of members of one name only the last one counts.
  void HideRepeated(std::size_t index) {
    members_.clear();
    const std::size_t end = index + nodes_[index].span;
    for (std::size_t i = index + 1; i < end; i += nodes_[i].span) members_.push_back(&nodes_[i]);
    const auto name = [](const JsonNode* node) {
      return std::string_view(node->key, node->key_size);
    };
    constexpr std::size_t kFew = 8;
    if (members_.size() <= kFew) {
      for (std::size_t i = 0; i + 1 < members_.size(); ++i) {
        for (std::size_t j = i + 1; j < members_.size() && !members_[i]->hidden; ++j) {
          members_[i]->hidden = name(members_[i]) == name(members_[j]);
        }
      }
    } else {
      // Equal names side by side, in text order.
      std::sort(members_.begin(), members_.end(), [&](const JsonNode* a, const JsonNode* b) {
        const int order = name(a).compare(name(b));
        return order != 0 ? order < 0 : a < b;
      });
      for (std::size_t i = 0; i + 1 < members_.size(); ++i) {
        members_[i]->hidden = name(members_[i]) == name(members_[i + 1]);
      }
    }
    for (const JsonNode* member : members_) nodes_[index].size -= member->hidden ? 1 : 0;
  }

  char* const begin_;
  char* at_;
  char* const end_;
  std::vector<JsonNode>& nodes_;
  std::string unescaped_;
  std::vector<JsonNode*> members_;
  const char* what_ = "";
  const char* fault_ = nullptr;
};

}  // namespace

base::Result<JsonDocument> JsonDocument::Parse(std::string_view text) {
  if (text.size() >= UINT32_MAX) {
    return base::Fail(base::Code::kInvalidArgument,
                      "JSON text of " + std::to_string(text.size()) + " bytes, limit 4294967294");
  }
  if (!IsValidUtf8(text)) {
    std::size_t valid = 0;
    while (const std::size_t length = Utf8SequenceLength(text.substr(valid))) valid += length;
    return base::Fail(base::Code::kInvalidArgument, "not UTF-8, at byte " + std::to_string(valid));
  }
  JsonDocument document;
  document.text_.reset(new char[text.size() + 1]);
  if (!text.empty()) std::memcpy(document.text_.get(), text.data(), text.size());
  Parser parser(document.text_.get(), text.size(), document.nodes_);
  TRY(parser.ParseText());
  return document;
}

JsonValue::Type JsonValue::type() const {
  switch (node_->kind) {
    case Kind::kNull:
      return Type::kNull;
    case Kind::kFalse:
    case Kind::kTrue:
      return Type::kBool;
    case Kind::kNumber:
      return Type::kNumber;
    case Kind::kString:
      return Type::kString;
    case Kind::kArray:
      return Type::kArray;
    case Kind::kObject:
      return Type::kObject;
  }
  CHECK_MSG(false, "no such kind");
}

std::string_view JsonValue::type_name() const {
  switch (type()) {
    case Type::kNull:
      return "null";
    case Type::kBool:
      return "boolean";
    case Type::kNumber:
      return "number";
    case Type::kString:
      return "string";
    case Type::kArray:
      return "array";
    case Type::kObject:
      return "object";
  }
  CHECK_MSG(false, "no such type");
}

bool JsonValue::AsBool() const {
  CHECK(is_bool());
  return node_->kind == Kind::kTrue;
}

std::string_view JsonValue::AsString() const {
  CHECK(is_string());
  return {node_->text, node_->size};
}

std::string_view JsonValue::NumberText() const {
  CHECK(is_number());
  return {node_->text, node_->size};
}

std::optional<int64_t> JsonValue::AsInt64() const {
  if (!is_number()) return std::nullopt;
  int64_t value;
  if (ParsePlain(NumberText(), value)) return value;
  const Decimal decimal = TakeApart(NumberText());
  const std::optional<uint64_t> magnitude = WholeMagnitude(decimal);
  const uint64_t limit = uint64_t{INT64_MAX} + (decimal.negative ? 1 : 0);
  if (!magnitude || *magnitude > limit) return std::nullopt;
  return static_cast<int64_t>(decimal.negative ? 0 - *magnitude : *magnitude);
}

std::optional<uint64_t> JsonValue::AsUint64() const {
  if (!is_number()) return std::nullopt;
  uint64_t value;
  if (ParsePlain(NumberText(), value)) return value;
  const Decimal decimal = TakeApart(NumberText());
  const std::optional<uint64_t> magnitude = WholeMagnitude(decimal);
  if (!magnitude || (decimal.negative && *magnitude != 0)) return std::nullopt;
  return magnitude;
}

std::optional<double> JsonValue::AsDouble() const {
  if (!is_number()) return std::nullopt;
  double value;
  if (ParsePlain(NumberText(), value)) return value;
  // Out of range: either too large, or so small that zero is the nearest.
  const Decimal decimal = TakeApart(NumberText());
  if (decimal.whole_digits > 0) return std::nullopt;
  return decimal.negative ? -0.0 : 0.0;
}

std::size_t JsonValue::size() const { return is_array() || is_object() ? node_->size : 0; }

JsonValue::Found JsonValue::Find(std::string_view name) const {
  if (!is_object()) return Found();
  for (const JsonValue member : *this) {
    if (member.key() == name) return Found(member);
  }
  return Found();
}

JsonValue::Iterator JsonValue::begin() const {
  const JsonNode* const end = node_ + node_->span;
  if (size() == 0) return Iterator(end, end);
  const JsonNode* node = node_ + 1;
  while (node != end && node->hidden) node += node->span;
  return Iterator(node, end);
}

JsonValue::Iterator JsonValue::end() const {
  const JsonNode* const end = node_ + node_->span;
  return Iterator(end, end);
}

JsonValue::Iterator& JsonValue::Iterator::operator++() {
  do {
    node_ += node_->span;
  } while (node_ != end_ && node_->hidden);
  return *this;
}

}  // namespace millstream::codec
