#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sql/batch.h"
#include "sql/error.h"
#include "sql/type.h"

// Expressions with names and types resolved (Expr, immutable, part of the plan) and what evaluates
// them over batches (Kernel, owned by one operator).
namespace millstream::sql {

// Rows of the current batch that an expression could not compute.
class RowErrors {
 public:
  struct Entry {
    int row;
    const char* name;
    std::string message;
  };
  bool empty() const { return entries_.empty(); }
  const std::vector<Entry>& entries() const { return entries_; }
  bool failed(int row) const {
    for (const Entry& e : entries_) {
      if (e.row == row) return true;
    }
    return false;
  }
  void Add(int row, const char* name, std::string message) {
    entries_.push_back({row, name, std::move(message)});
  }
  void Clear() { entries_.clear(); }

 private:
  std::vector<Entry> entries_;
};

struct EvalContext {
  const Batch* input = nullptr;
  Arena* arena = nullptr;
  RowErrors* errors = nullptr;
  int64_t now_ms = 0;          // CURRENT_ROW_TIMESTAMP
  int64_t query_start_ms = 0;  // CURRENT_TIMESTAMP
};

struct TableLookup;
struct Expr;
using ExprPtr = std::shared_ptr<const Expr>;
struct Function;

struct Expr {
  enum class Op {
    kColumn,     // input column `index`
    kRowtime,    // the row's time
    kConstant,   // value
    kCall,       // function(arguments)
    kCast,       // arguments[0] to type
    kAnd,        // arguments; errors of the right count only where the left is not FALSE
    kOr,
    kCase,       // {condition, value} pairs, then the default
    kCoalesce,
    kAggregate,  // while a grouped query is bound: aggregate `index`
    kLookup,     // arguments looked up in the rows of a query over reference tables
    kWindow,     // while a query with OVER is bound: window function `index`
  };
  Op op = Op::kConstant;
  Type type;
  Position at;
  int index = 0;
  bool unqualified = false;  // ROWTIME written without a stream: the time of the result row
  Value value;
  const Function* function = nullptr;
  std::vector<ExprPtr> arguments;
  std::shared_ptr<const TableLookup> lookup;
};

// One evaluation of a function over a batch.
struct CallFrame {
  EvalContext& context;
  const Expr& expr;
  int rows;
  const Vector* const* arguments;
  int count;
  Vector& out;
  std::shared_ptr<void>& state;  // what the function keeps between batches: a compiled pattern

  const int64_t* ints(int i) const { return arguments[i]->ints(); }
  const double* doubles(int i) const { return arguments[i]->doubles(); }
  const std::string_view* strings(int i) const { return arguments[i]->strings(); }
  Arena& arena() const { return *context.arena; }

  // NULL where any argument is NULL; true when some row may be NULL.
  bool PropagateNulls() const;
  // Runs body(row) for the rows whose arguments are all values; RowError becomes a row error.
  template <typename Body>
  void ForEachRow(Body body) const {
    bool nulls = PropagateNulls();
    for (int i = 0; i < rows; ++i) {
      if (nulls && out.valid()[i] == 0) continue;
      try {
        body(i);
      } catch (const RowError& error) {
        Fail(i, error.name, error.message);
      }
    }
  }
  void Fail(int row, const char* name, std::string message) const {
    out.SetNull(row);
    context.errors->Add(row, name, std::move(message));
  }
};

using KernelFunction = void (*)(CallFrame&);

// A scalar function as the binder finds it by name.
struct Function {
  std::string_view name;
  int arguments_min;
  int arguments_max;
  // Checks and coerces `arguments`, returns the result's type. Throws SqlError.
  Type (*resolve)(std::vector<ExprPtr>& arguments, Position at);
  KernelFunction kernel;
  // How it follows its first argument when the others are constant.
  enum class Monotone { kNo, kYes, kStrict } monotone = Monotone::kNo;
  bool constant = true;  // the same arguments give the same result
};

const Function* FindFunction(std::string_view name);
std::vector<std::string> FunctionNames();

ExprPtr MakeColumn(int index, Type type, Position at = {});
ExprPtr MakeRowtime(Position at = {}, bool unqualified = false);
ExprPtr MakeConstant(Value value, Position at = {});
ExprPtr MakeCall(std::string_view function, std::vector<ExprPtr> arguments, Position at);
// No cast where the type is the same already. The binder says whether a cast is allowed.
ExprPtr MakeCast(ExprPtr from, Type to, Position at);

bool IsConstant(const Expr& e);
bool SameExpr(const Expr& a, const Expr& b);
// Calls `visit` on e and everything below.
void VisitExpr(const Expr& e, const std::function<void(const Expr&)>& visit);
// A copy in which `replace` may give another expression for a node (nullptr: keep, go deeper).
ExprPtr RewriteExpr(const ExprPtr& e, const std::function<ExprPtr(const ExprPtr&)>& replace);
// The value of an expression without columns. Throws SqlError where it fails.
Value EvaluateConstant(const ExprPtr& e);
std::string ExprText(const Expr& e, const std::vector<std::string>* column_names = nullptr);

// Evaluates one expression over batches, reusing its memory. One per operator and expression.
class Kernel {
 public:
  virtual ~Kernel() = default;
  // The result lives until the next call and may be a column of the input itself.
  virtual const Vector& Evaluate(EvalContext& context) = 0;
};
std::unique_ptr<Kernel> Compile(const ExprPtr& e);

// A function of ROWTIME alone, evaluated at single points of time: what closes windows.
class RowtimeFunction {
 public:
  explicit RowtimeFunction(ExprPtr e);
  Value At(int64_t rowtime);
  // The first time behind `rowtime` at which the value differs; INT64_MAX if there is none.
  int64_t NextChange(int64_t rowtime);
  const Type& type() const { return expr_->type; }

 private:
  bool Same(const Value& a, const Value& b) const {
    return a.null == b.null && a.i == b.i && a.d == b.d && a.s == b.s;
  }
  ExprPtr expr_;
  std::unique_ptr<Kernel> kernel_;
  Arena arena_;
  RowErrors errors_;
};

}  // namespace millstream::sql
