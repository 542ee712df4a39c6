#pragma once

#include <string>
#include <string_view>

#include "sql/expression.h"

namespace millstream::sql {

// Whether CAST(from AS to) is allowed at all (the matrix of the reference).
bool CanCast(const Type& from, const Type& to);
// Whether a value of `from` may stand where `to` is wanted without a CAST: any number for any
// number, any text for any text; nothing else.
bool CanAssign(const Type& from, const Type& to);

// "; write ..." that makes a `to` of a `from`; empty if there is nothing.
std::string ConversionRemedy(const Type& from, const Type& to);

// The kernel of Expr::Op::kCast from `from` to frame.expr.type.
void CastKernel(CallFrame& frame, const Type& from);

// One value as CAST(... AS VARCHAR) writes it.
void AppendText(const Type& type, const Vector& column, int row, std::string& out);
std::string ValueText(const Value& value);
void AppendDecimal(int64_t value, int scale, std::string& out);
// The shortest text that reads back the same, as Java writes doubles: 1.0, 1.5E10.
void AppendDouble(double value, std::string& out);
void AppendReal(double value, std::string& out);

// Text to number; false when it is none or does not fit. Used by CAST and by input mapping.
bool ParseDecimal(std::string_view text, int precision, int scale, bool round, int64_t& out);
bool ParseDouble(std::string_view text, double& out);
// value * 10^(to - from), rounded half away from zero; false when it does not fit 18 digits (19
// when the type has them).
bool Rescale(int64_t value, int from, int to, int64_t& out);
bool FitsPrecision(int64_t value, int precision);

}  // namespace millstream::sql
