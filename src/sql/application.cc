#include "sql/application.h"

#include <algorithm>
#include <utility>

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

void Application::Impl::ReportError(ErrorRow row) {
  static constexpr std::size_t kEarlyErrorsMax = 1000;
  if (begun_) {
    if (error_sink_) error_sink_(row);
    return;
  }
  if (early_errors_.size() == kEarlyErrorsMax) {
    row.message = "more rows of reference tables fail; the first " +
                  std::to_string(kEarlyErrorsMax) + " are above";
    row.data_row.clear();
  } else if (early_errors_.size() > kEarlyErrorsMax) {
    return;
  }
  early_errors_.push_back(std::move(row));
}

void Application::Impl::Begin(int64_t now) {
  if (begun_) return;
  begun_ = true;
  for (const ErrorRow& row : std::exchange(early_errors_, {})) ReportError(row);
  for (const RelationInput& relation : relations_) {
    const int columns = static_cast<int>(relation.plan->columns.size());
    RowBuffer buffer(PhysicalColumns(relation.plan->columns));
    RelationReader::Rows rows;
    try {
      rows = RelationRows(*relation.plan, relation.pump);
    } catch (const SqlError& error) {
      failure_ = "pump " + relation.pump + ": " + error.ToError().message();
      return;
    }
    for (const std::string& row : rows) {
      ReadRow(row, buffer, buffer.rows(), 0, columns);
      buffer.Commit(now);
      if (!buffer.full()) continue;
      relation.to->Push(relation.port, buffer.view());
      buffer.Clear();
    }
    if (buffer.rows() > 0) relation.to->Push(relation.port, buffer.view());
    relation.to->Advance(relation.port, INT64_MAX);
  }
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
  CHECK(rows.rows <= kBatchRows);
  impl_->Begin(rows.rowtime[0]);
  if (!impl_->failure_.empty()) return impl_->CheckState();
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
  impl_->Begin(rowtime == INT64_MAX ? impl_->runtime_.query_start_ms : rowtime);
  if (!impl_->failure_.empty()) return impl_->CheckState();
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
  try {
    impl_->ReplaceTable(it->first, std::move(rows));
  } catch (const SqlError& error) {
    return base::Fail(error.ToError());
  }
  return {};
}

std::string Application::Save() const {
  std::string out = "MSQL3";
  SaveInt(impl_->begun_ ? 0 : 1, out);
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
  int64_t fresh = 0;
  if (!RestoreInt(in, fresh)) return bad();
  for (auto& [name, last] : impl_->last_) {
    if (!RestoreInt(in, last)) return bad();
  }
  for (auto& op : impl_->operators_) {
    std::string_view state;
    if (!RestoreText(in, state)) return bad();
    if (!op->Restore(state) || !state.empty()) return bad();
  }
  if (fresh == 0) {
    impl_->begun_ = true;
    impl_->early_errors_.clear();
  }
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
