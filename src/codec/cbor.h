#pragma once

#include <cstddef>
#include <cstdint>
#include <forward_list>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/output.h"

// CBOR (RFC 8949), both as AWS's SDKs and services write it: definite and indefinite lengths.
namespace millstream::codec {

inline constexpr int kCborDepthMax = 64;
inline constexpr uint64_t kCborTagEpoch = 1;

enum class CborType : uint8_t {
  kUnsigned,
  kNegative,
  kBytes,
  kText,
  kArray,
  kMap,
  kTag,
  kBool,
  kNull,
  kUndefined,
  kFloat,   // half, single or double
  kSimple,  // another simple value
  kBreak,   // the end of an indefinite item
  kEnd,     // no more bytes
};

// The initial bytes of an item.
struct CborHead {
  CborType type = CborType::kEnd;
  bool indefinite = false;
  uint64_t argument = 0;  // value, length or count, tag, bit pattern of a float, simple value
  uint8_t width = 0;      // bytes of the argument: 2, 4, 8 tell a float's precision
};

// What is left of an array or map that is being read; see CborReader::Next.
struct CborItems {
  uint64_t left = 0;  // elements or pairs
  bool indefinite = false;
};

// Reads CBOR once, forward, without copies.
//
//   CborReader cbor(body);
//   for (CborItems map = cbor.ReadMap(); cbor.Next(map);) {
//     std::string_view key = cbor.ReadText();
//     if (key == "StreamName") name = cbor.ReadText(); else cbor.Skip();
//   }
//   if (!cbor.ok()) return Fail(cbor.error());
//
// The first failure sticks: later reads return empty values, Next() false, and loops end. Typed
// reads pass over tags they do not need. Never reads outside the bytes; needs no more memory than
// the input (for joined chunks). One thread.
class CborReader {
 public:
  explicit CborReader(std::string_view bytes)
      : begin_(bytes.data()), at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return failure_ == nullptr; }
  // kInvalidArgument with what is wrong and at which byte. Requires !ok().
  base::Error error() const;
  // Lets a caller report what it found in the same way; keeps an earlier failure.
  void Fail(const char* what) {
    if (failure_ == nullptr) failure_ = what;
  }

  // The type of the next item, tags included; nothing is taken. kEnd at the end.
  CborType Peek() const;
  // Takes the initial bytes of the next item. False at the end or when they are malformed.
  bool ReadHead(CborHead& head);

  // Typed reads; another type is a failure. Views point into the input; a string of several chunks
  // is joined in memory that the reader keeps.
  std::string_view ReadText() {  // not checked for UTF-8
    std::string_view value;
    return TakeShort(0x60, value) ? value : ReadLongText();
  }
  std::string_view ReadBytes();
  int64_t ReadInt64();  // a failure if it does not fit, and for floats
  uint64_t ReadUint64();
  double ReadDouble();  // floats of all widths, and integers
  bool ReadBool();
  // Tag 1 with integer milliseconds (Kinesis's CBOR), in which a float counts as milliseconds too;
  // without the tag the same.
  int64_t ReadEpochMs();
  // Takes null or undefined if it comes next.
  bool ConsumeNull();

  CborItems ReadArray();
  CborItems ReadMap();
  // True when another element (or pair) follows; takes the break of an indefinite one.
  bool Next(CborItems& items);

  // Takes any one item, nested at most kCborDepthMax deep.
  void Skip();

  std::size_t offset() const { return static_cast<std::size_t>(at_ - begin_); }
  std::string_view rest() const { return {at_, static_cast<std::size_t>(end_ - at_)}; }
  bool AtEnd() const { return at_ == end_; }

 private:
  // Strings of up to 23 bytes, which nearly all keys are.
  bool TakeShort(uint8_t major, std::string_view& value) {
    if (at_ == end_ || failure_ != nullptr) return false;
    const auto size = static_cast<std::size_t>(static_cast<uint8_t>(*at_) ^ major);
    if (size >= 24 || static_cast<std::size_t>(end_ - at_) <= size) return false;
    value = {at_ + 1, size};
    at_ += 1 + size;
    return true;
  }
  std::string_view ReadLongText();
  bool ReadValueHead(CborHead& head);  // passes over tags
  std::string_view ReadStringOf(CborType type, const char* otherwise);
  void SkipAt(int depth);

  const char* begin_;
  const char* at_;
  const char* end_;
  const char* failure_ = nullptr;
  std::forward_list<std::string> joined_;
};

// Appends CBOR to a Buffer or string. The caller keeps the nesting right. One thread.
class CborWriter {
 public:
  explicit CborWriter(Output out) : out_(out) {}

  CborWriter& Uint(uint64_t value) { return Head(0, value); }
  CborWriter& Int(int64_t value);
  CborWriter& Text(std::string_view text);
  CborWriter& Bytes(std::string_view bytes);
  CborWriter& Bool(bool value);
  CborWriter& Null();
  CborWriter& Double(double value);
  CborWriter& Float(float value);
  CborWriter& Tag(uint64_t tag) { return Head(6, tag); }
  CborWriter& EpochMs(int64_t ms) { return Tag(kCborTagEpoch).Int(ms); }

  CborWriter& BeginArray(uint64_t elements) { return Head(4, elements); }
  CborWriter& BeginMap(uint64_t pairs) { return Head(5, pairs); }
  CborWriter& BeginArray();  // of indefinite length, ended by Break()
  CborWriter& BeginMap();    // of indefinite length, ended by Break()
  CborWriter& BeginText();   // chunks follow as Text(), ended by Break()
  CborWriter& BeginBytes();  // chunks follow as Bytes(), ended by Break()
  CborWriter& Break();
  CborWriter& Raw(std::string_view item);  // a complete item, already CBOR

 private:
  CborWriter& Head(uint8_t major, uint64_t argument);
  Output out_;
};

// Bytes of an item's head with that argument: 1, 2, 3, 5 or 9.
constexpr std::size_t CborHeadSize(uint64_t argument) {
  return argument < 24            ? 1
         : argument <= 0xff       ? 2
         : argument <= 0xffff     ? 3
         : argument <= 0xffffffff ? 5
                                  : 9;
}

}  // namespace millstream::codec
