#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "sql/batch.h"
#include "sql/large_memory.h"

namespace millstream::sql {

// Groups by key, numbered; each has a state of fixed size that stays where it is. Open addressing
// over 8-byte slots whose tag holds an epoch, so that emptying the table touches nothing; keys of
// up to 15 bytes lie in the group itself, longer ones in an arena. Find() takes a whole batch so
// that slots and groups can be prefetched. A group costs 16 bytes for its key, its state, and 16 to
// 32 bytes of slots.
class GroupTable {
 public:
  explicit GroupTable(std::size_t state_size);

  // Groups with numbers below size() exist, but for those that live() denies.
  std::size_t size() const { return groups_; }
  std::size_t live_groups() const { return groups_ - free_.size(); }
  bool live(std::size_t group) const { return Kind(group) != kFree; }
  // states[i] becomes the state of keys[i], groups[i] (if asked for) its number; zero bytes for a
  // new group. null[i]: the NULL key.
  void Find(const std::string_view* keys, const uint8_t* null, int rows, char** states,
            uint32_t* groups = nullptr);
  char* State(std::size_t group) const { return Row(group) + kKeyBytes; }
  // False for the NULL key. Refers to the table's own bytes, until the table changes.
  bool Key(std::size_t group, std::string_view& key) const;
  // Forgets all groups and keeps the memory for the next ones.
  void Clear();
  // Forgets the groups whose numbers `judge` returns true for; these numbers are given out again.
  // Costs as much as the table is large.
  template <typename Judge>
  void EraseIf(Judge judge) {
    std::size_t before = free_.size();
    for (std::size_t g = 0; g < groups_; ++g) {
      if (live(g) && judge(g)) Release(g);
    }
    if (free_.size() != before) {
      CompactLongKeys();
      Rehash(slot_count_);
    }
  }
  std::size_t held_bytes() const {
    return slots_memory_.size() + row_bytes_ + long_keys_.used_bytes() +
           free_.capacity() * sizeof(uint32_t);
  }

 private:
  struct Slot {
    uint32_t tag;  // 20 bits of the hash, 12 of the epoch; 0: never used
    uint32_t group;
  };
  struct Packed {
    uint64_t low, high;
  };
  static constexpr std::size_t kKeyBytes = 16, kPageGroups = 1024;
  // The key's highest byte: its length, or one of these.
  static constexpr uint64_t kLong = 0xFF, kNull = 0xFE, kFree = 0xFD;

  char* Row(std::size_t group) const {
    return pages_[group / kPageGroups] + group % kPageGroups * stride_;
  }
  uint64_t Kind(std::size_t group) const {
    uint64_t high;
    std::memcpy(&high, Row(group) + 8, 8);
    return high >> 56;
  }
  uint32_t TagOf(uint64_t hash) const {
    return (static_cast<uint32_t>(hash >> 32) & 0xFFFFF000u) | epoch_;
  }
  static Packed Pack(std::string_view key, uint64_t& hash);
  bool Same(const char* row, const Packed& packed, std::string_view key) const;
  char* Insert(std::size_t slot, uint32_t tag, Packed packed, std::string_view key);
  void AddPages();
  void Release(std::size_t group);
  void CompactLongKeys();
  void Rehash(std::size_t slots);
  uint64_t HashOf(const char* row) const;

  std::size_t stride_;
  std::size_t groups_ = 0;
  uint32_t epoch_ = 1;  // 12 bits
  LargeMemory slots_memory_;
  Slot* slots_ = nullptr;
  std::size_t slot_count_ = 0;
  std::vector<LargeMemory> blocks_;
  std::vector<char*> pages_;  // of kPageGroups groups, in blocks_
  std::size_t row_bytes_ = 0;
  std::vector<uint32_t> free_;
  Arena long_keys_;
  std::size_t long_released_ = 0;  // bytes in long_keys_ that nobody needs
};

}  // namespace millstream::sql
