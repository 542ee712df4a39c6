#include "aws/error.h"

namespace millstream::aws {
namespace {

ServiceError Client(std::string_view code, std::string message, int http_status = 400) {
  ServiceError error;
  error.code = code;
  error.message = std::move(message);
  error.http_status = http_status;
  return error;
}

ServiceError Server(std::string_view code, std::string message, int http_status) {
  ServiceError error = Client(code, std::move(message), http_status);
  error.fault = Fault::kServer;
  return error;
}

}  // namespace

ServiceError SerializationException(std::string message) {
  ServiceError error = Client("SerializationException", std::move(message));
  error.message_member = "Message";
  return error;
}

ServiceError ValidationException(std::string message) {
  return Client("ValidationException", std::move(message));
}

ServiceError UnknownOperationException(std::string message) {
  return Client("UnknownOperationException", std::move(message));
}

ServiceError MissingAuthenticationTokenException() {
  return Client("MissingAuthenticationTokenException", "Missing Authentication Token");
}

ServiceError IncompleteSignatureException(std::string message) {
  return Client("IncompleteSignatureException", std::move(message));
}

ServiceError InvalidSignatureException(std::string message) {
  return Client("InvalidSignatureException", std::move(message));
}

ServiceError UnrecognizedClientException() {
  return Client("UnrecognizedClientException",
                "The security token included in the request is invalid.");
}

ServiceError ExpiredTokenException() {
  return Client("ExpiredTokenException", "The security token included in the request is expired");
}

ServiceError AccessDeniedException(std::string message) {
  return Client("AccessDeniedException", std::move(message));
}

ServiceError ThrottlingException(std::string message) {
  return Client("ThrottlingException", std::move(message));
}

ServiceError RequestEntityTooLarge() { return Client("RequestEntityTooLargeException", "", 413); }

ServiceError ServiceUnavailable(std::string message) {
  return Server("ServiceUnavailable", std::move(message), 503);
}

ServiceError InternalFailure() { return Server("InternalFailure", "", 500); }

ServiceError NotSupported(std::string what) {
  return Client("NotSupportedException", std::move(what));
}

}  // namespace millstream::aws
