#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "server/config_load.h"
#include "server/config_options.h"

namespace millstream::server {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ConfigTest : public ::testing::Test {
 protected:
  ConfigTest() {
    char name[] = "/tmp/millstream-config-XXXXXX";
    directory_ = mkdtemp(name);
  }
  ~ConfigTest() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const { return directory_ + "/" + name; }
  void Write(const std::string& name, std::string_view text) {
    ASSERT_TRUE(files_.WriteFileAtomically(Path(name), text));
  }
  // Loads a file of that text and nothing else.
  tl::expected<LoadedConfig, ConfigProblems> Load(std::string_view text) {
    Write("m.toml", text);
    sources_.file = Path("m.toml");
    return LoadConfig(files_, sources_);
  }
  // The only problem of a file of that text, without the folder.
  std::string Problem(std::string_view text) {
    auto loaded = Load(text);
    if (loaded) return "no problem";
    std::string all;
    for (const auto& problem : loaded.error()) all += (all.empty() ? "" : "\n") + problem.text();
    return all.starts_with(directory_) ? all.substr(directory_.size() + 1) : all;
  }

  base::RealFileSystem files_;
  ConfigSources sources_;
  std::string directory_;
};

TEST_F(ConfigTest, DefaultsNeedNothing) {
  auto loaded = LoadConfig(files_, {});
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config.listen.port, 4566);
  EXPECT_EQ(loaded->config.listen.address, "127.0.0.1");
  EXPECT_EQ(loaded->config.durability(), log::Durability::kSync);
}

TEST_F(ConfigTest, LaterSourcesWin) {
  sources_.environment = {{"MILLSTREAM_LISTEN_PORT", "2"}, {"MILLSTREAM_LISTEN_LOOPS", "2"}};
  sources_.settings = {{"--loops", "listen.loops", "3"}};
  auto loaded = Load("[listen]\nport = 1\nloops = 1\nconnections_max = 7\n");
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config.listen.connections_max, 7);
  EXPECT_EQ(loaded->config.listen.port, 2);
  EXPECT_EQ(loaded->config.listen.loops, 3);
  EXPECT_EQ(loaded->origins["listen.connections_max"], Path("m.toml") + ":4");
  EXPECT_EQ(loaded->origins["listen.port"], "environment MILLSTREAM_LISTEN_PORT");
  EXPECT_EQ(loaded->origins["listen.loops"], "command line --loops");
}

TEST_F(ConfigTest, UnknownKeysNameTheNearest) {
  EXPECT_EQ(Problem("[listen]\nprot = 1\n"),
            "m.toml:2:1: listen.prot: unknown key (did you mean listen.port?)");
  EXPECT_EQ(Problem("[lisen]\nport = 1\n"),
            "m.toml:1:2: lisen: unknown key (did you mean listen?)");
  EXPECT_EQ(Problem("[[streams]]\nname = 'a'\n"),
            "m.toml:1:3: streams: unknown key (did you mean stream?)");
  EXPECT_THAT(Problem("[listen]\nqqqqqq = 1\n"), HasSubstr("prints every key"));
}

TEST_F(ConfigTest, WrongTypesAndRangesSayWhatWasExpected) {
  EXPECT_THAT(
      Problem("[listen]\nport = 'x'\n"),
      AllOf(StartsWith("m.toml:2:8: listen.port: expected a number"), HasSubstr("found \"x\"")));
  EXPECT_THAT(Problem("[listen]\nport = 70000\n"),
              HasSubstr("expected a number from 0 to 65535, found 70000"));
  EXPECT_THAT(Problem("[log]\ndurability = 'maybe'\n"),
              HasSubstr("expected one of sync, interval, found \"maybe\""));
  EXPECT_THAT(Problem("data_directory = 3\n"),
              HasSubstr("expected text in quotes, found the number 3"));
  EXPECT_THAT(Problem("[audit]\nenabled = 1\n"), HasSubstr("expected true or false"));
  EXPECT_THAT(Problem("[listen]\nport = \n"), HasSubstr("not TOML"));
}

TEST_F(ConfigTest, AllProblemsAreReportedAtOnce) {
  auto loaded = Load("[listen]\nport = -1\nprot = 1\n[log]\ninterval_ms = 0\n");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().size(), 3u);
}

TEST_F(ConfigTest, EnvironmentAndCommandLineAreCheckedToo) {
  sources_.environment = {{"MILLSTREAM_LISTEN_PROT", "1"}};
  auto loaded = LoadConfig(files_, sources_);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error()[0].text(),
            "environment: MILLSTREAM_LISTEN_PROT: unknown variable (did you mean "
            "MILLSTREAM_LISTEN_PORT?)");
  sources_.environment = {};
  sources_.settings = {{"--port", "listen.port", "many"}};
  loaded = LoadConfig(files_, sources_);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error()[0].text(),
            "command line: --port: expected a whole number, found \"many\"");
}

TEST_F(ConfigTest, OtherMachinesAreLetInOnlyWithAccessKeys) {
  EXPECT_THAT(Problem("[listen]\naddress = '0.0.0.0'\n"),
              HasSubstr("configure at least one [[access_key]]"));
  EXPECT_EQ(Problem("[listen]\naddress = '0.0.0.0'\n[[access_key]]\nid = 'A'\nsecret = 'b'\n"),
            "no problem");
  EXPECT_EQ(Problem("[listen]\naddress = '::1'\n"), "no problem");
  EXPECT_THAT(Problem("[listen]\naddress = 'example'\n"), HasSubstr("is no IP address"));
}

