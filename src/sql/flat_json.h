#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace millstream::sql {

// Reads records that are one JSON object by the shape of the records before them: after a member
// comes the one that came after it last time, so a name is compared, not searched, and values that
// no column wants are stepped over. A name that was not expected is looked up, so optional members
// cost little.
//
// It judges what it gives as strictly as JSON does, or gives up: arrays and objects that are
// wanted, escapes, blanks in unusual places, numbers of more than 18 digits, objects named twice,
// more than kMembersMax different members. Of what nobody wants it looks at quotes and brackets
// only. The caller then reads the record another way, so giving up changes speed and never a
// result. One thread.
class FlatJson {
 public:
  enum class Kind : uint8_t { kNull, kFalse, kTrue, kInteger, kNumber, kText };
  struct Value {
    Kind kind = Kind::kNull;
    std::string_view text;  // of numbers and texts, a view into the record
    int64_t integer = 0;    // of kInteger
    double number = 0;      // of kNumber, when exact
    bool exact = false;     // number is the nearest double to text
  };
  static constexpr std::size_t kMembersMax = 256;

  // What is to be given: members of members ({"detail", "user"}), by their places in this list. No
  // path may begin with another one. `rows` is the object that must be there; empty: the record.
  FlatJson(const std::vector<std::vector<std::string>>& paths,
           const std::vector<std::string>& rows = {});

  // Calls use(place, value) for each wanted member, in the order of the text, repeated ones too; it
  // returns false to give up. False when the record was given up; use may have been called then.
  template <typename Use>
  bool Read(std::string_view record, Use&& use) {
    if (!IsPlain(record)) return false;
    at_ = record.data();
    end_ = at_ + record.size();
    ++record_;
    SkipBlanks();
    if (!Take('{') || !ReadObject(0, use)) return false;
    SkipBlanks();
    return at_ == end_ && (rows_ == 0 || shapes_[rows_].entered == record_);
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  struct Member {
    std::string name;           // with its quotes and the colon: "name":
    int place = -1;             // of a wanted member
    std::size_t child = kNone;  // the shape of an object with wanted members
    std::size_t next = kNone;   // the member that came behind it
  };
  // What is known of the objects at one place of the record.
  struct Shape {
    std::vector<Member> members;
    std::unordered_map<std::string, std::size_t> by_name;
    std::size_t first = kNone;  // the member that it began with
    uint64_t seen = 0;          // the record that had it last...
    uint64_t entered = 0;       // ...and as an object
  };

  // at_ is behind the opening bracket. Recursion is as deep as the wanted paths are.
  template <typename Use>
  bool ReadObject(std::size_t index, Use& use) {
    Shape& shape = shapes_[index];  // all shapes are there from the beginning
    SkipBlank();
    if (at_ < end_ && *at_ == '}') {
      ++at_;
      return true;
    }
    std::size_t before = kNone;
    std::size_t member = shape.first;
    while (true) {
      if (member == kNone || !TakeName(shape.members[member])) {
        member = LookUp(shape);
        if (member == kNone) return false;
        (before == kNone ? shape.first : shape.members[before].next) = member;
      }
      SkipBlank();
      const Member& m = shape.members[member];
      if (m.place >= 0) {
        Value value;
        if (!Take(value) || !use(m.place, value)) return false;
      } else if (m.child != kNone) {
        if (!ReadChild(m.child, use)) return false;
      } else if (!Skip()) {
        return false;
      }
      SkipBlank();
      if (at_ == end_) return false;
      char c = *at_++;
      if (c == '}') return true;
      if (c != ',') return false;
      SkipBlank();
      before = member;
      member = m.next;
    }
  }

  template <typename Use>
  bool ReadChild(std::size_t index, Use& use) {
    Shape& child = shapes_[index];
    if (child.seen == record_) return false;  // of two, the last counts: what was given is wrong
    child.seen = record_;
    if (at_ == end_ || *at_ != '{') return Skip();
    child.entered = record_;
    ++at_;
    return ReadObject(index, use);
  }

  // Valid UTF-8.
  static bool IsPlain(std::string_view record);

  bool Take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  void SkipBlank() {
    if (at_ < end_ && *at_ == ' ') ++at_;
  }
  void SkipBlanks() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  bool TakeName(const Member& member) {
    std::size_t size = member.name.size();
    if (static_cast<std::size_t>(end_ - at_) < size) return false;
#if defined(__x86_64__)
    if (size <= 16 && end_ - at_ >= 16) {
      // Names lie in strings of at least 16 bytes, see Add.
      __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at_));
      __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(member.name.data()));
      auto same = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(a, b)));
      unsigned mask = (1u << size) - 1;
      if ((same & mask) != mask) return false;
      at_ += size;
      return true;
    }
#endif
    if (std::memcmp(at_, member.name.data(), size) != 0) return false;
    at_ += size;
    return true;
  }

  // The member whose name stands here, and steps behind its colon. kNone: none that can be read.
  std::size_t LookUp(Shape& shape);
  static std::size_t Add(Shape& shape, std::string_view name);
  // The shape of the object at a path.
  std::size_t ShapeAt(const std::vector<std::string>& path, std::size_t length);

