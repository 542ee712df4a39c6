#include "sql/random_cut_forest.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

namespace millstream::sql {

namespace {
double Log2p1(double x) { return std::log2(1 + x); }
double ScoreSeen(double depth, double mass) { return 1 / (depth + Log2p1(mass)); }
double ScoreUnseen(double depth) { return 1 / (depth + 1); }
}  // namespace

// A cut tree over a weighted sample. Nodes lie in arrays: inner nodes 0 to n-2, leaves from
// `leaf_base_` on, one per sampled point (equal points share a leaf by count). What a walk down reads
// lies apart from what only changes need, so that a hundred trees stay in the second-level cache.
class RandomCutForest::Tree {
 public:
  Tree(const ForestOptions& options, uint64_t seed) : o_(options), random_(seed * 0x9E3779B97F4A7C15u + 1) {
    std::size_t n = static_cast<std::size_t>(o_.sample_size);
    std::size_t d = static_cast<std::size_t>(o_.dimensions);
    leaf_base_ = o_.sample_size;
    cuts_.resize(n);
    links_.resize(2 * n + 2);
    boxes_.resize(n * d * 2);
    points_.resize((n + 1) * d);
    for (int i = o_.sample_size - 1; i >= 0; --i) {
      free_inner_.push_back(i);
      free_leaf_.push_back(i);
    }
  }

  // The sampler: keeps the points of the smallest weights; later points tend to have smaller ones.
  void Offer(const float* point, int64_t time) {
    double u = Uniform();
    while (u <= 0) u = Uniform();
    const bool full = static_cast<int>(heap_.size()) == o_.sample_size;
    if (full && time <= refused_until_ && u <= refused_) return;
    double weight = std::log(-std::log(u)) - static_cast<double>(time) * o_.time_decay;
    if (full) {
      if (weight >= heap_.front().first) {
        // Most points are refused: up to which u they are, for some time, spares them the logarithms.
        if (time > refused_until_) {
          refused_until_ = time + kRefusedRows;
          refused_ = std::exp(-std::exp(heap_.front().first + static_cast<double>(refused_until_) * o_.time_decay));
        }
        return;
      }
      refused_until_ = -1;
      std::pop_heap(heap_.begin(), heap_.end());
      Delete(heap_.back().second);
      heap_.pop_back();
    }
    int leaf = Insert(point);
    heap_.emplace_back(weight, leaf);
    std::push_heap(heap_.begin(), heap_.end());
  }

  double Score(const float* x, double* attribution) const {
    if (root_ < 0) return 0;
    return ScoreAt(root_, x, 0, attribution).value;
  }

