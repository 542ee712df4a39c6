#include "services/kinesisanalytics/service_v2.h"

#include "services/kinesisanalytics/shapes.h"

namespace millstream::services::kinesisanalytics {
namespace {

namespace api = aws::kinesisanalyticsv2;
using analytics::ApplicationSnapshot;

// Wider than AWS's 1, 3 and 1: several sources are what people missed.
constexpr Counts kCounts = {.inputs = 64, .outputs = 64, .tables = 64};
constexpr int kListLimit = 50;
constexpr std::string_view kSql = "SQL-1_0";

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

std::string OnlySql(std::string_view what) {
  return fmt::format("{} is not supported yet: Millstream runs applications of the runtime "
                     "environment {} only.",
                     what, kSql);
}

std::vector<api::InputDescription> Inputs(const Definition& d) {
  return DescribeAll(d.inputs, DescribeInput<api::InputDescription>);
}
std::vector<api::OutputDescription> Outputs(const Definition& d) {
  return DescribeAll(d.outputs, DescribeOutput<api::OutputDescription>);
}
std::vector<api::ReferenceDataSourceDescription> Tables(const Definition& d) {
  return DescribeAll(d.reference_tables, DescribeTable<api::ReferenceDataSourceDescription>);
}
std::vector<api::CloudWatchLoggingOptionDescription> LoggingOptions(const Definition& d) {
  return DescribeAll(d.logging_options,
                     DescribeLoggingOption<api::CloudWatchLoggingOptionDescription>);
}

api::ApplicationDetail Describe(const ApplicationSnapshot& application) {
  const Definition& d = application.definition;
  api::ApplicationDetail detail;
  detail.application_arn = Control::ArnOf(application.key);
  detail.application_description = d.description;
  detail.application_name = application.key.name;
  detail.runtime_environment = d.runtime_environment;
  if (!d.service_execution_role.empty()) {
    detail.service_execution_role = d.service_execution_role;
  }
  detail.application_status = StatusName(application.status);
  detail.application_version_id = d.version;
  detail.create_timestamp = d.created_ms;
  detail.last_update_timestamp = d.updated_ms;
  auto& configuration = detail.application_configuration_description.emplace();
  auto& sql = configuration.sql_application_configuration_description.emplace();
  sql.input_descriptions = Inputs(d);
  sql.output_descriptions = Outputs(d);
  sql.reference_data_source_descriptions = Tables(d);
  auto& code = configuration.application_code_configuration_description.emplace();
  code.code_content_type = "PLAINTEXT";
  code.code_content_description.emplace().text_content = d.code;
  detail.cloud_watch_logging_option_descriptions = LoggingOptions(d);
  return detail;
}

// The part of an answer that says what the application is now.
template <typename Output>
Output Changed(const ApplicationSnapshot& application) {
  Output output;
  output.application_arn = Control::ArnOf(application.key);
  output.application_version_id = application.definition.version;
  return output;
}

// The code that a request brings; refused where it lies elsewhere.
template <typename Content>
std::optional<Refused> TakeCode(const std::optional<std::string>& type, const Content& text,
                                bool elsewhere, std::string& code) {
  if ((type && *type == "ZIPFILE") || elsewhere) {
    return Refused{.reason = Refusal::kNotSupported,
                   .message = "Code of SQL applications is text: give CodeContentType PLAINTEXT "
                              "and TextContent."};
  }
  if (text) code = *text;
  return std::nullopt;
}

}  // namespace

ServiceV2::ServiceV2(analytics::Applications& applications, streams::StreamRegistry& registry,
                     std::string buckets_directory)
    : control_(applications, registry, api::Schema(), kExceptions, std::move(buckets_directory)) {}

std::vector<std::pair<std::string, std::string>> ServiceV2::ResourceTags(
    std::string_view arn) const {
  auto key = control_.KeyOfArn(std::string(arn));
  auto found = key ? const_cast<Control&>(control_).applications().Find(*key) : nullptr;
  if (found == nullptr) return {};
  return {found->definition.tags.begin(), found->definition.tags.end()};
}

template <typename Configuration, typename Output>
bool ServiceV2::IsSql(const Configuration& configuration, aws::Reply<Output>& reply) {
  std::string_view other;
  if constexpr (requires { configuration.vpc_configurations; }) {
    if (configuration.vpc_configurations) other = "VpcConfigurations";
    if (configuration.flink_application_configuration) other = "FlinkApplicationConfiguration";
    if (configuration.environment_properties) other = "EnvironmentProperties";
    if (configuration.application_snapshot_configuration) other = "ApplicationSnapshotConfiguration";
    if (configuration.zeppelin_application_configuration) other = "ZeppelinApplicationConfiguration";
  } else {
    if (configuration.vpc_configuration_updates) other = "VpcConfigurationUpdates";
    if (configuration.flink_application_configuration_update) {
      other = "FlinkApplicationConfigurationUpdate";
    }
    if (configuration.environment_property_updates) other = "EnvironmentPropertyUpdates";
    if (configuration.application_snapshot_configuration_update) {
      other = "ApplicationSnapshotConfigurationUpdate";
    }
    if (configuration.zeppelin_application_configuration_update) {
      other = "ZeppelinApplicationConfigurationUpdate";
    }
  }
  if (other.empty()) return true;
  std::move(reply).Fail(kExceptions.unsupported(OnlySql(other)));
  return false;
}

void ServiceV2::CreateApplication(const aws::Call& call, api::CreateApplicationInput input,
                                  aws::Reply<api::CreateApplicationOutput> reply) {
  if (input.runtime_environment != kSql) {
    return std::move(reply).Fail(
        kExceptions.unsupported(OnlySql("The runtime environment " + input.runtime_environment)));
  }
  if (input.application_configuration && !IsSql(*input.application_configuration, reply)) return;
  auto pairs = input.tags ? TagPairs(*input.tags) : decltype(TagPairs(*input.tags)){};
  if (auto wrong = control_.CheckTags(pairs)) return std::move(reply).Fail(std::move(*wrong));
  auto key = Control::KeyOf(call, input.application_name);
  control_.Run(
      std::move(reply),
      [this, key, pairs,
       input = std::move(input)]() -> aws::Outcome<api::CreateApplicationOutput> {
        Definition d;
        d.description = input.application_description.value_or("");
        d.service_execution_role = input.service_execution_role;
        d.tags.insert(pairs.begin(), pairs.end());
        std::optional<Refused> refused;
        if (const auto& configuration = input.application_configuration) {
          if (const auto& code = configuration->application_code_configuration) {
            if (const auto& content = code->code_content) {
              refused = TakeCode(code->code_content_type, content->text_content,
                                 content->zip_file_content || content->s_3_content_location,
                                 d.code);
            }
          }
          if (const auto& sql = configuration->sql_application_configuration) {
            if (!refused) {
              refused = ForEach(sql->inputs,
                                [&](const auto& from) { return AddInput(from, kCounts, 1, d); });
            }
            if (!refused) {
              refused = ForEach(sql->outputs,
                                [&](const auto& from) { return AddOutput(from, kCounts, 1, d); });
            }
            if (!refused) {
              refused = ForEach(sql->reference_data_sources,
                                [&](const auto& from) { return AddTable(from, kCounts, 1, d); });
            }
          }
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
        output.application_detail = Describe(**created);
        return output;
      });
}

void ServiceV2::DescribeApplication(const aws::Call& call, api::DescribeApplicationInput input,
                                    aws::Reply<api::DescribeApplicationOutput> reply) {
  auto found = control_.Find(call, input.application_name);
  if (!found) return std::move(reply).Fail(found.error());
  api::DescribeApplicationOutput output;
  output.application_detail = Describe(**found);
  std::move(reply).Send(output);
}

void ServiceV2::ListApplications(const aws::Call& call, api::ListApplicationsInput input,
                                 aws::Reply<api::ListApplicationsOutput> reply) {
  api::ListApplicationsOutput output;
  auto limit = static_cast<std::size_t>(input.limit.value_or(kListLimit));
  bool more = false;
  // The token is the last name of a page: the model allows it no other characters.
  for (const auto& application :
       control_.Page(call, input.next_token.value_or(""), limit, more)) {
    auto& summary = output.application_summaries.emplace_back();
    summary.application_name = application->key.name;
    summary.application_arn = Control::ArnOf(application->key);
    summary.application_status = StatusName(application->status);
    summary.application_version_id = application->definition.version;
    summary.runtime_environment = application->definition.runtime_environment;
  }
  if (more) output.next_token = output.application_summaries.back().application_name;
  std::move(reply).Send(output);
}

void ServiceV2::DeleteApplication(const aws::Call& call, api::DeleteApplicationInput input,
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

void ServiceV2::StartApplication(const aws::Call& call, api::StartApplicationInput input,
                                 aws::Reply<api::StartApplicationOutput> reply) {
  if (input.run_configuration && (input.run_configuration->flink_run_configuration ||
                                  input.run_configuration->application_restore_configuration)) {
    return std::move(reply).Fail(
        kExceptions.unsupported(OnlySql("A run configuration of Flink applications")));
  }
  auto key = Control::KeyOf(call, input.application_name);
  control_.Run(
      std::move(reply),
      [this, key, input = std::move(input)]() -> aws::Outcome<api::StartApplicationOutput> {
        std::map<std::string, analytics::StartingPosition> positions;
        if (input.run_configuration && input.run_configuration->sql_run_configurations) {
          for (const auto& run : *input.run_configuration->sql_run_configurations) {
            const auto& position =
                run.input_starting_position_configuration.input_starting_position;
            positions[run.input_id] = analytics::ParseStartingPosition(position.value_or(""))
                                          .value_or(analytics::StartingPosition::kNow);
          }
        }
        auto started = control_.applications().Start(key, positions);
        if (!started)
          return aws::FailCall(control_.ToError(started.error(), key, "StartApplication"));
        return api::StartApplicationOutput{};
      });
}

void ServiceV2::StopApplication(const aws::Call& call, api::StopApplicationInput input,
                                aws::Reply<api::StopApplicationOutput> reply) {
  auto key = Control::KeyOf(call, input.application_name);
  control_.Run(std::move(reply), [this, key]() -> aws::Outcome<api::StopApplicationOutput> {
    auto stopped = control_.applications().Stop(key);
    if (!stopped) return aws::FailCall(control_.ToError(stopped.error(), key, "StopApplication"));
    return api::StopApplicationOutput{};
  });
}

void ServiceV2::UpdateApplication(const aws::Call& call, api::UpdateApplicationInput input,
                                  aws::Reply<api::UpdateApplicationOutput> reply) {
  if (input.application_configuration_update &&
      !IsSql(*input.application_configuration_update, reply)) {
    return;
  }
  if (input.run_configuration_update || input.runtime_environment_update ||
      input.conditional_token) {
    return std::move(reply).Fail(kExceptions.unsupported(OnlySql(
        "RunConfigurationUpdate, RuntimeEnvironmentUpdate or ConditionalToken")));
  }
  if (!input.current_application_version_id) {
    return std::move(reply).Fail(
        kExceptions.invalid_argument("CurrentApplicationVersionId must be given."));
  }
  auto name = input.application_name;
  auto version = input.current_application_version_id;
  auto change = [input = std::move(input)](Definition& d) {
    std::optional<Refused> refused;
    if (const auto& configuration = input.application_configuration_update) {
      if (const auto& sql = configuration->sql_application_configuration_update) {
        refused =
            ForEach(sql->input_updates, [&](const auto& from) { return UpdateInput(from, d); });
        if (!refused) {
          refused = ForEach(sql->output_updates,
                            [&](const auto& from) { return UpdateOutput(from, d); });
        }
        if (!refused) {
          refused = ForEach(sql->reference_data_source_updates,
                            [&](const auto& from) { return UpdateTable(from, d); });
        }
      }
      const auto& code = configuration->application_code_configuration_update;
      if (!refused && code && code->code_content_update) {
        const auto& content = *code->code_content_update;
        refused = TakeCode(code->code_content_type_update, content.text_content_update,
                           content.zip_file_content_update || content.s_3_content_location_update,
                           d.code);
      }
    }
    if (!refused) {
      refused = ForEach(input.cloud_watch_logging_option_updates,
                        [&](const auto& from) { return UpdateLoggingOption(from, d); });
    }
    Set(input.service_execution_role_update, d.service_execution_role);
    return refused;
  };
  control_.Change(call, name, version, std::move(change), std::move(reply),
                  [](const ApplicationSnapshot& application) {
                    api::UpdateApplicationOutput output;
                    output.application_detail = Describe(application);
                    return output;
                  });
}

void ServiceV2::AddApplicationInput(const aws::Call& call, api::AddApplicationInputInput input,
                                    aws::Reply<api::AddApplicationInputOutput> reply) {
  control_.Change(
      call, input.application_name, input.current_application_version_id,
      [from = input.input](Definition& d) { return AddInput(from, kCounts, d.version + 1, d); },
      std::move(reply), [](const ApplicationSnapshot& application) {
        auto output = Changed<api::AddApplicationInputOutput>(application);
        output.input_descriptions = Inputs(application.definition);
        return output;
      });
}

void ServiceV2::AddApplicationOutput(const aws::Call& call, api::AddApplicationOutputInput input,
                                     aws::Reply<api::AddApplicationOutputOutput> reply) {
  control_.Change(
      call, input.application_name, input.current_application_version_id,
      [from = input.output](Definition& d) { return AddOutput(from, kCounts, d.version + 1, d); },
      std::move(reply), [](const ApplicationSnapshot& application) {
        auto output = Changed<api::AddApplicationOutputOutput>(application);
        output.output_descriptions = Outputs(application.definition);
        return output;
      });
}

void ServiceV2::AddApplicationReferenceDataSource(
    const aws::Call& call, api::AddApplicationReferenceDataSourceInput input,
    aws::Reply<api::AddApplicationReferenceDataSourceOutput> reply) {
  control_.Change(
      call, input.application_name, input.current_application_version_id,
      [from = input.reference_data_source](Definition& d) {
        return AddTable(from, kCounts, d.version + 1, d);
      },
      std::move(reply), [](const ApplicationSnapshot& application) {
        auto output = Changed<api::AddApplicationReferenceDataSourceOutput>(application);
        output.reference_data_source_descriptions = Tables(application.definition);
        return output;
      });
}

void ServiceV2::AddApplicationCloudWatchLoggingOption(
    const aws::Call& call, api::AddApplicationCloudWatchLoggingOptionInput input,
    aws::Reply<api::AddApplicationCloudWatchLoggingOptionOutput> reply) {
  control_.Change(
      call, input.application_name, input.current_application_version_id,
      [from = input.cloud_watch_logging_option](Definition& d) {
        return AddLoggingOption(from, d.version + 1, d);
      },
      std::move(reply), [](const ApplicationSnapshot& application) {
        auto output = Changed<api::AddApplicationCloudWatchLoggingOptionOutput>(application);
        output.cloud_watch_logging_option_descriptions = LoggingOptions(application.definition);
        return output;
      });
}

void ServiceV2::AddApplicationInputProcessingConfiguration(
    const aws::Call& call, api::AddApplicationInputProcessingConfigurationInput input,
    aws::Reply<api::AddApplicationInputProcessingConfigurationOutput> reply) {
  control_.Change(
      call, input.application_name, input.current_application_version_id,
      [id = input.input_id, from = input.input_processing_configuration](
          Definition& d) -> std::optional<Refused> {
        analytics::Input* found = FindById(d.inputs, id);
        if (found == nullptr) return NoSuchId("input", id);
        found->processor = ToProcessor(from);
        return std::nullopt;
      },
      std::move(reply), [id = input.input_id](const ApplicationSnapshot& application) {
        auto output = Changed<api::AddApplicationInputProcessingConfigurationOutput>(application);
        output.input_id = id;
        return output;
      });
}

void ServiceV2::DeleteApplicationInputProcessingConfiguration(
    const aws::Call& call, api::DeleteApplicationInputProcessingConfigurationInput input,
    aws::Reply<api::DeleteApplicationInputProcessingConfigurationOutput> reply) {
  control_.Change(
      call, input.application_name, input.current_application_version_id,
      [id = input.input_id](Definition& d) -> std::optional<Refused> {
        analytics::Input* found = FindById(d.inputs, id);
        if (found == nullptr) return NoSuchId("input", id);
        found->processor.reset();
        return std::nullopt;
      },
      std::move(reply), Changed<api::DeleteApplicationInputProcessingConfigurationOutput>);
}

void ServiceV2::DeleteApplicationOutput(const aws::Call& call,
                                        api::DeleteApplicationOutputInput input,
                                        aws::Reply<api::DeleteApplicationOutputOutput> reply) {
  control_.Change(
      call, input.application_name, input.current_application_version_id,
      [id = input.output_id](Definition& d) { return RemoveById(d.outputs, "output", id); },
      std::move(reply), Changed<api::DeleteApplicationOutputOutput>);
}

void ServiceV2::DeleteApplicationReferenceDataSource(
    const aws::Call& call, api::DeleteApplicationReferenceDataSourceInput input,
    aws::Reply<api::DeleteApplicationReferenceDataSourceOutput> reply) {
  control_.Change(
      call, input.application_name, input.current_application_version_id,
      [id = input.reference_id](Definition& d) {
        return RemoveById(d.reference_tables, "reference data source", id);
      },
      std::move(reply), Changed<api::DeleteApplicationReferenceDataSourceOutput>);
}

void ServiceV2::DeleteApplicationCloudWatchLoggingOption(
    const aws::Call& call, api::DeleteApplicationCloudWatchLoggingOptionInput input,
    aws::Reply<api::DeleteApplicationCloudWatchLoggingOptionOutput> reply) {
  control_.Change(
      call, input.application_name, input.current_application_version_id,
      [id = input.cloud_watch_logging_option_id](Definition& d) {
        return RemoveById(d.logging_options, "CloudWatch logging option", id);
      },
      std::move(reply), [](const ApplicationSnapshot& application) {
        auto output = Changed<api::DeleteApplicationCloudWatchLoggingOptionOutput>(application);
        output.cloud_watch_logging_option_descriptions = LoggingOptions(application.definition);
        return output;
      });
}

void ServiceV2::DiscoverInputSchema(const aws::Call& call, api::DiscoverInputSchemaInput input,
                                    aws::Reply<api::DiscoverInputSchemaOutput> reply) {
  DiscoverSchema(control_, call, std::move(input), std::move(reply));
}

void ServiceV2::TagResource(const aws::Call&, api::TagResourceInput input,
                            aws::Reply<api::TagResourceOutput> reply) {
  TagApplication(control_, std::move(input), std::move(reply));
}
void ServiceV2::UntagResource(const aws::Call&, api::UntagResourceInput input,
                              aws::Reply<api::UntagResourceOutput> reply) {
  UntagApplication(control_, std::move(input), std::move(reply));
}
void ServiceV2::ListTagsForResource(const aws::Call&, api::ListTagsForResourceInput input,
                                    aws::Reply<api::ListTagsForResourceOutput> reply) {
  ListTags(control_, std::move(input), std::move(reply));
}

// Operations of Flink applications, which AWS refuses for SQL applications as well.
#define MILLSTREAM_UNSUPPORTED(name)                                                           \
  void ServiceV2::name(const aws::Call&, api::name##Input, aws::Reply<api::name##Output> reply) { \
    std::move(reply).Fail(kExceptions.unsupported(OnlySql(#name)));                            \
  }
MILLSTREAM_UNSUPPORTED(AddApplicationVpcConfiguration)
MILLSTREAM_UNSUPPORTED(CreateApplicationPresignedUrl)
MILLSTREAM_UNSUPPORTED(CreateApplicationSnapshot)
MILLSTREAM_UNSUPPORTED(DeleteApplicationSnapshot)
MILLSTREAM_UNSUPPORTED(DeleteApplicationVpcConfiguration)
MILLSTREAM_UNSUPPORTED(DescribeApplicationOperation)
MILLSTREAM_UNSUPPORTED(DescribeApplicationSnapshot)
MILLSTREAM_UNSUPPORTED(DescribeApplicationVersion)
MILLSTREAM_UNSUPPORTED(ListApplicationOperations)
MILLSTREAM_UNSUPPORTED(ListApplicationSnapshots)
MILLSTREAM_UNSUPPORTED(ListApplicationVersions)
MILLSTREAM_UNSUPPORTED(RollbackApplication)
MILLSTREAM_UNSUPPORTED(UpdateApplicationMaintenanceConfiguration)
#undef MILLSTREAM_UNSUPPORTED

}  // namespace millstream::services::kinesisanalytics
