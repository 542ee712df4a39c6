#include "sql/aggregate.h"

#include <algorithm>

#include "sql/aggregate_state.h"

namespace millstream::sql {

namespace {

std::size_t StateSize(AKind kind, Physical physical) {
  switch (kind) {
    case AKind::kCountRows:
    case AKind::kCount:
    case AKind::kAny:
    case AKind::kEvery:
    case AKind::kCountDistinct:
    case AKind::kListagg:
    case AKind::kApproxCount:
    case AKind::kApproxPercentile:
    case AKind::kPercentileCont:
    case AKind::kPercentileDisc: return 8;
    case AKind::kSum:
    case AKind::kAvg: return physical == Physical::kInt ? 24 : 16;
    case AKind::kMin:
    case AKind::kMax:
    case AKind::kFirst:
    case AKind::kLast: return physical == Physical::kString ? 24 : 16;
    default: return sizeof(MomentState);
  }
}

void AppendBytes(const Vector& v, int i, std::string& out) {
  if (v.physical() == Physical::kString) {
    out.append(v.strings()[i]);
  } else {
    int64_t bits = v.ints()[i];
    if (v.physical() == Physical::kDouble && v.doubles()[i] == 0) bits = 0;  // -0
    out.append(reinterpret_cast<const char*>(&bits), 8);
  }
}

}  // namespace

AggregateSet::AggregateSet(const std::vector<AggregateCall>& calls) {
  for (const AggregateCall& call : calls) {
    Slot slot;
    slot.call = call;
    if (call.argument) slot.argument = Compile(call.argument);
    slot.physical = call.argument ? PhysicalOf(call.argument->type.kind) : Physical::kInt;
    slot.offset = size_;
    AKind kind = call.distinct ? AKind::kCountDistinct : call.kind;
    size_ += StateSize(kind, slot.physical);
    slots_.push_back(std::move(slot));
  }
}

// Exact to 1024 values, then within 1.6 % (one standard error).
DistinctCounter& AggregateSet::Object::Counter(std::size_t& booked) {
  if (!counter) {
    counter = std::make_unique<DistinctCounter>(1024, 12);
    booked += 4096;
  }
  return *counter;
}
QuantileSketch& AggregateSet::Object::Sketch(std::size_t& booked) {
  if (!sketch) {
    sketch = std::make_unique<QuantileSketch>();
    booked += 4096;
  }
  return *sketch;
}

AggregateSet::Object& AggregateSet::ObjectOf(char* state) {
  int64_t& number = *reinterpret_cast<int64_t*>(state);
  if (number == 0) {
    objects_.push_back(std::make_unique<Object>());
    objects_bytes_ += kObjectBytes;
    number = static_cast<int64_t>(objects_.size());
  }
  return *objects_[static_cast<std::size_t>(number - 1)];
}

void AggregateSet::Update(EvalContext& context, char* const* states) {
  const int rows = context.input->rows;
  values_.clear();
  for (Slot& slot : slots_) {
    values_.push_back(slot.argument == nullptr ? nullptr : &slot.argument->Evaluate(context));
  }
  // In blocks whose states stay in the first-level cache while one aggregate after the other adds.
  constexpr int kBlock = 128;
  for (int from = 0; from < rows; from += kBlock) {
    const int to = std::min(rows, from + kBlock);
    for (std::size_t k = 0; k < slots_.size(); ++k) UpdateRows(slots_[k], values_[k], from, to, states);
  }
}

void AggregateSet::UpdateRows(Slot& slot, const Vector* values, int from, int to, char* const* states) {
  const std::size_t o = slot.offset;
  if (slot.call.kind == AKind::kCountRows) {
    for (int i = from; i < to; ++i) ++*At<int64_t>(states[i], o);
    return;
  }
  const Vector& v = *values;
  const uint8_t* valid = v.valid();
  if (slot.call.distinct && slot.call.kind != AKind::kMin && slot.call.kind != AKind::kMax) {
    for (int i = from; i < to; ++i) {
      if (valid[i] == 0) continue;
      std::string key;
      AppendBytes(v, i, key);
      std::size_t bytes = kItemBytes + key.size();
      if (ObjectOf(states[i] + o).distinct.insert(std::move(key)).second) objects_bytes_ += bytes;
    }
    return;
  }
  switch (slot.call.kind) {
    case AKind::kCount:
      for (int i = from; i < to; ++i) *At<int64_t>(states[i], o) += valid[i];
      break;
    case AKind::kSum:
    case AKind::kAvg:
      if (slot.physical == Physical::kDouble) {
        for (int i = from; i < to; ++i) {
          if (valid[i] == 0) continue;
          SumState* s = At<SumState>(states[i], o);
          s->d += v.doubles()[i];
          ++s->count;
        }
      } else {
        for (int i = from; i < to; ++i) {
          if (valid[i] == 0) continue;
          SumState* s = At<SumState>(states[i], o);
          s->AddInteger(v.ints()[i]);
          ++s->count;
        }
      }
      break;
    case AKind::kMin:
    case AKind::kMax: {
      bool min = slot.call.kind == AKind::kMin;
      for (int i = from; i < to; ++i) {
        if (valid[i] == 0) continue;
        ValueState* s = At<ValueState>(states[i], o);
        if (slot.physical == Physical::kInt) {
          int64_t x = v.ints()[i];
          if (s->has == 0 || (min ? x < s->i : x > s->i)) s->i = x;
        } else if (slot.physical == Physical::kDouble) {
          double x = v.doubles()[i];
          if (s->has == 0 || (min ? x < s->d : x > s->d)) s->d = x;
        } else {
          std::string_view x = v.strings()[i];
          std::string_view old(s->text, s->length);
          if (s->has == 0 || (min ? x < old : x > old)) KeepText(s, x, texts_);
        }
        s->has = 1;
      }
      break;
    }
    case AKind::kFirst:
    case AKind::kLast:
      for (int i = from; i < to; ++i) {
        if (valid[i] == 0 && slot.call.ignore_nulls) continue;
        ValueState* s = At<ValueState>(states[i], o);
        if (slot.call.kind == AKind::kFirst && s->has != 0) continue;
        s->has = valid[i] != 0 ? 1 : 2;
        if (valid[i] == 0) continue;
        if (slot.physical == Physical::kString) {
          KeepText(s, v.strings()[i], texts_);
        } else {
          s->i = v.ints()[i];
        }
      }
      break;
    case AKind::kAny:
    case AKind::kEvery:
      for (int i = from; i < to; ++i) {
        if (valid[i] == 0) continue;
        int64_t* s = At<int64_t>(states[i], o);
        *s |= v.ints()[i] != 0 ? 1 : 2;
      }
      break;
    case AKind::kApproxCount: {
      std::string key;
      for (int i = from; i < to; ++i) {
        if (valid[i] == 0) continue;
        key.clear();
        AppendBytes(v, i, key);
        ObjectOf(states[i] + o).Counter(objects_bytes_).Add(key);
      }
      break;
    }
    case AKind::kApproxPercentile:
      for (int i = from; i < to; ++i) {
        if (valid[i] != 0) ObjectOf(states[i] + o).Sketch(objects_bytes_).Add(v.doubles()[i]);
      }
      break;
    case AKind::kListagg:
      for (int i = from; i < to; ++i) {
        if (valid[i] == 0) continue;
        ObjectOf(states[i] + o).texts.emplace_back(v.strings()[i]);
        objects_bytes_ += kItemBytes + v.strings()[i].size();
      }
      break;
    case AKind::kPercentileCont:
    case AKind::kPercentileDisc:
      for (int i = from; i < to; ++i) {
        if (valid[i] == 0) continue;
        ObjectOf(states[i] + o).numbers.push_back(v.doubles()[i]);
        objects_bytes_ += 16;
      }
      break;
    default:  // variances
      for (int i = from; i < to; ++i) {
        if (valid[i] == 0) continue;
        MomentState* s = At<MomentState>(states[i], o);
        ++s->count;
        double delta = v.doubles()[i] - s->mean;
        s->mean += delta / static_cast<double>(s->count);
        s->m2 += delta * (v.doubles()[i] - s->mean);
      }
      break;
  }
}

void AggregateSet::Merge(const AggregateSet& from, const char* from_state, char* state) {
  for (std::size_t k = 0; k < slots_.size(); ++k) {
    Slot& slot = slots_[k];
    char* to = state + slot.offset;
    const char* at = from_state + slot.offset;
    int64_t number = *reinterpret_cast<const int64_t*>(at);
    if (OwnsObject(slot.call)) {
      if (number == 0) continue;
      const Object& theirs = *from.objects_[static_cast<std::size_t>(number - 1)];
      Object& ours = ObjectOf(to);
      for (const std::string& s : theirs.distinct) {
        if (ours.distinct.insert(s).second) objects_bytes_ += kItemBytes + s.size();
      }
      for (const std::string& s : theirs.texts) objects_bytes_ += kItemBytes + s.size();
      ours.texts.insert(ours.texts.end(), theirs.texts.begin(), theirs.texts.end());
      objects_bytes_ += 16 * theirs.numbers.size();
      if (theirs.counter) ours.Counter(objects_bytes_).Merge(*theirs.counter);
      if (theirs.sketch) ours.Sketch(objects_bytes_).Merge(*theirs.sketch);
      ours.numbers.insert(ours.numbers.end(), theirs.numbers.begin(), theirs.numbers.end());
      continue;
    }
    switch (slot.call.kind) {
      case AKind::kCountRows:
      case AKind::kCount: *reinterpret_cast<int64_t*>(to) += number; break;
      case AKind::kAny:
      case AKind::kEvery: *reinterpret_cast<int64_t*>(to) |= number; break;
      case AKind::kSum:
      case AKind::kAvg: {
        const SumState* x = reinterpret_cast<const SumState*>(at);
        SumState* s = reinterpret_cast<SumState*>(to);
        s->count += x->count;
        if (slot.physical == Physical::kDouble) {
          s->d += x->d;
        } else {
          s->AddInteger(x->i);
          s->carry += x->carry;
        }
        break;
      }
      case AKind::kMin:
      case AKind::kMax:
      case AKind::kFirst:
      case AKind::kLast: {
        const ValueState* x = reinterpret_cast<const ValueState*>(at);
        ValueState* s = reinterpret_cast<ValueState*>(to);
        if (x->has == 0) break;
        bool take = s->has == 0 || slot.call.kind == AKind::kLast;
        if (!take && slot.call.kind != AKind::kFirst) {
          bool less = slot.physical == Physical::kInt      ? x->i < s->i
                      : slot.physical == Physical::kDouble ? x->d < s->d
                                                           : std::string_view(x->text, x->length) <
                                                                 std::string_view(s->text, s->length);
          bool same = slot.physical == Physical::kInt      ? x->i == s->i
                      : slot.physical == Physical::kDouble ? x->d == s->d
                                                           : false;
          take = !same && less == (slot.call.kind == AKind::kMin);
        }
        if (!take) break;
        s->has = x->has;
        if (slot.physical == Physical::kString) {
          if (x->has == 1) KeepText(s, {x->text, x->length}, texts_);
        } else {
          s->i = x->i;
        }
        break;
      }
      default: {  // variances, by Chan's formula
        const MomentState* x = reinterpret_cast<const MomentState*>(at);
        MomentState* s = reinterpret_cast<MomentState*>(to);
        if (x->count == 0) break;
        double a = static_cast<double>(s->count), b = static_cast<double>(x->count);
        double delta = x->mean - s->mean;
        s->mean += delta * b / (a + b);
        s->m2 += x->m2 + delta * delta * a * b / (a + b);
        s->count += x->count;
        break;
      }
    }
  }
}

void AggregateSet::Reset() {
  texts_.Reset();
  objects_.clear();
  objects_bytes_ = 0;
}

}  // namespace millstream::sql
