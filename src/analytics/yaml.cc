#include "analytics/yaml.h"

#include <fmt/format.h>
#include <yaml.h>

#include <memory>
#include <vector>

#include "codec/json_value.h"
#include "codec/json_writer.h"
#include "codec/utf8.h"

namespace millstream::analytics {
namespace {

using base::Code;
using base::Fail;
using base::Result;
using base::Status;

struct ParserEnd {
  void operator()(yaml_parser_t* parser) const { yaml_parser_delete(parser); }
};
struct EventEnd {
  void operator()(yaml_event_t* event) const { yaml_event_delete(event); }
};

std::string_view Text(const yaml_char_t* text) {
  return text == nullptr ? std::string_view()
                         : std::string_view(reinterpret_cast<const char*>(text));
}

// "!GetAtt" to "Fn::GetAtt"; nothing for YAML's own tags.
std::string FunctionOf(std::string_view tag) {
  if (tag.size() < 2 || tag[0] != '!' || tag[1] == '!') return {};
  tag.remove_prefix(1);
  return tag == "Ref" || tag == "Condition" ? std::string(tag) : "Fn::" + std::string(tag);
}

class Converter {
 public:
  Result<std::string> Run(std::string_view yaml) {
    yaml_parser_t state;
    if (yaml_parser_initialize(&state) == 0)
      return Fail(Code::kUnavailable, "no memory for a YAML parser");
    std::unique_ptr<yaml_parser_t, ParserEnd> parser(&state);
    yaml_parser_set_input_string(&state, reinterpret_cast<const unsigned char*>(yaml.data()),
                                 yaml.size());
    yaml_parser_set_encoding(&state, YAML_UTF8_ENCODING);
    while (true) {
      yaml_event_t event;
      if (yaml_parser_parse(&state, &event) == 0) {
        return Fail(Code::kInvalidArgument,
                    fmt::format("not YAML: line {}: {}", state.problem_mark.line + 1,
                                state.problem == nullptr ? "cannot be read" : state.problem));
      }
      std::unique_ptr<yaml_event_t, EventEnd> end(&event);
      if (event.type == YAML_STREAM_END_EVENT) break;
      TRY(Take(event));
    }
    if (documents_ != 1)
      return Fail(Code::kInvalidArgument,
                  fmt::format("{} YAML documents; one is read", documents_));
    return std::move(out_);
  }

 private:
  struct Open {
    bool mapping;
    bool wrapped;          // inside {"Fn::X": ...}
    bool key_next = true;  // of a mapping
  };

  Status Take(const yaml_event_t& event) {
    const std::size_t line = event.start_mark.line + 1;
    switch (event.type) {
      case YAML_DOCUMENT_START_EVENT:
        ++documents_;
        return {};
      case YAML_ALIAS_EVENT:
        return Fail(Code::kInvalidArgument,
                    fmt::format("line {}: YAML aliases are not read", line));
      case YAML_SCALAR_EVENT:
        return Scalar(event, line);
      case YAML_SEQUENCE_START_EVENT:
        return Begin(false, event.data.sequence_start.tag, line);
      case YAML_MAPPING_START_EVENT:
        return Begin(true, event.data.mapping_start.tag, line);
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT: {
        Open done = open_.back();
        open_.pop_back();
        done.mapping ? json_.EndObject() : json_.EndArray();
        if (done.wrapped) json_.EndObject();
        ValueDone();
        return {};
      }
      default:
        return {};
    }
  }

  bool KeyNext() const { return !open_.empty() && open_.back().mapping && open_.back().key_next; }
  void ValueDone() {
    if (!open_.empty()) open_.back().key_next = true;
  }

  Status Begin(bool mapping, const yaml_char_t* tag, std::size_t line) {
    if (KeyNext())
      return Fail(Code::kInvalidArgument, fmt::format("line {}: a key must be a text", line));
    // Room for the object that a tag adds.
    if (open_.size() * 2 + 2 > static_cast<std::size_t>(codec::kJsonDepthMax)) {
      return Fail(Code::kInvalidArgument, fmt::format("line {}: nested too deeply", line));
    }
    std::string function = FunctionOf(Text(tag));
    if (!function.empty()) json_.BeginObject().Key(function);
    mapping ? json_.BeginObject() : json_.BeginArray();
    open_.push_back({mapping, !function.empty()});
    return {};
  }

  Status Scalar(const yaml_event_t& event, std::size_t line) {
    std::string_view text(reinterpret_cast<const char*>(event.data.scalar.value),
                          event.data.scalar.length);
    if (open_.empty())
      return Fail(Code::kInvalidArgument, fmt::format("line {}: not a YAML mapping", line));
    if (KeyNext()) {
      json_.Key(text);
      open_.back().key_next = false;
      return {};
    }
    std::string function = FunctionOf(Text(event.data.scalar.tag));
    if (!function.empty()) json_.BeginObject().Key(function);
    bool plain = event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && function.empty();
    if (plain && (text.empty() || text == "~" || text == "null")) {
      json_.Null();
    } else if (plain && (text == "true" || text == "false")) {
      json_.Bool(text == "true");
    } else if (plain && IsNumber(text)) {
      json_.Raw(text);
    } else {
      json_.String(text);
    }
    if (!function.empty()) json_.EndObject();
    ValueDone();
    return {};
  }

  static bool IsNumber(std::string_view text) {
    if (text.find_first_not_of("0123456789+-.eE") != std::string_view::npos) return false;
    auto parsed = codec::JsonDocument::Parse(text);
    return parsed && parsed->root().is_number();
  }

  std::string out_;
  codec::JsonWriter json_{out_};
  std::vector<Open> open_;
  int documents_ = 0;
};

}  // namespace

Result<std::string> JsonOfYaml(std::string_view yaml) { return Converter().Run(yaml); }

bool LooksLikeYaml(std::string_view text) {
  for (std::string_view word : {"AWSTemplateFormatVersion:", "Resources:", "Transform:",
                                "ApplicationDetail:", "ApplicationName:", "---\n"}) {
    if (text.starts_with(word)) return true;
    std::string line = "\n" + std::string(word);
    if (text.find(line) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace millstream::analytics
