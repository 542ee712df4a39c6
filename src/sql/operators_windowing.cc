// HOP, CUMULATE and SESSION windows: as rows with their bounds, and grouped.
#include <algorithm>
#include <deque>
#include <map>
#include <numeric>
#include <unordered_map>

#include "sql/aggregate.h"
#include "sql/datetime.h"
#include "sql/group_keys.h"
#include "sql/operator.h"

namespace millstream::sql {

namespace {

// The first end of a window behind `t`.
int64_t NextEnd(const WindowingPlan& w, int64_t t) {
  return FloorDiv(t - w.offset, w.slide) * w.slide + w.slide + w.offset;
}
// The start of the window that ends at `end`.
int64_t StartOf(const WindowingPlan& w, int64_t end) {
  if (w.kind == WindowingPlan::Kind::kHop) return end - w.size;
  return FloorDiv(end - 1 - w.offset, w.size) * w.size + w.offset;  // CUMULATE
}

// A row once for each of its windows.
class WindowingOperator final : public Operator {
 public:
  explicit WindowingOperator(const Plan& plan)
      : w_(plan.windowing),
        columns_(static_cast<int>(plan.inputs[0]->columns.size())),
        out_(PhysicalColumns(plan.columns)) {}
  void Push(int, const Batch& batch) override {
    for (int i = 0; i < batch.rows; ++i) {
      int64_t t = batch.rowtime[i];
      int64_t last = w_.kind == WindowingPlan::Kind::kHop
                         ? t + w_.size
                         : StartOf(w_, NextEnd(w_, t)) + w_.size;
      for (int64_t end = NextEnd(w_, t); end <= last; end += w_.slide) {
        int64_t start = StartOf(w_, end);
        if (start > t) continue;
        int row = out_.rows();
        for (int c = 0; c < columns_; ++c) {
          out_.column(c).CopyRow(row, *batch.columns[static_cast<std::size_t>(c)], i);
        }
        int64_t bounds[] = {start, end, end - 1};
        for (int b = 0; b < 3; ++b) {
          out_.column(columns_ + b).valid()[row] = 1;
          out_.column(columns_ + b).ints()[row] = bounds[b];
        }
        out_.Commit(t);
        if (out_.full()) Flush();
      }
    }
    Flush();
    EmitBound(batch.rowtime[batch.rows - 1]);
  }
  void Advance(int, int64_t bound) override { EmitBound(bound); }

 private:
  void Flush() {
    if (out_.rows() > 0) Emit(out_.view());
    out_.Clear();
  }
  const WindowingPlan w_;
  int columns_;
  RowBuffer out_;
};

// What the grouping operators share: where results go, and how a group becomes a row.
class GroupedWindows : public Operator {
 public:
  GroupedWindows(const Plan& plan, Runtime& runtime, const std::string& pump)
      : plan_(plan),
        w_(plan.windowing),
        evaluation_(runtime, pump),
        slice_(PhysicalColumns(plan.inputs[0]->columns)),
        out_(PhysicalColumns(plan.columns)),
        states_(kBatchRows) {
    for (std::size_t k = 0; k < plan.keys.size(); ++k) {
      if (plan.window_parts[k] != WindowPart::kNone) continue;
      plain_.push_back(plan.keys[k]);
      columns_.push_back(static_cast<int>(k));
    }
  }

