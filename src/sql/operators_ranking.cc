// RANK, DENSE_RANK, ROW_NUMBER; GROUP_RANK and HOTSPOTS.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <deque>
#include <limits>
#include <numeric>

#include "sql/cast.h"
#include "sql/operator.h"
#include "sql/row_order.h"

namespace millstream::sql {

namespace {

using AKind = AggregateCall::Kind;

// RANK, DENSE_RANK, ROW_NUMBER with an order of their own: over the rows of equal ROWTIME, which is
// what a grouped subquery emits for one window. Top-N of a window is a filter on the result.
//
// Rows wait as columns: those of the input, then what each ranking compares.
class RankOperator final : public Operator {
 public:
  RankOperator(const Plan& plan, Runtime& runtime, const std::string& pump)
      : evaluation_(runtime, pump),
        input_columns_(static_cast<int>(plan.inputs[0]->columns.size())),
        rows_(LogColumns(plan)),
        one_(PhysicalColumns(plan.inputs[0]->columns)),
        out_(PhysicalColumns(plan.columns)) {
    int column = input_columns_;
    for (const AggregateCall& call : plan.calls) {
      const WindowPlan& w = plan.windows[static_cast<std::size_t>(call.window)];
      Ranking& ranking = rankings_.emplace_back();
      ranking.kind = call.kind;
      for (const ExprPtr& e : w.partition_by) {
        kernels_.push_back(Compile(e));
        ranking.partition.push_back({column++});
      }
      ranking.keys = ranking.partition;
      for (std::size_t o = 0; o < w.order_by.size(); ++o) {
        kernels_.push_back(Compile(w.order_by[o]));
        ranking.keys.push_back({column++, w.descending[o], !w.descending[o]});
      }
    }
  }
  void Push(int, const Batch& batch) override {
    Take(batch);
    EmitBound(batch.rowtime[batch.rows - 1]);
  }
  void Advance(int, int64_t bound) override {
    if (!rows_.empty() && Time() < bound) Flush();
    EmitBound(rows_.empty() ? bound : Time());
  }
  void Save(std::string& out) const override {
    SaveRows(rows_, rows_.first(), input_columns_, out);
  }
  bool Restore(std::string_view& in) override {
    return RestoreEachRow(in, [this](int64_t rowtime, std::string_view bytes) {
      one_.Clear();
      ReadRow(bytes, one_, 0, 0, input_columns_);
      one_.Commit(rowtime);
      Take(one_.view());
    });
  }
  std::size_t StateBytes() const override { return rows_.bytes(); }

 private:
  struct Ranking {
    AKind kind;
    std::vector<OrderKey> partition, keys;  // `keys`: the partition, then the order
  };

  static std::vector<Physical> LogColumns(const Plan& plan) {
    std::vector<Physical> columns = PhysicalColumns(plan.inputs[0]->columns);
    for (const AggregateCall& call : plan.calls) {
      const WindowPlan& w = plan.windows[static_cast<std::size_t>(call.window)];
      for (const ExprPtr& e : w.partition_by) columns.push_back(PhysicalOf(e->type.kind));
      for (const ExprPtr& e : w.order_by) columns.push_back(PhysicalOf(e->type.kind));
    }
    return columns;
  }
  int64_t Time() const { return rows_.rowtime(rows_.end() - 1); }

