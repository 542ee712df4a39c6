// Operators without windows: projection and filter, merging, limit, and what they share.
#include <algorithm>
#include <array>

#include "sql/cast.h"
#include "sql/operator.h"
#include "sql/row_log.h"

namespace millstream::sql {

EvalContext& Evaluation::Begin(const Batch& batch) {
  arena_.Reset();
  errors_.Clear();
  context_ = EvalContext{&batch, &arena_, &errors_, runtime_.clock->WallMs(),
                         runtime_.query_start_ms};
  return context_;
}

void Evaluation::Report(int64_t rowtime, const char* name, std::string message, std::string row) {
  if (!runtime_.on_error) return;
  ErrorRow error;
  error.time_ms = runtime_.clock->WallMs();
  error.name = name;
  error.message = std::move(message);
  error.data_rowtime = rowtime;
  static constexpr char kDigits[] = "0123456789ABCDEF";
  for (unsigned char c : row.substr(0, 24576)) {
    error.data_row += kDigits[c >> 4];
    error.data_row += kDigits[c & 15];
  }
  error.pump = pump_;
  runtime_.on_error(std::move(error));
}

std::vector<int> Evaluation::FailedRows() const {
  std::vector<int> rows;
  for (const RowErrors::Entry& e : errors_.entries()) rows.push_back(e.row);
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

void Evaluation::Report(const Batch& batch) {
  std::vector<uint8_t> told(static_cast<std::size_t>(batch.rows), 0);
  for (const RowErrors::Entry& e : errors_.entries()) {
    if (told[static_cast<std::size_t>(e.row)]++ != 0) continue;
    std::string row;
    for (const Vector* column : batch.columns) {
      if (!row.empty()) row += ',';
      if (column->valid()[e.row] == 0) continue;
      if (column->physical() == Physical::kString) {
        row += column->strings()[e.row];
      } else if (column->physical() == Physical::kDouble) {
        AppendDouble(column->doubles()[e.row], row);
      } else {
        row += std::to_string(column->ints()[e.row]);
      }
    }
    Report(batch.rowtime[e.row], e.name, e.message, row);
  }
}

void AppendKey(const Vector& column, int row, std::string& out) {
  bool valid = column.valid()[row] != 0;
  out.push_back(valid ? 1 : 0);
  if (!valid) return;
  if (column.physical() == Physical::kString) {
    std::string_view text = column.strings()[row];
    uint32_t size = static_cast<uint32_t>(text.size());
    out.append(reinterpret_cast<const char*>(&size), sizeof size);
    out.append(text);
  } else {
    int64_t bits = column.ints()[row];
    if (column.physical() == Physical::kDouble && column.doubles()[row] == 0) bits = 0;  // -0
    out.append(reinterpret_cast<const char*>(&bits), 8);
  }
}

namespace {

// Copies chosen rows of a batch into owned columns; only columns that are wanted.
class Gather {
 public:
  Gather(const std::vector<Physical>& columns, std::vector<uint8_t> wanted)
      : wanted_(std::move(wanted)), buffer_(columns) {}
  const Batch& Run(const Batch& batch, const int* rows, int count) {
    buffer_.Clear();
    for (std::size_t c = 0; c < batch.columns.size(); ++c) {
      if (!wanted_.empty() && wanted_[c] == 0) continue;
      Vector& to = buffer_.column(static_cast<int>(c));
      const Vector& from = *batch.columns[c];
      to.ClearNulls();
      if (from.physical() == Physical::kString) {
        for (int i = 0; i < count; ++i) to.strings()[i] = from.strings()[rows[i]];
      } else {
        for (int i = 0; i < count; ++i) to.ints()[i] = from.ints()[rows[i]];
      }
      if (from.has_nulls()) {
        for (int i = 0; i < count; ++i) to.valid()[i] = from.valid()[rows[i]];
        to.set_has_nulls(true);
      }
    }
    for (int i = 0; i < count; ++i) buffer_.rowtime()[i] = batch.rowtime[rows[i]];
    buffer_.set_rows(count);
    return buffer_.view();
  }

 private:
  std::vector<uint8_t> wanted_;
  RowBuffer buffer_;
};

class ProjectOperator final : public Operator {
 public:
  ProjectOperator(const Plan& plan, Runtime& runtime, const std::string& pump)
      : plan_(plan), evaluation_(runtime, pump) {
    const std::vector<PlanColumn>& input = plan.inputs[0]->columns;
    std::vector<uint8_t> wanted(input.size(), 0);
    auto want = [&](const ExprPtr& e) {
      VisitExpr(*e, [&](const Expr& x) {
        if (x.op == Expr::Op::kColumn) wanted[static_cast<std::size_t>(x.index)] = 1;
      });
    };
    for (const ExprPtr& e : plan.expressions) {
      kernels_.push_back(Compile(e));
      want(e);
    }
    if (plan.filter) filter_ = Compile(plan.filter);
    if (plan.rowtime) {
      rowtime_ = Compile(plan.rowtime);
      want(plan.rowtime);
    }
    if (plan.filter) selected_ = std::make_unique<Gather>(PhysicalColumns(input), wanted);
    good_ = std::make_unique<Gather>(PhysicalColumns(plan.columns), std::vector<uint8_t>());
    for (const PlanColumn& c : plan.columns) not_null_ |= c.not_null;
    out_.columns.resize(kernels_.size());
    rows_.resize(kBatchRows);
    times_.resize(kBatchRows);
    if (plan.rowtime) {
      bool pure = true;
      VisitExpr(*plan.rowtime, [&](const Expr& x) { pure &= x.op != Expr::Op::kColumn; });
      if (pure) rowtime_function_ = std::make_unique<RowtimeFunction>(plan.rowtime);
    }
  }

  void Push(int, const Batch& batch) override {
    const Batch* input = &batch;
    EvalContext& context = evaluation_.Begin(batch);
    if (filter_) {
      const Vector& keep = filter_->Evaluate(context);
      if (!evaluation_.errors().empty()) evaluation_.Report(batch);
      int count = 0;
      const int64_t* value = keep.ints();
      const uint8_t* valid = keep.valid();
      for (int i = 0; i < batch.rows; ++i) {
        rows_[static_cast<std::size_t>(count)] = i;
        count += valid[i] != 0 && value[i] != 0;
      }
      if (!evaluation_.errors().empty()) {
        int kept = 0;
        for (int k = 0; k < count; ++k) {
          if (!evaluation_.errors().failed(rows_[static_cast<std::size_t>(k)])) {
            rows_[static_cast<std::size_t>(kept++)] = rows_[static_cast<std::size_t>(k)];
          }
        }
        count = kept;
        evaluation_.errors().Clear();
      }
      if (count == 0) return EmitBound(BoundOf(batch.rowtime[batch.rows - 1]));
      if (count < batch.rows) {
        input = &selected_->Run(batch, rows_.data(), count);
        context.input = input;
      }
    }
    for (std::size_t c = 0; c < kernels_.size(); ++c) {
      out_.columns[c] = &kernels_[c]->Evaluate(context);
    }
    out_.rows = input->rows;
    out_.rowtime = input->rowtime;
    if (not_null_) CheckNotNull();
    if (rowtime_) {
      const Vector& times = rowtime_->Evaluate(context);
      for (int i = 0; i < input->rows; ++i) {
        int64_t t = times.ints()[i];
        if (evaluation_.errors().failed(i)) continue;
        if (times.valid()[i] == 0) {
          evaluation_.errors().Add(i, "ROWTIME_IS_NULL", "the row's ROWTIME is NULL");
        } else if (t < last_) {
          evaluation_.errors().Add(i, "ROWTIME_OUT_OF_ORDER",
                                   "ROWTIME goes back; sort with ORDER BY t WITHIN INTERVAL ...");
        } else {
          last_ = t;
        }
        times_[static_cast<std::size_t>(i)] = t;
      }
      out_.rowtime = times_.data();
    }
    int64_t bound = BoundOf(input->rowtime[input->rows - 1]);
    if (!evaluation_.errors().empty()) {
      // Reported with the input's values; the good rows go on.
      std::vector<uint8_t> bad(static_cast<std::size_t>(input->rows), 0);
      for (const RowErrors::Entry& e : evaluation_.errors().entries()) {
        bad[static_cast<std::size_t>(e.row)] = 1;
      }
      evaluation_.Report(*input);
      int count = 0;
      for (int i = 0; i < input->rows; ++i) {
        if (bad[static_cast<std::size_t>(i)] == 0) rows_[static_cast<std::size_t>(count++)] = i;
      }
      if (count > 0) Emit(good_->Run(out_, rows_.data(), count));
    } else {
      Emit(out_);
    }
    EmitBound(bound);
  }

  void Advance(int, int64_t bound) override { EmitBound(BoundOf(bound)); }
  void Save(std::string& out) const override { SaveInt(last_, out); }
  bool Restore(std::string_view& in) override { return RestoreInt(in, last_); }

 private:
  int64_t BoundOf(int64_t bound) {
    if (!rowtime_ || bound == INT64_MAX)
      return bound;  // the end of the input is that of its results
    if (rowtime_function_) {
      Value v = rowtime_function_->At(bound);
      return v.null ? last_ : std::max(last_, v.i);
    }
    return last_;
  }
  void CheckNotNull() {
    for (std::size_t c = 0; c < kernels_.size(); ++c) {
      if (!plan_.columns[c].not_null || !out_.columns[c]->has_nulls()) continue;
      for (int i = 0; i < out_.rows; ++i) {
        if (out_.columns[c]->valid()[i] == 0 && !evaluation_.errors().failed(i)) {
          evaluation_.errors().Add(i, "NOT_NULL_VIOLATION",
                                   "NULL in column " + plan_.columns[c].name + ", which is NOT NULL");
        }
      }
    }
  }

  const Plan& plan_;
  Evaluation evaluation_;
  std::vector<std::unique_ptr<Kernel>> kernels_;
  std::unique_ptr<Kernel> filter_, rowtime_;
  std::unique_ptr<RowtimeFunction> rowtime_function_;
  std::unique_ptr<Gather> selected_, good_;
  bool not_null_ = false;
  int64_t last_ = INT64_MIN;
  std::vector<int> rows_;
  std::vector<int64_t> times_;
  Batch out_;
};

// Whether some row may make the expression fail; yes, unless it is known not to.
bool MayFail(const Expr& e) {
  for (const ExprPtr& a : e.arguments) {
    if (MayFail(*a)) return true;
  }
  const bool floating = e.type.kind == Kind::kDouble;
  switch (e.op) {
    case Expr::Op::kColumn:
    case Expr::Op::kRowtime:
    case Expr::Op::kConstant:
    case Expr::Op::kAnd:
    case Expr::Op::kOr:
    case Expr::Op::kCase:
    case Expr::Op::kCoalesce:
      return false;
    case Expr::Op::kCast: {
      const Kind from = e.arguments[0]->type.kind;
      return from != Kind::kNull && !(floating && IsNumeric(from)) &&
             !(e.type.kind == Kind::kBigint && IsInteger(from)) &&
             !(e.type.kind == Kind::kVarchar && IsCharacter(from));
    }
    case Expr::Op::kCall: {
      static constexpr std::string_view kSafe[] = {"=",
                                                   "<>",
                                                   "<",
                                                   "<=",
                                                   ">",
                                                   ">=",
                                                   "IS NULL",
                                                   "IS TRUE",
                                                   "IS FALSE",
                                                   "NOT",
                                                   "IS DISTINCT FROM",
                                                   "MONOTONIC",
                                                   "FLOOR_TO",
                                                   "CEIL_TO",
                                                   "UNIX_TIMESTAMP"};
      static constexpr std::string_view kSafeOfDoubles[] = {"+", "-", "*"};
      const std::string_view name = e.function->name;
      if (std::find(std::begin(kSafe), std::end(kSafe), name) != std::end(kSafe)) return false;
      if (name == "STEP" && IsDatetime(e.type.kind)) return !IsConstant(*e.arguments[1]);
      return !floating || std::find(std::begin(kSafeOfDoubles), std::end(kSafeOfDoubles), name) ==
                              std::end(kSafeOfDoubles);
    }
    default:
      return true;
  }
}

class SieveOperator final : public Operator {
 public:
  SieveOperator(const Plan& plan, Runtime& runtime, const std::string& pump)
      : evaluation_(runtime, pump),
        good_(PhysicalColumns(plan.inputs[0]->columns), std::vector<uint8_t>()) {
    auto add = [&](const ExprPtr& e) {
      if (e != nullptr && MayFail(*e)) kernels_.push_back(Compile(e));
    };
    for (std::size_t k = 0; k < plan.keys.size(); ++k) {
      const bool time = std::find(plan.time_keys.begin(), plan.time_keys.end(),
                                  static_cast<int>(k)) != plan.time_keys.end();
      if (!time) add(plan.keys[k]);  // those of time are functions of ROWTIME
    }
    for (const AggregateCall& call : plan.calls) {
      add(call.argument);
      add(call.fallback);
    }
    for (const WindowPlan& window : plan.windows) {
      for (const ExprPtr& e : window.partition_by) add(e);
      for (const ExprPtr& e : window.order_by) add(e);
    }
  }
  bool empty() const { return kernels_.empty(); }

  void Push(int, const Batch& batch) override {
    EvalContext& context = evaluation_.Begin(batch);
    for (auto& kernel : kernels_) (void)kernel->Evaluate(context);
    if (evaluation_.errors().empty()) return Emit(batch);
    evaluation_.Report(batch);
    const std::vector<int> failed = evaluation_.FailedRows();
    std::vector<int> rows;
    for (int i = 0, next = 0; i < batch.rows; ++i) {
      if (next < static_cast<int>(failed.size()) && failed[static_cast<std::size_t>(next)] == i) {
        ++next;
      } else {
        rows.push_back(i);
      }
    }
    if (!rows.empty()) Emit(good_.Run(batch, rows.data(), static_cast<int>(rows.size())));
    EmitBound(batch.rowtime[batch.rows - 1]);
  }
  void Advance(int, int64_t bound) override { EmitBound(bound); }

 private:
  Evaluation evaluation_;
  Gather good_;
  std::vector<std::unique_ptr<Kernel>> kernels_;
};

// Several ascending inputs become one; the slowest input, or its bound, sets the pace. Of rows of
// one time those of the first port go first. Rows that are no later than the other inputs' bounds
// go on as they come; the others wait as columns.
class MergeOperator final : public Operator {
 public:
  MergeOperator(const std::vector<PlanColumn>& columns, int ports)
      : out_(PhysicalColumns(columns)), columns_(static_cast<int>(columns.size())) {
    for (int p = 0; p < ports; ++p) inputs_.emplace_back(PhysicalColumns(columns));
  }

  void Push(int port, const Batch& batch) override {
    Input& input = inputs_[static_cast<std::size_t>(port)];
    const int64_t last = batch.rowtime[batch.rows - 1];
    input.bound = std::max(input.bound, last);
    const bool waiting = std::any_of(inputs_.begin(), inputs_.end(),
                                     [](const Input& other) { return other.waits(); });
    if (!waiting && last <= Slowest()) {
      Emit(batch);
      EmitBound(Slowest());
      return;
    }
    input.log.Append(batch.columns, batch.rowtime, 0, batch.rows);
    Release();
  }
  void Advance(int port, int64_t bound) override {
    Input& input = inputs_[static_cast<std::size_t>(port)];
    input.bound = std::max(input.bound, bound);
    Release();
  }
  void Save(std::string& out) const override {
    for (const Input& input : inputs_) {
      SaveInt(input.bound, out);
      SaveRows(input.log, input.next, columns_, out);
    }
  }
  bool Restore(std::string_view& in) override {
    for (Input& input : inputs_) {
      if (!RestoreInt(in, input.bound) || !RestoreRows(in, input.log, columns_)) return false;
    }
    return true;
  }
  std::size_t StateBytes() const override {
    std::size_t bytes = 0;
    for (const Input& input : inputs_) bytes += input.log.bytes();
    return bytes;
  }

 private:
  struct Input {
    explicit Input(std::vector<Physical> columns) : log(std::move(columns)) {}
    bool waits() const { return next < log.end(); }
    int64_t time() const { return waits() ? log.rowtime(next) : INT64_MAX; }

    RowLog log;
    uint64_t next = 0;  // the first row that waits
    int64_t bound = INT64_MIN;
  };

  int64_t Slowest() const {
    int64_t slowest = INT64_MAX;
    for (const Input& input : inputs_) slowest = std::min(slowest, input.bound);
    return slowest;
  }
  void Release() {
    const int64_t slowest = Slowest();
    while (true) {
      Input* first = nullptr;
      for (Input& input : inputs_) {
        if (input.waits() && (first == nullptr || input.time() < first->time())) first = &input;
      }
      if (first == nullptr || first->time() > slowest) break;
      // How far it may go on: to the other inputs' next rows.
      int64_t until = slowest;
      for (const Input& other : inputs_) {
        if (&other == first || !other.waits()) continue;
        until = std::min(until, &other < first ? other.time() - 1 : other.time());
      }
      Take(*first, until);
    }
    Flush();
    EmitBound(slowest);
  }
  void Take(Input& input, int64_t until) {
    const int row = out_.rows();
    int count = 0;
    while (input.waits() && row + count < kBatchRows && input.log.rowtime(input.next) <= until) {
      numbers_[static_cast<std::size_t>(count++)] = input.next;
      out_.Commit(input.log.rowtime(input.next++));
    }
    input.log.Read(numbers_.data(), count, columns_, out_, row, 0);
    if (out_.full()) Flush();
  }
  void Flush() {
    if (out_.rows() == 0) return;
    Emit(out_.view());
    out_.Clear();
    for (Input& input : inputs_) input.log.DropBefore(input.next);  // out_ had texts of theirs
  }

  std::vector<Input> inputs_;
  std::array<uint64_t, kBatchRows> numbers_;
  RowBuffer out_;
  int columns_;
};

class LimitOperator final : public Operator {
 public:
  explicit LimitOperator(const Plan& plan) : left_(plan.limit) {}
  void Push(int, const Batch& batch) override {
    Batch part = batch;
    part.rows = static_cast<int>(std::min<int64_t>(left_, batch.rows));
    left_ -= part.rows;
    Emit(part);
    EmitBound(batch.rowtime[batch.rows - 1]);
  }
  void Advance(int, int64_t bound) override { EmitBound(bound); }
  void Save(std::string& out) const override { SaveInt(left_, out); }
  bool Restore(std::string_view& in) override { return RestoreInt(in, left_); }

 private:
  int64_t left_;
};

}  // namespace

std::unique_ptr<Operator> MakeSieve(const Plan& plan, Runtime& runtime, const std::string& pump) {
  switch (plan.kind) {
    case Plan::Kind::kAggregate:
    case Plan::Kind::kStagger:
    case Plan::Kind::kWindow:
    case Plan::Kind::kRank:
    case Plan::Kind::kWindowAggregate:
      break;
    default:
      return nullptr;
  }
  auto sieve = std::make_unique<SieveOperator>(plan, runtime, pump);
  if (sieve->empty()) return nullptr;
  return sieve;
}
std::unique_ptr<Operator> MakeProject(const Plan& plan, Runtime& runtime, const std::string& pump) {
  return std::make_unique<ProjectOperator>(plan, runtime, pump);
}
std::unique_ptr<Operator> MakeMerge(const std::vector<PlanColumn>& columns, int ports) {
  return std::make_unique<MergeOperator>(columns, ports);
}
std::unique_ptr<Operator> MakeLimit(const Plan& plan) {
  return std::make_unique<LimitOperator>(plan);
}

}  // namespace millstream::sql
