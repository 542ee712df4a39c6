// Joins of streams over windows, of latest rows, and of streams with reference tables.
#include <algorithm>
#include <array>
#include <utility>

#include "sql/hash.h"
#include "sql/operator.h"
#include "sql/row_log.h"

namespace millstream::sql {

namespace {

using Window = JoinSide::Window;

// The rows of one side that share a hash are chained, the newest first. Rows leave in the order in
// which they came, so a chain ends where it reaches a row that has left: nothing is ever unlinked.
class Chains {
 public:
  // Heads by hash, whose lowest bit is always set: the number of the newest row, plus one.
  uint64_t Head(uint64_t hash) const { return heads_[(hash >> 1) & mask_]; }
  // Returns what the row chains to.
  uint64_t Add(uint64_t hash, uint64_t number) {
    return std::exchange(heads_[(hash >> 1) & mask_], number + 1);
  }
  bool Full(uint64_t rows) const { return rows > mask_; }
  void Reset(uint64_t rows) {
    std::size_t size = 16;
    while (size < 2 * rows) size *= 2;
    heads_.assign(size, 0);
    mask_ = size - 1;
  }
  std::size_t bytes() const { return heads_.size() * sizeof(uint64_t); }

 private:
  std::vector<uint64_t> heads_ = std::vector<uint64_t>(16);
  uint64_t mask_ = 15;
};

// Rows of both inputs are processed in the order of ROWTIME (the left first among equals); a row
// meets what the other side's window holds at that moment. Invariant: a row is processed only when
// the other input's bound has reached its time, so results ascend.
//
// Each side keeps one log: the rows of its window, then those that wait for the other input. Pairs
// are found by the hashes of their keys, collected, and judged by the whole condition together.
class JoinOperator final : public Operator {
 public:
  JoinOperator(const Plan& plan, Runtime& runtime, const std::string& pump,
               std::vector<std::string> table_rows[2])
      : evaluation_(runtime, pump), out_(PhysicalColumns(plan.columns)) {
    for (int s = 0; s < 2; ++s) {
      const std::vector<PlanColumn>& columns = plan.inputs[static_cast<std::size_t>(s)]->columns;
      Side& side = sides_[s];
      side.columns = static_cast<int>(columns.size());
      std::vector<Physical> kept = PhysicalColumns(columns);
      kept.insert(kept.end(), kMarks, Physical::kInt);
      side.log = std::make_unique<RowLog>(std::move(kept));
      side.window = plan.sides[s];
      side.scratch.Init(PhysicalColumns(columns));
      side.preserved = plan.join == ast::JoinKind::kFull ||
                       (s == 0 ? plan.join == ast::JoinKind::kLeft : plan.join == ast::JoinKind::kRight);
      for (const auto& [l, r] : plan.equal) side.keys.push_back(Compile(s == 0 ? l : r));
      if (side.window.window == Window::kTable) side.bound = INT64_MAX;
    }
    remembers_ = sides_[0].preserved || sides_[1].preserved;
    for (Vector& v : marks_) v.Init(Physical::kInt);
    if (plan.filter) filter_ = Compile(plan.filter);
    for (int s = 0; s < 2; ++s) {
      for (const std::string& bytes : table_rows[s]) Store(s, INT64_MIN, bytes, false);
    }
  }

  void SetTable(int port, std::vector<std::string> rows) override {
    Side& side = sides_[port];
    side.log->Clear();
    side.next = side.log->end();
    side.chains.Reset(rows.size());
    for (const std::string& bytes : rows) Store(port, INT64_MIN, bytes, false);
  }

  void Push(int port, const Batch& batch) override {
    Side& side = sides_[port];
    Hash(side, batch);
    std::vector<const Vector*> columns = batch.columns;
    for (const Vector& v : marks_) columns.push_back(&v);
    side.log->Append(columns, batch.rowtime, 0, batch.rows);
    Advance(port, batch.rowtime[batch.rows - 1]);
  }

