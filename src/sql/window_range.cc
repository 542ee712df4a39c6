// Sliding windows over time whose functions add and take away.
#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "sql/aggregate_state.h"
#include "sql/group_keys.h"
#include "sql/group_table.h"
#include "sql/window_best.h"
#include "sql/window_log.h"
#include "sql/window_state.h"
#include "sql/window_sum.h"

namespace millstream::sql {

namespace {

// What stands in front of a partition's sums.
struct Header {
  uint32_t rows;      // of the partition in the log
  uint32_t extremes;  // values among them that are in extremes_
};
struct RealSum {
  int64_t count;
  DoubleSum sum;
};
struct BestState {
  Best* queue;    // windows with a start
  int64_t value;  // unbounded: the best so far, if `has`
  int64_t has;
};

template <typename T>
T& As(char* state) {
  return *reinterpret_cast<T*>(state);
}
double Real(int64_t bits) {
  double d;
  std::memcpy(&d, &bits, 8);
  return d;
}

class RangeWindow final : public WindowState {
 public:
  RangeWindow(const WindowPlan& plan, WindowCalls calls)
      : plan_(plan),
        keys_(plan.partition_by, {}),
        table_(Prepare(calls)),
        log_(words_, columns_.size()) {
    states_.resize(kBatchRows);
    groups_.resize(kBatchRows);
    leaving_.resize(kBatchRows);
  }
  ~RangeWindow() override {
    for (std::size_t g = 0; g < table_.size(); ++g) {
      if (table_.live(g)) FreeQueues(table_.State(g));
    }
  }

  void Process(EvalContext& context, RowBuffer& out) override {
    const Batch& batch = *context.input;
    errors_ = context.errors;
    keys_.Evaluate(context);
    for (Argument& a : arguments_) a.values = &a.kernel->Evaluate(context);
    keys_.Find(batch.rows, table_, states_.data(), groups_.data());
    if (!plan_.unbounded) {
      Append(batch);
      FindLeaving(batch);
    }
    for (const Call& call : calls_) Run(call, batch, out.column(call.result));
    if (!plan_.unbounded) {
      log_.Drop(end_page_, end_row_);
      for (uint32_t g : emptied_) {
        if (As<Header>(table_.State(g)).rows == 0) FreeQueues(table_.State(g));
      }
      emptied_.clear();
      if (table_.live_groups() > 1024 + 2 * used_) Sweep();
    }
  }

  std::size_t held_bytes() const override {
    return table_.held_bytes() + log_.held_bytes() + queue_bytes_ +
           extremes_.size() * kExtremeBytes;
  }

  void Save(std::string& out) const override {
    SaveInt(static_cast<int64_t>(table_.live_groups()), out);
    std::vector<uint32_t> numbers(table_.size());
    uint32_t next = 0;
    for (std::size_t g = 0; g < table_.size(); ++g) {
      if (!table_.live(g)) continue;
      numbers[g] = next++;
      std::string_view key;
      SaveInt(table_.Key(g, key) ? 1 : 0, out);
      SaveText(key, out);
      SaveState(g, out);
    }
    if (plan_.unbounded) return;
    int64_t rows = -static_cast<int64_t>(log_.head());
    for (const WindowLog::Page& page : log_.pages()) rows += page.rows;
    SaveInt(rows, out);
    uint32_t from = log_.head();
    for (const WindowLog::Page& page : log_.pages()) {
      for (uint32_t r = from; r < page.rows; ++r) {
        SaveInt(page.time(r), out);
        SaveInt(numbers[page.groups[r]], out);
        for (std::size_t c = 0; c < columns_.size(); ++c) {
          out.push_back(static_cast<char>(page.valid(c)[r]));
          if (columns_[c].word >= 0)
            SaveInt(page.words(static_cast<std::size_t>(columns_[c].word))[r], out);
        }
      }
      from = 0;
    }
  }
  bool Restore(std::string_view& in) override {
    int64_t n = 0;
    if (!RestoreInt(in, n) || n < 0) return false;
    for (int64_t g = 0; g < n; ++g) {
      int64_t value = 0;
      std::string_view key;
      if (!RestoreInt(in, value) || !RestoreText(in, key)) return false;
      const uint8_t null = value == 0 ? 1 : 0;
      char* state = nullptr;
      uint32_t group = 0;
      table_.Find(&key, &null, 1, &state, &group);
      if (group != static_cast<uint32_t>(g) || !RestoreState(group, in)) return false;
    }
    if (plan_.unbounded) return true;
    int64_t rows = 0, last = INT64_MIN;
    if (!RestoreInt(in, rows)) return false;
    for (int64_t r = 0; r < rows; ++r) {
      int64_t time = 0, group = 0;
      if (!RestoreInt(in, time) || !RestoreInt(in, group) || time < last || group < 0 || group >= n)
        return false;
      last = time;
      uint32_t room = 1;
      WindowLog::Page& page = log_.Room(&time, room);
      const uint32_t at = page.rows++;
      page.groups[at] = static_cast<uint32_t>(group);
      for (std::size_t c = 0; c < columns_.size(); ++c) {
        if (in.empty()) return false;
        page.valid(c)[at] = in[0] != 0 ? 1 : 0;
        in.remove_prefix(1);
        if (columns_[c].word >= 0 &&
            !RestoreInt(in, page.words(static_cast<std::size_t>(columns_[c].word))[at]))
          return false;
      }
      Header& header = As<Header>(table_.State(static_cast<std::size_t>(group)));
      if (header.rows++ == 0) ++used_;
    }
    return true;
  }

