#include "sql/application.h"

#include <algorithm>

#include "sql/application_impl.h"

namespace millstream::sql {

base::Status Application::Impl::CheckState() {
  for (std::size_t i = 0; i < operators_.size() && failure_.empty(); ++i) {
    std::size_t bytes = operators_[i]->StateBytes();
    if (bytes <= state_bytes_max_) continue;
    failure_ = "pump " + labels_[i].pump + ": its " + labels_[i].operation + " holds " +
               std::to_string(bytes) + " bytes, the limit is " + std::to_string(state_bytes_max_) +
               " (state_bytes_max); make the window shorter, group by fewer keys, or raise it";
  }
  if (failure_.empty()) return {};
  return base::Fail(base::Code::kResourceExhausted, failure_);
}

void Application::Impl::EmitConstants(int64_t now) {
  for (auto& [op, plan] : constants_) {
    RowBuffer buffer(PhysicalColumns(plan->columns));
    for (const auto& row : plan->rows) {
      for (std::size_t c = 0; c < row.size(); ++c) {
        Vector& v = buffer.column(static_cast<int>(c));
        v.SetValue(buffer.rows(), row[c], buffer.arena());
      }
      buffer.Commit(now);
      if (buffer.full()) {
        op->Push(0, buffer.view());
        buffer.Clear();
      }
    }
    if (buffer.rows() > 0) op->Push(0, buffer.view());
    op->Advance(0, INT64_MAX);
  }
  constants_.clear();
}

Application::Application(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Application::~Application() = default;

base::Result<std::unique_ptr<Application>> Application::Create(std::string_view text,
                                                               const ApplicationConfig& config,
                                                               base::Clock& clock) {
  auto impl = std::make_unique<Impl>(clock);
  try {
    impl->Build(text, config);
    if (impl->parse_error() != nullptr) return base::Fail(*impl->parse_error());
    impl->Connect();
  } catch (const SqlError& error) {
    return base::Fail(error.ToError());
  }
  return std::unique_ptr<Application>(new Application(std::move(impl)));
}

base::Status Application::Check(std::string_view text, const ApplicationConfig& config) {
  base::ManualClock clock;
  TRY(Create(text, config, clock));
  return {};
}

std::vector<std::string> Application::Streams() const { return impl_->order_; }

base::Result<std::vector<PlanColumn>> Application::InputColumns(std::string_view input) const {
  auto it = impl_->catalog_.streams.find(std::string(input));
  if (it == impl_->catalog_.streams.end()) {
    return base::Fail(base::Code::kNotFound, "no in-application stream: " + std::string(input));
  }
  return it->second.columns;
}

base::Result<std::vector<PlanColumn>> Application::Columns(std::string_view stream) const {
  ASSIGN_OR_RETURN(std::vector<PlanColumn> columns, InputColumns(stream));
  columns.resize(columns.size() -
                 impl_->catalog_.streams.find(std::string(stream))->second.pseudo.size());
  return columns;
}

base::Status Application::SetSink(std::string_view stream, Sink sink) {
  auto it = impl_->nodes_.find(stream);
  if (it == impl_->nodes_.end()) {
    return base::Fail(base::Code::kNotFound, "no in-application stream: " + std::string(stream));
  }
  it->second->set_sink(std::move(sink));
  return {};
}

void Application::SetErrorSink(std::function<void(const ErrorRow&)> sink) {
  impl_->error_sink_ = std::move(sink);
}

base::Status Application::Push(std::string_view input, const Batch& rows) {
  auto last = impl_->last_.find(input);
  if (last == impl_->last_.end()) {
    return base::Fail(base::Code::kNotFound, "no input: " + std::string(input));
  }
  if (rows.rows == 0) return {};
  if (!impl_->failure_.empty()) return impl_->CheckState();
  CHECK(rows.rows <= kBatchRows);
  impl_->EmitConstants(rows.rowtime[0]);
  bool ascending = true;
  int64_t t = last->second;
  for (int i = 0; i < rows.rows; ++i) {
    ascending &= rows.rowtime[i] >= t;
    t = std::max(t, rows.rowtime[i]);
  }
  const Batch* batch = &rows;
  Batch raised;
  if (!ascending) {
    impl_->raised_.resize(kBatchRows);
    int64_t at = last->second;
    for (int i = 0; i < rows.rows; ++i) {
      at = std::max(at, rows.rowtime[i]);
      impl_->raised_[static_cast<std::size_t>(i)] = at;
    }
    raised = rows;
    raised.rowtime = impl_->raised_.data();
    batch = &raised;
  }
  last->second = t;
  StreamNode& node = *impl_->nodes_.find(input)->second;
  node.Push(0, *batch);
  node.Advance(0, t);
  return impl_->CheckState();
}

base::Status Application::Advance(std::string_view input, int64_t rowtime) {
  auto last = impl_->last_.find(input);
  if (last == impl_->last_.end()) {
    return base::Fail(base::Code::kNotFound, "no input: " + std::string(input));
  }
  if (!impl_->failure_.empty()) return impl_->CheckState();
  impl_->EmitConstants(rowtime);
  if (rowtime < last->second) return {};
  last->second = rowtime;
  impl_->nodes_.find(input)->second->Advance(0, rowtime);
  return impl_->CheckState();
}

void Application::ReportInputError(std::string_view name, std::string message, int64_t rowtime,
                                   std::string_view row) {
  Evaluation evaluation(impl_->runtime_, "");
  evaluation.Report(rowtime, std::string(name).c_str(), std::move(message), std::string(row));
}

base::Status Application::ReplaceTable(std::string_view table,
                                       std::vector<std::vector<Value>> rows) {
  auto it = impl_->catalog_.tables.find(std::string(table));
  if (it == impl_->catalog_.tables.end()) {
    return base::Fail(base::Code::kNotFound, "no reference table: " + std::string(table));
  }
  for (const auto& row : rows) {
    if (row.size() != it->second.columns.size()) {
      return base::Fail(base::Code::kInvalidArgument,
                        "a row of table " + std::string(table) + " has " +
                            std::to_string(row.size()) + " values, not " +
                            std::to_string(it->second.columns.size()));
    }
  }
  impl_->ReplaceTable(it->first, std::move(rows));
  return {};
}

std::string Application::Save() const {
  std::string out = "MSQL3";
  SaveInt(impl_->constants_.empty() ? 0 : 1, out);
  for (const auto& [name, last] : impl_->last_) SaveInt(last, out);
  for (const auto& op : impl_->operators_) {
    std::string state;
    op->Save(state);
    SaveText(state, out);
  }
  return out;
}

base::Status Application::Restore(std::string_view in) {
  auto bad = [] {
    return base::Fail(base::Code::kDataLoss,
                      "the saved state does not fit this application: was its text changed?");
  };
  if (in.substr(0, 4) == "MSQL" && in.substr(0, 5) != "MSQL3") {
    return base::Fail(base::Code::kDataLoss,
                      "the saved state is of another version of Millstream (" +
                          std::string(in.substr(0, 5)) + ", this one reads MSQL3)");
  }
  if (in.substr(0, 5) != "MSQL3") return bad();
  in.remove_prefix(5);
  int64_t constants = 0;
  if (!RestoreInt(in, constants)) return bad();
  for (auto& [name, last] : impl_->last_) {
    if (!RestoreInt(in, last)) return bad();
  }
  for (auto& op : impl_->operators_) {
    std::string_view state;
    if (!RestoreText(in, state)) return bad();
    if (!op->Restore(state) || !state.empty()) return bad();
  }
  if (constants == 0) impl_->constants_.clear();
  return in.empty() ? base::Status() : bad();
}

std::vector<StateSize> Application::StateSizes() const {
  std::vector<StateSize> sizes;
  for (std::size_t i = 0; i < impl_->operators_.size(); ++i) {
    StateSize size = impl_->labels_[i];
    size.bytes = impl_->operators_[i]->StateBytes();
    if (size.bytes > 0) sizes.push_back(std::move(size));
  }
  return sizes;
}

std::string Application::Explain() const {
  std::string out;
  for (const Impl::Pump& pump : impl_->pumps_) {
    out += "pump " + pump.name + " into " + pump.target + "\n" + ExplainPlan(*pump.plan, 1);
  }
  return out;
}

}  // namespace millstream::sql
