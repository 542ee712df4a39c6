#include "base/bytes.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace millstream::base {
namespace {

TEST(BytesTest, SharesWithoutCopyingAndOutlivesTheBuffer) {
  Buffer buffer;
  buffer.Append("hello ");
  buffer.Append("world");
  const char* before = buffer.data();
  Bytes bytes = std::move(buffer).Share();
  EXPECT_EQ(bytes.data(), before);
  Bytes part = bytes.Slice(6, 5);
  bytes = Bytes();
  EXPECT_EQ(part.view(), "world");
  EXPECT_TRUE(buffer.empty());
}

TEST(BytesTest, BufferKeepsItsContentWhileItGrows) {
  Buffer buffer;
  std::string expected;
  for (int i = 0; i < 100'000; ++i) {
    buffer.Append(static_cast<char>('a' + i % 26));
    expected += static_cast<char>('a' + i % 26);
  }
  EXPECT_EQ(buffer.view(), expected);
}

TEST(BytesTest, BlocksAreUsedAgain) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "with the address sanitizer every block is malloc's own";
#endif
  const char* first;
  {
    Buffer buffer(100'000);
    first = buffer.data();
  }
  Buffer again(100'000);
  EXPECT_EQ(again.data(), first);
}

TEST(BytesTest, BlocksReleasedOnOtherThreadsAreCounted) {
  uint64_t before = CurrentBlockUsage().in_use_bytes;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 1000; ++i) {
        Bytes bytes = Bytes::Copy(std::string(static_cast<size_t>(i) * 17, 'x'));
        Bytes copy = bytes;
        ASSERT_EQ(copy.size(), static_cast<size_t>(i) * 17);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(CurrentBlockUsage().in_use_bytes, before);
}

}  // namespace
}  // namespace millstream::base
