#include <algorithm>

#include "aws/arn.h"
#include "aws/policy.h"
#include "aws/policy_json.h"

namespace millstream::aws {

using base::Code;
using base::Fail;
using base::Status;

// Turns the JSON tree into statements; keeps the document to say where an error stands.
class PolicyParser {
 public:
  PolicyParser(std::string_view document, PolicyKind kind) : document_(document), kind_(kind) {}

  Status Run(const PolicyJson& root, PolicyDocument& policy) {
    if (root.kind != PolicyJson::Kind::kObject) return At(root, "a policy must be a JSON object");
    // Version decides how the strings of statements are read, so it is known before them.
    for (const auto& [name, value] : root.members) {
      if (name == "Version") {
        if (value.text != "2012-10-17" && value.text != "2008-10-17") {
          return At(value, "Version must be \"2012-10-17\" or \"2008-10-17\"");
        }
        variables_ = value.text == "2012-10-17";
      } else if (name == "Id") {
        if (value.kind != PolicyJson::Kind::kString) return At(value, "Id must be a string");
      } else if (name != "Statement") {
        return At(value, "unknown policy element \"" + name + "\"");
      }
    }
    const PolicyJson* statements = root.Find("Statement");
    if (statements == nullptr) return At(root, "Statement is missing");
    if (statements->kind == PolicyJson::Kind::kObject) {
      return AddStatement(*statements, "Statement", policy);
    }
    if (statements->kind != PolicyJson::Kind::kArray || statements->items.empty()) {
      return At(*statements, "Statement must be an object or a list of objects, not empty");
    }
    for (std::size_t i = 0; i < statements->items.size(); ++i) {
      TRY(AddStatement(statements->items[i], "Statement[" + std::to_string(i) + "]", policy));
    }
    return {};
  }

 private:
  tl::unexpected<base::Error> At(const PolicyJson& value, const std::string& what) const {
    return Fail(Code::kInvalidArgument, PolicyPosition(document_, value.offset) + ": " + what);
  }

  Status AddStatement(const PolicyJson& json, const std::string& where, PolicyDocument& policy) {
    if (json.kind != PolicyJson::Kind::kObject) return At(json, where + " must be an object");
    PolicyDocument::Statement statement;
    const PolicyJson* effect = nullptr;
    for (const auto& [name, value] : json.members) {
      const std::string element = where + "." + name;
      if (name == "Sid") {
        if (value.kind != PolicyJson::Kind::kString)
          return At(value, element + " must be a string");
      } else if (name == "Effect") {
        effect = &value;
      } else if (name == "Action" || name == "NotAction") {
        if (!statement.actions.empty()) return At(value, element + " beside Action");
        statement.not_action = name == "NotAction";
        TRY(Patterns(value, element, false, statement.actions));
        TRY(CheckActions(value, element, statement.actions));
      } else if (name == "Resource" || name == "NotResource") {
        if (!statement.resources.empty()) return At(value, element + " beside Resource");
        statement.not_resource = name == "NotResource";
        TRY(Patterns(value, element, variables_, statement.resources));
        TRY(CheckResources(value, element, statement.resources));
      } else if (name == "Principal" || name == "NotPrincipal") {
        if (kind_ == PolicyKind::kIdentity) {
          return At(value, element + " has no place in an identity policy");
        }
        if (statement.has_principal) return At(value, element + " beside Principal");
        statement.has_principal = true;
        statement.not_principal = name == "NotPrincipal";
        TRY(AddPrincipals(value, element, statement.principals));
      } else if (name == "Condition") {
        TRY(AddConditions(value, element, statement));
      } else {
        return At(value, "unknown element " + element);
      }
    }
    if (effect == nullptr) return At(json, where + ".Effect is missing");
    if (effect->kind != PolicyJson::Kind::kString ||
        (effect->text != "Allow" && effect->text != "Deny")) {
      return At(*effect,
                where + ".Effect must be \"Allow\" or \"Deny\", found \"" + effect->text + "\"");
    }
    statement.allow = effect->text == "Allow";
    if (statement.actions.empty()) return At(json, where + ".Action is missing");
    if (statement.resources.empty()) return At(json, where + ".Resource is missing");
    if (kind_ == PolicyKind::kResource && !statement.has_principal) {
      return At(json, where + ".Principal is missing");
    }
    policy.statements_.push_back(std::move(statement));
    return {};
  }

