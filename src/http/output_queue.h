#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace millstream::http {

// Bytes on their way to one peer: small ones gathered in one buffer, large ones kept where they
// are. Holds no memory while it is empty. One thread.
class OutputQueue {
 public:
  void Append(std::string_view text);  // copies
  void Append(base::Bytes bytes);      // copies small ones, shares large ones
  // Writes straight into the queue: at most `room` bytes at the returned place, then Commit().
  char* Room(std::size_t room) { return tail_.Room(room); }
  void Commit(std::size_t written) {
    tail_.Commit(written);
    size_ += written;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Points up to `max` parts at the first bytes of the queue; the count of parts set.
  int Gather(iovec* parts, int max) const;
  void Consume(std::size_t bytes);
  void Clear();

 private:
  void SealTail();

  std::vector<base::Bytes> sealed_;  // sent before tail_; [first_, end) wait
  std::size_t first_ = 0;
  std::size_t offset_ = 0;  // bytes of the first part that are sent
  base::Buffer tail_;
  std::size_t size_ = 0;
};

}  // namespace millstream::http
