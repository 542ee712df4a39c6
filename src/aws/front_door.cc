#include "aws/front_door.h"

#include <algorithm>
#include <utility>

#include "aws/answer_head.h"
#include "aws/arn.h"
#include "aws/call_reply.h"
#include "aws/engine.h"
#include "aws/request_authorizer.h"
#include "aws/sigv4_chunks.h"
#include "aws/validation.h"
#include "base/logging.h"
#include "codec/cbor.h"
#include "codec/json_value.h"
#include "net/loop.h"

namespace millstream::aws {
namespace {

constexpr std::string_view kJson10 = "application/x-amz-json-1.0";
constexpr std::string_view kJson11 = "application/x-amz-json-1.1";
constexpr std::string_view kCborKinesis = "application/x-amz-cbor-1.1";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kCbor = "application/cbor";

// Whether a refused stranger's body parses is worth this many bytes of our time.
constexpr std::size_t kCheckedBytesMax = 1 << 20;

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool IsOwnPath(std::string_view path) {
  if (path.size() < 2 || (path[1] != 'h' && path[1] != 'm' && path[1] != '_')) return false;
  return path == "/health" || StartsWith(path, "/health/") || path == "/metrics" ||
         path == "/_millstream" || StartsWith(path, "/_millstream/");
}

// "application/json ; charset=utf-8" without its parameters.
std::string_view MediaType(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && type.front() == ' ') type.remove_prefix(1);
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  return type;
}

// JSON or CBOR whose root is an object, a list or a map: what AWS does not call a
// SerializationException before it looks at anything else.
bool IsDocument(bool cbor, std::string_view body) {
  if (body.size() > kCheckedBytesMax) return true;
  if (cbor) {
    codec::CborReader reader(body);
    const codec::CborType type = reader.Peek();
    reader.Skip();
    return reader.ok() && (type == codec::CborType::kMap || type == codec::CborType::kArray);
  }
  const auto document = codec::JsonDocument::Parse(body);
  return document.has_value() && (document->root().is_object() || document->root().is_array());
}

bool IsRegionName(std::string_view region) {
  return !region.empty() && region.size() <= 32 &&
         std::all_of(region.begin(), region.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

void AppendXmlEscaped(std::string_view text, std::string& to) {
  for (const char c : text) {
    switch (c) {
      case '&':
        to += "&amp;";
        break;
      case '<':
        to += "&lt;";
        break;
      case '>':
        to += "&gt;";
        break;
      default:
        to += c;
    }
  }
}

// The tags that an input brings along, for conditions on aws:RequestTag/...; views into the input.
std::vector<PolicyTag> RequestTags(const ShapeSchema& input, const void* value) {
  std::vector<PolicyTag> tags;
  const MemberSchema* member = input.Find("Tags");
  if (member == nullptr || member->shape->kind != Kind::kMap ||
      member->shape->element->kind != Kind::kString) {
    return tags;
  }
  const void* map = member->Get(value);
  if (map == nullptr) return tags;
  member->shape->map->each(map, &tags, [](void* context, const std::string& key, const void* item) {
    static_cast<std::vector<PolicyTag>*>(context)->push_back(
        {key, *static_cast<const std::string*>(item)});
  });
  return tags;
}

constexpr std::string_view kNoAction =
    "Unable to determine service/operation name to be authorized";

}  // namespace

struct FrontDoor::Registered {
  Registered(Service& s)
      : service(s),
        schema(s.schema()),
        validator(s.schema()),
        action_prefix(std::string(ActionPrefix(s.schema().signing_name)) + ":"),
        metrics(new OperationMetrics[s.schema().operations.size()]) {}

  Service& service;
  const ServiceSchema& schema;
  const Validator validator;
  const std::string action_prefix;                    // "kinesis:"
  const std::unique_ptr<OperationMetrics[]> metrics;  // by OperationSchema::index
};

// What the head says about the call.
struct FrontDoor::Route {
  std::string_view service_name;  // as in X-Amz-Target: "Kinesis_20131202"
  std::string_view operation_name;
  Registered* service = nullptr;               // null: unknown
  const OperationSchema* operation = nullptr;  // null: unknown
  Protocol protocol = Protocol::kCborKinesis;  // of the answer; meaningful for bad types too
  bool type_known = false;                     // a content type that some service speaks
  bool deprecated_json = false;  // application/json: parsed, then always an unknown operation
  const Engine& engine() const { return *Engine::For(protocol); }
};

// One request on its way through the checks. Movable, so that an injected delay can keep it.
struct FrontDoor::Pending {
  http::Request request;
  http::Responder responder;
  RequestHeaders headers;
  Route route;
  AnswerHead head;
  int64_t start_ns = 0;
  Call call;
  std::shared_ptr<const CredentialSet> keys;  // keeps `key` alive; null until authenticated
  const AccessKey* key = nullptr;             // null in open mode
};

FrontDoor::FrontDoor(base::Clock& clock, base::Random& random, const CredentialStore& credentials,
                     http::Handler& own_paths, FrontDoorOptions options)
    : clock_(clock),
      random_(random),
      credentials_(credentials),
      own_paths_(own_paths),
      options_(std::move(options)),
      verifier_(clock, options_.signatures),
      resource_policies_(std::make_unique<ResourcePolicyCache>()) {}

FrontDoor::~FrontDoor() = default;

base::Status FrontDoor::Register(Service& service) {
  const ServiceSchema& schema = service.schema();
  if (schema.protocol != "json" || schema.target_prefix.empty()) {
    return base::Fail(base::Code::kNotSupported, "service " + std::string(schema.name) +
                                                     " speaks " + std::string(schema.protocol) +
                                                     ", which the front door does not");
  }
  for (const auto& other : services_) {
    if (other->schema.target_prefix == schema.target_prefix) {
      return base::Fail(base::Code::kAlreadyExists,
                        "two services with the target prefix " + std::string(schema.target_prefix));
    }
  }
  services_.push_back(std::make_unique<Registered>(service));
  return {};
}

void FrontDoor::Handle(http::Request request, http::Responder responder) {
  if (IsOwnPath(request.path())) {
    own_paths_.Handle(std::move(request), std::move(responder));
    return;
  }
  metrics_.requests.Add();
  const RequestHeaders headers(request);
  const Route route = FindRoute(request, headers);
  Pending pending{std::move(request), std::move(responder), headers, route, {}, 0, {}, {}, nullptr};
  pending.start_ns = clock_.MonotonicNs();
  pending.head.MakeIds(random_);
  pending.head.cross_origin = headers.origin.data() != nullptr;
  if (PassCors(pending) && PassProtocol(pending) && PassAuthentication(pending) &&
      PassFaults(pending)) {
    Dispatch(pending);
  }
}

FrontDoor::Route FrontDoor::FindRoute(const http::Request& request,
                                      const RequestHeaders& headers) const {
  Route route;
  const std::string_view type = MediaType(headers.content_type);
  constexpr std::string_view kServicePath = "/service/", kOperationPath = "/operation/";
  const std::string_view path = request.path();
  if (StartsWith(path, kServicePath) && headers.smithy_protocol == "rpc-v2-cbor") {
    const auto at = path.find(kOperationPath, kServicePath.size());
    route.service_name = path.substr(kServicePath.size(), at - kServicePath.size());
    if (at != std::string_view::npos) {
      route.operation_name = path.substr(at + kOperationPath.size());
    }
    route.protocol = Protocol::kRpcV2Cbor;
    route.type_known = type == kCbor || (type.empty() && request.body.empty());
  } else {
    const std::string_view target = headers.amz_target;
    const auto dot = std::min(target.find('.'), target.size());
    route.service_name = target.substr(0, dot);
    route.operation_name = target.substr(std::min(dot + 1, target.size()));
  }
  for (const auto& candidate : services_) {
    if (candidate->schema.target_prefix != route.service_name) continue;
    route.service = candidate.get();
    route.operation = candidate->schema.Find(route.operation_name);
    break;
  }
  if (route.protocol == Protocol::kRpcV2Cbor) return route;
  if (type == kJson11) {
    route.protocol = Protocol::kJson11;
    route.type_known = true;
  } else if (type == kCborKinesis) {
    route.type_known = true;
  } else if (type == kJson10 && route.service != nullptr &&
             route.service->schema.json_version == "1.0") {
    route.protocol = Protocol::kJson10;
    route.type_known = true;
  } else if (type == kJson) {
    route.type_known = route.deprecated_json = true;
  }
  return route;
}

bool FrontDoor::PassCors(Pending& pending) {
  if (!pending.head.cross_origin || pending.request.method != "OPTIONS") return true;
  metrics_.refused.Add();
  http::Response response;
  response.headers.Add("x-amzn-requestid", pending.head.id());
  response.headers.Add("access-control-allow-origin", "*");
  const RequestHeaders& headers = pending.headers;
  if (!headers.access_control_request_headers.empty()) {
    response.headers.Add("access-control-allow-headers", headers.access_control_request_headers);
  }
  if (!headers.access_control_request_method.empty()) {
    response.headers.Add("access-control-allow-methods", headers.access_control_request_method);
  }
  response.headers.Add("access-control-max-age", "172800");
  std::move(pending.responder).Send(std::move(response));
  return false;
}

// Method, body, content type, body's form, target: in this order, as recorded on AWS (kinesalite:
// index.js, test/connection.js).
bool FrontDoor::PassProtocol(Pending& pending) {
  const Route& route = pending.route;
  if (pending.request.method != "POST") return RefuseWithoutPost(pending);
  const std::string_view body = pending.request.body.view();
  const bool known = route.operation != nullptr;
  if (body.empty() && route.protocol != Protocol::kRpcV2Cbor) {
    return Refuse(pending, known ? SerializationException() : UnknownOperationException());
  }
  if (!route.type_known) return RefuseWithoutPost(pending);
  if (known && !route.deprecated_json) return true;  // the engine parses it, after authentication

  const bool cbor = route.protocol == Protocol::kRpcV2Cbor ||
                    (route.protocol == Protocol::kCborKinesis && !route.deprecated_json);
  const bool parses = (cbor && body.empty()) || IsDocument(cbor, body);
  if (!route.deprecated_json) {
    return Refuse(pending, parses ? UnknownOperationException() : SerializationException());
  }
  metrics_.refused.Add();
  http::Response response;
  response.status = parses ? 404 : 400;
  response.headers.Add("content-type", kJson);
  pending.head.AppendTo(response.headers);
  response.body = base::Bytes::Static(
      parses ? R"({"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},)"
               R"("Version":"1.0"})"
             : R"({"Output":{"__type":"com.amazon.coral.service#SerializationException"},)"
               R"("Version":"1.0"})");
  std::move(pending.responder).Send(std::move(response));
  return false;
}

