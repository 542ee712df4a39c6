#include "sql/expression.h"

#include <algorithm>

#include "sql/cast.h"
#include "sql/operator.h"
#include "sql/table_lookup.h"

namespace millstream::sql {

namespace {

bool AllConstant(const std::vector<ExprPtr>& arguments) {
  return std::all_of(arguments.begin(), arguments.end(),
                     [](const ExprPtr& e) { return e->op == Expr::Op::kConstant; });
}

// A constant instead of an expression over constants, unless computing it fails: then it fails per
// row, where CASE may avoid it.
ExprPtr Fold(const ExprPtr& e) {
  if (!AllConstant(e->arguments)) return e;
  if (e->op == Expr::Op::kCall && !e->function->constant) return e;
  if (e->op == Expr::Op::kCast &&
      (e->type.kind == Kind::kTimestamp && e->arguments[0]->type.kind == Kind::kTime)) {
    return e;  // takes the day from the clock
  }
  try {
    auto folded = std::make_shared<Expr>();
    folded->op = Expr::Op::kConstant;
    folded->value = EvaluateConstant(e);
    folded->type = e->type;
    folded->value.type = e->type;
    folded->at = e->at;
    return folded;
  } catch (const SqlError&) {
    return e;
  }
}

}  // namespace

bool CallFrame::PropagateNulls() const {
  bool any = false;
  for (int a = 0; a < count; ++a) {
    if (!arguments[a]->has_nulls()) continue;
    const uint8_t* in = arguments[a]->valid();
    uint8_t* to = out.valid();
    if (!any) {
      std::memcpy(to, in, static_cast<std::size_t>(rows));
    } else {
      for (int i = 0; i < rows; ++i) to[i] = static_cast<uint8_t>(to[i] & in[i]);
    }
    any = true;
  }
  if (any) out.set_has_nulls(true);
  return any;
}

ExprPtr MakeColumn(int index, Type type, Position at) {
  auto e = std::make_shared<Expr>();
  e->op = Expr::Op::kColumn;
  e->index = index;
  e->type = std::move(type);
  e->at = at;
  return e;
}

ExprPtr MakeRowtime(Position at, bool unqualified) {
  auto e = std::make_shared<Expr>();
  e->op = Expr::Op::kRowtime;
  e->type = MakeType(Kind::kTimestamp);
  e->at = at;
  e->unqualified = unqualified;
  return e;
}

ExprPtr MakeConstant(Value value, Position at) {
  auto e = std::make_shared<Expr>();
  e->op = Expr::Op::kConstant;
  e->type = value.type;
  e->value = std::move(value);
  e->at = at;
  return e;
}

ExprPtr MakeCall(std::string_view function, std::vector<ExprPtr> arguments, Position at) {
  const Function* f = FindFunction(function);
  CHECK_MSG(f != nullptr, "a function that the binder uses is missing");
  int count = static_cast<int>(arguments.size());
  if (count < f->arguments_min || count > f->arguments_max) {
    std::string wanted = std::to_string(f->arguments_min);
    if (f->arguments_max != f->arguments_min) {
      wanted = f->arguments_max > 1000 ? "at least " + wanted
                                       : wanted + " to " + std::to_string(f->arguments_max);
    }
    throw SqlError(at, std::string(function) + " takes " + wanted + " argument" +
                           (wanted == "1" ? "" : "s") + ", not " + std::to_string(count));
  }
  auto e = std::make_shared<Expr>();
  e->op = Expr::Op::kCall;
  e->function = f;
  e->type = f->resolve(arguments, at);
  e->arguments = std::move(arguments);
  e->at = at;
  return Fold(e);
}

ExprPtr MakeCast(ExprPtr from, Type to, Position at) {
  if (from->type == to &&
      (to.kind != Kind::kInterval || (from->type.from == to.from && from->type.to == to.to))) {
    return from;
  }
  // Widening a VARCHAR changes nothing in memory; neither do types of one form and range.
  if (from->type.kind == Kind::kVarchar && to.kind == Kind::kVarchar &&
      to.length >= from->type.length) {
    return from;
  }
  if (from->op == Expr::Op::kConstant && from->value.null) {
    Value null;
    null.type = to;
    return MakeConstant(null, at);
  }
  auto e = std::make_shared<Expr>();
  e->op = Expr::Op::kCast;
  e->type = std::move(to);
  e->at = at;
  e->arguments.push_back(std::move(from));
  return Fold(e);
}

bool IsConstant(const Expr& e) {
  bool constant = true;
  VisitExpr(e, [&](const Expr& x) {
    if (x.op == Expr::Op::kColumn || x.op == Expr::Op::kRowtime ||
        x.op == Expr::Op::kAggregate || x.op == Expr::Op::kWindow || x.op == Expr::Op::kLookup) {
      constant = false;
    }
  });
  return constant;
}

bool SameExpr(const Expr& a, const Expr& b) {
  if (a.op != b.op || !(a.type == b.type) || a.arguments.size() != b.arguments.size()) return false;
  switch (a.op) {
    case Expr::Op::kColumn:
    case Expr::Op::kAggregate:
    case Expr::Op::kWindow:
      if (a.index != b.index) return false;
      break;
    case Expr::Op::kConstant:
      if (a.value.null != b.value.null || a.value.i != b.value.i || a.value.d != b.value.d ||
          a.value.s != b.value.s) {
        return false;
      }
      break;
    case Expr::Op::kCall:
      if (a.function != b.function) return false;
      break;
    case Expr::Op::kLookup:
      if (a.lookup != b.lookup) return false;
      break;
    default:
      break;
  }
  for (std::size_t i = 0; i < a.arguments.size(); ++i) {
    if (!SameExpr(*a.arguments[i], *b.arguments[i])) return false;
  }
  return true;
}

void VisitExpr(const Expr& e, const std::function<void(const Expr&)>& visit) {
  visit(e);
  for (const ExprPtr& argument : e.arguments) VisitExpr(*argument, visit);
}

ExprPtr RewriteExpr(const ExprPtr& e, const std::function<ExprPtr(const ExprPtr&)>& replace) {
  if (ExprPtr other = replace(e)) return other;
  bool changed = false;
  std::vector<ExprPtr> arguments;
  for (const ExprPtr& argument : e->arguments) {
    arguments.push_back(RewriteExpr(argument, replace));
    changed |= arguments.back() != argument;
  }
  if (!changed) return e;
  auto copy = std::make_shared<Expr>(*e);
  copy->arguments = std::move(arguments);
  return copy;
}

Value EvaluateConstant(const ExprPtr& e) {
  std::unique_ptr<Kernel> kernel = Compile(e);
  Batch batch;
  batch.rows = 1;
  int64_t rowtime = 0;
  batch.rowtime = &rowtime;
  Arena arena;
  RowErrors errors;
  // Constants do not depend on the clock, but for the century of a two-digit year.
  constexpr int64_t kStartOf2026 = 1'767'225'600'000;
  EvalContext context{&batch, &arena, &errors, kStartOf2026, kStartOf2026};
  const Vector& result = kernel->Evaluate(context);
  if (!errors.empty()) throw SqlError(e->at, errors.entries()[0].message);
  Value value = result.GetValue(0, e->type);
  return value;
}

std::string ExprText(const Expr& e, const std::vector<std::string>* column_names) {
  auto list = [&](std::string_view separator) {
    std::string out;
    for (std::size_t i = 0; i < e.arguments.size(); ++i) {
      if (i > 0) out += separator;
      out += ExprText(*e.arguments[i], column_names);
    }
    return out;
  };
  switch (e.op) {
    case Expr::Op::kColumn:
      if (column_names != nullptr && static_cast<std::size_t>(e.index) < column_names->size()) {
        return (*column_names)[static_cast<std::size_t>(e.index)];
      }
      return "#" + std::to_string(e.index);
    case Expr::Op::kRowtime: return "ROWTIME";
    case Expr::Op::kConstant:
      if (!e.value.null && (PhysicalOf(e.type.kind) == Physical::kString)) {
        return "'" + e.value.s + "'";
      }
      if (!e.value.null && (IsDatetime(e.type.kind) || e.type.kind == Kind::kInterval)) {
        Value v = e.value;
        v.type = e.type;
        return (e.type.kind == Kind::kInterval ? "INTERVAL '" : TypeName(e.type) + " '") +
               ValueText(v) + "'" +
               (e.type.kind == Kind::kInterval ? TypeName(e.type).substr(8) : "");
      } else {
        Value v = e.value;
        v.type = e.type;
        return ValueText(v);
      }
    case Expr::Op::kCall:
      return std::string(e.function->name) + "(" + list(", ") + ")";
    case Expr::Op::kCast: return "CAST(" + list(", ") + " AS " + TypeName(e.type) + ")";
    case Expr::Op::kAnd: return "(" + list(" AND ") + ")";
    case Expr::Op::kOr: return "(" + list(" OR ") + ")";
    case Expr::Op::kCase: return "CASE(" + list(", ") + ")";
    case Expr::Op::kCoalesce: return "COALESCE(" + list(", ") + ")";
    case Expr::Op::kAggregate: return "aggregate " + std::to_string(e.index);
    case Expr::Op::kLookup: return "LOOKUP(" + list(", ") + ")";
    case Expr::Op::kWindow: return "window function " + std::to_string(e.index);
  }
  return "?";
}

// --- Kernels -----------------------------------------------------------------------------------

namespace {

class ColumnKernel final : public Kernel {
 public:
  explicit ColumnKernel(int index) : index_(static_cast<std::size_t>(index)) {}
  const Vector& Evaluate(EvalContext& context) override {
    return *context.input->columns[index_];
  }

