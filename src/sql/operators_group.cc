// Tumbling and staggered aggregation, and DISTINCT.
#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "sql/aggregate.h"
#include "sql/group_keys.h"
#include "sql/group_table.h"
#include "sql/operator.h"

namespace millstream::sql {

namespace {

// GROUP BY over windows that ROWTIME (or a MONOTONIC column) closes. A window is the stretch of time
// over which all time items keep their value; its results carry its end as ROWTIME.
class AggregateOperator final : public Operator {
 public:
  AggregateOperator(const Plan& plan, Runtime& runtime, const std::string& pump)
      : plan_(plan),
        evaluation_(runtime, pump),
        aggregates_(plan.calls),
        table_(aggregates_.size()),
        slice_(PhysicalColumns(plan.inputs[0]->columns)),
        out_(PhysicalColumns(plan.columns)),
        states_(kBatchRows) {
    std::vector<ExprPtr> plain;
    std::vector<int> columns;
    for (std::size_t k = 0; k < plan.keys.size(); ++k) {
      bool time = std::find(plan.time_keys.begin(), plan.time_keys.end(), static_cast<int>(k)) !=
                  plan.time_keys.end();
      if (!time) {
        plain.push_back(plan.keys[k]);
        columns.push_back(static_cast<int>(k));
        continue;
      }
      bool pure = true;
      VisitExpr(*plan.keys[k], [&](const Expr& x) { pure &= x.op != Expr::Op::kColumn; });
      if (pure) {
        functions_.push_back({static_cast<int>(k), RowtimeFunction(plan.keys[k])});
        instant_ |= plan.keys[k]->op == Expr::Op::kRowtime;
      } else {
        monotonic_.push_back({static_cast<int>(k), Compile(plan.keys[k])});
      }
    }
    time_values_.resize(plan.keys.size());
    keys_ = std::make_unique<GroupKeys>(plain, columns);
  }

  void Push(int, const Batch& batch) override {
    int from = 0;
    while (from < batch.rows) {
      int64_t t = batch.rowtime[from];
      if (open_ && t >= end_) Close(t);
      int to = from;
      if (monotonic_.empty()) {
        if (!open_) Open(t);
        if (batch.rowtime[batch.rows - 1] < end_) {
          to = batch.rows;
        } else {
          while (to < batch.rows && batch.rowtime[to] < end_) ++to;
        }
      } else {
        to = from + 1;  // a MONOTONIC column: its value is looked at row by row
      }
      const Batch& part = slice_.Run(batch, from, to);
      if (!monotonic_.empty()) {
        EvalContext& context = evaluation_.Begin(part);
        bool changed = !open_;
        for (auto& [key, kernel] : monotonic_) {
          Value v = kernel->Evaluate(context).GetValue(0, plan_.keys[static_cast<std::size_t>(key)]->type);
          const Value& old = time_values_[static_cast<std::size_t>(key)];
          changed |= v.null != old.null || v.i != old.i || v.d != old.d || v.s != old.s;
          next_values_[key] = v;
        }
        if (changed) {
          if (open_) Close(t);
          Open(t);
          for (auto& [key, v] : next_values_) time_values_[static_cast<std::size_t>(key)] = v;
        }
      }
      Add(part);
      if (functions_.empty()) start_ = part.rowtime[part.rows - 1];  // the time of the last row
      from = to;
    }
    EmitBound(OutBound(batch.rowtime[batch.rows - 1]));
  }

  void Advance(int, int64_t bound) override {
    if (open_ && bound >= end_) Close(bound);
    EmitBound(OutBound(bound));
  }

