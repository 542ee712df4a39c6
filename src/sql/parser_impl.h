#pragma once

// Inside of the parser: one class over a token list, its parts in parser.cc (statements),
// parser_query.cc, parser_expression.cc and parser_json.cc.
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "sql/ast.h"
#include "sql/lexer.h"

namespace millstream::sql::internal {

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  std::vector<ast::Statement> Application();
  ast::QueryPtr Query();
  ast::ExpressionPtr Expression();
  Type DataType();
  void ExpectEnd();

 private:
  // Tokens
  const Token& Peek(std::size_t ahead = 0) const {
    std::size_t i = at_ + ahead;
    return tokens_[i < tokens_.size() ? i : tokens_.size() - 1];
  }
  bool IsWord(std::string_view word, std::size_t ahead = 0) const {
    return Peek(ahead).kind == Token::Kind::kWord && Peek(ahead).text == word;
  }
  bool IsOperator(std::string_view op, std::size_t ahead = 0) const {
    return Peek(ahead).kind == Token::Kind::kOperator && Peek(ahead).text == op;
  }
  const Token& Take() {
    const Token& token = Peek();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool TakeWord(std::string_view word) {
    if (!IsWord(word)) return false;
    Take();
    return true;
  }
  bool TakeOperator(std::string_view op) {
    if (!IsOperator(op)) return false;
    Take();
    return true;
  }
  bool TakeWords(std::initializer_list<std::string_view> words);
  void ExpectWord(std::string_view word, std::string_view hint = {});
  void ExpectOperator(std::string_view op, std::string_view hint = {});
  [[noreturn]] void FailExpected(std::string_view what, std::string_view hint = {}) const;
  [[noreturn]] void Fail(Position at, const std::string& message) const;

  // Names and small things
  ast::Name Identifier(std::string_view what);
  std::string StringLiteral(std::string_view what);
  int Integer(std::string_view what, int min, int max);
  std::vector<ast::Name> NameList(std::string_view what);
  std::vector<ast::Name> Path(std::string_view what);
  bool AtUnit(std::size_t ahead = 0) const;
  TimeUnit Unit();
  Type IntervalQualifier();

  // Statements
  ast::Statement Statement();
  void CreateStream(ast::Statement& statement);
  void CreatePump(ast::Statement& statement);
  void CreateFunction(ast::Statement& statement);
  ast::Insert InsertStatement();

  // Queries
  ast::QueryPtr QueryTerm();
  ast::QueryPtr QueryPrimary();
  ast::QueryPtr Select();
  ast::QueryPtr Values();
  ast::SelectItem Item();
  std::unique_ptr<ast::TableReference> From();
  std::unique_ptr<ast::TableReference> JoinChain();
  std::unique_ptr<ast::TableReference> Table();
  void TableSuffix(ast::TableReference& table);
  std::unique_ptr<ast::Stagger> StaggerClause();
  std::unique_ptr<ast::WindowSpecification> Window();
  std::unique_ptr<ast::WindowSpecification> OverClause();
  ast::FrameBound Bound();
  std::vector<ast::OrderItem> OrderItems();
  std::vector<ast::ExpressionPtr> ExpressionList();
  bool AtQuery(std::size_t ahead = 0) const;

  // Expressions, loosest binding first
  void CountOperator();
  ast::ExpressionPtr Balanced(std::vector<ast::ExpressionPtr>& operands, std::size_t from,
                              std::size_t to, std::string_view op);
  ast::ExpressionPtr Or();
  ast::ExpressionPtr And();
  ast::ExpressionPtr Not();
  ast::ExpressionPtr Predicate();
  ast::ExpressionPtr Additive();
  ast::ExpressionPtr Multiplicative();
  ast::ExpressionPtr Unary();
  ast::ExpressionPtr Primary();
  ast::ExpressionPtr Parenthesised();
  ast::ExpressionPtr Number();
  ast::ExpressionPtr DatetimeLiteral(const std::string& word);
  ast::ExpressionPtr IntervalLiteral();
  ast::ExpressionPtr Case();
  ast::ExpressionPtr Call(ast::Name name);
  void CallArguments(ast::Expression& call);
  void CallSuffix(ast::Expression& call);
  bool WindowingArguments(ast::Expression& call);  // false: not TUMBLE, HOP, CUMULATE, SESSION
  ast::ExpressionPtr WindowingInput();
  bool JsonArguments(ast::Expression& call);  // false: not a JSON function
  void JsonBehaviours(ast::Expression& call, bool empty, bool defaults, int on_error);
  ast::ExpressionPtr IntegerLiteral(int64_t value, Position at);
  ast::ExpressionPtr PeriodOperand();
  std::string PeriodOperator();
  ast::ExpressionPtr Make(ast::Expression::Kind kind, Position at, std::string text = {});

  // Counts nesting so that hostile text cannot exhaust the stack.
  struct Depth {
    explicit Depth(Parser& parser);
    ~Depth() { --parser.depth_; }
    Parser& parser;
  };

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  int expressions_ = 0;  // how deep Expression() is in itself
  int operators_ = 0;    // in the current outermost expression
};

}  // namespace millstream::sql::internal
