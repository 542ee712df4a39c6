#include "sql/relation.h"

#include <unordered_set>

#include "sql/aggregate.h"
#include "sql/table_lookup.h"

namespace millstream::sql {

namespace {

class Collect final : public Operator {
 public:
  explicit Collect(std::function<void(std::size_t)> check) : check_(std::move(check)) {}
  void Push(int, const Batch& batch) override {
    for (int i = 0; i < batch.rows; ++i) {
      AppendRow(batch, i, rows.emplace_back());
      bytes_ += rows.back().size() + kEntryBytes;
    }
    check_(bytes_);
  }
  void Advance(int, int64_t) override {}

  RelationReader::Rows rows;

 private:
  std::function<void(std::size_t)> check_;
  std::size_t bytes_ = 0;
};

// Equal rows have equal keys, NULLs being equal.
class RowKeys {
 public:
  explicit RowKeys(const Plan& plan)
      : one_(PhysicalColumns(plan.columns)), columns_(static_cast<int>(plan.columns.size())) {}
  std::string Of(const std::string& row) {
    one_.Clear();
    ReadRow(row, one_, 0, 0, columns_);
    std::string key;
    for (int c = 0; c < columns_; ++c) AppendKey(one_.column(c), 0, key);
    return key;
  }

 private:
  RowBuffer one_;
  int columns_;
};

}  // namespace

RelationReader::Rows RelationReader::Read(const Plan& plan) {
  if (plan.kind == Plan::Kind::kTable) return Pack(plan, tables_.at(plan.name));
  if (plan.kind == Plan::Kind::kValues) return Pack(plan, plan.rows);
  std::vector<Rows> inputs;
  for (const auto& input : plan.inputs) inputs.push_back(Read(*input));
  switch (plan.kind) {
    case Plan::Kind::kProject:
      return Run(plan, *MakeProject(plan, runtime_, pump_), inputs);
    case Plan::Kind::kAggregate:
      if (plan.keys.empty() && inputs[0].empty()) return AggregateOfNothing(plan);
      return Run(plan, *MakeAggregate(plan, runtime_, pump_), inputs);
    case Plan::Kind::kRank:
      return Run(plan, *MakeRank(plan, runtime_, pump_), inputs);
    case Plan::Kind::kSort:
      return Run(plan, *MakeSort(plan, runtime_, pump_), inputs);
    case Plan::Kind::kLimit:
      return Run(plan, *MakeLimit(plan), inputs);
    case Plan::Kind::kDistinct:
      return Run(plan, *MakeDistinct(plan, runtime_), inputs);
    case Plan::Kind::kJoin: {
      Rows none[2];
      return Run(plan, *MakeJoin(plan, runtime_, pump_, none), inputs);
    }
    case Plan::Kind::kUnion: {
      Rows all = std::move(inputs[0]);
      for (std::string& row : inputs[1]) all.push_back(std::move(row));
      return all;
    }
    case Plan::Kind::kExcept:
    case Plan::Kind::kIntersect:
      return ExceptOrIntersect(plan, inputs);
    default:
      throw SqlError(
          plan.at,
          std::string(PlanKindName(plan.kind)) + " over a reference table is not supported",
          base::Code::kNotSupported);
  }
}

RelationReader::Rows RelationReader::Pack(const Plan& plan,
                                          const std::vector<std::vector<Value>>& rows) {
  Rows out;
  RowBuffer buffer(PhysicalColumns(plan.columns));
  for (const auto& row : rows) {
    buffer.Clear();
    for (std::size_t c = 0; c < plan.columns.size(); ++c) {
      buffer.column(static_cast<int>(c)).SetValue(0, row[c], buffer.arena());
    }
    buffer.Commit(0);
    AppendRow(buffer.view(), 0, out.emplace_back());
  }
  return out;
}

RelationReader::Rows RelationReader::Run(const Plan& plan, Operator& op,
                                         const std::vector<Rows>& inputs) {
  Collect collect([&](std::size_t bytes) { CheckSize(plan, bytes); });
  op.SetOutput(&collect, 0);
  const std::unique_ptr<Operator> sieve = MakeSieve(plan, runtime_, pump_);
  if (sieve != nullptr) sieve->SetOutput(&op, 0);
  Operator& head = sieve != nullptr ? *sieve : op;
  for (std::size_t p = 0; p < inputs.size(); ++p) {
    const int port = static_cast<int>(p);
    const int columns = static_cast<int>(plan.inputs[p]->columns.size());
    RowBuffer buffer(PhysicalColumns(plan.inputs[p]->columns));
    for (std::size_t i = 0; i < inputs[p].size(); ++i) {
      ReadRow(inputs[p][i], buffer, buffer.rows(), 0, columns);
      buffer.Commit(0);
      if (!buffer.full() && i + 1 < inputs[p].size()) continue;
      head.Push(port, buffer.view());
      buffer.Clear();
      CheckSize(plan, op.StateBytes());
    }
  }
  for (std::size_t p = 0; p < inputs.size(); ++p) head.Advance(static_cast<int>(p), INT64_MAX);
  return std::move(collect.rows);
}

// Without GROUP BY there is one group, also of no rows.
RelationReader::Rows RelationReader::AggregateOfNothing(const Plan& plan) {
  AggregateSet aggregates(plan.calls);
  std::vector<int64_t> state(aggregates.size() / sizeof(int64_t) + 1, 0);
  RowBuffer out(PhysicalColumns(plan.columns));
  std::string error;
  CHECK(aggregates.Finish(reinterpret_cast<const char*>(state.data()), 0, out, 0, error));
  out.Commit(0);
  Rows rows(1);
  AppendRow(out.view(), 0, rows[0]);
  return rows;
}

RelationReader::Rows RelationReader::ExceptOrIntersect(const Plan& plan,
                                                       const std::vector<Rows>& inputs) {
  RowKeys keys(plan);
  std::unordered_set<std::string> right, given;
  for (const std::string& row : inputs[1]) right.insert(keys.Of(row));
  const bool wanted = plan.kind == Plan::Kind::kIntersect;
  Rows out;
  for (const std::string& row : inputs[0]) {
    std::string key = keys.Of(row);
    if ((right.count(key) != 0) == wanted && given.insert(std::move(key)).second)
      out.push_back(row);
  }
  return out;
}

void RelationReader::CheckSize(const Plan& plan, std::size_t bytes) const {
  if (bytes <= bytes_max_) return;
  throw SqlError(plan.at,
                 "the " + std::string(PlanKindName(plan.kind)) + " over reference tables takes " +
                     std::to_string(bytes) + " bytes, the limit is " + std::to_string(bytes_max_) +
                     " (state_bytes_max)",
                 base::Code::kResourceExhausted);
}

bool ReadsTable(const Plan& plan, const std::string& table) {
  if (plan.kind == Plan::Kind::kTable && plan.name == table) return true;
  bool reads = false;
  auto visit = [&](const ExprPtr& e) {
    if (e == nullptr) return;
    VisitExpr(*e, [&](const Expr& x) {
      if (x.op == Expr::Op::kLookup) reads |= ReadsTable(*x.lookup->plan, table);
    });
  };
  visit(plan.filter);
  for (const ExprPtr& e : plan.expressions) visit(e);
  for (const ExprPtr& e : plan.keys) visit(e);
  for (const AggregateCall& call : plan.calls) visit(call.argument);
  for (const WindowPlan& window : plan.windows) {
    for (const ExprPtr& e : window.partition_by) visit(e);
    for (const ExprPtr& e : window.order_by) visit(e);
  }
  for (const auto& [left, right] : plan.equal) {
    visit(left);
    visit(right);
  }
  for (const auto& input : plan.inputs) reads = reads || ReadsTable(*input, table);
  return reads;
}

}  // namespace millstream::sql
