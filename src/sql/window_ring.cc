// Sliding windows whose functions look at single rows, or over a number of rows.
#include "sql/window_ring.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "sql/aggregate_state.h"
#include "sql/hash.h"
#include "sql/window_state.h"

namespace millstream::sql {

namespace {

class RingWindow final : public WindowState {
 public:
  RingWindow(const WindowPlan& plan, WindowCalls calls)
      : plan_(plan), calls_(std::move(calls.calls)), results_(std::move(calls.results)) {
    for (const ExprPtr& e : plan.partition_by) keys_.push_back(Compile(e));
    for (const AggregateCall* call : calls_) {
      arguments_.push_back(call->argument ? Compile(call->argument) : nullptr);
      fallbacks_.push_back(call->fallback ? Compile(call->fallback) : nullptr);
      physical_.push_back(call->argument ? PhysicalOf(call->argument->type.kind) : Physical::kInt);
      distinct_.push_back(call->distinct || call->kind == AKind::kApproxCount);
      if (call->kind == AKind::kListagg) trims_ = false;
      if (call->kind == AKind::kFirst || call->kind == AKind::kNth) trims_ = false;
      if (call->kind == AKind::kLast && call->ignore_nulls) trims_ = false;
      // Their best values are texts that live in the ring.
      if (physical_.back() == Physical::kString && call->kind <= AKind::kMax) trims_ = false;
      if (call->kind == AKind::kLag) {
        lag_ = std::max(lag_, call->offset);
        if (call->ignore_nulls) trims_ = false;
      }
    }
    stride_ = 2 + calls_.size();
    trims_ &= plan.unbounded;
    values_.resize(calls_.size());
    fallback_values_.resize(calls_.size());
    key_values_.resize(keys_.size());
  }
  ~RingWindow() override {
    partitions_.ForEach([this](const Partition& p) {
      for (uint64_t i = p.ring.head; i < p.ring.tail; ++i) FreeTexts(p.ring.At(i, stride_));
    });
  }

  void Process(EvalContext& context, RowBuffer& out) override {
    const Batch& batch = *context.input;
    errors_ = context.errors;
    for (std::size_t k = 0; k < keys_.size(); ++k) key_values_[k] = &keys_[k]->Evaluate(context);
    for (std::size_t c = 0; c < calls_.size(); ++c) {
      values_[c] = arguments_[c] ? &arguments_[c]->Evaluate(context) : nullptr;
      fallback_values_[c] = fallbacks_[c] ? &fallbacks_[c]->Evaluate(context) : nullptr;
    }
    FindPartitions(batch.rows);
    for (int i = 0; i < batch.rows; ++i) {
      if (i + kAhead < batch.rows) {
        const Partition& later = *found_[static_cast<std::size_t>(i + kAhead)];
        __builtin_prefetch(later.running.data());
        __builtin_prefetch(later.ring.words.data() + (later.ring.tail & later.ring.mask) * stride_);
        __builtin_prefetch(later.ring.words.data() + (later.ring.head & later.ring.mask) * stride_);
      }
      Partition& partition = *found_[static_cast<std::size_t>(i)];
      Append(partition, i, batch.rowtime[i]);
      Evict(partition, batch.rowtime[i]);
      for (std::size_t c = 0; c < calls_.size(); ++c) {
        Result(partition, c, i, batch.rowtime[i], out.column(results_[c]), out.arena());
      }
    }
    processed_ += static_cast<std::size_t>(batch.rows);
    if (!plan_.unbounded && !plan_.rows && processed_ > sweep_after_) {
      Sweep(batch.rowtime[batch.rows - 1]);
      processed_ = 0;
      sweep_after_ = 1024 + 2 * partitions_.size();
    }
  }

  std::size_t held_bytes() const override { return held_; }

