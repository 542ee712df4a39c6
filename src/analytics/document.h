#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analytics/definition.h"
#include "base/result.h"

// Applications as people have them in files.
namespace millstream::analytics {

struct Document {
  std::vector<Definition> applications;
  // What was found and not used, and why: "inputs[0].colour: not known".
  std::vector<std::string> notes;
};

// Reads JSON, or YAML, in any of these forms:
//   - the answer of DescribeApplication, version 1 or 2, or its ApplicationDetail alone;
//   - the request of CreateApplication, version 1 or 2 (aws ... --cli-input-json);
//   - a CloudFormation template with AWS::KinesisAnalytics[V2]::Application and its
//     ApplicationOutput and ApplicationReferenceDataSource; Ref, Fn::GetAtt, Fn::Sub and Fn::Join
//     are resolved within the template, parameters by their defaults;
//   - Terraform's `terraform show -json` of a state or a plan: aws_kinesis_analytics_application,
//     aws_kinesisanalyticsv2_application.
// Only the shape is judged here; analytics::Check judges the rest. kInvalidArgument says what the
// text is instead, kNotSupported that it holds an application that is not SQL.
base::Result<Document> ParseDocument(std::string_view text);

// The inputs and reference tables of a schema file: an InputSchema alone (which becomes that of
// SOURCE_SQL_STREAM_001), the answer of DiscoverInputSchema, {"Inputs": [...],
// "ReferenceDataSources":
// [...]} or any document above.
base::Result<Document> ParseSchemaDocument(std::string_view text);

// {"Inputs": [...], "ReferenceDataSources": [...]}, which ParseSchemaDocument reads.
std::string SchemaDocument(const Definition& definition);

}  // namespace millstream::analytics
