// Joins of streams over windows, of latest rows, and of streams with reference tables.
#include <algorithm>
#include <deque>
#include <unordered_map>

#include "sql/operator.h"

namespace millstream::sql {

namespace {

using Window = JoinSide::Window;

// Rows of both inputs are processed in the order of ROWTIME (the left first among equals); a row
// meets what the other side's window holds at that moment. Invariant: a row is processed only when
// the other input's bound has reached its time, so results ascend.
class JoinOperator final : public Operator {
 public:
  JoinOperator(const Plan& plan, Runtime& runtime, const std::string& pump,
               std::vector<std::string> table_rows[2])
      : plan_(plan), evaluation_(runtime, pump), out_(PhysicalColumns(plan.columns)) {
    for (int s = 0; s < 2; ++s) {
      Side& side = sides_[s];
      side.columns = static_cast<int>(plan.inputs[static_cast<std::size_t>(s)]->columns.size());
      side.window = plan.sides[s];
      side.scratch.Init(PhysicalColumns(plan.inputs[static_cast<std::size_t>(s)]->columns));
      side.preserved = plan.join == ast::JoinKind::kFull ||
                       (s == 0 ? plan.join == ast::JoinKind::kLeft : plan.join == ast::JoinKind::kRight);
      for (const auto& [l, r] : plan.equal) side.keys.push_back(Compile(s == 0 ? l : r));
      if (side.window.window == Window::kTable) side.bound = INT64_MAX;
    }
    if (plan.filter) filter_ = Compile(plan.filter);
    for (int s = 0; s < 2; ++s) {
      for (std::string& bytes : table_rows[s]) Store(s, Row{INT64_MIN, std::move(bytes), {}, false});
    }
  }

  void SetTable(int port, std::vector<std::string> rows) override {
    Side& side = sides_[port];
    for (const Row& row : side.rows) bytes_ -= BytesOf(row);
    side.rows.clear();
    side.index.clear();
    side.first = 0;
    for (std::string& bytes : rows) Store(port, Row{INT64_MIN, std::move(bytes), {}, false});
  }

  void Push(int port, const Batch& batch) override {
    Side& side = sides_[port];
    for (int i = 0; i < batch.rows; ++i) {
      Row row{batch.rowtime[i], {}, {}, false};
      AppendRow(batch, i, row.bytes);
      bytes_ += BytesOf(row);
      side.queue.push_back(std::move(row));
    }
    Advance(port, batch.rowtime[batch.rows - 1]);
  }

  void Advance(int port, int64_t bound) override {
    sides_[port].bound = std::max(sides_[port].bound, bound);
    while (true) {
      Side &l = sides_[0], &r = sides_[1];
      bool left_ready = !l.queue.empty() && l.queue.front().rowtime <= r.bound;
      bool right_ready = !r.queue.empty() && r.queue.front().rowtime <= l.bound;
      if (left_ready && !r.queue.empty() && r.queue.front().rowtime < l.queue.front().rowtime) {
        left_ready = false;
      }
      if (right_ready && !l.queue.empty() && l.queue.front().rowtime <= r.queue.front().rowtime) {
        right_ready = false;
      }
      if (left_ready) {
        Process(0);
      } else if (right_ready) {
        Process(1);
      } else {
        break;
      }
    }
    int64_t both = std::min(sides_[0].bound, sides_[1].bound);
    if (sides_[0].queue.empty() && sides_[1].queue.empty()) Expire(both);
    Flush();
    EmitBound(both);
  }

  void Save(std::string& out) const override {
    for (const Side& side : sides_) {
      if (side.window.window == Window::kTable) continue;
      SaveInt(side.bound, out);
      for (const std::deque<Row>* rows : {&side.queue, &side.rows}) {
        SaveInt(static_cast<int64_t>(rows->size()), out);
        for (const Row& row : *rows) {
          SaveInt(row.rowtime, out);
          SaveInt(row.matched ? 1 : 0, out);
          SaveText(row.bytes, out);
        }
      }
    }
  }
  bool Restore(std::string_view& in) override {
    for (int s = 0; s < 2; ++s) {
      Side& side = sides_[s];
      if (side.window.window == Window::kTable) continue;
      if (!RestoreInt(in, side.bound)) return false;
      for (bool queue : {true, false}) {
        int64_t n = 0;
        if (!RestoreInt(in, n)) return false;
        for (int64_t i = 0; i < n; ++i) {
          int64_t t = 0, matched = 0;
          std::string_view bytes;
          if (!RestoreInt(in, t) || !RestoreInt(in, matched) || !RestoreText(in, bytes)) return false;
          Row row{t, std::string(bytes), {}, matched != 0};
          if (queue) {
            bytes_ += BytesOf(row);
            side.queue.push_back(std::move(row));
          } else {
            Store(s, std::move(row));
          }
        }
      }
    }
    return true;
  }
  std::size_t StateBytes() const override { return bytes_; }