#if defined(__x86_64__)
  // A bit for each of 16 bytes that is a quote, a backslash or below a blank.
  static unsigned Stops(const char* at) {
    __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i escape = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    // Those below a blank: what is 0x1F after taking the larger of the two.
    __m128i control = _mm_cmpeq_epi8(_mm_max_epu8(bytes, _mm_set1_epi8(0x1F)), _mm_set1_epi8(0x1F));
    return static_cast<unsigned>(
        _mm_movemask_epi8(_mm_or_si128(quote, _mm_or_si128(escape, control))));
  }
  bool EndText(const char* start, const char* stop, std::string_view& text) {
    at_ = stop;
    if (*at_ != '"') return false;
    text = {start, static_cast<std::size_t>(at_ - start)};
    ++at_;
    return true;
  }
#endif

  // Steps behind a text's closing quote; at_ is behind the opening one. Gives up at escapes.
  bool TakeText(std::string_view& text) {
    const char* start = at_;
#if defined(__x86_64__)
    while (end_ - at_ >= 32) {  // most texts end here, which saves a branch that nobody can predict
      unsigned stops = Stops(at_) | Stops(at_ + 16) << 16;
      if (stops != 0) return EndText(start, at_ + __builtin_ctz(stops), text);
      at_ += 32;
    }
    while (end_ - at_ >= 16) {
      unsigned stops = Stops(at_);
      if (stops != 0) return EndText(start, at_ + __builtin_ctz(stops), text);
      at_ += 16;
    }
#endif
    for (; at_ < end_; ++at_) {
      if (*at_ == '"') {
        text = {start, static_cast<std::size_t>(at_ - start)};
        ++at_;
        return true;
      }
      if (*at_ == '\\' || static_cast<unsigned char>(*at_) < 0x20) return false;
    }
    return false;
  }

  bool TakeWord(const char* word, std::size_t size) {
    if (static_cast<std::size_t>(end_ - at_) < size || std::memcmp(at_, word, size) != 0)
      return false;
    at_ += size;
    return true;
  }

  static bool IsDigit(char c) { return static_cast<unsigned char>(c - '0') < 10; }
  // 10^n are exact doubles up to here.
  static constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                       1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                       1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

  bool TakeNumber(Value& value);
  bool Take(Value& value) {
    if (at_ == end_) return false;
    switch (*at_) {
      case '"':
        ++at_;
        value.kind = Kind::kText;
        return TakeText(value.text);
      case 't':
        value.kind = Kind::kTrue;
        return TakeWord("true", 4);
      case 'f':
        value.kind = Kind::kFalse;
        return TakeWord("false", 5);
      case 'n':
        value.kind = Kind::kNull;
        return TakeWord("null", 4);
      default:
        return TakeNumber(value);
    }
  }
  // Steps over a value that no column wants.
  bool Skip() {
    if (at_ == end_) return false;
    std::string_view text;
    switch (*at_) {
      case '"':
        ++at_;
        return TakeText(text);
      case '{':
      case '[':
        return SkipNested();
      default:
        break;
    }
    const char* start = at_;
    while (at_ < end_ && (IsDigit(*at_) || *at_ == '.' || *at_ == '-' || *at_ == 'e' ||
                          *at_ == '+' || *at_ == 'E')) {
      ++at_;
    }
    if (at_ != start) return true;  // no column asks whether it is a number
    Value value;
    return Take(value);
  }
  bool SkipNested();

  std::vector<Shape> shapes_;  // the first is the record's
  std::size_t rows_ = 0;
  uint64_t record_ = 0;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
};

inline bool FlatJson::TakeNumber(Value& value) {
  const char* start = at_;
  bool negative = *at_ == '-';
  if (negative) ++at_;
  const char* digits = at_;
  uint64_t mantissa = 0;  // of 19 digits at most, which fit; more than 18 are given up below
  while (at_ < end_ && IsDigit(*at_) && at_ - digits < 19)
    mantissa = mantissa * 10 + static_cast<uint64_t>(*at_++ - '0');
  auto whole = at_ - digits;
  if (whole == 0 || whole > 18 || (whole > 1 && *digits == '0')) return false;
  bool plain = at_ == end_ || (*at_ != '.' && *at_ != 'e' && *at_ != 'E');
  if (plain) {
    value.kind = Kind::kInteger;
    const auto whole_value = static_cast<int64_t>(mantissa);
    value.integer = negative ? -whole_value : whole_value;
    value.text = {start, static_cast<std::size_t>(at_ - start)};
    return true;
  }
  value.kind = Kind::kNumber;
  std::ptrdiff_t scale = 0;
  if (*at_ == '.') {
    const char* fraction = ++at_;
    while (at_ < end_ && IsDigit(*at_) && at_ - fraction < 19 - whole) {
      mantissa = mantissa * 10 + static_cast<uint64_t>(*at_++ - '0');
    }
    scale = at_ - fraction;
    if (scale == 0 || scale + whole > 18) return false;
  }
  value.exact = mantissa <= (uint64_t{1} << 53) && scale <= 22;
  if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
    ++at_;
    if (at_ < end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    const char* exponent = at_;
    while (at_ < end_ && IsDigit(*at_) && at_ - exponent < 6) ++at_;
    if (at_ == exponent || at_ - exponent == 6) return false;
    value.exact = false;
  }
  value.text = {start, static_cast<std::size_t>(at_ - start)};
  if (value.exact) {
    // Both are exact doubles, so their quotient is the nearest one to the text.
    double number = static_cast<double>(mantissa) / kPowers[scale];
    value.number = negative ? -number : number;
  }
  return true;
}

}  // namespace millstream::sql