  void Save(std::string& out) const override {
    SaveInt(open_ ? 1 : 0, out);
    SaveInt(start_, out);
    SaveInt(end_, out);
    for (const Key& m : monotonic_) SaveValue(time_values_[static_cast<std::size_t>(m.key)], out);
    SaveInt(static_cast<int64_t>(table_.size()), out);
    for (std::size_t g = 0; g < table_.size(); ++g) {
      std::string_view key;
      bool value = table_.Key(g, key);
      SaveInt(value ? 1 : 0, out);
      SaveText(key, out);
      aggregates_.Save(table_.State(g), out);
    }
  }
  bool Restore(std::string_view& in) override {
    int64_t open = 0, start = 0, end = 0, groups = 0;
    if (!RestoreInt(in, open) || !RestoreInt(in, start) || !RestoreInt(in, end)) return false;
    if (open != 0) Open(start);
    for (const Key& m : monotonic_) {
      std::size_t k = static_cast<std::size_t>(m.key);
      if (!RestoreValue(in, plan_.keys[k]->type, time_values_[k])) return false;
    }
    if (!RestoreInt(in, groups)) return false;
    for (int64_t g = 0; g < groups; ++g) {
      int64_t value = 0;
      std::string_view key;
      if (!RestoreInt(in, value) || !RestoreText(in, key)) return false;
      if (!aggregates_.Restore(in, GroupKeys::FindOne(key, value == 0, table_))) return false;
    }
    return true;
  }
  std::size_t StateBytes() const override {
    return table_.held_bytes() + aggregates_.held_bytes();
  }

 private:
  struct Key {
    int key;
    std::unique_ptr<Kernel> kernel;
  };
  struct TimeFunction {
    int key;
    RowtimeFunction function;
  };

  void Open(int64_t t) {
    open_ = true;
    start_ = t;
    end_ = INT64_MAX;
    for (TimeFunction& f : functions_) {
      time_values_[static_cast<std::size_t>(f.key)] = f.function.At(t);
      end_ = std::min(end_, f.function.NextChange(t));
    }
  }

  // Results of equal windows are out before a row of the next one is looked at.
  void Close(int64_t now) {
    open_ = false;
    int64_t rowtime = functions_.empty() ? now : instant_ ? start_ : end_;
    if (rowtime == INT64_MAX) rowtime = start_;  // the input has ended
    const int first = static_cast<int>(plan_.keys.size());
    for (std::size_t group = 0; group < table_.size(); group += kBatchRows) {
      const int rows = static_cast<int>(std::min<std::size_t>(kBatchRows, table_.size() - group));
      out_.Clear();
      for (TimeFunction& f : functions_) FillTime(f.key, rows);
      for (Key& m : monotonic_) FillTime(m.key, rows);
      keys_->Write(table_, group, rows, out_);
      for (int i = 0; i < rows; ++i) {
        states_[static_cast<std::size_t>(i)] = table_.State(group + static_cast<std::size_t>(i));
        out_.rowtime()[i] = rowtime;
      }
      out_.set_rows(rows);
      for (std::string& message : aggregates_.FinishRows(states_.data(), out_, first)) {
        evaluation_.Report(rowtime, "NUMERIC_OUT_OF_RANGE", std::move(message));
      }
      if (out_.rows() > 0) Emit(out_.view());
    }
    out_.Clear();
    table_.Clear();
    aggregates_.Reset();
  }
  void FillTime(int key, int rows) {
    Vector& column = out_.column(key);
    const Value& value = time_values_[static_cast<std::size_t>(key)];
    column.SetValue(0, value, out_.arena());
    for (int i = 1; i < rows; ++i) column.CopyRow(i, column, 0);
  }

  int64_t OutBound(int64_t bound) const {
    return open_ && !functions_.empty() && !instant_ && end_ != INT64_MAX ? end_ : bound;
  }

  void Add(const Batch& batch) {
    EvalContext& context = evaluation_.Begin(batch);
    keys_->Evaluate(context);
    keys_->Find(batch.rows, table_, states_.data());
    aggregates_.Update(context, states_.data());
  }

