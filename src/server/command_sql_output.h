#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/command_line.h"
#include "sql/application.h"

namespace millstream::server {

struct SqlPrinterOptions {
  SqlFormat format = SqlFormat::kNdjson;
  bool bare = false;
  int64_t rows_max = 0;  // 0: no end
};

// Prints rows of in-application streams to standard output through one buffer. One thread.
class SqlPrinter {
 public:
  explicit SqlPrinter(SqlPrinterOptions options);
  ~SqlPrinter();

  // To be called before rows come. The printer is the stream's sink from here on.
  base::Status Watch(sql::Application& application, const std::vector<std::string>& streams);
  // Writes what is there; what a person would want to see now.
  void Flush();
  // The rest, and on standard error what became of failed rows. Fails when results could not be
  // written; a reader that went away is no failure.
  base::Status Finish();

  // Nothing more is wanted: enough rows, or nobody reads.
  bool done() const;
  int64_t error_rows() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millstream::server