  void Save(std::string& out) const override {
    SaveInt(static_cast<int64_t>(partitions_.size()), out);
    partitions_.ForEach([&](const Partition& p) {
      SaveText(p.key, out);
      SaveInt(static_cast<int64_t>(p.ring.head), out);
      SaveInt(static_cast<int64_t>(p.ring.tail), out);
      for (uint64_t i = p.ring.head; i < p.ring.tail; ++i) {
        const int64_t* row = p.ring.At(i, stride_);
        for (std::size_t w = 0; w < stride_; ++w) {
          if (w >= 2 && physical_[w - 2] == Physical::kString && (row[1] >> (w - 2) & 1) != 0) {
            SaveText(AsText(row[w]), out);
          } else {
            SaveInt(row[w], out);
          }
        }
      }
      for (const Running& r : p.running) {
        SaveInt(r.count, out);
        SaveBytes(r.sum, out);
        SaveBytes(r.real, out);
        SaveBytes(r.weight, out);
        SaveInt(r.extreme == nullptr ? 0 : 1, out);
        if (r.extreme != nullptr) SaveBytes(*r.extreme, out);
        SaveInt(r.last_time, out);
        if (r.values != nullptr) {
          SaveInt(static_cast<int64_t>(r.values->counts.size()), out);
          for (const auto& [value, times] : r.values->counts) {
            SaveText(value, out);
            SaveInt(times, out);
          }
          SaveInt(static_cast<int64_t>(r.values->ordered.size()), out);
          r.values->ordered.ForEach([&](double x) { SaveBytes(x, out); });
        }
        SaveInt(r.best == nullptr ? 0 : static_cast<int64_t>(r.best->size()), out);
        if (r.best == nullptr) continue;
        for (const auto& [position, value] : *r.best) {
          SaveInt(static_cast<int64_t>(position), out);
          SaveInt(value, out);
        }
      }
    });
  }
  bool Restore(std::string_view& in) override {
    int64_t n = 0;
    if (!RestoreInt(in, n)) return false;
    for (int64_t k = 0; k < n; ++k) {
      std::string_view key;
      int64_t head = 0, tail = 0;
      if (!RestoreText(in, key) || !RestoreInt(in, head) || !RestoreInt(in, tail) || head > tail) {
        return false;
      }
      const uint64_t hash = HashText(key);
      if (partitions_.Find(key, hash) != nullptr) return false;
      Partition& p = NewPartition(key, hash);
      p.ring.head = p.ring.tail = static_cast<uint64_t>(head);
      while (p.ring.tail < static_cast<uint64_t>(tail)) {
        int64_t* row = p.ring.Push(stride_, held_);
        std::fill_n(row, stride_, 0);
        for (std::size_t w = 0; w < stride_; ++w) {
          if (w >= 2 && physical_[w - 2] == Physical::kString && (row[1] >> (w - 2) & 1) != 0) {
            std::string_view text;
            if (!RestoreText(in, text)) {
              row[1] = 0;
              return false;
            }
            row[w] = NewText(text);
          } else if (!RestoreInt(in, row[w])) {
            row[1] = 0;
            return false;
          }
        }
      }
      for (Running& r : p.running) {
        int64_t extreme = 0;
        if (!RestoreInt(in, r.count) || !RestoreBytes(in, r.sum) || !RestoreBytes(in, r.real) ||
            !RestoreBytes(in, r.weight) || !RestoreInt(in, extreme)) {
          return false;
        }
        if (extreme != 0) {
          r.extreme = std::make_unique<ExtremeSum>();
          if (!RestoreBytes(in, *r.extreme)) return false;
        }
        int64_t best = 0;
        if (!RestoreInt(in, r.last_time) || !RestoreValues(in, r) || !RestoreInt(in, best))
          return false;
        for (int64_t b = 0; b < best; ++b) {
          int64_t position = 0, value = 0;
          if (!RestoreInt(in, position) || !RestoreInt(in, value)) return false;
          if (r.best == nullptr) return false;
          r.best->emplace_back(static_cast<uint64_t>(position), value);
        }
      }
      // Values of MIN and MAX over texts live in the ring.
      for (std::size_t c = 0; c < calls_.size(); ++c) {
        if (physical_[c] != Physical::kString || p.running[c].best == nullptr) continue;
        for (auto& [position, value] : *p.running[c].best) {
          if (position < p.ring.head || position >= p.ring.tail) return false;
          value = p.ring.At(position, stride_)[2 + c];
        }
      }
    }
    return true;
  }

