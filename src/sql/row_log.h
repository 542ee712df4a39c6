#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sql/batch.h"

namespace millstream::sql {

// Rows kept in the order in which they came, as columns, numbered from 0: what an operator waits with
// or looks back at. Appending and dropping copy whole columns and allocate once per kBatchRows rows.
class RowLog {
 public:
  explicit RowLog(std::vector<Physical> columns) : physical_(std::move(columns)) {}

  uint64_t first() const { return first_; }
  uint64_t end() const { return end_; }
  bool empty() const { return first_ == end_; }
  uint64_t size() const { return end_ - first_; }

  // Rows [from, to) of columns and times; strings are copied.
  void Append(const std::vector<const Vector*>& columns, const int64_t* rowtime, int from, int to);
  // One row out of the bytes that AppendRow made of its first columns; the others are 0.
  void AppendPacked(std::string_view bytes, int64_t rowtime, int columns);

  // Forgets the rows before `number`; views of them end when it frees a chunk.
  void DropBefore(uint64_t number);
  bool Frees(uint64_t number) const {
    return !chunks_.empty() && base_ + kBatchRows <= std::min(number, end_);
  }
  void Clear();

  int64_t rowtime(uint64_t number) const { return At(number).rowtime()[RowOf(number)]; }
  // The column in which the row lies, at RowOf(number).
  Vector& column(uint64_t number, int column) { return At(number).column(column); }
  const Vector& column(uint64_t number, int column) const { return At(number).column(column); }
  static int RowOf(uint64_t number) { return static_cast<int>(number % kBatchRows); }

  // Copies `columns` columns of rows, one behind the other, into those of `to` from `first` on, from
  // its row `row` on. Strings are views of this log.
  void Read(const uint64_t* numbers, int count, int columns, RowBuffer& to, int row,
            int first) const;
  // Packs the first columns of a row as AppendRow does.
  void Pack(uint64_t number, int columns, std::string& out) const;

  std::size_t bytes() const { return bytes_; }

 private:
  struct Chunk {
    RowBuffer rows;
    std::size_t bytes = 0;
  };
  RowBuffer& At(uint64_t number) const { return chunks_[(number - base_) / kBatchRows]->rows; }
  // The chunk that takes the next row.
  Chunk& Open();
  void DropFront();

  std::vector<Physical> physical_;
  std::deque<std::unique_ptr<Chunk>> chunks_;
  std::unique_ptr<Chunk> spare_;
  uint64_t base_ = 0;  // number of the first row of the first chunk
  uint64_t first_ = 0;
  uint64_t end_ = 0;
  std::size_t bytes_ = 0;
};

// The rows from `from` on with their first columns, in the form of the other SaveRows: checkpoints.
void SaveRows(const RowLog& rows, uint64_t from, int columns, std::string& out);
bool RestoreRows(std::string_view& in, RowLog& rows, int columns);

}  // namespace millstream::sql
