// TOP_K_ITEMS_TUMBLING, COUNT_DISTINCT_ITEMS_TUMBLING and RANDOM_CUT_FOREST.
#include <algorithm>

#include "sql/cast.h"
#include "sql/datetime.h"
#include "sql/operator.h"
#include "sql/random_cut_forest.h"
#include "sql/sketch.h"

namespace millstream::sql {

namespace {

// Texts of one column per window of ROWTIME, aligned like STEP: the most frequent, or how many.
class ItemsOperator final : public Operator {
 public:
  explicit ItemsOperator(const Plan& plan)
      : plan_(plan),
        top_(plan.name == "TOP_K_ITEMS_TUMBLING"),
        step_(plan.arguments[top_ ? 2 : 1].i * 1000),
        type_(plan.inputs[0]->columns[static_cast<std::size_t>(plan.time_column)].type),
        items_(std::max<std::size_t>(kItemsMax, top_ ? 2 * Arguments(1) : 0)),
        distinct_(kExactDistinctMax, kDistinctPrecision),
        out_(PhysicalColumns(plan.columns)) {}

  void Push(int, const Batch& batch) override {
    const Vector& v = *batch.columns[static_cast<std::size_t>(plan_.time_column)];
    for (int i = 0; i < batch.rows; ++i) {
      if (open_ && batch.rowtime[i] >= end_) Close();
      if (!open_) {
        open_ = true;
        end_ = FloorDiv(batch.rowtime[i], step_) * step_ + step_;
      }
      if (v.valid()[i] == 0) continue;
      text_.clear();
      AppendText(type_, v, i, text_);
      if (top_) {
        items_.Add(text_);
      } else {
        distinct_.Add(text_);
      }
    }
    EmitBound(open_ ? end_ : batch.rowtime[batch.rows - 1]);
  }
  void Advance(int, int64_t bound) override {
    if (open_ && bound >= end_) Close();
    EmitBound(open_ ? end_ : bound);
  }
  void Save(std::string& out) const override {
    SaveInt(open_ ? 1 : 0, out);
    SaveInt(end_, out);
    items_.Save(out);
    distinct_.Save(out);
  }
  bool Restore(std::string_view& in) override {
    int64_t open = 0;
    if (!RestoreInt(in, open) || !RestoreInt(in, end_)) return false;
    open_ = open != 0;
    return items_.Restore(in) && distinct_.Restore(in);
  }
  std::size_t StateBytes() const override { return items_.held_bytes() + distinct_.held_bytes(); }

 private:
  static constexpr std::size_t kItemsMax = 200'000;
  static constexpr std::size_t kExactDistinctMax = 10'000;  // as documented
  static constexpr int kDistinctPrecision = 14;

  std::size_t Arguments(std::size_t i) const {
    return static_cast<std::size_t>(plan_.arguments[i].i);
  }
  void Close() {
    open_ = false;
    if (top_) {
      for (const ItemCounter::Item& item : items_.Top(Arguments(1))) {
        int row = out_.rows();
        out_.column(0).valid()[row] = out_.column(1).valid()[row] = 1;
        out_.column(0).strings()[row] = out_.arena().Copy(item.text.substr(0, 1024));
        out_.column(1).ints()[row] = item.count;
        out_.Commit(end_);
        if (out_.full()) Flush();
      }
    } else {
      out_.column(0).valid()[0] = 1;
      out_.column(0).ints()[0] = distinct_.Count();
      out_.Commit(end_);
    }
    Flush();
    items_.Clear();
    distinct_.Clear();
  }
  void Flush() {
    if (out_.rows() > 0) Emit(out_.view());
    out_.Clear();
  }

