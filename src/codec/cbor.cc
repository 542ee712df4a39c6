#include "codec/cbor.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "codec/big_endian.h"

namespace millstream::codec {
namespace {

constexpr uint8_t kIndefinite = 31;

double HalfToDouble(uint16_t half) {
  const int exponent = half >> 10 & 0x1f;
  const double mantissa = half & 0x3ff;
  double value;
  if (exponent == 0) {
    value = std::ldexp(mantissa, -24);
  } else if (exponent == 31) {
    value = mantissa == 0 ? INFINITY : NAN;
  } else {
    value = std::ldexp(mantissa + 1024, exponent - 25);
  }
  return (half & 0x8000) != 0 ? -value : value;
}

double FloatOf(const CborHead& head) {
  switch (head.width) {
    case 2:
      return HalfToDouble(static_cast<uint16_t>(head.argument));
    case 4:
      return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(head.argument)));
    default:
      return std::bit_cast<double>(head.argument);
  }
}

// The type of an item that begins with this byte.
CborType TypeOf(uint8_t initial) {
  switch (initial >> 5) {
    case 0:
      return CborType::kUnsigned;
    case 1:
      return CborType::kNegative;
    case 2:
      return CborType::kBytes;
    case 3:
      return CborType::kText;
    case 4:
      return CborType::kArray;
    case 5:
      return CborType::kMap;
    case 6:
      return CborType::kTag;
    default:
      break;
  }
  switch (initial & 0x1f) {
    case 20:
    case 21:
      return CborType::kBool;
    case 22:
      return CborType::kNull;
    case 23:
      return CborType::kUndefined;
    case 25:
    case 26:
    case 27:
      return CborType::kFloat;
    case kIndefinite:
      return CborType::kBreak;
    default:
      return CborType::kSimple;
  }
}

}  // namespace

base::Error CborReader::error() const {
  return base::Error(base::Code::kInvalidArgument,
                     std::string(failure_) + ", at byte " + std::to_string(offset()));
}

CborType CborReader::Peek() const {
  return !ok() || at_ == end_ ? CborType::kEnd : TypeOf(static_cast<uint8_t>(*at_));
}

bool CborReader::ReadHead(CborHead& head) {
  if (!ok()) return false;
  if (at_ == end_) {
    Fail("CBOR ends where an item is expected");
    return false;
  }
  const auto initial = static_cast<uint8_t>(*at_);
  const uint8_t info = initial & 0x1f;
  head.type = TypeOf(initial);
  head.indefinite = false;
  head.width = 0;
  if (info < 24) {
    head.argument = info;
    ++at_;
    return true;
  }
  if (info == kIndefinite) {
    head.argument = 0;
    head.indefinite = head.type != CborType::kBreak;
    const bool may = head.type == CborType::kBytes || head.type == CborType::kText ||
                     head.type == CborType::kArray || head.type == CborType::kMap ||
                     head.type == CborType::kBreak;
    if (!may) {
      Fail("CBOR item of a type that has no indefinite length");
      return false;
    }
    ++at_;
    return true;
  }
  if (info > 27) {
    Fail("CBOR item with a reserved length code");
    return false;
  }
  head.width = static_cast<uint8_t>(1 << (info - 24));
  if (end_ - at_ <= head.width) {
    Fail("CBOR ends within an item");
    return false;
  }
  switch (head.width) {
    case 1:
      head.argument = static_cast<uint8_t>(at_[1]);
      break;
    case 2:
      head.argument = LoadBigEndian<uint16_t>(at_ + 1);
      break;
    case 4:
      head.argument = LoadBigEndian<uint32_t>(at_ + 1);
      break;
    default:
      head.argument = LoadBigEndian<uint64_t>(at_ + 1);
  }
  if (head.type == CborType::kSimple && head.argument < 32) {
    Fail("CBOR simple value in a reserved form");
    return false;
  }
  at_ += 1 + head.width;
  return true;
}

bool CborReader::ReadValueHead(CborHead& head) {
  // Tags may be stacked, each at least a byte long, so this ends.
  do {
    if (!ReadHead(head)) return false;
  } while (head.type == CborType::kTag);
  return true;
}

