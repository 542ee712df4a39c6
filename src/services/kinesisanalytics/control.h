#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analytics/applications.h"
#include "analytics/discover.h"
#include "aws/call.h"
#include "aws/error.h"
#include "aws/reply.h"
#include "aws/schema.h"
#include "base/executor.h"
#include "streams/registry.h"

namespace millstream::services::kinesisanalytics {

// The exceptions of one version of the API; both have the same ones.
struct Exceptions {
  using Make = aws::ServiceError (*)(std::string message);
  Make concurrent_modification;
  Make invalid_configuration;
  Make invalid_argument;
  Make limit_exceeded;
  Make in_use;
  Make not_found;
  Make too_many_tags;
  Make unable_to_detect;
  Make unsupported;
  Make code_validation;
};

// How many of each an application may have in this version of the API.
struct Counts {
  std::size_t inputs = 1;
  std::size_t outputs = 3;
  std::size_t tables = 1;
};

inline constexpr std::size_t kTagsMax = 50;

// What both versions of the API share: finding applications, changing them on a job, and saying in
// AWS's words what was refused. Thread-safe.
class Control {
 public:
  // All outlive this; Stop() before they go.
  Control(analytics::Applications& applications, streams::StreamRegistry& registry,
          const aws::ServiceSchema& schema, const Exceptions& exceptions,
          std::string buckets_directory);

  void Stop() { jobs_.Stop(); }

  static analytics::ApplicationKey KeyOf(const aws::Call& call, const std::string& name) {
    return {call.account, call.region, name};
  }
  static std::string ArnOf(const analytics::ApplicationKey& key);
  // The application that an ARN of a request names.
  aws::Outcome<analytics::ApplicationKey> KeyOfArn(const std::string& arn) const;
  aws::Outcome<analytics::SnapshotPtr> Find(const aws::Call& call, const std::string& name) const;

  // One page of the names after `after`; `more` is set when others follow.
  std::vector<analytics::SnapshotPtr> Page(const aws::Call& call, const std::string& after,
                                           std::size_t limit, bool& more) const;

  // In the words of `operation`: the model lets each answer with other exceptions for code and for
  // a configuration that is wrong, and SDKs have types only for those.
  aws::ServiceError ToError(const analytics::Refused& refused, const analytics::ApplicationKey& key,
                            std::string_view operation) const;

  // Runs `work`, which returns aws::Outcome<Output>, on a job and answers with what it gives.
  template <typename Output, typename Work>
  void Run(aws::Reply<Output> reply, Work work) {
    struct Job {
      aws::Reply<Output> reply;
      Work work;
    };
    auto job = std::make_shared<Job>(Job{std::move(reply), std::move(work)});
    auto submitted = jobs_.Submit([job] {
      aws::Outcome<Output> outcome = job->work();
      if (outcome) {
        std::move(job->reply).Send(*outcome);
      } else {
        std::move(job->reply).Fail(std::move(outcome).error());
      }
    });
    if (!submitted) std::move(job->reply).Fail(aws::ServiceUnavailable());
  }

  // Changes an application of that version and answers with what `answer` makes of the new state.
  template <typename Output, typename Answer>
  void Change(const aws::Call& call, const std::string& name, std::optional<int64_t> version,
              analytics::Applications::Change change, aws::Reply<Output> reply, Answer answer) {
    Run(std::move(reply),
        [this, key = KeyOf(call, name), version, change = std::move(change), answer,
         operation = call.operation]() -> aws::Outcome<Output> {
          auto changed = applications_.Update(key, version, change);
          if (!changed) return aws::FailCall(ToError(changed.error(), key, operation));
          return answer(**changed);
        });
  }

  // Samples records for DiscoverInputSchema. Blocks: in Run().
  struct Sample {
    std::vector<std::string> records;
  };
  aws::Outcome<Sample> SampleStream(const aws::Call& call, const std::string& arn,
                                    const std::string& position) const;
  aws::Outcome<Sample> SampleObject(const std::string& bucket_arn, const std::string& key) const;

  std::optional<aws::ServiceError> CheckTags(
      const std::vector<std::pair<std::string, std::string>>& tags) const;

  // For policies: the ARN that the input's ApplicationName or ResourceARN names.
  static std::vector<std::string> Resources(const aws::OperationSchema& operation,
                                            const aws::Call& call, const void* input);

  analytics::Applications& applications() { return applications_; }
  const Exceptions& exceptions() const { return exceptions_; }

 private:
  analytics::Applications& applications_;
  streams::StreamRegistry& registry_;
  const aws::ServiceSchema& schema_;
  const Exceptions& exceptions_;
  const std::string buckets_directory_;
  base::JobPool jobs_{base::JobPool::Options{.threads = 2, .name = "analytics-api"}};
};

}  // namespace millstream::services::kinesisanalytics