  const Plan& plan_;
  bool top_;
  int64_t step_;
  Type type_;
  ItemCounter items_;
  DistinctCounter distinct_;
  RowBuffer out_;
  bool open_ = false;
  int64_t end_ = 0;
  std::string text_;
};

// RANDOM_CUT_FOREST: the input's columns and a score per row.
class ForestOperator final : public Operator {
 public:
  explicit ForestOperator(const Plan& plan)
      : explains_(plan.name == "RANDOM_CUT_FOREST_WITH_EXPLANATION") {
    const auto& columns = plan.inputs[0]->columns;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      Kind kind = columns[c].type.kind;
      if (!IsNumeric(kind) || kind == Kind::kDecimal) continue;
      numeric_.push_back(static_cast<int>(c));
      names_.push_back(columns[c].name);
    }
    shingle_ = static_cast<std::size_t>(plan.arguments[3].i);
    ForestOptions options;
    options.trees = static_cast<int>(plan.arguments[0].i);
    options.sample_size = static_cast<int>(plan.arguments[1].i);
    options.time_decay = 1.0 / static_cast<double>(plan.arguments[2].i);
    options.dimensions = static_cast<int>(numeric_.size() * shingle_);
    forest_ = std::make_unique<RandomCutForest>(options);
    std::vector<Physical> results = {Physical::kDouble};
    if (explains_) results.push_back(Physical::kString);
    out_.Init(results);
    point_.resize(numeric_.size() * shingle_, 0);
  }
  void Push(int, const Batch& batch) override {
    out_.Clear();
    for (int i = 0; i < batch.rows; ++i) {
      // The shingle: the last rows side by side, the newest last.
      std::size_t n = numeric_.size();
      std::move(point_.begin() + static_cast<std::ptrdiff_t>(n), point_.end(), point_.begin());
      for (std::size_t d = 0; d < n; ++d) {
        const Vector& v = *batch.columns[static_cast<std::size_t>(numeric_[d])];
        float x = v.valid()[i] == 0                       ? 0
                  : v.physical() == Physical::kDouble ? static_cast<float>(v.doubles()[i])
                                                      : static_cast<float>(v.ints()[i]);
        point_[point_.size() - n + d] = x;
      }
      ++rows_;
      double score = 0;
      attribution_.clear();
      if (rows_ >= static_cast<int64_t>(shingle_)) {
        score = forest_->Score(point_.data(), explains_ ? &attribution_ : nullptr);
        forest_->Update(point_.data());
      }
      out_.column(0).valid()[i] = 1;
      out_.column(0).doubles()[i] = score;
      if (explains_) out_.column(1).strings()[i] = out_.arena().Copy(Explain());
    }
    out_.set_rows(batch.rows);
    view_ = batch;
    for (const Vector* v : out_.view().columns) view_.columns.push_back(v);
    Emit(view_);
    EmitBound(batch.rowtime[batch.rows - 1]);
  }
  void Advance(int, int64_t bound) override { EmitBound(bound); }
  void Save(std::string& out) const override {
    SaveInt(rows_, out);
    SaveText({reinterpret_cast<const char*>(point_.data()), point_.size() * sizeof(float)}, out);
    forest_->Save(out);
  }
  bool Restore(std::string_view& in) override {
    std::string_view point;
    if (!RestoreInt(in, rows_) || !RestoreText(in, point) ||
        point.size() != point_.size() * sizeof(float)) {
      return false;
    }
    std::memcpy(point_.data(), point.data(), point.size());
    return forest_->Restore(in);
  }
  std::size_t StateBytes() const override { return forest_->held_bytes(); }

 private:
  std::string Explain() const {
    std::string out = "{";
    std::size_t n = numeric_.size();
    for (std::size_t d = 0; d < n; ++d) {
      double high = 0, low = 0;
      for (std::size_t s = 0; s < shingle_ && !attribution_.empty(); ++s) {
        high += attribution_[2 * (s * n + d)];
        low += attribution_[2 * (s * n + d) + 1];
      }
      char text[160];
      double sum = high + low;
      std::snprintf(text, sizeof text,
                    "\":{\"DIRECTION\":\"%s\",\"STRENGTH\":\"%.4f\",\"ATTRIBUTION_SCORE\":\"%.4f\"}",
                    high >= low ? "HIGH" : "LOW", sum == 0 ? 0.0 : std::max(high, low) / sum, sum);
      out += (d == 0 ? "\"" : ",\"");
      for (char c : names_[d]) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
      }
      out += text;
    }
    return out + "}";
  }

  bool explains_;
  std::vector<int> numeric_;
  std::vector<std::string> names_;
  std::size_t shingle_ = 1;
  int64_t rows_ = 0;
  std::unique_ptr<RandomCutForest> forest_;
  std::vector<float> point_;
  std::vector<double> attribution_;
  RowBuffer out_;
  Batch view_;
};

}  // namespace

std::unique_ptr<Operator> MakeTableFunction(const Plan& plan, Runtime&) {
  if (plan.name == "GROUP_RANK") return MakeGroupRank(plan);
  if (plan.name == "HOTSPOTS") return MakeHotspots(plan);
  if (plan.name.rfind("RANDOM_CUT_FOREST", 0) == 0) return std::make_unique<ForestOperator>(plan);
  return std::make_unique<ItemsOperator>(plan);
}

}  // namespace millstream::sql
