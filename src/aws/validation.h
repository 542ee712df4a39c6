#pragma once

#include <memory>
#include <optional>

#include "aws/error.h"
#include "aws/schema.h"

namespace millstream::aws {

// Checks decoded inputs of one service against the constraints of its model, in AWS's words:
// "2 validation errors detected: Value '' at 'streamName' failed to satisfy constraint: Member must
// have length greater than or equal to 1; Value ...". Reports the first ten. Values are printed as
// Java prints them, whole up to 64 KiB each; what is longer ends in "...".
//
// Compiles the model's patterns once; then immutable, any thread. Nothing is allocated for an input
// that is right.
class Validator {
 public:
  explicit Validator(const ServiceSchema& service);
  ~Validator();
  Validator(const Validator&) = delete;
  Validator& operator=(const Validator&) = delete;

  // The ValidationException to answer with, or nothing when all constraints hold.
  std::optional<ServiceError> Check(const ShapeSchema& shape, const void* value) const;

 private:
  struct Patterns;
  const ServiceSchema& service_;
  const std::unique_ptr<const Patterns> patterns_;
};

}  // namespace millstream::aws
