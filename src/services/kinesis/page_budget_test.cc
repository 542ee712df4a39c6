#include "services/kinesis/page_budget.h"

#include <vector>

#include <gtest/gtest.h>

namespace millstream::services::kinesis {
namespace {

constexpr int64_t kMiB = 1 << 20;

TEST(PageBudgetTest, PagesAreWholeWhileThereIsRoom) {
  auto budget = std::make_shared<PageBudget>(1024 * kMiB);
  auto share = budget->Take(10 * kMiB, 0);
  ASSERT_TRUE(share);
  EXPECT_EQ(share->bytes(), 10 * kMiB);
  EXPECT_TRUE(share->Resize(1000));
  EXPECT_EQ(budget->held(), 1000);
  share.reset();
  EXPECT_EQ(budget->held(), 0);
}

TEST(PageBudgetTest, ManyHoldersGetSmallerAndSmallerPagesAndThenNone) {
  auto budget = std::make_shared<PageBudget>(1024 * kMiB);
  std::vector<PageBudget::Share> shares;
  while (auto share = budget->Take(10 * kMiB, 0)) {
    if (!shares.empty()) {
      EXPECT_LE(share->bytes(), shares.back().bytes());
    }
    shares.push_back(std::move(*share));
  }
  EXPECT_GT(shares.size(), 300u);
  EXPECT_LE(budget->held(), 1024 * kMiB);
  EXPECT_GT(budget->held(), 1023 * kMiB);
  shares.pop_back();
  EXPECT_TRUE(budget->Take(1, 0));
}

TEST(PageBudgetTest, APageLargerThanItsShareIsRefusedOnlyWhenMemoryIsFull) {
  auto budget = std::make_shared<PageBudget>(64 * kMiB);
  auto first = budget->Take(10 * kMiB, 0);
  EXPECT_EQ(first->bytes(), kMiB);
  EXPECT_TRUE(first->Resize(60 * kMiB));
  auto second = budget->Take(10 * kMiB, 0);
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->Resize(5 * kMiB));
  second.reset();
  EXPECT_EQ(budget->held(), 60 * kMiB);
}

TEST(PageBudgetTest, AConnectionHasALastPageWhenMemoryIsFull) {
  auto budget = std::make_shared<PageBudget>(64 * kMiB);
  auto all = budget->Take(kMiB, 0);
  ASSERT_TRUE(all->Resize(64 * kMiB));
  EXPECT_FALSE(budget->Take(10 * kMiB, 0));
  auto last = budget->Take(10 * kMiB, 7);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->bytes(), PageBudget::kLastPageBytes);
  EXPECT_TRUE(last->Resize(10 * kMiB));  // one large record
  EXPECT_FALSE(budget->Take(10 * kMiB, 7));
  EXPECT_TRUE(budget->Take(10 * kMiB, 8));  // and back at once
  PageBudget::Share moved = std::move(*last);
  last.reset();
  EXPECT_FALSE(budget->Take(10 * kMiB, 7));
  moved = PageBudget::Share();
  EXPECT_TRUE(budget->Take(10 * kMiB, 7));
  EXPECT_EQ(budget->held(), 64 * kMiB);
}

TEST(PageBudgetTest, SharesOutliveTheirOwner) {
  auto budget = std::make_shared<PageBudget>(64 * kMiB);
  auto share = budget->Take(1000, 0);
  budget.reset();
  EXPECT_TRUE(share->Resize(10));
}

}  // namespace
}  // namespace millstream::services::kinesis
