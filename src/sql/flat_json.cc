#include "sql/flat_json.h"

#include <algorithm>

#include "codec/json_cursor.h"
#include "codec/utf8.h"

namespace millstream::sql {

FlatJson::FlatJson(const std::vector<std::vector<std::string>>& paths,
                   const std::vector<std::string>& rows) {
  shapes_.emplace_back();
  rows_ = ShapeAt(rows, rows.size());
  for (std::size_t place = 0; place < paths.size(); ++place) {
    const std::vector<std::string>& path = paths[place];
    Shape& shape = shapes_[ShapeAt(path, path.size() - 1)];
    Add(shape, path.back()).place = static_cast<int>(place);
  }
}

bool FlatJson::CanName(std::string_view name) {
  return codec::IsValidUtf8(name) && std::none_of(name.begin(), name.end(), [](char c) {
           return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
         });
}

bool FlatJson::IsUtf8(std::string_view text) { return codec::IsValidUtf8(text); }

std::size_t FlatJson::ShapeAt(const std::vector<std::string>& path, std::size_t length) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < length; ++i) {
    Member& member = Add(shapes_[at], path[i]);
    const bool added = member.child == kNone;
    if (added) member.child = shapes_.size();
    at = member.child;
    if (added) shapes_.emplace_back();
  }
  return at;
}

FlatJson::Member& FlatJson::Add(Shape& shape, std::string_view name) {
  auto [known, added] = shape.by_name.emplace(std::string(name), nullptr);
  if (!added) return *known->second;
  Member& member = shape.members.emplace_back();
  known->second = &member;
  std::string all = '"' + std::string(name) + "\":";
  member.size = static_cast<uint32_t>(all.size());
  const std::size_t kept = std::min(all.size(), kNameBytes);
  member.mask = static_cast<uint32_t>((uint64_t{1} << kept) - 1);
  std::memcpy(member.name, all.data(), kept);
  if (kept < all.size()) member.rest = std::make_unique<std::string>(all.substr(kept));
  return member;
}

bool FlatJson::IsNamedSlowly(const Member& member, const char* at) const {
  if (static_cast<std::size_t>(end_ - at) < member.size) return false;
  if (member.rest == nullptr) return std::memcmp(at, member.name, member.size) == 0;
  return std::memcmp(at, member.name, kNameBytes) == 0 &&
         std::memcmp(at + kNameBytes, member.rest->data(), member.rest->size()) == 0;
}

const char* FlatJson::LookUp(Shape& shape, const char* at, Member*& member) {
  if (at == end_ || *at != '"') return nullptr;
  const char* begin = at + 1;
  scanned_.escapes = false;
  at = EndOfText(begin, end_, scanned_);
  if (at == nullptr) return nullptr;
  std::string_view name(begin, static_cast<std::size_t>(at - begin));
  if (!codec::IsValidUtf8(name)) return nullptr;  // what is kept is not judged again
  const bool escaped = scanned_.escapes;
  if (escaped) {
    unescaped_.clear();
    if (!codec::UnescapeJson(name, unescaped_)) return nullptr;
    name = unescaped_;
  }
  ++at;
  while (at != end_ && (*at == ' ' || *at == '\t' || *at == '\r')) ++at;
  if (at == end_ || *at != ':') return nullptr;
  ++at;
  const auto known = shape.by_name.find(std::string(name));
  if (known != shape.by_name.end()) {
    member = known->second;
  } else if (escaped || shape.members.size() >= kMembersMax) {
    member = &shape.unknown;
  } else {
    member = &Add(shape, name);
  }
  return at;
}

const char* FlatJson::LongNumberEnd(const char* at, Number& number) const {
  const char* stop = codec::internal::JsonNumberEnd(at, end_);
  if (stop == nullptr) return nullptr;
  number.text = {at, static_cast<std::size_t>(stop - at)};
  number.scale = -1;
  int64_t value = 0;
  int count = 0, scale = 0;
  bool fraction = false;
  for (const char c : number.text) {
    if (c == '.') {
      fraction = true;
    } else if (c >= '0' && c <= '9') {
      if (++count > 18) return stop;
      value = value * 10 + (c - '0');
      scale += fraction ? 1 : 0;
    } else if (c != '-') {
      return stop;  // an exponent
    }
  }
  if (value == 0 && *at == '-') return stop;  // -0.0 is a double of its own
  number.digits = *at == '-' ? -value : value;
  number.scale = scale;
  return stop;
}

const char* FlatJson::WordEnd(const char* at, Word& word) const {
  const auto is = [&](std::string_view text) {
    return static_cast<std::size_t>(end_ - at) >= text.size() &&
           std::memcmp(at, text.data(), text.size()) == 0;
  };
  word = Word::kNull;
  if (is("null")) return at + 4;
  word = Word::kTrue;
  if (is("true")) return at + 4;
  word = Word::kFalse;
  return is("false") ? at + 5 : nullptr;
}

const char* FlatJson::SkipScalar(const char* at) const {
  if (static_cast<unsigned>(*at - '0') < 10 || *at == '-') {
#if defined(__x86_64__)
    // Most are short and whole.
    if (end_ - at >= 16) {
      const auto digits = static_cast<unsigned>(__builtin_ctz(~Digits(at) | 0x10000));
      const bool right = digits == 1 || (digits > 1 && digits < 16 && *at != '0');
      if (right && (at[digits] == ',' || at[digits] == '}')) return at + digits;
    }
#endif
    return codec::internal::JsonNumberEnd(at, end_);
  }
  Word word;
  return WordEnd(at, word);
}

}  // namespace millstream::sql