  void Take(const Batch& batch) {
    EvalContext& context = evaluation_.Begin(batch);
    std::vector<const Vector*> columns = batch.columns;
    for (auto& kernel : kernels_) columns.push_back(&kernel->Evaluate(context));
    for (int from = 0, to = 0; from < batch.rows; from = to) {
      const int64_t time = batch.rowtime[from];
      if (!rows_.empty() && Time() < time) Flush();
      while (to < batch.rows && batch.rowtime[to] == time) ++to;
      rows_.Append(columns, batch.rowtime, from, to);
    }
  }
  void Flush() {
    const std::size_t n = rows_.size();
    std::vector<std::vector<int64_t>> ranks(rankings_.size(), std::vector<int64_t>(n));
    for (std::size_t k = 0; k < rankings_.size(); ++k) {
      const Ranking& r = rankings_[k];
      const std::vector<uint64_t> sorted = SortedRows(rows_, r.keys);
      int64_t number = 0, rank = 0, dense = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const bool first = i == 0 || CompareRows(rows_, sorted[i], sorted[i - 1], r.partition) != 0;
        if (first) number = rank = dense = 0;
        ++number;
        if (first || CompareRows(rows_, sorted[i], sorted[i - 1], r.keys) != 0) {
          rank = number;
          ++dense;
        }
        ranks[k][sorted[i] - rows_.first()] = r.kind == AKind::kRank        ? rank
                                              : r.kind == AKind::kDenseRank ? dense
                                                                            : number;
      }
    }
    std::array<uint64_t, kBatchRows> numbers;
    for (std::size_t from = 0; from < n; from += kBatchRows) {
      const std::size_t count = std::min<std::size_t>(kBatchRows, n - from);
      std::iota(numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(count),
                rows_.first() + from);
      rows_.Read(numbers.data(), static_cast<int>(count), input_columns_, out_, 0, 0);
      for (std::size_t k = 0; k < rankings_.size(); ++k) {
        Vector& v = out_.column(input_columns_ + static_cast<int>(k));
        v.ClearNulls();
        std::copy_n(ranks[k].begin() + static_cast<std::ptrdiff_t>(from), count, v.ints());
      }
      for (std::size_t i = 0; i < count; ++i) out_.Commit(rows_.rowtime(numbers[i]));
      Emit(out_.view());
      out_.Clear();
    }
    rows_.Clear();
  }

  Evaluation evaluation_;
  int input_columns_;
  std::vector<std::unique_ptr<Kernel>> kernels_;  // of all rankings, in the order of their columns
  std::vector<Ranking> rankings_;
  RowLog rows_;
  RowBuffer one_, out_;
};

// GROUP_RANK: ranks the rows of equal ROWTIME by one column. A group is complete when a row or a
// bound of a later time comes; the bounds of an idle input do what maxIdle asks for.
class GroupRankOperator final : public Operator {
 public:
  explicit GroupRankOperator(const Plan& plan)
      : column_(plan.time_column),
        descending_(plan.arguments[2].s == "desc"),
        output_(plan.arguments[3].null ? "" : plan.arguments[3].s),
        most_(plan.arguments[5].i),
        columns_(static_cast<int>(plan.inputs[0]->columns.size())),
        scratch_(PhysicalColumns(plan.inputs[0]->columns)),
        out_(PhysicalColumns(plan.columns)) {}

  void Push(int, const Batch& batch) override {
    for (int i = 0; i < batch.rows; ++i) {
      if (!rows_.empty() && rows_.back().rowtime < batch.rowtime[i]) Close();
      StoredRow row;
      row.rowtime = batch.rowtime[i];
      AppendRow(batch, i, row.bytes);
      bytes_ += row.bytes.size() + kEntryBytes;
      rows_.push_back(std::move(row));
    }
    EmitBound(batch.rowtime[batch.rows - 1]);
  }
  void Advance(int, int64_t bound) override {
    if (!rows_.empty() && rows_.back().rowtime < bound) Close();
    EmitBound(bound);
  }
  void Save(std::string& out) const override { SaveRows(rows_, out); }
  bool Restore(std::string_view& in) override { return RestoreRows(in, rows_, bytes_); }
  std::size_t StateBytes() const override { return bytes_; }