// What is no POST, or of an unknown type, is answered in XML: first by what is wrong with its
// signature, then by what it may have meant.
bool FrontDoor::RefuseWithoutPost(Pending& pending) {
  const Route& route = pending.route;
  SignatureParts parts;
  ParseSignature(pending.request, pending.headers, parts);
  if (const auto error = CheckComplete(pending.headers, parts)) {
    return RefuseWithXml(pending, 403, error->code, error->message);
  }
  if (route.service_name.empty() || route.operation_name.empty()) {
    return RefuseWithXml(pending, 403, "AccessDeniedException", kNoAction);
  }
  if (route.service == nullptr) {
    return RefuseWithXml(
        pending, 403, "UnrecognizedClientException",
        "No authorization strategy was found for service: " + std::string(route.service_name) +
            ", operation: " + std::string(route.operation_name));
  }
  if (route.operation == nullptr) return RefuseWithXml(pending, 500, "InternalFailure", "");
  return RefuseWithXml(pending, 404, "UnknownOperationException", "");
}

bool FrontDoor::RefuseWithXml(Pending& pending, int status, std::string_view type,
                              std::string_view message) {
  metrics_.refused.Add();
  std::string body = "<" + std::string(type);
  if (message.empty()) {
    body += "/>\n";
  } else {
    body += ">\n  <Message>";
    AppendXmlEscaped(message, body);
    body += "</Message>\n</" + std::string(type) + ">\n";
  }
  http::Response response;
  response.status = status;
  response.headers.Add("x-amzn-errortype", type);
  pending.head.AppendTo(response.headers);
  response.body = base::Bytes::Copy(body);
  std::move(pending.responder).Send(std::move(response));
  return false;
}

