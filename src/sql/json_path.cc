#include "sql/json_path.h"

#include "sql/error.h"

namespace millstream::sql {

namespace {

constexpr std::size_t kStepsMax = 100;

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  JsonPath Run() {
    JsonPath path;
    Blanks();
    if (TakeWord("strict")) {
      path.strict = true;
    } else {
      TakeWord("lax");
    }
    Blanks();
    if (!Take('$')) Fail("a path starts with $");
    for (Blanks(); at_ < text_.size(); Blanks()) {
      if (path.steps.size() == kStepsMax) Fail("at most 100 steps");
      if (Peek() == '?') Fail("filters are not supported; write the condition in SQL");
      path.steps.push_back(Take('.') ? Member() : Take('[') ? Index() : Fail(". or [ expected"));
    }
    return path;
  }

 private:
  [[noreturn]] JsonPath::Step Fail(const std::string& what) const {
    throw RowError{"INVALID_JSON_PATH", "bad JSON path '" + std::string(text_) + "' at position " +
                                            std::to_string(at_ + 1) + ": " + what};
  }
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void Blanks() {
    while (Peek() == ' ' || Peek() == '\t') ++at_;
  }
  bool TakeWord(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  std::string Quoted(char quote) {
    std::string out;
    while (Peek() != quote) {
      if (at_ >= text_.size()) Fail("the quoted name does not end");
      if (Peek() == '\\' && at_ + 1 < text_.size()) ++at_;
      out += text_[at_++];
    }
    ++at_;
    return out;
  }

  JsonPath::Step Member() {
    JsonPath::Step step;
    Blanks();
    if (Take('*')) {
      step.kind = JsonPath::Step::Kind::kAnyName;
    } else if (Take('"')) {
      step.name = Quoted('"');
    } else {
      auto part = [&] {
        char c = Peek();
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '@' || c == '$' || static_cast<unsigned char>(c) >= 0x80;
      };
      while (part()) step.name += text_[at_++];
      if (step.name.empty()) Fail("a name expected; quote special ones: $.\"a name\"");
      if (Peek() == '(') Fail("methods are not supported");
    }
    return step;
  }
  int64_t Number() {
    if (TakeWord("last")) {
      Blanks();
      if (!Take('-')) return -1;
      Blanks();
      return -1 - Digits();
    }
    return Digits();
  }
  int64_t Digits() {
    int64_t value = 0;
    if (Peek() < '0' || Peek() > '9') Fail("an index expected: [0], [last] or [*]");
    while (Peek() >= '0' && Peek() <= '9') {
      value = value * 10 + (text_[at_++] - '0');
      if (value > 1'000'000'000) Fail("the index is too large");
    }
    return value;
  }
  JsonPath::Step Index() {
    JsonPath::Step step;
    Blanks();
    if (Take('*')) {
      step.kind = JsonPath::Step::Kind::kAnyIndex;
    } else if (Peek() == '\'' || Peek() == '"') {
      char quote = text_[at_++];
      step.name = Quoted(quote);
    } else {
      step.kind = JsonPath::Step::Kind::kIndex;
      step.from = step.to = Number();
      Blanks();
      if (TakeWord("to")) {
        Blanks();
        step.to = Number();
      }
    }
    Blanks();
    if (!Take(']')) Fail("] expected");
    return step;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

JsonPath JsonPath::Parse(std::string_view text) { return Reader(text).Run(); }

}  // namespace millstream::sql
