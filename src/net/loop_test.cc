#include "net/loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "net/socket.h"

namespace millstream::net {
namespace {

class LoopTest : public testing::TestWithParam<int64_t> {
 protected:
  base::SystemClock clock_;
  std::unique_ptr<Loop> loop_ = Loop::Create(clock_, {.spin_ns = GetParam()}).value();
};

TEST_P(LoopTest, RunsPostsOfEachThreadInOrder) {
  constexpr int kThreads = 4, kPosts = 20'000;
  std::thread running([&] { loop_->Run(); });
  std::vector<int> seen(kThreads, 0);
  int total = 0;
  std::vector<std::thread> posting;
  for (int t = 0; t < kThreads; ++t) {
    posting.emplace_back([&, t] {
      for (int i = 0; i < kPosts; ++i) {
        loop_->Post([&, t, i] {
          EXPECT_TRUE(loop_->IsCurrent());
          EXPECT_EQ(seen[t]++, i);
          if (++total == kThreads * kPosts) loop_->Stop();
        });
      }
    });
  }
  running.join();
  for (auto& thread : posting) thread.join();
  EXPECT_EQ(total, kThreads * kPosts);
}

// Each post finds the loop asleep, or about to be: none may be lost.
TEST_P(LoopTest, APostWakesASleepingLoop) {
  std::thread running([&] { loop_->Run(); });
  for (int i = 0; i < 2000; ++i) {
    std::atomic<bool> ran{false};
    loop_->Post([&] { ran = true; });
    while (!ran) std::this_thread::yield();
  }
  loop_->Stop();
  running.join();
}

TEST_P(LoopTest, TimersRunInTheOrderOfTheirTimes) {
  std::string order;
  loop_->RunAfter(3'000'000, [&] {
    order += "c";
    loop_->Stop();
  });
  loop_->RunAfter(1'000'000, [&] { order += "a"; });
  Loop::TimerId cancelled = loop_->RunAfter(1'500'000, [&] { order += "x"; });
  loop_->RunAfter(2'000'000, [&] { order += "b"; });
  loop_->CancelTimer(cancelled);
  loop_->CancelTimer(cancelled);
  loop_->Run();
  EXPECT_EQ(order, "abc");
}

TEST_P(LoopTest, HooksRunByOrderAtTheEndOfEachTurn) {
  std::string order;
  loop_->AddTurnEndHook([&] { order += "s"; }, Loop::kHookOrderSockets);
  Loop::HookId first = loop_->AddTurnEndHook([&] { order += "1"; });
  loop_->AddTurnEndHook([&] {
    order += "2";
    loop_->RemoveTurnEndHook(first);
  });
  loop_->Post([&] {
    order += "p";
    loop_->Post([&] {
      order += "q";
      loop_->Stop();
    });
  });
  loop_->Run();
  EXPECT_EQ(order, "p12sq2s");
}

TEST_P(LoopTest, AWatcherMayUnwatchItselfAndOthers) {
  int pairs[2][2];
  for (auto& pair : pairs) ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  Socket owned[] = {Socket(pairs[0][0]), Socket(pairs[0][1]), Socket(pairs[1][0]),
                    Socket(pairs[1][1])};
  int calls = 0;
  for (auto& pair : pairs) {
    ASSERT_TRUE(loop_->Watch(pair[0], EPOLLIN, [&, padding = std::string(100, 'x')](uint32_t) {
      ++calls;
      loop_->Unwatch(pairs[0][0]);
      loop_->Unwatch(pairs[1][0]);
      EXPECT_EQ(padding.size(), 100u);  // still alive
      loop_->Stop();
    }));
    ASSERT_EQ(write(pair[1], "x", 1), 1);
  }
  loop_->Run();
  EXPECT_EQ(calls, 1);
}

INSTANTIATE_TEST_SUITE_P(BlockingAndSpinning, LoopTest, testing::Values(0, 50'000));

}  // namespace
}  // namespace millstream::net
