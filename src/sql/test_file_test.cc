#include "sql/test_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace millstream::sql {
namespace {

class SqlTestFile : public testing::TestWithParam<std::string> {};

TEST_P(SqlTestFile, BehavesAsWritten) {
  std::ifstream file(std::string(MILLSTREAM_SOURCE_DIR) + "/tests/sql/" + GetParam());
  ASSERT_TRUE(file.good());
  std::stringstream text;
  text << file.rdbuf();
  for (const std::string& problem : RunTestFile(text.str())) {
    ADD_FAILURE() << GetParam() << " " << problem;
  }
}

TEST_P(SqlTestFile, BehavesTheSameWithARestartBehindEveryRow) {
  std::ifstream file(std::string(MILLSTREAM_SOURCE_DIR) + "/tests/sql/" + GetParam());
  ASSERT_TRUE(file.good());
  std::stringstream text;
  text << file.rdbuf();
  for (const std::string& problem : RunTestFileWithRestarts(text.str())) {
    ADD_FAILURE() << GetParam() << " " << problem;
  }
}

std::vector<std::string> Files() {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(MILLSTREAM_SOURCE_DIR) + "/tests/sql")) {
    if (entry.path().extension() == ".test") names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string TestName(const testing::TestParamInfo<std::string>& file) {
  std::string name = file.param.substr(0, file.param.find('.'));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, SqlTestFile, testing::ValuesIn(Files()), TestName);

TEST(TestFileTest, ReportsWhatDiffers) {
  std::vector<std::string> problems = RunTestFile("eval 1 + 1 => 3\neval 1 + 1 => 2\n");
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0], "line 1: expected 3 but got 2");
}

}  // namespace
}  // namespace millstream::sql
