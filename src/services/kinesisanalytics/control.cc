#include "services/kinesisanalytics/control.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "analytics/input_reader.h"
#include "analytics/reference_data.h"
#include "aws/arn.h"
#include "base/logging.h"

namespace millstream::services::kinesisanalytics {
namespace {

using analytics::Refusal;

constexpr std::string_view kResourcePrefix = "application/";
constexpr std::size_t kSampleRecordsMax = 100;
constexpr std::size_t kSampleBytesMax = 1 << 20;
constexpr auto kSamplePatience = std::chrono::seconds(2);

}  // namespace

Control::Control(analytics::Applications& applications, streams::StreamRegistry& registry,
                 const aws::ServiceSchema& schema, const Exceptions& exceptions,
                 std::string buckets_directory)
    : applications_(applications),
      registry_(registry),
      schema_(schema),
      exceptions_(exceptions),
      buckets_directory_(std::move(buckets_directory)) {}

std::string Control::ArnOf(const analytics::ApplicationKey& key) {
  return fmt::format("arn:{}:kinesisanalytics:{}:{}:{}{}", aws::PartitionOfRegion(key.region),
                     key.region, key.account, kResourcePrefix, key.name);
}

aws::Outcome<analytics::ApplicationKey> Control::KeyOfArn(const std::string& arn) const {
  aws::ArnView view;
  if (!aws::ParseArn(arn, view) || view.service != "kinesisanalytics" ||
      !view.resource.starts_with(kResourcePrefix)) {
    return aws::FailCall(exceptions_.invalid_argument("Invalid application ARN: " + arn));
  }
  return analytics::ApplicationKey{std::string(view.account), std::string(view.region),
                                   std::string(view.resource.substr(kResourcePrefix.size()))};
}

aws::Outcome<analytics::SnapshotPtr> Control::Find(const aws::Call& call,
                                                   const std::string& name) const {
  analytics::ApplicationKey key = KeyOf(call, name);
  auto found = applications_.Find(key);
  if (found == nullptr) {
    return aws::FailCall(ToError({.reason = Refusal::kNotFound}, key, call.operation));
  }
  return found;
}

std::vector<analytics::SnapshotPtr> Control::Page(const aws::Call& call, const std::string& after,
                                                  std::size_t limit, bool& more) const {
  std::vector<analytics::SnapshotPtr> page;
  more = false;
  for (auto& application : applications_.List(call.account, call.region)) {
    if (!after.empty() && application->key.name <= after) continue;
    if (page.size() == limit) {
      more = true;
      break;
    }
    page.push_back(std::move(application));
  }
  return page;
}

aws::ServiceError Control::ToError(const analytics::Refused& refused,
                                   const analytics::ApplicationKey& key,
                                   std::string_view operation) const {
  auto may_answer = [&](std::string_view exception) {
    const aws::OperationSchema* schema = schema_.Find(operation);
    return schema != nullptr &&
           std::any_of(schema->errors.begin(), schema->errors.end(),
                       [&](const aws::ErrorSchema* error) { return error->name == exception; });
  };
  auto wrong_configuration = [&](std::string message) {
    return may_answer("InvalidApplicationConfigurationException")
               ? exceptions_.invalid_configuration(std::move(message))
               : exceptions_.invalid_argument(std::move(message));
  };
  switch (refused.reason) {
    case Refusal::kNotFound:
      return exceptions_.not_found(refused.message.empty()
                                       ? "Could not find application: " + ArnOf(key)
                                       : refused.message);
    case Refusal::kExists:
      return exceptions_.in_use("Application already exists: " + ArnOf(key));
    case Refusal::kVersion:
      return exceptions_.concurrent_modification(fmt::format(
          "Invalid application version: the current version of {} is {}.", key.name,
          refused.version));
    case Refusal::kStatus:
      return exceptions_.in_use(
          fmt::format("Application {} cannot be changed so while it is {}.", ArnOf(key),
                      analytics::StatusName(refused.status)));
    case Refusal::kLimit:
      return exceptions_.limit_exceeded(
          refused.message.empty()
              ? fmt::format("The limit of {} applications per account and region is reached.",
                            refused.limit)
              : refused.message);
    case Refusal::kConfiguration:
      return wrong_configuration(refused.message);
    case Refusal::kArgument:
      return exceptions_.invalid_argument(refused.message);
    case Refusal::kCode: {
      std::string message = "The application code is not valid: " + refused.message;
      return may_answer("CodeValidationException") ? exceptions_.code_validation(std::move(message))
                                                   : wrong_configuration(std::move(message));
    }
    case Refusal::kNotSupported:
      return exceptions_.unsupported(refused.message);
    case Refusal::kStorage:
      break;
  }
  LOG_ERROR("an operation on an application failed", {"application", key.name},
            {"error", refused.message});
  return aws::InternalFailure();
}

aws::Outcome<Control::Sample> Control::SampleStream(const aws::Call& call, const std::string& arn,
                                                    const std::string& position) const {
  if (arn.find(":stream/") == std::string::npos) {
    return aws::FailCall(exceptions_.unsupported(
        "Schemas are discovered from streams only, not yet from delivery streams: " + arn));
  }
  streams::StreamKey key = analytics::StreamKeyOf({call.account, call.region, ""}, arn);
  streams::StreamPtr stream = key.account == call.account ? registry_.Find(key) : nullptr;
  if (stream == nullptr) {
    return aws::FailCall(exceptions_.not_found("Stream " + arn + " not found."));
  }
  analytics::StreamPosition start =
      position == "NOW" ? analytics::EndPosition(*stream, registry_.log())
                        : analytics::StreamPosition{};
  auto began = std::chrono::steady_clock::now();
  Sample sample;
  std::size_t bytes = 0;
  while (true) {
    for (const streams::ShardEntry& shard : stream->state()->shards) {
      int64_t at = 0;
      for (const analytics::ShardPosition& begin : start.shards) {
        if (begin.shard == shard.facts.id.index) at = begin.offset;
      }
      streams::ReadOptions read;
      read.records_max = static_cast<int32_t>(kSampleRecordsMax);
      auto page = analytics::ReadAndWait(*stream, shard.facts.id, at, read);
      if (!page) continue;
      for (const streams::RecordView& record : page->records) {
        if (sample.records.size() >= kSampleRecordsMax || bytes > kSampleBytesMax) return sample;
        bytes += record.data.size();
        sample.records.emplace_back(record.data);
      }
    }
    // From NOW on, records have to come first.
    bool patient = position == "NOW" && std::chrono::steady_clock::now() - began < kSamplePatience;
    if (!sample.records.empty() || !patient) return sample;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

aws::Outcome<Control::Sample> Control::SampleObject(const std::string& bucket_arn,
                                                    const std::string& key) const {
  analytics::ReferenceDataSource source;
  source.table_name = key;
  source.bucket_arn = bucket_arn;
  source.file_key = key;
  auto path = analytics::ReferencePath(source, buckets_directory_);
  if (!path) {
    return aws::FailCall(path.error().code() == base::Code::kNotSupported
                             ? exceptions_.unsupported(path.error().message())
                             : exceptions_.invalid_argument(path.error().message()));
  }
  base::RealFileSystem files;
  auto bytes = analytics::ReadReference(files, *path);
  if (!bytes) return aws::FailCall(exceptions_.not_found(bytes.error().message()));
  if (bytes->size() > kSampleBytesMax) {
    std::size_t end = bytes->rfind('\n', kSampleBytesMax);
    bytes->resize(end == std::string::npos ? kSampleBytesMax : end + 1);
  }
  return Sample{{std::move(*bytes)}};
}

std::optional<aws::ServiceError> Control::CheckTags(
    const std::vector<std::pair<std::string, std::string>>& tags) const {
  for (const auto& [key, value] : tags) {
    if (key.starts_with("aws:")) {
      return exceptions_.invalid_argument("Tag keys starting with aws: are reserved: " + key);
    }
  }
  if (tags.size() > kTagsMax) {
    return exceptions_.too_many_tags(
        fmt::format("An application has {} tags at most.", kTagsMax));
  }
  return std::nullopt;
}

std::vector<std::string> Control::Resources(const aws::OperationSchema& operation,
                                            const aws::Call& call, const void* input) {
  for (const aws::MemberSchema& member : operation.input->members) {
    if (member.name != "ApplicationName" && member.name != "ResourceARN") continue;
    if (member.shape->kind != aws::Kind::kString) continue;
    const void* field = member.Get(input);
    if (field == nullptr) continue;
    const auto& text = *static_cast<const std::string*>(field);
    if (member.name == "ResourceARN") return {text};
    return {ArnOf(KeyOf(call, text))};
  }
  return {"*"};
}

}  // namespace millstream::services::kinesisanalytics