  void Advance(int port, int64_t bound) override {
    sides_[port].bound = std::max(sides_[port].bound, bound);
    Side &l = sides_[0], &r = sides_[1];
    while (true) {
      const int64_t left = l.waits() ? l.log->rowtime(l.next) : INT64_MAX;
      const int64_t right = r.waits() ? r.log->rowtime(r.next) : INT64_MAX;
      if (l.waits() && left <= r.bound && left <= right) {
        Process(0, left);
      } else if (r.waits() && right <= l.bound && right < left) {
        Process(1, right);
      } else {
        break;
      }
    }
    int64_t both = std::min(l.bound, r.bound);
    if (!l.waits() && !r.waits()) Expire(both);
    Flush();
    EmitBound(both);
  }

  void Save(std::string& out) const override {
    std::string bytes;
    for (const Side& side : sides_) {
      if (side.window.window == Window::kTable) continue;
      SaveInt(side.bound, out);
      for (bool waiting : {true, false}) {
        const uint64_t from = waiting ? side.next : side.log->first();
        const uint64_t to = waiting ? side.log->end() : side.next;
        SaveInt(static_cast<int64_t>(to - from), out);
        for (uint64_t n = from; n < to; ++n) {
          SaveInt(side.log->rowtime(n), out);
          SaveInt(MarkOf(side, n, kMatched) != 0 ? 1 : 0, out);
          bytes.clear();
          side.log->Pack(n, side.columns, bytes);
          SaveText(bytes, out);
        }
      }
    }
  }
  bool Restore(std::string_view& in) override {
    for (int s = 0; s < 2; ++s) {
      Side& side = sides_[s];
      if (side.window.window == Window::kTable) continue;
      if (!RestoreInt(in, side.bound)) return false;
      std::vector<StoredRow> waiting;
      for (bool waits : {true, false}) {
        int64_t n = 0;
        if (!RestoreInt(in, n)) return false;
        for (int64_t i = 0; i < n; ++i) {
          int64_t t = 0, matched = 0;
          std::string_view bytes;
          if (!RestoreInt(in, t) || !RestoreInt(in, matched) || !RestoreText(in, bytes)) return false;
          if (waits) {
            waiting.push_back({t, std::string(bytes)});
          } else {
            Store(s, t, bytes, matched != 0);
          }
        }
      }
      for (const StoredRow& row : waiting) AppendPacked(side, row.rowtime, row.bytes);
    }
    return true;
  }
  std::size_t StateBytes() const override {
    std::size_t bytes = 0;
    for (const Side& side : sides_) bytes += side.log->bytes() + side.chains.bytes();
    return bytes;
  }

 private:
  // What the log holds of a row behind its columns. A hash of 0: a key is NULL, which equals nothing.
  enum Mark { kHash, kChain, kMatched, kMarks };

  struct Side {
    int columns = 0;
    JoinSide window;
    bool preserved = false;
    int64_t bound = INT64_MIN;
    std::unique_ptr<RowLog> log;
    uint64_t next = 0;  // the first row that waits; those before it are the window
    Chains chains;
    std::vector<std::unique_ptr<Kernel>> keys;
    RowBuffer scratch;

    bool waits() const { return next < log->end(); }
  };

  static int64_t MarkOf(const Side& side, uint64_t n, Mark mark) {
    return side.log->column(n, side.columns + mark).ints()[RowLog::RowOf(n)];
  }
  static void SetMark(Side& side, uint64_t n, Mark mark, int64_t value) {
    side.log->column(n, side.columns + mark).ints()[RowLog::RowOf(n)] = value;
  }

  // The hashes of a batch's keys, into marks_.
  void Hash(Side& side, const Batch& batch) {
    const std::size_t n = static_cast<std::size_t>(batch.rows);
    std::memset(marks_[kChain].ints(), 0, n * sizeof(int64_t));
    std::memset(marks_[kMatched].ints(), 0, n * sizeof(int64_t));
    auto* hash = reinterpret_cast<uint64_t*>(marks_[kHash].ints());
    std::fill_n(hash, n, kHashSeed1);
    if (side.keys.empty()) return;
    EvalContext& context = evaluation_.Begin(batch);
    for (auto& kernel : side.keys) {
      const Vector& v = kernel->Evaluate(context);
      const uint8_t* valid = v.valid();
      for (std::size_t i = 0; i < n; ++i) {
        if (hash[i] == 0) continue;
        uint64_t bits = 0;
        switch (v.physical()) {
          case Physical::kString: bits = valid[i] != 0 ? HashText(v.strings()[i]) : 0; break;
          case Physical::kDouble: {
            const double d = v.doubles()[i] == 0 ? 0 : v.doubles()[i];  // -0
            std::memcpy(&bits, &d, sizeof bits);
            break;
          }
          case Physical::kInt: bits = static_cast<uint64_t>(v.ints()[i]); break;
        }
        hash[i] = valid[i] == 0 ? 0 : MixHash(hash[i] ^ bits, kHashSeed2) | 1;
      }
    }
  }

