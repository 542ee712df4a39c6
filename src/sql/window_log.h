#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

namespace millstream::sql {

// The rows that a window over time holds, of all its partitions, oldest first: per row its time,
// its partition's number and the values that its leaving takes away, as columns of pages. A row of
// one number costs 17 bytes.
class WindowLog {
 public:
  // Columns that keep eight bytes a row, and those that only keep whether there is a value.
  WindowLog(std::size_t words, std::size_t columns) : words_(words), columns_(columns) {}

  struct Page {
    std::unique_ptr<char[]> memory;
    int64_t base = 0;  // what times count from
    uint32_t rows = 0, capacity = 0;
    int64_t* words(std::size_t column) const {
      return reinterpret_cast<int64_t*>(memory.get()) + column * capacity;
    }
    uint32_t* times = nullptr;
    uint32_t* groups = nullptr;
    uint8_t* valid(std::size_t column) const {
      return reinterpret_cast<uint8_t*>(groups + capacity) + column * capacity;
    }
    int64_t time(uint32_t row) const { return base + times[row]; }
  };

  // Room for the first of `rows` rows of these ascending times, in the last page; `rows` becomes
  // how many of them, at least one. Their times are set; the caller fills in the rest, from row
  // Page::rows on, and adds to it.
  Page& Room(const int64_t* times, uint32_t& rows) {
    constexpr int64_t kSpan = 0xFFFFFFFF;
    if (pages_.empty() || pages_.back().rows == pages_.back().capacity ||
        times[0] - pages_.back().base > kSpan) {
      AddPage(times[0]);
    }
    Page& page = pages_.back();
    rows = std::min(rows, page.capacity - page.rows);
    while (times[rows - 1] - page.base > kSpan) --rows;
    for (uint32_t i = 0; i < rows; ++i)
      page.times[page.rows + i] = static_cast<uint32_t>(times[i] - page.base);
    return page;
  }
  bool empty() const { return pages_.empty(); }
  std::deque<Page>& pages() { return pages_; }
  const std::deque<Page>& pages() const { return pages_; }
  uint32_t head() const { return head_; }  // first row of the first page
  std::size_t held_bytes() const { return held_; }

  // Forgets what lies before row `head` of page `pages`.
  void Drop(std::size_t pages, uint32_t head) {
    for (; pages > 0; --pages) {
      held_ -= BytesOf(pages_.front().capacity);
      if (pages_.front().capacity == kPageRows) spare_ = std::move(pages_.front().memory);
      pages_.pop_front();
    }
    head_ = head;
  }

 private:
  static constexpr uint32_t kPageRows = 4096, kFirstRows = 64;

  std::size_t BytesOf(uint32_t capacity) const { return capacity * (8 * words_ + 8 + columns_); }
  void AddPage(int64_t time) {
    Page page;
    page.capacity = pages_.empty() ? kFirstRows : std::min(kPageRows, pages_.back().capacity * 4);
    if (page.capacity == kPageRows && spare_ != nullptr) {
      page.memory = std::move(spare_);
    } else {
      page.memory.reset(new char[BytesOf(page.capacity)]);
    }
    held_ += BytesOf(page.capacity);
    page.base = time;
    page.times = reinterpret_cast<uint32_t*>(page.memory.get() + 8 * words_ * page.capacity);
    page.groups = page.times + page.capacity;
    pages_.push_back(std::move(page));
  }

  std::size_t words_, columns_;
  std::deque<Page> pages_;
  uint32_t head_ = 0;
  std::unique_ptr<char[]> spare_;
  std::size_t held_ = 0;
};

}  // namespace millstream::sql