 protected:
  void WriteBounds(int row, int64_t start, int64_t end) {
    for (std::size_t k = 0; k < plan_.window_parts.size(); ++k) {
      WindowPart part = plan_.window_parts[k];
      if (part == WindowPart::kNone) continue;
      Vector& v = out_.column(static_cast<int>(k));
      v.valid()[row] = 1;
      v.ints()[row] = part == WindowPart::kStart ? start : part == WindowPart::kEnd ? end : end - 1;
    }
  }
  // Behind the keys come the aggregates. False when one does not fit its type.
  void Finish(const AggregateSet& aggregates, const char* state, int64_t end) {
    std::string error;
    if (aggregates.Finish(state, out_.rows(), out_, static_cast<int>(plan_.keys.size()), error)) {
      out_.Commit(end);
      if (out_.full()) Flush();
    } else {
      evaluation_.Report(end, "NUMERIC_OUT_OF_RANGE", error);
    }
  }
  void EmitTable(const GroupKeys& keys, const GroupTable& table, const AggregateSet& aggregates,
                 int64_t start, int64_t end) {
    for (std::size_t group = 0; group < table.size(); group += kBatchRows) {
      const int rows = static_cast<int>(std::min<std::size_t>(kBatchRows, table.size() - group));
      out_.Clear();
      for (int i = 0; i < rows; ++i) {
        WriteBounds(i, start, end);
        states_[static_cast<std::size_t>(i)] = table.State(group + static_cast<std::size_t>(i));
        out_.rowtime()[i] = end;
      }
      keys.Write(table, group, rows, out_);
      out_.set_rows(rows);
      for (std::string& message :
           aggregates.FinishRows(states_.data(), out_, static_cast<int>(plan_.keys.size()))) {
        evaluation_.Report(end, "NUMERIC_OUT_OF_RANGE", std::move(message));
      }
      if (out_.rows() > 0) Emit(out_.view());
    }
    out_.Clear();
  }
  void Flush() {
    if (out_.rows() > 0) Emit(out_.view());
    out_.Clear();
  }
  void Add(const Batch& batch, GroupKeys& keys, GroupTable& table, AggregateSet& aggregates) {
    EvalContext& context = evaluation_.Begin(batch);
    keys.Evaluate(context);
    keys.Find(batch.rows, table, states_.data());
    aggregates.Update(context, states_.data());
  }
  static void SaveTable(const GroupTable& table, const AggregateSet& aggregates, std::string& out) {
    SaveInt(static_cast<int64_t>(table.size()), out);
    for (std::size_t g = 0; g < table.size(); ++g) {
      std::string_view key;
      SaveInt(table.Key(g, key) ? 1 : 0, out);
      SaveText(key, out);
      aggregates.Save(table.State(g), out);
    }
  }
  static bool RestoreTable(std::string_view& in, GroupTable& table, AggregateSet& aggregates) {
    int64_t n = 0;
    if (!RestoreInt(in, n)) return false;
    for (int64_t g = 0; g < n; ++g) {
      int64_t value = 0;
      std::string_view key;
      if (!RestoreInt(in, value) || !RestoreText(in, key) ||
          !aggregates.Restore(in, GroupKeys::FindOne(key, value == 0, table))) {
        return false;
      }
    }
    return true;
  }

  const Plan& plan_;
  const WindowingPlan& w_;
  Evaluation evaluation_;
  SliceBuffer slice_;
  RowBuffer out_;
  std::vector<char*> states_;
  std::vector<ExprPtr> plain_;
  std::vector<int> columns_;
};

// HOP: rows are added once, to the pane that all their windows share; a window is the sum of its
// panes, built when it ends. CUMULATE: one sum that is shown at each step and forgotten at its end.
class HopOperator final : public GroupedWindows {
 public:
  HopOperator(const Plan& plan, Runtime& runtime, const std::string& pump)
      : GroupedWindows(plan, runtime, pump),
        cumulates_(w_.kind == WindowingPlan::Kind::kCumulate),
        pane_ms_(cumulates_ ? w_.slide : std::gcd(w_.size, w_.slide)),
        keys_(plain_, columns_),
        sum_(plan) {}

