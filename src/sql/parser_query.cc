#include "sql/parser_impl.h"

namespace millstream::sql::internal {

bool Parser::AtQuery(std::size_t ahead) const {
  while (IsOperator("(", ahead)) ++ahead;
  return IsWord("SELECT", ahead) || IsWord("VALUES", ahead) || IsWord("WITH", ahead);
}

ast::QueryPtr Parser::Query() {
  Depth depth(*this);
  std::vector<ast::CommonTable> with;
  if (TakeWord("WITH")) {
    if (IsWord("RECURSIVE")) {
      Fail(Peek().at, "WITH RECURSIVE is not supported; a stream query cannot refer to itself");
    }
    do {
      ast::CommonTable table;
      table.name = Identifier("a name for the query");
      if (IsOperator("(")) table.columns = NameList("a column name");
      ExpectWord("AS");
      ExpectOperator("(");
      table.query = Query();
      ExpectOperator(")");
      with.push_back(std::move(table));
    } while (TakeOperator(","));
  }
  ast::QueryPtr query = QueryTerm();
  while (IsWord("UNION") || IsWord("EXCEPT")) {
    auto set = std::make_unique<ast::Query>();
    set->kind = ast::Query::Kind::kSetOperation;
    set->at = Peek().at;
    set->operation = Take().text;
    if (TakeWord("ALL")) {
      set->all = true;
    } else {
      TakeWord("DISTINCT");
    }
    set->left = std::move(query);
    set->right = QueryTerm();
    query = std::move(set);
  }
  if (IsWord("ORDER")) {
    if (!query->order_by.empty()) {  // a parenthesised query that has its own ORDER BY
      Fail(Peek().at, "the query in parentheses is already ordered");
    }
    Take();
    ExpectWord("BY");
    query->order_by = OrderItems();
    if (TakeWord("WITHIN")) query->within = Additive();
  }
  if (TakeWord("LIMIT")) query->limit = Primary();
  if (IsWord("FETCH") || IsWord("OFFSET")) {
    Fail(Peek().at, Peek().text + " is not supported; write LIMIT n");
  }
  query->with = std::move(with);
  return query;
}

ast::QueryPtr Parser::QueryTerm() {
  ast::QueryPtr query = QueryPrimary();
  while (IsWord("INTERSECT")) {
    auto set = std::make_unique<ast::Query>();
    set->kind = ast::Query::Kind::kSetOperation;
    set->at = Peek().at;
    set->operation = Take().text;
    if (TakeWord("ALL")) set->all = true;
    set->left = std::move(query);
    set->right = QueryPrimary();
    query = std::move(set);
  }
  return query;
}

ast::QueryPtr Parser::QueryPrimary() {
  if (TakeOperator("(")) {
    ast::QueryPtr query = Query();
    ExpectOperator(")");
    return query;
  }
  if (IsWord("VALUES")) return Values();
  if (IsWord("SELECT")) return Select();
  std::string hint = ClosestWord(Peek().text, {"SELECT", "VALUES"});
  FailExpected("SELECT", hint.empty() ? std::string("write SELECT STREAM columns FROM stream")
                                      : "did you mean " + hint + "?");
}

ast::QueryPtr Parser::Values() {
  auto query = std::make_unique<ast::Query>();
  query->kind = ast::Query::Kind::kValues;
  query->at = Take().at;
  do {
    std::vector<ast::ExpressionPtr> row;
    if (TakeWord("ROW") || IsOperator("(")) {
      ExpectOperator("(");
      row = ExpressionList();
      ExpectOperator(")");
    } else {
      row.push_back(Expression());
    }
    query->rows.push_back(std::move(row));
  } while (TakeOperator(","));
  return query;
}

ast::QueryPtr Parser::Select() {
  auto query = std::make_unique<ast::Query>();
  query->at = Take().at;
  query->stream = TakeWord("STREAM");
  if (TakeWord("DISTINCT")) {
    query->distinct = true;
  } else {
    TakeWord("ALL");
  }
  do {
    query->items.push_back(Item());
  } while (TakeOperator(","));
  if (TakeWord("FROM")) {
    query->from = From();
  } else if (!IsOperator(")") && !IsOperator(";") && Peek().kind != Token::Kind::kEnd &&
             !IsWord("UNION") && !IsWord("EXCEPT") && !IsWord("INTERSECT")) {
    std::string hint = ClosestWord(Peek().text, {"FROM"});
    FailExpected("',' or FROM", hint.empty() ? std::string() : "did you mean FROM?");
  }
  if (TakeWord("WHERE")) query->where = Expression();
  if (IsWord("GROUP")) {
    Take();
    ExpectWord("BY");
    query->has_group_by = true;
    if (IsOperator("(") && IsOperator(")", 1)) {
      Take();
      Take();
    } else {
      query->group_by = ExpressionList();
    }
    if (IsWord("WINDOWED")) {
      Fail(Peek().at, "WINDOWED BY stands instead of GROUP BY; move the keys into PARTITION BY");
    }
  } else if (IsWord("WINDOWED")) {
    query->stagger = StaggerClause();
  }
  if (IsWord("WHERE")) Fail(Peek().at, "WHERE must stand before GROUP BY");
  if (TakeWord("HAVING")) query->having = Expression();
  if (TakeWord("WINDOW")) {
    do {
      ast::NamedWindow window;
      window.name = Identifier("a name for the window");
      ExpectWord("AS");
      window.window = Window();
      query->windows.push_back(std::move(window));
    } while (TakeOperator(","));
  }
  if (TakeWord("QUALIFY")) query->qualify = Expression();
  if (IsWord("WINDOWED")) Fail(Peek().at, "WINDOWED BY must stand before HAVING and WINDOW");
  return query;
}

ast::SelectItem Parser::Item() {
  ast::SelectItem item;
  Position at = Peek().at;
  if (TakeOperator("*")) {
    item.expression = Make(ast::Expression::Kind::kStar, at);
    return item;
  }
  if (IsWord("FROM")) FailExpected("an expression", "there is a comma too many before FROM");
  item.expression = Expression();
  if (TakeWord("AS")) {
    // ROWTIME is reserved, but it is how a query sets the time of its rows.
    if (IsWord("ROWTIME")) {
      item.alias = ast::Name{"ROWTIME", false, Take().at};
    } else {
      item.alias = Identifier("a name for the column");
    }
  } else if (Peek().kind == Token::Kind::kQuoted ||
             (Peek().kind == Token::Kind::kWord && !IsReserved(Peek().text) &&
              !IsWord("WINDOWED") && !IsWord("QUALIFY"))) {
    item.alias = Identifier("a name for the column");
  }
  return item;
}

std::vector<ast::ExpressionPtr> Parser::ExpressionList() {
  std::vector<ast::ExpressionPtr> list;
  do {
    list.push_back(Expression());
  } while (TakeOperator(","));
  return list;
}

std::unique_ptr<ast::TableReference> Parser::From() {
  std::unique_ptr<ast::TableReference> left = JoinChain();
  while (IsOperator(",")) {
    Position at = Take().at;
    auto join = std::make_unique<ast::TableReference>();
    join->kind = ast::TableReference::Kind::kJoin;
    join->at = at;
    join->join = ast::JoinKind::kComma;
    join->left = std::move(left);
    join->right = JoinChain();
    left = std::move(join);
  }
  return left;
}

std::unique_ptr<ast::TableReference> Parser::JoinChain() {
  Depth depth(*this);
  std::unique_ptr<ast::TableReference> left = Table();
  int joins = 0;
  while (true) {
    Position at = Peek().at;
    bool natural = TakeWord("NATURAL");
    ast::JoinKind kind = ast::JoinKind::kInner;
    if (TakeWord("JOIN")) {
    } else if (TakeWord("INNER")) {
      ExpectWord("JOIN");
    } else if (TakeWord("CROSS")) {
      ExpectWord("JOIN");
      kind = ast::JoinKind::kCross;
    } else if (IsWord("LEFT") || IsWord("RIGHT") || IsWord("FULL")) {
      std::string side = Take().text;
      kind = side == "LEFT"    ? ast::JoinKind::kLeft
             : side == "RIGHT" ? ast::JoinKind::kRight
                               : ast::JoinKind::kFull;
      TakeWord("OUTER");
      ExpectWord("JOIN");
    } else if (natural) {
      FailExpected("JOIN");
    } else {
      return left;
    }
    if (++joins > 64) Fail(at, "a query joins at most 64 inputs");
    auto join = std::make_unique<ast::TableReference>();
    join->kind = ast::TableReference::Kind::kJoin;
    join->at = at;
    join->join = kind;
    join->natural = natural;
    join->left = std::move(left);
    join->right = Table();
    if (kind != ast::JoinKind::kCross && !natural) {
      if (TakeWord("ON")) {
        join->on = Expression();
      } else if (TakeWord("USING")) {
        join->using_columns = NameList("a column name");
      } else {
        FailExpected("ON or USING", "write JOIN t ON a.k = t.k, or CROSS JOIN without a condition");
      }
    }
    left = std::move(join);
  }
}

std::unique_ptr<ast::TableReference> Parser::Table() {
  Depth depth(*this);
  auto table = std::make_unique<ast::TableReference>();
  table->at = Peek().at;
  if (IsOperator("(")) {
    if (AtQuery(1)) {
      Take();
      table->kind = ast::TableReference::Kind::kQuery;
      table->query = Query();
      ExpectOperator(")");
    } else {
      Take();
      table = From();
      ExpectOperator(")");
      if (table->kind == ast::TableReference::Kind::kJoin) return table;
    }
  } else if (IsWord("TABLE") && IsOperator("(", 1)) {
    Take();
    Take();
    table->kind = ast::TableReference::Kind::kFunction;
    ast::Name name;
    name.at = Peek().at;
    if (Peek().kind != Token::Kind::kWord && Peek().kind != Token::Kind::kQuoted) {
      FailExpected("a table function", "e.g. TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM ...)))");
    }
    name.text = Take().text;
    if (!IsOperator("(")) FailExpected("'('");
    table->function = Call(std::move(name));
    ExpectOperator(")");
  } else if (IsOperator("(", 1) && (IsWord("TUMBLE") || IsWord("HOP") || IsWord("CUMULATE") ||
                                    IsWord("SESSION"))) {
    table->kind = ast::TableReference::Kind::kFunction;
    ast::Name name{Peek().text, false, Peek().at};
    Take();
    table->function = Call(std::move(name));
  } else if (IsWord("STREAM")) {
    Take();
    ExpectOperator("(");
    table->kind = ast::TableReference::Kind::kQuery;
    table->query = Query();
    ExpectOperator(")");
  } else if (IsWord("LATERAL") || IsWord("UNNEST")) {
    Fail(table->at, Peek().text + " is not supported; explode arrays in the input's mapping");
  } else {
    table->path = Path("the name of a stream or table");
  }
  TableSuffix(*table);
  return table;
}

// TABLE s [PARTITION BY k, ...], TABLE (query), CURSOR(query).
ast::ExpressionPtr Parser::WindowingInput() {
  ast::ExpressionPtr input = Make(ast::Expression::Kind::kTable, Peek().at);
  if (TakeWord("CURSOR")) {
    ExpectOperator("(");
    input->query = Query();
    ExpectOperator(")");
  } else {
    ExpectWord("TABLE",
               "the rows come first: FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' "
               "MINUTE)). In GROUP BY write STEP(t BY INTERVAL '1' MINUTE)");
    if (TakeOperator("(")) {
      input->query = Query();
      ExpectOperator(")");
    } else {  // SELECT * FROM s
      input->query = std::make_unique<ast::Query>();
      input->query->at = Peek().at;
      input->query->items.emplace_back();
      input->query->items[0].expression = Make(ast::Expression::Kind::kStar, Peek().at);
      input->query->from = std::make_unique<ast::TableReference>();
      input->query->from->at = Peek().at;
      input->query->from->path = Path("the name of a stream");
    }
  }
  if (TakeWord("PARTITION")) {
    ExpectWord("BY");
    do {
      input->arguments.push_back(Additive());
    } while (TakeOperator(",") && !IsWord("DESCRIPTOR") && !IsOperator("=>", 1));
  } else {
    TakeOperator(",");
  }
  return input;
}

// The rows, the time, the sizes, by place or by name: DATA => TABLE s, TIMECOL => DESCRIPTOR(ts),
// SIZE => INTERVAL '1' HOUR. `text` of a size becomes its name.
bool Parser::WindowingArguments(ast::Expression& call) {
  const std::string& name = call.text;
  std::vector<std::string> sizes;
  if (name == "TUMBLE") sizes = {"SIZE", "OFFSET"};
  if (name == "HOP") sizes = {"SLIDE", "SIZE", "OFFSET"};
  if (name == "CUMULATE") sizes = {"STEP", "SIZE", "OFFSET"};
  if (name == "SESSION") sizes = {"GAP"};
  if (sizes.empty()) return false;
  auto named = [&](std::string_view word) {
    if (!IsWord(word) || !IsOperator("=>", 1)) return false;
    Take();
    Take();
    return true;
  };
  named("DATA");
  call.arguments.push_back(WindowingInput());
  named("TIMECOL");
  ast::ExpressionPtr time = Make(ast::Expression::Kind::kDescriptor, Peek().at);
  ExpectWord("DESCRIPTOR", "name the time behind the rows: DESCRIPTOR(ts), or DESCRIPTOR(ROWTIME)");
  ExpectOperator("(");
  if (IsWord("ROWTIME")) {
    time->path.push_back({"ROWTIME", false, Take().at});
  } else {
    time->path.push_back(Identifier("the name of a column"));
  }
  ExpectOperator(")");
  call.arguments.push_back(std::move(time));
  std::size_t place = 0;
  while (TakeOperator(",")) {
    std::string size = place < sizes.size() ? sizes[place] : "";
    for (const std::string& word : sizes) {
      if (named(word)) size = word;
    }
    if (size.empty()) FailExpected("')'", name + " takes " + std::to_string(sizes.size()) + " sizes");
    ++place;
    call.arguments.push_back(Additive());
    call.arguments.back()->text = size;
  }
  return true;
}

void Parser::TableSuffix(ast::TableReference& table) {
  if (TakeWord("OVER")) table.over = OverClause();
  if (IsWord("MATCH_RECOGNIZE")) {
    Fail(Peek().at,
         "MATCH_RECOGNIZE is not supported; compare rows with LAG and LEAD, or join windows");
  }
  const bool implicit = !IsWord("AS");
  if (TakeWord("AS")) {
    table.alias = Identifier("an alias");
  } else if (Peek().kind == Token::Kind::kQuoted ||
             (Peek().kind == Token::Kind::kWord && !IsReserved(Peek().text) &&
              !IsWord("WINDOWED") && !IsWord("QUALIFY"))) {
    table.alias = Identifier("an alias");
  }
  // FROM s WHRE x = 1: no alias, but a clause with a slip.
  if (table.alias && implicit && !table.alias->quoted && Peek().kind != Token::Kind::kEnd &&
      Peek().kind != Token::Kind::kOperator &&
      !(Peek().kind == Token::Kind::kWord && IsReserved(Peek().text)) && !IsWord("WINDOWED") &&
      !IsWord("QUALIFY")) {
    std::string clause = ClosestWord(
        table.alias->text,
        {"WHERE", "GROUP", "HAVING", "ORDER", "WINDOW", "WINDOWED", "UNION", "JOIN", "LIMIT"});
    if (!clause.empty())
      Fail(table.alias->at,
           "expected a clause but found " + table.alias->text + "; did you mean " + clause + "?");
  }
  if (table.alias && IsOperator("(")) table.columns = NameList("a column name");
  if (IsWord("OVER") && !table.over) {
    Take();
    table.over = OverClause();
  }
}

std::unique_ptr<ast::Stagger> Parser::StaggerClause() {
  auto stagger = std::make_unique<ast::Stagger>();
  stagger->at = Take().at;
  ExpectWord("BY");
  ExpectWord("STAGGER");
  ExpectOperator("(");
  ExpectWord("PARTITION", "write STAGGER (PARTITION BY key RANGE INTERVAL '1' MINUTE)");
  ExpectWord("BY");
  stagger->partition_by = ExpressionList();
  ExpectWord("RANGE");
  stagger->range = Additive();
  ExpectOperator(")");
  return stagger;
}

std::unique_ptr<ast::WindowSpecification> Parser::OverClause() {
  if (IsOperator("(")) return Window();
  auto window = std::make_unique<ast::WindowSpecification>();
  window->at = Peek().at;
  window->reference = Identifier("the name of a window or '('");
  return window;
}

std::unique_ptr<ast::WindowSpecification> Parser::Window() {
  Depth depth(*this);
  auto window = std::make_unique<ast::WindowSpecification>();
  window->at = Peek().at;
  ExpectOperator("(");
  if ((Peek().kind == Token::Kind::kWord && !IsReserved(Peek().text)) ||
      Peek().kind == Token::Kind::kQuoted) {
    window->reference = Identifier("the name of a window");
  }
  if (TakeWord("PARTITION")) {
    ExpectWord("BY");
    window->partition_by = ExpressionList();
  }
  if (TakeWord("ORDER")) {
    ExpectWord("BY");
    window->order_by = OrderItems();
  }
  if (IsWord("RANGE") || IsWord("ROWS")) {
    window->frame = Take().text == "RANGE" ? ast::WindowSpecification::Frame::kRange
                                           : ast::WindowSpecification::Frame::kRows;
    if (TakeWord("BETWEEN")) {
      window->lower = Bound();
      ExpectWord("AND");
      window->upper = Bound();
    } else {
      window->lower = Bound();
    }
  }
  if (IsWord("PARTITION")) {
    Fail(Peek().at, "PARTITION BY must stand before RANGE or ROWS");
  }
  if (TakeWord("ALLOW") || TakeWord("DISALLOW")) ExpectWord("PARTIAL");
  ExpectOperator(")");
  return window;
}

ast::FrameBound Parser::Bound() {
  ast::FrameBound bound;
  if (TakeWord("UNBOUNDED")) {
    bound.kind = ast::FrameBound::Kind::kUnbounded;
    if (IsWord("FOLLOWING")) bound.following = true;
  } else if (TakeWord("CURRENT")) {
    ExpectWord("ROW");
    return bound;
  } else {
    bound.kind = ast::FrameBound::Kind::kOffset;
    bound.offset = Additive();
    if (IsWord("FOLLOWING")) bound.following = true;
  }
  if (!TakeWord("PRECEDING") && !TakeWord("FOLLOWING")) FailExpected("PRECEDING");
  return bound;
}

std::vector<ast::OrderItem> Parser::OrderItems() {
  std::vector<ast::OrderItem> items;
  do {
    ast::OrderItem item;
    item.expression = Expression();
    if (TakeWord("DESC")) {
      item.descending = true;
    } else {
      TakeWord("ASC");
    }
    if (TakeWord("NULLS")) {
      if (TakeWord("FIRST")) {
        item.nulls_first = true;
      } else {
        ExpectWord("LAST");
        item.nulls_first = false;
      }
    }
    items.push_back(std::move(item));
  } while (TakeOperator(","));
  return items;
}

}  // namespace millstream::sql::internal