bool FrontDoor::Refuse(Pending& pending, ServiceError error) {
  if (pending.route.operation != nullptr) {
    NewReply(pending)->Fail(std::move(error));
    return false;
  }
  metrics_.refused.Add();
  http::Response response;
  pending.route.engine().EncodeError(nullptr, error, response);
  response.headers.Add("x-amzn-errortype", error.code);
  pending.head.AppendTo(response.headers);
  std::move(pending.responder).Send(std::move(response));
  return false;
}

bool FrontDoor::PassAuthentication(Pending& pending) {
  Call& call = pending.call;
  const Route& route = pending.route;
  const http::Request& request = pending.request;
  call.now_ms = clock_.WallMs();
  call.request_id = pending.head.id();
  call.service = route.service->schema.signing_name;
  call.operation = route.operation->name;
  call.protocol = route.protocol;
  call.tls = request.tls;
  call.http2 = request.version == http::Version::kHttp2;
  call.source_ip = request.peer_address;
  call.connection = request.connection;
  call.user_agent = pending.headers.user_agent;

  SignatureParts parts;
  ParseSignature(request, pending.headers, parts);
  const auto& keys = credentials_.Current();
  call.presigned = parts.presigned();
  call.has_session_token = !parts.security_token.empty();
  const bool region_known = IsRegionName(parts.region);
  call.region = region_known ? parts.region : options_.default_region;
  call.partition = PartitionOfRegion(call.region);

  std::optional<ServiceError> error;
  const bool unsigned_call = parts.source == SignatureParts::Source::kNone;
  if (!(unsigned_call && keys->open() && options_.allow_unsigned)) {
    error = CheckComplete(pending.headers, parts);
  }
  std::optional<base::Bytes> body;
  if (!error && keys->open()) {
    AcceptAnyone(pending, parts);
    const ChunkedPayload kind = ChunkedPayloadOf(parts.content_sha256);
    if (kind != ChunkedPayload::kNone) {
      auto decoded = DecodeChunks(kind, request.body.view(),
                                  pending.headers.amz_decoded_content_length, ChunkSigning());
      if (decoded) body = std::move(*decoded);
      if (!decoded) error = std::move(decoded).error();
    }
  } else if (!error) {
    auto caller = verifier_.Verify(request, pending.headers, parts, *keys);
    if (!caller) {
      error = std::move(caller).error();
    } else if (parts.service != call.service) {
      error = InvalidSignatureException("Credential should be scoped to correct service: '" +
                                        call.service + "'. ");
    } else {
      pending.keys = keys;
      pending.key = caller->key;
      call.access_key = caller->key->access_key_id;
      call.account = caller->key->account_id;
      call.principal_arn = caller->key->principal_arn;
      body = std::move(caller->unchunked_body);
    }
  }
  if (!error && !region_known && !parts.region.empty()) {
    error = InvalidSignatureException("Credential should be scoped to a valid region, not '" +
                                      std::string(parts.region) + "'. ");
  }
  if (!error) {
    if (body) pending.request.body = std::move(*body);
    return true;
  }
  metrics_.unauthenticated.Add();
  // A body that does not parse comes before a wrong signature.
  const bool cbor =
      route.protocol == Protocol::kCborKinesis || route.protocol == Protocol::kRpcV2Cbor;
  const bool empty_is_fine = route.protocol == Protocol::kRpcV2Cbor && request.body.empty();
  if (!empty_is_fine && !IsDocument(cbor, request.body.view())) error = SerializationException();
  return Refuse(pending, std::move(*error));
}

