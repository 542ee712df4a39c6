#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "sql/ast.h"
#include "sql/expression.h"

// The logical plan: what the binder makes of a query, what operators are built from. Immutable.
namespace millstream::sql {

struct PlanColumn {
  std::string name;
  Type type;
  bool not_null = false;
  ExprPtr rowtime_function;  // when the column is a function of the row's ROWTIME alone
};

struct AggregateCall {
  enum class Kind {
    kCountRows, kCount, kSum, kAvg, kMin, kMax, kStddevPop, kStddevSamp, kVarPop, kVarSamp,
    kFirst, kLast, kAny, kEvery, kCountDistinct, kListagg, kPercentileCont, kPercentileDisc,
    kApproxCount, kApproxPercentile,
    // over windows only
    kLag, kLead, kNth, kExpAvg, kRowNumber, kRank, kDenseRank,
  };
  Kind kind = Kind::kCountRows;
  std::string name;
  ExprPtr argument;  // null for COUNT(*)
  Type type;
  bool distinct = false;
  bool ignore_nulls = false;
  bool from_last = false;
  int64_t offset = 1;       // of LAG, LEAD, NTH_VALUE; half-life of EXP_AVG in ms
  double fraction = 0;      // of percentiles
  bool descending = false;  // of percentiles
  std::string separator;    // of LISTAGG
  ExprPtr fallback;         // of LAG, LEAD
  int window = 0;           // index of its WindowPlan
};

struct WindowPlan {
  std::vector<ExprPtr> partition_by;
  std::vector<ExprPtr> order_by;  // of ranking windows
  std::vector<bool> descending;
  bool rows = false;
  bool unbounded = false;
  int64_t preceding = 0;  // milliseconds or rows before the current one
  int64_t following = -1;  // of LEAD: how many milliseconds behind the current one; it has no other bound
};

struct JoinSide {
  enum class Window { kLatest, kLatestTime, kRange, kRows, kTable } window = Window::kLatest;
  int64_t size = 0;
};

struct OrderKey {
  int column = 0;
  bool descending = false;
  bool nulls_first = true;
};

// TUMBLE, HOP, CUMULATE and SESSION over event time: a window [start, end) has `size`, windows start
// every `slide`. CUMULATE: a window grows by `slide` up to `size`. SESSION: `size` is the gap. A
// TUMBLE is planned as a projection, its bounds being functions of ROWTIME.
struct WindowingPlan {
  enum class Kind { kTumble, kHop, kCumulate, kSession } kind = Kind::kTumble;
  int64_t size = 0;
  int64_t slide = 0;
  int64_t offset = 0;
  std::vector<ExprPtr> partition_by;  // SESSION
};
enum class WindowPart { kNone, kStart, kEnd, kTime };

struct Plan {
  enum class Kind {
    kStream,
    kTable,
    kValues,
    kProject,
    kAggregate,
    kStagger,
    kWindow,
    kRank,
    kJoin,
    kSort,
    kTSort,
    kUnion,
    kDistinct,
    kTableFunction,
    kLimit,
    kWindowing,
    kWindowAggregate,
    kExcept,
    kIntersect,  // of relations only
  };
  Kind kind = Kind::kProject;
  Position at;
  std::vector<PlanColumn> columns;
  std::vector<std::unique_ptr<Plan>> inputs;
  bool streaming = true;  // else a relation: computed whole (relation.h), without ROWTIME

  std::string name;                     // stream, table or table function
  std::vector<std::vector<Value>> rows; // kValues, kTable
  ExprPtr filter;                       // kProject; kJoin: the condition over both sides
  std::vector<ExprPtr> expressions;     // kProject
  ExprPtr rowtime;                      // kProject: AS ROWTIME
  std::vector<ExprPtr> keys;            // kAggregate, kStagger, kDistinct
  std::vector<int> time_keys;           // those that close the window
  std::vector<AggregateCall> calls;     // kAggregate, kStagger, kWindow
  std::vector<WindowPlan> windows;      // kWindow
  int64_t stagger_ms = 0;
  WindowingPlan windowing;              // kWindowing, kWindowAggregate
  std::vector<WindowPart> window_parts; // kWindowAggregate: what each key is
  ast::JoinKind join = ast::JoinKind::kInner;
  JoinSide sides[2];
  std::vector<std::pair<ExprPtr, ExprPtr>> equal;  // left = right, over each side's columns
  std::vector<OrderKey> order;          // kSort
  ExprPtr order_function;               // kSort: the leading item as a function of ROWTIME
  int visible = 0;                      // kSort: columns to keep
  int64_t within_ms = 0;                // kTSort
  int time_column = 0;                  // kTSort
  std::vector<Value> arguments;         // kTableFunction
  int64_t limit = 0;
};

struct StreamInfo {
  std::string name;
  std::vector<PlanColumn> columns;
  std::vector<std::string> pseudo;  // names of pseudo columns behind the columns of an input
  bool input = false;
  int watermark_column = -1;
  int64_t watermark_delay_ms = 0;
};

struct TableInfo {
  std::string name;
  std::vector<PlanColumn> columns;
};

std::string_view PlanKindName(Plan::Kind kind);
std::string ExplainPlan(const Plan& plan, int indent = 0);

}  // namespace millstream::sql