  // The sum of the scores of `count` trees without attribution. The trees are walked down side by
  // side, one step each at a time: their cache misses overlap, and choosing a side is no branch.
  static constexpr int kAbreast = 8;
  static double ScoreAbreast(const std::unique_ptr<Tree>* trees, int count, const float* x,
                             std::vector<int>& paths) {
    const ForestOptions& o = trees[0]->o_;
    const int dimensions = o.dimensions, leaf_base = o.sample_size;
    const std::size_t stride = static_cast<std::size_t>(o.sample_size);
    paths.resize(stride * kAbreast);
    int at[kAbreast], depth[kAbreast] = {};
    const Cut* cuts[kAbreast];
    bool inner = false;
    for (int t = 0; t < count; ++t) {
      at[t] = trees[t]->root_;
      cuts[t] = trees[t]->cuts_.data();
      inner |= at[t] >= 0 && at[t] < leaf_base;
    }
    while (inner) {
      inner = false;
      for (int t = 0; t < count; ++t) {
        const int n = at[t];
        if (static_cast<unsigned>(n) >= static_cast<unsigned>(leaf_base)) continue;
        paths[static_cast<std::size_t>(t) * stride + static_cast<std::size_t>(depth[t]++)] = n;
        const Cut& cut = cuts[t][n];
        const int next = cut.child[x[cut.dimension] <= cut.at ? 0 : 1];
        at[t] = next;
        inner |= next < leaf_base;
      }
    }
    for (int t = 0; t < count; ++t) {
      if (at[t] < 0) continue;
      __builtin_prefetch(trees[t]->Point(at[t]));
      for (int up = 1; up <= 3 && up <= depth[t]; ++up) {
        __builtin_prefetch(trees[t]->Low(paths[static_cast<std::size_t>(t) * stride + static_cast<std::size_t>(depth[t] - up)]));
      }
    }
    double sum = 0;
    for (int t = 0; t < count; ++t) {
      if (at[t] < 0) continue;
      const Tree& tree = *trees[t];
      const float* p = tree.Point(at[t]);
      float distance = 0;
      for (int d = 0; d < dimensions; ++d) distance += std::fabs(x[d] - p[d]);
      if (distance == 0) {
        sum += tree.ScoreOfSeen(at[t], depth[t]);
        continue;
      }
      double value = ScoreUnseen(depth[t]);
      for (int up = depth[t] - 1; up >= 0; --up) {
        const float* low = tree.Low(paths[static_cast<std::size_t>(t) * stride + static_cast<std::size_t>(up)]);
        const float* high = low + dimensions;
        float range = 0, outside = 0;
        for (int d = 0; d < dimensions; ++d) {
          outside += std::max(0.0F, x[d] - high[d]) + std::max(0.0F, low[d] - x[d]);
          range += high[d] - low[d];
        }
        if (outside <= 0) break;  // within this box and all above it
        const double part = static_cast<double>(outside) / (static_cast<double>(range) + static_cast<double>(outside));
        value += part * (ScoreUnseen(up) - value);
      }
      sum += value;
    }
    return sum;
  }

  void Save(std::string& out) const {
    Put(random_, out);
    Put(root_, out);
    PutAll(cuts_, out);
    PutAll(links_, out);
    PutAll(boxes_, out);
    PutAll(points_, out);
    PutAll(free_inner_, out);
    PutAll(free_leaf_, out);
    PutAll(heap_, out);
  }
  bool Restore(std::string_view& in) {
    refused_until_ = -1;
    const std::size_t inner = cuts_.size(), nodes = links_.size();
    if (!Take(in, random_) || !Take(in, root_) || !TakeAll(in, cuts_, inner) || !TakeAll(in, links_, nodes) ||
        !TakeAll(in, boxes_, boxes_.size()) || !TakeAll(in, points_, points_.size()) ||
        !TakeAll(in, free_inner_, nodes) || !TakeAll(in, free_leaf_, nodes) || !TakeAll(in, heap_, nodes) ||
        cuts_.size() != inner || links_.size() != nodes) {
      return false;
    }
    const int end = static_cast<int>(nodes);
    for (const Cut& cut : cuts_) {
      if (cut.dimension < 0 || cut.dimension >= o_.dimensions) return false;
      for (int child : cut.child) {
        if (child < -1 || child >= end) return false;
      }
    }
    return root_ >= -1 && root_ < end;
  }
  std::size_t held_bytes() const {
    return cuts_.size() * sizeof(Cut) + links_.size() * (sizeof(Link) + 16) +
           (boxes_.size() + points_.size()) * sizeof(float);
  }

 private:
  struct Cut {  // of an inner node
    float at = 0;
    int dimension = 0;
    int child[2] = {-1, -1};  // for points up to the cut, for those beyond
  };
  struct Link {
    int parent = -1;
    int mass = 0;
  };
  struct Scored {
    double value;
    bool same;  // the point lies within every box so far up: nothing above can separate it
  };

