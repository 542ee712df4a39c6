#include "streams/sequence_number.h"

#include <array>
#include <cstring>

#include "base/check.h"
#include "codec/big_endian.h"

namespace millstream::streams {
namespace {

constexpr uint64_t kMask36 = (uint64_t{1} << 36) - 1;
constexpr int64_t kDateLimitS = 16'025'175'000;  // AWS refuses later shard creations
// One step of the record index is 2^80: 25 decimal digits, here in groups of eight, lowest first,
// each digit a byte.
constexpr std::array<uint64_t, 4> kStep = [] {
  std::array<uint64_t, 4> groups{};
  codec::Uint128 rest = codec::Uint128{1} << 80;
  for (uint64_t& group : groups) {
    for (int shift = 0; shift < 64; shift += 8, rest /= 10) {
      group |= static_cast<uint64_t>(rest % 10) << shift;
    }
  }
  return groups;
}();

}  // namespace

codec::Uint192 SequenceNumber::ToNumber() const {
  uint64_t created = static_cast<uint64_t>(shard_created_s) & kMask36;
  uint64_t arrival = static_cast<uint64_t>(arrival_s) & kMask36;
  codec::Uint192 number;
  number.high =
      (uint64_t{2} << 56) | (created << 20) | (uint64_t{shard_index & 0xf} << 16) | (index >> 48);
  number.middle = (index << 16) | (arrival >> 28);
  number.low = (arrival << 36) | (uint64_t{shard_index} << 4) | 2;
  return number;
}

std::string SequenceNumber::ToString() const { return codec::ToDecimal(ToNumber()); }

std::optional<SequenceNumber> SequenceNumber::Parse(std::string_view decimal) {
  auto parsed = ParseAnyVersion(decimal);
  if (!parsed || parsed->version != 2) return std::nullopt;
  return parsed->number;
}

std::optional<SequenceNumber::Versioned> SequenceNumber::ParseAnyVersion(std::string_view decimal) {
  auto number = codec::ParseUint192(decimal);
  if (!number) return std::nullopt;
  Versioned parsed;
  uint64_t above_124 = number->middle >> 60;
  if (number->high == 0 && above_124 <= 1) {
    // Below 2^125, where numbers below 2^124 stand for themselves plus 2^124 (kinesalite):
    // 1 | 36 shard creation | 8 | 64 | 16 shard index.
    parsed.version = 0;
    parsed.number.shard_created_s = static_cast<int64_t>((number->middle >> 24) & kMask36);
    parsed.number.shard_index = static_cast<uint32_t>(number->low & 0xffff);
  } else if (number->high >> 56 == 2) {
    parsed.version = static_cast<int>(number->low & 0xf);
    parsed.number.shard_created_s = static_cast<int64_t>((number->high >> 20) & kMask36);
    parsed.number.shard_index = static_cast<uint32_t>(number->low >> 4);
    if (parsed.version == 2) {
      parsed.number.index = (number->high << 48) | (number->middle >> 16);
      parsed.number.arrival_s =
          static_cast<int64_t>(((number->middle << 28) | (number->low >> 36)) & kMask36);
      if (parsed.number.index > kEndIndex) return std::nullopt;
    } else if (parsed.version != 1) {
      return std::nullopt;
    }
  } else {
    return std::nullopt;
  }
  if (parsed.number.shard_created_s >= kDateLimitS) return std::nullopt;
  return parsed;
}

SequenceNumberWriter::SequenceNumberWriter(int64_t shard_created_s, uint32_t shard_index,
                                           int64_t arrival_s, uint64_t index)
    : shard_created_s_(shard_created_s), shard_index_(shard_index) {
  MoveTo(arrival_s, index);
}

void SequenceNumberWriter::MoveTo(uint64_t index) { MoveTo(arrival_s_, index); }

void SequenceNumberWriter::MoveTo(int64_t arrival_s, uint64_t index) {
  arrival_s_ = arrival_s;
  index_ = index;
  char text[codec::kUint192DigitsMax];
  SequenceNumber number{shard_created_s_, index, arrival_s, shard_index_};
  char* end = codec::FormatUint192(number.ToNumber(), text);
  CHECK(end - text == static_cast<std::ptrdiff_t>(SequenceNumber::kTextSize));
  std::memcpy(high_text_, text, sizeof high_text_);
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    groups_[i] = codec::LoadBigEndian<uint64_t>(end - 8 * (i + 1));
  }
}

char* SequenceNumberWriter::WriteNext(char* out) {
  std::memcpy(out, high_text_, sizeof high_text_);
  char* const end = out + SequenceNumber::kTextSize;
  ++index_;
  bool carry = false;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    codec::StoreBigEndian<uint64_t>(end - 8 * (i + 1), groups_[i]);
    // Decimal addition in ASCII: '0' + 0xc6 = 0xf6, so that ten overflows a byte into the next one.
    // Bytes that did not overflow have their top bit set and the 0xf6 still in them.
    uint64_t sum;
    const bool first = __builtin_add_overflow(groups_[i], 0xc6c6'c6c6'c6c6'c6c6 + kStep[i], &sum);
    const bool second = __builtin_add_overflow(sum, uint64_t{carry}, &sum);
    carry = first || second;
    const uint64_t kept = sum >> 7 & 0x0101'0101'0101'0101;
    groups_[i] = (sum - kept * 0xf6) | 0x3030'3030'3030'3030;
  }
  if (carry) [[unlikely]]
    MoveTo(arrival_s_, index_);
  return end;
}

}  // namespace millstream::streams
