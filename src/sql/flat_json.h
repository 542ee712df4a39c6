#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sql/json_scan.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

// Of steps that are made for each value: a call would cost more than what they do.
#define MILLSTREAM_INLINE __attribute__((always_inline)) inline

namespace millstream::sql {

// Reads records that are JSON objects by the shape of the records before them: after a member comes
// the one that came after it last time, so a name is compared, not searched, and values that no
// column wants are stepped over. A name that was not expected is looked up, so optional members
// cost little.
//
// It judges what it gives as strictly as JSON does, or gives up: invalid UTF-8, lone surrogates,
// objects with wanted members named twice. Of nested values that nobody wants it looks at texts and
// brackets only. The caller then reads the record another way, so giving up changes speed and never
// a result. One thread.
class FlatJson {
 public:
  enum class Word : uint8_t { kNull, kFalse, kTrue };
  struct Number {
    std::string_view text;  // a number by JSON's grammar
    // The number is digits / 10^scale, below 10^18 and with at most 18 digits behind the point. A
    // scale of -1: it has more digits, or an exponent.
    int64_t digits = 0;
    int scale = -1;

    bool whole() const { return scale == 0; }
    // Whether AsDouble is the double nearest to the text: both of its operands are exact.
    bool has_double() const { return scale >= 0 && digits <= kExactMax && digits >= -kExactMax; }
    double AsDouble() const { return static_cast<double>(digits) / kPowers[scale]; }
  };
  static constexpr std::size_t kMembersMax = 256;  // that are expected; others are looked up

  // What is to be given: members of members ({"detail", "user"}), by their places in this list. No
  // path may begin with another one. `rows` is the object that must be there; empty: the record.
  // Names are as in the text, so they may not need escapes: see CanName.
  FlatJson(const std::vector<std::vector<std::string>>& paths,
           const std::vector<std::string>& rows = {});
  static bool CanName(std::string_view name);

