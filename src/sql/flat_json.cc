#include "sql/flat_json.h"

#include "codec/utf8.h"

namespace millstream::sql {

FlatJson::FlatJson(const std::vector<std::vector<std::string>>& paths,
                   const std::vector<std::string>& rows) {
  shapes_.emplace_back();
  rows_ = ShapeAt(rows, rows.size());
  for (std::size_t place = 0; place < paths.size(); ++place) {
    const std::vector<std::string>& path = paths[place];
    Shape& shape = shapes_[ShapeAt(path, path.size() - 1)];
    shape.members[Add(shape, path.back())].place = static_cast<int>(place);
  }
}

std::size_t FlatJson::ShapeAt(const std::vector<std::string>& path, std::size_t length) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < length; ++i) {
    std::size_t member = Add(shapes_[at], path[i]);
    if (shapes_[at].members[member].child == kNone) {
      shapes_[at].members[member].child = shapes_.size();
      shapes_.emplace_back();
    }
    at = shapes_[at].members[member].child;
  }
  return at;
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

std::size_t FlatJson::Add(Shape& shape, std::string_view name) {
  auto [known, added] = shape.by_name.emplace(std::string(name), shape.members.size());
  if (!added) return known->second;
  Member& member = shape.members.emplace_back();
  member.name.reserve(32);  // TakeName reads 16 bytes of it
  member.name += '"';
  member.name += name;
  member.name += "\":";
  return known->second;
}

std::size_t FlatJson::LookUp(Shape& shape) {
  if (!Take('"')) return kNone;
  std::string_view name;
  if (!TakeText(name) || !Take(':')) return kNone;
  auto known = shape.by_name.find(std::string(name));
  if (known != shape.by_name.end()) return known->second;
  if (shape.members.size() >= kMembersMax) return kNone;
  return Add(shape, name);
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
