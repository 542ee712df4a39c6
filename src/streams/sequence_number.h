#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "codec/uint128.h"

namespace millstream::streams {

// What a Kinesis sequence number says, in the layout that AWS calls version 2: 186 bits, written in
// decimal with 56 digits. From the top:
//   4 bits 2 | 36 shard creation, s | 4 shard index mod 16 | 64 record index | 8 zero |
//   36 arrival, s | 32 shard index | 4 bits 2
// (learnt from kinesalite, db/index.js). The record index is the record's offset in the shard's
// log, so a sequence number leads to its record without an index.
struct SequenceNumber {
  int64_t shard_created_s = 0;
  uint64_t index = 0;
  int64_t arrival_s = 0;
  uint32_t shard_index = 0;

  static constexpr std::size_t kTextSize = 56;
  // The index of a closed shard's EndingSequenceNumber.
  static constexpr uint64_t kEndIndex = 0x7fff'ffff'ffff'ffff;

  codec::Uint192 ToNumber() const;
  std::string ToString() const;
  // nullopt when the text is no number, of another version, or impossible (index or date too high).
  static std::optional<SequenceNumber> Parse(std::string_view decimal);
  // The same, but tells the older layouts (0 and 1) too, of which only shard and times are read:
  // AWS answers them differently from nonsense. Small numbers count as version 0.
  struct Versioned;
  static std::optional<Versioned> ParseAnyVersion(std::string_view decimal);

  // As numbers: shard creation first, then shard index mod 16, record index, arrival, shard index.
  friend std::strong_ordering operator<=>(const SequenceNumber& a, const SequenceNumber& b) {
    return a.ToNumber() <=> b.ToNumber();
  }
  friend bool operator==(const SequenceNumber&, const SequenceNumber&) = default;
};

struct SequenceNumber::Versioned {
  int version = 2;
  SequenceNumber number;
};

// The arrival second inside the sequence number of a record. Never the second of the shard's
// creation, so that every record is greater than the shard's StartingSequenceNumber.
inline int64_t ArrivalSecond(int64_t shard_created_s, int64_t arrival_ms) {
  int64_t second = arrival_ms / 1000;
  return second > shard_created_s ? second : shard_created_s + 1;
}

// Writes the sequence numbers of records of one shard that arrived in the same second. Consecutive
// records cost an addition and the digits that changed (about 15 ns), others a multiplication more.
class SequenceNumberWriter {
 public:
  SequenceNumberWriter(int64_t shard_created_s, uint32_t shard_index, int64_t arrival_s,
                       uint64_t index);

  // Writes the 56 digits of the current record, moves on to the next one, returns the end.
  char* WriteNext(char* out);
  void MoveTo(uint64_t index);
  void MoveTo(int64_t arrival_s, uint64_t index);
  int64_t arrival_s() const { return arrival_s_; }
  uint64_t index() const { return index_; }

 private:
  int64_t shard_created_s_;
  uint32_t shard_index_;
  int64_t arrival_s_;
  uint64_t index_;
  // The number's text: its first digits, and the others in groups of eight, lowest group first, the
  // last digit of a group in the lowest byte.
  char high_text_[24];
  std::array<uint64_t, 4> groups_;
};

}  // namespace millstream::streams
