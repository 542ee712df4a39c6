#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millstream::sql {

struct ForestOptions {
  int trees = 100;
  int sample_size = 256;
  double time_decay = 1e-5;  // how fast old points lose weight
  int dimensions = 1;
  uint64_t seed = 42;  // the same rows give the same scores
};

// Robust random cut forest (Guha, Mishra, Roy, Schrijvers: "Robust Random Cut Forest Based Anomaly
// Detection On Streams", ICML 2016): each tree cuts its own sample of the stream, the sides of its
// boxes deciding by chance where; a point that new cuts would separate near the root is unusual.
// One thread.
class RandomCutForest {
 public:
  explicit RandomCutForest(const ForestOptions& options);
  ~RandomCutForest();

  // 0 until sample_size points have been seen; about 1 is usual, 3 is not. With `attribution`:
  // per dimension the part of the score that comes from being too high and too low.
  double Score(const float* point, std::vector<double>* attribution) const;
  void Update(const float* point);

  // All trees with their samples; Restore reads what a forest of the same options wrote.
  void Save(std::string& out) const;
  bool Restore(std::string_view& in);
  std::size_t held_bytes() const;

 private:
  class Tree;
  ForestOptions options_;
  std::vector<std::unique_ptr<Tree>> trees_;
  int64_t seen_ = 0;
  mutable std::vector<int> paths_;  // of one Score
};

}  // namespace millstream::sql
