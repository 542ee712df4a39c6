#include "sql/group_table.h"

#include <gtest/gtest.h>

#include <random>
#include <unordered_map>

namespace millstream::sql {
namespace {

// Random batches of keys, erasures and emptyings, against a map. States count the key's rows.
TEST(GroupTableTest, HoldsWhatAMapHolds) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    GroupTable table(8);
    std::unordered_map<std::string, int64_t> map;  // "": the NULL key
    const uint64_t keys = 1 + random() % 20'000;
    for (int round = 0; round < 200; ++round) {
      std::vector<std::string> texts;
      std::vector<uint8_t> nulls;
      std::vector<std::string_view> views;
      const int rows = 1 + static_cast<int>(random() % kBatchRows);
      for (int i = 0; i < rows; ++i) {
        uint64_t key = random() % keys;
        texts.push_back("x" + std::to_string(key) +
                        std::string(key % 5 == 0 ? 5 + key % 20 : 0, 'y'));
        nulls.push_back(key == 0);
        if (key == 0) texts.back().clear();
      }
      for (const std::string& text : texts) views.emplace_back(text);
      std::vector<char*> states(texts.size());
      std::vector<uint32_t> groups(texts.size());
      table.Find(views.data(), nulls.data(), rows, states.data(), groups.data());
      for (std::size_t i = 0; i < texts.size(); ++i) {
        ++map[texts[i]];
        ++*reinterpret_cast<int64_t*>(states[i]);
        ASSERT_EQ(states[i], table.State(groups[i]));
      }
      if (random() % 20 == 0) {
        table.Clear();
        map.clear();
      }
      if (random() % 10 == 0) {
        table.EraseIf([&](std::size_t g) {
          std::string_view key;
          if (!table.Key(g, key)) key = {};
          if (std::hash<std::string_view>()(key) % 3 != 0) return false;
          map.erase(std::string(key));
          return true;
        });
      }
      ASSERT_EQ(table.live_groups(), map.size());
    }
    std::size_t seen = 0;
    for (std::size_t g = 0; g < table.size(); ++g) {
      if (!table.live(g)) continue;
      std::string_view key;
      if (!table.Key(g, key)) key = {};
      auto it = map.find(std::string(key));
      ASSERT_NE(it, map.end()) << key;
      EXPECT_EQ(*reinterpret_cast<int64_t*>(table.State(g)), it->second);
      ++seen;
    }
    EXPECT_EQ(seen, map.size());
  }
}

TEST(GroupTableTest, EmptyingNeverRunsOutOfEpochs) {
  GroupTable table(8);
  const std::string_view keys[] = {"a", "b"};
  for (int round = 0; round < 10'000; ++round) {
    char* states[2];
    table.Find(keys, nullptr, 2, states);
    ASSERT_EQ(table.size(), 2u);
    for (char* state : states) ASSERT_EQ((*reinterpret_cast<int64_t*>(state))++, 0) << round;
    table.Clear();
  }
}

TEST(GroupTableTest, LongKeysThatAreGoneGiveTheirMemoryBack) {
  GroupTable table(8);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> texts;
    for (int i = 0; i < 1000; ++i)
      texts.push_back(std::string(100, 'k') + std::to_string(round * 1000 + i));
    std::vector<std::string_view> views(texts.begin(), texts.end());
    std::vector<char*> states(texts.size());
    table.Find(views.data(), nullptr, 1000, states.data());
    table.EraseIf([](std::size_t) { return true; });
  }
  EXPECT_LT(table.held_bytes(), 1u << 20);
}

}  // namespace
}  // namespace millstream::sql