  // The object at `at`, in [at, end): returns where it ends, or nullptr when it was given up; the
  // sink may have been called then. For each wanted member, in the order of the text, repeated ones
  // too, it calls one of these, of which false gives up:
  //   bool Text(int place, std::string_view text);      // a view into the record
  //   bool ShortText(int place, std::string_view text); // and 64 bytes can be read from its start
  //   bool Escaped(int place, std::string_view raw);    // between its quotes, with right escapes
  //   bool Numeric(int place, const Number& number);
  //   bool Named(int place, Word word);
  //   bool Nested(int place, std::string_view raw);     // brackets and texts are right
  template <typename Sink>
  const char* Read(const char* at, const char* end, Sink& sink) {
    return Begin<false>(at, end, sink);
  }
  // The same for one line of many: end[-1] is a line end, and the object ends before the first one.
  template <typename Sink>
  const char* ReadLine(const char* at, const char* end, Sink& sink) {
    return Begin<true>(at, end, sink);
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  static constexpr std::size_t kNameBytes = 32;
  static constexpr int64_t kExactMax = int64_t{1} << 53;
  // 10^n are exact doubles up to 10^22.
  static constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                                       1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
  static constexpr int64_t kWholePowers[] = {1,      10,      100,      1000,     10000,
                                             100000, 1000000, 10000000, 100000000};

  struct Member {
    char name[kNameBytes] = {};  // what of it fits, with its quotes and the colon: "name":
    uint32_t size = 0;           // of all of it
    uint32_t mask = 0;           // a bit for each byte of name
    int place = -1;              // of a wanted member
    std::size_t child = kNone;   // the shape of an object with wanted members
    Member* next = nullptr;      // the member that came behind it
    std::unique_ptr<std::string> rest = {};  // of a name that does not fit
  };
  // What is known of the objects at one place of the record.
  struct Shape {
    std::deque<Member> members;  // which stay where they are
    std::unordered_map<std::string, Member*> by_name;
    Member start;          // what the first one came behind
    Member unknown;        // all that are not kept
    uint64_t seen = 0;     // the record that had it last...
    uint64_t entered = 0;  // ...and as an object
  };

  // Reading a line never steps behind its end, so that only records need to look for theirs.
  template <bool kLine>
  bool AtEnd(const char* at) const {
    return !kLine && at == end_;
  }
  template <bool kLine>
  const char* SkipBlanks(const char* at) const {
    while (!AtEnd<kLine>(at) && static_cast<unsigned char>(*at) <= ' ') {
      if (*at != ' ' && *at != '\t' && *at != '\r' && (kLine || *at != '\n')) break;
      ++at;
    }
    return at;
  }

  template <bool kLine, typename Sink>
  const char* Begin(const char* at, const char* end, Sink& sink) {
    const char* begin = at;
    end_ = end;
    ++record_;
    scanned_.ascii = true;
    if (at == end || *at != '{') return nullptr;
    at = ReadObject<kLine>(0, at + 1, sink);
    if (at == nullptr || (rows_ != 0 && shapes_[rows_].entered != record_)) return nullptr;
    if (!scanned_.ascii && !IsUtf8({begin, static_cast<std::size_t>(at - begin)})) return nullptr;
    return at;
  }

  // `at` is behind the opening bracket. Recursion is as deep as the wanted paths are.
  template <bool kLine, typename Sink>
  const char* ReadObject(std::size_t index, const char* at, Sink& sink) {
    Shape& shape = shapes_[index];  // all shapes are there from the beginning
    at = SkipBlanks<kLine>(at);
    if (!AtEnd<kLine>(at) && *at == '}') return at + 1;
    Member* before = &shape.start;
    while (true) {
      Member* member = before->next;
      if (member != nullptr && IsNamed(*member, at)) {
        at += member->size;
      } else {
        at = LookUp(shape, at, member);
        if (at == nullptr) return nullptr;
        if (member != &shape.unknown) before->next = member;
      }
      at = SkipBlanks<kLine>(at);
      if (AtEnd<kLine>(at)) return nullptr;
      if (member->place >= 0) {
        at = Take<kLine>(*member, at, sink);
      } else if (member->child != kNone) {
        at = ReadChild<kLine>(*member, at, sink);
      } else {
        at = Skip<kLine>(at);
      }
      if (at == nullptr) return nullptr;
      before = member;
      if (AtEnd<kLine>(at)) return nullptr;
      if (*at != ',') {
        at = SkipBlanks<kLine>(at);
        if (AtEnd<kLine>(at)) return nullptr;
        if (*at == '}') return at + 1;
        if (*at != ',') return nullptr;
      }
      at = SkipBlanks<kLine>(at + 1);
    }
  }

  template <bool kLine, typename Sink>
  const char* ReadChild(Member& member, const char* at, Sink& sink) {
    Shape& child = shapes_[member.child];
    if (child.seen == record_) return nullptr;  // of two, the last counts: what was given is wrong
    child.seen = record_;
    if (*at != '{') return Skip<kLine>(at);
    child.entered = record_;
    return ReadObject<kLine>(member.child, at + 1, sink);
  }

  bool IsNamed(const Member& member, const char* at) const {
    if (static_cast<std::size_t>(end_ - at) < kNameBytes) return IsNamedSlowly(member, at);
#if defined(__x86_64__)
    const auto same = [&](std::size_t i) {
      const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + i));
      const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(member.name + i));
      return static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(a, b)));
    };
    if (member.size <= 16) return (~same(0) & member.mask) == 0;
    if (((~same(0) | ~same(16) << 16) & member.mask) != 0) return false;
    return member.size <= kNameBytes || IsNamedSlowly(member, at);
#else
    return IsNamedSlowly(member, at);
#endif
  }
  bool IsNamedSlowly(const Member& member, const char* at) const;

  // The member whose name stands at `at`. Returns where the name ends, with its colon, or nullptr.
  const char* LookUp(Shape& shape, const char* at, Member*& member);
  static Member& Add(Shape& shape, std::string_view name);
  // The shape of the object at a path.
  std::size_t ShapeAt(const std::vector<std::string>& path, std::size_t length);
  static bool IsUtf8(std::string_view text);

  // Whether the text at `at` is short, in ASCII and without escapes. Steps to its closing quote, or
  // as far as that holds; 64 bytes can be read where it began.
  MILLSTREAM_INLINE bool ToShortTextEnd(const char*& at) const {
#if defined(__x86_64__)
    if (end_ - at < 64) return false;
    uint64_t stops = Stops(at) | Stops(at + 16) << 16;
    if (stops == 0) {
      stops = (Stops(at + 32) | Stops(at + 48) << 16) << 32;
      if (stops == 0) {
        at += 64;
        return false;
      }
    }
    at += __builtin_ctzll(stops);
    return *at == '"';
#else
    return false;
#endif
  }
#if defined(__x86_64__)
  // A bit for each of 16 bytes that is a quote, a backslash, below a blank or no ASCII.
  static uint64_t Stops(const char* at) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    const __m128i odd = _mm_cmplt_epi8(bytes, _mm_set1_epi8(' '));  // signed
    return static_cast<unsigned>(
        _mm_movemask_epi8(_mm_or_si128(quote, _mm_or_si128(backslash, odd))));
  }
  // A bit for each of 16 bytes that is a digit.
  static unsigned Digits(const char* at) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i from_zero = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
    return static_cast<unsigned>(
        _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(from_zero, _mm_set1_epi8(9)), from_zero)));
  }
  // The number of `digits` digits, 1 to 8, at `at`, where 8 bytes can be read.
  static int64_t EightDigits(const char* at, unsigned digits) {
    uint64_t v;
    std::memcpy(&v, at, sizeof v);
    // Digits as values, zeros in front; what is borrowed goes to bytes that are shifted out.
    v = (v - 0x3030303030303030) << (8 * (8 - digits));
    v = v * 10 + (v >> 8);  // pairs
    v = ((v & 0x000000FF000000FF) * 0x000F424000000064 +
         ((v >> 16) & 0x000000FF000000FF) * 0x0000271000000001) >>
        32;
    return static_cast<int64_t>(v);
  }
