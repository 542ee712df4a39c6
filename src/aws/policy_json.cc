#include "aws/policy_json.h"

#include <algorithm>
#include <optional>

namespace millstream::aws {
namespace {

constexpr std::size_t kDocumentBytesMax = 256 * 1024;
constexpr int kDepthMax = 16;

// Recursive descent; the depth is bounded by kDepthMax, the size by kDocumentBytesMax.
class Parser {
 public:
  explicit Parser(std::string_view document) : document_(document) {}

  base::Result<PolicyJson> Run() {
    PolicyJson root;
    SkipBlanks();
    if (Value(root, 0)) {
      SkipBlanks();
      if (at_ != document_.size()) Expected("the end of the document");
    }
    if (error_) return base::Fail(base::Code::kInvalidArgument, *error_);
    return root;
  }

 private:
  // Keeps the first failure; returns false so that callers can return it.
  bool FailAt(std::size_t offset, std::string what) {
    if (!error_) error_ = PolicyPosition(document_, offset) + ": " + std::move(what);
    return false;
  }
  bool Expected(std::string_view what) {
    std::string found = at_ == document_.size() ? std::string("the end of the document")
                                                : "'" + std::string(1, document_[at_]) + "'";
    return FailAt(at_, "expected " + std::string(what) + ", found " + found);
  }
  void SkipBlanks() {
    while (at_ < document_.size() && (document_[at_] == ' ' || document_[at_] == '\n' ||
                                      document_[at_] == '\r' || document_[at_] == '\t')) {
      ++at_;
    }
  }
  bool Take(char c) {
    if (at_ == document_.size() || document_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool Value(PolicyJson& value, int depth) {
    if (depth > kDepthMax) return FailAt(at_, "nested deeper than 16 levels");
    value.offset = static_cast<uint32_t>(at_);
    if (at_ == document_.size()) return Expected("a value");
    switch (document_[at_]) {
      case '{':
        return Object(value, depth);
      case '[':
        return Array(value, depth);
      case '"':
        value.kind = PolicyJson::Kind::kString;
        return String(value.text);
      default:
        return Scalar(value);
    }
  }

  bool Object(PolicyJson& value, int depth) {
    value.kind = PolicyJson::Kind::kObject;
    ++at_;
    SkipBlanks();
    if (Take('}')) return true;
    while (true) {
      SkipBlanks();
      const std::size_t name_at = at_;
      if (at_ == document_.size() || document_[at_] != '"') return Expected("a member name");
      std::string name;
      if (!String(name)) return false;
      if (value.Find(name) != nullptr) {
        return FailAt(name_at, "member \"" + name + "\" appears twice");
      }
      SkipBlanks();
      if (!Take(':')) return Expected("':'");
      SkipBlanks();
      value.members.push_back({std::move(name), PolicyJson()});
      if (!Value(value.members.back().value, depth + 1)) return false;
      SkipBlanks();
      if (Take('}')) return true;
      if (!Take(',')) return Expected("',' or '}'");
    }
  }

  bool Array(PolicyJson& value, int depth) {
    value.kind = PolicyJson::Kind::kArray;
    ++at_;
    SkipBlanks();
    if (Take(']')) return true;
    while (true) {
      SkipBlanks();
      value.items.emplace_back();
      if (!Value(value.items.back(), depth + 1)) return false;
      SkipBlanks();
      if (Take(']')) return true;
      if (!Take(',')) return Expected("',' or ']'");
    }
  }

  bool Scalar(PolicyJson& value) {
    const auto end = std::min(document_.find_first_of(",]} \t\r\n", at_), document_.size());
    const std::string_view word = document_.substr(at_, end - at_);
    if (word == "true" || word == "false") {
      value.kind = PolicyJson::Kind::kBool;
      value.boolean = word == "true";
    } else if (word == "null") {
      value.kind = PolicyJson::Kind::kNull;
    } else if (!word.empty() &&
               word.find_first_not_of("+-.0123456789eE") == std::string_view::npos &&
               word.find_first_of("0123456789") != std::string_view::npos) {
      value.kind = PolicyJson::Kind::kNumber;
    } else {
      return Expected("a value");
    }
    value.text = word;
    at_ = end;
    return true;
  }

  bool String(std::string& text) {
    const std::size_t start = at_++;
    while (at_ < document_.size()) {
      const char c = document_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20) return FailAt(at_, "control character in a string");
      if (c != '\\') {
        text += c;
        ++at_;
        continue;
      }
      if (!Escape(text)) return false;
    }
    return FailAt(start, "string without an end");
  }

  bool Escape(std::string& text) {
    const std::size_t start = at_++;
    const char c = at_ < document_.size() ? document_[at_++] : '\0';
    constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    if (const auto i = kFrom.find(c); i != std::string_view::npos) {
      text += kTo[i];
      return true;
    }
    uint32_t code = 0;
    if (c != 'u' || !Hex4(code)) return FailAt(start, "not an escape sequence");
    if (code >= 0xD800 && code < 0xDC00) {
      uint32_t low = 0;
      if (!Take('\\') || !Take('u') || !Hex4(low) || low < 0xDC00 || low > 0xDFFF) {
        return FailAt(start, "half of a surrogate pair");
      }
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code <= 0xDFFF) {
      return FailAt(start, "half of a surrogate pair");
    }
    AppendUtf8(code, text);
    return true;
  }

  bool Hex4(uint32_t& code) {
    if (document_.size() - at_ < 4) return false;
    code = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = document_[at_++];
      const auto digit = std::string_view("0123456789abcdef")
                             .find(static_cast<char>(c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c));
      if (digit == std::string_view::npos) return false;
      code = code * 16 + static_cast<uint32_t>(digit);
    }
    return true;
  }

  static void AppendUtf8(uint32_t code, std::string& text) {
    const auto add = [&text](uint32_t byte) { text += static_cast<char>(byte); };
    if (code < 0x80) {
      add(code);
    } else if (code < 0x800) {
      add(0xC0 | (code >> 6));
      add(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      add(0xE0 | (code >> 12));
      add(0x80 | ((code >> 6) & 0x3F));
      add(0x80 | (code & 0x3F));
    } else {
      add(0xF0 | (code >> 18));
      add(0x80 | ((code >> 12) & 0x3F));
      add(0x80 | ((code >> 6) & 0x3F));
      add(0x80 | (code & 0x3F));
    }
  }

  const std::string_view document_;
  std::size_t at_ = 0;
  std::optional<std::string> error_;
};

}  // namespace

const PolicyJson* PolicyJson::Find(std::string_view name) const {
  for (const auto& [key, value] : members) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string PolicyPosition(std::string_view document, std::size_t offset) {
  const std::string_view before = document.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto newline = before.rfind('\n');
  const auto column = 1 + (newline == std::string_view::npos ? offset : offset - newline - 1);
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

base::Result<PolicyJson> ParsePolicyJson(std::string_view document) {
  if (document.size() > kDocumentBytesMax) {
    return base::Fail(base::Code::kInvalidArgument,
                      "larger than 262144 bytes: " + std::to_string(document.size()));
  }
  return Parser(document).Run();
}

}  // namespace millstream::aws
