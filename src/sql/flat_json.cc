#include "sql/flat_json.h"

#include "codec/utf8.h"

namespace millstream::sql {

FlatJson::FlatJson(const std::vector<std::string>& wanted) {
  members_.reserve(kMembersMax);  // Read holds pointers into it
  for (std::size_t i = 0; i < wanted.size() && i < kMembersMax; ++i) {
    Add(wanted[i], static_cast<int>(i));
  }
}

bool FlatJson::IsPlain(std::string_view record) {
  const char* at = record.data();
  std::size_t left = record.size();
#if defined(__x86_64__)
  __m128i seen = _mm_setzero_si128();
  for (; left >= 16; at += 16, left -= 16) {
    seen = _mm_or_si128(seen, _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
  }
  if (_mm_movemask_epi8(seen) != 0) return codec::IsValidUtf8(record);
#endif
  unsigned char rest = 0;
  for (; left > 0; ++at, --left) rest |= static_cast<unsigned char>(*at);
  return rest < 0x80 || codec::IsValidUtf8(record);
}

std::size_t FlatJson::Add(std::string_view name, int place) {
  Member member;
  member.name.reserve(32);  // TakeName reads 16 bytes of it
  member.name += '"';
  member.name += name;
  member.name += "\":";
  member.place = place;
  members_.push_back(std::move(member));
  by_name_.emplace(std::string(name), members_.size() - 1);
  return members_.size() - 1;
}

std::size_t FlatJson::LookUp() {
  if (!Take('"')) return kNone;
  std::string_view name;
  if (!TakeText(name) || !Take(':')) return kNone;
  auto known = by_name_.find(std::string(name));
  if (known != by_name_.end()) return known->second;
  if (members_.size() >= kMembersMax) return kNone;
  return Add(name, -1);
}

// Brackets must be closed by their own kind, as everywhere else.
bool FlatJson::SkipNested() {
  constexpr int kDepthMax = 64;
  char open[kDepthMax];
  int depth = 0;
  while (at_ < end_) {
    char c = *at_++;
    switch (c) {
      case '"': {
        std::string_view text;
        if (!TakeText(text)) return false;
        break;
      }
      case '{':
      case '[':
        if (depth == kDepthMax) return false;
        open[depth++] = c == '{' ? '}' : ']';
        break;
      case '}':
      case ']':
        if (open[--depth] != c) return false;
        if (depth == 0) return true;
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t')
          return false;
        break;
    }
  }
  return false;
}

}  // namespace millstream::sql
