#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/json_span.h"

namespace millstream::server {

// Splits a file or standard input into records: the lines of a text, or the JSON values of a file
// that is one array or whose objects span lines. Bytes go through one buffer and records are views
// into it; nothing is copied. One thread.
class RecordReader {
 public:
  // "-" is standard input.
  static base::Result<std::unique_ptr<RecordReader>> Open(const std::string& path);
  ~RecordReader();
  RecordReader(const RecordReader&) = delete;
  RecordReader& operator=(const RecordReader&) = delete;

  // Records end with this instead of a line end.
  void set_delimiter(std::string delimiter) { delimiter_ = std::move(delimiter); }
  // Text is lines even when it looks like JSON over several.
  void set_lines_only() { decided_ = true; }

  // Up to `records` records that Read will give again: of what one buffer holds.
  base::Result<std::vector<std::string_view>> Peek(std::size_t records);
  // Forgets the next record (a header line).
  base::Status SkipOne();

  // Reads once and calls each(record) for every complete record; empty lines are no records. False
  // at the end. The views are valid during the call only. `each` returns false to stop.
  template <typename Each>
  base::Result<bool> Read(Each&& each) {
    TRY(Fill());
    std::string_view record;
    while (Next(record)) {
      if (!each(record)) return false;
    }
    return !ended_ || begin_ < end_;
  }

  // The same for who finds the ends of lines himself: complete lines go to lines(text) together,
  // each with its line end; other records to each(record).
  template <typename Lines, typename Each>
  base::Result<bool> Read(Lines&& lines, Each&& each) {
    TRY(Fill());
    if (decided_ && lines_ && delimiter_ == "\n") {
      const char* begin = buffer_.get() + begin_;
      if (const void* last = ::memrchr(begin, '\n', end_ - begin_); last != nullptr) {
        const auto size = static_cast<std::size_t>(static_cast<const char*>(last) + 1 - begin);
        begin_ += size;
        lines(std::string_view(begin, size));
      }
    }
    std::string_view record;
    while (Next(record)) each(record);
    return !ended_ || begin_ < end_;
  }

  // Whether the next Read would wait for whoever writes the pipe.
  bool WouldWait() const;
  const std::string& path() const { return path_; }

 private:
  RecordReader(std::string path, int fd);
  // Makes sure that new bytes are in the buffer, or that the input has ended.
  base::Status Fill();
  void Decide();

  // The next complete record; at the end of the input also one without an end.
  bool Next(std::string_view& record) {
    if (!lines_ || delimiter_ != "\n") return NextSlowly(record);
    while (begin_ < end_) {
      const char* start = buffer_.get() + begin_;
      const void* found = std::memchr(start, '\n', end_ - begin_);
      std::size_t size;
      if (found != nullptr) {
        size = static_cast<std::size_t>(static_cast<const char*>(found) - start);
        begin_ += size + 1;
      } else {
        if (!ended_) return false;
        size = end_ - begin_;
        begin_ = end_;
      }
      if (size == 0 || (size == 1 && *start == '\r')) continue;
      record = {start, size};
      return true;
    }
    return false;
  }
  bool NextSlowly(std::string_view& record);

  std::string path_;
  int fd_;
  bool regular_ = false;  // a file: reading never waits
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_;
  std::size_t begin_ = 0, end_ = 0;  // what has not been given yet
  std::size_t searched_ = 0;         // bytes behind begin_ that hold no record's end
  bool begun_ = false;
  bool ended_ = false;
  bool fresh_ = false;  // Peek has filled the buffer: Read need not
  bool decided_ = false;
  bool lines_ = true;
  std::string delimiter_ = "\n";
};

}  // namespace millstream::server
