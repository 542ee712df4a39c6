#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace millstream::aws {

struct ShapeSchema;

enum class Fault : uint8_t { kClient, kServer };

// What a client sees when a call fails. Made in one place per service: generated factories
// (`kinesis::ResourceNotFoundException(message)`) for modelled errors, the functions below for those
// that every service has.
struct ServiceError {
  std::string code;     // "ResourceNotFoundException"
  std::string message;  // empty: the answer has no message member
  int http_status = 400;
  Fault fault = Fault::kClient;
  // How the answer spells the member of the text; a few models and SerializationException say
  // "Message". Of static storage.
  std::string_view message_member = "message";
  // Modelled members beside the message (DynamoDB's CancellationReasons), or null: an instance of
  // the error's structure. Its message member, if any, is not used; `message` is.
  const ShapeSchema* shape = nullptr;
  std::shared_ptr<const void> members;
};

// Value or the error to answer with.
template <typename T>
using Outcome = tl::expected<T, ServiceError>;

inline tl::unexpected<ServiceError> FailCall(ServiceError error) {
  return tl::unexpected<ServiceError>(std::move(error));
}

// Errors of the front door; texts and status as AWS gives them.

// The body does not parse or a member has the wrong type. Without text where AWS gives none.
ServiceError SerializationException(std::string message = "");
// A constraint of the model does not hold ("1 validation error detected: ...").
ServiceError ValidationException(std::string message);
ServiceError UnknownOperationException(std::string message = "");
ServiceError MissingAuthenticationTokenException();
ServiceError IncompleteSignatureException(std::string message);
ServiceError InvalidSignatureException(std::string message);
// "The security token included in the request is invalid."
ServiceError UnrecognizedClientException();
ServiceError ExpiredTokenException();
ServiceError AccessDeniedException(std::string message);
ServiceError ThrottlingException(std::string message = "Rate exceeded");
ServiceError RequestEntityTooLarge();
ServiceError ServiceUnavailable(std::string message = "");
// 500, our fault. AWS gives no text, so nothing of ours leaks.
ServiceError InternalFailure();
// 400: understood, but Millstream has not built it. `what` is a sentence.
ServiceError NotSupported(std::string what);

}  // namespace millstream::aws
