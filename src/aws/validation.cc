#include "aws/validation.h"

#include <re2/re2.h>

#include <string>
#include <string_view>
#include <vector>

#include "aws/value_text.h"
#include "base/bytes.h"
#include "base/check.h"
#include "codec/utf8.h"

namespace millstream::aws {

struct Validator::Patterns {
  std::vector<std::unique_ptr<const RE2>> compiled;
};

namespace {

constexpr std::size_t kErrorsMax = 10;
constexpr std::size_t kValueTextMax = 64 << 10;

// Where a value is, from the inside out; lives on the stack of the walk, so a path costs nothing
// until an error prints it.
struct Path {
  const Path* parent;
  std::string_view name;     // of a member, or the key of a map entry
  std::size_t position = 0;  // of a list element, from 1
  bool is_element = false;   // prints as "1.member" or "key.member"

  void AppendTo(std::string& text) const {
    if (parent != nullptr) {
      parent->AppendTo(text);
      text += '.';
    }
    if (!is_element) {  // StreamARN -> streamARN
      const char first = name.empty() ? '\0' : name[0];
      const bool upper = first >= 'A' && first <= 'Z';
      if (upper) text += static_cast<char>(first - 'A' + 'a');
      text.append(upper ? name.substr(1) : name);
    } else {
      if (position > 0) {
        text.append(std::to_string(position));
      } else {
        text.append(name);
      }
      text.append(".member");
    }
  }
};

std::size_t LengthOf(const ShapeSchema& shape, const void* value) {
  switch (shape.kind) {
    case Kind::kBlob: return static_cast<const base::Bytes*>(value)->size();
    case Kind::kList: return shape.list->size(value);
    case Kind::kMap: return shape.map->size(value);
    default: return codec::Utf8Length(*static_cast<const std::string*>(value));
  }
}

bool IsScalar(Kind kind) {
  return kind != Kind::kList && kind != Kind::kMap && kind != Kind::kStructure;
}

// One walk over one input.
class Walk {
 public:
  Walk(const ServiceSchema& service, const std::vector<std::unique_ptr<const RE2>>& patterns)
      : service_(service), patterns_(patterns) {}

  void Structure(const ShapeSchema& shape, const void* value, const Path* parent);
  std::optional<ServiceError> TakeError();

 private:
  void Value(const ShapeSchema& shape, const void* value, const Path& path);
  void Length(const ShapeSchema& shape, const void* value, const Path& path);
  void String(const ShapeSchema& shape, const void* value, const Path& path);
  void Number(const ShapeSchema& shape, const void* value, int64_t number, const Path& path);
  void List(const ShapeSchema& shape, const void* value, const Path& path);
  void Map(const ShapeSchema& shape, const void* value, const Path& path);

  // Whether a scalar keeps its own constraints; used for elements, keys and values, which are
  // reported together.
  bool Holds(const ShapeSchema& shape, const void* value) const;
  bool HoldsLength(const ShapeSchema& shape, const void* value) const;
  bool Matches(const ShapeSchema& shape, const std::string& text) const;
  bool IsEnumValue(const ShapeSchema& shape, const std::string& text) const;

  bool full() const { return errors_ >= kErrorsMax; }
  // `value` null prints as null.
  void Report(const ShapeSchema& shape, const void* value, const Path& path,
              std::string_view constraint);

