// Policy documents of both kinds: parsed, and when valid evaluated against contexts that match and
// do not. Nothing may crash, and a document that parses must give the same answer twice.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "aws/policy.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millstream::aws;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const PolicyKind kind : {PolicyKind::kIdentity, PolicyKind::kResource}) {
    const auto policy = PolicyDocument::Parse(text, kind);
    if (!policy) {
      CHECK(!policy.error().message().empty());
      continue;
    }
    const PolicyTag tags[] = {{"env", "prod"}, {"team", "a"}};
    PolicyContext context;
    context.action = "kinesis:PutRecord";
    context.resource = "arn:aws:kinesis:us-east-1:111122223333:stream/orders";
    context.principal_arn = "arn:aws:iam::111122223333:user/alice";
    context.principal_account = "111122223333";
    context.user_name = "alice";
    context.source_ip = "10.0.0.1";
    context.now_ms = 1'767'225'600'000;
    context.resource_tags = tags;
    context.request_tags = tags;
    const PolicyMatch match = (*policy)->Evaluate(context);
    CHECK((*policy)->Evaluate(context) == match);
    (void)(*policy)->Evaluate(PolicyContext());
    const PolicyDocumentPtr policies[] = {*policy};
    (void)DecidePolicy({policies, false}, policy->get(), "444455556666", context);
  }
  return 0;
}
