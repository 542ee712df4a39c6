// Sliding windows: one result per row, over the rows of its partition that have arrived.
#include "sql/window_state.h"

namespace millstream::sql {

namespace {

class WindowOperator final : public Operator {
 public:
  WindowOperator(const Plan& plan, Runtime& runtime, const std::string& pump)
      : evaluation_(runtime, pump) {
    std::size_t input = plan.inputs[0]->columns.size();
    std::vector<PlanColumn> results(plan.columns.begin() + static_cast<std::ptrdiff_t>(input),
                                    plan.columns.end());
    out_.Init(PhysicalColumns(results));
    for (std::size_t w = 0; w < plan.windows.size(); ++w) {
      WindowCalls calls;
      for (std::size_t c = 0; c < plan.calls.size(); ++c) {
        if (plan.calls[c].window != static_cast<int>(w)) continue;
        if (calls.calls.size() == 60) {
          throw SqlError(plan.at, "at most 60 functions over one window");
        }
        calls.calls.push_back(&plan.calls[c]);
        calls.results.push_back(static_cast<int>(c));
      }
      if (calls.calls.empty()) continue;
      states_.push_back(SuitsRangeWindow(plan.windows[w], calls) ? MakeRangeWindow(plan.windows[w], calls)
                                                                 : MakeRingWindow(plan.windows[w], calls));
    }
  }
  void Push(int, const Batch& batch) override {
    EvalContext& context = evaluation_.Begin(batch);
    out_.Clear();
    for (auto& state : states_) state->Process(context, out_);
    if (!evaluation_.errors().empty()) evaluation_.Report(batch);
    view_ = batch;
    out_.set_rows(batch.rows);
    for (const Vector* v : out_.view().columns) view_.columns.push_back(v);
    Emit(view_);
    EmitBound(batch.rowtime[batch.rows - 1]);
  }
  void Advance(int, int64_t bound) override { EmitBound(bound); }
  void Save(std::string& out) const override {
    for (const auto& state : states_) state->Save(out);
  }
  bool Restore(std::string_view& in) override {
    for (auto& state : states_) {
      if (!state->Restore(in)) return false;
    }
    return true;
  }
  std::size_t StateBytes() const override {
    std::size_t sum = 0;
    for (const auto& state : states_) sum += state->held_bytes();
    return sum;
  }

 private:
  Evaluation evaluation_;
  RowBuffer out_;
  Batch view_;
  std::vector<std::unique_ptr<WindowState>> states_;
};

}  // namespace

std::unique_ptr<Operator> MakeWindow(const Plan& plan, Runtime& runtime, const std::string& pump) {
  return std::make_unique<WindowOperator>(plan, runtime, pump);
}

}  // namespace millstream::sql