  template <typename T>
  static void Put(const T& value, std::string& out) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  template <typename T>
  static void PutAll(const std::vector<T>& values, std::string& out) {
    Put(static_cast<uint64_t>(values.size()), out);
    out.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }
  template <typename T>
  static bool Take(std::string_view& in, T& value) {
    if (in.size() < sizeof value) return false;
    std::memcpy(&value, in.data(), sizeof value);
    in.remove_prefix(sizeof value);
    return true;
  }
  template <typename T>
  static bool TakeAll(std::string_view& in, std::vector<T>& values, std::size_t most) {
    uint64_t n = 0;
    if (!Take(in, n) || n > most || in.size() < n * sizeof(T)) return false;
    values.resize(n);
    if (n > 0) std::memcpy(static_cast<void*>(values.data()), in.data(), n * sizeof(T));
    in.remove_prefix(n * sizeof(T));
    return true;
  }

  bool IsLeaf(int n) const { return n >= leaf_base_; }
  const float* Point(int leaf) const {
    return points_.data() + static_cast<std::size_t>(leaf - leaf_base_) * static_cast<std::size_t>(o_.dimensions);
  }
  float* Low(int n) {
    return boxes_.data() + static_cast<std::size_t>(n) * static_cast<std::size_t>(o_.dimensions) * 2;
  }
  const float* Low(int n) const { return const_cast<Tree*>(this)->Low(n); }
  const float* LowOf(int n) const { return IsLeaf(n) ? Point(n) : Low(n); }
  const float* HighOf(int n) const { return IsLeaf(n) ? Point(n) : Low(n) + o_.dimensions; }
  Link& At(int n) { return links_[static_cast<std::size_t>(n)]; }
  const Link& At(int n) const { return links_[static_cast<std::size_t>(n)]; }
  Cut& CutOf(int n) { return cuts_[static_cast<std::size_t>(n)]; }
  const Cut& CutOf(int n) const { return cuts_[static_cast<std::size_t>(n)]; }
  // Puts `to` where `child` was.
  void Replace(int parent, int child, int to) {
    if (parent < 0) {
      root_ = to;
    } else {
      CutOf(parent).child[CutOf(parent).child[0] == child ? 0 : 1] = to;
    }
  }
  double ScoreOfSeen(int leaf, int depth) const {
    double total = At(root_).mass, mass = At(leaf).mass;
    return depth == 0 ? ScoreUnseen(0) : ScoreSeen(depth, mass) * (1 - 0.5 * mass / total);
  }

  double Uniform() {  // xorshift*: quick and good enough to place cuts
    random_ ^= random_ >> 12;
    random_ ^= random_ << 25;
    random_ ^= random_ >> 27;
    return static_cast<double>((random_ * 0x2545F4914F6CDD1Du) >> 11) * 0x1.0p-53;
  }

  Scored ScoreAt(int n, const float* x, int depth, double* attribution) const {
    if (IsLeaf(n)) {
      const float* p = Point(n);
      double distance = 0;
      for (int d = 0; d < o_.dimensions; ++d) distance += std::fabs(x[d] - p[d]);
      if (distance == 0) {
        double v = ScoreOfSeen(n, depth);
        if (attribution != nullptr) {  // no side is to blame; share it out
          for (int k = 0; k < 2 * o_.dimensions; ++k) attribution[k] = v / (2 * o_.dimensions);
        }
        return {v, false};
      }
      double v = ScoreUnseen(depth);
      if (attribution != nullptr) {
        for (int d = 0; d < o_.dimensions; ++d) {
          double delta = static_cast<double>(x[d]) - static_cast<double>(p[d]);
          attribution[2 * d] = delta > 0 ? v * delta / distance : 0;
          attribution[2 * d + 1] = delta < 0 ? v * -delta / distance : 0;
        }
      }
      return {v, false};
    }
    const Cut& node = CutOf(n);
    Scored below = ScoreAt(node.child[x[node.dimension] <= node.at ? 0 : 1], x, depth + 1, attribution);
    if (below.same) return below;
    // The chance that a cut of this box, were it stretched to the point, would part the point.
    const float *low = Low(n), *high = low + o_.dimensions;
    double range = 0, outside = 0;
    for (int d = 0; d < o_.dimensions; ++d) {
      double above = std::max(0.0, static_cast<double>(x[d]) - high[d]);
      double under = std::max(0.0, static_cast<double>(low[d]) - x[d]);
      range += static_cast<double>(high[d]) - low[d] + above + under;
      outside += above + under;
    }
    if (outside <= 0) return {below.value, true};
    double p = outside / range, unseen = ScoreUnseen(depth);
    if (attribution != nullptr) {
      for (int d = 0; d < o_.dimensions; ++d) {
        double above = std::max(0.0, static_cast<double>(x[d]) - high[d]);
        double under = std::max(0.0, static_cast<double>(low[d]) - x[d]);
        attribution[2 * d] = above / range * unseen + (1 - p) * attribution[2 * d];
        attribution[2 * d + 1] = under / range * unseen + (1 - p) * attribution[2 * d + 1];
      }
    }
    return {p * unseen + (1 - p) * below.value, false};
  }

