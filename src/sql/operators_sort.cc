// ORDER BY of streams: piece by piece, and within a time.
#include <algorithm>
#include <deque>
#include <functional>

#include "sql/operator.h"
#include "sql/row_log.h"
#include "sql/row_order.h"

namespace millstream::sql {

namespace {

// Rows wait until the leading item changes its value, or a bound says that it will, and then go out
// sorted. A stream ascends in ROWTIME, so they all carry the time of the last of them.
class SortOperator final : public Operator {
 public:
  SortOperator(const Plan& plan)
      : plan_(plan),
        function_(plan.order_function ? plan.order_function : MakeRowtime()),
        keeps_time_(!plan.order_function || plan.order_function->op == Expr::Op::kRowtime),
        input_columns_(static_cast<int>(plan.inputs[0]->columns.size())),
        rows_(PhysicalColumns(plan.inputs[0]->columns)),
        out_(PhysicalColumns(plan.inputs[0]->columns)) {
    visible_.columns.resize(static_cast<std::size_t>(plan.visible));
  }
  void Push(int, const Batch& batch) override {
    int from = 0;
    while (from < batch.rows) {
      if (!rows_.empty() && batch.rowtime[from] >= end_) Flush();
      if (rows_.empty()) end_ = function_.NextChange(batch.rowtime[from]);
      int to = from + 1;
      while (to < batch.rows && batch.rowtime[to] < end_) ++to;
      rows_.Append(batch.columns, batch.rowtime, from, to);
      from = to;
    }
    Advance(0, batch.rowtime[batch.rows - 1]);
  }
  void Advance(int, int64_t bound) override {
    if (!rows_.empty() && bound >= end_) Flush();
    EmitBound(rows_.empty() ? bound : rows_.rowtime(rows_.end() - 1));
  }
  void Save(std::string& out) const override {
    SaveInt(end_, out);
    SaveRows(rows_, rows_.first(), input_columns_, out);
  }
  bool Restore(std::string_view& in) override {
    return RestoreInt(in, end_) && RestoreRows(in, rows_, input_columns_);
  }
  std::size_t StateBytes() const override { return rows_.bytes(); }

 private:
  void Flush() {
    const std::vector<uint64_t> numbers = SortedRows(rows_, plan_.order);
    const int64_t last = rows_.rowtime(rows_.end() - 1);
    for (std::size_t from = 0; from < numbers.size(); from += kBatchRows) {
      const int count = static_cast<int>(std::min<std::size_t>(kBatchRows, numbers.size() - from));
      rows_.Read(numbers.data() + from, count, input_columns_, out_, 0, 0);
      for (int i = 0; i < count; ++i) {
        const uint64_t number = numbers[from + static_cast<std::size_t>(i)];
        out_.Commit(keeps_time_ ? rows_.rowtime(number) : last);
      }
      const Batch& all = out_.view();
      visible_.rows = all.rows;
      visible_.rowtime = all.rowtime;
      for (std::size_t c = 0; c < visible_.columns.size(); ++c) visible_.columns[c] = all.columns[c];
      Emit(visible_);
      out_.Clear();
    }
    rows_.Clear();
  }