std::string_view CborReader::ReadStringOf(CborType type, const char* otherwise) {
  CborHead head;
  if (!ReadValueHead(head)) return {};
  if (head.type != type) {
    Fail(otherwise);
    return {};
  }
  const auto take = [&](uint64_t size) -> std::string_view {
    if (size > static_cast<uint64_t>(end_ - at_)) {
      Fail("CBOR ends within a string");
      return {};
    }
    const std::string_view value(at_, static_cast<std::size_t>(size));
    at_ += size;
    return value;
  };
  if (!head.indefinite) return take(head.argument);

  std::string_view first;
  std::string* joined = nullptr;
  for (bool any = false;;) {
    CborHead chunk;
    if (!ReadHead(chunk)) return {};
    if (chunk.type == CborType::kBreak) break;
    if (chunk.type != type || chunk.indefinite) {
      Fail("CBOR string with a chunk of another type");
      return {};
    }
    const std::string_view part = take(chunk.argument);
    if (!ok()) return {};
    if (!any) {
      first = part;
      any = true;
      continue;
    }
    if (joined == nullptr) joined = &joined_.emplace_front(first);
    joined->append(part);
  }
  return joined == nullptr ? first : std::string_view(*joined);
}

std::string_view CborReader::ReadLongText() {
  return ReadStringOf(CborType::kText, "expected a CBOR text string");
}

std::string_view CborReader::ReadBytes() {
  return ReadStringOf(CborType::kBytes, "expected a CBOR byte string");
}

int64_t CborReader::ReadInt64() {
  CborHead head;
  if (!ReadValueHead(head)) return 0;
  if (head.type != CborType::kUnsigned && head.type != CborType::kNegative) {
    Fail("expected a CBOR integer");
    return 0;
  }
  if (head.argument > INT64_MAX) {
    Fail("CBOR integer beyond 64 bits");
    return 0;
  }
  const auto argument = static_cast<int64_t>(head.argument);
  return head.type == CborType::kUnsigned ? argument : -1 - argument;
}

uint64_t CborReader::ReadUint64() {
  CborHead head;
  if (!ReadValueHead(head)) return 0;
  if (head.type != CborType::kUnsigned) {
    Fail("expected a CBOR unsigned integer");
    return 0;
  }
  return head.argument;
}

double CborReader::ReadDouble() {
  CborHead head;
  if (!ReadValueHead(head)) return 0;
  switch (head.type) {
    case CborType::kFloat:
      return FloatOf(head);
    case CborType::kUnsigned:
      return static_cast<double>(head.argument);
    case CborType::kNegative:
      return -1.0 - static_cast<double>(head.argument);
    default:
      Fail("expected a CBOR number");
      return 0;
  }
}

bool CborReader::ReadBool() {
  CborHead head;
  if (!ReadValueHead(head)) return false;
  if (head.type != CborType::kBool) {
    Fail("expected a CBOR boolean");
    return false;
  }
  return head.argument == 21;
}

int64_t CborReader::ReadEpochMs() {
  CborReader probe = CborReader(rest());
  CborHead head;
  while (probe.ReadHead(head) && head.type == CborType::kTag) {
  }
  if (head.type != CborType::kFloat) return ReadInt64();
  const double ms = std::round(ReadDouble());
  // Doubles of this size are whole, and the comparison is false for NaN.
  if (!(std::abs(ms) < 9.2e18)) {
    Fail("CBOR timestamp out of range");
    return 0;
  }
  return static_cast<int64_t>(ms);
}

bool CborReader::ConsumeNull() {
  const CborType type = Peek();
  if (type != CborType::kNull && type != CborType::kUndefined) return false;
  ++at_;
  return true;
}

CborItems CborReader::ReadArray() {
  CborHead head;
  if (!ReadValueHead(head)) return {};
  if (head.type != CborType::kArray) {
    Fail("expected a CBOR array");
    return {};
  }
  return {head.argument, head.indefinite};
}

CborItems CborReader::ReadMap() {
  CborHead head;
  if (!ReadValueHead(head)) return {};
  if (head.type != CborType::kMap) {
    Fail("expected a CBOR map");
    return {};
  }
  return {head.argument, head.indefinite};
}

bool CborReader::Next(CborItems& items) {
  if (!ok()) return false;
  if (items.indefinite) {
    if (Peek() != CborType::kBreak) return true;  // at the end of the bytes the item's read fails
    ++at_;
    items.indefinite = false;
    return false;
  }
  if (items.left == 0) return false;
  --items.left;
  return true;
}

