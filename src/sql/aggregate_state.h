#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "sql/aggregate.h"

// The states of aggregates as they lie in a group's bytes; for aggregate*.cc alone.
namespace millstream::sql {

using AKind = AggregateCall::Kind;

struct SumState {
  int64_t count;
  union {
    int64_t i;
    double d;
  };
  int64_t carry;  // of integers: how many times 2^64 the sum is beside `i`

  void AddInteger(int64_t x) {
    if (__builtin_add_overflow(i, x, &i)) carry += x > 0 ? 1 : -1;
  }
  __int128 Integer() const {
    return static_cast<__int128>((static_cast<unsigned __int128>(carry) << 64) +
                                 static_cast<unsigned __int128>(static_cast<__int128>(i)));
  }
};

// The sum of a call, or its average, as its result; false where it does not fit.
inline bool FitSum(__int128 sum, int64_t count, bool average, int64_t& out) {
  if (average) sum /= count;
  out = static_cast<int64_t>(sum);
  return sum == out;
}
inline std::string DoesNotFit(const AggregateCall& call) {
  return call.name + " does not fit " + TypeName(call.type);
}
struct ValueState {
  int64_t has;  // 1 a value, 2 a NULL (FIRST_VALUE with nulls)
  union {
    int64_t i;
    double d;
    char* text;
  };
  uint32_t length;
  uint32_t capacity;  // of `text`: later values are written over it
};

inline void KeepText(ValueState* s, std::string_view x, Arena& texts) {
  if (x.size() > s->capacity) {
    s->capacity = static_cast<uint32_t>(std::max<std::size_t>(16, x.size() + x.size() / 4));
    s->text = texts.Allocate(s->capacity);
  }
  if (!x.empty()) std::memcpy(s->text, x.data(), x.size());
  s->length = static_cast<uint32_t>(x.size());
}
struct MomentState {
  int64_t count;
  double mean;
  double m2;
};

template <typename T>
T* At(char* state, std::size_t offset) {
  return reinterpret_cast<T*>(state + offset);
}

inline bool OwnsObject(const AggregateCall& call) {
  return (call.distinct && call.kind != AKind::kMin && call.kind != AKind::kMax) ||
         call.kind == AKind::kApproxCount || call.kind == AKind::kApproxPercentile ||
         call.kind == AKind::kListagg || call.kind == AKind::kPercentileCont ||
         call.kind == AKind::kPercentileDisc;
}

}  // namespace millstream::sql