 private:
  struct Ranked {
    std::size_t row;
    bool null;
    int64_t i;
    std::string text;
    int64_t rank;
  };
  void Close() {
    std::vector<Ranked> order;
    bool text = scratch_.column(column_).physical() == Physical::kString;
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      scratch_.Clear();
      ReadRow(rows_[r].bytes, scratch_, 0, 0, columns_);
      const Vector& v = scratch_.column(column_);
      bool null = v.valid()[0] == 0;
      order.push_back({r, null, null || text ? 0 : v.ints()[0],
                       null || !text ? std::string() : std::string(v.strings()[0]), 0});
    }
    auto compare = [](const Ranked& a, const Ranked& b) {  // NULL is the smallest
      if (a.null != b.null) return a.null ? -1 : 1;
      if (a.i != b.i) return a.i < b.i ? -1 : 1;
      return a.text.compare(b.text);
    };
    std::stable_sort(order.begin(), order.end(), [&](const Ranked& a, const Ranked& b) {
      int c = compare(a, b);
      return descending_ ? c > 0 : c < 0;
    });
    for (std::size_t i = 0; i < order.size(); ++i) {
      bool tie = i > 0 && compare(order[i], order[i - 1]) == 0;
      order[i].rank = tie ? order[i - 1].rank : static_cast<int64_t>(i) + 1;
    }
    std::stable_sort(order.begin(), order.end(), [&](const Ranked& a, const Ranked& b) {
      if (output_ == "asc") return a.rank < b.rank;
      if (output_ == "desc") return a.rank > b.rank;
      return a.row < b.row;
    });
    if (most_ > 0 && static_cast<int64_t>(order.size()) > most_) {
      order.resize(static_cast<std::size_t>(most_));
    }
    for (std::size_t i = 0; i < order.size(); ++i) {
      int at = out_.rows();
      ReadRow(rows_[order[i].row].bytes, out_, at, 0, columns_);
      out_.column(columns_).valid()[at] = 1;
      out_.column(columns_).ints()[at] = order[i].rank;
      out_.Commit(rows_[order[i].row].rowtime);
      if (out_.full() || i + 1 == order.size()) {
        Emit(out_.view());
        out_.Clear();
      }
    }
    rows_.clear();
    bytes_ = 0;
  }

  int column_;
  bool descending_;
  std::string output_;
  int64_t most_;
  int columns_;
  RowBuffer scratch_, out_;
  std::vector<StoredRow> rows_;
  std::size_t bytes_ = 0;
};

