// Texts: ||, case, SUBSTRING, TRIM, OVERLAY, POSITION, LIKE, SIMILAR TO, regular expressions.
#include <algorithm>

#include "sql/cast.h"
#include "sql/function_tables.h"
#include "sql/java_regex.h"
#include "sql/text_pattern.h"

namespace millstream::sql {

namespace {

constexpr const char* kInvalidArgument = "INVALID_ARGUMENT";

bool IsAscii(std::string_view s) {
  unsigned char all = 0;
  for (char c : s) all |= static_cast<unsigned char>(c);
  return all < 0x80;
}
int64_t CharLength(std::string_view s) {
  int64_t n = 0;
  for (char c : s) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}
// The byte at which character number `index` (from 0) starts; the size if there are fewer.
std::size_t ByteOf(std::string_view s, int64_t index) {
  if (index <= 0) return 0;
  if (IsAscii(s)) return static_cast<std::size_t>(std::min<int64_t>(index, static_cast<int64_t>(s.size())));
  std::size_t i = 0;
  for (; i < s.size(); ++i) {
    if ((static_cast<unsigned char>(s[i]) & 0xC0) != 0x80 && index-- == 0) return i;
  }
  return i;
}
// `length` characters from character `start` (from 0).
std::string_view Slice(std::string_view s, int64_t start, int64_t length) {
  std::size_t from = ByteOf(s, start);
  std::string_view rest = s.substr(from);
  if (length >= static_cast<int64_t>(rest.size())) return rest;
  return rest.substr(0, ByteOf(rest, length));
}

// The pattern that a function compiled from its argument last time; patterns are mostly constant.
template <typename Pattern>
struct Cached {
  std::string key;
  std::unique_ptr<Pattern> pattern;
};
template <typename Pattern, typename Make>
Pattern& CachedPattern(CallFrame& frame, const std::string& key, Make make) {
  if (frame.state == nullptr) frame.state = std::make_shared<Cached<Pattern>>();
  auto& cached = *static_cast<Cached<Pattern>*>(frame.state.get());
  if (cached.pattern == nullptr || cached.key != key) {
    cached.pattern.reset();
    cached.pattern = make();
    cached.key = key;
  }
  return *cached.pattern;
}

Type ResolveConcat(Arguments& arguments, Position at) {
  for (int i = 0; i < 2; ++i) {
    Kind kind = arguments[static_cast<std::size_t>(i)]->type.kind;
    if (IsBinary(kind)) continue;
    if (IsNumeric(kind) || IsDatetime(kind)) {
      throw SqlError(arguments[static_cast<std::size_t>(i)]->at,
                     "|| joins texts, not " +
                         TypeName(arguments[static_cast<std::size_t>(i)]->type) +
                         "; write CAST(... AS VARCHAR(20))");
    }
    WantText(arguments, i, at, "||");
  }
  const Type &a = arguments[0]->type, &b = arguments[1]->type;
  if (IsBinary(a.kind) != IsBinary(b.kind)) throw SqlError(at, "|| cannot join a text and a binary");
  Type type = IsBinary(a.kind) ? MakeType(Kind::kVarbinary) : MakeType(Kind::kVarchar);
  type.length = std::min(kVarcharMax, a.length + b.length);
  return type;
}
void ConcatKernel(CallFrame& frame) {
  frame.ForEachRow([&](int i) {
    frame.out.strings()[i] = frame.arena().Concat(frame.strings(0)[i], frame.strings(1)[i]);
  });
}

Type ResolveLength(Arguments& arguments, Position at) {
  WantText(arguments, 0, at, "CHAR_LENGTH");
  return MakeType(Kind::kInteger);
}
void LengthKernel(CallFrame& frame) {
  frame.ForEachRow([&](int i) { frame.out.ints()[i] = CharLength(frame.strings(0)[i]); });
}
Type ResolveOctets(Arguments& arguments, Position at) {
  if (!IsBinary(arguments[0]->type.kind)) WantText(arguments, 0, at, "OCTET_LENGTH");
  return MakeType(Kind::kInteger);
}
void OctetsKernel(CallFrame& frame) {
  frame.ForEachRow(
      [&](int i) { frame.out.ints()[i] = static_cast<int64_t>(frame.strings(0)[i].size()); });
}

Type ResolveSameText(Arguments& arguments, Position at) {
  WantText(arguments, 0, at, "the function");
  return arguments[0]->type;
}
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

// Case of Latin-1 and basic Greek and Cyrillic letters beside ASCII; two-byte sequences only.
template <bool upper>
void CaseKernel(CallFrame& frame) {
  frame.ForEachRow([&](int i) {
    std::string_view s = frame.strings(0)[i];
    char* out = frame.arena().Allocate(std::max<std::size_t>(s.size(), 1));
    for (std::size_t k = 0; k < s.size(); ++k) {
      unsigned char c = static_cast<unsigned char>(s[k]);
      if (c < 0x80 || k + 1 >= s.size() || (c & 0xE0) != 0xC0) {
        out[k] = upper ? Upper(s[k]) : Lower(s[k]);
        continue;
      }
      uint32_t code = (c & 0x1Fu) << 6 | (static_cast<unsigned char>(s[k + 1]) & 0x3Fu);
      if (upper) {
        if ((code >= 0xE0 && code <= 0xFE && code != 0xF7) || (code >= 0x3B1 && code <= 0x3C9 && code != 0x3C2) ||
            (code >= 0x430 && code <= 0x44F)) {
          code -= 0x20;
        } else if (code >= 0x450 && code <= 0x45F) {
          code -= 0x50;
        }
      } else {
        if ((code >= 0xC0 && code <= 0xDE && code != 0xD7) || (code >= 0x391 && code <= 0x3A9) ||
            (code >= 0x410 && code <= 0x42F)) {
          code += 0x20;
        } else if (code >= 0x400 && code <= 0x40F) {
          code += 0x50;
        }
      }
      out[k] = static_cast<char>(0xC0 | (code >> 6));
      out[k + 1] = static_cast<char>(0x80 | (code & 0x3F));
      ++k;
    }
    frame.out.strings()[i] = {out, s.size()};
  });
}
void InitcapKernel(CallFrame& frame) {
  frame.ForEachRow([&](int i) {
    std::string_view s = frame.strings(0)[i];
    char* out = frame.arena().Allocate(std::max<std::size_t>(s.size(), 1));
    bool start = true;
    for (std::size_t k = 0; k < s.size(); ++k) {
      out[k] = start ? Upper(s[k]) : Lower(s[k]);
      start = s[k] == ' ';
    }
    frame.out.strings()[i] = {out, s.size()};
  });
}

Type VarcharLike(const Type& type) { return Varchar(std::max(type.length, 1)); }

// SUBSTRING(s FROM p [FOR n]) and SUBSTRING(s, p [, n]); past the end the first gives '', the
// second NULL (both are documented). SUBSTRING(s FROM 'regex') gives the first match.
Type ResolveSubstring(Arguments& arguments, Position at) {
  WantText(arguments, 0, at, "SUBSTRING");
  Type type = VarcharLike(arguments[0]->type);
  if (IsCharacter(arguments[1]->type.kind) && arguments.size() == 2) return type;
  WantInteger(arguments, 1, at, "SUBSTRING");
  if (arguments.size() > 2) WantInteger(arguments, 2, at, "SUBSTRING");
  return type;
}
template <bool comma>
void SubstringKernel(CallFrame& frame) {
  if (frame.count == 2 && frame.arguments[1]->physical() == Physical::kString) {
    std::vector<JavaRegex::Group> groups;
    return frame.ForEachRow([&](int i) {
      std::string key(frame.strings(1)[i]);
      auto& regex = *CachedPattern<std::shared_ptr<JavaRegex>>(frame, key, [&] {
        return std::make_unique<std::shared_ptr<JavaRegex>>(JavaRegex::Compile(key));
      });
      std::string_view s = frame.strings(0)[i];
      if (regex.Find(s, 0, groups)) {
        frame.out.strings()[i] = s.substr(groups[0].begin, groups[0].end - groups[0].begin);
      } else {
        frame.out.SetNull(i);
      }
    });
  }
  frame.ForEachRow([&](int i) {
    std::string_view s = frame.strings(0)[i];
    int64_t start = frame.ints(1)[i];
    int64_t length = INT64_MAX;
    if (frame.count > 2) {
      length = frame.ints(2)[i];
      if (length < 0) {
        throw RowError{kInvalidArgument,
                       "SUBSTRING with the negative length " + std::to_string(length)};
      }
    }
    if (start < 1) {  // counts from before the text: that part of the length is used up
      if (length != INT64_MAX) {
        length = start < -kVarcharMax * 4LL ? 0 : std::max<int64_t>(0, length - (1 - start));
      }
      start = 1;
    }
    if (start - 1 >= static_cast<int64_t>(s.size()) ||
        ByteOf(s, start - 1) >= s.size()) {
      if (comma && !(s.empty() && start == 1)) {
        frame.out.SetNull(i);
      } else {
        frame.out.strings()[i] = {};
      }
      return;
    }
    frame.out.strings()[i] = Slice(s, start - 1, length);
  });
}
Type ResolveTexts3(Arguments& arguments, Position at) {
  for (int i = 0; i < 3; ++i) WantText(arguments, i, at, "SUBSTRING ... SIMILAR");
  return VarcharLike(arguments[0]->type);
}
void SubstringSimilarKernel(CallFrame& frame) {
  frame.ForEachRow([&](int i) {
    std::string_view pattern = frame.strings(1)[i], escape = frame.strings(2)[i];
    std::string key = std::string(escape) + '\0' + std::string(pattern);
    auto& similar = CachedPattern<SimilarExtract>(
        frame, key, [&] { return std::make_unique<SimilarExtract>(pattern, escape); });
    std::string_view part;
    if (similar.Extract(frame.strings(0)[i], part)) {
      frame.out.strings()[i] = part;
    } else {
      frame.out.SetNull(i);
    }
  });
}

Type ResolveTrim(Arguments& arguments, Position at) {
  WantText(arguments, 0, at, "TRIM");
  WantText(arguments, 1, at, "TRIM");
  return VarcharLike(arguments[1]->type);
}
template <bool leading, bool trailing>
void TrimKernel(CallFrame& frame) {
  frame.ForEachRow([&](int i) {
    std::string_view c = frame.strings(0)[i], s = frame.strings(1)[i];
    if (CharLength(c) != 1) {
      throw RowError{kInvalidArgument, "TRIM takes one character, not '" + std::string(c) + "'"};
    }
    while (leading && s.size() >= c.size() && s.substr(0, c.size()) == c) s.remove_prefix(c.size());
    while (trailing && s.size() >= c.size() && s.substr(s.size() - c.size()) == c) {
      s.remove_suffix(c.size());
    }
    frame.out.strings()[i] = s;
  });
}

Type ResolveOverlay(Arguments& arguments, Position at) {
  WantText(arguments, 0, at, "OVERLAY");
  WantText(arguments, 1, at, "OVERLAY");
  WantInteger(arguments, 2, at, "OVERLAY");
  if (arguments.size() > 3) WantInteger(arguments, 3, at, "OVERLAY");
  return Varchar(std::min(kVarcharMax, 2 * arguments[1]->type.length + arguments[0]->type.length));
}
void OverlayKernel(CallFrame& frame) {
  frame.ForEachRow([&](int i) {
    std::string_view s = frame.strings(0)[i], with = frame.strings(1)[i];
    int64_t at = frame.ints(2)[i];
    int64_t length = frame.count > 3 ? frame.ints(3)[i] : CharLength(with);
    if (length < 0) {
      throw RowError{kInvalidArgument, "OVERLAY with the negative length " + std::to_string(length)};
    }
    if (at < 1) {  // the part of `with` that stands before the text, then the text from its start
      // OVERLAY('12345' PLACING 'foo' FROM -2) is foo12345: three characters stand at -2, -1, 0.
      int64_t before = 1 - at;
      int64_t replaced = std::max<int64_t>(0, length - before);
      std::string_view rest = s.substr(ByteOf(s, replaced));
      frame.out.strings()[i] = frame.arena().Concat(with, rest);
      return;
    }
    std::string_view head = s.substr(0, ByteOf(s, at - 1));
    int64_t end = at - 1 > kVarcharMax || length > kVarcharMax ? INT64_MAX : at - 1 + length;
    std::string_view tail = s.substr(ByteOf(s, end));
    std::string_view front = frame.arena().Concat(head, with);
    frame.out.strings()[i] = frame.arena().Concat(front, tail);
  });
}

Type ResolvePosition(Arguments& arguments, Position at) {
  WantText(arguments, 0, at, "POSITION");
  WantText(arguments, 1, at, "POSITION");
  if (arguments.size() > 2) WantInteger(arguments, 2, at, "POSITION");
  return MakeType(Kind::kInteger);
}
void PositionKernel(CallFrame& frame) {
  frame.ForEachRow([&](int i) {
    std::string_view part = frame.strings(0)[i], s = frame.strings(1)[i];
    int64_t from = frame.count > 2 ? std::max<int64_t>(1, frame.ints(2)[i]) : 1;
    if (part.empty()) {
      frame.out.ints()[i] = from;
      return;
    }
    std::size_t found = s.find(part, ByteOf(s, from - 1));
    frame.out.ints()[i] =
        found == std::string_view::npos ? 0 : CharLength(s.substr(0, found)) + 1;
  });
}

Type ResolveLike(Arguments& arguments, Position at) {
  for (int i = 0; i < static_cast<int>(arguments.size()); ++i) WantText(arguments, i, at, "LIKE");
  return BooleanType();
}
template <typename Pattern>
void LikeKernel(CallFrame& frame) {
  frame.ForEachRow([&](int i) {
    std::string_view pattern = frame.strings(1)[i];
    std::string_view escape = frame.count > 2 ? frame.strings(2)[i] : std::string_view();
    if (frame.count > 2 && escape.empty()) {
      throw RowError{"INVALID_PATTERN", "ESCAPE must be one character"};
    }
    // Comparing first spares building the key for each row.
    std::string key;
    key.reserve(escape.size() + pattern.size() + 1);
    key.append(escape).append(1, '\0').append(pattern);
    auto& like = CachedPattern<Pattern>(
        frame, key, [&] { return std::make_unique<Pattern>(pattern, escape); });
    frame.out.ints()[i] = like.Matches(frame.strings(0)[i]);
  });
}

Type ResolveRegexReplace(Arguments& arguments, Position at) {
  for (int i = 0; i < 3; ++i) WantText(arguments, i, at, "REGEX_REPLACE");
  WantInteger(arguments, 3, at, "REGEX_REPLACE");
  WantInteger(arguments, 4, at, "REGEX_REPLACE");
  return Varchar();
}
void RegexReplaceKernel(CallFrame& frame) {
  frame.ForEachRow([&](int i) {
    std::string_view s = frame.strings(0)[i];
    int64_t start = frame.ints(3)[i], occurrence = frame.ints(4)[i];
    if (start < 1) throw RowError{kInvalidArgument, "REGEX_REPLACE: the start must be 1 or more"};
    if (occurrence < 0) {
      throw RowError{kInvalidArgument, "REGEX_REPLACE: the occurrence must be 0 or more"};
    }
    std::string key(frame.strings(1)[i]);
    auto& regex = *CachedPattern<std::shared_ptr<JavaRegex>>(frame, key, [&] {
      return std::make_unique<std::shared_ptr<JavaRegex>>(JavaRegex::Compile(key));
    });
    std::size_t from = ByteOf(s, start - 1);
    if (start - 1 > CharLength(s) || (start > 1 && from >= s.size())) {
      frame.out.strings()[i] = s;
      return;
    }
    frame.out.strings()[i] =
        frame.arena().Copy(regex.Replace(s, from, frame.strings(2)[i], occurrence));
  });
}

// REPLACE(s, from, to), LEFT, RIGHT, REVERSE, REPEAT, LPAD and others beyond AWS's reference.
Type ResolveReplace(Arguments& arguments, Position at) {
  for (int i = 0; i < 3; ++i) WantText(arguments, i, at, "REPLACE");
  return Varchar();
}
void ReplaceKernel(CallFrame& frame) {
  frame.ForEachRow([&](int i) {
    std::string_view s = frame.strings(0)[i], from = frame.strings(1)[i];
    if (from.empty()) {
      frame.out.strings()[i] = s;
      return;
    }
    std::string out;
    std::size_t at = 0;
    for (std::size_t next; (next = s.find(from, at)) != std::string_view::npos;
         at = next + from.size()) {
      out += s.substr(at, next - at);
      out += frame.strings(2)[i];
      if (out.size() > 4u * kVarcharMax) throw RowError{kInvalidArgument, "REPLACE: too long"};
    }
    out += s.substr(at);
    frame.out.strings()[i] = frame.arena().Copy(out);
  });
}
Type ResolveSplit(Arguments& arguments, Position at) {
  WantText(arguments, 0, at, "SPLIT_PART");
  WantText(arguments, 1, at, "SPLIT_PART");
  WantInteger(arguments, 2, at, "SPLIT_PART");
  return VarcharLike(arguments[0]->type);
}
void SplitKernel(CallFrame& frame) {
  frame.ForEachRow([&](int i) {
    std::string_view s = frame.strings(0)[i], by = frame.strings(1)[i];
    int64_t n = frame.ints(2)[i];
    std::string_view part;
    while (n > 0) {
      std::size_t next = by.empty() ? std::string_view::npos : s.find(by);
      part = s.substr(0, next);
      if (--n == 0) break;
      if (next == std::string_view::npos) {
        part = {};
        break;
      }
      s.remove_prefix(next + by.size());
    }
    frame.out.strings()[i] = part;
  });
}

const Function kFunctions[] = {
    {"||", 2, 2, ResolveConcat, ConcatKernel},
    {"CHAR_LENGTH", 1, 1, ResolveLength, LengthKernel},
    {"CHARACTER_LENGTH", 1, 1, ResolveLength, LengthKernel},
    {"OCTET_LENGTH", 1, 1, ResolveOctets, OctetsKernel},
    {"LOWER", 1, 1, ResolveSameText, CaseKernel<false>},
    {"UPPER", 1, 1, ResolveSameText, CaseKernel<true>},
    {"INITCAP", 1, 1, ResolveSameText, InitcapKernel},
    {"SUBSTRING", 2, 3, ResolveSubstring, SubstringKernel<true>},
    {"SUBSTRING_FROM", 2, 3, ResolveSubstring, SubstringKernel<false>},
    {"SUBSTRING_SIMILAR", 3, 3, ResolveTexts3, SubstringSimilarKernel},
    {"TRIM_BOTH", 2, 2, ResolveTrim, TrimKernel<true, true>},
    {"TRIM_LEADING", 2, 2, ResolveTrim, TrimKernel<true, false>},
    {"TRIM_TRAILING", 2, 2, ResolveTrim, TrimKernel<false, true>},
    {"OVERLAY", 3, 4, ResolveOverlay, OverlayKernel},
    {"POSITION", 2, 3, ResolvePosition, PositionKernel},
    {"LIKE", 2, 3, ResolveLike, LikeKernel<LikePattern>},
    {"SIMILAR TO", 2, 3, ResolveLike, LikeKernel<SimilarPattern>},
    {"REGEX_REPLACE", 5, 5, ResolveRegexReplace, RegexReplaceKernel},
    {"REPLACE", 3, 3, ResolveReplace, ReplaceKernel},
    {"SPLIT_PART", 3, 3, ResolveSplit, SplitKernel},
};

}  // namespace

std::span<const Function> StringFunctions() { return kFunctions; }

}  // namespace millstream::sql
