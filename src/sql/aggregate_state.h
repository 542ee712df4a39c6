#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
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
  int64_t overflow;
};
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