  void Push(int, const Batch& batch) override {
    int from = 0;
    while (from < batch.rows) {
      int64_t t = batch.rowtime[from];
      CloseUntil(t);
      if (!open_) {
        open_ = true;
        end_ = NextEnd(w_, t);
      }
      int64_t pane = FloorDiv(t - w_.offset, pane_ms_);
      int64_t pane_end = (pane + 1) * pane_ms_ + w_.offset;
      int to = batch.rows;
      if (batch.rowtime[batch.rows - 1] >= pane_end) {
        to = from + 1;
        while (batch.rowtime[to] < pane_end) ++to;
      }
      Pane& target = PaneAt(pane);
      Add(slice_.Run(batch, from, to), keys_, target.table, target.aggregates);
      from = to;
    }
    EmitBound(open_ ? end_ : batch.rowtime[batch.rows - 1]);
  }
  void Advance(int, int64_t bound) override {
    CloseUntil(bound);
    EmitBound(open_ ? end_ : bound);
  }

  void Save(std::string& out) const override {
    SaveInt(open_ ? 1 : 0, out);
    SaveInt(end_, out);
    SaveTable(sum_.table, sum_.aggregates, out);
    SaveInt(static_cast<int64_t>(panes_.size()), out);
    for (const auto& pane : panes_) {
      SaveInt(pane->number, out);
      SaveTable(pane->table, pane->aggregates, out);
    }
  }
  bool Restore(std::string_view& in) override {
    int64_t open = 0, panes = 0;
    if (!RestoreInt(in, open) || !RestoreInt(in, end_) ||
        !RestoreTable(in, sum_.table, sum_.aggregates) || !RestoreInt(in, panes)) {
      return false;
    }
    open_ = open != 0;
    for (int64_t p = 0; p < panes; ++p) {
      int64_t number = 0;
      if (!RestoreInt(in, number)) return false;
      Pane& pane = PaneAt(number);
      if (!RestoreTable(in, pane.table, pane.aggregates)) return false;
    }
    return true;
  }
  std::size_t StateBytes() const override {
    std::size_t bytes = sum_.held_bytes();
    for (const auto& pane : panes_) bytes += pane->held_bytes();
    for (const auto& pane : spare_) bytes += pane->held_bytes();
    return bytes;
  }

 private:
  struct Pane {
    explicit Pane(const Plan& plan) : aggregates(plan.calls), table(aggregates.size()) {}
    std::size_t held_bytes() const { return table.held_bytes() + aggregates.held_bytes(); }
    void Clear() {
      table.Clear();
      aggregates.Reset();
    }
    int64_t number = 0;
    AggregateSet aggregates;
    GroupTable table;
  };

  Pane& PaneAt(int64_t number) {
    if (cumulates_) return sum_;
    if (panes_.empty() || panes_.back()->number != number) {
      if (spare_.empty()) {
        panes_.push_back(std::make_unique<Pane>(plan_));
      } else {
        panes_.push_back(std::move(spare_.back()));
        spare_.pop_back();
      }
      panes_.back()->number = number;
    }
    return *panes_.back();
  }

  void CloseUntil(int64_t t) {
    while (open_ && end_ <= t) {
      int64_t start = StartOf(w_, end_);
      if (cumulates_) {
        EmitTable(keys_, sum_.table, sum_.aggregates, start, end_);
        if (end_ == start + w_.size) {
          sum_.Clear();
          open_ = false;
        }
      } else {
        if (!panes_.empty()) CloseHop(start);
        // Panes that the next window does not reach.
        int64_t first = FloorDiv(start + w_.slide - w_.offset, pane_ms_);
        while (!panes_.empty() && panes_.front()->number < first) {
          panes_.front()->Clear();
          spare_.push_back(std::move(panes_.front()));
          panes_.pop_front();
        }
        if (panes_.empty()) open_ = false;
      }
      end_ += w_.slide;
    }
  }
  void CloseHop(int64_t start) {
    int64_t first = FloorDiv(start - w_.offset, pane_ms_);
    int64_t last = FloorDiv(end_ - 1 - w_.offset, pane_ms_);
    const Pane* only = nullptr;
    int count = 0;
    for (const auto& pane : panes_) {
      if (pane->number < first || pane->number > last) continue;
      only = pane.get();
      ++count;
    }
    if (count == 0) return;
    if (count == 1) return EmitTable(keys_, only->table, only->aggregates, start, end_);
    std::string_view keys[kBatchRows];
    uint8_t nulls[kBatchRows];
    for (const auto& pane : panes_) {
      if (pane->number < first || pane->number > last) continue;
      for (std::size_t from = 0; from < pane->table.size(); from += kBatchRows) {
        std::size_t n = std::min<std::size_t>(kBatchRows, pane->table.size() - from);
        for (std::size_t g = 0; g < n; ++g) nulls[g] = pane->table.Key(from + g, keys[g]) ? 0 : 1;
        sum_.table.Find(keys, nulls, static_cast<int>(n), states_.data());
        for (std::size_t g = 0; g < n; ++g) {
          sum_.aggregates.Merge(pane->aggregates, pane->table.State(from + g), states_[g]);
        }
      }
    }
    EmitTable(keys_, sum_.table, sum_.aggregates, start, end_);
    sum_.Clear();
  }

