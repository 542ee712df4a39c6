#include "sql/plan.h"

namespace millstream::sql {

std::string_view PlanKindName(Plan::Kind kind) {
  static constexpr std::string_view kNames[] = {
      "stream",         "table",          "values", "project",   "aggregate",        "stagger",
      "sliding window", "rank",           "join",   "sort",      "sort within",      "union all",
      "distinct",       "table function", "limit",  "windowing", "window aggregate", "except",
      "intersect"};
  return kNames[static_cast<int>(kind)];
}

std::string ExplainPlan(const Plan& plan, int indent) {
  std::string out(static_cast<std::size_t>(indent) * 2, ' ');
  out += PlanKindName(plan.kind);
  std::vector<std::string> names;
  if (!plan.inputs.empty()) {
    for (const auto& input : plan.inputs) {
      for (const PlanColumn& c : input->columns) names.push_back(c.name);
    }
  }
  auto list = [&](const std::vector<ExprPtr>& expressions) {
    std::string text;
    for (const ExprPtr& e : expressions) text += (text.empty() ? "" : ", ") + ExprText(*e, &names);
    return text;
  };
  if (!plan.name.empty()) out += " " + plan.name;
  if (!plan.keys.empty()) out += " by [" + list(plan.keys) + "]";
  for (int k : plan.time_keys) {
    out += " closing on " + ExprText(*plan.keys[static_cast<std::size_t>(k)], &names);
  }
  for (const AggregateCall& call : plan.calls) {
    out += " " + call.name + "(" + (call.argument ? ExprText(*call.argument, &names) : "*") + ")";
  }
  if (plan.filter) out += " where " + ExprText(*plan.filter, &names);
  if (plan.kind == Plan::Kind::kProject) out += " [" + list(plan.expressions) + "]";
  if (plan.rowtime) out += " rowtime " + ExprText(*plan.rowtime, &names);
  for (const auto& [a, b] : plan.equal) {
    out += " on key " + ExprText(*a, &names);
    (void)b;
  }
  if (plan.order_function) out += " by " + ExprText(*plan.order_function, &names);
  if (plan.stagger_ms > 0) out += " for " + std::to_string(plan.stagger_ms) + " ms";
  out += "\n";
  for (const auto& input : plan.inputs) out += ExplainPlan(*input, indent + 1);
  return out;
}

}  // namespace millstream::sql