  // Calls add(item) for a string or each string of a list.
  template <typename Add>
  Status EachString(const PolicyJson& value, const std::string& where, Add add) {
    if (value.kind == PolicyJson::Kind::kString) return add(value);
    if (value.kind != PolicyJson::Kind::kArray || value.items.empty()) {
      return At(value, where + " must be a string or a list of strings, not empty");
    }
    for (const PolicyJson& item : value.items) {
      if (item.kind != PolicyJson::Kind::kString) {
        return At(item, where + " must be a string or a list of strings");
      }
      TRY(add(item));
    }
    return {};
  }

  Status Patterns(const PolicyJson& value, const std::string& where, bool variables,
                  std::vector<PolicyPattern>& patterns) {
    return EachString(value, where, [&](const PolicyJson& item) -> Status {
      auto pattern = PolicyPattern::Compile(item.text, PolicyPattern::Wildcards::kYes, variables);
      if (!pattern) return At(item, where + ": " + pattern.error().message());
      patterns.push_back(std::move(*pattern));
      return {};
    });
  }

  Status CheckActions(const PolicyJson& value, const std::string& where,
                      const std::vector<PolicyPattern>& patterns) {
    for (const PolicyPattern& pattern : patterns) {
      if (pattern.text() != "*" && pattern.text().find(':') == std::string::npos) {
        return At(value, where + " must be \"*\" or \"service:Operation\", found \"" +
                             pattern.text() + "\"");
      }
    }
    return {};
  }

  Status CheckResources(const PolicyJson& value, const std::string& where,
                        const std::vector<PolicyPattern>& patterns) {
    for (const PolicyPattern& pattern : patterns) {
      const std::string& text = pattern.text();
      if (text != "*" && text.substr(0, 4) != "arn:") {
        return At(value, where + " must be \"*\" or an ARN, found \"" + text + "\"");
      }
    }
    return {};
  }

  Status AddPrincipals(const PolicyJson& value, const std::string& where,
                       PolicyDocument::Principals& principals) {
    if (value.kind == PolicyJson::Kind::kString && value.text == "*") {
      principals.anyone = true;
      return {};
    }
    if (value.kind != PolicyJson::Kind::kObject || value.members.empty()) {
      return At(value, where + " must be \"*\" or an object such as {\"AWS\": \"ACCOUNT\"}");
    }
    for (const auto& [type, names] : value.members) {
      const std::string element = where + "." + type;
      TRY(EachString(names, element, [&, &kind = type](const PolicyJson& item) -> Status {
        if (kind == "AWS") return AddAwsPrincipal(item, element, principals);
        if (kind == "Service") {
          principals.services.push_back(item.text);
          return {};
        }
        return At(item, element + " is not supported: use AWS or Service");
      }));
    }
    return {};
  }

  Status AddAwsPrincipal(const PolicyJson& item, const std::string& where,
                         PolicyDocument::Principals& principals) {
    const std::string& text = item.text;
    ArnView arn;
    if (text == "*") {
      principals.anyone = true;
    } else if (IsAccountId(text)) {
      principals.accounts.push_back(text);
    } else if (ParseArn(text, arn) && (arn.service == "iam" || arn.service == "sts") &&
               IsAccountId(arn.account)) {
      if (text.find('*') != std::string::npos) {
        return At(item, where + ": wildcards do not match parts of a principal's ARN: \"" + text +
                            "\" (use a Condition on aws:PrincipalArn)");
      }
      if (arn.resource == "root") {
        principals.accounts.emplace_back(arn.account);
      } else {
        principals.arns.push_back(text);
      }
    } else {
      return At(item, where +
                          " must be \"*\", an account id or the ARN of a user or role, found \"" +
                          text + "\"");
    }
    return {};
  }

  Status AddConditions(const PolicyJson& value, const std::string& where,
                       PolicyDocument::Statement& statement) {
    if (value.kind != PolicyJson::Kind::kObject) return At(value, where + " must be an object");
    for (const auto& [op, block] : value.members) {
      const std::string element = where + "." + op;
      if (block.kind != PolicyJson::Kind::kObject) {
        return At(block, element + " must be an object of condition keys");
      }
      for (const auto& [key, operand] : block.members) {
        auto condition = PolicyCondition::Parse(op, key, operand, variables_);
        if (!condition) return At(operand, element + ": " + condition.error().message());
        statement.conditions.push_back(std::move(*condition));
      }
    }
    return {};
  }

  const std::string_view document_;
  const PolicyKind kind_;
  bool variables_ = false;
};

base::Result<PolicyDocumentPtr> PolicyDocument::Parse(std::string_view json, PolicyKind kind) {
  ASSIGN_OR_RETURN(const PolicyJson root, ParsePolicyJson(json));
  auto policy = std::make_shared<PolicyDocument>();
  TRY(PolicyParser(json, kind).Run(root, *policy));
  return PolicyDocumentPtr(std::move(policy));
}

}  // namespace millstream::aws
