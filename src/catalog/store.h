#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millstream::catalog {

// One remembered fact: its kind ("stream", "shard"), its key within the kind, and its value, whose
// bytes only the caller understands.
struct Row {
  std::string key;
  std::string value;
};

// Changes that happen together or not at all. Later changes of a key win.
class Transaction {
 public:
  void Put(std::string_view kind, std::string_view key, std::string_view value);
  void Delete(std::string_view kind, std::string_view key);
  void DeletePrefix(std::string_view kind, std::string_view key_prefix);
  bool empty() const { return changes_.empty(); }

 private:
  friend class Store;
  enum class Action { kPut, kDelete, kDeletePrefix };
  struct Change {
    Action action;
    std::string kind;
    std::string key;
    std::string value;
  };
  std::vector<Change> changes_;
};

// Durable metadata in one SQLite file: small, transactional, and read as a whole at the start.
//
// Thread-safe, but blocking (a commit syncs the disk): call it from a Job, never from a loop.
class Store {
 public:
  // Creates the file when missing. kDataLoss when it is no catalog or fails SQLite's check, naming
  // the file; kFailedPrecondition when a newer Millstream wrote it or another process has it open.
  static base::Result<std::unique_ptr<Store>> Open(const std::string& path);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Durable when it returns. A failure leaves everything as it was.
  base::Status Commit(const Transaction& transaction);

  base::Result<std::optional<std::string>> Get(std::string_view kind, std::string_view key);
  // All rows of a kind whose key begins with `key_prefix`, by key in byte order.
  base::Result<std::vector<Row>> Scan(std::string_view kind, std::string_view key_prefix = "");

 private:
  struct Database;
  explicit Store(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

}  // namespace millstream::catalog