  int NewLeaf(const float* x) {
    int slot = free_leaf_.back();
    free_leaf_.pop_back();
    int leaf = leaf_base_ + slot;
    std::copy_n(x, o_.dimensions,
                points_.data() + static_cast<std::size_t>(slot) * static_cast<std::size_t>(o_.dimensions));
    At(leaf) = Link{};
    At(leaf).mass = 1;
    return leaf;
  }

  // Returns the leaf of the point. Walking down, each box stretched by the point draws a cut; the
  // first that parts the point from the box becomes a new node above it.
  int Insert(const float* x) {
    if (root_ < 0) {
      root_ = NewLeaf(x);
      return root_;
    }
    int n = root_;
    while (true) {
      const float *low = LowOf(n), *high = HighOf(n);
      double range = 0;
      for (int d = 0; d < o_.dimensions; ++d) {
        range += static_cast<double>(std::max(high[d], x[d])) - std::min(low[d], x[d]);
      }
      if (IsLeaf(n) && range == 0) {  // the same point again
        for (int up = n; up >= 0; up = At(up).parent) ++At(up).mass;
        return n;
      }
      double r = Uniform() * range;
      int dimension = o_.dimensions - 1;
      double cut = 0;
      for (int d = 0; d < o_.dimensions; ++d) {
        double a = std::min(low[d], x[d]), b = std::max(high[d], x[d]);
        if (r < b - a || d == o_.dimensions - 1) {
          dimension = d;
          cut = a + std::min(r, b - a);
          break;
        }
        r -= b - a;
      }
      float c = static_cast<float>(cut);
      bool point_left = x[dimension] <= c && c < low[dimension];
      bool point_right = high[dimension] <= c && c < x[dimension];
      if (point_left || point_right) {
        int inner = free_inner_.back();
        free_inner_.pop_back();
        int leaf = NewLeaf(x);
        const int parent = At(n).parent;
        At(inner) = {parent, At(n).mass};
        CutOf(inner) = {c, dimension, {point_left ? leaf : n, point_left ? n : leaf}};
        Replace(parent, n, inner);
        At(n).parent = At(leaf).parent = inner;
        float* box = Low(inner);
        for (int d = 0; d < o_.dimensions; ++d) {
          box[d] = std::min(low[d], x[d]);
          box[o_.dimensions + d] = std::max(high[d], x[d]);
        }
        for (int up = inner; up >= 0; up = At(up).parent) {
          ++At(up).mass;
          float* b = Low(up);
          for (int d = 0; d < o_.dimensions; ++d) {
            b[d] = std::min(b[d], x[d]);
            b[o_.dimensions + d] = std::max(b[o_.dimensions + d], x[d]);
          }
        }
        return leaf;
      }
      if (IsLeaf(n)) continue;  // the cut fell on the very edge by rounding; draw again
      n = CutOf(n).child[x[CutOf(n).dimension] <= CutOf(n).at ? 0 : 1];
    }
  }

