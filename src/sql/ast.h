#pragma once

// What the parser makes of a text: the statements as written, names not resolved, types of
// expressions unknown. The binder reads it; nothing changes it.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sql/error.h"
#include "sql/type.h"

namespace millstream::sql::ast {

struct Expression;
struct Query;
struct TableReference;
using ExpressionPtr = std::unique_ptr<Expression>;
using QueryPtr = std::unique_ptr<Query>;

struct Name {
  std::string text;  // in upper case unless quoted
  bool quoted = false;
  Position at;
};

struct OrderItem {
  ExpressionPtr expression;
  bool descending = false;
  std::optional<bool> nulls_first;
};

struct FrameBound {
  enum class Kind { kUnbounded, kCurrentRow, kOffset };
  Kind kind = Kind::kCurrentRow;
  ExpressionPtr offset;  // an interval or a number of rows
  bool following = false;
};

struct WindowSpecification {
  Position at;
  std::optional<Name> reference;  // OVER name, or a window that builds on another
  std::vector<ExpressionPtr> partition_by;
  std::vector<OrderItem> order_by;
  enum class Frame { kNone, kRange, kRows };
  Frame frame = Frame::kNone;
  FrameBound lower;
  FrameBound upper;
};

struct Expression {
  enum class Kind {
    kLiteral,   // value
    kName,      // path
    kStar,      // path.* or *
    kCall,      // text(arguments), with distinct, star, over, unit, ...
    kUnary,     // text is - + NOT
    kBinary,    // text is + - * / % || = <> < <= > >= AND OR
    kIs,        // text is NULL TRUE FALSE UNKNOWN DISTINCT
    kLike,      // text is LIKE SIMILAR; arguments: value, pattern [, escape]
    kBetween,   // value, low, high
    kIn,        // value and list, or value and query
    kExists,    // query
    kCase,      // [operand] {when, then} [else]
    kCast,      // arguments[0] to type
    kRow,       // (a, b), PERIOD(a, b)
    kSubquery,  // a scalar query
    kPeriod,    // text is OVERLAPS, "STRICTLY CONTAINS", ...; two arguments
    kCursor,    // CURSOR(query)
    kInterval,  // (a - b) qualifier: arguments[0], type
    kTable,     // TABLE s PARTITION BY k: query; arguments are the keys
    kDescriptor,  // DESCRIPTOR(ts): path
  };
  Kind kind = Kind::kLiteral;
  Position at;
  std::string text;
  Value value;
  std::vector<Name> path;
  std::vector<ExpressionPtr> arguments;
  QueryPtr query;
  Type type;
  bool negated = false;
  bool distinct = false;      // COUNT(DISTINCT x)
  bool star = false;          // COUNT(*)
  bool has_operand = false;   // CASE x WHEN ...
  bool has_else = false;
  bool ignore_nulls = false;
  bool from_last = false;
  bool symmetric = false;
  std::optional<TimeUnit> unit;  // FLOOR(x TO unit), EXTRACT(unit FROM x)
  std::unique_ptr<WindowSpecification> over;
  std::vector<OrderItem> within_group;
  ExpressionPtr filter;  // FILTER (WHERE ...)
};

struct SelectItem {
  ExpressionPtr expression;
  std::optional<Name> alias;
};

enum class JoinKind { kInner, kLeft, kRight, kFull, kCross, kComma };

struct TableReference {
  enum class Kind { kNamed, kQuery, kFunction, kJoin };
  Kind kind = Kind::kNamed;
  Position at;
  std::vector<Name> path;  // schema-qualified names are read; the last part counts
  QueryPtr query;
  ExpressionPtr function;
  std::optional<Name> alias;
  std::vector<Name> columns;
  std::unique_ptr<WindowSpecification> over;
  JoinKind join = JoinKind::kInner;
  bool natural = false;
  std::unique_ptr<TableReference> left;
  std::unique_ptr<TableReference> right;
  ExpressionPtr on;
  std::vector<Name> using_columns;
};

struct NamedWindow {
  Name name;
  std::unique_ptr<WindowSpecification> window;
};

struct CommonTable {
  Name name;
  std::vector<Name> columns;
  std::shared_ptr<Query> query;
};

struct Stagger {
  Position at;
  std::vector<ExpressionPtr> partition_by;
  ExpressionPtr range;
};

struct Query {
  enum class Kind { kSelect, kSetOperation, kValues };
  Kind kind = Kind::kSelect;
  Position at;
  std::vector<CommonTable> with;

  bool stream = false;
  bool distinct = false;
  std::vector<SelectItem> items;
  std::unique_ptr<TableReference> from;
  ExpressionPtr where;
  std::vector<ExpressionPtr> group_by;
  bool has_group_by = false;
  std::unique_ptr<Stagger> stagger;
  ExpressionPtr having;
  std::vector<NamedWindow> windows;
  ExpressionPtr qualify;

  std::string operation;  // UNION, EXCEPT, INTERSECT
  bool all = false;
  QueryPtr left;
  QueryPtr right;

  std::vector<std::vector<ExpressionPtr>> rows;  // VALUES

  std::vector<OrderItem> order_by;
  ExpressionPtr within;  // ORDER BY ts WITHIN INTERVAL ...
  ExpressionPtr limit;
};

struct ColumnDefinition {
  Name name;
  Type type;
  bool not_null = false;
};

struct Watermark {
  Name column;
  ExpressionPtr delay;  // null: no delay
};

struct Insert {
  std::vector<Name> target;
  std::vector<Name> columns;
  QueryPtr query;
};

struct Parameter {
  Name name;
  Type type;
};

struct Statement {
  enum class Kind { kCreateStream, kCreatePump, kCreateFunction, kCreateView, kAlterPump, kDrop };
  Kind kind = Kind::kCreateStream;
  Position at;
  bool or_replace = false;
  Name name;
  std::string description;

  std::vector<ColumnDefinition> columns;                        // CREATE STREAM
  std::vector<std::pair<std::string, std::string>> options;     // CREATE STREAM
  std::optional<Watermark> watermark;                           // CREATE STREAM
  std::vector<Name> view_columns;                               // CREATE VIEW
  bool stopped = false;                                         // CREATE PUMP, ALTER PUMP
  Insert insert;                                                // CREATE PUMP
  QueryPtr query;                                               // CREATE VIEW
  std::vector<Parameter> parameters;                            // CREATE FUNCTION
  Type returns;
  bool null_on_null_input = false;
  ExpressionPtr body;
  std::string dropped;  // STREAM, PUMP, VIEW, FUNCTION
  bool if_exists = false;
};

}  // namespace millstream::sql::ast
