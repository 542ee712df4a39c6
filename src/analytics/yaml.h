#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace millstream::analytics {

// A YAML document as JSON text. Plain words are null, true, false and numbers where JSON has them,
// else texts. The short tags of CloudFormation become what they stand for: !Ref x is {"Ref": "x"},
// !Sub x is
// {"Fn::Sub": "x"}. kInvalidArgument with the line for what is no YAML, has aliases (which
// CloudFormation does not take either) or is nested more than codec::kJsonDepthMax deep.
base::Result<std::string> JsonOfYaml(std::string_view yaml);

// Whether a text begins like a YAML document of an application and not like JSON or SQL.
bool LooksLikeYaml(std::string_view text);

}  // namespace millstream::analytics