  void AppendPacked(Side& side, int64_t rowtime, std::string_view bytes) {
    const uint64_t n = side.log->end();
    side.scratch.Clear();
    ReadRow(bytes, side.scratch, 0, 0, side.columns);
    side.scratch.Commit(rowtime);
    Hash(side, side.scratch.view());
    side.log->AppendPacked(bytes, rowtime, side.columns);
    SetMark(side, n, kHash, marks_[kHash].ints()[0]);
  }

  // A row of a table or a checkpoint, behind those of the window.
  void Store(int s, int64_t rowtime, std::string_view bytes, bool matched) {
    Side& side = sides_[s];
    AppendPacked(side, rowtime, bytes);
    SetMark(side, side.next, kMatched, matched ? 1 : 0);
    Enter(side);
  }

  // The first row that waits becomes the last one of the window.
  void Enter(Side& side) {
    const uint64_t n = side.next++;
    if (side.keys.empty()) return;
    const uint64_t first = side.log->first();
    if (side.chains.Full(side.next - first)) {
      side.chains.Reset(2 * (side.next - first));
      for (uint64_t i = first; i < n; ++i) Link(side, i);
    }
    Link(side, n);
  }
  void Link(Side& side, uint64_t n) {
    const auto hash = static_cast<uint64_t>(MarkOf(side, n, kHash));
    if (hash != 0) SetMark(side, n, kChain, static_cast<int64_t>(side.chains.Add(hash, n)));
  }

  void Drop(int s, int64_t unmatched_time) {
    Side& side = sides_[s];
    const uint64_t n = side.log->first();
    if (side.preserved && MarkOf(side, n, kMatched) == 0) EmitUnmatched(s, n, unmatched_time);
    if (side.log->Frees(n + 1)) Flush();
    side.log->DropBefore(n + 1);
  }

  // Rows that leave their windows before `t`, the earlier first.
  void Expire(int64_t t) {
    if (t == INT64_MIN) return;
    while (true) {
      int next = -1;
      int64_t when = INT64_MAX;
      for (int s = 0; s < 2; ++s) {
        const Side& side = sides_[s];
        if (side.window.window != Window::kRange || side.log->first() == side.next) continue;
        int64_t leaves = side.log->rowtime(side.log->first()) + side.window.size;
        if (leaves < t && leaves < when) {
          next = s;
          when = leaves;
        }
      }
      if (next < 0) return;
      Drop(next, when);
    }
  }

  // The first row that waits on side `s` meets the other side's window and enters its own.
  void Process(int s, int64_t t) {
    Side &side = sides_[s], &other = sides_[1 - s];
    Expire(t);
    const uint64_t n = side.next;
    Probe(s, n, t);
    switch (side.window.window) {
      case Window::kRange: Enter(side); break;
      case Window::kRows:
        Enter(side);
        while (static_cast<int64_t>(side.next - side.log->first()) > side.window.size + 1) Drop(s, t);
        break;
      case Window::kLatest:
      case Window::kLatestTime: {
        if (side.preserved && MarkOf(side, n, kMatched) == 0) {
          EmitUnmatched(s, n, t);
          SetMark(side, n, kMatched, 1);
        }
        if (other.window.window == Window::kTable) {  // nothing will ask for it
          ++side.next;
          Drop(s, t);
          break;
        }
        bool keep = side.window.window == Window::kLatestTime;
        while (side.log->first() < n && (!keep || side.log->rowtime(side.log->first()) < t)) Drop(s, t);
        Enter(side);
        break;
      }
      case Window::kTable: break;
    }
  }

