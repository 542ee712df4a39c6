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
  return static_cast<uint8_t>(p[0]) | static_cast<uint64_t>(static_cast<uint8_t>(p[n / 2])) << (8 * (n / 2)) |
         static_cast<uint64_t>(static_cast<uint8_t>(p[n - 1])) << (8 * (n - 1));
}
}  // namespace

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
    for (; i + 16 <= n; i += 16) h = MixHash(Load8(p + i) ^ kHashSeed1 ^ h, Load8(p + i + 8) ^ kHashSeed2);
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

char* GroupTable::Insert(std::size_t slot, uint32_t tag, Packed packed, std::string_view key) {
  if (groups_ / kPageGroups >= pages_.size()) {
    pages_.emplace_back(new char[kPageGroups * stride_]);
  }
  slots_[slot] = {tag, static_cast<uint32_t>(groups_)};
  char* row = Row(groups_++);
  if (packed.high >> 56 == kLong) {
    const char* text = long_keys_.Copy(key).data();
    std::memcpy(row, &text, 8);
  } else {
    std::memcpy(row, &packed.low, 8);
  }
  std::memcpy(row + 8, &packed.high, 8);
  std::memset(row + 16, 0, stride_ - 16);
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

void GroupTable::Grow() {
  slots_.assign(slots_.size() * 2, Slot{});
  epoch_ = 1;
  std::size_t mask = slots_.size() - 1;
  for (std::size_t g = 0; g < groups_; ++g) {
    uint64_t hash = HashOf(Row(g));
    uint32_t tag = (static_cast<uint32_t>(hash >> 32) & 0xFFFFF000u) | epoch_;
    std::size_t i = hash & mask;
    while (slots_[i].tag != 0) i = (i + 1) & mask;
    slots_[i] = {tag, static_cast<uint32_t>(g)};
  }
}

void GroupTable::Find(const std::string_view* keys, const uint8_t* null, int rows, char** states) {
  Packed packed[kBatchRows];
  uint64_t hashes[kBatchRows];
  while ((groups_ + static_cast<std::size_t>(rows)) * 2 > slots_.size()) Grow();
  std::size_t mask = slots_.size() - 1;
  for (int i = 0; i < rows; ++i) {
    if (null != nullptr && null[i] != 0) {
      packed[i] = {0, kNull << 56};
      hashes[i] = MixHash(kHashSeed1, (kNull << 56) ^ kHashSeed2);
    } else {
      packed[i] = Pack(keys[i], hashes[i]);
    }
    __builtin_prefetch(&slots_[hashes[i] & mask]);
  }
  constexpr int kAhead = 16;  // groups are fetched this many rows before they are compared
  for (int i = 0; i < rows; ++i) {
    if (i + kAhead < rows) {
      const Slot& slot = slots_[hashes[i + kAhead] & mask];
      if (slot.group < groups_) __builtin_prefetch(Row(slot.group));
    }
    uint32_t tag = (static_cast<uint32_t>(hashes[i] >> 32) & 0xFFFFF000u) | epoch_;
    std::size_t s = hashes[i] & mask;
    char* row = nullptr;
    while (true) {
      const Slot& slot = slots_[s];
      if ((slot.tag & 0xFFFu) != epoch_) {  // empty, or of a window that has gone
        row = Insert(s, tag, packed[i], keys[i]);
        break;
      }
      if (slot.tag == tag && Same(Row(slot.group), packed[i], keys[i])) {
        row = Row(slot.group);
        break;
      }
      s = (s + 1) & mask;
    }
    states[i] = row + 16;
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
  long_keys_.Reset();
  if (++epoch_ > 0xFFF) {
    epoch_ = 1;
    std::fill(slots_.begin(), slots_.end(), Slot{});
  }
}

}  // namespace millstream::sql
