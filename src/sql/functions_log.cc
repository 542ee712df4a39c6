#include "sql/function_tables.h"
namespace millstream::sql {
std::span<const Function> LogFunctions() { return {}; }
std::span<const Function> JsonFunctions() { return {}; }
}  // namespace millstream::sql
