#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sql/expression.h"
#include "sql/group_table.h"

namespace millstream::sql {

// Rows [from, to) of a batch as a batch of their own.
class SliceBuffer {
 public:
  explicit SliceBuffer(const std::vector<Physical>& columns) : buffer_(columns) {}
  const Batch& Run(const Batch& batch, int from, int to);

 private:
  RowBuffer buffer_;
};

// The keys of grouped rows: evaluates them, finds the groups' states in a table and writes keys
// back as columns. One key of text or integers goes as it is, several are packed.
class GroupKeys {
 public:
  // `columns[i]` is the output column of `keys[i]`.
  GroupKeys(const std::vector<ExprPtr>& keys, std::vector<int> columns);

  // Computes the keys of context.input; rows of which they cannot be have been sieved out.
  void Evaluate(EvalContext& context);
  // states[i] becomes the state of row i of what was evaluated, groups[i] its group's number.
  void Find(int rows, GroupTable& table, char** states, uint32_t* groups = nullptr);
  // The group of one packed key; for the restoring of states.
  static char* FindOne(std::string_view key, bool null, GroupTable& table);
  // Writes the keys of groups `first` to `first + rows - 1` to the first rows of `out`. Texts refer to
  // the table: what reads them must do so before the table changes.
  void Write(const GroupTable& table, std::size_t first, int rows, RowBuffer& out) const;

 private:
  std::vector<std::unique_ptr<Kernel>> kernels_;
  std::vector<int> columns_;
  bool text_ = false, integer_ = false;
  std::vector<std::string_view> keys_;
  std::vector<uint8_t> nulls_;
  std::vector<const Vector*> values_;
  std::string bytes_;
};

// Reads one value that AppendKey wrote; texts refer to `bytes`, or are copied if there is an arena.
void ReadKey(std::string_view& bytes, Vector& to, int row, Arena* arena = nullptr);

}  // namespace millstream::sql
