// JSON in texts: JSON_VALUE, JSON_QUERY, JSON_EXISTS, IS JSON, JSON_OBJECT, JSON_ARRAY.
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "codec/json_writer.h"
#include "sql/cast.h"
#include "sql/datetime.h"
#include "sql/function_tables.h"
#include "sql/json_path.h"

namespace millstream::sql {

namespace {

using Element = simdjson::dom::element;
using ElementType = simdjson::dom::element_type;

constexpr std::size_t kMatchesMax = 10'000;

// What ON EMPTY and ON ERROR say, as the parser numbers it.
enum Behaviour : int64_t { kNull, kError, kDefault, kEmptyArray, kEmptyObject, kTrue, kFalse };

[[noreturn]] void Fail(const std::string& message) { throw RowError{"JSON_ERROR", message}; }

// A document and the path last used on it. One row at a time: elements point into the parser.
class JsonReader {
 public:
  // False: the text is no JSON.
  bool Read(std::string_view text) {
    const simdjson::error_code error = Parse(text);
    if (error != simdjson::NUMBER_ERROR) {
      return error == simdjson::SUCCESS;
    }
    widened_.clear();  // somewhere stands an integer beyond 64 bits
    WidenIntegers(text, widened_);
    return Parse(widened_) == simdjson::SUCCESS;
  }
  const Element& root() const { return root_; }

 private:
  simdjson::error_code Parse(std::string_view text) {
    if (buffer_.size() < text.size() + simdjson::SIMDJSON_PADDING) {
      buffer_.resize(2 * text.size() + simdjson::SIMDJSON_PADDING);
    }
    if (!text.empty()) std::memcpy(buffer_.data(), text.data(), text.size());
    return parser_.parse(buffer_.data(), text.size(), false).get(root_);
  }
  // Copies the text, integers beyond 64 bits as doubles: 123...0 with ".0" behind.
  static void WidenIntegers(std::string_view text, std::string& out) {
    auto digit = [](char c) { return c >= '0' && c <= '9'; };
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      out += c;
      if (quoted) {
        if (c == '\\' && i + 1 < text.size()) out += text[++i];
        quoted = c != '"';
        continue;
      }
      if (c == '"') quoted = true;
      if (!digit(c)) continue;
      const std::size_t first = i;
      while (i + 1 < text.size() && digit(text[i + 1])) out += text[++i];
      const char before = first > 0 ? text[first - 1] : ' ';
      const char after = i + 1 < text.size() ? text[i + 1] : ' ';
      const bool part = before == '.' || before == 'e' || before == 'E' || before == '+' ||
                        after == '.' || after == 'e' || after == 'E' ||
                        (before == '-' && first > 1 && (text[first - 2] | 0x20) == 'e');
      const std::string_view digits = text.substr(first, i + 1 - first);
      const std::string_view most = before == '-' ? "9223372036854775808" : "18446744073709551615";
      const bool beyond =
          digits.size() != most.size() ? digits.size() > most.size() : digits > most;
      if (!part && beyond) out += ".0";
    }
  }

 public:
  void SetPath(std::string_view text) {
    if (path_text_ && *path_text_ == text) return;
    path_ = JsonPath::Parse(text);
    path_text_ = std::string(text);
  }
  // What the path leads to. False, in strict mode only: a step does not exist.
  bool Find(std::vector<Element>& found) {
    found.assign(1, root_);
    std::vector<Element> next;
    for (const JsonPath::Step& step : path_.steps) {
      next.clear();
      for (const Element& e : found) {
        if (!Take(step, e, next, true)) return false;
        if (next.size() > kMatchesMax) Fail("the path leads to more than 10000 values");
      }
      std::swap(found, next);
    }
    return true;
  }

 private:
  using Kind = JsonPath::Step::Kind;

