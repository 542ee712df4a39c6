// Results of groups.
#include <algorithm>
#include <cmath>
#include <map>

#include "sql/aggregate.h"
#include "sql/aggregate_state.h"
#include "sql/window_sum.h"
#include "sql/window_values.h"

namespace millstream::sql {

namespace {
// Of the values of a distinct set, which keeps them as bytes.
template <typename T>
T ValueOf(const std::string& bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}
__int128 SumOfIntegers(const std::unordered_set<std::string>& values) {
  __int128 sum = 0;
  for (const std::string& bytes : values) sum += ValueOf<int64_t>(bytes);
  return sum;
}
// Whatever order they have in the set: a restart may change it.
double SumOfNumbers(const std::unordered_set<std::string>& values) {
  DoubleSum exact{0, 0};
  double sum = 0;
  for (const std::string& bytes : values) {
    const double x = ValueOf<double>(bytes);
    exact.Add(x);
    sum += x;
  }
  return std::isfinite(sum) ? exact.Result() : sum;
}
}  // namespace

bool AggregateSet::FinishOne(const Slot& slot, const char* state, int row, Vector& to, Arena& texts,
                             std::string& error) const {
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
      return true;
    }
    if (o == nullptr) {
      to.SetNull(row);
      return true;
    }
    bool average = slot.call.kind == AKind::kAvg;
    const auto count = static_cast<int64_t>(o->distinct.size());
    if (slot.physical == Physical::kDouble) {
      double sum = SumOfNumbers(o->distinct);
      to.doubles()[row] = average ? sum / static_cast<double>(count) : sum;
    } else if (!FitSum(SumOfIntegers(o->distinct), count, average, to.ints()[row])) {
      error = DoesNotFit(slot.call);
      return false;
    }
    return true;
  }
  switch (slot.call.kind) {
    case AKind::kCountRows:
    case AKind::kCount:
      to.ints()[row] = number;
      break;
    case AKind::kSum:
    case AKind::kAvg: {
      const SumState* s = reinterpret_cast<const SumState*>(at);
      bool average = slot.call.kind == AKind::kAvg;
      if (s->count == 0) {
        to.SetNull(row);
      } else if (slot.physical == Physical::kDouble) {
        to.doubles()[row] = average ? s->d / static_cast<double>(s->count) : s->d;
      } else if (!FitSum(s->Integer(), s->count, average, to.ints()[row])) {
        error = DoesNotFit(slot.call);
        return false;
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
        to.strings()[row] = texts.Copy({s->text, s->length});
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
      to.strings()[row] = texts.Copy(text);
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
      std::sort(sorted.begin(), sorted.end(), LessNumber);
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
      bool deviation = slot.call.kind == AKind::kStddevPop || slot.call.kind == AKind::kStddevSamp;
      to.doubles()[row] = deviation ? std::sqrt(variance) : variance;
      break;
    }
  }
  return true;
}

bool AggregateSet::Finish(const char* state, int row, RowBuffer& out, int first,
                          std::string& error) const {
  for (std::size_t k = 0; k < slots_.size(); ++k) {
    Vector& to = out.column(first + static_cast<int>(k));
    if (!FinishOne(slots_[k], state, row, to, out.arena(), error)) return false;
  }
  return true;
}

namespace {
// Eight bytes of each state, where `present` says that there is a value.
template <typename State, typename Present>
void CopyWords(const char* const* states, std::size_t offset, int rows, Vector& to,
               Present present) {
  for (int i = 0; i < rows; ++i) {
    const State* s = reinterpret_cast<const State*>(states[i] + offset);
    to.ints()[i] = s->i;
    to.valid()[i] = present(*s) ? 1 : 0;
    if (to.valid()[i] == 0) to.SetNull(i);
  }
}
}  // namespace

std::vector<std::string> AggregateSet::FinishRows(const char* const* states, RowBuffer& out,
                                                  int first) const {
  const int rows = out.rows();
  std::map<int, std::string> failed;  // by row: the first message of each
  for (std::size_t k = 0; k < slots_.size(); ++k) {
    const Slot& slot = slots_[k];
    Vector& to = out.column(first + static_cast<int>(k));
    const bool number = slot.physical != Physical::kString && !OwnsObject(slot.call);
    switch (number ? slot.call.kind : AKind::kListagg) {
      case AKind::kCountRows:
      case AKind::kCount:
        for (int i = 0; i < rows; ++i) std::memcpy(&to.ints()[i], states[i] + slot.offset, 8);
        std::memset(to.valid(), 1, static_cast<std::size_t>(rows));
        continue;
      case AKind::kSum:
        if (slot.physical != Physical::kDouble) break;
        CopyWords<SumState>(states, slot.offset, rows, to,
                            [](const SumState& s) { return s.count != 0; });
        continue;
      case AKind::kMin:
      case AKind::kMax:
      case AKind::kFirst:
      case AKind::kLast:
        CopyWords<ValueState>(states, slot.offset, rows, to,
                              [](const ValueState& s) { return s.has == 1; });
        continue;
      default:
        break;
    }
    std::string error;
    for (int i = 0; i < rows; ++i) {
      if (!FinishOne(slot, states[i], i, to, out.arena(), error)) failed.emplace(i, error);
    }
  }
  if (failed.empty()) return {};
  std::vector<int> gone;
  std::vector<std::string> messages;
  for (auto& [row, message] : failed) {
    gone.push_back(row);
    messages.push_back(std::move(message));
  }
  out.RemoveRows(gone);
  return messages;
}

}  // namespace millstream::sql
