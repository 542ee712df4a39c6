#include "sql/row_log.h"

#include "sql/operator.h"

namespace millstream::sql {

RowLog::Chunk& RowLog::Open() {
  if (end_ == base_ + chunks_.size() * kBatchRows) {
    if (!spare_) {
      spare_ = std::make_unique<Chunk>();
      spare_->rows.Init(physical_);
    }
    chunks_.push_back(std::move(spare_));
  }
  return *chunks_.back();
}

void RowLog::Append(const std::vector<const Vector*>& columns, const int64_t* rowtime, int from,
                    int to) {
  while (from < to) {
    Chunk& chunk = Open();
    RowBuffer& rows = chunk.rows;
    const int at = RowOf(end_);
    const int count = std::min(to - from, kBatchRows - at);
    const std::size_t n = static_cast<std::size_t>(count);
    std::memcpy(rows.rowtime() + at, rowtime + from, n * sizeof(int64_t));
    std::size_t bytes = n * sizeof(int64_t);
    for (std::size_t c = 0; c < physical_.size(); ++c) {
      const Vector& source = *columns[c];
      Vector& target = rows.column(static_cast<int>(c));
      if (source.has_nulls()) {
        std::memcpy(target.valid() + at, source.valid() + from, n);
        target.set_has_nulls(true);
      } else if (target.has_nulls()) {
        std::memset(target.valid() + at, 1, n);
      }
      if (physical_[c] != Physical::kString) {
        std::memcpy(target.ints() + at, source.ints() + from, n * sizeof(int64_t));
        bytes += n * (sizeof(int64_t) + 1);
        continue;
      }
      bytes += n * (sizeof(std::string_view) + 1);
      const uint8_t* valid = source.valid() + from;
      for (int i = 0; i < count; ++i) {
        std::string_view text = valid[i] != 0 ? source.strings()[from + i] : std::string_view();
        bytes += text.size();
        target.strings()[at + i] = rows.arena().Copy(text);
      }
    }
    chunk.bytes += bytes;
    bytes_ += bytes;
    rows.set_rows(at + count);
    from += count;
    end_ += static_cast<uint64_t>(count);
  }
}

void RowLog::AppendPacked(std::string_view bytes, int64_t rowtime, int columns) {
  Chunk& chunk = Open();
  RowBuffer& rows = chunk.rows;
  const int at = RowOf(end_);
  ReadRow(rows.arena().Copy(bytes), rows, at, 0, columns);
  std::size_t width = bytes.size() + sizeof(int64_t);
  for (int c = 0; c < static_cast<int>(physical_.size()); ++c) {
    Vector& v = rows.column(c);
    width += 1 + (v.physical() == Physical::kString ? sizeof(std::string_view) : sizeof(int64_t));
    if (c < columns) continue;
    v.valid()[at] = 1;
    if (v.physical() == Physical::kString) {
      v.strings()[at] = {};
    } else {
      v.ints()[at] = 0;
    }
  }
  chunk.bytes += width;
  bytes_ += width;
  rows.Commit(rowtime);
  ++end_;
}

void RowLog::DropFront() {
  bytes_ -= chunks_.front()->bytes;
  spare_ = std::move(chunks_.front());
  spare_->rows.Clear();
  spare_->bytes = 0;
  chunks_.pop_front();
  base_ += kBatchRows;
}

void RowLog::DropBefore(uint64_t number) {
  first_ = std::max(first_, std::min(number, end_));
  while (!chunks_.empty() && base_ + kBatchRows <= first_) DropFront();
}

void RowLog::Clear() {
  while (!chunks_.empty()) DropFront();
  first_ = end_ = base_;
}

void RowLog::Read(const uint64_t* numbers, int count, int columns, RowBuffer& to, int row,
                  int first) const {
  for (int from = 0; from < count;) {
    // The rows that lie in one chunk; often they follow each other.
    const uint64_t chunk = (numbers[from] - base_) / kBatchRows;
    const uint64_t chunk_begin = base_ + chunk * kBatchRows;
    int until = from + 1;
    bool run = true;
    for (; until < count; ++until) {
      if (numbers[until] - chunk_begin >= kBatchRows) break;
      run &= numbers[until] == numbers[until - 1] + 1;
    }
    RowBuffer& rows = chunks_[chunk]->rows;
    const std::size_t n = static_cast<std::size_t>(until - from);
    for (int c = 0; c < columns; ++c) {
      const Vector& source = rows.column(c);
      Vector& target = to.column(first + c);
      const int at = row + from;
      if (run) {
        const int begin = RowOf(numbers[from]);
        if (source.physical() == Physical::kString) {
          std::memcpy(target.strings() + at, source.strings() + begin, n * sizeof(std::string_view));
        } else {
          std::memcpy(target.ints() + at, source.ints() + begin, n * sizeof(int64_t));
        }
        std::memcpy(target.valid() + at, source.valid() + begin, n);
      } else {
        if (source.physical() == Physical::kString) {
          for (int i = from; i < until; ++i) {
            target.strings()[row + i] = source.strings()[RowOf(numbers[i])];
          }
        } else {
          for (int i = from; i < until; ++i) {
            target.ints()[row + i] = source.ints()[RowOf(numbers[i])];
          }
        }
        for (int i = from; i < until; ++i) {
          target.valid()[row + i] = source.valid()[RowOf(numbers[i])];
        }
      }
      if (source.has_nulls()) target.set_has_nulls(true);
    }
    from = until;
  }
}

void RowLog::Pack(uint64_t number, int columns, std::string& out) const {
  Batch batch = At(number).view();
  batch.columns.resize(static_cast<std::size_t>(columns));
  AppendRow(batch, RowOf(number), out);
}

void SaveRows(const RowLog& rows, uint64_t from, int columns, std::string& out) {
  SaveInt(static_cast<int64_t>(rows.end() - from), out);
  std::string bytes;
  for (uint64_t n = from; n < rows.end(); ++n) {
    bytes.clear();
    rows.Pack(n, columns, bytes);
    SaveInt(rows.rowtime(n), out);
    SaveText(bytes, out);
  }
}

bool RestoreRows(std::string_view& in, RowLog& rows, int columns) {
  return RestoreEachRow(in, [&](int64_t rowtime, std::string_view bytes) {
    rows.AppendPacked(bytes, rowtime, columns);
  });
}

}  // namespace millstream::sql
