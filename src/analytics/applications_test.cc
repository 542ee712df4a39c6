// Applications on a real catalog, log and registry: statuses, versions, restarts of the process.
#include "analytics/applications.h"

#include <gtest/gtest.h>

#include <thread>

#include "streams/registry_for_test.h"

namespace millstream::analytics {
namespace {

using streams::PutOne;
using streams::ReadData;

const ApplicationKey kKey{"000000000000", "us-east-1", "copy"};

Definition Copy() {
  Definition d;
  d.code =
      "CREATE STREAM \"OUT\" (k VARCHAR(8));\n"
      "CREATE PUMP p AS INSERT INTO \"OUT\" SELECT STREAM k FROM s_001;";
  Input input;
  input.id = "1.1";
  input.name_prefix = "S";
  input.resource = "in";
  input.schema.columns = {{"K", "VARCHAR(8)", "$.k"}};
  d.inputs.push_back(input);
  Output output;
  output.id = "1.1";
  output.name = "OUT";
  output.resource = "out";
  d.outputs.push_back(output);
  return d;
}

class ApplicationsTest : public testing::Test {
 protected:
  ApplicationsTest() {
    world_.Open();
    world_.Create("in");
    world_.Create("out");
    Open();
  }
  ~ApplicationsTest() override { applications_.reset(); }

  void Open() {
    RunnerEnvironment environment{.registry = world_.registry.get(),
                                  .log = world_.log.get(),
                                  .files = &world_.files,
                                  .clock = &clock_,
                                  .random = &world_.random,
                                  .executor = nullptr,
                                  .jobs = nullptr};
    ApplicationsOptions options;
    options.directory = world_.directory() + "/analytics";
    options.threads = 1;
    options.applications_max = 2;
    auto opened = Applications::Open(*world_.catalog, environment, options);
    ASSERT_TRUE(opened) << opened.error().message();
    applications_ = std::move(*opened);
    applications_->StartAll();
  }
  void RestartProcess() {
    applications_.reset();
    world_.Reopen();
    Open();
  }
  std::vector<std::string> WaitForResults(std::size_t count) {
    std::vector<std::string> data;
    for (int tries = 0; tries < 2000 && data.size() < count; ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      data = ReadData(*world_.Find("out"), {0});
    }
    return data;
  }
  void Start(StartingPosition position) {
    auto started = applications_->Start(kKey, {{"1.1", position}});
    ASSERT_TRUE(started) << started.error().message;
    ASSERT_EQ(applications_->WaitUntilSettled(kKey), ApplicationStatus::kRunning);
  }

