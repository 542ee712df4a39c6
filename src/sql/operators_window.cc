// Sliding windows: one result per row, over the rows of its partition that have arrived.
#include <algorithm>

#include "sql/window_lead.h"
#include "sql/window_state.h"

namespace millstream::sql {

namespace {

class WindowOperator final : public Operator {
 public:
  WindowOperator(const Plan& plan, Runtime& runtime, const std::string& pump)
      : evaluation_(runtime, pump), kept_(PhysicalColumns(plan.inputs[0]->columns)) {
    std::size_t input = plan.inputs[0]->columns.size();
    std::vector<PlanColumn> results(plan.columns.begin() + static_cast<std::ptrdiff_t>(input),
                                    plan.columns.end());
    out_.Init(PhysicalColumns(results));
    std::size_t leads = 0;
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
      if (plan.windows[w].following >= 0) {
        leads += calls.calls.size();
        if (leads > 60) throw SqlError(plan.at, "at most 60 times LEAD in one SELECT");
        if (lead_ == nullptr) {
          lead_ =
              std::make_unique<LeadWindows>(PhysicalColumns(plan.columns), static_cast<int>(input));
        }
        lead_->Add(plan.windows[w], std::move(calls));
        continue;
      }
      states_.push_back(SuitsRangeWindow(plan.windows[w], calls)
                            ? MakeRangeWindow(plan.windows[w], calls)
                            : MakeRingWindow(plan.windows[w], calls));
    }
  }
  void Push(int, const Batch& batch) override {
    EvalContext& context = evaluation_.Begin(batch);
    out_.Clear();
    for (auto& state : states_) state->Process(context, out_);
    out_.set_rows(batch.rows);
    const Batch* rows = &batch;
    if (!evaluation_.errors().empty()) rows = &WithoutFailed(batch);
    if (lead_ != nullptr) {
      if (rows->rows > 0) lead_->Push(rows == &batch ? context : evaluation_.Begin(*rows), out_);
      return Advance(0, batch.rowtime[batch.rows - 1]);
    }
    if (rows->rows > 0) {
      view_ = *rows;
      for (const Vector* v : out_.view().columns) view_.columns.push_back(v);
      Emit(view_);
    }
    EmitBound(batch.rowtime[batch.rows - 1]);
  }
  void Advance(int, int64_t bound) override {
    if (lead_ != nullptr) {
      lead_->Drain(bound, [this](const Batch& rows) { Emit(rows); });
      bound = lead_->OutBound(bound);
    }
    EmitBound(bound);
  }
  void Save(std::string& out) const override {
    for (const auto& state : states_) state->Save(out);
    if (lead_ != nullptr) lead_->Save(out);
  }
  bool Restore(std::string_view& in) override {
    for (auto& state : states_) {
      if (!state->Restore(in)) return false;
    }
    return lead_ == nullptr || lead_->Restore(in);
  }
  std::size_t StateBytes() const override {
    std::size_t sum = lead_ == nullptr ? 0 : lead_->held_bytes();
    for (const auto& state : states_) sum += state->held_bytes();
    return sum;
  }

 private:
  // Rows whose results do not fit their types are reported and leave out_ and the batch; their
  // values stay in the windows of those behind them.
  const Batch& WithoutFailed(const Batch& batch) {
    evaluation_.Report(batch);
    const std::vector<int> failed = evaluation_.FailedRows();
    kept_.Clear();
    for (std::size_t c = 0; c < batch.columns.size(); ++c) {
      Vector& column = kept_.column(static_cast<int>(c));
      for (int i = 0; i < batch.rows; ++i) column.CopyRow(i, *batch.columns[c], i);
    }
    std::copy_n(batch.rowtime, batch.rows, kept_.rowtime());
    kept_.set_rows(batch.rows);
    kept_.RemoveRows(failed);
    out_.RemoveRows(failed);
    return kept_.view();
  }

  Evaluation evaluation_;
  RowBuffer out_, kept_;
  Batch view_;
  std::vector<std::unique_ptr<WindowState>> states_;
  std::unique_ptr<LeadWindows> lead_;  // null: no row waits
};

}  // namespace

std::unique_ptr<Operator> MakeWindow(const Plan& plan, Runtime& runtime, const std::string& pump) {
  return std::make_unique<WindowOperator>(plan, runtime, pump);
}

}  // namespace millstream::sql
