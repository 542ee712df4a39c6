#include "aws/audit.h"

#include <algorithm>
#include <array>

#include "codec/json_writer.h"
#include "codec/time_format.h"

namespace millstream::aws {
namespace {

constexpr std::size_t kStringMax = 1024;
constexpr std::size_t kItemsMax = 16;  // of lists and maps shown; of longer ones their size
constexpr int kDepthMax = 8;

using codec::JsonWriter;

void WriteValue(const ShapeSchema& shape, const void* value, int depth, JsonWriter& json);

// "StreamName" is "streamName", "StreamARN" is "streamARN", "KMSKeyId" is "kMSKeyId", as CloudTrail
// has them.
void WriteKey(std::string_view name, JsonWriter& json) {
  std::string lower(name);
  if (!lower.empty() && lower[0] >= 'A' && lower[0] <= 'Z') {
    lower[0] = static_cast<char>(lower[0] + ('a' - 'A'));
  }
  json.Key(lower);
}

void WriteString(std::string_view text, JsonWriter& json) {
  if (text.size() <= kStringMax) {
    json.String(text);
  } else {
    json.String(std::string(text.substr(0, kStringMax)) + "...");
  }
}

// What is not shown says how much it was.
void WriteSize(std::string_view what, std::size_t size, JsonWriter& json) {
  json.BeginObject().Field(what, size).EndObject();
}

void WriteStructure(const ShapeSchema& shape, const void* value, int depth, JsonWriter& json) {
  json.BeginObject();
  for (const MemberSchema& member : shape.members) {
    const void* field = member.Get(value);
    if (field == nullptr) continue;
    WriteKey(member.name, json);
    WriteValue(*member.shape, field, depth + 1, json);
  }
  json.EndObject();
}

void WriteValue(const ShapeSchema& shape, const void* value, int depth, JsonWriter& json) {
  if (depth > kDepthMax) {
    json.Null();
    return;
  }
  switch (shape.kind) {
    case Kind::kString:
      return WriteString(*static_cast<const std::string*>(value), json);
    case Kind::kBoolean:
      json.Bool(*static_cast<const bool*>(value));
      return;
    case Kind::kInteger:
      json.Int(*static_cast<const int32_t*>(value));
      return;
    case Kind::kLong:
      json.Int(*static_cast<const int64_t*>(value));
      return;
    case Kind::kFloat:
      json.Double(static_cast<double>(*static_cast<const float*>(value)));
      return;
    case Kind::kDouble:
      json.Double(*static_cast<const double*>(value));
      return;
    case Kind::kTimestamp:
      json.String(codec::FormatIso8601(*static_cast<const int64_t*>(value)));
      return;
    case Kind::kBlob:
      return WriteSize("bytes", static_cast<const base::Bytes*>(value)->size(), json);
    case Kind::kList: {
      const std::size_t size = shape.list->size(value);
      if (size > kItemsMax) return WriteSize("count", size, json);
      json.BeginArray();
      for (std::size_t i = 0; i < size; ++i) {
        WriteValue(*shape.element, shape.list->at(value, i), depth + 1, json);
      }
      json.EndArray();
      return;
    }
    case Kind::kMap: {
      const std::size_t size = shape.map->size(value);
      if (size > kItemsMax) return WriteSize("count", size, json);
      json.BeginObject();
      struct Visit {
        JsonWriter& json;
        const ShapeSchema& element;
        int depth;
      } visit{json, *shape.element, depth};
      shape.map->each(value, &visit, [](void* context, const std::string& key, const void* item) {
        auto& v = *static_cast<Visit*>(context);
        v.json.Key(key);
        WriteValue(v.element, item, v.depth + 1, v.json);
      });
      json.EndObject();
      return;
    }
    case Kind::kStructure:
      return WriteStructure(shape, value, depth, json);
  }
}

void RawOrNull(std::string_view name, const std::string& text, JsonWriter& json) {
  json.Key(name);
  if (text.empty()) {
    json.Null();
  } else {
    json.Raw(text);
  }
}

void WriteIdentity(const AuditEvent& event, JsonWriter& json) {
  const auto ends_with = [&](std::string_view end) {
    return event.principal_arn.size() >= end.size() &&
           event.principal_arn.compare(event.principal_arn.size() - end.size(), end.size(), end) ==
               0;
  };
  const bool role = event.principal_arn.find(":assumed-role/") != std::string::npos;
  json.Key("userIdentity").BeginObject();
  json.Field("type", ends_with(":root") ? "Root" : role ? "AssumedRole" : "IAMUser");
  json.Field("principalId", event.access_key_id.empty() ? event.account : event.access_key_id);
  json.Field("arn", event.principal_arn);
  json.Field("accountId", event.account);
  if (!event.access_key_id.empty()) json.Field("accessKeyId", event.access_key_id);
  if (!event.user_name.empty()) json.Field("userName", event.user_name);
  json.EndObject();
}

}  // namespace

bool IsDataEvent(std::string_view service, std::string_view operation) {
  static constexpr std::array<std::string_view, 5> kKinesis = {
      "PutRecord", "PutRecords", "GetRecords", "GetShardIterator", "SubscribeToShard"};
  if (service == "kinesis") {
    return std::find(kKinesis.begin(), kKinesis.end(), operation) != kKinesis.end();
  }
  if (service == "firehose") return operation.substr(0, 9) == "PutRecord";
  return false;
}

bool IsReadOnly(std::string_view operation) {
  static constexpr std::array<std::string_view, 7> kPrefixes = {
      "Describe", "Get", "List", "Subscribe", "Query", "Scan", "Discover"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(), [operation](std::string_view prefix) {
    return operation.substr(0, prefix.size()) == prefix;
  });
}

std::string AuditParameters(const ShapeSchema& shape, const void* value) {
  std::string text;
  JsonWriter json(text);
  WriteValue(shape, value, 0, json);
  return text;
}

void AppendAuditJson(const AuditEvent& event, std::string_view event_id, base::Buffer& into) {
  JsonWriter json(into);
  json.BeginObject();
  json.Field("eventVersion", "1.09");
  WriteIdentity(event, json);
  json.Field("eventTime", codec::FormatIso8601Seconds(event.event_time_ms));
  json.Field("eventSource", event.event_source);
  json.Field("eventName", event.event_name);
  json.Field("awsRegion", event.aws_region);
  json.Field("sourceIPAddress", event.source_ip);
  json.Field("userAgent", event.user_agent);
  if (!event.error_code.empty()) {
    json.Field("errorCode", event.error_code);
    json.Key("errorMessage");
    WriteString(event.error_message, json);
  }
  RawOrNull("requestParameters", event.request_parameters, json);
  RawOrNull("responseElements", event.response_elements, json);
  json.Field("requestID", event.request_id);
  json.Field("eventID", event_id);
  json.Field("readOnly", event.read_only);
  if (!event.resources.empty()) {
    json.Key("resources").BeginArray();
    for (const std::string& arn : event.resources) {
      json.BeginObject().Field("accountId", event.account).Field("ARN", arn).EndObject();
    }
    json.EndArray();
  }
  json.Field("eventType", "AwsApiCall");
  json.Field("managementEvent", !event.data_event);
  json.Field("recipientAccountId", event.account);
  json.Field("eventCategory", event.data_event ? "Data" : "Management");
  json.EndObject();
}

}  // namespace millstream::aws
