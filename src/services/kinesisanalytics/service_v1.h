#pragma once

#include <string>
#include <vector>

#include "aws/generated/kinesisanalytics.h"
#include "services/kinesisanalytics/control.h"

namespace millstream::services::kinesisanalytics {

// Kinesis Analytics, API of 2015-08-14: SQL applications with one input. Thread-safe: called on
// connection loops; what changes something runs on the jobs of its Control.
class ServiceV1 final : public aws::kinesisanalytics::KinesisAnalyticsApi {
 public:
  ServiceV1(analytics::Applications& applications, streams::StreamRegistry& registry,
            std::string buckets_directory);
  void Stop() { control_.Stop(); }

  std::vector<std::string> Resources(const aws::OperationSchema& operation, const aws::Call& call,
                                     const void* input) const override {
    return Control::Resources(operation, call, input);
  }
  std::vector<std::pair<std::string, std::string>> ResourceTags(
      std::string_view arn) const override;

#define MILLSTREAM_OPERATION(name)                                                              \
  void name(const aws::Call& call, aws::kinesisanalytics::name##Input input,                    \
            aws::Reply<aws::kinesisanalytics::name##Output> reply) override;
  MILLSTREAM_OPERATION(AddApplicationCloudWatchLoggingOption)
  MILLSTREAM_OPERATION(AddApplicationInput)
  MILLSTREAM_OPERATION(AddApplicationInputProcessingConfiguration)
  MILLSTREAM_OPERATION(AddApplicationOutput)
  MILLSTREAM_OPERATION(AddApplicationReferenceDataSource)
  MILLSTREAM_OPERATION(CreateApplication)
  MILLSTREAM_OPERATION(DeleteApplication)
  MILLSTREAM_OPERATION(DeleteApplicationCloudWatchLoggingOption)
  MILLSTREAM_OPERATION(DeleteApplicationInputProcessingConfiguration)
  MILLSTREAM_OPERATION(DeleteApplicationOutput)
  MILLSTREAM_OPERATION(DeleteApplicationReferenceDataSource)
  MILLSTREAM_OPERATION(DescribeApplication)
  MILLSTREAM_OPERATION(DiscoverInputSchema)
  MILLSTREAM_OPERATION(ListApplications)
  MILLSTREAM_OPERATION(ListTagsForResource)
  MILLSTREAM_OPERATION(StartApplication)
  MILLSTREAM_OPERATION(StopApplication)
  MILLSTREAM_OPERATION(TagResource)
  MILLSTREAM_OPERATION(UntagResource)
  MILLSTREAM_OPERATION(UpdateApplication)
#undef MILLSTREAM_OPERATION

 private:
  // Changes an application that this version of the API may change.
  template <typename Output, typename Change>
  void ChangeOwn(const aws::Call& call, const std::string& name, int64_t version, Change change,
                 aws::Reply<Output> reply);

  Control control_;
};

}  // namespace millstream::services::kinesisanalytics