void FrontDoor::AcceptAnyone(Pending& pending, const SignatureParts& parts) const {
  Call& call = pending.call;
  // A credential that is not KEY/DATE/REGION/SERVICE/aws4_request still begins with the key.
  const std::string_view key = parts.access_key_id.empty()
                                   ? parts.credential.substr(0, parts.credential.find('/'))
                                   : parts.access_key_id;
  call.access_key = key.substr(0, 128);
  call.account = AccountInOpenMode(key, options_.default_account);
  call.principal_arn = "arn:aws:iam::" + call.account + ":root";
}

bool FrontDoor::PassFaults(Pending& pending) {
  if (faults_ == nullptr) return true;
  auto fault = faults_->Next(pending.call);
  if (!fault) return true;
  metrics_.injected_faults.Add();
  net::Loop* loop = net::Loop::Current();
  if (fault->delay_ns <= 0 || loop == nullptr) {
    return fault->error ? Refuse(pending, std::move(*fault->error)) : true;
  }
  loop->RunAfter(fault->delay_ns,
                 [this, kept = std::make_unique<Pending>(std::move(pending)),
                  error = std::make_unique<std::optional<ServiceError>>(std::move(fault->error))] {
                   if (*error) {
                     Refuse(*kept, std::move(**error));
                   } else {
                     Dispatch(*kept);
                   }
                 });
  return false;
}

