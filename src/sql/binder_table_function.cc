#include "sql/binder_impl.h"

#include <algorithm>

#include "sql/lexer.h"

namespace millstream::sql::internal {

Binder::From Binder::TableFunction(const ast::TableReference& table) {
  const ast::Expression& call = *table.function;
  if (!call.arguments.empty() && call.arguments[0]->kind == EKind::kTable) return Windowing(table);
  auto plan = std::make_unique<Plan>();
  plan->kind = Plan::Kind::kTableFunction;
  plan->at = call.at;
  plan->name = call.text;
  static const std::vector<std::string> kNames = {
      "RANDOM_CUT_FOREST", "RANDOM_CUT_FOREST_WITH_EXPLANATION", "TOP_K_ITEMS_TUMBLING",
      "COUNT_DISTINCT_ITEMS_TUMBLING", "HOTSPOTS", "GROUP_RANK", "TUMBLE", "HOP", "CUMULATE",
      "SESSION"};
  if (std::find(kNames.begin(), kNames.end(), call.text) == kNames.end()) {
    throw SqlError(call.at, "no table function " + call.text + DidYouMean(call.text, kNames));
  }
  if (call.arguments.empty() || call.arguments[0]->kind != EKind::kCursor) {
    throw SqlError(call.at, "the first argument of " + call.text +
                                " is a query: CURSOR(SELECT STREAM * FROM s)");
  }
  std::unique_ptr<Plan> input = Query(*call.arguments[0]->query);
  if (!input->streaming) throw SqlError(call.at, call.text + " needs a stream");
  for (std::size_t i = 1; i < call.arguments.size(); ++i) {
    ExprPtr argument = Expression(*call.arguments[i], nullptr);
    if (!IsConstant(*argument)) {
      throw SqlError(argument->at, "arguments behind the cursor must be constant");
    }
    plan->arguments.push_back(EvaluateConstant(argument));
  }
  std::size_t given = plan->arguments.size();
  auto number = [&](std::size_t i, const char* what, int64_t fallback, int64_t min, int64_t max) {
    if (i >= given) {
      plan->arguments.push_back(Value::Int(MakeType(Kind::kBigint), fallback));
      return;
    }
    Value& v = plan->arguments[i];
    if (v.null || !IsInteger(v.type.kind) || v.i < min || v.i > max) {
      throw SqlError(call.arguments[i + 1]->at, std::string(what) + " of " + call.text +
                                                    " is a whole number from " +
                                                    std::to_string(min) + " to " +
                                                    std::to_string(max));
    }
  };
  auto column = [&](std::size_t i) {
    std::vector<std::string> names;
    if (i < given && IsCharacter(plan->arguments[i].type.kind)) {
      for (std::size_t c = 0; c < input->columns.size(); ++c) {
        const std::string& name = input->columns[c].name;
        names.push_back(name);
        if (name == plan->arguments[i].s || name == UpperCase(plan->arguments[i].s)) {
          return static_cast<int>(c);
        }
      }
      throw SqlError(call.arguments[i + 1]->at, "no column " + plan->arguments[i].s +
                                                    DidYouMean(plan->arguments[i].s, names));
    }
    throw SqlError(call.at, call.text + " needs the name of a column in single quotes");
  };
  if (call.text == "TOP_K_ITEMS_TUMBLING") {
    plan->time_column = column(0);
    if (given < 3) throw SqlError(call.at, "write TOP_K_ITEMS_TUMBLING(CURSOR(...), 'column', k, seconds)");
    number(1, "k", 0, 1, 100000);
    number(2, "the window in seconds", 0, 1, 3600);
    plan->columns = {{"ITEM", Varchar(1024), false, nullptr},
                     {"ITEM_COUNT", MakeType(Kind::kBigint), false, nullptr}};
  } else if (call.text == "COUNT_DISTINCT_ITEMS_TUMBLING") {
    plan->time_column = column(0);
    if (given < 2) {
      throw SqlError(call.at, "write COUNT_DISTINCT_ITEMS_TUMBLING(CURSOR(...), 'column', seconds)");
    }
    number(1, "the window in seconds", 0, 1, 3600);
    plan->columns = {{"NUMBER_OF_DISTINCT_ITEMS", MakeType(Kind::kBigint), false, nullptr}};
  } else if (call.text == "GROUP_RANK") {
    if (given != 6) {
      throw SqlError(call.at, "write GROUP_RANK(CURSOR(...), 'rankBy', 'rankOut', 'asc|desc', "
                              "'asc|desc|none', maxIdle, outputMax)");
    }
    plan->time_column = column(0);
    const Type& by = input->columns[static_cast<std::size_t>(plan->time_column)].type;
    if (!IsInteger(by.kind) && !IsCharacter(by.kind)) {
      throw SqlError(call.arguments[1]->at, "GROUP_RANK ranks by an INTEGER, CHAR or VARCHAR column, "
                                            "not by " + TypeName(by));
    }
    auto word = [&](std::size_t i, const char* what, bool none) {
      Value& v = plan->arguments[i];
      if (!v.null && IsCharacter(v.type.kind)) {
        std::string upper = UpperCase(v.s);
        if (upper == "ASC" || upper == "DESC" || (none && (upper == "NONE" || upper.empty()))) {
          v.s = upper == "ASC" ? "asc" : upper == "DESC" ? "desc" : "";
          return;
        }
      }
      if (none && v.null) return;
      throw SqlError(call.arguments[i + 1]->at, std::string(what) + " of GROUP_RANK is 'asc' or "
                                                                    "'desc'");
    };
    if (plan->arguments[1].null || !IsCharacter(plan->arguments[1].type.kind)) {
      throw SqlError(call.arguments[2]->at, "the name of the rank's column stands in single quotes");
    }
    word(2, "sortOrder", false);
    word(3, "outputOrder", true);
    number(4, "maxIdle", 0, 0, INT32_MAX);
    number(5, "outputMax", 0, 0, INT32_MAX);
    for (const PlanColumn& c : input->columns) plan->columns.push_back({c.name, c.type, false, nullptr});
    plan->columns.push_back({plan->arguments[1].s, MakeType(Kind::kInteger), false, nullptr});
  } else if (call.text == "HOTSPOTS") {
    if (given != 3) {
      throw SqlError(call.at, "write HOTSPOTS(CURSOR(...), windowSize, scanRadius, "
                              "minimumNumberOfPointsInAHotspot)");
    }
    number(0, "windowSize", 0, 100, 1000);
    Value& radius = plan->arguments[1];
    if (IsNumeric(radius.type.kind) && !radius.null) {
      radius = EvaluateConstant(MakeCast(MakeConstant(radius), MakeType(Kind::kDouble), call.at));
    }
    if (radius.null || radius.type.kind != Kind::kDouble || !(radius.d > 0)) {
      throw SqlError(call.arguments[2]->at, "scanRadius of HOTSPOTS is a number greater than 0");
    }
    number(2, "minimumNumberOfPointsInAHotspot", 0, 2, plan->arguments[0].i);
    int numeric = 0;
    for (const PlanColumn& c : input->columns) {
      numeric += IsNumeric(c.type.kind) && c.type.kind != Kind::kDecimal;
      plan->columns.push_back({c.name, c.type, false, nullptr});
    }
    if (numeric == 0) {
      throw SqlError(call.at, "HOTSPOTS needs at least one numeric column (DECIMAL does not count); "
                              "cast to DOUBLE");
    }
    plan->columns.push_back({"HOTSPOTS_RESULT", Varchar(), false, nullptr});
  } else {
    number(0, "numberOfTrees", 100, 1, 1000);
    number(1, "subSampleSize", 256, 10, 1000);
    number(2, "timeDecay", 100000, 1, INT32_MAX);
    number(3, "shingleSize", 1, 1, 30);
    for (const PlanColumn& c : input->columns) {
      plan->columns.push_back({c.name, c.type, false, nullptr});
    }
    int numeric = 0;
    for (const PlanColumn& c : input->columns) {
      numeric += IsNumeric(c.type.kind) && c.type.kind != Kind::kDecimal;
    }
    if (numeric == 0) {
      throw SqlError(call.at, call.text + " needs at least one numeric column (DECIMAL does not "
                                          "count); cast to DOUBLE");
    }
    if (numeric > 30) throw SqlError(call.at, call.text + " takes at most 30 numeric columns");
    plan->columns.push_back({"ANOMALY_SCORE", MakeType(Kind::kDouble), false, nullptr});
    if (call.text == "RANDOM_CUT_FOREST_WITH_EXPLANATION") {
      plan->columns.push_back({"ANOMALY_EXPLANATION", Varchar(20480), false, nullptr});
    }
  }
  plan->inputs.push_back(std::move(input));
  return Wrap(std::move(plan), table, "");
}

}  // namespace millstream::sql::internal