  const Plan& plan_;
  Evaluation evaluation_;
  AggregateSet aggregates_;
  GroupTable table_;
  SliceBuffer slice_;
  RowBuffer out_;
  std::unique_ptr<GroupKeys> keys_;
  std::vector<Key> monotonic_;
  std::vector<TimeFunction> functions_;
  std::vector<Value> time_values_;
  std::map<int, Value> next_values_;
  std::vector<char*> states_;
  bool instant_ = false, open_ = false;
  int64_t start_ = 0, end_ = 0;
};

// WINDOWED BY STAGGER: each key has a window of its own, from its first row on.
class StaggerOperator final : public Operator {
 public:
  StaggerOperator(const Plan& plan, Runtime& runtime, const std::string& pump)
      : plan_(plan),
        evaluation_(runtime, pump),
        aggregates_(plan.calls),
        slice_(PhysicalColumns(plan.inputs[0]->columns)),
        out_(PhysicalColumns(plan.columns)) {
    for (const ExprPtr& key : plan.keys) kernels_.push_back(Compile(key));
  }
  void Push(int, const Batch& batch) override {
    for (int i = 0; i < batch.rows; ++i) {
      CloseUntil(batch.rowtime[i]);
      const Batch& row = slice_.Run(batch, i, i + 1);
      EvalContext& context = evaluation_.Begin(row);
      std::string key;
      for (auto& kernel : kernels_) AppendKey(kernel->Evaluate(context), 0, key);
      auto [it, fresh] = groups_.try_emplace(key);
      if (fresh) {
        it->second.state.assign(aggregates_.size() / 8 + 1, 0);
        it->second.end = row.rowtime[0] + plan_.stagger_ms;
        bytes_ += BytesOf(key);
        ends_.emplace(it->second.end, key);
      }
      char* state = reinterpret_cast<char*>(it->second.state.data());
      aggregates_.Update(context, &state);
    }
    EmitBound(batch.rowtime[batch.rows - 1]);
    Compact();
  }
  void Advance(int, int64_t bound) override {
    CloseUntil(bound);
    EmitBound(bound);
  }
  void Save(std::string& out) const override {
    SaveInt(static_cast<int64_t>(ends_.size()), out);
    for (const auto& [end, key] : ends_) {
      SaveInt(end, out);
      SaveText(key, out);
      aggregates_.Save(reinterpret_cast<const char*>(groups_.at(key).state.data()), out);
    }
  }
  bool Restore(std::string_view& in) override {
    int64_t n = 0;
    if (!RestoreInt(in, n)) return false;
    for (int64_t i = 0; i < n; ++i) {
      int64_t end = 0;
      std::string_view key;
      if (!RestoreInt(in, end) || !RestoreText(in, key)) return false;
      Group& group = groups_[std::string(key)];
      group.end = end;
      group.state.assign(aggregates_.size() / 8 + 1, 0);
      ends_.emplace(end, std::string(key));
      bytes_ += BytesOf(key);
      if (!aggregates_.Restore(in, reinterpret_cast<char*>(group.state.data()))) return false;
    }
    return true;
  }

  std::size_t StateBytes() const override { return bytes_ + aggregates_.held_bytes(); }

 private:
  struct Group {
    int64_t end = 0;
    std::vector<int64_t> state;
  };
  std::size_t BytesOf(std::string_view key) const {
    return 2 * (kEntryBytes + key.size()) + aggregates_.size();
  }
  // Texts and objects of closed groups are given back when they may be half of what is held: the
  // states of the open ones are written out and read again.
  void Compact() {
    if (aggregates_.held_bytes() < compact_at_) return;
    std::string bytes;
    for (const auto& [key, group] : groups_) {
      aggregates_.Save(reinterpret_cast<const char*>(group.state.data()), bytes);
    }
    aggregates_.Reset();
    std::string_view in = bytes;
    for (auto& [key, group] : groups_) {
      CHECK(aggregates_.Restore(in, reinterpret_cast<char*>(group.state.data())));
    }
    compact_at_ = std::max(kCompactBytes, 2 * aggregates_.held_bytes());
  }
  void CloseUntil(int64_t t) {
    while (!ends_.empty() && ends_.begin()->first <= t) {
      int64_t end = ends_.begin()->first;
      std::string key = ends_.begin()->second;
      ends_.erase(ends_.begin());
      auto it = groups_.find(key);
      std::string_view bytes = key;
      int row = out_.rows();
      for (std::size_t k = 0; k < kernels_.size(); ++k) {
        ReadKey(bytes, out_.column(static_cast<int>(k)), row, &out_.arena());
      }
      std::string error;
      if (aggregates_.Finish(reinterpret_cast<const char*>(it->second.state.data()), row, out_,
                             static_cast<int>(kernels_.size()), error)) {
        out_.Commit(end);
      } else {
        evaluation_.Report(end, "NUMERIC_OUT_OF_RANGE", error);
      }
      bytes_ -= BytesOf(key);
      groups_.erase(it);
      if (out_.full()) Flush();
    }
    Flush();
    if (groups_.empty()) {
      aggregates_.Reset();
      compact_at_ = kCompactBytes;
    }
  }
  void Flush() {
    if (out_.rows() > 0) Emit(out_.view());
    out_.Clear();
  }

