#pragma once

#include <cstdint>
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "sql/type.h"

// Rows as columns. A batch holds at most kBatchRows rows, so that the columns an operator works on
// stay in the first-level cache. Validity is a byte per row (1: a value, 0: NULL): the compilers
// vectorise loops over bytes, and at this size bits would save nothing.
namespace millstream::sql {

inline constexpr int kBatchRows = 1024;

// Memory for the strings of one batch: grows by doubling blocks, forgotten all at once, never given
// back while in use.
class Arena {
 public:
  char* Allocate(std::size_t size) {
    if (size > left_) Grow(size);
    char* out = next_;
    next_ += size;
    left_ -= size;
    used_ += size;
    return out;
  }
  std::string_view Copy(std::string_view text) {
    if (text.empty()) return {};
    char* out = Allocate(text.size());
    std::memcpy(out, text.data(), text.size());
    return {out, text.size()};
  }
  std::string_view Concat(std::string_view a, std::string_view b) {
    char* out = Allocate(a.size() + b.size());
    if (!a.empty()) std::memcpy(out, a.data(), a.size());
    if (!b.empty()) std::memcpy(out + a.size(), b.data(), b.size());
    return {out, a.size() + b.size()};
  }
  // Keeps the largest block for reuse.
  void Reset() {
    if (blocks_.size() > 1) {
      auto last = std::move(blocks_.back());
      blocks_.clear();
      blocks_.push_back(std::move(last));
    }
    next_ = blocks_.empty() ? nullptr : blocks_[0].data.get();
    left_ = blocks_.empty() ? 0 : blocks_[0].size;
    used_ = 0;
  }
  std::size_t used_bytes() const { return used_; }

 private:
  struct Block {
    std::unique_ptr<char[]> data;
    std::size_t size;
  };
  void Grow(std::size_t size_min) {
    std::size_t size = blocks_.empty() ? 16 * 1024 : std::min<std::size_t>(blocks_.back().size * 2, 8 << 20);
    size = std::max(size, size_min);
    blocks_.push_back({std::unique_ptr<char[]>(new char[size]), size});
    next_ = blocks_.back().data.get();
    left_ = size;
  }
  std::vector<Block> blocks_;
  char* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t used_ = 0;
};

// One column of up to kBatchRows values. Strings are views into an arena or an input batch that
// lives as long as the call that pushes it.
class Vector {
 public:
  Vector() = default;
  explicit Vector(Physical physical) { Init(physical); }
  void Init(Physical physical) {
    physical_ = physical;
    std::size_t width = physical == Physical::kString ? sizeof(std::string_view) : 8;
    data_.reset(new char[width * kBatchRows]);
    valid_.reset(new uint8_t[kBatchRows]);
    std::memset(valid_.get(), 1, kBatchRows);
    std::memset(data_.get(), 0, width * kBatchRows);
  }

  Physical physical() const { return physical_; }
  int64_t* ints() { return reinterpret_cast<int64_t*>(data_.get()); }
  const int64_t* ints() const { return reinterpret_cast<const int64_t*>(data_.get()); }
  double* doubles() { return reinterpret_cast<double*>(data_.get()); }
  const double* doubles() const { return reinterpret_cast<const double*>(data_.get()); }
  std::string_view* strings() { return reinterpret_cast<std::string_view*>(data_.get()); }
  const std::string_view* strings() const {
    return reinterpret_cast<const std::string_view*>(data_.get());
  }
  uint8_t* valid() { return valid_.get(); }
  const uint8_t* valid() const { return valid_.get(); }

  // False promises that no row is NULL; true promises nothing.
  bool has_nulls() const { return has_nulls_; }
  void set_has_nulls(bool has_nulls) { has_nulls_ = has_nulls; }
  void SetNull(int row) {
    valid_[row] = 0;
    has_nulls_ = true;
  }
  // All rows are values, for now. Not only those of the coming batch: a shorter one would leave NULLs
  // behind it that a longer one then takes for its own.
  void ClearNulls() {
    if (has_nulls_) std::memset(valid_.get(), 1, kBatchRows);
    has_nulls_ = false;
  }

  // Copies row `from` of `source` (of the same physical form) to row `to`; strings are shared.
  void CopyRow(int to, const Vector& source, int from) {
    if (physical_ == Physical::kString) {
      strings()[to] = source.strings()[from];
    } else {
      ints()[to] = source.ints()[from];
    }
    valid_[to] = source.valid_[from];
    has_nulls_ |= source.has_nulls_;
  }
  void SetValue(int row, const Value& value, Arena& arena);
  Value GetValue(int row, const Type& type) const;

 private:
  Physical physical_ = Physical::kInt;
  bool has_nulls_ = false;
  std::unique_ptr<char[]> data_;
  std::unique_ptr<uint8_t[]> valid_;
};

// A view of rows: nothing in it is owned. Rows are ascending in rowtime.
struct Batch {
  int rows = 0;
  const int64_t* rowtime = nullptr;
  std::vector<const Vector*> columns;
};

// Rows that are owned: what an operator builds before it pushes.
class RowBuffer {
 public:
  RowBuffer() = default;
  explicit RowBuffer(const std::vector<Physical>& columns) { Init(columns); }
  void Init(const std::vector<Physical>& columns);

  bool full() const { return rows_ == kBatchRows; }
  int rows() const { return rows_; }
  Vector& column(int i) { return columns_[static_cast<std::size_t>(i)]; }
  int64_t* rowtime() { return rowtime_.data(); }
  Arena& arena() { return arena_; }
  // Row rows() must be filled before.
  void Commit(int64_t rowtime) { rowtime_[static_cast<std::size_t>(rows_++)] = rowtime; }
  void set_rows(int rows) { rows_ = rows; }
  // Takes rows out again; ascending.
  void RemoveRows(const std::vector<int>& rows);
  const Batch& view();
  void Clear();

 private:
  int rows_ = 0;
  std::vector<int64_t> rowtime_;
  std::vector<Vector> columns_;
  Arena arena_;
  Batch view_;
};

// A row kept across batches: operators' state.
struct StoredRow {
  int64_t rowtime = 0;
  std::string bytes;
};

// Packs the values of one row into bytes and back; the form is private to one process version and
// is what checkpoints hold.
void AppendRow(const Batch& batch, int row, std::string& out);
// Reads one row at `bytes` into row `row` of the buffer's columns from `first`; returns the bytes
// used. Strings refer to `bytes`.
std::size_t ReadRow(std::string_view bytes, RowBuffer& to, int row, int first, int columns);

}  // namespace millstream::sql