std::unique_ptr<AuditEvent> FrontDoor::NewAuditEvent(const Pending& pending) const {
  if (audit_ == nullptr) return nullptr;
  const AuditLevel level = audit_->level();
  if (level == AuditLevel::kOff) return nullptr;
  const std::string_view signing_name = pending.route.service->schema.signing_name;
  const std::string_view operation = pending.route.operation->name;
  const bool data_event = IsDataEvent(signing_name, operation);
  if (data_event && level != AuditLevel::kAll) return nullptr;
  auto event = std::make_unique<AuditEvent>();
  const Call& call = pending.call;
  event->event_time_ms = call.now_ms != 0 ? call.now_ms : clock_.WallMs();
  event->event_source = std::string(signing_name) + ".amazonaws.com";
  event->event_name = operation;
  event->aws_region = call.region;
  event->source_ip = pending.request.peer_address;
  event->user_agent = pending.headers.user_agent;
  event->account = call.account.empty() ? options_.default_account : call.account;
  event->principal_arn = call.principal_arn;
  event->access_key_id = call.access_key;
  if (pending.key != nullptr) event->user_name = pending.key->user_name();
  event->request_id = pending.head.id();
  event->read_only = IsReadOnly(operation);
  event->data_event = data_event;
  return event;
}

std::unique_ptr<CallReply> FrontDoor::NewReply(Pending& pending) {
  const Route& route = pending.route;
  const AnswerContext context{clock_,
                              metrics_,
                              route.service->metrics[route.operation->index],
                              audit_,
                              route.service->schema,
                              *route.operation,
                              route.engine()};
  return std::make_unique<CallReply>(context, pending.head, pending.start_ns,
                                     std::move(pending.responder), NewAuditEvent(pending));
}