 private:
  std::size_t index_;
};

class RowtimeKernel final : public Kernel {
 public:
  RowtimeKernel() : out_(Physical::kInt) {}
  const Vector& Evaluate(EvalContext& context) override {
    std::memcpy(out_.ints(), context.input->rowtime,
                sizeof(int64_t) * static_cast<std::size_t>(context.input->rows));
    return out_;
  }

 private:
  Vector out_;
};

// Holds its value in every row, so that no other kernel needs to know about constants.
class ConstantKernel final : public Kernel {
 public:
  explicit ConstantKernel(const Expr& e) : out_(PhysicalOf(e.type.kind)) {
    for (int i = 0; i < kBatchRows; ++i) {
      if (i == 0 || out_.physical() != Physical::kString) {
        out_.SetValue(i, e.value, arena_);
      } else {
        out_.CopyRow(i, out_, 0);
      }
    }
  }
  const Vector& Evaluate(EvalContext&) override { return out_; }

 private:
  Arena arena_;
  Vector out_;
};

class CallKernel final : public Kernel {
 public:
  CallKernel(ExprPtr e) : e_(std::move(e)), out_(PhysicalOf(e_->type.kind)) {
    for (const ExprPtr& argument : e_->arguments) arguments_.push_back(Compile(argument));
    values_.resize(arguments_.size());
  }
  const Vector& Evaluate(EvalContext& context) override {
    for (std::size_t i = 0; i < arguments_.size(); ++i) {
      values_[i] = &arguments_[i]->Evaluate(context);
    }
    int rows = context.input->rows;
    out_.ClearNulls();
    CallFrame frame{context, *e_, rows, values_.data(), static_cast<int>(values_.size()),
                    out_,    state_};
    if (e_->op == Expr::Op::kCast) {
      CastKernel(frame, e_->arguments[0]->type);
    } else {
      e_->function->kernel(frame);
    }
    return out_;
  }

