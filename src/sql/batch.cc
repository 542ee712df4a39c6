#include "sql/batch.h"

namespace millstream::sql {

void Vector::SetValue(int row, const Value& value, Arena& arena) {
  if (value.null) {
    SetNull(row);
    return;
  }
  valid_[row] = 1;
  switch (physical_) {
    case Physical::kInt: ints()[row] = value.i; break;
    case Physical::kDouble: doubles()[row] = value.d; break;
    case Physical::kString: strings()[row] = arena.Copy(value.s); break;
  }
}

Value Vector::GetValue(int row, const Type& type) const {
  Value value;
  value.type = type;
  value.null = valid_[row] == 0;
  if (value.null) return value;
  switch (physical_) {
    case Physical::kInt: value.i = ints()[row]; break;
    case Physical::kDouble: value.d = doubles()[row]; break;
    case Physical::kString: value.s = std::string(strings()[row]); break;
  }
  return value;
}

void RowBuffer::Init(const std::vector<Physical>& columns) {
  rowtime_.resize(kBatchRows);
  columns_.clear();
  view_.columns.clear();
  for (Physical physical : columns) columns_.emplace_back(physical);
  for (const Vector& column : columns_) view_.columns.push_back(&column);
  view_.rowtime = rowtime_.data();
  rows_ = 0;
}

const Batch& RowBuffer::view() {
  view_.rows = rows_;
  return view_;
}

void RowBuffer::RemoveRows(const std::vector<int>& rows) {
  std::size_t next = 0;
  int kept = 0;
  for (int i = 0; i < rows_; ++i) {
    if (next < rows.size() && rows[next] == i) {
      ++next;
      continue;
    }
    if (kept != i) {
      for (Vector& column : columns_) column.CopyRow(kept, column, i);
      rowtime_[static_cast<std::size_t>(kept)] = rowtime_[static_cast<std::size_t>(i)];
    }
    ++kept;
  }
  rows_ = kept;
}

void RowBuffer::Clear() {
  for (Vector& column : columns_) column.ClearNulls();
  rows_ = 0;
  arena_.Reset();
}

void AppendRow(const Batch& batch, int row, std::string& out) {
  for (const Vector* column : batch.columns) {
    bool valid = column->valid()[row] != 0;
    out.push_back(valid ? 1 : 0);
    if (!valid) continue;
    if (column->physical() == Physical::kString) {
      std::string_view text = column->strings()[row];
      uint32_t size = static_cast<uint32_t>(text.size());
      out.append(reinterpret_cast<const char*>(&size), sizeof size);
      out.append(text);
    } else {
      out.append(reinterpret_cast<const char*>(&column->ints()[row]), 8);
    }
  }
}

std::size_t ReadRow(std::string_view bytes, RowBuffer& to, int row, int first, int columns) {
  std::size_t at = 0;
  for (int i = 0; i < columns; ++i) {
    Vector& column = to.column(first + i);
    CHECK(at < bytes.size());
    if (bytes[at++] == 0) {
      column.SetNull(row);
      continue;
    }
    column.valid()[row] = 1;
    if (column.physical() == Physical::kString) {
      uint32_t size = 0;
      CHECK(at + sizeof size <= bytes.size());
      std::memcpy(&size, bytes.data() + at, sizeof size);
      at += sizeof size;
      CHECK(at + size <= bytes.size());
      column.strings()[row] = bytes.substr(at, size);
      at += size;
    } else {
      CHECK(at + 8 <= bytes.size());
      std::memcpy(&column.ints()[row], bytes.data() + at, 8);
      at += 8;
    }
  }
  return at;
}

}  // namespace millstream::sql