 private:
  struct Argument {
    ExprPtr expr;
    std::unique_ptr<Kernel> kernel;
    const Vector* values = nullptr;
    int column = -1;  // in the log
  };
  struct Column {
    std::size_t argument;
    int word;  // among the log's words; -1: only whether there is a value
  };
  struct Call {
    const AggregateCall* call;
    int result;
    int argument;  // -1: none
    Physical physical;
    std::size_t offset;
  };
  static constexpr std::size_t kExtremeBytes = sizeof(ExtremeSum) + kEntryBytes;

  static bool IsBest(AKind kind) { return kind == AKind::kMin || kind == AKind::kMax; }
  static bool IsVariance(AKind kind) {
    return kind >= AKind::kStddevPop && kind <= AKind::kVarSamp;
  }

  // Lays out arguments, log columns and states; returns the size of a partition's state.
  std::size_t Prepare(const WindowCalls& calls) {
    std::size_t size = sizeof(Header);
    for (std::size_t c = 0; c < calls.calls.size(); ++c) {
      const AggregateCall& call = *calls.calls[c];
      int argument = -1;
      Physical physical = Physical::kInt;
      if (call.argument) {
        physical = PhysicalOf(call.argument->type.kind);
        argument = ArgumentOf(call.argument);
        Argument& a = arguments_[static_cast<std::size_t>(argument)];
        if (!IsBest(call.kind) && a.column < 0) {
          a.column = static_cast<int>(columns_.size());
          columns_.push_back({static_cast<std::size_t>(argument),
                              physical == Physical::kString ? -1 : static_cast<int>(words_++)});
        }
      }
      has_best_ |= IsBest(call.kind);
      calls_.push_back({&call, calls.results[c], argument, physical, size});
      size += IsBest(call.kind)       ? sizeof(BestState)
              : IsVariance(call.kind) ? sizeof(Moments)
              : call.kind == AKind::kSum || call.kind == AKind::kAvg || call.kind == AKind::kAny ||
                      call.kind == AKind::kEvery
                  ? (physical == Physical::kDouble ? sizeof(RealSum) : sizeof(IntSum))
                  : sizeof(int64_t);
    }
    return state_size_ = size;
  }
  int ArgumentOf(const ExprPtr& expr) {
    for (std::size_t a = 0; a < arguments_.size(); ++a) {
      if (SameExpr(*arguments_[a].expr, *expr)) return static_cast<int>(a);
    }
    Argument argument;
    argument.expr = expr;
    argument.kernel = Compile(expr);
    arguments_.push_back(std::move(argument));
    return static_cast<int>(arguments_.size()) - 1;
  }

