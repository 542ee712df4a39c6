#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "aws/schema.h"
#include "base/bytes.h"

// The audit trail: one event per API call, in the shape of a CloudTrail record.
namespace millstream::aws {

struct AuditEvent {
  int64_t event_time_ms = 0;
  std::string event_source;  // "kinesis.amazonaws.com"
  std::string event_name;    // "CreateStream"
  std::string aws_region;
  std::string source_ip;
  std::string user_agent;
  std::string account;
  std::string principal_arn;
  std::string access_key_id;  // never the secret or the session token
  std::string user_name;
  std::string request_id;
  std::string error_code;  // empty: it worked
  std::string error_message;
  std::string request_parameters;      // JSON without data (blobs as their sizes); empty: null
  std::string response_elements;       // JSON, of calls that change something; empty: null
  std::vector<std::string> resources;  // ARNs
  bool read_only = false;
  bool data_event = false;  // of records (PutRecord, GetRecords, ...), not of streams
};

enum class AuditLevel : uint8_t {
  kOff,
  kManagement,  // without the calls that carry records
  kAll,
};

// Where events go. Thread-safe; Record() must not block: it queues or drops.
class AuditSink {
 public:
  virtual ~AuditSink() = default;
  virtual AuditLevel level() const = 0;  // asked once per call
  virtual void Record(AuditEvent event) = 0;
};

// Appends the event as one JSON object (no newline) with CloudTrail's names: eventVersion,
// userIdentity, eventTime, eventSource, eventName, ... `event_id` is a UUID.
void AppendAuditJson(const AuditEvent& event, std::string_view event_id, base::Buffer& into);

// CloudTrail's classification of Kinesis' operations; others are management events.
bool IsDataEvent(std::string_view service, std::string_view operation);
// Describe..., Get..., List... and the like.
bool IsReadOnly(std::string_view operation);

// A decoded structure as CloudTrail shows parameters: member names in lowerCamelCase, blobs as
// their sizes, long strings and lists cut.
std::string AuditParameters(const ShapeSchema& shape, const void* value);

}  // namespace millstream::aws
