// States of aggregates as bytes of checkpoints.
#include "sql/aggregate.h"
#include "sql/aggregate_state.h"
#include "sql/operator.h"

namespace millstream::sql {

namespace {
bool RestoreCount(std::string_view& in, int64_t& n) {
  return RestoreInt(in, n) && n >= 0 && static_cast<uint64_t>(n) <= in.size() + 3;
}

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
      SaveInt(static_cast<int64_t>(o.distinct.size()), out);
      for (const std::string& s : o.distinct) SaveText(s, out);
      SaveInt(static_cast<int64_t>(o.texts.size()), out);
      for (const std::string& s : o.texts) SaveText(s, out);
      SaveText({reinterpret_cast<const char*>(o.numbers.data()), o.numbers.size() * 8}, out);
      SaveInt((o.counter ? 1 : 0) + (o.sketch ? 2 : 0), out);
      if (o.counter) o.counter->Save(out);
      if (o.sketch) o.sketch->Save(out);
    } else if (OwnsText(slot.call, slot.physical)) {
      const ValueState* s = reinterpret_cast<const ValueState*>(at);
      SaveText(s->has == 1 ? std::string_view(s->text, s->length) : std::string_view(), out);
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
      int64_t n = 0;
      std::string_view text;
      Object object;
      if (!RestoreCount(in, n)) return false;
      for (int64_t i = 0; i < n; ++i) {
        if (!RestoreText(in, text)) return false;
        object.distinct.emplace(text);
      }
      if (!RestoreCount(in, n)) return false;
      for (int64_t i = 0; i < n; ++i) {
        if (!RestoreText(in, text)) return false;
        object.texts.emplace_back(text);
      }
      if (!RestoreText(in, text) || text.size() % 8 != 0) return false;
      object.numbers.resize(text.size() / 8);
      if (!text.empty()) std::memcpy(object.numbers.data(), text.data(), text.size());
      if (!RestoreCount(in, n)) return false;
      if ((n & 1) != 0 && !object.Counter(objects_bytes_).Restore(in)) return false;
      if ((n & 2) != 0 && !object.Sketch(objects_bytes_).Restore(in)) return false;
      for (const std::string& s : object.distinct) objects_bytes_ += kItemBytes + s.size();
      for (const std::string& s : object.texts) objects_bytes_ += kItemBytes + s.size();
      objects_bytes_ += 16 * object.numbers.size();
      if (used) ObjectOf(at) = std::move(object);
    } else if (OwnsText(slot.call, slot.physical)) {
      std::string_view text;
      if (!RestoreText(in, text)) return false;
      ValueState* s = reinterpret_cast<ValueState*>(at);
      s->text = nullptr;
      s->capacity = 0;
      KeepText(s, text, texts_);
    }
  }
  return true;
}

}  // namespace millstream::sql