  streams::RegistryWorld world_;
  base::SystemClock clock_;
  std::unique_ptr<Applications> applications_;
};

TEST_F(ApplicationsTest, RunsAgainAfterTheProcessDid) {
  ASSERT_TRUE(applications_->Create(kKey, Copy()));
  Start(StartingPosition::kTrimHorizon);
  PutOne(*world_.Find("in"), "k", "{\"k\":\"a\"}");
  EXPECT_EQ(WaitForResults(1).size(), 1u);
  RestartProcess();
  EXPECT_EQ(applications_->WaitUntilSettled(kKey), ApplicationStatus::kRunning);
  PutOne(*world_.Find("in"), "k", "{\"k\":\"b\"}");
  EXPECT_EQ(WaitForResults(2), (std::vector<std::string>{"{\"K\":\"a\"}", "{\"K\":\"b\"}"}));
}

TEST_F(ApplicationsTest, StoppedOnesStayStopped) {
  ASSERT_TRUE(applications_->Create(kKey, Copy()));
  Start(StartingPosition::kNow);
  ASSERT_TRUE(applications_->Stop(kKey));
  EXPECT_EQ(applications_->WaitUntilSettled(kKey), ApplicationStatus::kReady);
  RestartProcess();
  EXPECT_EQ(applications_->Find(kKey)->status, ApplicationStatus::kReady);
}

TEST_F(ApplicationsTest, VersionsCountChangesAndAreChecked) {
  ASSERT_TRUE(applications_->Create(kKey, Copy()));
  auto nothing = [](Definition&) { return std::optional<Refused>(); };
  auto changed = applications_->Update(kKey, 1, nothing);
  ASSERT_TRUE(changed);
  EXPECT_EQ((*changed)->definition.version, 2);
  auto refused = applications_->Update(kKey, 1, nothing);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, Refusal::kVersion);
  EXPECT_EQ(refused.error().version, 2);
}

TEST_F(ApplicationsTest, AnUpdateOfTheCodeGoesOnWhereTheOldCodeStopped) {
  ASSERT_TRUE(applications_->Create(kKey, Copy()));
  Start(StartingPosition::kTrimHorizon);
  PutOne(*world_.Find("in"), "k", "{\"k\":\"a\"}");
  WaitForResults(1);
  auto changed = applications_->Update(kKey, 1, [](Definition& d) {
    d.code.replace(d.code.find("STREAM k"), 8, "STREAM k || '!'");
    return std::optional<Refused>();
  });
  ASSERT_TRUE(changed) << changed.error().message;
  EXPECT_EQ(applications_->WaitUntilSettled(kKey), ApplicationStatus::kRunning);
  PutOne(*world_.Find("in"), "k", "{\"k\":\"b\"}");
  EXPECT_EQ(WaitForResults(2), (std::vector<std::string>{"{\"K\":\"a\"}", "{\"K\":\"b!\"}"}));
}

TEST_F(ApplicationsTest, RefusesWhatTheStatusDoesNotAllow) {
  ASSERT_TRUE(applications_->Create(kKey, Copy()));
  EXPECT_EQ(applications_->Create(kKey, Copy()).error().reason, Refusal::kExists);
  EXPECT_EQ(applications_->Stop(kKey).error().reason, Refusal::kStatus);
  EXPECT_EQ(applications_->Start(kKey, {{"9.9", StartingPosition::kNow}}).error().reason,
            Refusal::kArgument);
  Start(StartingPosition::kNow);
  EXPECT_EQ(applications_->Start(kKey, {}).error().reason, Refusal::kStatus);
  EXPECT_EQ(applications_->Delete(kKey, 5).error().reason, Refusal::kConfiguration);
}

TEST_F(ApplicationsTest, DeletionLeavesNothingBehind) {
  ASSERT_TRUE(applications_->Create(kKey, Copy()));
  Start(StartingPosition::kTrimHorizon);
  PutOne(*world_.Find("in"), "k", "{\"k\":\"a\"}");
  WaitForResults(1);
  ASSERT_TRUE(applications_->Delete(kKey, std::nullopt));
  applications_->WaitUntilSettled(kKey);
  EXPECT_EQ(applications_->Find(kKey), nullptr);
  auto left = world_.files.List(world_.directory() + "/analytics");
  ASSERT_TRUE(left);
  EXPECT_TRUE(left->empty());
  EXPECT_EQ(world_.log->List().size(), 2u);  // of the two streams
}

TEST_F(ApplicationsTest, HoldsTheLimit) {
  for (const char* name : {"a", "b"}) {
    ASSERT_TRUE(applications_->Create({"000000000000", "us-east-1", name}, {}));
  }
  auto refused = applications_->Create({"000000000000", "us-east-1", "c"}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, Refusal::kLimit);
  EXPECT_TRUE(applications_->Create({"000000000000", "eu-west-1", "c"}, {}));
}

TEST_F(ApplicationsTest, CodeMayComeBeforeItsInputButMustBeSql) {
  Definition d = Copy();
  d.inputs.clear();
  ASSERT_TRUE(applications_->Create(kKey, d));
  auto refused = applications_->Update(kKey, 1, [](Definition& to) {
    to.code = "CREATE STREAMM x";
    return std::optional<Refused>();
  });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, Refusal::kCode);
  EXPECT_EQ(refused.error().message.substr(0, 17), "line 1, column 8:");
}

}  // namespace
}  // namespace millstream::analytics
