#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "sql/batch.h"

// Values of Kind::kRow, which the log parsers return: the texts of their fields packed into one
// string. In front lies, per field, where its text ends; kNullField: the field is NULL.
namespace millstream::sql {

class RowValueBuilder {
 public:
  void Clear() {
    ends_.clear();
    texts_.clear();
  }
  void Add(std::string_view text) {
    texts_.append(text);
    Put(static_cast<uint32_t>(texts_.size()));
  }
  void AddNull() { Put(kNullField | static_cast<uint32_t>(texts_.size())); }
  std::string_view Finish(Arena& arena) const { return arena.Concat(ends_, texts_); }

  static constexpr uint32_t kNullField = 0x80000000;

 private:
  void Put(uint32_t end) { ends_.append(reinterpret_cast<const char*>(&end), sizeof end); }

  std::string ends_, texts_;
};

// The text of field `index` of `fields`; false when it is NULL.
inline bool RowValueField(std::string_view row, std::size_t index, std::size_t fields,
                          std::string_view& text) {
  auto end = [&](std::size_t i) {
    uint32_t e = 0;
    std::memcpy(&e, row.data() + i * sizeof e, sizeof e);
    return e;
  };
  CHECK(row.size() >= fields * sizeof(uint32_t) && index < fields);
  uint32_t to = end(index);
  if ((to & RowValueBuilder::kNullField) != 0) return false;
  uint32_t from = index == 0 ? 0 : end(index - 1) & ~RowValueBuilder::kNullField;
  text = row.substr(fields * sizeof(uint32_t) + from, to - from);
  return true;
}

}  // namespace millstream::sql