  const ServiceSchema& service_;
  const std::vector<std::unique_ptr<const RE2>>& patterns_;
  std::size_t errors_ = 0;
  std::string text_;
};

std::string LengthAtLeast(int64_t min) {
  return "Member must have length greater than or equal to " + std::to_string(min);
}

std::string LengthAtMost(int64_t max) {
  return "Member must have length less than or equal to " + std::to_string(max);
}

std::string EnumSet(const ShapeSchema& shape) {
  std::string text = "Member must satisfy enum value set: [";
  for (std::size_t i = 0; i < shape.enum_values.size(); ++i) {
    if (i > 0) text.append(", ");
    text.append(shape.enum_values[i]);
  }
  return text + "]";
}

std::string MatchPattern(const ShapeSchema& shape) {
  return "Member must satisfy regular expression pattern: " + std::string(shape.pattern);
}

// All constraints of a scalar in one: "[Member must ..., Member must ...]".
std::string AllConstraints(const ShapeSchema& shape) {
  std::string text = "[";
  auto add = [&text](const std::string& constraint) {
    if (text.size() > 1) text.append(", ");
    text.append(constraint);
  };
  const bool is_number = shape.kind == Kind::kInteger || shape.kind == Kind::kLong;
  if (shape.max != kNoMax) {
    add(is_number ? "Member must have value less than or equal to " + std::to_string(shape.max)
                  : LengthAtMost(shape.max));
  }
  if (shape.min != kNoMin) {
    add(is_number ? "Member must have value greater than or equal to " + std::to_string(shape.min)
                  : LengthAtLeast(shape.min));
  }
  if (!shape.pattern.empty()) add(MatchPattern(shape));
  if (!shape.enum_values.empty()) add(EnumSet(shape));
  return text + "]";
}

void Walk::Report(const ShapeSchema& shape, const void* value, const Path& path,
                  std::string_view constraint) {
  if (full()) return;
  if (++errors_ > 1) text_.append("; ");
  text_.append("Value ");
  if (value == nullptr) {
    text_.append("null");
  } else {
    text_ += '\'';
    const std::size_t size_max = text_.size() + kValueTextMax;
    AppendValueText(service_, shape, value, size_max, text_);
    if (text_.size() > size_max) {
      // Not through the middle of a character.
      std::size_t end = size_max;
      while (end > 0 && (static_cast<unsigned char>(text_[end]) & 0xc0) == 0x80) --end;
      text_.resize(end);
      text_.append("...");
    }
    text_ += '\'';
  }
  text_.append(" at '");
  path.AppendTo(text_);
  text_.append("' failed to satisfy constraint: ").append(constraint);
}

std::optional<ServiceError> Walk::TakeError() {
  if (errors_ == 0) return std::nullopt;
  return ValidationException(std::to_string(errors_) + " validation error" +
                             (errors_ > 1 ? "s" : "") + " detected: " + text_);
}

void Walk::Structure(const ShapeSchema& shape, const void* value, const Path* parent) {
  uint32_t present = 0;
  if (shape.has_required) {
    present = *reinterpret_cast<const uint32_t*>(static_cast<const char*>(value) +
                                                 shape.present_offset);
  }
  for (const MemberSchema& member : shape.members) {
    if (full()) return;
    const Path path{.parent = parent, .name = member.name};
    if (member.required() && (present & (1u << member.required_bit)) == 0) {
      Report(*member.shape, nullptr, path, "Member must not be null");
    } else if (const void* field = member.Get(value)) {
      Value(*member.shape, field, path);
    }
  }
}

void Walk::Value(const ShapeSchema& shape, const void* value, const Path& path) {
  switch (shape.kind) {
    case Kind::kString: return String(shape, value, path);
    case Kind::kBlob: return Length(shape, value, path);
    case Kind::kInteger:
      return Number(shape, value, *static_cast<const int32_t*>(value), path);
    case Kind::kLong: return Number(shape, value, *static_cast<const int64_t*>(value), path);
    case Kind::kList: return List(shape, value, path);
    case Kind::kMap: return Map(shape, value, path);
    case Kind::kStructure: return Structure(shape, value, &path);
    case Kind::kBoolean:
    case Kind::kFloat:
    case Kind::kDouble:
    case Kind::kTimestamp: return;
  }
}

void Walk::Length(const ShapeSchema& shape, const void* value, const Path& path) {
  if (HoldsLength(shape, value)) return;
  const int64_t length = static_cast<int64_t>(LengthOf(shape, value));
  if (length < shape.min) Report(shape, value, path, LengthAtLeast(shape.min));
  if (length > shape.max) Report(shape, value, path, LengthAtMost(shape.max));
}

void Walk::String(const ShapeSchema& shape, const void* value, const Path& path) {
  const std::string& text = *static_cast<const std::string*>(value);
  if (!IsEnumValue(shape, text)) Report(shape, value, path, EnumSet(shape));
  if (!Matches(shape, text)) Report(shape, value, path, MatchPattern(shape));
  Length(shape, value, path);
}

void Walk::Number(const ShapeSchema& shape, const void* value, int64_t number, const Path& path) {
  if (number < shape.min) {
    Report(shape, value, path,
           "Member must have value greater than or equal to " + std::to_string(shape.min));
  }
  if (number > shape.max) {
    Report(shape, value, path,
           "Member must have value less than or equal to " + std::to_string(shape.max));
  }
}

void Walk::List(const ShapeSchema& shape, const void* value, const Path& path) {
  Length(shape, value, path);
  const ShapeSchema& element = *shape.element;
  const std::size_t size = shape.list->size(value);
  for (std::size_t i = 0; i < size && !full(); ++i) {
    const void* entry = shape.list->at(value, i);
    if (IsScalar(element.kind)) {
      if (Holds(element, entry)) continue;
      Report(shape, value, path, "Member must satisfy constraint: " + AllConstraints(element));
      return;  // once for the whole list
    }
    Value(element, entry, Path{.parent = &path, .name = {}, .position = i + 1, .is_element = true});
  }
}

void Walk::Map(const ShapeSchema& shape, const void* value, const Path& path) {
  Length(shape, value, path);
  struct Context {
    Walk& walk;
    const ShapeSchema& shape;
    const Path& path;
    bool keys_hold = true;
    bool values_hold = true;
  } context{*this, shape, path};
  shape.map->each(
      value, &context, [](void* opaque, const std::string& key, const void* entry) {
        auto& on = *static_cast<Context*>(opaque);
        const ShapeSchema& element = *on.shape.element;
        on.keys_hold = on.keys_hold && on.walk.Holds(*on.shape.key, &key);
        if (IsScalar(element.kind)) {
          on.values_hold = on.values_hold && on.walk.Holds(element, entry);
        } else if (!on.walk.full()) {
          on.walk.Value(element, entry,
                        Path{.parent = &on.path, .name = key, .position = 0, .is_element = true});
        }
      });
  if (!context.keys_hold) {
    Report(shape, value, path, "Map keys must satisfy constraint: " + AllConstraints(*shape.key));
  }
  if (!context.values_hold) {
    Report(shape, value, path,
           "Map value must satisfy constraint: " + AllConstraints(*shape.element));
  }
}

bool Walk::HoldsLength(const ShapeSchema& shape, const void* value) const {
  if (shape.min == kNoMin && shape.max == kNoMax) return true;
  if (shape.kind == Kind::kString) {
    // A string has at most as many characters as bytes, and at least one where it has bytes.
    const auto bytes = static_cast<int64_t>(static_cast<const std::string*>(value)->size());
    if (bytes <= shape.max && (shape.min <= 1 ? bytes >= shape.min : bytes / 4 >= shape.min)) {
      return true;
    }
  }
  const auto length = static_cast<int64_t>(LengthOf(shape, value));
  return length >= shape.min && length <= shape.max;
}

bool Walk::Matches(const ShapeSchema& shape, const std::string& text) const {
  return shape.pattern_index == kNoPattern ||
         RE2::FullMatch(text, *patterns_[shape.pattern_index]);
}

bool Walk::IsEnumValue(const ShapeSchema& shape, const std::string& text) const {
  if (shape.enum_values.empty()) return true;
  for (std::string_view value : shape.enum_values) {
    if (value == text) return true;
  }
  return false;
}

bool Walk::Holds(const ShapeSchema& shape, const void* value) const {
  switch (shape.kind) {
    case Kind::kString: {
      const std::string& text = *static_cast<const std::string*>(value);
      return IsEnumValue(shape, text) && HoldsLength(shape, value) && Matches(shape, text);
    }
    case Kind::kBlob: return HoldsLength(shape, value);
    case Kind::kInteger: {
      const int32_t number = *static_cast<const int32_t*>(value);
      return number >= shape.min && number <= shape.max;
    }
    case Kind::kLong: {
      const int64_t number = *static_cast<const int64_t*>(value);
      return number >= shape.min && number <= shape.max;
    }
    default: return true;
  }
}

}  // namespace

Validator::Validator(const ServiceSchema& service)
    : service_(service), patterns_([&service] {
        auto patterns = std::make_unique<Patterns>();
        RE2::Options options;
        options.set_log_errors(false);
        options.set_never_capture(true);
        for (std::string_view pattern : service.patterns) {
          patterns->compiled.push_back(std::make_unique<const RE2>(
              re2::StringPiece(pattern.data(), pattern.size()), options));
          // The models are part of the program; tests compile them all.
          CHECK_MSG(patterns->compiled.back()->ok(), "pattern of a model is not RE2's syntax");
        }
        return patterns;
      }()) {}

Validator::~Validator() = default;

std::optional<ServiceError> Validator::Check(const ShapeSchema& shape, const void* value) const {
  Walk walk(service_, patterns_->compiled);
  walk.Structure(shape, value, nullptr);
  return walk.TakeError();
}

}  // namespace millstream::aws