void FrontDoor::Dispatch(Pending& pending) {
  Registered& registered = *pending.route.service;
  const OperationSchema& operation = *pending.route.operation;
  Call& call = pending.call;
  auto reply = NewReply(pending);
  AuditEvent* const audit = reply->audit();
  RequestAuthorizer authorizer(registered.service, *resource_policies_, pending.key, audit);
  if (pending.key != nullptr || audit != nullptr) call.authorizer = &authorizer;

  std::unique_ptr<ReplySink> sink = std::move(reply);
  if (registered.service.TryFast(operation, call, pending.request, sink)) {
    registered.metrics[operation.index].fast_path.Add();
    return;
  }
  auto input = pending.route.engine().DecodeInput(operation, pending.request);
  if (!input) return sink->Fail(std::move(input).error());
  if (audit != nullptr && operation.has_input) {
    audit->request_parameters = AuditParameters(*operation.input, input->get());
  }
  if (auto error = registered.validator.Check(*operation.input, input->get())) {
    return sink->Fail(std::move(*error));
  }
  if (call.authorizer != nullptr) {
    std::vector<PolicyTag> tags;
    if (authorizer.needs_request_tags()) tags = RequestTags(*operation.input, input->get());
    authorizer.SetRequestTags(tags);
    const std::string action = registered.action_prefix + std::string(operation.name);
    for (const std::string& arn : registered.service.Resources(operation, call, input->get())) {
      if (auto error = authorizer.Authorize(call, action, arn)) {
        metrics_.access_denied.Add();
        return sink->Fail(std::move(*error));
      }
    }
  }
  registered.service.Invoke(operation, call, std::move(*input), std::move(sink));
}

const OperationMetrics* FrontDoor::metrics(std::string_view service,
                                           std::string_view operation) const {
  for (const auto& registered : services_) {
    if (registered->schema.name != service) continue;
    const OperationSchema* found = registered->schema.Find(operation);
    return found == nullptr ? nullptr : &registered->metrics[found->index];
  }
  return nullptr;
}

void FrontDoor::WriteMetrics(base::MetricsPage& page) const {
  const auto total = [&page](std::string_view name, std::string_view help,
                             const base::Counter& counter) {
    page.Family(name, help, "counter");
    page.Sample(name, "", static_cast<double>(counter.value()));
  };
  total("aws_front_door_requests_total", "Requests to AWS paths.", metrics_.requests);
  total("aws_front_door_refused_total", "Answered before authentication.", metrics_.refused);
  total("aws_front_door_unauthenticated_total", "Missing or wrong signatures, unknown keys.",
        metrics_.unauthenticated);
  total("aws_front_door_access_denied_total", "Denied by policies on the generic path.",
        metrics_.access_denied);
  total("aws_front_door_injected_faults_total", "Faults injected on demand.",
        metrics_.injected_faults);

  const auto each = [this](auto visit) {
    for (const auto& registered : services_) {
      for (const OperationSchema& operation : registered->schema.operations) {
        const OperationMetrics& metrics = registered->metrics[operation.index];
        if (metrics.calls.value() == 0) continue;
        visit("service=\"" + std::string(registered->schema.name) + "\",operation=\"" +
                  std::string(operation.name) + "\"",
              metrics);
      }
    }
  };
  page.Family("aws_requests_total", "Calls answered, by operation.", "counter");
  each([&](const std::string& labels, const OperationMetrics& metrics) {
    page.Sample("aws_requests_total", labels, static_cast<double>(metrics.calls.value()));
  });
  page.Family("aws_fast_path_total", "Calls that took the operation's fast path.", "counter");
  each([&](const std::string& labels, const OperationMetrics& metrics) {
    page.Sample("aws_fast_path_total", labels, static_cast<double>(metrics.fast_path.value()));
  });
  page.Family("aws_errors_total", "Calls answered with an error, by its code.", "counter");
  each([&](const std::string& labels, const OperationMetrics& metrics) {
    for (const auto& [code, count] : metrics.errors.Snapshot()) {
      page.Sample("aws_errors_total",
                  labels + ",code=\"" + base::MetricsPage::EscapeLabel(code) + "\"",
                  static_cast<double>(count));
    }
  });
  page.Family("aws_request_seconds", "From the complete request to its answer.", "histogram");
  each([&](const std::string& labels, const OperationMetrics& metrics) {
    page.Histogram("aws_request_seconds", labels, metrics.latency);
  });
}

}  // namespace millstream::aws