  void Append(const Batch& batch) {
    const auto total = static_cast<uint32_t>(batch.rows);
    uint32_t rows = 0;
    for (uint32_t from = 0; from < total; from += rows) {
      rows = total - from;
      WindowLog::Page& page = log_.Room(batch.rowtime + from, rows);
      const uint32_t at = page.rows;
      std::memcpy(page.groups + at, groups_.data() + from, rows * sizeof(uint32_t));
      for (std::size_t c = 0; c < columns_.size(); ++c) {
        const Vector& v = *arguments_[columns_[c].argument].values;
        std::memcpy(page.valid(c) + at, v.valid() + from, rows);
        if (columns_[c].word >= 0) {
          std::memcpy(page.words(static_cast<std::size_t>(columns_[c].word)) + at, v.ints() + from,
                      rows * 8);
        }
      }
      page.rows += rows;
    }
  }

  // leaving_[i]: how many of the oldest rows leave before row i comes.
  void FindLeaving(const Batch& batch) {
    end_page_ = 0;
    end_row_ = log_.head();
    const std::deque<WindowLog::Page>& pages = log_.pages();
    for (int i = 0; i < batch.rows; ++i) {
      const int64_t from = batch.rowtime[i] - plan_.preceding;
      uint32_t leaving = 0;
      while (true) {
        const WindowLog::Page* page = &pages[end_page_];
        if (end_row_ == page->rows) {
          if (end_page_ + 1 == pages.size()) break;
          page = &pages[++end_page_];
          end_row_ = 0;
        }
        if (page->time(end_row_) >= from) break;
        if (end_row_ + kAhead < page->rows) {
          __builtin_prefetch(table_.State(page->groups[end_row_ + kAhead]));
        }
        const uint32_t group = page->groups[end_row_];
        Header& header = As<Header>(table_.State(group));
        if (--header.rows == 0) {
          --used_;
          if (has_best_) emptied_.push_back(group);
        }
        ++end_row_;
        ++leaving;
      }
      leaving_[static_cast<std::size_t>(i)] = leaving;
      Header& header = As<Header>(states_[static_cast<std::size_t>(i)]);
      if (header.rows++ == 0) ++used_;
    }
  }

  // For every row: `remove` for what leaves, `add` for the row, `result` for its result.
  template <typename State, typename Remove, typename Add, typename Result>
  void Each(const Call& call, const Batch& batch, Remove remove, Add add, Result result) {
    const Vector* values =
        call.argument < 0 ? nullptr : arguments_[static_cast<std::size_t>(call.argument)].values;
    const uint8_t* valid = values == nullptr || !values->has_nulls() ? nullptr : values->valid();
    const int64_t* words =
        values == nullptr || call.physical == Physical::kString ? nullptr : values->ints();
    const int column =
        call.argument < 0 ? -1 : arguments_[static_cast<std::size_t>(call.argument)].column;
    std::size_t page = 0;
    uint32_t at = log_.head();
    const uint32_t* groups = nullptr;
    const uint8_t* old_valid = nullptr;
    const int64_t* old_words = nullptr;
    uint32_t page_rows = 0;
    auto load = [&] {
      const WindowLog::Page& p = log_.pages()[page];
      page_rows = p.rows;
      groups = p.groups;
      if (column >= 0) {
        old_valid = p.valid(static_cast<std::size_t>(column));
        const int word = columns_[static_cast<std::size_t>(column)].word;
        old_words = word >= 0 ? p.words(static_cast<std::size_t>(word)) : nullptr;
      }
    };
    if (!log_.empty()) load();
    for (int i = 0; i < batch.rows; ++i) {
      for (uint32_t n = leaving_[static_cast<std::size_t>(i)]; n > 0; --n, ++at) {
        if (at == page_rows) {
          ++page;
          at = 0;
          load();
        }
        if (old_valid != nullptr && old_valid[at] == 0) continue;
        char* state = table_.State(groups[at]);
        remove(As<State>(state + call.offset), As<Header>(state), groups[at],
               old_words == nullptr ? 0 : old_words[at]);
      }
      char* state = states_[static_cast<std::size_t>(i)];
      if (valid == nullptr || valid[i] != 0) {
        add(As<State>(state + call.offset), As<Header>(state), i, words == nullptr ? 0 : words[i]);
      }
      result(As<State>(state + call.offset), As<Header>(state), i);
    }
  }

