#pragma once

#include <stdexcept>
#include <string>

#include "base/result.h"

namespace millstream::sql {

// A place in the text of an application; both count from 1.
struct Position {
  int line = 1;
  int column = 1;
  friend bool operator==(const Position&, const Position&) = default;
};

// What is wrong with a text, where, and what to write instead. Thrown by the lexer, the parser and
// the binder, caught at the border of this folder (Parse, Application::Create).
class SqlError : public std::runtime_error {
 public:
  SqlError(Position at, const std::string& message, base::Code code = base::Code::kInvalidArgument)
      : std::runtime_error(message), at_(at), code_(code) {}

  Position at() const { return at_; }
  // "line 3, column 14: <message>"
  base::Error ToError() const {
    return base::Error(code_, "line " + std::to_string(at_.line) + ", column " +
                                  std::to_string(at_.column) + ": " + what());
  }

 private:
  Position at_;
  base::Code code_;
};

// A row that an expression cannot compute a value for: division by zero, a bad date. Thrown by row
// functions only and caught by the kernel that calls them; it becomes a row of error_stream.
struct RowError {
  const char* name;     // ERROR_NAME
  std::string message;  // MESSAGE
};

}  // namespace millstream::sql
