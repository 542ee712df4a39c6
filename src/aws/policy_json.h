#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// A small JSON tree that remembers where each value stood, so that a policy's errors can say
// "line 3, column 12". For documents of a few kilobytes; requests use the engines in protocol.h.
namespace millstream::aws {

struct PolicyJson {
  struct Member;
  enum class Kind : uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  bool boolean = false;
  uint32_t offset = 0;            // of the first character in the document
  std::string text;               // of a string, unescaped; of a number or boolean, as written
  std::vector<PolicyJson> items;  // of an array
  std::vector<Member> members;    // of an object, in order

  const PolicyJson* Find(std::string_view name) const;  // null when missing
};

struct PolicyJson::Member {
  std::string name;
  PolicyJson value;
};

// At most 256 KiB, 16 levels; duplicate member names are an error.
base::Result<PolicyJson> ParsePolicyJson(std::string_view document);

// "line 3, column 12"
std::string PolicyPosition(std::string_view document, std::size_t offset);

}  // namespace millstream::aws
