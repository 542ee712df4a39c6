#pragma once

#include <compare>
#include <string>
#include <string_view>

namespace millstream::streams {

// Where a stream lives and what it is called there. Accounts and regions are isolated worlds.
struct StreamKey {
  std::string account;
  std::string region;
  std::string name;
  friend auto operator<=>(const StreamKey&, const StreamKey&) = default;
};

struct StreamKeyView {
  std::string_view account;
  std::string_view region;
  std::string_view name;

  StreamKeyView(std::string_view a, std::string_view r, std::string_view n)
      : account(a), region(r), name(n) {}
  StreamKeyView(const StreamKey& key)  // NOLINT: a view of it
      : account(key.account), region(key.region), name(key.name) {}
  StreamKey ToKey() const {
    return {std::string(account), std::string(region), std::string(name)};
  }
};

}  // namespace millstream::streams
