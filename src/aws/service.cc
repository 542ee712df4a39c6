#include "aws/service.h"

namespace millstream::aws {

bool Service::TryFast(const OperationSchema&, const Call&, const http::Request&,
                      std::unique_ptr<ReplySink>&) {
  return false;
}

std::vector<std::string> Service::Resources(const OperationSchema&, const Call&,
                                            const void*) const {
  return {"*"};
}

std::optional<std::string> Service::ResourcePolicy(std::string_view) const { return std::nullopt; }

std::vector<std::pair<std::string, std::string>> Service::ResourceTags(std::string_view) const {
  return {};
}

}  // namespace millstream::aws
