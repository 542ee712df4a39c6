#include "aws/call.h"

namespace millstream::aws {

std::string Call::Arn(std::string_view resource) const {
  std::string arn;
  arn.reserve(16 + partition.size() + service.size() + region.size() + account.size() +
              resource.size());
  arn.append("arn:").append(partition).append(":").append(service).append(":").append(region);
  arn.append(":").append(account).append(":").append(resource);
  return arn;
}

}  // namespace millstream::aws