#endif

  // The quick form of most numbers; the end of it, or nullptr: it is another, or none.
  MILLSTREAM_INLINE const char* ShortNumberEnd(const char* at, Number& number) const {
#if defined(__x86_64__)
    const char* digits = at + (*at == '-' ? 1 : 0);
    if (end_ - digits < 24) return nullptr;
    const unsigned others = ~Digits(digits) | 0x10000;
    const auto whole = static_cast<unsigned>(__builtin_ctz(others));
    if (whole - 1 >= 8 || (*digits == '0' && whole > 1)) return nullptr;
    int64_t value = EightDigits(digits, whole);
    const char* stop = digits + whole;
    unsigned fraction = 0;
    if (*stop == '.') {
      ++stop;
      fraction = static_cast<unsigned>(__builtin_ctz(others >> (whole + 1)));
      if (fraction - 1 >= 8 || whole + 1 + fraction >= 16) return nullptr;
      value = value * kWholePowers[fraction] + EightDigits(stop, fraction);
      stop += fraction;
    }
    if ((*stop | 0x20) == 'e') return nullptr;
    number.text = {at, static_cast<std::size_t>(stop - at)};
    if (value == 0 && digits != at) return nullptr;  // -0.0 is a double of its own
    number.digits = digits == at ? value : -value;
    number.scale = static_cast<int>(fraction);
    return stop;
#else
    (void)at;
    (void)number;
    return nullptr;
#endif
  }
  const char* LongNumberEnd(const char* at, Number& number) const;
  const char* WordEnd(const char* at, Word& word) const;

  // `at` is at the value's first byte.
  template <bool kLine, typename Sink>
  MILLSTREAM_INLINE const char* Take(Member& member, const char* at, Sink& sink) {
    const int place = member.place;
    if (*at == '"') {
      const char* begin = ++at;
      if (!ToShortTextEnd(at)) return TakeText(place, begin, at, sink);
      const std::string_view text(begin, static_cast<std::size_t>(at - begin));
      return sink.ShortText(place, text) ? at + 1 : nullptr;
    }
    if (static_cast<unsigned>(*at - '0') < 10 || *at == '-') {
      Number number;
      const char* stop = ShortNumberEnd(at, number);
      if (stop == nullptr) stop = LongNumberEnd(at, number);
      return stop != nullptr && sink.Numeric(place, number) ? stop : nullptr;
    }
    if (*at == '{' || *at == '[') {
      const char* stop = EndOfNested(at, end_, kLine, scanned_);
      if (stop == nullptr) return nullptr;
      return sink.Nested(place, {at, static_cast<std::size_t>(stop - at)}) ? stop : nullptr;
    }
    Word word;
    const char* stop = WordEnd(at, word);
    return stop != nullptr && sink.Named(place, word) ? stop : nullptr;
  }
  template <typename Sink>
  const char* TakeText(int place, const char* begin, const char* at, Sink& sink) {
    scanned_.escapes = false;
    const char* stop = EndOfText(at, end_, scanned_);
    if (stop == nullptr) return nullptr;
    const std::string_view text(begin, static_cast<std::size_t>(stop - begin));
    const bool taken = scanned_.escapes ? sink.Escaped(place, text) : sink.Text(place, text);
    return taken ? stop + 1 : nullptr;
  }
  // Steps over a value that no column wants.
  template <bool kLine>
  MILLSTREAM_INLINE const char* Skip(const char* at) {
    if (*at == '"') {
      ++at;
      if (!ToShortTextEnd(at)) at = EndOfText(at, end_, scanned_);
      return at == nullptr ? nullptr : at + 1;
    }
    if (*at == '{' || *at == '[') return EndOfNested(at, end_, kLine, scanned_);
    return SkipScalar(at);
  }
  const char* SkipScalar(const char* at) const;

  std::vector<Shape> shapes_;  // the first is the record's
  std::size_t rows_ = 0;
  uint64_t record_ = 0;
  const char* end_ = nullptr;
  JsonScanned scanned_;
  std::string unescaped_;
};

}  // namespace millstream::sql