 private:
  struct Row {
    int64_t rowtime;
    std::string bytes;
    std::string key;
    bool matched;
  };
  struct Side {
    int columns = 0;
    JoinSide window;
    bool preserved = false;
    int64_t bound = INT64_MIN;
    std::deque<Row> queue;  // waiting for the other input
    std::deque<Row> rows;   // the window
    uint64_t first = 0;     // number of rows.front()
    std::unordered_map<std::string, std::deque<uint64_t>> index;
    std::vector<std::unique_ptr<Kernel>> keys;
    RowBuffer scratch;
  };

  // A key stands in the index too, with the row's number.
  static std::size_t BytesOf(const Row& row) {
    return kEntryBytes + row.bytes.size() + (row.key.empty() ? 0 : kEntryBytes + 2 * row.key.size());
  }

  // False: a key is NULL, which equals nothing.
  bool KeyOf(int s, const Row& row, std::string& key) {
    Side& side = sides_[s];
    side.scratch.Clear();
    ReadRow(row.bytes, side.scratch, 0, 0, side.columns);
    side.scratch.Commit(row.rowtime);
    EvalContext& context = evaluation_.Begin(side.scratch.view());
    key.clear();
    bool value = true;
    for (auto& kernel : side.keys) {
      const Vector& v = kernel->Evaluate(context);
      value &= v.valid()[0] != 0;
      AppendKey(v, 0, key);
    }
    return value;
  }

  void Store(int s, Row row) {
    Side& side = sides_[s];
    if (!side.keys.empty()) {
      if (KeyOf(s, row, row.key)) {
        side.index[row.key].push_back(side.first + side.rows.size());
      } else {
        row.key.clear();
      }
    }
    bytes_ += BytesOf(row);
    side.rows.push_back(std::move(row));
  }

  void Drop(int s, int64_t unmatched_time) {
    Side& side = sides_[s];
    Row& row = side.rows.front();
    if (side.preserved && !row.matched) EmitUnmatched(s, row, unmatched_time);
    if (!side.keys.empty() && !row.key.empty()) {
      auto it = side.index.find(row.key);
      if (it != side.index.end()) {
        it->second.pop_front();
        if (it->second.empty()) side.index.erase(it);
      }
    }
    bytes_ -= BytesOf(row);
    side.rows.pop_front();
    ++side.first;
  }

  // Rows that leave their windows before `t`, the earlier first.
  void Expire(int64_t t) {
    if (t == INT64_MIN) return;
    while (true) {
      int next = -1;
      int64_t when = INT64_MAX;
      for (int s = 0; s < 2; ++s) {
        const Side& side = sides_[s];
        if (side.window.window != Window::kRange || side.rows.empty()) continue;
        int64_t leaves = side.rows.front().rowtime + side.window.size;
        if (leaves < t && leaves < when) {
          next = s;
          when = leaves;
        }
      }
      if (next < 0) return;
      Drop(next, when);
    }
  }

  void Process(int s) {
    Side &side = sides_[s], &other = sides_[1 - s];
    bytes_ -= BytesOf(side.queue.front());
    Row row = std::move(side.queue.front());
    side.queue.pop_front();
    int64_t t = row.rowtime;
    Expire(t);
    row.matched = Probe(s, row);
    switch (side.window.window) {
      case Window::kRange: Store(s, std::move(row)); break;
      case Window::kRows:
        Store(s, std::move(row));
        while (static_cast<int64_t>(side.rows.size()) > side.window.size + 1) Drop(s, t);
        break;
      case Window::kLatest:
      case Window::kLatestTime: {
        if (side.preserved && !row.matched) {
          EmitUnmatched(s, row, t);
          row.matched = true;
        }
        if (other.window.window == Window::kTable) break;  // nothing will ask for it
        bool keep = side.window.window == Window::kLatestTime;
        while (!side.rows.empty() && (!keep || side.rows.front().rowtime < t)) Drop(s, t);
        Store(s, std::move(row));
        break;
      }
      case Window::kTable: break;
    }
  }