  bool Take(const JsonPath::Step& step, const Element& e, std::vector<Element>& out, bool unwrap) {
    bool by_name = step.kind == Kind::kName || step.kind == Kind::kAnyName;
    if (by_name && e.is_object()) {
      simdjson::dom::object object = e.get_object().value_unsafe();
      bool found = false;
      for (auto field : object) {
        if (step.kind == Kind::kName && field.key != step.name) continue;
        out.push_back(field.value);
        found = true;
        if (step.kind == Kind::kName) break;
      }
      return found || !path_.strict || step.kind == Kind::kAnyName;
    }
    if (by_name) {
      if (path_.strict) return false;
      if (e.is_array() && unwrap) {
        simdjson::dom::array array = e.get_array().value_unsafe();
        for (Element item : array) Take(step, item, out, false);
      }
      return true;
    }
    if (!e.is_array()) {
      if (path_.strict) return false;
      if (step.kind == Kind::kAnyIndex || step.from == 0 || step.from == -1) out.push_back(e);
      return true;
    }
    simdjson::dom::array array = e.get_array().value_unsafe();
    int64_t size = static_cast<int64_t>(array.size()), at = 0;
    int64_t from = step.from < 0 ? size + step.from : step.from;
    int64_t to = step.to < 0 ? size + step.to : step.to;
    for (Element item : array) {
      if (step.kind == Kind::kAnyIndex || (at >= from && at <= to)) out.push_back(item);
      ++at;
    }
    return step.kind == Kind::kAnyIndex || !path_.strict || (from >= 0 && to < size && from <= to);
  }