TEST_F(ConfigTest, LimitFiguresNeedTheCustomMode) {
  EXPECT_THAT(Problem("[limits]\nwrite_records_per_s = 5\n"),
              HasSubstr("has no effect with limits.mode = \"on\""));
  auto loaded = Load("[limits]\nmode = 'custom'\nwrite_records_per_s = 5\n");
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config.limits.write_records_per_s, 5);
  EXPECT_TRUE(loaded->config.limits.enforced);
  loaded = Load("[limits]\nmode = 'off'\n");
  ASSERT_TRUE(loaded);
  EXPECT_FALSE(loaded->config.limits.enforced);
}

TEST_F(ConfigTest, StreamsComeFromEverySource) {
  sources_.environment = {{"MILLSTREAM_STREAMS", "b:2,c:on-demand"}};
  sources_.streams = {"d"};
  auto loaded =
      Load("[[stream]]\nname = 'a'\nshards = 4\nregion = 'eu-west-1'\ntags = { team = 'x' }\n");
  ASSERT_TRUE(loaded);
  const auto& streams = loaded->config.streams;
  ASSERT_EQ(streams.size(), 4u);
  EXPECT_EQ(streams[0].region, "eu-west-1");
  EXPECT_EQ(streams[0].account, "000000000000");
  EXPECT_EQ(streams[0].tags.at("team"), "x");
  EXPECT_EQ(streams[1].shards, 2);
  EXPECT_EQ(streams[2].mode, "on-demand");
  EXPECT_EQ(streams[3].shards, 1);
}

TEST_F(ConfigTest, StreamsAreChecked) {
  EXPECT_EQ(Problem("[[stream]]\nshards = 1\n"),
            "m.toml:1:1: stream.name: missing (every [[stream]] needs it)");
  EXPECT_THAT(Problem("[[stream]]\nname = 'a b'\n"), HasSubstr("is no stream name"));
  EXPECT_THAT(Problem("[[stream]]\nname = 'a'\n[[stream]]\nname = 'a'\n"),
              HasSubstr("m.toml:3:1: stream.name: \"a\" is there twice"));
  EXPECT_THAT(Problem("[stream]\nname = 'a'\n"), HasSubstr("[[stream]] in double brackets"));
  EXPECT_THAT(Problem("[[stream]]\nname = 'a'\nshard = 2\n"),
              EndsWith("(did you mean stream.shards?)"));
}

TEST_F(ConfigTest, AccessKeysReadSecretsAndPoliciesFromFilesBeside) {
  Write("secret", "s3cret\n");
  Write(
      "policy.json",
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kinesis:*","Resource":"*"}]})");
  auto loaded =
      Load("[[access_key]]\nid = 'A'\nsecret_file = 'secret'\npolicy_file = 'policy.json'\n");
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config.access_keys[0].secret, "s3cret");
  EXPECT_EQ(loaded->config.access_keys[0].policies.size(), 1u);
  EXPECT_THAT(Problem("[[access_key]]\nid = 'A'\nsecret_file = 'nothing'\n"),
              HasSubstr("access_key.secret_file"));
  EXPECT_THAT(Problem("[[access_key]]\nid = 'A'\n"), HasSubstr("give secret or secret_file"));
  EXPECT_THAT(
      Problem("[[access_key]]\nid = 'A'\nsecret = 'b'\npolicy = '''{\n\"Statement\": 1}'''\n"),
      AllOf(HasSubstr("access_key.policy"), HasSubstr("line 2")));
}

TEST_F(ConfigTest, FaultsMustDoSomething) {
  EXPECT_THAT(Problem("[[fault]]\noperation = 'PutRecord'\n"), HasSubstr("fault: does nothing"));
  auto loaded = Load("[[fault]]\noperation = 'PutRecord'\ndelay_ms = 5\nprobability = 0.5\n");
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config.faults[0].probability, 0.5);
}

TEST_F(ConfigTest, ThePrintedConfigurationLoadsAgainAndHidesSecrets) {
  auto loaded = Load(
      "[limits]\nmode = 'custom'\nread_calls_per_s = 9\n[[stream]]\nname = 'a'\ntags = { k = 'v\"' "
      "}\n"
      "[[fault]]\noperation = 'PutRecord'\nerror = 'X'\n");
  ASSERT_TRUE(loaded);
  std::string printed = PrintConfig(*loaded);
  auto again = Load(printed);
  ASSERT_TRUE(again) << again.error()[0].text();
  EXPECT_EQ(again->config.limits.read_calls_per_s, 9);
  EXPECT_EQ(again->config.streams[0].tags.at("k"), "v\"");
  EXPECT_EQ(again->config.faults[0].error, "X");

  loaded = Load("[[access_key]]\nid = 'A'\nsecret = 'hush'\nsession_token = 'hush'\n");
  ASSERT_TRUE(loaded);
  EXPECT_THAT(PrintConfig(*loaded), ::testing::Not(HasSubstr("hush")));
}

TEST(ByteCountTest, TakesUnits) {
  EXPECT_EQ(*ParseByteCount("1048576"), 1 << 20);
  EXPECT_EQ(*ParseByteCount("1MiB"), 1 << 20);
  EXPECT_EQ(*ParseByteCount("1 MB"), 1'000'000);
  EXPECT_FALSE(ParseByteCount("MiB"));
  EXPECT_FALSE(ParseByteCount("-1"));
  EXPECT_FALSE(ParseByteCount("9223372036854775807KiB"));
}

TEST(LoopbackTest, IsTheRangeAndNothingElse) {
  EXPECT_TRUE(IsLoopback("127.0.0.1"));
  EXPECT_TRUE(IsLoopback("127.9.9.9"));
  EXPECT_TRUE(IsLoopback("::1"));
  EXPECT_FALSE(IsLoopback("0.0.0.0"));
  EXPECT_FALSE(IsLoopback("::"));
  EXPECT_FALSE(IsLoopback("128.0.0.1"));
}

}  // namespace
}  // namespace millstream::server
