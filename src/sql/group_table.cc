#include "sql/group_table.h"

#include "sql/hash.h"

namespace millstream::sql {

namespace {
uint64_t Load8(const char* p) {
  uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}
uint64_t LoadUpTo7(const char* p, std::size_t n) {
  if (n >= 4) {
    uint32_t a, b;
    std::memcpy(&a, p, 4);
    std::memcpy(&b, p + n - 4, 4);
    return a | static_cast<uint64_t>(b) << (8 * (n - 4));
  }
  if (n == 0) return 0;
  return static_cast<uint8_t>(p[0]) |
         static_cast<uint64_t>(static_cast<uint8_t>(p[n / 2])) << (8 * (n / 2)) |
         static_cast<uint64_t>(static_cast<uint8_t>(p[n - 1])) << (8 * (n - 1));
}
}  // namespace

GroupTable::GroupTable(std::size_t state_size) : stride_(kKeyBytes + (state_size + 7) / 8 * 8) {
  Rehash(1024);
}

GroupTable::Packed GroupTable::Pack(std::string_view key, uint64_t& hash) {
  std::size_t n = key.size();
  const char* p = key.data();
  Packed packed{0, 0};
  if (n < 8) {
    packed.low = LoadUpTo7(p, n);
    packed.high = static_cast<uint64_t>(n) << 56;
  } else if (n < 16) {
    packed.low = Load8(p);
    uint64_t tail = n == 8 ? 0 : Load8(p + n - 8) >> (8 * (16 - n));
    packed.high = tail | static_cast<uint64_t>(n) << 56;
  } else {
    uint64_t h = n * kHashSeed1;
    std::size_t i = 0;
    for (; i + 16 <= n; i += 16)
      h = MixHash(Load8(p + i) ^ kHashSeed1 ^ h, Load8(p + i + 8) ^ kHashSeed2);
    h = MixHash(Load8(p + n - 16) ^ kHashSeed2 ^ h, Load8(p + n - 8) ^ kHashSeed1);
    hash = h;
    packed.low = h;
    packed.high = kLong << 56 | static_cast<uint64_t>(n);
    return packed;
  }
  hash = MixHash(packed.low ^ kHashSeed1, packed.high ^ kHashSeed2);
  return packed;
}

bool GroupTable::Same(const char* row, const Packed& packed, std::string_view key) const {
  if (Load8(row + 8) != packed.high) return false;
  if (packed.high >> 56 != kLong) return Load8(row) == packed.low;
  const char* text;
  std::memcpy(&text, row, 8);
  return std::memcmp(text, key.data(), key.size()) == 0;
}

void GroupTable::AddPages() {
  const std::size_t page = kPageGroups * stride_;
  // Small tables grow by pages, large ones by blocks of huge pages.
  const std::size_t pages =
      row_bytes_ < LargeMemory::kHuge || page > LargeMemory::kHuge ? 1 : LargeMemory::kHuge / page;
  blocks_.emplace_back(pages == 1 ? page : LargeMemory::kHuge);
  row_bytes_ += blocks_.back().size();
  for (std::size_t i = 0; i < pages; ++i) pages_.push_back(blocks_.back().data() + i * page);
}

char* GroupTable::Insert(std::size_t slot, uint32_t tag, Packed packed, std::string_view key) {
  std::size_t group = groups_;
  if (!free_.empty()) {
    group = free_.back();
    free_.pop_back();
  } else {
    if (groups_ / kPageGroups >= pages_.size()) AddPages();
    ++groups_;
  }
  slots_[slot] = {tag, static_cast<uint32_t>(group)};
  char* row = Row(group);
  if (packed.high >> 56 == kLong) {
    const char* text = long_keys_.Copy(key).data();
    std::memcpy(row, &text, 8);
  } else {
    std::memcpy(row, &packed.low, 8);
  }
  std::memcpy(row + 8, &packed.high, 8);
  std::memset(row + kKeyBytes, 0, stride_ - kKeyBytes);
  return row;
}

uint64_t GroupTable::HashOf(const char* row) const {
  uint64_t low = Load8(row), high = Load8(row + 8), hash = 0;
  if (high >> 56 == kLong) {
    const char* text;
    std::memcpy(&text, row, 8);
    Pack({text, static_cast<std::size_t>(high & 0xFFFFFFFF)}, hash);
    return hash;
  }
  return MixHash(low ^ kHashSeed1, high ^ kHashSeed2);
}

void GroupTable::Rehash(std::size_t slots) {
  if (slots != slot_count_) {
    slots_memory_ = LargeMemory();  // before the new one is taken
    slots_memory_ = LargeMemory(slots * sizeof(Slot));
    slots_ = reinterpret_cast<Slot*>(slots_memory_.data());
    slot_count_ = slots;
  } else {
    std::memset(slots_memory_.data(), 0, slots * sizeof(Slot));
  }
  epoch_ = 1;
  std::size_t mask = slot_count_ - 1;
  for (std::size_t g = 0; g < groups_; ++g) {
    if (!live(g)) continue;
    uint64_t hash = HashOf(Row(g));
    std::size_t i = hash & mask;
    while (slots_[i].tag != 0) i = (i + 1) & mask;
    slots_[i] = {TagOf(hash), static_cast<uint32_t>(g)};
  }
}

void GroupTable::Find(const std::string_view* keys, const uint8_t* null, int rows, char** states,
                      uint32_t* groups) {
  constexpr int kBlock = 128;  // rows whose slots, then groups, are fetched before they are used
  Packed packed[kBlock];
  uint64_t hashes[kBlock];
  CHECK(live_groups() + static_cast<std::size_t>(rows) < UINT32_MAX);
  while ((live_groups() + static_cast<std::size_t>(rows)) * 2 > slot_count_)
    Rehash(slot_count_ * 2);
  const std::size_t mask = slot_count_ - 1;
  for (int from = 0; from < rows; from += kBlock) {
    const int n = std::min(kBlock, rows - from);
    for (int i = 0; i < n; ++i) {
      if (null != nullptr && null[from + i] != 0) {
        packed[i] = {0, kNull << 56};
        hashes[i] = MixHash(kHashSeed1, (kNull << 56) ^ kHashSeed2);
      } else {
        packed[i] = Pack(keys[from + i], hashes[i]);
      }
      __builtin_prefetch(&slots_[hashes[i] & mask]);
    }
    for (int i = 0; i < n; ++i) {
      const Slot& slot = slots_[hashes[i] & mask];
      if (slot.tag == TagOf(hashes[i])) {
        const char* row = Row(slot.group);
        __builtin_prefetch(row);
        __builtin_prefetch(row + 64);
      }
    }
    for (int i = 0; i < n; ++i) {
      const uint32_t tag = TagOf(hashes[i]);
      std::size_t s = hashes[i] & mask;
      char* row = nullptr;
      while (true) {
        const Slot& slot = slots_[s];
        if ((slot.tag & 0xFFFu) != epoch_) {  // empty, or of a window that has gone
          row = Insert(s, tag, packed[i], keys[from + i]);
          break;
        }
        if (slot.tag == tag && Same(Row(slot.group), packed[i], keys[from + i])) {
          row = Row(slot.group);
          break;
        }
        s = (s + 1) & mask;
      }
      states[from + i] = row + kKeyBytes;
      if (groups != nullptr) groups[from + i] = slots_[s].group;
    }
  }
}

bool GroupTable::Key(std::size_t group, std::string_view& key) const {
  const char* row = Row(group);
  uint64_t high = Load8(row + 8), kind = high >> 56;
  if (kind == kNull) return false;
  if (kind == kLong) {
    const char* text;
    std::memcpy(&text, row, 8);
    key = {text, static_cast<std::size_t>(high & 0xFFFFFFFF)};
  } else {
    key = {row, static_cast<std::size_t>(kind)};
  }
  return true;
}

void GroupTable::Clear() {
  groups_ = 0;
  free_.clear();
  long_keys_.Reset();
  long_released_ = 0;
  if (++epoch_ > 0xFFF) {
    epoch_ = 1;
    std::memset(slots_memory_.data(), 0, slot_count_ * sizeof(Slot));
  }
}

void GroupTable::Release(std::size_t group) {
  char* row = Row(group);
  uint64_t high = Load8(row + 8);
  if (high >> 56 == kLong) long_released_ += high & 0xFFFFFFFF;
  high = kFree << 56;
  std::memcpy(row + 8, &high, 8);
  free_.push_back(static_cast<uint32_t>(group));
}

void GroupTable::CompactLongKeys() {
  if (long_released_ * 2 <= long_keys_.used_bytes()) return;
  Arena kept;
  for (std::size_t g = 0; g < groups_; ++g) {
    if (Kind(g) != kLong) continue;
    std::string_view key;
    Key(g, key);
    const char* text = kept.Copy(key).data();
    std::memcpy(Row(g), &text, 8);
  }
  long_keys_ = std::move(kept);
  long_released_ = 0;
}

}  // namespace millstream::sql