 private:
  ExprPtr e_;
  Vector out_;
  std::vector<std::unique_ptr<Kernel>> arguments_;
  std::vector<const Vector*> values_;
  std::shared_ptr<void> state_;
};

class LookupKernel final : public Kernel {
 public:
  explicit LookupKernel(const ExprPtr& e)
      : lookup_(e->lookup), out_(PhysicalOf(e->type.kind)) {
    for (const ExprPtr& argument : e->arguments) arguments_.push_back(Compile(argument));
    values_.resize(arguments_.size());
  }
  const Vector& Evaluate(EvalContext& context) override {
    int rows = context.input->rows;
    for (std::size_t i = 0; i < arguments_.size(); ++i) {
      values_[i] = &arguments_[i]->Evaluate(context);
    }
    out_.ClearNulls();
    for (int i = 0; i < rows; ++i) One(context, i);
    return out_;
  }

 private:
  using Kind = TableLookup::Kind;
  void One(EvalContext& context, int i) {
    std::size_t correlated = static_cast<std::size_t>(lookup_->correlated);
    key_.clear();
    bool null = false;
    for (std::size_t c = 0; c < correlated; ++c) {
      null |= values_[c]->valid()[i] == 0;
      AppendKey(*values_[c], i, key_);
    }
    auto group = null ? lookup_->groups.end() : lookup_->groups.find(key_);
    bool found = group != lookup_->groups.end();
    if (lookup_->kind == Kind::kValue) {
      if (!found) return out_.SetValue(i, lookup_->absent, *context.arena);
      if (group->second.several) {
        out_.SetNull(i);
        return context.errors->Add(i, "SEVERAL_ROWS",
                                   "a query in an expression gives more than one row");
      }
      return out_.SetValue(i, group->second.value, *context.arena);
    }
    if (lookup_->kind == Kind::kExists || !found) {
      out_.ints()[i] = found ? 1 : 0;
      return;
    }
    for (std::size_t c = correlated; c < values_.size(); ++c) {
      null |= values_[c]->valid()[i] == 0;
      AppendKey(*values_[c], i, key_);
    }
    if (null) return out_.SetNull(i);
    bool member = lookup_->members.count(key_) != 0;
    out_.ints()[i] = member ? 1 : 0;
    if (!member && group->second.null_seen) out_.SetNull(i);
  }

