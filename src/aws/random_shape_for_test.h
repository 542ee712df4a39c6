#pragma once

#include <string>

#include "aws/schema.h"
#include "base/bytes.h"
#include "base/random.h"
#include "codec/utf8.h"

namespace millstream::aws {

// Fills a structure with random values of its types; constraints are not kept. Lists and maps are
// short, strings hold escapes and characters of all lengths.
class RandomShape {
 public:
  explicit RandomShape(base::Random& random) : random_(random) {}

  void Fill(const ShapeSchema& shape, void* value, int depth = 0) {
    switch (shape.kind) {
      case Kind::kString: *static_cast<std::string*>(value) = String(shape); break;
      case Kind::kBoolean: *static_cast<bool*>(value) = random_.Below(2) == 0; break;
      case Kind::kInteger: *static_cast<int32_t*>(value) = static_cast<int32_t>(Number()); break;
      case Kind::kLong: *static_cast<int64_t*>(value) = Number(); break;
      case Kind::kFloat: *static_cast<float*>(value) = static_cast<float>(Number()) / 8; break;
      case Kind::kDouble: *static_cast<double*>(value) = static_cast<double>(Number()) / 8; break;
      case Kind::kBlob: *static_cast<base::Bytes*>(value) = base::Bytes::Copy(Raw()); break;
      case Kind::kTimestamp:
        *static_cast<int64_t*>(value) =
            static_cast<int64_t>(random_.Below(8'000'000'000'000)) - 1'000'000'000'000;
        break;
      case Kind::kList:
        for (uint64_t n = random_.Below(4); n > 0; --n) {
          Fill(*shape.element, shape.list->append(value), depth + 1);
        }
        break;
      case Kind::kMap:
        for (uint64_t n = random_.Below(4); n > 0; --n) {
          Fill(*shape.element, shape.map->put(value, String(*shape.key)), depth + 1);
        }
        break;
      case Kind::kStructure:
        for (const MemberSchema& member : shape.members) {
          if (!member.required() && (depth > 8 || random_.Below(3) == 0)) continue;
          Fill(*member.shape, member.Set(value), depth + 1);
        }
        break;
    }
  }

 private:
  int64_t Number() {
    switch (random_.Below(4)) {
      case 0: return static_cast<int64_t>(random_.Below(24));
      case 1: return -static_cast<int64_t>(random_.Below(70'000));
      case 2: return static_cast<int64_t>(random_.Next64());
      default: return INT32_MAX - static_cast<int64_t>(random_.Below(3));
    }
  }
  std::string String(const ShapeSchema& shape) {
    if (!shape.enum_values.empty() && random_.Below(2) == 0) {
      return std::string(shape.enum_values[random_.Below(shape.enum_values.size())]);
    }
    static constexpr char32_t kCharacters[] = {U'a', U'Z', U'0',    U'"',    U'\\',   U'/',
                                               1,    0,    U'\n',   U'\x7f', U'\xe9', U'\u2028',
                                               U'-', U'.', U'\ufffd', U'\U0001f600'};
    std::string text;
    for (uint64_t n = random_.Below(30); n > 0; --n) {
      codec::AppendUtf8(kCharacters[random_.Below(std::size(kCharacters))], text);
    }
    return text;
  }
  std::string Raw() {
    std::string bytes(random_.Below(300), '\0');
    random_.Fill(bytes.data(), bytes.size());
    return bytes;
  }

  base::Random& random_;
};

}  // namespace millstream::aws