 private:
  bool RestoreValues(std::string_view& in, Running& r) {
    if (r.values == nullptr) return true;
    int64_t n = 0;
    if (!RestoreInt(in, n)) return false;
    for (int64_t i = 0; i < n; ++i) {
      std::string_view value;
      int64_t times = 0;
      if (!RestoreText(in, value) || !RestoreInt(in, times)) return false;
      r.values->counts[std::string(value)] = times;
      held_ += kEntryBytes + sizeof(std::string) + value.size();
    }
    if (!RestoreInt(in, n)) return false;
    for (int64_t i = 0; i < n; ++i) {
      double x = 0;
      if (!RestoreBytes(in, x)) return false;
      r.values->ordered.Insert(x);
      held_ += kNumberBytes;
    }
    return true;
  }
  static constexpr std::size_t kNumberBytes = 16;
  static constexpr int kAhead = 6;  // rows whose memory is fetched while others are worked on

  bool IsPercentile(std::size_t c) const {
    const AKind kind = calls_[c]->kind;
    return kind == AKind::kPercentileCont || kind == AKind::kPercentileDisc ||
           kind == AKind::kApproxPercentile;
  }
  Partition& NewPartition(std::string_view key, uint64_t hash) {
    Partition& p = *partitions_.Add(key, hash);
    p.running.resize(calls_.size());
    for (std::size_t c = 0; c < calls_.size(); ++c) {
      if (calls_[c]->kind == AKind::kMin || calls_[c]->kind == AKind::kMax) {
        p.running[c].best = std::make_unique<std::deque<std::pair<uint64_t, int64_t>>>();
      }
      if (distinct_[c] || IsPercentile(c)) p.running[c].values = std::make_unique<WindowValues>();
    }
    held_ += PartitionBytes(key.size());
    return p;
  }

  // found_[i] becomes the partition of row i. Keys first, then slots, then partitions: each pass
  // finds in the cache what the one before asked for.
  void FindPartitions(int rows) {
    const auto n = static_cast<std::size_t>(rows);
    keys_text_.clear();
    key_ends_.resize(n);
    hashes_.resize(n);
    found_.resize(n);
    std::size_t start = 0;
    for (std::size_t i = 0; i < n; ++i) {
      for (const Vector* v : key_values_) AppendKey(*v, static_cast<int>(i), keys_text_);
      key_ends_[i] = keys_text_.size();
      hashes_[i] = HashText(std::string_view(keys_text_).substr(start));
      partitions_.Prefetch(hashes_[i]);
      start = keys_text_.size();
    }
    start = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const std::string_view key(keys_text_.data() + start, key_ends_[i] - start);
      Partition* partition = partitions_.Find(key, hashes_[i]);
      found_[i] = partition != nullptr ? partition : &NewPartition(key, hashes_[i]);
      start = key_ends_[i];
    }
  }

  std::size_t PartitionBytes(std::size_t key) const {
    std::size_t bytes = kEntryBytes + key + sizeof(Partition) + calls_.size() * sizeof(Running);
    for (std::size_t c = 0; c < calls_.size(); ++c) {
      if (distinct_[c] || IsPercentile(c)) bytes += sizeof(WindowValues) + kEntryBytes;
    }
    return bytes;
  }
  bool Valid(const int64_t* row, std::size_t c) const { return (row[1] >> c & 1) != 0; }
  int64_t NewText(std::string_view text) {
    held_ += sizeof(std::string) + (text.size() > 15 ? text.size() : 0);
    return reinterpret_cast<int64_t>(new std::string(text));
  }
  void FreeTexts(const int64_t* row) {
    for (std::size_t c = 0; c < calls_.size(); ++c) {
      if (physical_[c] == Physical::kString && Valid(row, c)) {
        auto* text = reinterpret_cast<std::string*>(row[2 + c]);
        held_ -= sizeof(std::string) + (text->size() > 15 ? text->size() : 0);
        delete text;
      }
    }
  }
  bool Less(std::size_t c, int64_t a, int64_t b) const {
    switch (physical_[c]) {
      case Physical::kInt:
        return a < b;
      case Physical::kDouble:
        return AsDouble(a) < AsDouble(b);
      case Physical::kString:
        return AsText(a) < AsText(b);
    }
    return false;
  }