// HOTSPOTS: DBSCAN over the last rows of the window. A point that has at least minPoints points
// within the radius (itself counted) is the core of a hotspot; cores within the radius of each other
// belong together, and points near a core are part of its hotspot. Costs window * columns per row to
// find the new row's neighbours, and window steps to put hotspots together.
class HotspotsOperator final : public Operator {
 public:
  explicit HotspotsOperator(const Plan& plan)
      : window_(static_cast<std::size_t>(plan.arguments[0].i)),
        radius_(plan.arguments[1].d),
        points_min_(plan.arguments[2].i) {
    const auto& columns = plan.inputs[0]->columns;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (IsNumeric(columns[c].type.kind) && columns[c].type.kind != Kind::kDecimal) {
        numeric_.push_back(c);
      }
    }
    out_.Init({Physical::kString});
  }

  void Push(int, const Batch& batch) override {
    out_.Clear();
    for (int i = 0; i < batch.rows; ++i) {
      Point point;
      for (std::size_t c : numeric_) {
        const Vector& v = *batch.columns[c];
        point.x.push_back(v.valid()[i] == 0                      ? std::nan("")
                          : v.physical() == Physical::kDouble ? v.doubles()[i]
                                                              : static_cast<double>(v.ints()[i]));
      }
      Add(std::move(point));
      out_.column(0).valid()[i] = 1;
      out_.column(0).strings()[i] = out_.arena().Copy(Describe());
    }
    out_.set_rows(batch.rows);
    view_ = batch;
    view_.columns.push_back(out_.view().columns[0]);
    Emit(view_);
    EmitBound(batch.rowtime[batch.rows - 1]);
  }
  void Advance(int, int64_t bound) override { EmitBound(bound); }
  void Save(std::string& out) const override {
    SaveInt(static_cast<int64_t>(points_.size()), out);
    for (const Point& p : points_) {
      SaveText({reinterpret_cast<const char*>(p.x.data()), p.x.size() * sizeof(double)}, out);
    }
  }
  bool Restore(std::string_view& in) override {
    int64_t n = 0;
    if (!RestoreInt(in, n)) return false;
    for (int64_t i = 0; i < n; ++i) {
      std::string_view bytes;
      if (!RestoreText(in, bytes) || bytes.size() != numeric_.size() * sizeof(double)) return false;
      Point point;
      point.x.resize(numeric_.size());
      if (!bytes.empty()) std::memcpy(point.x.data(), bytes.data(), bytes.size());
      Add(std::move(point));
    }
    return true;
  }
  std::size_t StateBytes() const override {
    std::size_t sum = 0;
    for (const Point& p : points_) sum += kEntryBytes + p.near.capacity() * 8 + p.x.size() * 8;
    return sum;
  }

 private:
  struct Point {
    std::vector<double> x;
    std::vector<uint64_t> near;  // numbers of the points within the radius, itself included
    int hotspot = -1;
  };

  bool Near(const Point& a, const Point& b) const {
    double sum = 0;
    for (std::size_t d = 0; d < a.x.size(); ++d) sum += (a.x[d] - b.x[d]) * (a.x[d] - b.x[d]);
    return sum <= radius_ * radius_;  // false for NULL, which is no number
  }
  void Add(Point point) {
    uint64_t number = first_ + points_.size();
    for (std::size_t i = 0; i < points_.size(); ++i) {
      if (!Near(point, points_[i])) continue;
      points_[i].near.push_back(number);
      point.near.push_back(first_ + i);
    }
    if (Near(point, point)) point.near.push_back(number);
    points_.push_back(std::move(point));
    if (points_.size() <= window_) return;
    for (uint64_t n : points_.front().near) {
      if (n == first_) continue;
      auto& near = points_[n - first_].near;
      near.erase(std::find(near.begin(), near.end(), first_));
    }
    points_.pop_front();
    ++first_;
  }
  bool IsCore(const Point& p) const { return static_cast<int64_t>(p.near.size()) >= points_min_; }

  std::string Describe() {
    int hotspots = 0;
    for (Point& p : points_) p.hotspot = -1;
    std::vector<std::size_t> todo;
    for (std::size_t i = 0; i < points_.size(); ++i) {
      if (points_[i].hotspot >= 0 || !IsCore(points_[i])) continue;
      points_[i].hotspot = hotspots;
      todo.assign(1, i);
      while (!todo.empty()) {
        const Point& core = points_[todo.back()];
        todo.pop_back();
        for (uint64_t n : core.near) {
          Point& p = points_[n - first_];
          if (p.hotspot >= 0) continue;
          p.hotspot = hotspots;
          if (IsCore(p)) todo.push_back(n - first_);
        }
      }
      ++hotspots;
    }
    std::string out = "{\"hotspots\":[";
    std::size_t dimensions = numeric_.size();
    for (int h = 0; h < hotspots; ++h) {
      std::vector<double> low(dimensions, std::numeric_limits<double>::infinity());
      std::vector<double> high(dimensions, -std::numeric_limits<double>::infinity());
      double count = 0;
      for (const Point& p : points_) {
        if (p.hotspot != h) continue;
        ++count;
        for (std::size_t d = 0; d < dimensions; ++d) {
          low[d] = std::min(low[d], p.x[d]);
          high[d] = std::max(high[d], p.x[d]);
        }
      }
      // A side shorter than the radius counts as the radius: points in one place are dense, not
      // infinitely so.
      double volume = 1;
      for (std::size_t d = 0; d < dimensions; ++d) volume *= std::max(high[d] - low[d], radius_);
      out += h == 0 ? "{\"density\":" : ",{\"density\":";
      AppendDouble(count / volume, out);
      auto list = [&](const char* name, const std::vector<double>& values) {
        out += std::string(",\"") + name + "\":[";
        for (std::size_t d = 0; d < dimensions; ++d) {
          if (d > 0) out += ',';
          AppendDouble(values[d], out);
        }
        out += ']';
      };
      list("minValues", low);
      list("maxValues", high);
      out += '}';
    }
    return out + "]}";
  }

  std::size_t window_;
  double radius_;
  int64_t points_min_;
  std::vector<std::size_t> numeric_;
  std::deque<Point> points_;
  uint64_t first_ = 0;
  RowBuffer out_;
  Batch view_;
};

}  // namespace

std::unique_ptr<Operator> MakeGroupRank(const Plan& plan) {
  return std::make_unique<GroupRankOperator>(plan);
}
std::unique_ptr<Operator> MakeHotspots(const Plan& plan) {
  return std::make_unique<HotspotsOperator>(plan);
}
std::unique_ptr<Operator> MakeRank(const Plan& plan, Runtime& runtime, const std::string& pump) {
  return std::make_unique<RankOperator>(plan, runtime, pump);
}

}  // namespace millstream::sql