  void Probe(int s, uint64_t n, int64_t t) {
    Side &side = sides_[s], &other = sides_[1 - s];
    const uint64_t first = other.log->first();
    if (side.keys.empty()) {
      for (uint64_t m = first; m < other.next; ++m) Pair(s, n, m, t);
    } else {
      const auto hash = static_cast<uint64_t>(MarkOf(side, n, kHash));
      if (hash == 0) return;
      candidates_.clear();
      for (uint64_t m = other.chains.Head(hash); m > first;
           m = static_cast<uint64_t>(MarkOf(other, m - 1, kChain))) {
        if (static_cast<uint64_t>(MarkOf(other, m - 1, kHash)) == hash) candidates_.push_back(m - 1);
      }
      for (auto m = candidates_.rbegin(); m != candidates_.rend(); ++m) Pair(s, n, *m, t);
    }
    if (remembers_) Flush();
  }

  void Pair(int s, uint64_t n, uint64_t match, int64_t t) {
    pairs_[0].push_back(s == 0 ? n : match);
    pairs_[1].push_back(s == 0 ? match : n);
    out_.Commit(t);
    if (out_.full()) Flush();
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

  // Emits those of the collected pairs that meet the condition.
  void Flush() {
    const int count = out_.rows();
    if (count == 0) return;
    for (int s = 0; s < 2; ++s) {
      sides_[s].log->Read(pairs_[s].data(), count, sides_[s].columns, out_, 0, s == 0 ? 0 : sides_[0].columns);
    }
    for (int i = 0; i < count; ++i) {
      const std::size_t at = static_cast<std::size_t>(i);
      SetTimes(i, sides_[0].log->rowtime(pairs_[0][at]), sides_[1].log->rowtime(pairs_[1][at]));
    }
    const Batch& pairs = out_.view();
    int kept = count;
    if (filter_) {
      EvalContext& context = evaluation_.Begin(pairs);
      const Vector& keep = filter_->Evaluate(context);
      if (!evaluation_.errors().empty()) evaluation_.Report(pairs);
      kept = 0;
      for (int i = 0; i < count; ++i) {
        if (keep.valid()[i] == 0 || keep.ints()[i] == 0) continue;
        kept_[static_cast<std::size_t>(kept++)] = i;
      }
      if (kept < count) {
        for (int c = 0; c < static_cast<int>(pairs.columns.size()); ++c) {
          for (int k = 0; k < kept; ++k) {
            out_.column(c).CopyRow(k, out_.column(c), kept_[static_cast<std::size_t>(k)]);
          }
        }
        for (int k = 0; k < kept; ++k) out_.rowtime()[k] = out_.rowtime()[kept_[static_cast<std::size_t>(k)]];
        out_.set_rows(kept);
      }
    }
    if (remembers_) {
      for (int k = 0; k < kept; ++k) {
        const auto at = static_cast<std::size_t>(kept < count ? kept_[static_cast<std::size_t>(k)] : k);
        for (int s = 0; s < 2; ++s) SetMark(sides_[s], pairs_[s][at], kMatched, 1);
      }
    }
    if (kept > 0) Emit(out_.view());
    out_.Clear();
    for (auto& numbers : pairs_) numbers.clear();
  }

  void EmitUnmatched(int s, uint64_t n, int64_t t) {
    Flush();
    const Side& side = sides_[s];
    int first = s == 0 ? 0 : sides_[0].columns;
    int null_first = s == 0 ? sides_[0].columns : 0;
    side.log->Read(&n, 1, side.columns, out_, 0, first);
    for (int c = 0; c < sides_[1 - s].columns; ++c) out_.column(null_first + c).SetNull(0);
    const int64_t rowtime = side.log->rowtime(n);
    SetTimes(0, s == 0 ? rowtime : INT64_MIN, s == 1 ? rowtime : INT64_MIN);
    out_.Commit(t);
    Emit(out_.view());
    out_.Clear();
  }

  Evaluation evaluation_;
  Side sides_[2];
  bool remembers_ = false;  // which rows have met one: of outer joins
  Vector marks_[kMarks];
  std::unique_ptr<Kernel> filter_;
  std::vector<uint64_t> candidates_;
  std::vector<uint64_t> pairs_[2];  // rows of both sides, as many as out_ has times
  std::array<int, kBatchRows> kept_;
  RowBuffer out_;
};

}  // namespace

std::unique_ptr<Operator> MakeJoin(const Plan& plan, Runtime& runtime, const std::string& pump,
                                   std::vector<std::string> table_rows[2]) {
  return std::make_unique<JoinOperator>(plan, runtime, pump, table_rows);
}

}  // namespace millstream::sql
