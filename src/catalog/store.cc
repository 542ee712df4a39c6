#include "catalog/store.h"

#include <sqlite3.h>

#include <mutex>
#include <utility>

namespace millstream::catalog {
namespace {

constexpr int kApplicationId = 0x4d696c6c;  // "Mill", in the file's header
constexpr int kSchemaVersion = 1;

base::Code CodeOf(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return base::Code::kDataLoss;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return base::Code::kFailedPrecondition;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return base::Code::kUnavailable;
    default:
      return base::Code::kInternal;
  }
}

std::string_view RemedyOf(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "; the file is damaged or no catalog: restore it from a backup";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "; another process uses this data directory";
    case SQLITE_FULL:
      return "; no space left";
    default:
      return "";
  }
}

// A prepared statement that is reset whenever a user of it goes out of scope.
class Statement {
 public:
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  ~Statement() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Statement(const Statement&) = delete;

  void Bind(int at, std::string_view blob) {
    // An empty view may have a null pointer, which SQLite would store as NULL.
    sqlite3_bind_blob64(statement_, at, blob.data() == nullptr ? "" : blob.data(), blob.size(),
                        SQLITE_STATIC);
  }
  int Step() { return sqlite3_step(statement_); }
  std::string Column(int i) {
    const void* data = sqlite3_column_blob(statement_, i);
    auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, i));
    return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size);
  }

 private:
  sqlite3_stmt* statement_;
};

// The least string greater than every string with this prefix; empty when there is none.
std::string PrefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty()) {
    auto last = static_cast<unsigned char>(end.back());
    if (last != 0xff) {
      end.back() = static_cast<char>(last + 1);
      return end;
    }
    end.pop_back();
  }
  return end;
}

}  // namespace

void Transaction::Put(std::string_view kind, std::string_view key, std::string_view value) {
  changes_.push_back({Action::kPut, std::string(kind), std::string(key), std::string(value)});
}

void Transaction::Delete(std::string_view kind, std::string_view key) {
  changes_.push_back({Action::kDelete, std::string(kind), std::string(key), {}});
}

void Transaction::DeletePrefix(std::string_view kind, std::string_view key_prefix) {
  changes_.push_back({Action::kDeletePrefix, std::string(kind), std::string(key_prefix), {}});
}

struct Store::Database {
  std::string path;
  std::mutex mutex;
  sqlite3* handle = nullptr;  // this and the statements: guarded by mutex
  sqlite3_stmt* put = nullptr;
  sqlite3_stmt* remove = nullptr;
  sqlite3_stmt* remove_range = nullptr;
  sqlite3_stmt* get = nullptr;
  sqlite3_stmt* scan = nullptr;

  ~Database() {
    for (sqlite3_stmt* statement : {put, remove, remove_range, get, scan}) {
      sqlite3_finalize(statement);
    }
    sqlite3_close(handle);
  }

  tl::unexpected<base::Error> Failure(std::string_view what) {
    int code = handle == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(handle);
    std::string message = "catalog " + path + ": " + std::string(what) + ": " +
                          (handle == nullptr ? "out of memory" : sqlite3_errmsg(handle)) +
                          std::string(RemedyOf(code));
    return base::Fail(CodeOf(code), std::move(message));
  }

  base::Status Execute(const char* sql) {
    if (sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return Failure(sql);
    return {};
  }

  base::Result<int64_t> Number(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(handle, sql, -1, &statement, nullptr) != SQLITE_OK) return Failure(sql);
    int step = sqlite3_step(statement);
    int64_t value = step == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    if (step != SQLITE_ROW) return Failure(sql);
    return value;
  }

  base::Status Check() {
    sqlite3_stmt* statement = nullptr;
    const char* sql = "PRAGMA quick_check(1)";
    if (sqlite3_prepare_v2(handle, sql, -1, &statement, nullptr) != SQLITE_OK) return Failure(sql);
    int step = sqlite3_step(statement);
    std::string answer;
    if (step == SQLITE_ROW) {
      answer = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
    }
    sqlite3_finalize(statement);
    if (step != SQLITE_ROW) return Failure(sql);
    if (answer == "ok") return {};
    return base::Fail(base::Code::kDataLoss, "catalog " + path + ": " + answer +
                                                 "; the file is damaged: restore it from a backup");
  }

  base::Status Prepare(const char* sql, sqlite3_stmt** statement) {
    if (sqlite3_prepare_v3(handle, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, nullptr) !=
        SQLITE_OK) {
      return Failure(sql);
    }
    return {};
  }

  base::Status Migrate() {
    ASSIGN_OR_RETURN(int64_t application, Number("PRAGMA application_id"));
    ASSIGN_OR_RETURN(int64_t version, Number("PRAGMA user_version"));
    if (application == 0 && version == 0) {
      ASSIGN_OR_RETURN(int64_t tables, Number("SELECT count(*) FROM sqlite_master"));
      if (tables != 0) {
        return base::Fail(base::Code::kDataLoss,
                          "catalog " + path + ": a SQLite file of another program");
      }
      return Execute(
          "BEGIN IMMEDIATE;"
          "CREATE TABLE facts (kind BLOB NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,"
          " PRIMARY KEY (kind, key)) WITHOUT ROWID;"
          "PRAGMA application_id = 1298754668;"  // kApplicationId
          "PRAGMA user_version = 1;"
          "COMMIT;");
    }
    if (application != kApplicationId) {
      return base::Fail(base::Code::kDataLoss,
                        "catalog " + path + ": a SQLite file of another program");
    }
    if (version > kSchemaVersion) {
      return base::Fail(base::Code::kFailedPrecondition,
                        "catalog " + path + ": written by a newer version (schema " +
                            std::to_string(version) + ", this program knows " +
                            std::to_string(kSchemaVersion) + "); use that version");
    }
    return {};
  }

