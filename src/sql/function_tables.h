#pragma once

#include <span>
#include <string>
#include <vector>

#include "sql/expression.h"

// Inside of the function library: its tables, and what their resolvers share.
namespace millstream::sql {

std::span<const Function> OperatorFunctions();
std::span<const Function> NumericFunctions();
std::span<const Function> StringFunctions();
std::span<const Function> TimeFunctions();
std::span<const Function> LogFunctions();
std::span<const Function> JsonFunctions();

using Arguments = std::vector<ExprPtr>;

// Casts NULL literals and checks; `position` counts from 1 in the message.
void WantNumber(Arguments& arguments, int i, Position at, const char* function);
void WantText(Arguments& arguments, int i, Position at, const char* function);
void WantInteger(Arguments& arguments, int i, Position at, const char* function);
void WantDouble(Arguments& arguments, int i, Position at, const char* function);
void WantKind(Arguments& arguments, int i, Kind kind, Position at, const char* function);

// The type that both sides of a comparison, the branches of CASE or the rows of a set operation
// share; casts the arguments from `first` on. Throws with the message "cannot <what> A and B".
Type Unify(Arguments& arguments, std::size_t first, Position at, const char* what);
// The same for types alone; kNull when there is none.
Type CommonType(const Type& a, const Type& b);

inline Type BooleanType() { return MakeType(Kind::kBoolean); }

}  // namespace millstream::sql
