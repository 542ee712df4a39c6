#pragma once

#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "sql/batch.h"

namespace millstream::sql {

// Groups by key, for windows that are emptied all at once. Open addressing over 8-byte slots whose
// tag holds an epoch, so that emptying touches nothing; keys of up to 15 bytes lie in the group
// itself, longer ones in an arena. Find() takes a whole batch so that slots and groups can be
// prefetched. A group costs 16 bytes for its key, its state, and 16 to 32 bytes of slots.
class GroupTable {
 public:
  explicit GroupTable(std::size_t state_size) : state_size_(state_size), stride_(16 + (state_size + 7) / 8 * 8) {
    slots_.resize(1024);
  }

  std::size_t size() const { return groups_; }
  // states[i] becomes the state of keys[i]; zero bytes for a new group. null[i]: the NULL key.
  void Find(const std::string_view* keys, const uint8_t* null, int rows, char** states);
  char* State(std::size_t group) const { return Row(group) + 16; }
  // False for the NULL key.
  bool Key(std::size_t group, std::string_view& key) const;
  void Clear();
  std::size_t held_bytes() const { return slots_.size() * 8 + pages_.size() * kPageGroups * stride_ + long_keys_.used_bytes(); }

 private:
  struct Slot {
    uint32_t tag = 0;
    uint32_t group = 0;
  };
  struct Packed {
    uint64_t low, high;
  };
  static constexpr std::size_t kPageGroups = 1024;
  static constexpr uint64_t kLong = 0xFF, kNull = 0xFE;

  char* Row(std::size_t group) const {
    return pages_[group / kPageGroups].get() + group % kPageGroups * stride_;
  }
  static Packed Pack(std::string_view key, uint64_t& hash);
  bool Same(const char* row, const Packed& packed, std::string_view key) const;
  char* Insert(std::size_t slot, uint32_t tag, Packed packed, std::string_view key);
  void Grow();
  uint64_t HashOf(const char* row) const;

  std::size_t state_size_;
  std::size_t stride_;
  std::size_t groups_ = 0;
  uint32_t epoch_ = 1;  // 12 bits
  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<char[]>> pages_;
  Arena long_keys_;
};

}  // namespace millstream::sql
