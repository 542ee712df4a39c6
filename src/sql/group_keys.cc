#include "sql/group_keys.h"

#include "sql/operator.h"

namespace millstream::sql {

const Batch& SliceBuffer::Run(const Batch& batch, int from, int to) {
  if (from == 0 && to == batch.rows) return batch;
  buffer_.Clear();
  for (std::size_t c = 0; c < batch.columns.size(); ++c) {
    Vector& column = buffer_.column(static_cast<int>(c));
    column.ClearNulls();
    for (int i = from; i < to; ++i) column.CopyRow(i - from, *batch.columns[c], i);
  }
  for (int i = from; i < to; ++i) buffer_.rowtime()[i - from] = batch.rowtime[i];
  buffer_.set_rows(to - from);
  return buffer_.view();
}

void ReadKey(std::string_view& bytes, Vector& to, int row, Arena* arena) {
  bool valid = bytes[0] != 0;
  bytes.remove_prefix(1);
  if (!valid) return to.SetNull(row);
  to.valid()[row] = 1;
  if (to.physical() == Physical::kString) {
    uint32_t size;
    std::memcpy(&size, bytes.data(), 4);
    std::string_view text = bytes.substr(4, size);
    to.strings()[row] = arena != nullptr ? arena->Copy(text) : text;
    bytes.remove_prefix(4 + size);
  } else {
    std::memcpy(&to.ints()[row], bytes.data(), 8);
    bytes.remove_prefix(8);
  }
}

GroupKeys::GroupKeys(const std::vector<ExprPtr>& keys, std::vector<int> columns)
    : columns_(std::move(columns)), keys_(kBatchRows), nulls_(kBatchRows) {
  for (const ExprPtr& key : keys) kernels_.push_back(Compile(key));
  if (keys.size() != 1) return;
  text_ = PhysicalOf(keys[0]->type.kind) == Physical::kString;
  integer_ = PhysicalOf(keys[0]->type.kind) == Physical::kInt;
}

void GroupKeys::Evaluate(EvalContext& context) {
  values_.clear();
  for (auto& kernel : kernels_) values_.push_back(&kernel->Evaluate(context));
}

void GroupKeys::Find(int rows, GroupTable& table, char** states, uint32_t* groups) {
  if (text_) {
    const Vector& v = *values_[0];
    std::memcpy(keys_.data(), v.strings(), sizeof(std::string_view) * static_cast<std::size_t>(rows));
    if (v.has_nulls()) {
      for (int i = 0; i < rows; ++i) nulls_[static_cast<std::size_t>(i)] = v.valid()[i] == 0;
    }
    table.Find(keys_.data(), v.has_nulls() ? nulls_.data() : nullptr, rows, states, groups);
  } else if (integer_) {
    const Vector& v = *values_[0];
    for (int i = 0; i < rows; ++i) {
      keys_[static_cast<std::size_t>(i)] = {reinterpret_cast<const char*>(&v.ints()[i]), 8};
      nulls_[static_cast<std::size_t>(i)] = v.valid()[i] == 0;
    }
    table.Find(keys_.data(), v.has_nulls() ? nulls_.data() : nullptr, rows, states, groups);
  } else {
    bytes_.clear();
    std::size_t ends[kBatchRows + 1];
    ends[0] = 0;
    for (int i = 0; i < rows; ++i) {
      for (const Vector* v : values_) AppendKey(*v, i, bytes_);
      ends[i + 1] = bytes_.size();
    }
    for (int i = 0; i < rows; ++i) {
      keys_[static_cast<std::size_t>(i)] = {bytes_.data() + ends[i], ends[i + 1] - ends[i]};
    }
    table.Find(keys_.data(), nullptr, rows, states, groups);
  }
}

char* GroupKeys::FindOne(std::string_view key, bool null, GroupTable& table) {
  uint8_t nulls = null ? 1 : 0;
  char* state = nullptr;
  table.Find(&key, &nulls, 1, &state);
  return state;
}

void GroupKeys::Write(const GroupTable& table, std::size_t first, int rows, RowBuffer& out) const {
  std::string_view key;
  if (!text_ && !integer_) {
    for (int i = 0; i < rows; ++i) {
      table.Key(first + static_cast<std::size_t>(i), key);
      for (int c : columns_) ReadKey(key, out.column(c), i);
    }
    return;
  }
  Vector& column = out.column(columns_[0]);
  for (int i = 0; i < rows; ++i) {
    if (!table.Key(first + static_cast<std::size_t>(i), key)) {
      column.SetNull(i);
      continue;
    }
    column.valid()[i] = 1;
    if (text_) {
      column.strings()[i] = key;
    } else {
      std::memcpy(&column.ints()[i], key.data(), 8);
    }
  }
}

}  // namespace millstream::sql