  void Append(Partition& p, int i, int64_t t) {
    int64_t* row = p.ring.Push(stride_, held_);
    uint64_t position = p.ring.tail - 1;
    row[0] = t;
    row[1] = 0;
    for (std::size_t c = 0; c < calls_.size(); ++c) {
      Running& r = p.running[c];
      const Vector* v = values_[c];
      row[2 + c] = 0;
      AKind kind = calls_[c]->kind;
      if (v == nullptr || v->valid()[i] == 0) {
        if (v == nullptr) {  // COUNT(*), ROW_NUMBER
          row[1] |= int64_t{1} << c;
          ++r.count;
        }
        continue;
      }
      row[1] |= int64_t{1} << c;
      int64_t word = physical_[c] == Physical::kString ? NewText(v->strings()[i]) : v->ints()[i];
      row[2 + c] = word;
      if (distinct_[c]) {
        int64_t& times = r.values->counts[KeyOf(c, word)];
        if (times++ > 0) continue;  // it is there already
        held_ += ValueBytes(c, word);
      }
      switch (kind) {
        case AKind::kMin:
        case AKind::kMax:
          while (!r.best->empty() &&
                 (kind == AKind::kMin ? !Less(c, r.best->back().second, word)
                                      : !Less(c, word, r.best->back().second))) {
            r.best->pop_back();
          }
          r.best->emplace_back(position, word);
          break;
        case AKind::kSum:
        case AKind::kAvg:
          if (physical_[c] == Physical::kDouble) {
            r.AddReal(AsDouble(word), 1);
          } else {
            r.sum += word;
          }
          break;
        case AKind::kStddevPop:
        case AKind::kStddevSamp:
        case AKind::kVarPop:
        case AKind::kVarSamp:
          r.AddMoments(AsDouble(word), 1);
          break;
        case AKind::kExpAvg: {
          double decay = Decay(c, t - r.last_time, r.count);
          r.real.sum.sum = r.real.sum.sum * decay + AsDouble(word);
          r.weight = r.weight * decay + 1;
          r.last_time = t;
          break;
        }
        case AKind::kAny:
        case AKind::kEvery:
          r.sum += word != 0;
          break;
        case AKind::kPercentileCont:
        case AKind::kPercentileDisc:
        case AKind::kApproxPercentile:
          r.values->ordered.Insert(AsDouble(word));
          held_ += kNumberBytes;
          break;
        default:
          break;
      }
      ++r.count;
    }
  }

  std::string KeyOf(std::size_t c, int64_t word) const {
    if (physical_[c] == Physical::kString) return AsText(word);
    if (physical_[c] == Physical::kDouble && AsDouble(word) == 0) word = 0;  // -0
    return std::string(reinterpret_cast<const char*>(&word), sizeof word);
  }
  std::size_t ValueBytes(std::size_t c, int64_t word) const {
    return kEntryBytes + sizeof(std::string) +
           (physical_[c] == Physical::kString ? AsText(word).size() : 8);
  }

  double Decay(std::size_t c, int64_t elapsed, int64_t count) const {
    if (count == 0) return 0;
    return std::exp2(-static_cast<double>(elapsed) / static_cast<double>(calls_[c]->offset));
  }

  void Evict(Partition& p, int64_t t) {
    Ring& ring = p.ring;
    if (plan_.unbounded) {
      if (!trims_) return;
      while (ring.size() > static_cast<uint64_t>(lag_) + 1) {
        int64_t* row = ring.At(ring.head, stride_);
        FreeTexts(row);
        ++ring.head;
      }
      return;
    }
    while (ring.size() > 0) {
      int64_t* row = ring.At(ring.head, stride_);
      bool leaves = plan_.rows ? ring.size() > static_cast<uint64_t>(plan_.preceding) + 1
                               : row[0] < t - plan_.preceding;
      if (!leaves) return;
      Remove(p, row, t);
      FreeTexts(row);
      ++ring.head;
    }
  }
  void Remove(Partition& p, const int64_t* row, int64_t t) {
    for (std::size_t c = 0; c < calls_.size(); ++c) {
      if (!Valid(row, c)) continue;
      Running& r = p.running[c];
      int64_t word = row[2 + c];
      if (distinct_[c]) {
        auto it = r.values->counts.find(KeyOf(c, word));
        if (it == r.values->counts.end() || --it->second > 0) continue;  // it is there still
        r.values->counts.erase(it);
        held_ -= ValueBytes(c, word);
      }
      switch (calls_[c]->kind) {
        case AKind::kMin:
        case AKind::kMax:
          if (!r.best->empty() && r.best->front().first == p.ring.head) r.best->pop_front();
          break;
        case AKind::kSum:
        case AKind::kAvg:
          if (physical_[c] == Physical::kDouble) {
            r.AddReal(AsDouble(word), -1);
          } else {
            r.sum -= word;
          }
          break;
        case AKind::kStddevPop:
        case AKind::kStddevSamp:
        case AKind::kVarPop:
        case AKind::kVarSamp:
          r.AddMoments(AsDouble(word), -1);
          break;
        case AKind::kExpAvg: {
          double decay = Decay(c, r.last_time - row[0], 1);
          r.real.sum.sum -= AsDouble(word) * decay;
          r.weight -= decay;
          break;
        }
        case AKind::kAny:
        case AKind::kEvery:
          r.sum -= word != 0;
          break;
        case AKind::kPercentileCont:
        case AKind::kPercentileDisc:
        case AKind::kApproxPercentile:
          r.values->ordered.Erase(AsDouble(word));
          held_ -= kNumberBytes;
          break;
        default:
          break;
      }
      if (--r.count == 0) {
        r.real = {0, {0, 0}, {0, 0}};  // nothing left: forget rounding too
        r.weight = 0;
        r.sum = 0;
      }
    }
    (void)t;
  }