  std::shared_ptr<const TableLookup> lookup_;
  std::vector<std::unique_ptr<Kernel>> arguments_;
  std::vector<const Vector*> values_;
  std::string key_;
  Vector out_;
};

void MergeErrors(RowErrors& from, RowErrors& to, const uint8_t* selected) {
  for (const RowErrors::Entry& e : from.entries()) {
    if (selected[e.row] != 0) to.Add(e.row, e.name, e.message);
  }
  from.Clear();
}

// AND and OR of three-valued logic. Invariant: a row that the left decides never fails in the
// right, so that `x <> 0 AND 10 / x > 1` is safe as written.
class LogicKernel final : public Kernel {
 public:
  LogicKernel(const ExprPtr& e)
      : decides_(e->op == Expr::Op::kAnd ? 0 : 1),
        left_(Compile(e->arguments[0])),
        right_(Compile(e->arguments[1])),
        out_(Physical::kInt) {}
  const Vector& Evaluate(EvalContext& context) override {
    int rows = context.input->rows;
    const Vector& left = left_->Evaluate(context);
    uint8_t open[kBatchRows];
    bool any = false;
    const int64_t* l = left.ints();
    const uint8_t* lv = left.valid();
    for (int i = 0; i < rows; ++i) {
      open[i] = lv[i] == 0 || (l[i] != 0) != (decides_ != 0);
      any |= open[i] != 0;
    }
    out_.ClearNulls();
    int64_t* out = out_.ints();
    if (!any) {
      for (int i = 0; i < rows; ++i) out[i] = decides_;
      return out_;
    }
    RowErrors* outer = context.errors;
    context.errors = &errors_;
    const Vector& right = right_->Evaluate(context);
    context.errors = outer;
    if (!errors_.empty()) MergeErrors(errors_, *outer, open);
    const int64_t* r = right.ints();
    const uint8_t* rv = right.valid();
    for (int i = 0; i < rows; ++i) {
      if (open[i] == 0 || (rv[i] != 0 && (r[i] != 0) == (decides_ != 0))) {
        out[i] = decides_;
      } else {
        out[i] = 1 - decides_;
        if (lv[i] == 0 || rv[i] == 0) out_.SetNull(i);
      }
    }
    return out_;
  }

