#include "services/kinesisanalytics/service_v1.h"

#include "services/kinesisanalytics/shapes.h"

namespace millstream::services::kinesisanalytics {
namespace {

namespace api = aws::kinesisanalytics;
using analytics::ApplicationSnapshot;

constexpr Counts kCounts = {.inputs = 1, .outputs = 3, .tables = 1};
constexpr int kListLimit = 50;

constexpr Exceptions kExceptions = {
    .concurrent_modification = api::ConcurrentModificationException,
    .invalid_configuration = api::InvalidApplicationConfigurationException,
    .invalid_argument = api::InvalidArgumentException,
    .limit_exceeded = api::LimitExceededException,
    .in_use = api::ResourceInUseException,
    .not_found = api::ResourceNotFoundException,
    .too_many_tags = api::TooManyTagsException,
    .unable_to_detect = api::UnableToDetectSchemaException,
    .unsupported = api::UnsupportedOperationException,
    .code_validation = api::CodeValidationException,
};

api::ApplicationSummary Summarize(const ApplicationSnapshot& application) {
  api::ApplicationSummary summary;
  summary.application_name = application.key.name;
  summary.application_arn = Control::ArnOf(application.key);
  summary.application_status = StatusName(application.status);
  return summary;
}

api::ApplicationDetail Describe(const ApplicationSnapshot& application) {
  const Definition& d = application.definition;
  api::ApplicationDetail detail;
  detail.application_name = application.key.name;
  detail.application_description = d.description;
  detail.application_arn = Control::ArnOf(application.key);
  detail.application_status = StatusName(application.status);
  detail.create_timestamp = d.created_ms;
  detail.last_update_timestamp = d.updated_ms;
  detail.input_descriptions = DescribeAll(d.inputs, DescribeInput<api::InputDescription>);
  detail.output_descriptions = DescribeAll(d.outputs, DescribeOutput<api::OutputDescription>);
  detail.reference_data_source_descriptions =
      DescribeAll(d.reference_tables, DescribeTable<api::ReferenceDataSourceDescription>);
  detail.cloud_watch_logging_option_descriptions =
      DescribeAll(d.logging_options, DescribeLoggingOption<api::CloudWatchLoggingOptionDescription>);
  detail.application_code = d.code;
  detail.application_version_id = d.version;
  return detail;
}

}  // namespace

ServiceV1::ServiceV1(analytics::Applications& applications, streams::StreamRegistry& registry,
                     std::string buckets_directory)
    : control_(applications, registry, api::Schema(), kExceptions, std::move(buckets_directory)) {}

std::vector<std::pair<std::string, std::string>> ServiceV1::ResourceTags(
    std::string_view arn) const {
  auto key = control_.KeyOfArn(std::string(arn));
  auto found = key ? const_cast<Control&>(control_).applications().Find(*key) : nullptr;
  if (found == nullptr) return {};
  return {found->definition.tags.begin(), found->definition.tags.end()};
}

template <typename Output, typename Change>
void ServiceV1::ChangeOwn(const aws::Call& call, const std::string& name, int64_t version,
                          Change change, aws::Reply<Output> reply) {
  control_.Change(
      call, name, version,
      [name, change = std::move(change)](Definition& d) -> std::optional<Refused> {
        // As recorded on AWS (rebuy-de/aws-nuke, pull request 687).
        if (!d.service_execution_role.empty()) {
          return Refused{.reason = Refusal::kNotSupported,
                         .message = name + " was created/updated by kinesisanalyticsv2 SDK. Please "
                                           "use kinesisanalyticsv2 SDK to make changes to " +
                                    name + "."};
        }
        return change(d);
      },
      std::move(reply), [](const ApplicationSnapshot&) { return Output{}; });
}

void ServiceV1::CreateApplication(const aws::Call& call, api::CreateApplicationInput input,
                                  aws::Reply<api::CreateApplicationOutput> reply) {
  auto pairs = input.tags ? TagPairs(*input.tags) : decltype(TagPairs(*input.tags)){};
  if (auto wrong = control_.CheckTags(pairs)) return std::move(reply).Fail(std::move(*wrong));
  auto key = Control::KeyOf(call, input.application_name);
  control_.Run(
      std::move(reply),
      [this, key, pairs,
       input = std::move(input)]() -> aws::Outcome<api::CreateApplicationOutput> {
        Definition d;
        d.description = input.application_description.value_or("");
        d.code = input.application_code.value_or("");
        d.tags.insert(pairs.begin(), pairs.end());
        auto refused =
            ForEach(input.inputs, [&](const auto& from) { return AddInput(from, kCounts, 1, d); });
        if (!refused) {
          refused = ForEach(input.outputs,
                            [&](const auto& from) { return AddOutput(from, kCounts, 1, d); });
        }
        if (!refused) {
          refused = ForEach(input.cloud_watch_logging_options,
                            [&](const auto& from) { return AddLoggingOption(from, 1, d); });
        }
        if (refused) return aws::FailCall(control_.ToError(*refused, key, "CreateApplication"));
        auto created = control_.applications().Create(key, std::move(d));
        if (!created)
          return aws::FailCall(control_.ToError(created.error(), key, "CreateApplication"));
        api::CreateApplicationOutput output;
        output.application_summary = Summarize(**created);
        return output;
      });
}

void ServiceV1::DescribeApplication(const aws::Call& call, api::DescribeApplicationInput input,
                                    aws::Reply<api::DescribeApplicationOutput> reply) {
  auto found = control_.Find(call, input.application_name);
  if (!found) return std::move(reply).Fail(found.error());
  api::DescribeApplicationOutput output;
  output.application_detail = Describe(**found);
  std::move(reply).Send(output);
}

void ServiceV1::ListApplications(const aws::Call& call, api::ListApplicationsInput input,
                                 aws::Reply<api::ListApplicationsOutput> reply) {
  api::ListApplicationsOutput output;
  auto limit = static_cast<std::size_t>(input.limit.value_or(kListLimit));
  for (const auto& application :
       control_.Page(call, input.exclusive_start_application_name.value_or(""), limit,
                     output.has_more_applications)) {
    output.application_summaries.push_back(Summarize(*application));
  }
  std::move(reply).Send(output);
}

void ServiceV1::DeleteApplication(const aws::Call& call, api::DeleteApplicationInput input,
                                  aws::Reply<api::DeleteApplicationOutput> reply) {
  auto key = Control::KeyOf(call, input.application_name);
  control_.Run(std::move(reply),
               [this, key, created_ms = input.create_timestamp]()
                   -> aws::Outcome<api::DeleteApplicationOutput> {
                 auto deleted = control_.applications().Delete(key, created_ms);
                 if (!deleted)
                   return aws::FailCall(
                       control_.ToError(deleted.error(), key, "DeleteApplication"));
                 return api::DeleteApplicationOutput{};
               });
}

void ServiceV1::StartApplication(const aws::Call& call, api::StartApplicationInput input,
                                 aws::Reply<api::StartApplicationOutput> reply) {
  auto key = Control::KeyOf(call, input.application_name);
  control_.Run(
      std::move(reply),
      [this, key, input = std::move(input)]() -> aws::Outcome<api::StartApplicationOutput> {
        std::map<std::string, analytics::StartingPosition> positions;
        for (const api::InputConfiguration& configuration : input.input_configurations) {
          const auto& position =
              configuration.input_starting_position_configuration.input_starting_position;
          positions[configuration.id] =
              analytics::ParseStartingPosition(position.value_or("")).value_or(
                  analytics::StartingPosition::kNow);
        }
        auto started = control_.applications().Start(key, positions);
        if (!started)
          return aws::FailCall(control_.ToError(started.error(), key, "StartApplication"));
        return api::StartApplicationOutput{};
      });
}

void ServiceV1::StopApplication(const aws::Call& call, api::StopApplicationInput input,
                                aws::Reply<api::StopApplicationOutput> reply) {
  auto key = Control::KeyOf(call, input.application_name);
  control_.Run(std::move(reply), [this, key]() -> aws::Outcome<api::StopApplicationOutput> {
    auto stopped = control_.applications().Stop(key);
    if (!stopped) return aws::FailCall(control_.ToError(stopped.error(), key, "StopApplication"));
    return api::StopApplicationOutput{};
  });
}

void ServiceV1::UpdateApplication(const aws::Call& call, api::UpdateApplicationInput input,
                                  aws::Reply<api::UpdateApplicationOutput> reply) {
  auto change = [update = std::move(input.application_update)](Definition& d) {
    std::optional<Refused> refused =
        ForEach(update.input_updates, [&](const auto& from) { return UpdateInput(from, d); });
    if (!refused) {
      refused =
          ForEach(update.output_updates, [&](const auto& from) { return UpdateOutput(from, d); });
    }
    if (!refused) {
      refused = ForEach(update.reference_data_source_updates,
                        [&](const auto& from) { return UpdateTable(from, d); });
    }
    if (!refused) {
      refused = ForEach(update.cloud_watch_logging_option_updates,
                        [&](const auto& from) { return UpdateLoggingOption(from, d); });
    }
    Set(update.application_code_update, d.code);
    return refused;
  };
  ChangeOwn(call, input.application_name, input.current_application_version_id, std::move(change),
            std::move(reply));
}

void ServiceV1::AddApplicationInput(const aws::Call& call, api::AddApplicationInputInput input,
                                    aws::Reply<api::AddApplicationInputOutput> reply) {
  ChangeOwn(
      call, input.application_name, input.current_application_version_id,
      [from = input.input](Definition& d) { return AddInput(from, kCounts, d.version + 1, d); },
      std::move(reply));
}

void ServiceV1::AddApplicationOutput(const aws::Call& call, api::AddApplicationOutputInput input,
                                     aws::Reply<api::AddApplicationOutputOutput> reply) {
  ChangeOwn(
      call, input.application_name, input.current_application_version_id,
      [from = input.output](Definition& d) { return AddOutput(from, kCounts, d.version + 1, d); },
      std::move(reply));
}

void ServiceV1::AddApplicationReferenceDataSource(
    const aws::Call& call, api::AddApplicationReferenceDataSourceInput input,
    aws::Reply<api::AddApplicationReferenceDataSourceOutput> reply) {
  ChangeOwn(
      call, input.application_name, input.current_application_version_id,
      [from = input.reference_data_source](Definition& d) {
        return AddTable(from, kCounts, d.version + 1, d);
      },
      std::move(reply));
}

void ServiceV1::AddApplicationCloudWatchLoggingOption(
    const aws::Call& call, api::AddApplicationCloudWatchLoggingOptionInput input,
    aws::Reply<api::AddApplicationCloudWatchLoggingOptionOutput> reply) {
  ChangeOwn(
      call, input.application_name, input.current_application_version_id,
      [from = input.cloud_watch_logging_option](Definition& d) {
        return AddLoggingOption(from, d.version + 1, d);
      },
      std::move(reply));
}

void ServiceV1::AddApplicationInputProcessingConfiguration(
    const aws::Call& call, api::AddApplicationInputProcessingConfigurationInput input,
    aws::Reply<api::AddApplicationInputProcessingConfigurationOutput> reply) {
  ChangeOwn(
      call, input.application_name, input.current_application_version_id,
      [id = input.input_id, from = input.input_processing_configuration](
          Definition& d) -> std::optional<Refused> {
        analytics::Input* found = FindById(d.inputs, id);
        if (found == nullptr) return NoSuchId("input", id);
        found->processor = ToProcessor(from);
        return std::nullopt;
      },
      std::move(reply));
}

void ServiceV1::DeleteApplicationInputProcessingConfiguration(
    const aws::Call& call, api::DeleteApplicationInputProcessingConfigurationInput input,
    aws::Reply<api::DeleteApplicationInputProcessingConfigurationOutput> reply) {
  ChangeOwn(
      call, input.application_name, input.current_application_version_id,
      [id = input.input_id](Definition& d) -> std::optional<Refused> {
        analytics::Input* found = FindById(d.inputs, id);
        if (found == nullptr) return NoSuchId("input", id);
        found->processor.reset();
        return std::nullopt;
      },
      std::move(reply));
}

void ServiceV1::DeleteApplicationOutput(const aws::Call& call,
                                        api::DeleteApplicationOutputInput input,
                                        aws::Reply<api::DeleteApplicationOutputOutput> reply) {
  ChangeOwn(
      call, input.application_name, input.current_application_version_id,
      [id = input.output_id](Definition& d) { return RemoveById(d.outputs, "output", id); },
      std::move(reply));
}

void ServiceV1::DeleteApplicationReferenceDataSource(
    const aws::Call& call, api::DeleteApplicationReferenceDataSourceInput input,
    aws::Reply<api::DeleteApplicationReferenceDataSourceOutput> reply) {
  ChangeOwn(
      call, input.application_name, input.current_application_version_id,
      [id = input.reference_id](Definition& d) {
        return RemoveById(d.reference_tables, "reference data source", id);
      },
      std::move(reply));
}

void ServiceV1::DeleteApplicationCloudWatchLoggingOption(
    const aws::Call& call, api::DeleteApplicationCloudWatchLoggingOptionInput input,
    aws::Reply<api::DeleteApplicationCloudWatchLoggingOptionOutput> reply) {
  ChangeOwn(
      call, input.application_name, input.current_application_version_id,
      [id = input.cloud_watch_logging_option_id](Definition& d) {
        return RemoveById(d.logging_options, "CloudWatch logging option", id);
      },
      std::move(reply));
}

void ServiceV1::DiscoverInputSchema(const aws::Call& call, api::DiscoverInputSchemaInput input,
                                    aws::Reply<api::DiscoverInputSchemaOutput> reply) {
  DiscoverSchema(control_, call, std::move(input), std::move(reply));
}

void ServiceV1::TagResource(const aws::Call&, api::TagResourceInput input,
                            aws::Reply<api::TagResourceOutput> reply) {
  TagApplication(control_, std::move(input), std::move(reply));
}
void ServiceV1::UntagResource(const aws::Call&, api::UntagResourceInput input,
                              aws::Reply<api::UntagResourceOutput> reply) {
  UntagApplication(control_, std::move(input), std::move(reply));
}
void ServiceV1::ListTagsForResource(const aws::Call&, api::ListTagsForResourceInput input,
                                    aws::Reply<api::ListTagsForResourceOutput> reply) {
  ListTags(control_, std::move(input), std::move(reply));
}

}  // namespace millstream::services::kinesisanalytics