  void Set(const int64_t* row, std::size_t c, int i, Vector& out, Arena& arena) {
    if (!Valid(row, c)) {
      out.SetNull(i);
    } else if (physical_[c] == Physical::kString) {
      out.strings()[i] = arena.Copy(AsText(row[2 + c]));
    } else {
      out.ints()[i] = row[2 + c];
    }
  }

  void Result(Partition& p, std::size_t c, int i, int64_t, Vector& out, Arena& arena) {
    const AggregateCall& call = *calls_[c];
    Running& r = p.running[c];
    Ring& ring = p.ring;
    out.valid()[i] = 1;
    auto scan = [&](uint64_t from, bool back, int64_t skip) -> const int64_t* {
      // The row `skip` rows from `from` on, NULLs left out if they are ignored.
      uint64_t position = from;
      while (position >= ring.head && position < ring.tail) {
        const int64_t* row = ring.At(position, stride_);
        if (!call.ignore_nulls || Valid(row, c)) {
          if (skip-- == 0) return row;
        }
        if (back && position == ring.head) break;
        position = back ? position - 1 : position + 1;
      }
      return nullptr;
    };
    switch (call.kind) {
      case AKind::kCountRows:
      case AKind::kCount:
      case AKind::kApproxCount:
      case AKind::kRowNumber:
      case AKind::kRank:
      case AKind::kDenseRank:
        out.ints()[i] = r.count;
        return;
      case AKind::kMin:
      case AKind::kMax:
        if (r.best->empty()) return out.SetNull(i);
        if (physical_[c] == Physical::kString) {
          out.strings()[i] = arena.Copy(AsText(r.best->front().second));
        } else {
          out.ints()[i] = r.best->front().second;
        }
        return;
      case AKind::kSum:
      case AKind::kAvg: {
        if (r.count == 0) return out.SetNull(i);
        bool average = call.kind == AKind::kAvg;
        if (physical_[c] == Physical::kDouble) {
          double sum = r.real.sum.Result();
          if (r.extreme != nullptr) sum = r.extreme->Result(sum);
          out.doubles()[i] = average ? sum / static_cast<double>(r.count) : sum;
        } else if (!FitSum(r.sum, r.count, average, out.ints()[i])) {
          errors_->Add(i, "NUMERIC_OUT_OF_RANGE", DoesNotFit(call));
        }
        return;
      }
      case AKind::kStddevPop:
      case AKind::kStddevSamp:
      case AKind::kVarPop:
      case AKind::kVarSamp: {
        bool sample = call.kind == AKind::kStddevSamp || call.kind == AKind::kVarSamp;
        int64_t n = r.count - (sample ? 1 : 0);
        if (n <= 0) return out.SetNull(i);
        r.real.count = r.count;
        double variance = r.extreme != nullptr
                              ? std::numeric_limits<double>::quiet_NaN()
                              : r.real.SquaredDeviations() / static_cast<double>(n);
        bool deviation = call.kind == AKind::kStddevPop || call.kind == AKind::kStddevSamp;
        out.doubles()[i] = deviation ? std::sqrt(variance) : variance;
        return;
      }
      case AKind::kPercentileCont:
      case AKind::kPercentileDisc:
      case AKind::kApproxPercentile:
        if (r.count == 0) return out.SetNull(i);
        out.doubles()[i] = r.values->ordered.Percentile(call.fraction, call.descending,
                                                        call.kind == AKind::kPercentileCont);
        return;
      case AKind::kListagg: {
        if (r.count == 0) return out.SetNull(i);
        list_.clear();
        bool first = true;
        for (uint64_t position = ring.head; position < ring.tail; ++position) {
          const int64_t* row = ring.At(position, stride_);
          if (!Valid(row, c)) continue;
          if (!first) list_ += call.separator;
          first = false;
          list_ += AsText(row[2 + c]);
          if (list_.size() > std::size_t{kVarcharMax} * 4) {
            errors_->Add(i, "NUMERIC_OUT_OF_RANGE", "LISTAGG is longer than VARCHAR(65535)");
            return out.SetNull(i);
          }
        }
        out.strings()[i] = arena.Copy(list_);
        return;
      }
      case AKind::kExpAvg:
        if (r.count == 0 || r.weight <= 0) return out.SetNull(i);
        out.doubles()[i] = r.real.sum.sum / r.weight;
        return;
      case AKind::kAny:
      case AKind::kEvery:
        if (r.count == 0) return out.SetNull(i);
        out.ints()[i] = call.kind == AKind::kAny ? r.sum > 0 : r.sum == r.count;
        return;
      case AKind::kFirst:
      case AKind::kLast:
      case AKind::kNth: {
        bool back = call.kind == AKind::kLast || (call.kind == AKind::kNth && call.from_last);
        const int64_t* row = scan(back ? ring.tail - 1 : ring.head, back,
                                  call.kind == AKind::kNth ? call.offset - 1 : 0);
        if (row == nullptr) return out.SetNull(i);
        return Set(row, c, i, out, arena);
      }
      case AKind::kLag: {
        const int64_t* row = nullptr;
        if (!call.ignore_nulls || call.offset == 0) {
          if (ring.size() > static_cast<uint64_t>(call.offset)) {
            row = ring.At(ring.tail - 1 - static_cast<uint64_t>(call.offset), stride_);
          }
        } else if (ring.size() > 1) {
          row = scan(ring.tail - 2, true, call.offset - 1);
        }
        if (row != nullptr) return Set(row, c, i, out, arena);
        if (fallback_values_[c] == nullptr) return out.SetNull(i);
        out.CopyRow(i, *fallback_values_[c], i);
        if (out.physical() == Physical::kString && out.valid()[i] != 0) {
          out.strings()[i] = arena.Copy(out.strings()[i]);
        }
        return;
      }
      default:
        return out.SetNull(i);
    }
  }