 private:
  int64_t decides_;
  std::unique_ptr<Kernel> left_, right_;
  RowErrors errors_;
  Vector out_;
};

// CASE and COALESCE: each value counts, with its errors, only for the rows that choose it.
class CaseKernel final : public Kernel {
 public:
  explicit CaseKernel(const ExprPtr& e)
      : coalesce_(e->op == Expr::Op::kCoalesce), out_(PhysicalOf(e->type.kind)) {
    for (const ExprPtr& argument : e->arguments) arguments_.push_back(Compile(argument));
  }
  const Vector& Evaluate(EvalContext& context) override {
    int rows = context.input->rows;
    out_.ClearNulls();
    uint8_t open[kBatchRows], chosen[kBatchRows];
    std::memset(open, 1, static_cast<std::size_t>(rows));
    int left = rows;
    std::size_t n = arguments_.size();
    if (coalesce_) {
      for (std::size_t k = 0; k < n && left > 0; ++k) {
        const Vector& value = Open(k, context, open);
        for (int i = 0; i < rows; ++i) {
          if (open[i] == 0 || (value.valid()[i] == 0 && k + 1 < n)) continue;
          out_.CopyRow(i, value, i);
          open[i] = 0;
          --left;
        }
      }
      return out_;
    }
    for (std::size_t k = 0; k + 1 < n && left > 0; k += 2) {
      const Vector& condition = Open(k, context, open);
      bool any = false;
      for (int i = 0; i < rows; ++i) {
        chosen[i] = open[i] != 0 && condition.valid()[i] != 0 && condition.ints()[i] != 0;
        any |= chosen[i] != 0;
      }
      if (any) Choose(k + 1, context, chosen, open, left);
    }
    if (left > 0) {
      std::memcpy(chosen, open, static_cast<std::size_t>(rows));
      Choose(n - 1, context, chosen, open, left);
    }
    return out_;
  }

 private:
  const Vector& Open(std::size_t k, EvalContext& context, const uint8_t* rows) {
    RowErrors* outer = context.errors;
    context.errors = &errors_;
    const Vector& value = arguments_[k]->Evaluate(context);
    context.errors = outer;
    if (!errors_.empty()) MergeErrors(errors_, *outer, rows);
    return value;
  }
  void Choose(std::size_t k, EvalContext& context, const uint8_t* chosen, uint8_t* open,
              int& left) {
    const Vector& value = Open(k, context, chosen);
    for (int i = 0; i < context.input->rows; ++i) {
      if (chosen[i] == 0) continue;
      out_.CopyRow(i, value, i);
      open[i] = 0;
      --left;
    }
  }

  bool coalesce_;
  std::vector<std::unique_ptr<Kernel>> arguments_;
  RowErrors errors_;
  Vector out_;
};

}  // namespace

std::unique_ptr<Kernel> Compile(const ExprPtr& e) {
  switch (e->op) {
    case Expr::Op::kColumn: return std::make_unique<ColumnKernel>(e->index);
    case Expr::Op::kRowtime: return std::make_unique<RowtimeKernel>();
    case Expr::Op::kConstant: return std::make_unique<ConstantKernel>(*e);
    case Expr::Op::kCall:
    case Expr::Op::kCast: return std::make_unique<CallKernel>(e);
    case Expr::Op::kAnd:
    case Expr::Op::kOr: return std::make_unique<LogicKernel>(e);
    case Expr::Op::kCase:
    case Expr::Op::kCoalesce: return std::make_unique<CaseKernel>(e);
    case Expr::Op::kLookup: return std::make_unique<LookupKernel>(e);
    case Expr::Op::kAggregate:
    case Expr::Op::kWindow: break;
  }
  CHECK_MSG(false, "an expression that the binder must have replaced reached execution");
  return nullptr;
}

RowtimeFunction::RowtimeFunction(ExprPtr e) : expr_(std::move(e)), kernel_(Compile(expr_)) {}

Value RowtimeFunction::At(int64_t rowtime) {
  Batch batch;
  batch.rows = 1;
  batch.rowtime = &rowtime;
  arena_.Reset();
  errors_.Clear();
  EvalContext context{&batch, &arena_, &errors_, rowtime, rowtime};
  Value value = kernel_->Evaluate(context).GetValue(0, expr_->type);
  if (!errors_.empty()) value.null = true;
  return value;
}

int64_t RowtimeFunction::NextChange(int64_t rowtime) {
  Value here = At(rowtime);
  int64_t step = 1, low = rowtime, high = rowtime;
  while (true) {  // doubling finds a later point with another value, halving the first one
    if (step > (int64_t{1} << 52)) return INT64_MAX;
    high = rowtime + step;
    if (!Same(At(high), here)) break;
    low = high;
    step *= 2;
  }
  while (high - low > 1) {
    int64_t middle = low + (high - low) / 2;
    (Same(At(middle), here) ? low : high) = middle;
  }
  return high;
}

}  // namespace millstream::sql
