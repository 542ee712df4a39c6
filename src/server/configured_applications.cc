#include "server/configured_applications.h"

#include <fmt/format.h>

#include <algorithm>

#include "analytics/document.h"
#include "aws/arn.h"
#include "base/logging.h"

namespace millstream::server {
namespace {

using analytics::Definition;
using base::Code;
using base::Fail;
using base::Result;
using base::Status;

// The definition that an entry means, without ids.
Result<Definition> Define(const ApplicationConfig& from) {
  Definition d;
  if (!from.document.empty()) {
    ASSIGN_OR_RETURN(auto document, analytics::ParseDocument(from.document));
    if (document.applications.size() != 1) {
      return Fail(Code::kInvalidArgument, fmt::format("document_file holds {} applications, not one",
                                                      document.applications.size()));
    }
    d = std::move(document.applications[0]);
    if (!from.name.empty()) d.name = from.name;
    if (d.name.empty()) {
      return Fail(Code::kInvalidArgument, "the document names no application; give name");
    }
    return d;
  }
  ASSIGN_OR_RETURN(auto schema, analytics::ParseSchemaDocument(from.schema));
  if (schema.applications.size() != 1 || schema.applications[0].inputs.size() != 1) {
    return Fail(Code::kInvalidArgument, "schema_file must hold the schema of one input");
  }
  d = std::move(schema.applications[0]);
  d.name = from.name;
  d.code = from.code;
  d.inputs[0].resource = from.input;
  for (const auto& [stream, to] : from.outputs) {
    analytics::Output output;
    output.name = stream;
    output.resource = to;
    if (from.output_format == "CSV") output.format = analytics::Output::Format::kCsv;
    d.outputs.push_back(std::move(output));
  }
  return d;
}

template <typename T>
void SetIds(std::vector<T>& list) {
  for (std::size_t i = 0; i < list.size(); ++i) list[i].id = analytics::MakeId(1, i + 1);
}

// Whether the parts that the configuration says are the same. Compared as they are stored.
bool SameParts(Definition a, Definition b) {
  auto text = [](Definition& d) {
    for (analytics::Input& input : d.inputs) input.starting_position.reset();
    analytics::StoredApplication stored;
    stored.definition.code = d.code;
    stored.definition.description = d.description;
    stored.definition.inputs = d.inputs;
    stored.definition.outputs = d.outputs;
    stored.definition.reference_tables = d.reference_tables;
    return analytics::EncodeApplication(stored);
  };
  return text(a) == text(b);
}

Status StartOne(const Config& config, const ApplicationConfig& from,
                analytics::Applications& applications) {
  ASSIGN_OR_RETURN(Definition d, Define(from));
  // A name alone is a stream of the default account and region; the API shows it as AWS does.
  auto complete = [&config](std::string& resource) {
    if (resource.empty() || resource.starts_with("arn:")) return;
    resource = aws::FormatStreamArn(config.default_region, config.default_account, resource);
  };
  for (analytics::Input& input : d.inputs) complete(input.resource);
  for (analytics::Output& output : d.outputs) complete(output.resource);
  SetIds(d.inputs);
  SetIds(d.outputs);
  SetIds(d.reference_tables);
  analytics::ApplicationKey key{config.default_account, config.default_region, d.name};
  auto refused = [](const analytics::Refused& r) {
    return Fail(Code::kFailedPrecondition,
                r.message.empty() ? fmt::format("refused ({})", static_cast<int>(r.reason))
                                  : r.message);
  };
  auto start = *analytics::ParseStartingPosition(from.start);
  auto existing = applications.Find(key);
  if (existing == nullptr) {
    auto created = applications.Create(key, d);
    if (!created) return refused(created.error());
  } else if (!SameParts(existing->definition, d)) {
    applications.WaitUntilSettled(key);
    auto updated = applications.Update(key, std::nullopt, [&](Definition& to) {
      for (analytics::Input& input : d.inputs) {
        for (const analytics::Input& before : to.inputs) {
          if (before.id == input.id) input.starting_position = before.starting_position;
        }
      }
      to.code = d.code;
      to.description = d.description;
      to.inputs = d.inputs;
      to.outputs = d.outputs;
      to.reference_tables = d.reference_tables;
      return std::optional<analytics::Refused>();
    });
    if (!updated) return refused(updated.error());
    LOG_INFO("an application was updated from the configuration", {"application", key.name});
  }
  if (applications.Find(key)->status != analytics::ApplicationStatus::kReady) return {};
  std::map<std::string, analytics::StartingPosition> positions;
  if (existing == nullptr) {
    for (const analytics::Input& input : d.inputs) positions[input.id] = start;
  }
  auto started = applications.Start(key, positions);
  if (!started) return refused(started.error());
  return {};
}

}  // namespace

Status StartConfiguredApplications(const Config& config, analytics::Applications& applications) {
  for (const ApplicationConfig& application : config.applications) {
    if (auto done = StartOne(config, application, applications); !done) {
      return Fail(done.error().Within(
          fmt::format("{}: application {}", application.where, application.name)));
    }
  }
  return {};
}

}  // namespace millstream::server