void CborReader::Skip() { SkipAt(0); }

void CborReader::SkipAt(int depth) {
  CborHead head;
  if (!ReadValueHead(head)) return;
  switch (head.type) {
    case CborType::kBytes:
    case CborType::kText:
      if (!head.indefinite) {
        if (head.argument > static_cast<uint64_t>(end_ - at_))
          return Fail("CBOR ends within a string");
        at_ += head.argument;
        return;
      }
      for (;;) {
        CborHead chunk;
        if (!ReadHead(chunk) || chunk.type == CborType::kBreak) return;
        if (chunk.type != head.type || chunk.indefinite) {
          return Fail("CBOR string with a chunk of another type");
        }
        if (chunk.argument > static_cast<uint64_t>(end_ - at_))
          return Fail("CBOR ends within a string");
        at_ += chunk.argument;
      }
    case CborType::kArray:
    case CborType::kMap: {
      if (depth == kCborDepthMax) return Fail("CBOR nested too deep");
      CborItems items{head.argument, head.indefinite};
      while (Next(items)) {
        SkipAt(depth + 1);
        if (head.type == CborType::kMap) SkipAt(depth + 1);
      }
      return;
    }
    case CborType::kBreak:
      return Fail("CBOR break outside of an indefinite item");
    default:
      return;
  }
}

CborWriter& CborWriter::Head(uint8_t major, uint64_t argument) {
  const auto first = static_cast<uint8_t>(major << 5);
  char head[9];
  const std::size_t size = CborHeadSize(argument);
  switch (size) {
    case 1:
      head[0] = static_cast<char>(first | argument);
      break;
    case 2:
      head[0] = static_cast<char>(first | 24);
      head[1] = static_cast<char>(argument);
      break;
    case 3:
      head[0] = static_cast<char>(first | 25);
      StoreBigEndian(head + 1, static_cast<uint16_t>(argument));
      break;
    case 5:
      head[0] = static_cast<char>(first | 26);
      StoreBigEndian(head + 1, static_cast<uint32_t>(argument));
      break;
    default:
      head[0] = static_cast<char>(first | 27);
      StoreBigEndian(head + 1, argument);
  }
  out_.Append({head, size});
  return *this;
}

CborWriter& CborWriter::Int(int64_t value) {
  // -1 - value, for negative ones, is the complement.
  return value >= 0 ? Head(0, static_cast<uint64_t>(value))
                    : Head(1, ~static_cast<uint64_t>(value));
}

CborWriter& CborWriter::Text(std::string_view text) {
  Head(3, text.size());
  out_.Append(text);
  return *this;
}

CborWriter& CborWriter::Bytes(std::string_view bytes) {
  Head(2, bytes.size());
  out_.Append(bytes);
  return *this;
}

CborWriter& CborWriter::Bool(bool value) {
  out_.Append(value ? '\xf5' : '\xf4');
  return *this;
}

CborWriter& CborWriter::Null() {
  out_.Append('\xf6');
  return *this;
}

CborWriter& CborWriter::Double(double value) {
  char item[9] = {'\xfb'};
  StoreBigEndian(item + 1, std::bit_cast<uint64_t>(value));
  out_.Append({item, sizeof(item)});
  return *this;
}

CborWriter& CborWriter::Float(float value) {
  char item[5] = {'\xfa'};
  StoreBigEndian(item + 1, std::bit_cast<uint32_t>(value));
  out_.Append({item, sizeof(item)});
  return *this;
}

CborWriter& CborWriter::BeginArray() {
  out_.Append('\x9f');
  return *this;
}

CborWriter& CborWriter::BeginMap() {
  out_.Append('\xbf');
  return *this;
}

CborWriter& CborWriter::BeginText() {
  out_.Append('\x7f');
  return *this;
}

CborWriter& CborWriter::BeginBytes() {
  out_.Append('\x5f');
  return *this;
}

CborWriter& CborWriter::Break() {
  out_.Append('\xff');
  return *this;
}

CborWriter& CborWriter::Raw(std::string_view item) {
  out_.Append(item);
  return *this;
}

}  // namespace millstream::codec