  bool Probe(int s, const Row& row) {
    Side &side = sides_[s], &other = sides_[1 - s];
    bool matched = false;
    candidates_.clear();
    if (!side.keys.empty()) {
      if (!KeyOf(s, row, key_)) return false;
      auto it = other.index.find(key_);
      if (it == other.index.end()) return false;
      candidates_.assign(it->second.begin(), it->second.end());
    } else {
      for (std::size_t i = 0; i < other.rows.size(); ++i) candidates_.push_back(other.first + i);
    }
    Flush();  // the candidate pairs are built in the output buffer
    for (std::size_t from = 0; from < candidates_.size(); from += kBatchRows) {
      std::size_t to = std::min(candidates_.size(), from + kBatchRows);
      for (std::size_t c = from; c < to; ++c) {
        Row& match = other.rows[candidates_[c] - other.first];
        const Row& left = s == 0 ? row : match;
        const Row& right = s == 0 ? match : row;
        int at = out_.rows();
        ReadRow(left.bytes, out_, at, 0, sides_[0].columns);
        ReadRow(right.bytes, out_, at, sides_[0].columns, sides_[1].columns);
        SetTimes(at, left.rowtime, right.rowtime);
        out_.Commit(row.rowtime);
      }
      matched |= EmitMatching(from, other);
    }
    return matched;
  }

  void SetTimes(int at, int64_t left, int64_t right) {
    int n = sides_[0].columns + sides_[1].columns;
    for (int s = 0; s < 2; ++s) {
      Vector& v = out_.column(n + s);
      int64_t t = s == 0 ? left : right;
      v.valid()[at] = 1;
      v.ints()[at] = t;
      if (t == INT64_MIN) v.SetNull(at);
    }
  }

  // Keeps of the candidate pairs in out_ those that meet the condition.
  bool EmitMatching(std::size_t first, Side& other) {
    const Batch& pairs = out_.view();
    bool any = false;
    if (filter_) {
      EvalContext& context = evaluation_.Begin(pairs);
      const Vector& keep = filter_->Evaluate(context);
      if (!evaluation_.errors().empty()) evaluation_.Report(pairs);
      int kept = 0;
      for (int i = 0; i < pairs.rows; ++i) {
        if (keep.valid()[i] == 0 || keep.ints()[i] == 0) continue;
        other.rows[candidates_[first + static_cast<std::size_t>(i)] - other.first].matched = true;
        if (kept != i) {
          for (int c = 0; c < static_cast<int>(pairs.columns.size()); ++c) {
            out_.column(c).CopyRow(kept, out_.column(c), i);
          }
          out_.rowtime()[kept] = out_.rowtime()[i];
        }
        ++kept;
      }
      out_.set_rows(kept);
      any = kept > 0;
    } else {
      for (int i = 0; i < pairs.rows; ++i) {
        other.rows[candidates_[first + static_cast<std::size_t>(i)] - other.first].matched = true;
      }
      any = pairs.rows > 0;
    }
    Flush();
    return any;
  }

  void EmitUnmatched(int s, const Row& row, int64_t t) {
    int at = out_.rows();
    int first = s == 0 ? 0 : sides_[0].columns;
    int null_first = s == 0 ? sides_[0].columns : 0;
    ReadRow(row.bytes, out_, at, first, sides_[s].columns);
    for (int c = 0; c < sides_[1 - s].columns; ++c) out_.column(null_first + c).SetNull(at);
    SetTimes(at, s == 0 ? row.rowtime : INT64_MIN, s == 1 ? row.rowtime : INT64_MIN);
    out_.Commit(t);
    Flush();
  }

  void Flush() {
    if (out_.rows() > 0) Emit(out_.view());
    out_.Clear();
  }

  const Plan& plan_;
  Evaluation evaluation_;
  Side sides_[2];
  std::unique_ptr<Kernel> filter_;
  std::vector<uint64_t> candidates_;
  std::string key_;
  RowBuffer out_;
  std::size_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<Operator> MakeJoin(const Plan& plan, Runtime& runtime, const std::string& pump,
                                   std::vector<std::string> table_rows[2]) {
  return std::make_unique<JoinOperator>(plan, runtime, pump, table_rows);
}

}  // namespace millstream::sql