  void Run(const Call& call, const Batch& batch, Vector& out) {
    const AKind kind = call.call->kind;
    switch (kind) {
      case AKind::kCountRows:
      case AKind::kCount:
      case AKind::kRowNumber:
        return Each<int64_t>(
            call, batch, [](int64_t& count, Header&, uint32_t, int64_t) { --count; },
            [](int64_t& count, Header&, int, int64_t) { ++count; },
            [&](int64_t& count, Header&, int i) { out.ints()[i] = count; });
      case AKind::kSum:
      case AKind::kAvg:
        return call.physical == Physical::kDouble ? RunRealSum(call, batch, out)
                                                  : RunIntSum(call, batch, out);
      case AKind::kAny:
      case AKind::kEvery:
        return Each<IntSum>(
            call, batch,
            [](IntSum& s, Header&, uint32_t, int64_t x) {
              --s.count;
              s.low -= x != 0;
            },
            [](IntSum& s, Header&, int, int64_t x) {
              ++s.count;
              s.low += x != 0;
            },
            [&](IntSum& s, Header&, int i) {
              if (s.count == 0) return out.SetNull(i);
              out.ints()[i] = kind == AKind::kAny ? s.low > 0 : s.low == s.count;
            });
      case AKind::kMin:
      case AKind::kMax:
        if (call.physical == Physical::kDouble) {
          return RunBest(call, batch, out, [min = kind == AKind::kMin](int64_t a, int64_t b) {
            return min ? Real(a) < Real(b) : Real(b) < Real(a);
          });
        }
        return RunBest(call, batch, out, [min = kind == AKind::kMin](int64_t a, int64_t b) {
          return min ? a < b : b < a;
        });
      default:
        return RunVariance(call, batch, out);
    }
  }

  void RunIntSum(const Call& call, const Batch& batch, Vector& out) {
    const bool average = call.call->kind == AKind::kAvg;
    Each<IntSum>(
        call, batch,
        [](IntSum& s, Header&, uint32_t, int64_t x) {
          --s.count;
          s.Subtract(x);
        },
        [](IntSum& s, Header&, int, int64_t x) {
          ++s.count;
          s.Add(x);
        },
        [&](IntSum& s, Header&, int i) {
          if (s.count == 0) return out.SetNull(i);
          if (!FitSum(static_cast<__int128>(s.Value()), s.count, average, out.ints()[i])) {
            errors_->Add(i, "NUMERIC_OUT_OF_RANGE", DoesNotFit(*call.call));
          }
        });
  }

  static uint64_t ExtremeKey(std::size_t group, const Call& call) {
    return group << 32 | static_cast<uint32_t>(call.result);
  }
  ExtremeSum& Extreme(uint32_t group, const Call& call) {
    return extremes_[ExtremeKey(group, call)];
  }
  void CountExtreme(Header& header, uint32_t group, const Call& call, double x, int times) {
    ExtremeSum& sum = Extreme(group, call);
    sum.Add(x, times);
    header.extremes += static_cast<uint32_t>(times);
    if (sum.values == 0) extremes_.erase(ExtremeKey(group, call));
  }

  void RunRealSum(const Call& call, const Batch& batch, Vector& out) {
    const bool average = call.call->kind == AKind::kAvg;
    Each<RealSum>(
        call, batch,
        [&](RealSum& s, Header& header, uint32_t group, int64_t word) {
          const double x = Real(word);
          if (__builtin_expect(IsExtreme(x), 0)) {
            CountExtreme(header, group, call, x, -1);
          } else {
            s.sum.Add(-x);
          }
          if (--s.count == 0) s.sum = {0, 0};  // nothing left: forget rounding too
        },
        [&](RealSum& s, Header& header, int i, int64_t word) {
          const double x = Real(word);
          ++s.count;
          if (__builtin_expect(IsExtreme(x), 0)) {
            CountExtreme(header, groups_[static_cast<std::size_t>(i)], call, x, 1);
          } else {
            s.sum.Add(x);
          }
        },
        [&](RealSum& s, Header& header, int i) {
          if (s.count == 0) return out.SetNull(i);
          double sum = s.sum.Result();
          if (__builtin_expect(header.extremes != 0, 0)) {
            auto it = extremes_.find(ExtremeKey(groups_[static_cast<std::size_t>(i)], call));
            if (it != extremes_.end()) sum = it->second.Result(sum);
          }
          out.doubles()[i] = average ? sum / static_cast<double>(s.count) : sum;
        });
  }