  base::Status Apply(const Transaction::Change& change) {
    switch (change.action) {
      case Transaction::Action::kPut: {
        Statement statement(put);
        statement.Bind(1, change.kind);
        statement.Bind(2, change.key);
        statement.Bind(3, change.value);
        if (statement.Step() != SQLITE_DONE) return Failure("put");
        return {};
      }
      case Transaction::Action::kDelete: {
        Statement statement(remove);
        statement.Bind(1, change.kind);
        statement.Bind(2, change.key);
        if (statement.Step() != SQLITE_DONE) return Failure("delete");
        return {};
      }
      case Transaction::Action::kDeletePrefix: {
        std::string end = PrefixEnd(change.key);
        Statement statement(remove_range);
        statement.Bind(1, change.kind);
        statement.Bind(2, change.key);
        statement.Bind(3, end);
        if (statement.Step() != SQLITE_DONE) return Failure("delete prefix");
        return {};
      }
    }
    return {};
  }
};

Store::Store(std::unique_ptr<Database> database) : database_(std::move(database)) {}
Store::~Store() = default;

base::Result<std::unique_ptr<Store>> Store::Open(const std::string& path) {
  auto database = std::make_unique<Database>();
  Database& db = *database;
  db.path = path;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(path.c_str(), &db.handle, flags, nullptr) != SQLITE_OK) {
    return db.Failure("opening");
  }
  sqlite3_extended_result_codes(db.handle, 1);
  // One process per data directory: the lock is taken with the first access and kept, which also
  // keeps the WAL index in memory.
  TRY(db.Execute("PRAGMA locking_mode = EXCLUSIVE"));
  TRY(db.Execute("PRAGMA journal_mode = WAL"));
  TRY(db.Execute("PRAGMA synchronous = FULL"));
  TRY(db.Execute("PRAGMA foreign_keys = ON"));
  TRY(db.Execute("BEGIN IMMEDIATE; COMMIT"));
  TRY(db.Check());
  TRY(db.Migrate());
  TRY(db.Prepare("INSERT INTO facts (kind, key, value) VALUES (?1, ?2, ?3)"
                 " ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
                 &db.put));
  TRY(db.Prepare("DELETE FROM facts WHERE kind = ?1 AND key = ?2", &db.remove));
  TRY(db.Prepare("DELETE FROM facts WHERE kind = ?1 AND key >= ?2 AND (length(?3) = 0 OR key < ?3)",
                 &db.remove_range));
  TRY(db.Prepare("SELECT value FROM facts WHERE kind = ?1 AND key = ?2", &db.get));
  TRY(db.Prepare("SELECT key, value FROM facts WHERE kind = ?1 AND key >= ?2"
                 " AND (length(?3) = 0 OR key < ?3) ORDER BY key",
                 &db.scan));
  return std::unique_ptr<Store>(new Store(std::move(database)));
}

base::Status Store::Commit(const Transaction& transaction) {
  if (transaction.empty()) return {};
  std::lock_guard lock(database_->mutex);
  TRY(database_->Execute("BEGIN IMMEDIATE"));
  for (const Transaction::Change& change : transaction.changes_) {
    if (auto applied = database_->Apply(change); !applied) {
      sqlite3_exec(database_->handle, "ROLLBACK", nullptr, nullptr, nullptr);
      return applied;
    }
  }
  if (auto committed = database_->Execute("COMMIT"); !committed) {
    sqlite3_exec(database_->handle, "ROLLBACK", nullptr, nullptr, nullptr);
    return committed;
  }
  return {};
}

base::Result<std::optional<std::string>> Store::Get(std::string_view kind, std::string_view key) {
  std::lock_guard lock(database_->mutex);
  Statement statement(database_->get);
  statement.Bind(1, kind);
  statement.Bind(2, key);
  switch (statement.Step()) {
    case SQLITE_ROW:
      return statement.Column(0);
    case SQLITE_DONE:
      return std::nullopt;
    default:
      return database_->Failure("get");
  }
}

base::Result<std::vector<Row>> Store::Scan(std::string_view kind, std::string_view key_prefix) {
  std::string end = PrefixEnd(key_prefix);
  std::lock_guard lock(database_->mutex);
  Statement statement(database_->scan);
  statement.Bind(1, kind);
  statement.Bind(2, key_prefix);
  statement.Bind(3, end);
  std::vector<Row> rows;
  for (;;) {
    int step = statement.Step();
    if (step == SQLITE_DONE) return rows;
    if (step != SQLITE_ROW) return database_->Failure("scan");
    rows.push_back({statement.Column(0), statement.Column(1)});
  }
}

}  // namespace millstream::catalog
