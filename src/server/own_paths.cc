#include "server/own_paths.h"

#include <fmt/format.h>

#include <memory>
#include <utility>
#include <vector>

#include "codec/json_value.h"
#include "codec/json_writer.h"
#include "server/config_load.h"

namespace millstream::server {
namespace {

using base::Code;
using base::Fail;
using base::Result;
using base::Status;

void Send(http::Responder responder, int status, std::string_view type, std::string_view body) {
  http::Response response;
  response.status = status;
  response.headers.Add("content-type", type);
  response.headers.Add("cache-control", "no-store");
  response.body = base::Bytes::Copy(body);
  std::move(responder).Send(std::move(response));
}

void SendStatus(http::Responder responder, int status, std::string_view word,
                std::string_view reason = {}) {
  std::string body;
  codec::JsonWriter json(body);
  json.BeginObject().Field("status", word);
  if (!reason.empty()) json.Field("reason", reason);
  json.EndObject();
  Send(std::move(responder), status, "application/json", body + "\n");
}

base::Error Wrong(std::string_view member, std::string_view expected, codec::JsonValue found) {
  return base::Error(Code::kInvalidArgument,
                     fmt::format("{}: expected {}, found {}", member, expected, found.type_name()));
}

Status SetMember(codec::JsonValue value, aws::FaultRule& rule) {
  std::string_view name = value.key();
  auto text = [&](std::string& to) -> Status {
    if (!value.is_string()) return Fail(Wrong(name, "text", value));
    to = std::string(value.AsString());
    return {};
  };
  auto whole = [&](int64_t& to) -> Status {
    auto number = value.AsInt64();
    if (!number) return Fail(Wrong(name, "a whole number", value));
    to = *number;
    return {};
  };
  if (name == "service") return text(rule.service);
  if (name == "operation") return text(rule.operation);
  if (name == "error") return text(rule.error_code);
  if (name == "message") return text(rule.error_message);
  if (name == "times") return whole(rule.times);
  if (name == "delay_ms") return whole(rule.delay_ms);
  if (name == "probability") {
    auto number = value.AsDouble();
    if (!number) return Fail(Wrong(name, "a number", value));
    rule.probability = *number;
    return {};
  }
  return Fail(
      Code::kInvalidArgument,
      fmt::format("{}: unknown; a rule has service, operation, probability, times, delay_ms, "
                  "error, message",
                  name));
}

}  // namespace

Result<std::vector<aws::FaultRule>> ParseFaultRules(std::string_view text) {
  ASSIGN_OR_RETURN(auto document, codec::JsonDocument::Parse(text));
  if (!document.root().is_array()) return Fail(Wrong("body", "a list of rules", document.root()));
  std::vector<aws::FaultRule> rules;
  for (codec::JsonValue item : document.root()) {
    if (!item.is_object()) return Fail(Wrong("rule", "an object", item));
    aws::FaultRule rule;
    for (codec::JsonValue member : item) TRY(SetMember(member, rule));
    rules.push_back(std::move(rule));
  }
  return rules;
}

void OwnPaths::Handle(http::Request request, http::Responder responder) {
  std::string_view path = request.path();
  bool get = request.method == "GET" || request.method == "HEAD";
  if (path == "/_millstream/faults") {
    if (request.method != "PUT")
      return SendStatus(std::move(responder), 405, "error", "PUT a list of rules");
    return ReplaceFaults(request, std::move(responder));
  }
  if (path == "/health" || path == "/health/live" || path == "/health/ready" ||
      path == "/metrics") {
    if (!get) return SendStatus(std::move(responder), 405, "error", "GET");
    if (path == "/metrics") return AnswerMetrics(std::move(responder));
    if (path == "/health/live") return SendStatus(std::move(responder), 200, "live");
    std::string reason = readiness_();
    if (reason.empty()) return SendStatus(std::move(responder), 200, "ready");
    return SendStatus(std::move(responder), 503, "not ready", reason);
  }
  SendStatus(std::move(responder), 404, "error", "no such path");
}

void OwnPaths::AnswerMetrics(http::Responder responder) {
  auto shared = std::make_shared<http::Responder>(std::move(responder));
  Status submitted = jobs_.Submit([this, shared] {
    Send(std::move(*shared), 200, "text/plain; version=0.0.4; charset=utf-8", metrics_());
  });
  if (!submitted) SendStatus(std::move(*shared), 503, "error", submitted.error().message());
}

void OwnPaths::ReplaceFaults(const http::Request& request, http::Responder responder) {
  if (!IsLoopback(request.peer_address)) {
    return SendStatus(std::move(responder), 403, "error", "from this machine only");
  }
  auto rules = ParseFaultRules(request.body.view());
  if (!rules) return SendStatus(std::move(responder), 400, "error", rules.error().message());
  if (Status set = faults_.SetRules(std::move(*rules)); !set) {
    return SendStatus(std::move(responder), 400, "error", set.error().message());
  }
  SendStatus(std::move(responder), 200, "ok");
}

}  // namespace millstream::server