  bool cumulates_;
  int64_t pane_ms_;
  GroupKeys keys_;
  Pane sum_;
  std::deque<std::unique_ptr<Pane>> panes_;  // ascending
  std::vector<std::unique_ptr<Pane>> spare_;
  bool open_ = false;
  int64_t end_ = 0;  // of the next window
};

// SESSION: per key a window that ends when no row has come for the gap.
class SessionOperator final : public GroupedWindows {
 public:
  SessionOperator(const Plan& plan, Runtime& runtime, const std::string& pump)
      : GroupedWindows(plan, runtime, pump), aggregates_(plan.calls) {
    for (const ExprPtr& key : plain_) kernels_.push_back(Compile(key));
  }

  void Push(int, const Batch& batch) override {
    int from = 0;
    while (from < batch.rows) {
      int64_t t = batch.rowtime[from];
      CloseUntil(t);
      // No session ends before this time, whatever the rows up to then are.
      int64_t safe = t + w_.size;
      if (!ends_.empty()) safe = std::min(safe, ends_.begin()->first.first);
      int to = batch.rows;
      if (batch.rowtime[batch.rows - 1] >= safe) {
        to = from + 1;
        while (batch.rowtime[to] < safe) ++to;
      }
      AddRows(slice_.Run(batch, from, to));
      from = to;
    }
    Compact();
    EmitBound(Bound(batch.rowtime[batch.rows - 1]));
  }
  void Advance(int, int64_t bound) override {
    CloseUntil(bound);
    EmitBound(Bound(bound));
  }

  void Save(std::string& out) const override {
    SaveInt(static_cast<int64_t>(sessions_.size()), out);
    for (const auto& [order, key] : Ordered()) {
      const Session& session = sessions_.at(key);
      SaveText(key, out);
      SaveInt(session.start, out);
      SaveInt(session.end, out);
      aggregates_.Save(session.bytes(), out);
    }
  }
  bool Restore(std::string_view& in) override {
    int64_t n = 0;
    if (!RestoreInt(in, n)) return false;
    for (int64_t i = 0; i < n; ++i) {
      std::string_view key;
      int64_t start = 0, end = 0;
      if (!RestoreText(in, key) || !RestoreInt(in, start) || !RestoreInt(in, end)) return false;
      Session& session = Open(std::string(key), start);
      session.end = end;
      if (!aggregates_.Restore(in, session.bytes())) return false;
    }
    return true;
  }
  std::size_t StateBytes() const override { return bytes_ + aggregates_.held_bytes(); }

 private:
  struct Session {
    int64_t start = 0, end = 0;
    uint64_t number = 0;  // in the order of opening
    std::vector<int64_t> state;
    char* bytes() { return reinterpret_cast<char*>(state.data()); }
    const char* bytes() const { return reinterpret_cast<const char*>(state.data()); }
  };

