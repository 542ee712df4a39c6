#include "http/output_queue.h"

#include "base/check.h"

namespace millstream::http {
namespace {

// Above this a part of its own in writev costs less than copying.
constexpr std::size_t kShareBytesMin = 16 << 10;

}  // namespace

void OutputQueue::Append(std::string_view text) {
  tail_.Append(text);
  size_ += text.size();
}

void OutputQueue::Append(base::Bytes bytes) {
  if (bytes.size() < kShareBytesMin) return Append(bytes.view());
  SealTail();
  size_ += bytes.size();
  sealed_.push_back(std::move(bytes));
}

void OutputQueue::SealTail() {
  if (tail_.empty()) return;
  sealed_.push_back(std::move(tail_).Share());
}

int OutputQueue::Gather(iovec* parts, int max) const {
  int count = 0;
  std::size_t skip = offset_;
  for (std::size_t i = first_; i < sealed_.size() && count < max; ++i) {
    parts[count].iov_base = const_cast<char*>(sealed_[i].data()) + skip;
    parts[count].iov_len = sealed_[i].size() - skip;
    ++count;
    skip = 0;
  }
  if (count < max && tail_.size() > skip) {
    parts[count].iov_base = const_cast<char*>(tail_.data()) + skip;
    parts[count].iov_len = tail_.size() - skip;
    ++count;
  }
  return count;
}

void OutputQueue::Consume(std::size_t bytes) {
  CHECK(bytes <= size_);
  size_ -= bytes;
  if (size_ == 0) {
    first_ = offset_ = 0;
    sealed_.clear();
    tail_ = base::Buffer();
    return;
  }
  bytes += offset_;
  while (first_ < sealed_.size() && bytes >= sealed_[first_].size()) {
    bytes -= sealed_[first_].size();
    sealed_[first_] = base::Bytes();
    ++first_;
  }
  offset_ = bytes;
  if (first_ == sealed_.size()) {
    sealed_.clear();
    first_ = 0;
    // What remains of the tail becomes a part of its own, so that it is not copied as it grows.
    if (offset_ > 0) SealTail();
  }
}

void OutputQueue::Clear() {
  if (size_ > 0) Consume(size_);
}

}  // namespace millstream::http