  void RunVariance(const Call& call, const Batch& batch, Vector& out) {
    const AKind kind = call.call->kind;
    const int64_t less = kind == AKind::kStddevSamp || kind == AKind::kVarSamp ? 1 : 0;
    const bool deviation = kind == AKind::kStddevPop || kind == AKind::kStddevSamp;
    Each<Moments>(
        call, batch,
        [&](Moments& m, Header& header, uint32_t group, int64_t word) {
          const double x = Real(word);
          if (__builtin_expect(Moments::IsExtreme(x), 0)) {
            CountExtreme(header, group, call, x, -1);
          } else {
            m.Add(x, -1);
          }
          if (--m.count == 0) m.sum = m.squares = {0, 0};
        },
        [&](Moments& m, Header& header, int i, int64_t word) {
          const double x = Real(word);
          ++m.count;
          if (__builtin_expect(Moments::IsExtreme(x), 0)) {
            CountExtreme(header, groups_[static_cast<std::size_t>(i)], call, x, 1);
          } else {
            m.Add(x, 1);
          }
        },
        [&](Moments& m, Header& header, int i) {
          const int64_t n = m.count - less;
          if (n <= 0) return out.SetNull(i);
          double variance = m.SquaredDeviations() / static_cast<double>(n);
          if (__builtin_expect(header.extremes != 0, 0) &&
              extremes_.count(ExtremeKey(groups_[static_cast<std::size_t>(i)], call)) != 0) {
            variance = std::numeric_limits<double>::quiet_NaN();
          }
          out.doubles()[i] = deviation ? std::sqrt(variance) : variance;
        });
  }

  template <typename Better>
  void RunBest(const Call& call, const Batch& batch, Vector& out, Better better) {
    const Vector& values = *arguments_[static_cast<std::size_t>(call.argument)].values;
    for (int i = 0; i < batch.rows; ++i) {
      BestState& s = As<BestState>(states_[static_cast<std::size_t>(i)] + call.offset);
      const bool value = values.valid()[i] != 0;
      const int64_t word = values.ints()[i];
      if (plan_.unbounded) {
        if (value && (s.has == 0 || !better(s.value, word))) {
          s.value = word;
          s.has = 1;
        }
        if (s.has == 0) {
          out.SetNull(i);
        } else {
          out.ints()[i] = s.value;
        }
        continue;
      }
      if (s.queue == nullptr) {
        if (!value) {
          out.SetNull(i);
          continue;
        }
        s.queue = new Best;
        queue_bytes_ += sizeof(Best);
      }
      Best& best = *s.queue;
      if (value) {
        while (best.tail > best.head && !better(best.At(best.tail - 1).value, word)) --best.tail;
        queue_bytes_ += sizeof(Best::Entry) * best.Push({batch.rowtime[i], word});
      }
      const int64_t from = batch.rowtime[i] - plan_.preceding;
      while (best.head < best.tail && best.At(best.head).time < from) ++best.head;
      if (best.head == best.tail) {
        out.SetNull(i);
      } else {
        out.ints()[i] = best.At(best.head).value;
      }
    }
  }

  void FreeQueues(char* state) {
    if (!has_best_ || plan_.unbounded) return;
    for (const Call& call : calls_) {
      if (!IsBest(call.call->kind)) continue;
      Best*& queue = As<BestState>(state + call.offset).queue;
      if (queue == nullptr) continue;
      queue_bytes_ -= sizeof(Best) + queue->ring.size() * sizeof(Best::Entry);
      delete queue;
      queue = nullptr;
    }
  }
  // Partitions without rows are forgotten when they are the most: O(1) a row.
  void Sweep() {
    table_.EraseIf([&](std::size_t g) { return As<Header>(table_.State(g)).rows == 0; });
  }