  std::size_t BytesOf(std::string_view key) const {
    return 2 * (kEntryBytes + key.size()) + sizeof(Session) + aggregates_.size();
  }
  Session& Open(const std::string& key, int64_t t) {
    Session& session = sessions_[key];
    session.start = t;
    session.end = t + w_.size;
    session.number = next_number_++;
    session.state.assign(aggregates_.size() / 8 + 1, 0);
    ends_.emplace(std::pair(session.end, session.number), key);
    bytes_ += BytesOf(key);
    return session;
  }
  std::map<uint64_t, std::string> Ordered() const {
    std::map<uint64_t, std::string> keys;
    for (const auto& [key, session] : sessions_) keys.emplace(session.number, key);
    return keys;
  }

  // Invariant: no session ends within these rows.
  void AddRows(const Batch& batch) {
    EvalContext& context = evaluation_.Begin(batch);
    std::vector<const Vector*> keys;
    for (auto& kernel : kernels_) keys.push_back(&kernel->Evaluate(context));
    for (int i = 0; i < batch.rows; ++i) {
      key_.clear();
      for (const Vector* v : keys) AppendKey(*v, i, key_);
      auto it = sessions_.find(key_);
      Session& session = it == sessions_.end() ? Open(key_, batch.rowtime[i]) : it->second;
      session.end = batch.rowtime[i] + w_.size;
      states_[static_cast<std::size_t>(i)] = session.bytes();
    }
    aggregates_.Update(context, states_.data());
  }

  // `ends_` holds, per session, an end that it had at some time: one that has moved on since is put
  // back with its present end.
  void CloseUntil(int64_t t) {
    while (!ends_.empty() && ends_.begin()->first.first <= t) {
      auto node = ends_.extract(ends_.begin());
      Session& session = sessions_.at(node.mapped());
      if (session.end != node.key().first) {
        node.key().first = session.end;
        ends_.insert(std::move(node));
        continue;
      }
      WriteBounds(out_.rows(), session.start, session.end);
      std::string_view bytes = node.mapped();
      for (int c : columns_) ReadKey(bytes, out_.column(c), out_.rows(), &out_.arena());
      Finish(aggregates_, session.bytes(), session.end);
      bytes_ -= BytesOf(node.mapped());
      sessions_.erase(node.mapped());
    }
    Flush();
    if (sessions_.empty()) aggregates_.Reset();
  }
  int64_t Bound(int64_t bound) const {
    if (bound > INT64_MAX - w_.size) return bound;
    int64_t next = bound + w_.size;  // of a session that is yet to open
    return ends_.empty() ? next : std::min(next, ends_.begin()->first.first);
  }

  void Compact() {
    if (aggregates_.held_bytes() < compact_at_) return;
    std::string bytes;
    for (const auto& [key, session] : sessions_) aggregates_.Save(session.bytes(), bytes);
    aggregates_.Reset();
    std::string_view in = bytes;
    for (auto& [key, session] : sessions_) CHECK(aggregates_.Restore(in, session.bytes()));
    compact_at_ = std::max(kCompactBytes, 2 * aggregates_.held_bytes());
  }

  static constexpr std::size_t kCompactBytes = std::size_t{1} << 20;
  AggregateSet aggregates_;
  std::vector<std::unique_ptr<Kernel>> kernels_;
  std::unordered_map<std::string, Session> sessions_;
  std::map<std::pair<int64_t, uint64_t>, std::string> ends_;  // by end, then by number
  std::string key_;
  std::size_t bytes_ = 0, compact_at_ = kCompactBytes;
  uint64_t next_number_ = 0;
};

}  // namespace

std::unique_ptr<Operator> MakeWindowing(const Plan& plan) {
  return std::make_unique<WindowingOperator>(plan);
}
std::unique_ptr<Operator> MakeWindowAggregate(const Plan& plan, Runtime& runtime,
                                              const std::string& pump) {
  if (plan.windowing.kind == WindowingPlan::Kind::kSession) {
    return std::make_unique<SessionOperator>(plan, runtime, pump);
  }
  return std::make_unique<HopOperator>(plan, runtime, pump);
}

}  // namespace millstream::sql