  const Plan& plan_;
  Evaluation evaluation_;
  AggregateSet aggregates_;
  SliceBuffer slice_;
  RowBuffer out_;
  std::vector<std::unique_ptr<Kernel>> kernels_;
  std::unordered_map<std::string, Group> groups_;
  std::multimap<int64_t, std::string> ends_;
  std::size_t bytes_ = 0;
  static constexpr std::size_t kCompactBytes = std::size_t{1} << 20;
  std::size_t compact_at_ = kCompactBytes;
};

// SELECT STREAM DISTINCT: the first of equal rows within one value of the time columns.
class DistinctOperator final : public Operator {
 public:
  DistinctOperator(const Plan& plan, Runtime&) : plan_(plan), out_(PhysicalColumns(plan.columns)) {
    for (const ExprPtr& e : plan.keys) functions_.emplace_back(e);
  }
  void Push(int, const Batch& batch) override {
    std::string key;
    for (int i = 0; i < batch.rows; ++i) {
      if (batch.rowtime[i] >= end_) {
        Forget();
        end_ = INT64_MAX;
        for (RowtimeFunction& f : functions_) end_ = std::min(end_, f.NextChange(batch.rowtime[i]));
      }
      key.clear();
      for (int c = 0; c < plan_.visible; ++c) AppendKey(*batch.columns[static_cast<std::size_t>(c)], i, key);
      if (!seen_.insert(key).second) continue;
      bytes_ += kEntryBytes + key.size();
      for (std::size_t c = 0; c < batch.columns.size(); ++c) {
        out_.column(static_cast<int>(c)).CopyRow(out_.rows(), *batch.columns[c], i);
      }
      out_.Commit(batch.rowtime[i]);
    }
    if (out_.rows() > 0) Emit(out_.view());
    out_.Clear();
    EmitBound(batch.rowtime[batch.rows - 1]);
  }
  void Advance(int, int64_t bound) override {
    if (bound >= end_) {
      Forget();
      end_ = INT64_MIN;
    }
    EmitBound(bound);
  }
  void Save(std::string& out) const override {
    SaveInt(end_, out);
    SaveInt(static_cast<int64_t>(seen_.size()), out);
    for (const std::string& s : seen_) SaveText(s, out);
  }
  bool Restore(std::string_view& in) override {
    int64_t n = 0;
    if (!RestoreInt(in, end_) || !RestoreInt(in, n)) return false;
    for (int64_t i = 0; i < n; ++i) {
      std::string_view s;
      if (!RestoreText(in, s)) return false;
      seen_.emplace(s);
      bytes_ += kEntryBytes + s.size();
    }
    return true;
  }
  std::size_t StateBytes() const override { return bytes_; }

 private:
  void Forget() {
    seen_.clear();
    bytes_ = 0;
  }

  const Plan& plan_;
  std::vector<RowtimeFunction> functions_;
  std::unordered_set<std::string> seen_;
  int64_t end_ = INT64_MIN;
  std::size_t bytes_ = 0;
  RowBuffer out_;
};

}  // namespace

std::unique_ptr<Operator> MakeAggregate(const Plan& plan, Runtime& runtime, const std::string& pump) {
  return std::make_unique<AggregateOperator>(plan, runtime, pump);
}
std::unique_ptr<Operator> MakeStagger(const Plan& plan, Runtime& runtime, const std::string& pump) {
  return std::make_unique<StaggerOperator>(plan, runtime, pump);
}
std::unique_ptr<Operator> MakeDistinct(const Plan& plan, Runtime& runtime) {
  return std::make_unique<DistinctOperator>(plan, runtime);
}

}  // namespace millstream::sql