  const Plan& plan_;
  RowtimeFunction function_;
  bool keeps_time_;
  int input_columns_;
  RowLog rows_;
  RowBuffer out_;
  Batch visible_;
  int64_t end_ = 0;
};

// ORDER BY ts WITHIN INTERVAL: rows go out in the order of their own time once that is `within`
// behind the highest seen. A row that comes later than that is refused; bounds of the input say
// nothing about this time and are ignored.
//
// Rows that come in order, usually nearly all, wait in order_; the others in a heap beside it.
class TimeSortOperator final : public Operator {
 public:
  TimeSortOperator(const Plan& plan, Runtime& runtime, const std::string& pump)
      : plan_(plan),
        evaluation_(runtime, pump),
        input_columns_(static_cast<int>(plan.inputs[0]->columns.size())),
        rows_(PhysicalColumns(plan.inputs[0]->columns)),
        out_(PhysicalColumns(plan.inputs[0]->columns)) {
    visible_.columns.resize(static_cast<std::size_t>(plan.visible));
    numbers_.resize(kBatchRows);
  }
  void Push(int, const Batch& batch) override {
    const Vector& times = *batch.columns[static_cast<std::size_t>(plan_.time_column)];
    int from = 0;  // rows from here to i are taken and not appended yet
    auto append = [&](int to) {
      if (from < to) rows_.Append(batch.columns, times.ints(), from, to);
    };
    for (int i = 0; i < batch.rows; ++i) {
      const int64_t t = times.ints()[i];
      const bool late = times.valid()[i] != 0 && high_ != INT64_MIN && t < high_ - plan_.within_ms;
      if (times.valid()[i] == 0 || late) {
        append(i);
        from = i + 1;
        if (late) {
          evaluation_.Report(t, "ROWTIME_OUT_OF_ORDER",
                             "the row is more than " + std::to_string(plan_.within_ms) +
                                 " ms older than the newest one");
        }
        continue;
      }
      Wait({t, rows_.end() + static_cast<uint64_t>(i - from)});
      high_ = std::max(high_, t);
    }
    append(batch.rows);
    if (high_ == INT64_MIN) return;
    Release(high_ - plan_.within_ms);
    EmitBound(high_ - plan_.within_ms);
  }
  void Advance(int, int64_t bound) override {
    if (bound != INT64_MAX) return;
    // The input has ended: what waits is complete.
    high_ = INT64_MAX;
    Release(INT64_MAX);
    EmitBound(bound);
  }
  void Save(std::string& out) const override {
    SaveInt(high_, out);
    std::vector<Waiting> all(order_.begin(), order_.end());
    all.insert(all.end(), heap_.begin(), heap_.end());
    std::sort(all.begin(), all.end());
    SaveInt(static_cast<int64_t>(all.size()), out);
    std::string bytes;
    for (const Waiting& row : all) {
      bytes.clear();
      rows_.Pack(row.number, input_columns_, bytes);
      SaveInt(row.time, out);
      SaveText(bytes, out);
    }
  }
  bool Restore(std::string_view& in) override {
    if (!RestoreInt(in, high_)) return false;
    return RestoreEachRow(in, [this](int64_t time, std::string_view bytes) {
      Wait({time, rows_.end()});
      rows_.AppendPacked(bytes, time, input_columns_);
    });
  }
  std::size_t StateBytes() const override {
    return rows_.bytes() + (order_.size() + heap_.size()) * sizeof(Waiting);
  }

 private:
  struct Waiting {
    int64_t time;
    uint64_t number;  // rows of one time go out as they came
    bool operator<(const Waiting& o) const {
      return time != o.time ? time < o.time : number < o.number;
    }
    bool operator>(const Waiting& o) const { return o < *this; }
  };

  void Wait(Waiting row) {
    if (order_.empty() || order_.back().time <= row.time) {
      order_.push_back(row);
    } else {
      heap_.push_back(row);
      std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
    }
  }
  void Release(int64_t until) {
    int count = 0;
    while (true) {
      const bool ordered = !order_.empty() && order_.front().time <= until;
      const bool heaped = !heap_.empty() && heap_.front().time <= until;
      if (!ordered && !heaped) break;
      Waiting row;
      if (ordered && (!heaped || order_.front() < heap_.front())) {
        row = order_.front();
        order_.pop_front();
      } else {
        std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
        row = heap_.back();
        heap_.pop_back();
      }
      numbers_[static_cast<std::size_t>(count)] = row.number;
      out_.rowtime()[count++] = row.time;
      if (count == kBatchRows) {
        Flush(count);
        count = 0;
      }
    }
    Flush(count);
    // Rows leave nearly in the order in which they came; a chunk goes when its last one has left.
    uint64_t oldest = order_.empty() ? rows_.end() : order_.front().number;
    if (!rows_.Frees(oldest)) return;
    for (const Waiting& row : heap_) oldest = std::min(oldest, row.number);
    rows_.DropBefore(oldest);
  }
  void Flush(int count) {
    if (count == 0) return;
    rows_.Read(numbers_.data(), count, input_columns_, out_, 0, 0);
    out_.set_rows(count);
    const Batch& all = out_.view();
    visible_.rows = all.rows;
    visible_.rowtime = all.rowtime;
    for (std::size_t c = 0; c < visible_.columns.size(); ++c) visible_.columns[c] = all.columns[c];
    Emit(visible_);
    out_.Clear();
  }

  const Plan& plan_;
  Evaluation evaluation_;
  int input_columns_;
  RowLog rows_;
  std::deque<Waiting> order_;
  std::vector<Waiting> heap_;
  std::vector<uint64_t> numbers_;
  RowBuffer out_;
  Batch visible_;
  int64_t high_ = INT64_MIN;
};

}  // namespace

std::unique_ptr<Operator> MakeSort(const Plan& plan, Runtime&, const std::string&) {
  return std::make_unique<SortOperator>(plan);
}
std::unique_ptr<Operator> MakeTimeSort(const Plan& plan, Runtime& runtime, const std::string& pump) {
  return std::make_unique<TimeSortOperator>(plan, runtime, pump);
}

}  // namespace millstream::sql
