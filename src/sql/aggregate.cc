#include "sql/aggregate.h"

#include <algorithm>
#include <cmath>

#include "sql/cast.h"

namespace millstream::sql {

namespace {

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

void KeepText(ValueState* s, std::string_view x, Arena& texts) {
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

template <typename T>
T* At(char* state, std::size_t offset) {
  return reinterpret_cast<T*>(state + offset);
}

bool OwnsObject(const AggregateCall& call) {
  return (call.distinct && call.kind != AKind::kMin && call.kind != AKind::kMax) ||
         call.kind == AKind::kApproxCount || call.kind == AKind::kApproxPercentile ||
         call.kind == AKind::kListagg || call.kind == AKind::kPercentileCont ||
         call.kind == AKind::kPercentileDisc;
}

void AppendBytes(const Vector& v, int i, std::string& out) {
  if (v.physical() == Physical::kString) {
    out.append(v.strings()[i]);
  } else {
    out.append(reinterpret_cast<const char*>(&v.ints()[i]), 8);
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
  int rows = context.input->rows;
  for (Slot& slot : slots_) {
    std::size_t o = slot.offset;
    if (slot.call.kind == AKind::kCountRows) {
      for (int i = 0; i < rows; ++i) ++*At<int64_t>(states[i], o);
      continue;
    }
    const Vector& v = slot.argument->Evaluate(context);
    const uint8_t* valid = v.valid();
    if (slot.call.distinct && slot.call.kind != AKind::kMin && slot.call.kind != AKind::kMax) {
      for (int i = 0; i < rows; ++i) {
        if (valid[i] == 0) continue;
        std::string key;
        AppendBytes(v, i, key);
        std::size_t bytes = kItemBytes + key.size();
        if (ObjectOf(states[i] + o).distinct.insert(std::move(key)).second) objects_bytes_ += bytes;
      }
      continue;
    }
    switch (slot.call.kind) {
      case AKind::kCount:
        for (int i = 0; i < rows; ++i) *At<int64_t>(states[i], o) += valid[i];
        break;
      case AKind::kSum:
      case AKind::kAvg:
        if (slot.physical == Physical::kDouble) {
          for (int i = 0; i < rows; ++i) {
            if (valid[i] == 0) continue;
            SumState* s = At<SumState>(states[i], o);
            s->d += v.doubles()[i];
            ++s->count;
          }
        } else {
          for (int i = 0; i < rows; ++i) {
            if (valid[i] == 0) continue;
            SumState* s = At<SumState>(states[i], o);
            s->overflow |= __builtin_add_overflow(s->i, v.ints()[i], &s->i);
            ++s->count;
          }
        }
        break;
      case AKind::kMin:
      case AKind::kMax: {
        bool min = slot.call.kind == AKind::kMin;
        for (int i = 0; i < rows; ++i) {
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
        for (int i = 0; i < rows; ++i) {
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
        for (int i = 0; i < rows; ++i) {
          if (valid[i] == 0) continue;
          int64_t* s = At<int64_t>(states[i], o);
          *s |= v.ints()[i] != 0 ? 1 : 2;
        }
        break;
      case AKind::kApproxCount: {
        std::string key;
        for (int i = 0; i < rows; ++i) {
          if (valid[i] == 0) continue;
          key.clear();
          AppendBytes(v, i, key);
          ObjectOf(states[i] + o).Counter(objects_bytes_).Add(key);
        }
        break;
      }
      case AKind::kApproxPercentile:
        for (int i = 0; i < rows; ++i) {
          if (valid[i] != 0) ObjectOf(states[i] + o).Sketch(objects_bytes_).Add(v.doubles()[i]);
        }
        break;
      case AKind::kListagg:
        for (int i = 0; i < rows; ++i) {
          if (valid[i] == 0) continue;
          ObjectOf(states[i] + o).texts.emplace_back(v.strings()[i]);
          objects_bytes_ += kItemBytes + v.strings()[i].size();
        }
        break;
      case AKind::kPercentileCont:
      case AKind::kPercentileDisc:
        for (int i = 0; i < rows; ++i) {
          if (valid[i] == 0) continue;
          ObjectOf(states[i] + o).numbers.push_back(v.doubles()[i]);
          objects_bytes_ += 16;
        }
        break;
      default:  // variances
        for (int i = 0; i < rows; ++i) {
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
          s->overflow |= x->overflow;
          s->overflow |= __builtin_add_overflow(s->i, x->i, &s->i);
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

bool AggregateSet::Finish(const char* state, int row, RowBuffer& out, int first,
                          std::string& error) const {
  for (std::size_t k = 0; k < slots_.size(); ++k) {
    const Slot& slot = slots_[k];
    Vector& to = out.column(first + static_cast<int>(k));
    const char* at = state + slot.offset;
    int64_t number = *reinterpret_cast<const int64_t*>(at);
    to.valid()[row] = 1;
    auto object = [&]() -> const Object* {
      return number == 0 ? nullptr : objects_[static_cast<std::size_t>(number - 1)].get();
    };
    if (slot.call.distinct && slot.call.kind != AKind::kMin && slot.call.kind != AKind::kMax) {
      const Object* o = object();
      if (slot.call.kind == AKind::kCount) {
        to.ints()[row] = o == nullptr ? 0 : static_cast<int64_t>(o->distinct.size());
        continue;
      }
      if (o == nullptr) {
        to.SetNull(row);
        continue;
      }
      bool average = slot.call.kind == AKind::kAvg;
      if (slot.physical == Physical::kDouble) {
        double sum = 0;
        for (const std::string& s : o->distinct) {
          double d;
          std::memcpy(&d, s.data(), 8);
          sum += d;
        }
        to.doubles()[row] = average ? sum / static_cast<double>(o->distinct.size()) : sum;
      } else {
        int64_t sum = 0;
        for (const std::string& s : o->distinct) {
          int64_t i;
          std::memcpy(&i, s.data(), 8);
          sum += i;
        }
        to.ints()[row] = average ? sum / static_cast<int64_t>(o->distinct.size()) : sum;
      }
      continue;
    }
    switch (slot.call.kind) {
      case AKind::kCountRows:
      case AKind::kCount: to.ints()[row] = number; break;
      case AKind::kSum:
      case AKind::kAvg: {
        const SumState* s = reinterpret_cast<const SumState*>(at);
        bool average = slot.call.kind == AKind::kAvg;
        if (s->count == 0) {
          to.SetNull(row);
        } else if (slot.physical == Physical::kDouble) {
          to.doubles()[row] = average ? s->d / static_cast<double>(s->count) : s->d;
        } else if (s->overflow != 0) {
          error = slot.call.name + " does not fit " + TypeName(slot.call.type);
          return false;
        } else {
          to.ints()[row] = average ? s->i / s->count : s->i;  // AVG keeps its argument's type
        }
        break;
      }
      case AKind::kMin:
      case AKind::kMax:
      case AKind::kFirst:
      case AKind::kLast: {
        const ValueState* s = reinterpret_cast<const ValueState*>(at);
        if (s->has != 1) {
          to.SetNull(row);
        } else if (slot.physical == Physical::kString) {
          to.strings()[row] = out.arena().Copy({s->text, s->length});
        } else {
          to.ints()[row] = s->i;
        }
        break;
      }
      case AKind::kAny:
      case AKind::kEvery:
        if (number == 0) {
          to.SetNull(row);
        } else {
          to.ints()[row] = slot.call.kind == AKind::kAny ? (number & 1) != 0 : (number & 2) == 0;
        }
        break;
      case AKind::kApproxCount: {
        const Object* o = object();
        to.ints()[row] = o == nullptr || !o->counter ? 0 : o->counter->Count();
        break;
      }
      case AKind::kApproxPercentile: {
        const Object* o = object();
        if (o == nullptr || !o->sketch || o->sketch->count() == 0) {
          to.SetNull(row);
        } else {
          to.doubles()[row] = o->sketch->Quantile(slot.call.fraction);
        }
        break;
      }
      case AKind::kListagg: {
        const Object* o = object();
        if (o == nullptr) {
          to.SetNull(row);
          break;
        }
        std::string text;
        for (const std::string& s : o->texts) {
          if (!text.empty() || &s != &o->texts[0]) text += slot.call.separator;
          text += s;
          if (text.size() > static_cast<std::size_t>(kVarcharMax) * 4) {
            error = "LISTAGG is longer than VARCHAR(65535)";
            return false;
          }
        }
        to.strings()[row] = out.arena().Copy(text);
        break;
      }
      case AKind::kPercentileCont:
      case AKind::kPercentileDisc: {
        const Object* o = object();
        if (o == nullptr) {
          to.SetNull(row);
          break;
        }
        std::vector<double> sorted = o->numbers;
        std::sort(sorted.begin(), sorted.end());
        if (slot.call.descending) std::reverse(sorted.begin(), sorted.end());
        double n = static_cast<double>(sorted.size());
        if (slot.call.kind == AKind::kPercentileDisc) {
          double position = std::ceil(slot.call.fraction * n) - 1;
          to.doubles()[row] = sorted[static_cast<std::size_t>(std::max(0.0, position))];
        } else {
          double position = slot.call.fraction * (n - 1);
          std::size_t low = static_cast<std::size_t>(std::floor(position));
          std::size_t high = static_cast<std::size_t>(std::ceil(position));
          to.doubles()[row] =
              sorted[low] + (sorted[high] - sorted[low]) * (position - std::floor(position));
        }
        break;
      }
      default: {
        const MomentState* s = reinterpret_cast<const MomentState*>(at);
        bool sample = slot.call.kind == AKind::kStddevSamp || slot.call.kind == AKind::kVarSamp;
        int64_t n = s->count - (sample ? 1 : 0);
        if (n <= 0) {
          to.SetNull(row);
          break;
        }
        double variance = s->m2 / static_cast<double>(n);
        bool deviation =
            slot.call.kind == AKind::kStddevPop || slot.call.kind == AKind::kStddevSamp;
        to.doubles()[row] = deviation ? std::sqrt(variance) : variance;
        break;
      }
    }
  }
  return true;
}

void AggregateSet::Reset() {
  texts_.Reset();
  objects_.clear();
  objects_bytes_ = 0;
}

namespace {
void PutText(std::string_view text, std::string& out) {
  uint64_t size = text.size();
  out.append(reinterpret_cast<const char*>(&size), 8);
  out.append(text);
}
bool TakeText(std::string_view& in, std::string_view& text) {
  uint64_t size = 0;
  if (in.size() < 8) return false;
  std::memcpy(&size, in.data(), 8);
  in.remove_prefix(8);
  if (in.size() < size) return false;
  text = in.substr(0, size);
  in.remove_prefix(size);
  return true;
}
bool TakeCount(std::string_view& in, uint64_t& n) {
  if (in.size() < 8) return false;
  std::memcpy(&n, in.data(), 8);
  in.remove_prefix(8);
  return n <= in.size() + 3;
}
void PutCount(uint64_t n, std::string& out) { out.append(reinterpret_cast<const char*>(&n), 8); }

bool OwnsText(const AggregateCall& call, Physical physical) {
  return physical == Physical::kString &&
         (call.kind == AKind::kMin || call.kind == AKind::kMax || call.kind == AKind::kFirst ||
          call.kind == AKind::kLast);
}
}  // namespace

void AggregateSet::Save(const char* state, std::string& out) const {
  out.append(state, size_);
  for (const Slot& slot : slots_) {
    const char* at = state + slot.offset;
    if (OwnsObject(slot.call)) {
      int64_t number = *reinterpret_cast<const int64_t*>(at);
      static const Object kNone;
      const Object& o = number == 0 ? kNone : *objects_[static_cast<std::size_t>(number - 1)];
      PutCount(o.distinct.size(), out);
      for (const std::string& s : o.distinct) PutText(s, out);
      PutCount(o.texts.size(), out);
      for (const std::string& s : o.texts) PutText(s, out);
      PutText({reinterpret_cast<const char*>(o.numbers.data()), o.numbers.size() * 8}, out);
      PutCount((o.counter ? 1 : 0) + (o.sketch ? 2 : 0), out);
      if (o.counter) o.counter->Save(out);
      if (o.sketch) o.sketch->Save(out);
    } else if (OwnsText(slot.call, slot.physical)) {
      const ValueState* s = reinterpret_cast<const ValueState*>(at);
      PutText(s->has == 1 ? std::string_view(s->text, s->length) : std::string_view(), out);
    }
  }
}

bool AggregateSet::Restore(std::string_view& in, char* state) {
  if (in.size() < size_) return false;
  std::memcpy(state, in.data(), size_);
  in.remove_prefix(size_);
  for (Slot& slot : slots_) {
    char* at = state + slot.offset;
    if (OwnsObject(slot.call)) {
      bool used = *reinterpret_cast<int64_t*>(at) != 0;
      *reinterpret_cast<int64_t*>(at) = 0;
      uint64_t n = 0;
      std::string_view text;
      Object object;
      if (!TakeCount(in, n)) return false;
      for (uint64_t i = 0; i < n; ++i) {
        if (!TakeText(in, text)) return false;
        object.distinct.emplace(text);
      }
      if (!TakeCount(in, n)) return false;
      for (uint64_t i = 0; i < n; ++i) {
        if (!TakeText(in, text)) return false;
        object.texts.emplace_back(text);
      }
      if (!TakeText(in, text) || text.size() % 8 != 0) return false;
      object.numbers.resize(text.size() / 8);
      if (!text.empty()) std::memcpy(object.numbers.data(), text.data(), text.size());
      if (!TakeCount(in, n)) return false;
      if ((n & 1) != 0 && !object.Counter(objects_bytes_).Restore(in)) return false;
      if ((n & 2) != 0 && !object.Sketch(objects_bytes_).Restore(in)) return false;
      for (const std::string& s : object.distinct) objects_bytes_ += kItemBytes + s.size();
      for (const std::string& s : object.texts) objects_bytes_ += kItemBytes + s.size();
      objects_bytes_ += 16 * object.numbers.size();
      if (used) ObjectOf(at) = std::move(object);
    } else if (OwnsText(slot.call, slot.physical)) {
      std::string_view text;
      if (!TakeText(in, text)) return false;
      ValueState* s = reinterpret_cast<ValueState*>(at);
      s->text = nullptr;
      s->capacity = 0;
      KeepText(s, text, texts_);
    }
  }
  return true;
}

}  // namespace millstream::sql
