#include "sql/function_tables.h"

#include <unordered_map>

#include "sql/cast.h"

namespace millstream::sql {

namespace {

const std::unordered_map<std::string_view, const Function*>& Table() {
  static const auto* kTable = [] {
    auto* table = new std::unordered_map<std::string_view, const Function*>();
    for (auto functions : {OperatorFunctions(), NumericFunctions(), StringFunctions(),
                           TimeFunctions(), LogFunctions(), JsonFunctions()}) {
      for (const Function& f : functions) table->emplace(f.name, &f);
    }
    return table;
  }();
  return *kTable;
}

[[noreturn]] void WrongType(const Arguments& arguments, int i, Position at, const char* function,
                            const char* wanted) {
  const Type& type = arguments[static_cast<std::size_t>(i)]->type;
  Position where = arguments[static_cast<std::size_t>(i)]->at;
  (void)at;
  throw SqlError(where, std::string(function) + " wants " + wanted + " as argument " +
                            std::to_string(i + 1) + ", not " + TypeName(type) +
                            (CanCast(type, Varchar()) ? "; write CAST(... AS type)" : ""));
}

void NullTo(Arguments& arguments, int i, Type type) {
  ExprPtr& e = arguments[static_cast<std::size_t>(i)];
  if (e->type.kind == Kind::kNull) e = MakeCast(e, std::move(type), e->at);
}

}  // namespace

const Function* FindFunction(std::string_view name) {
  auto it = Table().find(name);
  return it == Table().end() ? nullptr : it->second;
}

std::vector<std::string> FunctionNames() {
  std::vector<std::string> names;
  for (const auto& [name, f] : Table()) {
    if (name[0] >= 'A' && name[0] <= 'Z') names.emplace_back(name);
  }
  return names;
}

void WantNumber(Arguments& arguments, int i, Position at, const char* function) {
  NullTo(arguments, i, MakeType(Kind::kInteger));
  if (!IsNumeric(arguments[static_cast<std::size_t>(i)]->type.kind)) {
    WrongType(arguments, i, at, function, "a number");
  }
}

void WantText(Arguments& arguments, int i, Position at, const char* function) {
  NullTo(arguments, i, Varchar());
  Kind kind = arguments[static_cast<std::size_t>(i)]->type.kind;
  if (!IsCharacter(kind)) WrongType(arguments, i, at, function, "a text");
}

void WantInteger(Arguments& arguments, int i, Position at, const char* function) {
  ExprPtr& e = arguments[static_cast<std::size_t>(i)];
  if (!IsNumeric(e->type.kind) && e->type.kind != Kind::kNull) {
    WrongType(arguments, i, at, function, "an integer");
  }
  if (!IsInteger(e->type.kind)) e = MakeCast(e, MakeType(Kind::kBigint), e->at);
}

void WantDouble(Arguments& arguments, int i, Position at, const char* function) {
  WantNumber(arguments, i, at, function);
  ExprPtr& e = arguments[static_cast<std::size_t>(i)];
  e = MakeCast(e, MakeType(Kind::kDouble), e->at);
}

void WantKind(Arguments& arguments, int i, Kind kind, Position at, const char* function) {
  NullTo(arguments, i, MakeType(kind));
  ExprPtr& e = arguments[static_cast<std::size_t>(i)];
  if (kind == Kind::kTimestamp && e->type.kind == Kind::kDate) {
    e = MakeCast(e, MakeType(Kind::kTimestamp), e->at);
  }
  if (e->type.kind != kind) {
    WrongType(arguments, i, at, function, TypeName(MakeType(kind)).c_str());
  }
}

Type CommonType(const Type& a, const Type& b) {
  if (a.kind == Kind::kNull) return b;
  if (b.kind == Kind::kNull) return a;
  if (IsNumeric(a.kind) && IsNumeric(b.kind)) {
    if (a.kind == b.kind && a.kind != Kind::kDecimal) return a;
    if (IsApproximate(a.kind) || IsApproximate(b.kind)) return MakeType(Kind::kDouble);
    if (a.kind == Kind::kDecimal || b.kind == Kind::kDecimal) {
      Type x = DecimalOf(a), y = DecimalOf(b);
      int scale = std::max(x.scale, y.scale);
      int digits = std::max(x.length - x.scale, y.length - y.scale);
      return Decimal(std::min(19, digits + scale), scale);
    }
    return a.kind > b.kind ? a : b;
  }
  if (IsCharacter(a.kind) && IsCharacter(b.kind)) {
    int length = std::max(a.length, b.length);
    if (a.kind == Kind::kChar && b.kind == Kind::kChar && a.length == b.length) return a;
    return Varchar(length);
  }
  if (IsBinary(a.kind) && IsBinary(b.kind)) {
    Type type = MakeType(Kind::kVarbinary);
    type.length = std::max(a.length, b.length);
    return type;
  }
  if (a.kind == Kind::kInterval && b.kind == Kind::kInterval) {
    return Interval(std::min(a.from, b.from), std::max(a.to, b.to));
  }
  if (a.kind == b.kind) return a;
  if ((a.kind == Kind::kDate && b.kind == Kind::kTimestamp) ||
      (b.kind == Kind::kDate && a.kind == Kind::kTimestamp)) {
    return MakeType(Kind::kTimestamp);
  }
  return MakeType(Kind::kNull);
}

Type Unify(Arguments& arguments, std::size_t first, Position at, const char* what) {
  Type type = MakeType(Kind::kNull);
  for (std::size_t i = first; i < arguments.size(); ++i) {
    const Type& other = arguments[i]->type;
    Type common = CommonType(type, other);
    if (common.kind == Kind::kNull && other.kind != Kind::kNull && type.kind != Kind::kNull) {
      std::string remedy;
      if (IsCharacter(type.kind) != IsCharacter(other.kind)) {
        const Type& target = IsCharacter(type.kind) ? other : type;
        remedy = "; write CAST(... AS " + TypeName(target) + ")";
        if (target.kind == Kind::kTimestamp) remedy += " or TIMESTAMP '...'";
      } else {
        remedy = ConversionRemedy(type, other);
      }
      throw SqlError(at, std::string("cannot ") + what + " " + TypeName(type) + " and " +
                             TypeName(other) + remedy);
    }
    type = common;
  }
  for (std::size_t i = first; i < arguments.size(); ++i) {
    ExprPtr& e = arguments[i];
    if (e->type.kind == Kind::kNull && type.kind == Kind::kNull) continue;
    // Integers share one form in memory; comparing them needs no widening.
    if (IsInteger(e->type.kind) && IsInteger(type.kind) && std::string_view(what) == "compare") {
      continue;
    }
    if (IsCharacter(e->type.kind) && std::string_view(what) == "compare") continue;
    e = MakeCast(e, type, e->at);
  }
  return type;
}

}  // namespace millstream::sql