  // Partitions whose rows have all left their window are forgotten; runs after twice as many rows
  // as there were partitions the last time, so that it costs O(1) a row.
  void Sweep(int64_t t) {
    partitions_.EraseIf([&](Partition& p) {
      Ring& ring = p.ring;
      if (ring.size() > 0 && ring.At(ring.tail - 1, stride_)[0] >= t - plan_.preceding)
        return false;
      for (; ring.head < ring.tail; ++ring.head) {
        Remove(p, ring.At(ring.head, stride_), t);
        FreeTexts(ring.At(ring.head, stride_));
      }
      held_ -= PartitionBytes(p.key.size()) + ring.words.size() * 8;
      return true;
    });
  }

  const WindowPlan& plan_;
  std::vector<const AggregateCall*> calls_;
  std::vector<int> results_;
  std::vector<std::unique_ptr<Kernel>> keys_, arguments_, fallbacks_;
  std::vector<Physical> physical_;
  std::vector<bool> distinct_;
  std::vector<const Vector*> key_values_, values_, fallback_values_;
  PartitionTable partitions_;
  std::string keys_text_;  // of the batch, one after the other; key_ends_ where they end
  std::vector<std::size_t> key_ends_;
  std::vector<uint64_t> hashes_;
  std::vector<Partition*> found_;
  std::size_t stride_ = 0, processed_ = 0, sweep_after_ = 1024, held_ = 0;
  RowErrors* errors_ = nullptr;  // of the batch
  std::string list_;
  int64_t lag_ = 0;
  bool trims_ = true;
};

}  // namespace

std::unique_ptr<WindowState> MakeRingWindow(const WindowPlan& plan, WindowCalls calls) {
  return std::make_unique<RingWindow>(plan, std::move(calls));
}

}  // namespace millstream::sql
