#include "streams/sequence_number.h"

#include <cstring>

#include "base/check.h"

namespace millstream::streams {
namespace {

constexpr uint64_t kMask36 = (uint64_t{1} << 36) - 1;
constexpr int64_t kDateLimitS = 16'025'175'000;  // AWS refuses later shard creations
constexpr uint64_t kTen19 = 10'000'000'000'000'000'000ULL;

// One step of the record index is 2^80; its digits in base 10^19.
constexpr codec::Uint128 kStep = codec::Uint128{1} << 80;
constexpr uint64_t kStepLow = static_cast<uint64_t>(kStep % kTen19);
constexpr uint64_t kStepMiddle = static_cast<uint64_t>(kStep / kTen19);

// Eight decimal digits of a number below 10^8 as little-endian bytes; three multiplications.
uint64_t EightDigits(uint32_t value) {
  uint64_t halves = value / 10'000 | (uint64_t{value % 10'000} << 32);
  uint64_t hundreds = ((halves * 10'486) >> 20) & 0x0000'007f'0000'007f;
  uint64_t pairs = ((halves - 100 * hundreds) << 16) + hundreds;
  uint64_t tens = ((pairs * 103) >> 10) & 0x000f'000f'000f'000f;
  return ((pairs - 10 * tens) << 8) + tens + 0x3030'3030'3030'3030;
}

// Writes exactly 19 digits.
void WriteNineteen(uint64_t value, char* out) {
  constexpr uint64_t kTen8 = 100'000'000;
  constexpr uint64_t kTen16 = kTen8 * kTen8;
  uint64_t top = value / kTen16;  // below 1000
  uint64_t rest = value - top * kTen16;
  uint64_t middle = EightDigits(static_cast<uint32_t>(rest / kTen8));
  uint64_t low = EightDigits(static_cast<uint32_t>(rest % kTen8));
  out[0] = static_cast<char>('0' + top / 100);
  out[1] = static_cast<char>('0' + top / 10 % 10);
  out[2] = static_cast<char>('0' + top % 10);
  std::memcpy(out + 3, &middle, 8);
  std::memcpy(out + 11, &low, 8);
}

uint64_t ReadDigits(const char* text, int count) {
  uint64_t value = 0;
  for (int i = 0; i < count; ++i) value = value * 10 + static_cast<uint64_t>(text[i] - '0');
  return value;
}

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

std::optional<SequenceNumber::Versioned> SequenceNumber::ParseAnyVersion(
    std::string_view decimal) {
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
  middle_ = ReadDigits(text + 18, 19);
  low_ = ReadDigits(text + 37, 19);
}

char* SequenceNumberWriter::WriteNext(char* out) {
  std::memcpy(out, high_text_, sizeof high_text_);
  WriteNineteen(middle_, out + 18);
  WriteNineteen(low_, out + 37);
  ++index_;
  uint64_t carry = 0;
  // Neither sum overflows: both addends are below 10^19, and 2 * 10^19 > 2^64 is caught by the
  // comparison before the addition.
  if (low_ >= kTen19 - kStepLow) {
    low_ -= kTen19 - kStepLow;
    carry = 1;
  } else {
    low_ += kStepLow;
  }
  middle_ += kStepMiddle + carry;
  if (middle_ >= kTen19) [[unlikely]] MoveTo(arrival_s_, index_);
  return out + SequenceNumber::kTextSize;
}

}  // namespace millstream::streams