  void Delete(int leaf) {
    if (At(leaf).mass > 1) {
      for (int up = leaf; up >= 0; up = At(up).parent) --At(up).mass;
      return;
    }
    free_leaf_.push_back(leaf - leaf_base_);
    int parent = At(leaf).parent;
    if (parent < 0) {
      root_ = -1;
      return;
    }
    int sibling = CutOf(parent).child[CutOf(parent).child[0] == leaf ? 1 : 0];
    int above = At(parent).parent;
    At(sibling).parent = above;
    Replace(above, parent, sibling);
    free_inner_.push_back(parent);
    for (int up = above; up >= 0; up = At(up).parent) {
      --At(up).mass;
      const Cut& node = CutOf(up);
      float* box = Low(up);
      const float *ll = LowOf(node.child[0]), *rl = LowOf(node.child[1]);
      const float *lh = HighOf(node.child[0]), *rh = HighOf(node.child[1]);
      for (int d = 0; d < o_.dimensions; ++d) {
        box[d] = std::min(ll[d], rl[d]);
        box[o_.dimensions + d] = std::max(lh[d], rh[d]);
      }
    }
  }

  ForestOptions o_;
  uint64_t random_;
  int leaf_base_ = 0;
  int root_ = -1;
  std::vector<Cut> cuts_;
  std::vector<Link> links_;
  std::vector<float> boxes_;  // of inner nodes: lows, then highs
  std::vector<float> points_;
  std::vector<int> free_inner_, free_leaf_;
  std::vector<std::pair<double, int>> heap_;  // by weight, the largest first
  static constexpr int64_t kRefusedRows = 1000;
  int64_t refused_until_ = -1;  // points up to this time with a u of at most refused_ do not come in
  double refused_ = 0;
};

RandomCutForest::RandomCutForest(const ForestOptions& options) : options_(options) {
  for (int t = 0; t < options.trees; ++t) {
    trees_.push_back(std::make_unique<Tree>(options, options.seed + static_cast<uint64_t>(t)));
  }
}
RandomCutForest::~RandomCutForest() = default;

double RandomCutForest::Score(const float* point, std::vector<double>* attribution) const {
  if (seen_ < options_.sample_size) return 0;
  double sum = 0;
  if (attribution == nullptr) {
    for (std::size_t t = 0; t < trees_.size(); t += Tree::kAbreast) {
      const int count = static_cast<int>(std::min<std::size_t>(Tree::kAbreast, trees_.size() - t));
      sum += Tree::ScoreAbreast(&trees_[t], count, point, paths_);
    }
  } else {
    attribution->assign(static_cast<std::size_t>(options_.dimensions) * 2, 0);
    std::vector<double> one(attribution->size());
    for (const auto& tree : trees_) {
      sum += tree->Score(point, one.data());
      for (std::size_t i = 0; i < one.size(); ++i) (*attribution)[i] += one[i];
    }
  }
  double scale = Log2p1(options_.sample_size) / static_cast<double>(trees_.size());
  if (attribution != nullptr) {
    for (double& a : *attribution) a *= scale;
  }
  return sum * scale;
}

void RandomCutForest::Update(const float* point) {
  for (int d = 0; d < options_.dimensions; ++d) {
    if (!std::isfinite(point[d])) return;  // no box holds it
  }
  for (auto& tree : trees_) tree->Offer(point, seen_);
  ++seen_;
}

void RandomCutForest::Save(std::string& out) const {
  out.append(reinterpret_cast<const char*>(&seen_), sizeof seen_);
  for (const auto& tree : trees_) tree->Save(out);
}

bool RandomCutForest::Restore(std::string_view& in) {
  if (in.size() < sizeof seen_) return false;
  std::memcpy(&seen_, in.data(), sizeof seen_);
  in.remove_prefix(sizeof seen_);
  for (const auto& tree : trees_) {
    if (!tree->Restore(in)) return false;
  }
  return true;
}

std::size_t RandomCutForest::held_bytes() const {
  std::size_t sum = 0;
  for (const auto& tree : trees_) sum += tree->held_bytes();
  return sum;
}

}  // namespace millstream::sql
