#include "analytics/document_node.h"

#include <fmt/format.h>

namespace millstream::analytics {

using codec::JsonValue;

namespace {

constexpr std::size_t kNotesMax = 100;  // then one more says so
constexpr int kReferenceDepthMax = 16;

std::string Joined(const std::string& path, std::string_view member) {
  return path.empty() ? std::string(member) : fmt::format("{}.{}", path, member);
}

// {"Ref": "X"}, {"Fn::Sub": ...}: the name of the function when it is one.
std::string_view FunctionOf(JsonValue value) {
  if (!value.is_object() || value.size() != 1) return {};
  std::string_view key = (*value.begin()).key();
  return key == "Ref" || key.starts_with("Fn::") ? key : std::string_view();
}

}  // namespace

const std::string& Node::name() const {
  static const std::string kNone;
  return *this ? context_->entries_[place_].name : kNone;
}

std::optional<JsonValue> Node::Find(Names names) const {
  if (!*this) return std::nullopt;
  DocumentContext::Entry& entry = context_->entries_[place_];
  std::optional<JsonValue> found;
  for (std::string_view name : names) {
    auto member = entry.value.Find(name);
    if (!member) continue;
    entry.used.emplace(name);
    if (!found && !member->is_null()) found = *member;
  }
  return found;
}

bool Node::Has(std::string_view member) const {
  return *this && context_->entries_[place_].value.Find(member).has_value();
}

Node Node::Get(Names names) const {
  auto value = Find(names);
  if (!value) return {};
  std::string path = Joined(context_->entries_[place_].path, value->key());
  std::string member(value->key());
  if (value->is_array()) {
    if (value->size() == 0) return {};
    value = *value->begin();
  }
  return value->is_object() ? context_->Add(*value, std::move(path), std::move(member)) : Node();
}

std::vector<Node> Node::List(Names names) const {
  std::vector<Node> out;
  auto value = Find(names);
  if (!value) return out;
  std::string path = Joined(context_->entries_[place_].path, value->key());
  if (value->is_object()) {
    out.push_back(context_->Add(*value, path, {}));
    return out;
  }
  std::size_t n = 0;
  for (JsonValue element : *value) {
    std::string at = fmt::format("{}[{}]", path, n++);
    if (element.is_object()) {
      out.push_back(context_->Add(element, at, {}));
    } else {
      context_->Note(at, "not an object");
    }
  }
  return out;
}

std::vector<Node> Node::Members() const {
  std::vector<Node> out;
  if (!*this) return out;
  JsonValue self = context_->entries_[place_].value;
  std::string path = context_->entries_[place_].path;
  SkipAll();
  for (JsonValue member : self) {
    JsonValue value = member;  // a block of Terraform may stand in a list
    if (value.is_array() && value.size() == 1) value = *value.begin();
    if (value.is_object()) {
      out.push_back(context_->Add(value, Joined(path, member.key()), std::string(member.key())));
    }
  }
  return out;
}

std::string Node::Text(Names names) const {
  auto value = Find(names);
  if (!value) return {};
  return context_->Resolve(*value, Joined(context_->entries_[place_].path, value->key()));
}

std::optional<int64_t> Node::Int(Names names) const {
  auto value = Find(names);
  if (!value) return std::nullopt;
  if (value->is_number()) return value->AsInt64();
  std::string path = Joined(context_->entries_[place_].path, value->key());
  std::string text = context_->Resolve(*value, path);
  int64_t number = 0;
  auto parsed = codec::JsonDocument::Parse(text);
  if (parsed && parsed->root().is_number() && parsed->root().AsInt64()) {
    number = *parsed->root().AsInt64();
    return number;
  }
  context_->Note(path, "not a number");
  return std::nullopt;
}

void Node::Skip(Names names) const {
  if (!*this) return;
  for (std::string_view name : names) context_->entries_[place_].used.emplace(name);
}

void Node::SkipAll() const {
  if (*this) context_->entries_[place_].skip_all = true;
}

void Node::Note(std::string_view member, std::string_view what) const {
  if (*this) context_->Note(Joined(context_->entries_[place_].path, member), what);
}

DocumentContext::DocumentContext(JsonValue root, std::vector<std::string>& notes)
    : root_(root), notes_(notes) {
  Add(root, "", "");
}

Node DocumentContext::Add(JsonValue value, std::string path, std::string name) {
  entries_.push_back({value, std::move(path), std::move(name), {}, false});
  return Node(this, entries_.size() - 1);
}

void DocumentContext::Note(const std::string& path, std::string_view what) {
  if (notes_.size() < kNotesMax) {
    notes_.push_back(fmt::format("{}: {}", path, what));
  } else if (notes_.size() == kNotesMax) {
    notes_.push_back("more parts were not used; only the first 100 are named");
  }
}

void DocumentContext::NoteUnused() {
  std::set<std::string> noted;  // one object may have been asked for twice
  for (const Entry& entry : entries_) {
    if (entry.skip_all) continue;
    for (JsonValue member : entry.value) {
      if (entry.used.count(member.key()) != 0 || member.is_null()) continue;
      if (member.is_array() && member.size() == 0) continue;
      std::string path = Joined(entry.path, member.key());
      if (noted.insert(path).second) Note(path, "not used");
    }
  }
}

std::string DocumentContext::Resolve(JsonValue value, const std::string& path, int depth) {
  switch (value.type()) {
    case JsonValue::Type::kString:
      return std::string(value.AsString());
    case JsonValue::Type::kNumber:
      return std::string(value.NumberText());
    case JsonValue::Type::kBool:
      return value.AsBool() ? "true" : "false";
    case JsonValue::Type::kNull:
      return {};
    default:
      break;
  }
  std::string_view function = FunctionOf(value);
  if (function.empty() || depth >= kReferenceDepthMax) {
    Note(path, "expected a text");
    return {};
  }
  JsonValue argument = *value.begin();
  if (function == "Ref" && argument.is_string())
    return ResolveReference(argument.AsString(), path, depth);
  if (function == "Fn::GetAtt") {  // ["X", "Arn"] or "X.Arn"
    if (argument.is_string()) {
      std::string_view name = argument.AsString();
      return ResolveReference(name.substr(0, name.find('.')), path, depth);
    }
    if (argument.is_array() && argument.size() > 0 && (*argument.begin()).is_string()) {
      return ResolveReference((*argument.begin()).AsString(), path, depth);
    }
  }
  if (function == "Fn::Sub") {
    if (argument.is_string()) return Substitute(argument.AsString(), path, depth);
    if (argument.is_array() && argument.size() > 0 && (*argument.begin()).is_string()) {
      auto variables = argument.begin();
      if (++variables != argument.end() && (*variables).is_object()) {
        return Substitute((*argument.begin()).AsString(), path, depth, *variables);
      }
      return Substitute((*argument.begin()).AsString(), path, depth);
    }
  }
  if (function == "Fn::Join" && argument.is_array() && argument.size() == 2) {
    auto part = argument.begin();
    std::string separator = Resolve(*part, path, depth + 1);
    ++part;
    std::string out;
    std::size_t n = 0;
    for (JsonValue element : *part) {
      if (n++ > 0) out += separator;
      out += Resolve(element, path, depth + 1);
    }
    return out;
  }
  Note(path, fmt::format("{} cannot be resolved here", function));
  return {};
}

// A parameter's default, the name that a resource is given, or the logical name itself.
std::string DocumentContext::ResolveReference(std::string_view name, const std::string& path,
                                              int depth) {
  if (--resolutions_left_ < 0 || depth >= kReferenceDepthMax) return std::string(name);
  if (auto parameters = root_.Find("Parameters"); parameters && parameters->is_object()) {
    if (auto parameter = parameters->Find(name); parameter && parameter->is_object()) {
      if (auto value = parameter->Find("Default");
          value && !value->is_object() && !value->is_array()) {
        return Resolve(*value, path, depth + 1);
      }
      Note(path, fmt::format("parameter {} has no default; its name stands for it", name));
      return std::string(name);
    }
  }
  if (auto resources = root_.Find("Resources"); resources && resources->is_object()) {
    if (auto resource = resources->Find(name); resource && resource->is_object()) {
      if (auto properties = resource->Find("Properties"); properties && properties->is_object()) {
        for (std::string_view key :
             {"Name", "DeliveryStreamName", "FunctionName", "BucketName", "ApplicationName"}) {
          auto given = properties->Find(key);
          if (given && (given->is_string() || !FunctionOf(*given).empty())) {
            return Resolve(*given, path, depth + 1);
          }
        }
      }
    }
  }
  return std::string(name);
}

std::string DocumentContext::Substitute(std::string_view text, const std::string& path, int depth,
                                        std::optional<JsonValue> variables) {
  std::string out;
  while (true) {
    std::size_t start = text.find("${");
    out += text.substr(0, start);
    if (start == std::string_view::npos) return out;
    text.remove_prefix(start + 2);
    std::size_t end = text.find('}');
    if (end == std::string_view::npos) return out + "${" + std::string(text);
    std::string_view name = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (!name.empty() && name[0] == '!') {  // ${!literal}
      out += fmt::format("${{{}}}", name.substr(1));
      continue;
    }
    std::optional<JsonValue> given;
    if (variables) {
      if (auto found = variables->Find(name)) given = *found;
    }
    if (given) {
      out += --resolutions_left_ < 0 ? std::string(name) : Resolve(*given, path, depth + 1);
    } else {
      out += ResolveReference(name.substr(0, name.find('.')), path, depth);
    }
  }
}

}  // namespace millstream::analytics
