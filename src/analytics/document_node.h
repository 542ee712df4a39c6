#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "codec/json_value.h"

namespace millstream::analytics {

class DocumentContext;

// An object of a document that is being read, or nothing. Members are asked for under all the names
// that sources have for them; what nobody asked for is noted in the end. A pointer into its
// DocumentContext: copy it freely.
class Node {
 public:
  using Names = std::initializer_list<std::string_view>;

  Node() = default;
  explicit operator bool() const { return context_ != nullptr; }
  const std::string& name() const;

  bool Has(std::string_view member) const;
  // The first of these members that is there and no null. A block of Terraform is a list of at most
  // one: its element. Nothing when it is no object.
  Node Get(Names names) const;
  // Its elements; a single object counts as a list of one.
  std::vector<Node> List(Names names) const;
  // All members that are objects.
  std::vector<Node> Members() const;
  // A text, a number or a truth value as text, or what a function of CloudFormation gives. Empty
  // when there is none.
  std::string Text(Names names) const;
  std::optional<int64_t> Int(Names names) const;

  // These may be there and say nothing of interest.
  void Skip(Names names) const;
  void SkipAll() const;
  void Note(std::string_view member, std::string_view what) const;

 private:
  friend class DocumentContext;
  Node(DocumentContext* context, std::size_t place) : context_(context), place_(place) {}
  std::optional<codec::JsonValue> Find(Names names) const;

  DocumentContext* context_ = nullptr;
  std::size_t place_ = 0;
};

// The document of the nodes; it outlives them. One thread.
class DocumentContext {
 public:
  DocumentContext(codec::JsonValue root, std::vector<std::string>& notes);
  Node root() { return Node(this, 0); }
  // A note for every member that was not asked for, in objects that were read.
  void NoteUnused();

 private:
  friend class Node;
  struct Entry {
    codec::JsonValue value;
    std::string path;  // "Inputs[0].InputSchema"
    std::string name;
    std::set<std::string, std::less<>> used;
    bool skip_all = false;
  };
  Node Add(codec::JsonValue value, std::string path, std::string name);
  std::string Resolve(codec::JsonValue value, const std::string& path, int depth = 0);
  std::string ResolveReference(std::string_view name, const std::string& path, int depth);
  std::string Substitute(std::string_view text, const std::string& path, int depth,
                         std::optional<codec::JsonValue> variables = {});
  void Note(const std::string& path, std::string_view what);

  codec::JsonValue root_;
  std::vector<Entry> entries_;
  std::vector<std::string>& notes_;
  // Names within names could multiply without end; a template that is meant has a few hundred.
  int resolutions_left_ = 100'000;
};

}  // namespace millstream::analytics
