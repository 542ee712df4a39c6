// The arguments of the JSON functions, which have words of their own between them.
#include "sql/parser_impl.h"

namespace millstream::sql::internal {

using ast::ExpressionPtr;
using EKind = ast::Expression::Kind;

namespace {

// Numbers as functions_json.cc reads them.
enum Behaviour { kNull, kError, kDefault, kEmptyArray, kEmptyObject, kTrue, kFalse };

bool GivesJson(const ast::Expression& e) {
  return e.kind == EKind::kCall &&
         (e.text == "JSON_OBJECT" || e.text == "JSON_ARRAY" || e.text == "JSON_QUERY");
}

}  // namespace

ExpressionPtr Parser::IntegerLiteral(int64_t value, Position at) {
  ExpressionPtr e = Make(EKind::kLiteral, at);
  e->value = Value::Int(MakeType(Kind::kInteger), value);
  return e;
}

// [NULL | ERROR | EMPTY ARRAY | EMPTY OBJECT | TRUE | FALSE | DEFAULT x] ON EMPTY|ERROR, each at
// most once, in any order. Appends {behaviour, default} or {behaviour} for EMPTY and ERROR.
void Parser::JsonBehaviours(ast::Expression& call, bool empty, bool defaults, int on_error) {
  ExpressionPtr behaviour[2] = {IntegerLiteral(kNull, call.at), IntegerLiteral(on_error, call.at)};
  ExpressionPtr fallback[2] = {Make(EKind::kLiteral, call.at), Make(EKind::kLiteral, call.at)};
  while (!IsOperator(")")) {
    Position at = Peek().at;
    int said = -1;
    ExpressionPtr value;
    if (TakeWord("NULL") || TakeWord("UNKNOWN")) {
      said = kNull;
    } else if (TakeWord("ERROR")) {
      said = kError;
    } else if (TakeWord("TRUE")) {
      said = kTrue;
    } else if (TakeWord("FALSE")) {
      said = kFalse;
    } else if (TakeWord("EMPTY")) {
      said = TakeWord("OBJECT") ? kEmptyObject : kEmptyArray;
      TakeWord("ARRAY");
    } else if (defaults && TakeWord("DEFAULT")) {
      said = kDefault;
      value = Additive();
    } else {
      FailExpected("')'", call.text + " takes a text, a path and e.g. NULL ON EMPTY, ERROR ON ERROR");
    }
    ExpectWord("ON");
    int place = 1;
    if (empty && TakeWord("EMPTY")) {
      place = 0;
    } else {
      ExpectWord("ERROR");
    }
    bool fits = said == kNull || said == kError ||
                (said == kDefault && defaults) ||
                ((said == kTrue || said == kFalse) && call.text == "JSON_EXISTS") ||
                ((said == kEmptyArray || said == kEmptyObject) && call.text == "JSON_QUERY");
    if (!fits) Fail(at, "this is not a result of " + call.text);
    behaviour[place] = IntegerLiteral(said, at);
    if (value) fallback[place] = std::move(value);
  }
  for (int place = empty ? 0 : 1; place < 2; ++place) {
    call.arguments.push_back(std::move(behaviour[place]));
    if (defaults) call.arguments.push_back(std::move(fallback[place]));
  }
}

bool Parser::JsonArguments(ast::Expression& call) {
  auto& arguments = call.arguments;
  const std::string name = call.text;
  if (name == "JSON_VALUE" || name == "JSON_QUERY" || name == "JSON_EXISTS") {
    arguments.push_back(Expression());
    ExpectOperator(",", "write " + name + "(text, '$.name')");
    arguments.push_back(Expression());
    if (name == "JSON_EXISTS") {
      JsonBehaviours(call, false, false, kFalse);
      return true;
    }
    if (name == "JSON_VALUE") {
      ExpressionPtr returning = Make(EKind::kLiteral, Peek().at);
      returning->value.type = TakeWord("RETURNING") ? DataType() : Varchar();
      arguments.push_back(std::move(returning));
      JsonBehaviours(call, true, true, kNull);
      return true;
    }
    int wrapper = 0;
    Position at = Peek().at;
    if (TakeWord("WITHOUT")) {
      TakeWord("ARRAY");
      ExpectWord("WRAPPER");
    } else if (TakeWord("WITH")) {
      wrapper = TakeWord("CONDITIONAL") ? 1 : 2;
      if (wrapper == 2) TakeWord("UNCONDITIONAL");
      TakeWord("ARRAY");
      ExpectWord("WRAPPER");
    }
    arguments.push_back(IntegerLiteral(wrapper, at));
    JsonBehaviours(call, true, false, kNull);
    return true;
  }
  if (name != "JSON_OBJECT" && name != "JSON_ARRAY") return false;
  bool object = name == "JSON_OBJECT";
  arguments.push_back(IntegerLiteral(object ? 0 : 1, call.at));  // arrays leave NULL out
  auto on_null = [&] {
    if (!(IsWord("NULL") || IsWord("ABSENT")) || !IsWord("ON", 1)) return false;
    arguments[0] = IntegerLiteral(Take().text == "ABSENT" ? 1 : 0, call.at);
    Take();
    ExpectWord("NULL");
    return true;
  };
  while (!IsOperator(")") && !on_null()) {
    if (arguments.size() > 1) ExpectOperator(",");
    if (object) {
      bool key = IsWord("KEY") && !IsOperator(":", 1) && !IsWord("VALUE", 1);
      if (key) Take();
      arguments.push_back(Additive());
      if (!TakeOperator(":")) ExpectWord("VALUE", "write JSON_OBJECT('name' VALUE x, ...)");
    }
    ExpressionPtr value = Expression();
    bool json = GivesJson(*value);
    if (TakeWord("FORMAT")) {
      ExpectWord("JSON");
      json = true;
    }
    Position at = value->at;
    arguments.push_back(std::move(value));
    arguments.push_back(IntegerLiteral(json ? 1 : 0, at));
  }
  return true;
}

}  // namespace millstream::sql::internal
