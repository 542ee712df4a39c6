#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aws/call.h"
#include "aws/reply.h"
#include "aws/schema.h"
#include "http/message.h"

namespace millstream::aws {

// One AWS service behind the front door. Generated code derives from it once per model
// (kinesis::KinesisApi), with one typed pure virtual function per operation; `services/<name>`
// derives from that. All methods are called on connection loops, several at a time: they must be
// thread-safe and must not block.
class Service {
 public:
  virtual ~Service() = default;

  virtual const ServiceSchema& schema() const = 0;

  // Calls the typed method. `input` is decoded and has passed validation.
  virtual void Invoke(const OperationSchema& operation, const Call& call, Instance input,
                      std::unique_ptr<ReplySink> reply) = 0;

  // The hot path: the service may answer the raw request itself, after authentication and before
  // the generic engine. It asks call.authorizer (when set) before it acts. Returns false, with
  // `reply` untouched, to decline; then the generic path runs, which must give the same result.
  virtual bool TryFast(const OperationSchema& operation, const Call& call,
                       const http::Request& request, std::unique_ptr<ReplySink>& reply);

  // ARNs of what the call touches, for policies; "*" when the operation names no resource.
  virtual std::vector<std::string> Resources(const OperationSchema& operation, const Call& call,
                                             const void* input) const;

  // The resource policy (JSON text) attached to an ARN of this service, if any.
  virtual std::optional<std::string> ResourcePolicy(std::string_view arn) const;

  // The tags of what an ARN of this service names, for conditions on aws:ResourceTag/...
  virtual std::vector<std::pair<std::string, std::string>> ResourceTags(std::string_view arn) const;
};

}  // namespace millstream::aws