  void SaveState(std::size_t g, std::string& out) const {
    char* state = table_.State(g);
    for (const Call& call : calls_) {
      char* at = state + call.offset;
      if (!IsBest(call.call->kind)) {
        std::size_t size = StateSize(call);
        out.append(at, size);
        auto it = extremes_.find(ExtremeKey(g, call));
        SaveInt(it == extremes_.end() ? 0 : 1, out);
        if (it != extremes_.end()) SaveBytes(it->second, out);
        continue;
      }
      const BestState& s = As<BestState>(at);
      SaveInt(s.value, out);
      SaveInt(s.has, out);
      SaveInt(s.queue == nullptr || plan_.unbounded
                  ? -1
                  : static_cast<int64_t>(s.queue->tail - s.queue->head),
              out);
      if (s.queue == nullptr || plan_.unbounded) continue;
      for (uint64_t p = s.queue->head; p < s.queue->tail; ++p) {
        SaveInt(s.queue->At(p).time, out);
        SaveInt(s.queue->At(p).value, out);
      }
    }
  }
  bool RestoreState(uint32_t g, std::string_view& in) {
    char* state = table_.State(g);
    for (const Call& call : calls_) {
      char* at = state + call.offset;
      if (!IsBest(call.call->kind)) {
        const std::size_t size = StateSize(call);
        int64_t extreme = 0;
        if (in.size() < size) return false;
        std::memcpy(at, in.data(), size);
        in.remove_prefix(size);
        if (!RestoreInt(in, extreme)) return false;
        if (extreme == 0) continue;
        ExtremeSum& sum = Extreme(g, call);
        if (!RestoreBytes(in, sum)) return false;
        As<Header>(state).extremes += static_cast<uint32_t>(sum.values);
        continue;
      }
      BestState& s = As<BestState>(at);
      int64_t entries = 0;
      if (!RestoreInt(in, s.value) || !RestoreInt(in, s.has) || !RestoreInt(in, entries))
        return false;
      if (entries < 0) continue;
      if (plan_.unbounded) return false;
      s.queue = new Best;
      queue_bytes_ += sizeof(Best);
      for (int64_t e = 0; e < entries; ++e) {
        Best::Entry entry{0, 0};
        if (!RestoreInt(in, entry.time) || !RestoreInt(in, entry.value)) return false;
        queue_bytes_ += sizeof(Best::Entry) * s.queue->Push(entry);
      }
    }
    return true;
  }
  std::size_t StateSize(const Call& call) const {
    const std::size_t next = &call == &calls_.back() ? state_size_ : (&call)[1].offset;
    return next - call.offset;
  }

  static constexpr uint32_t kAhead = 8;

  const WindowPlan& plan_;
  RowErrors* errors_ = nullptr;  // of the batch
  std::vector<Argument> arguments_;
  std::vector<Column> columns_;
  std::vector<Call> calls_;
  std::size_t words_ = 0, state_size_ = 0;
  bool has_best_ = false;
  GroupKeys keys_;
  GroupTable table_;
  WindowLog log_;
  std::size_t used_ = 0;  // partitions with rows in the log
  std::vector<char*> states_;
  std::vector<uint32_t> groups_, leaving_, emptied_;
  std::size_t end_page_ = 0;
  uint32_t end_row_ = 0;
  std::unordered_map<uint64_t, ExtremeSum> extremes_;  // by partition and result
  std::size_t queue_bytes_ = 0;
};

}  // namespace

bool SuitsRangeWindow(const WindowPlan& plan, const WindowCalls& calls) {
  if (plan.rows && !plan.unbounded) return false;
  for (const AggregateCall* call : calls.calls) {
    if (call->distinct) return false;
    const bool text = call->argument && PhysicalOf(call->argument->type.kind) == Physical::kString;
    switch (call->kind) {
      case AKind::kCountRows:
      case AKind::kCount:
      case AKind::kRowNumber:
      case AKind::kSum:
      case AKind::kAvg:
      case AKind::kStddevPop:
      case AKind::kStddevSamp:
      case AKind::kVarPop:
      case AKind::kVarSamp:
      case AKind::kAny:
      case AKind::kEvery:
        break;
      case AKind::kMin:
      case AKind::kMax:
        if (text) return false;
        break;
      default:
        return false;
    }
  }
  return true;
}

std::unique_ptr<WindowState> MakeRangeWindow(const WindowPlan& plan, WindowCalls calls) {
  return std::make_unique<RangeWindow>(plan, std::move(calls));
}

}  // namespace millstream::sql
