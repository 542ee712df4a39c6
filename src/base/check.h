#pragma once

// Assertions on what only a bug can break. Always on. Never on input; data read from disk is input.
//
//   CHECK(size <= capacity);
//   CHECK_MSG(next > last, "offsets went backwards");

namespace millstream::base {

// Prints file, line, the expression and the message to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* expression,
                              const char* message);

}  // namespace millstream::base

#define CHECK(expression) CHECK_MSG(expression, "")
#define CHECK_MSG(expression, message)                                                     \
  do {                                                                                     \
    if (!(expression)) [[unlikely]] {                                                      \
      ::millstream::base::CheckFailed(__FILE__, __LINE__, #expression, message);           \
    }                                                                                      \
  } while (false)