  std::string buffer_, widened_;
  simdjson::dom::parser parser_;
  Element root_;
  JsonPath path_;
  std::optional<std::string> path_text_;
};

struct State {
  JsonReader reader;
  std::vector<Element> found;
  std::string text;
};
State& Kept(CallFrame& frame) {
  if (frame.state == nullptr) frame.state = std::make_shared<State>();
  return *static_cast<State*>(frame.state.get());
}

bool IsScalar(const Element& e) { return !e.is_array() && !e.is_object(); }

// A scalar as SQL text: strings without quotes.
void AppendScalar(const Element& e, std::string& out) {
  switch (e.type()) {
    case ElementType::STRING: out += e.get_string().value_unsafe(); break;
    case ElementType::DOUBLE: AppendDouble(e.get_double().value_unsafe(), out); break;
    default: out += simdjson::minify(e); break;
  }
}

// Texts of numbers in JSON keep their digits beyond a double only as integers; so do ours.
bool ToType(const Element& e, const std::string& text, const Type& type, Value& out) {
  out.type = type;
  out.null = false;
  switch (type.kind) {
    case Kind::kChar:
    case Kind::kVarchar:
      if (text.size() > static_cast<std::size_t>(type.length)) return false;
      out.s = text;
      if (type.kind == Kind::kChar) out.s.resize(static_cast<std::size_t>(type.length), ' ');
      return true;
    case Kind::kBoolean:
      if (e.is_bool()) {
        out.i = e.get_bool().value_unsafe() ? 1 : 0;
        return true;
      }
      out.i = text == "true" ? 1 : 0;
      return text == "true" || text == "false";
    case Kind::kReal:
    case Kind::kDouble: return ParseDouble(text, out.d);
    case Kind::kDecimal: return ParseDecimal(text, type.length, type.scale, true, out.i);
    case Kind::kTimestamp:
    case Kind::kDate:
    case Kind::kTime: {
      std::optional<int64_t> t = type.kind == Kind::kTimestamp ? ParseTimestamp(text)
                                 : type.kind == Kind::kDate    ? ParseDate(text)
                                                               : ParseTime(text);
      out.i = t.value_or(0);
      return t.has_value();
    }
    default: {  // integers; 12.0 is one, 12.5 is none
      double d = 0;
      if (e.type() == ElementType::DOUBLE && (d = e.get_double().value_unsafe(), d == static_cast<double>(
                                static_cast<int64_t>(std::clamp(d, -9e18, 9e18))))) {
        out.i = static_cast<int64_t>(std::clamp(d, -9e18, 9e18));
      } else if (!ParseDecimal(text, 19, 0, false, out.i)) {
        return false;
      }
      return out.i >= IntegerMin(type.kind) && out.i <= IntegerMax(type.kind);
    }
  }
}

// JSON_VALUE(text, path, NULL of the type, on empty, default, on error, default)
Type ResolveValue(Arguments& arguments, Position at) {
  WantText(arguments, 0, at, "JSON_VALUE");
  WantText(arguments, 1, at, "JSON_VALUE");
  if (arguments.size() == 2) {
    arguments.push_back(MakeCast(MakeConstant(Value::Null(), at), Varchar(), at));
    for (int i = 0; i < 2; ++i) {
      arguments.push_back(MakeConstant(Value::Int(MakeType(Kind::kInteger), kNull), at));
      arguments.push_back(arguments[2]);
    }
  }
  Type type = arguments[2]->type;
  if (IsBinary(type.kind) || type.kind == Kind::kInterval) {
    throw SqlError(at, "JSON_VALUE cannot return " + TypeName(type));
  }
  for (std::size_t i : {4u, 6u}) {
    if (arguments[i]->type.kind != Kind::kNull && !CanAssign(arguments[i]->type, type)) {
      throw SqlError(arguments[i]->at, "the default is " + TypeName(arguments[i]->type) +
                                           ", JSON_VALUE returns " + TypeName(type));
    }
    arguments[i] = MakeCast(arguments[i], type, at);
  }
  return type;
}
void ValueKernel(CallFrame& frame) {
  State& state = Kept(frame);
  auto otherwise = [&](int behaviour, int fallback, int i, const char* what) {
    switch (frame.ints(behaviour)[i]) {
      case kError: Fail(what);
      case kDefault: return frame.out.CopyRow(i, *frame.arguments[fallback], i);
      default: return frame.out.SetNull(i);
    }
  };
  for (int i = 0; i < frame.rows; ++i) {
    try {
      frame.out.valid()[i] = 1;
      if (frame.arguments[0]->valid()[i] == 0 || frame.arguments[1]->valid()[i] == 0) {
        frame.out.SetNull(i);
        continue;
      }
      state.reader.SetPath(frame.strings(1)[i]);
      if (!state.reader.Read(frame.strings(0)[i])) {
        otherwise(5, 6, i, "JSON_VALUE: the text is not JSON");
        continue;
      }
      if (!state.reader.Find(state.found)) {
        otherwise(5, 6, i, "JSON_VALUE: a step of the path does not exist");
        continue;
      }
      if (state.found.empty()) {
        otherwise(3, 4, i, "JSON_VALUE: the path leads to nothing");
        continue;
      }
      if (state.found.size() > 1 || !IsScalar(state.found[0])) {
        otherwise(5, 6, i, "JSON_VALUE: the path does not lead to one scalar value");
        continue;
      }
      if (state.found[0].is_null()) {
        frame.out.SetNull(i);
        continue;
      }
      state.text.clear();
      AppendScalar(state.found[0], state.text);
      Value value;
      if (ToType(state.found[0], state.text, frame.expr.type, value)) {
        frame.out.SetValue(i, value, frame.arena());
      } else {
        otherwise(5, 6, i, "JSON_VALUE: the value does not fit the type");
      }
    } catch (const RowError& error) {
      frame.Fail(i, error.name, error.message);
    }
  }
}

// JSON_QUERY(text, path, wrapper 0 without 1 conditional 2 always, on empty, on error)
Type ResolveQuery(Arguments& arguments, Position at) {
  WantText(arguments, 0, at, "JSON_QUERY");
  WantText(arguments, 1, at, "JSON_QUERY");
  while (arguments.size() < 5) {
    arguments.push_back(MakeConstant(Value::Int(MakeType(Kind::kInteger), 0), at));
  }
  return Varchar();
}
void QueryKernel(CallFrame& frame) {
  State& state = Kept(frame);
  frame.ForEachRow([&](int i) {
    auto otherwise = [&](int behaviour, const char* what) {
      switch (frame.ints(behaviour)[i]) {
        case kError: Fail(what);
        case kEmptyArray: frame.out.strings()[i] = "[]"; return;
        case kEmptyObject: frame.out.strings()[i] = "{}"; return;
        default: frame.out.SetNull(i);
      }
    };
    state.reader.SetPath(frame.strings(1)[i]);
    if (!state.reader.Read(frame.strings(0)[i])) {
      return otherwise(4, "JSON_QUERY: the text is not JSON");
    }
    if (!state.reader.Find(state.found)) {
      return otherwise(4, "JSON_QUERY: a step of the path does not exist");
    }
    if (state.found.empty()) return otherwise(3, "JSON_QUERY: the path leads to nothing");
    int64_t wrapper = frame.ints(2)[i];
    bool one = state.found.size() == 1 && !IsScalar(state.found[0]);
    state.text.clear();
    if (wrapper == 2 || (wrapper == 1 && !one)) {
      for (const Element& e : state.found) {
        state.text += (state.text.empty() ? "[" : ",") + simdjson::minify(e);
      }
      state.text += "]";
    } else if (one) {
      state.text = simdjson::minify(state.found[0]);
    } else {
      return otherwise(4, "JSON_QUERY: the path does not lead to one object or array; write WITH "
                          "WRAPPER");
    }
    if (state.text.size() > static_cast<std::size_t>(kVarcharMax)) {
      return otherwise(4, "JSON_QUERY: the result is longer than VARCHAR(65535)");
    }
    frame.out.strings()[i] = frame.arena().Copy(state.text);
  });
}

// JSON_EXISTS(text, path, on error)
Type ResolveExists(Arguments& arguments, Position at) {
  WantText(arguments, 0, at, "JSON_EXISTS");
  WantText(arguments, 1, at, "JSON_EXISTS");
  if (arguments.size() < 3) {
    arguments.push_back(MakeConstant(Value::Int(MakeType(Kind::kInteger), kFalse), at));
  }
  return BooleanType();
}
void ExistsKernel(CallFrame& frame) {
  State& state = Kept(frame);
  frame.ForEachRow([&](int i) {
    state.reader.SetPath(frame.strings(1)[i]);
    if (state.reader.Read(frame.strings(0)[i]) && state.reader.Find(state.found)) {
      frame.out.ints()[i] = state.found.empty() ? 0 : 1;
      return;
    }
    switch (frame.ints(2)[i]) {
      case kError: Fail("JSON_EXISTS: the text is not JSON, or a step of the path does not exist");
      case kTrue: frame.out.ints()[i] = 1; return;
      case kNull: frame.out.SetNull(i); return;
      default: frame.out.ints()[i] = 0;
    }
  });
}

// text IS JSON [VALUE | OBJECT | ARRAY | SCALAR], as 0 to 3
Type ResolveIsJson(Arguments& arguments, Position at) {
  WantText(arguments, 0, at, "IS JSON");
  return BooleanType();
}
void IsJsonKernel(CallFrame& frame) {
  State& state = Kept(frame);
  frame.ForEachRow([&](int i) {
    bool is = state.reader.Read(frame.strings(0)[i]);
    if (is) {
      const Element& root = state.reader.root();
      switch (frame.ints(1)[i]) {
        case 1: is = root.is_object(); break;
        case 2: is = root.is_array(); break;
        case 3: is = IsScalar(root); break;
        default: break;
      }
    }
    frame.out.ints()[i] = is ? 1 : 0;
  });
}

void AppendJson(const Type& type, const Vector& v, int row, std::string& out) {
  if (v.valid()[row] == 0) {
    out += "null";
  } else if (type.kind == Kind::kBoolean) {
    out += v.ints()[row] != 0 ? "true" : "false";
  } else if (IsNumeric(type.kind) &&
             !(v.physical() == Physical::kDouble && !std::isfinite(v.doubles()[row]))) {
    AppendText(type, v, row, out);
  } else {
    std::string text;
    AppendText(type, v, row, text);
    codec::AppendJsonString(text, out);
  }
}

void CheckMember(Arguments& arguments, std::size_t value, Position at) {
  Type type = arguments[value]->type;
  if (type.kind == Kind::kNull) {
    arguments[value] = MakeCast(arguments[value], Varchar(), at);
  } else if (type.kind == Kind::kRow || IsBinary(type.kind)) {
    throw SqlError(arguments[value]->at, TypeName(type) + " has no form in JSON");
  }
  bool json = arguments[value + 1]->value.i != 0;
  if (json && !IsCharacter(arguments[value]->type.kind)) {
    throw SqlError(arguments[value]->at, "FORMAT JSON stands behind a text");
  }
}

// The first argument: 1 when NULL values are left out. Behind a value stands 1 when it is JSON.
Type ResolveObject(Arguments& arguments, Position at) {
  for (std::size_t i = 1; i + 2 < arguments.size(); i += 3) {
    CheckMember(arguments, i + 1, at);
    if (!IsCharacter(arguments[i]->type.kind)) {
      throw SqlError(arguments[i]->at, "the key of an object is a text");
    }
  }
  return Varchar();
}
void Finish(CallFrame& frame, int i, const std::string& text) {
  if (text.size() > static_cast<std::size_t>(kVarcharMax)) {
    return frame.Fail(i, "JSON_ERROR", "the JSON text is longer than VARCHAR(65535)");
  }
  frame.out.strings()[i] = frame.arena().Copy(text);
}
// False: what should be JSON is not.
bool AppendMember(CallFrame& frame, int value, int row, std::string& out) {
  const Vector& v = *frame.arguments[value];
  const Expr& argument = *frame.expr.arguments[static_cast<std::size_t>(value)];
  if (frame.ints(value + 1)[row] != 0 && v.valid()[row] != 0) {
    const bool ours = argument.op == Expr::Op::kCall &&
                      argument.function->name.starts_with("JSON_") &&
                      argument.function->name != "JSON_VALUE";
    if (!ours && !Kept(frame).reader.Read(v.strings()[row])) return false;
    out += v.strings()[row];
  } else {
    AppendJson(argument.type, v, row, out);
  }
  return true;
}
constexpr const char* kNotJson = "a text behind which FORMAT JSON stands is not JSON";
void ObjectKernel(CallFrame& frame) {
  std::string text;
  for (int i = 0; i < frame.rows; ++i) {
    frame.out.valid()[i] = 1;
    text = "{";
    bool failed = false;
    for (int a = 1; a + 2 < frame.count && !failed; a += 3) {
      if (frame.arguments[a]->valid()[i] == 0) {
        frame.Fail(i, "JSON_ERROR", "a key of JSON_OBJECT is NULL");
        failed = true;
        break;
      }
      if (frame.arguments[a + 1]->valid()[i] == 0 && frame.ints(0)[i] != 0) continue;
      if (text.size() > 1) text += ',';
      codec::AppendJsonString(frame.strings(a)[i], text);
      text += ':';
      if (AppendMember(frame, a + 1, i, text)) continue;
      frame.Fail(i, "JSON_ERROR", kNotJson);
      failed = true;
    }
    if (!failed) Finish(frame, i, text + "}");
  }
}
Type ResolveArray(Arguments& arguments, Position at) {
  for (std::size_t i = 1; i + 1 < arguments.size(); i += 2) CheckMember(arguments, i, at);
  return Varchar();
}
void ArrayKernel(CallFrame& frame) {
  std::string text;
  for (int i = 0; i < frame.rows; ++i) {
    frame.out.valid()[i] = 1;
    text = "[";
    bool failed = false;
    for (int a = 1; a + 1 < frame.count && !failed; a += 2) {
      if (frame.arguments[a]->valid()[i] == 0 && frame.ints(0)[i] != 0) continue;
      if (text.size() > 1) text += ',';
      failed = !AppendMember(frame, a, i, text);
    }
    if (failed) {
      frame.Fail(i, "JSON_ERROR", kNotJson);
    } else {
      Finish(frame, i, text + "]");
    }
  }
}

const Function kFunctions[] = {
    {"JSON_VALUE", 2, 7, ResolveValue, ValueKernel},
    {"JSON_QUERY", 2, 5, ResolveQuery, QueryKernel},
    {"JSON_EXISTS", 2, 3, ResolveExists, ExistsKernel},
    {"IS JSON", 2, 2, ResolveIsJson, IsJsonKernel},
    {"JSON_OBJECT", 1, 1000, ResolveObject, ObjectKernel},
    {"JSON_ARRAY", 1, 1000, ResolveArray, ArrayKernel},
};

}  // namespace

std::span<const Function> JsonFunctions() { return kFunctions; }

}  // namespace millstream::sql
