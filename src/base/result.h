#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace millstream::base {

// What a caller may act on. A new code only when some caller would act differently.
enum class Code {
  kInvalidArgument,    // the caller's input is wrong; retrying will not help
  kNotFound,           // what was named does not exist
  kAlreadyExists,      // what was to be created exists
  kFailedPrecondition, // right input, wrong state (e.g. stream not ACTIVE)
  kResourceExhausted,  // a limit was reached; later may work (throttling, queue full)
  kExpired,            // was valid once (iterator, signature, token)
  kPermissionDenied,   // known caller, not allowed
  kUnauthenticated,    // caller not known or signature wrong
  kNotSupported,       // not built; the message says so
  kDataLoss,           // bytes on disk are not what was written
  kUnavailable,        // sealed log, stopping, disk full: the environment's fault
  kInternal,           // our fault
};

std::string_view CodeName(Code code);

// A failure: a code for callers, a message for people ("what failed: values, what to do").
class [[nodiscard]] Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  Code code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same failure seen from one level up: "opening stream s: <message>".
  Error Within(std::string_view context) const;

  friend bool operator==(const Error&, const Error&) = default;

 private:
  Code code_;
  std::string message_;
};

template <typename T>
using Result = tl::expected<T, Error>;

using Status = Result<void>;

// return Fail(Code::kNotFound, "no such stream: s");
inline tl::unexpected<Error> Fail(Code code, std::string message) {
  return tl::unexpected<Error>(Error(code, std::move(message)));
}
inline tl::unexpected<Error> Fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace millstream::base

// Passes a failure on:  TRY(file->Sync());   ASSIGN_OR_RETURN(auto size, file->Size());
#define MS_CONCAT_INNER(a, b) a##b
#define MS_CONCAT(a, b) MS_CONCAT_INNER(a, b)
#define TRY(expression)                                                           \
  do {                                                                            \
    if (auto try_result_ = (expression); !try_result_) [[unlikely]]               \
      return ::millstream::base::Fail(std::move(try_result_).error());            \
  } while (false)
#define ASSIGN_OR_RETURN(target, expression)                                      \
  ASSIGN_OR_RETURN_IMPL(MS_CONCAT(assign_result_, __LINE__), target, expression)
#define ASSIGN_OR_RETURN_IMPL(name, target, expression)                           \
  auto name = (expression);                                                       \
  if (!name) [[unlikely]]                                                         \
    return ::millstream::base::Fail(std::move(name).error());                     \
  target = std::move(*name)
