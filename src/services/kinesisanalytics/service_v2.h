#pragma once

#include <string>
#include <vector>

#include "aws/generated/kinesisanalyticsv2.h"
#include "services/kinesisanalytics/control.h"

namespace millstream::services::kinesisanalytics {

// Kinesis Analytics, API of 2018-05-23, for SQL applications. Other runtime environments, and the
// operations that only these have, answer UnsupportedOperationException. Thread-safe: called on
// connection loops; what changes something runs on the jobs of its Control.
class ServiceV2 final : public aws::kinesisanalyticsv2::KinesisAnalyticsV2Api {
 public:
  ServiceV2(analytics::Applications& applications, streams::StreamRegistry& registry,
            std::string buckets_directory);
  void Stop() { control_.Stop(); }

  std::vector<std::string> Resources(const aws::OperationSchema& operation, const aws::Call& call,
                                     const void* input) const override {
    return Control::Resources(operation, call, input);
  }
  std::vector<std::pair<std::string, std::string>> ResourceTags(
      std::string_view arn) const override;

#define MILLSTREAM_OPERATION(name)                                                              \
  void name(const aws::Call& call, aws::kinesisanalyticsv2::name##Input input,                  \
            aws::Reply<aws::kinesisanalyticsv2::name##Output> reply) override;
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
  // Of other runtime environments; not supported.
  MILLSTREAM_OPERATION(AddApplicationVpcConfiguration)
  MILLSTREAM_OPERATION(CreateApplicationPresignedUrl)
  MILLSTREAM_OPERATION(CreateApplicationSnapshot)
  MILLSTREAM_OPERATION(DeleteApplicationSnapshot)
  MILLSTREAM_OPERATION(DeleteApplicationVpcConfiguration)
  MILLSTREAM_OPERATION(DescribeApplicationOperation)
  MILLSTREAM_OPERATION(DescribeApplicationSnapshot)
  MILLSTREAM_OPERATION(DescribeApplicationVersion)
  MILLSTREAM_OPERATION(ListApplicationOperations)
  MILLSTREAM_OPERATION(ListApplicationSnapshots)
  MILLSTREAM_OPERATION(ListApplicationVersions)
  MILLSTREAM_OPERATION(RollbackApplication)
  MILLSTREAM_OPERATION(UpdateApplicationMaintenanceConfiguration)
#undef MILLSTREAM_OPERATION

 private:
  // Answers and returns false when the request names what only other runtime environments have.
  template <typename Configuration, typename Output>
  bool IsSql(const Configuration& configuration, aws::Reply<Output>& reply);

  Control control_;
};

}  // namespace millstream::services::kinesisanalytics
