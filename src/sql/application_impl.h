#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sql/application.h"
#include "sql/ast.h"
#include "sql/binder.h"
#include "sql/operator.h"
#include "sql/plan.h"
#include "sql/relation.h"

namespace millstream::sql {

// An in-application stream: what is written into it goes to all that read it and to the sink.
class StreamNode final : public Operator {
 public:
  void Subscribe(Operator* to, int port) { readers_.push_back({to, port}); }
  void set_sink(Sink sink) { sink_ = std::move(sink); }
  void Push(int, const Batch& batch) override {
    if (sink_) sink_(batch);
    for (auto& [to, port] : readers_) to->Push(port, batch);
  }
  void Advance(int, int64_t bound) override {
    if (bound <= bound_) return;
    bound_ = bound;
    for (auto& [to, port] : readers_) to->Advance(port, bound);
  }

 private:
  std::vector<std::pair<Operator*, int>> readers_;
  Sink sink_;
  int64_t bound_ = INT64_MIN;
};

// What an Application is made of. application_build.cc makes it from the text: statements, then the
// operators of all pumps; application.cc runs it.
class Application::Impl {
 public:
  explicit Impl(base::Clock& clock) {
    runtime_.clock = &clock;
    runtime_.query_start_ms = clock.WallMs();
    runtime_.on_error = [this](ErrorRow row) { ReportError(std::move(row)); };
  }

  void Build(std::string_view text, const ApplicationConfig& config);
  const base::Error* parse_error() const { return parse_error_.get(); }

  struct Pump {
    std::string name;
    std::string target;
    std::unique_ptr<Plan> plan;
    bool stopped = false;
    Position at;
  };

  // Builds operators of all pumps; after all statements, so that merges know their writers.
  void Connect();
  Operator* AddWatermark(const StreamInfo& stream, StreamNode& node);
  Operator* Keep(std::unique_ptr<Operator> op, const std::string& pump, std::string_view what);

  // Once per batch: no operator holds more than it may.
  base::Status CheckState();

  // The operator of a plan node with all below it, reading from streams.
  Operator* Make(const Plan& plan, const std::string& pump);

  // New rows of a reference table: for the joins and the expressions that read it. Throws SqlError
  // and keeps the old rows when they cannot be computed.
  void ReplaceTable(const std::string& name, std::vector<std::vector<Value>> rows);
  void FillFrom(const std::string& table);
  RelationReader::Rows RelationRows(const Plan& plan, const std::string& pump);
  void CheckCycles();

  // Before the first row or bound: the rows of relations that are inserted into streams, at its
  // time, and what failed in the queries over tables.
  void Begin(int64_t now);
  void ReportError(ErrorRow row);

  void AddInput(const InputConfig& input);
  void AddTable(const TableConfig& table);
  void Run(ast::Statement& s);
  void CreateStream(const ast::Statement& s);
  void Drop(const ast::Statement& s);

  Runtime runtime_;
  Catalog catalog_;
  std::vector<ast::Statement> statements_;
  std::vector<std::string> order_;
  std::map<std::string, std::unique_ptr<StreamNode>, std::less<>> nodes_;
  std::map<std::string, int64_t, std::less<>> last_;
  TableMap tables_;
  struct RelationInput {
    Operator* to;
    int port;
    const Plan* plan;
    std::string pump;
  };
  std::vector<RelationInput> table_sides_;  // of joins
  std::vector<RelationInput> relations_;    // that pumps insert
  std::vector<Pump> pumps_;
  std::vector<std::unique_ptr<Plan>> plans_;
  std::vector<std::unique_ptr<Operator>> operators_;
  std::vector<StateSize> labels_;  // of operators_; their bytes are not kept up
  std::size_t state_bytes_max_ = 0;
  std::string failure_;  // why the application stopped
  std::function<void(const ErrorRow&)> error_sink_;
  bool begun_ = false;
  std::vector<ErrorRow> early_errors_;  // of tables, before it has begun
  std::unique_ptr<base::Error> parse_error_;
  std::vector<int64_t> raised_;
};

}  // namespace millstream::sql
