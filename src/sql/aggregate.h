#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "sql/plan.h"
#include "sql/sketch.h"

namespace millstream::sql {

// The states of a query's aggregates, side by side in `size` bytes per group. Zero bytes are the
// state of an empty group. Values that do not fit there (distinct sets, lists) live in objects that
// the state numbers.
class AggregateSet {
 public:
  explicit AggregateSet(const std::vector<AggregateCall>& calls);

  std::size_t size() const { return size_; }
  // Adds rows: states[i] is the group of row i.
  void Update(EvalContext& context, char* const* states);
  // Adds another set's group to one of ours; both sets are of the same calls. What `from` saw comes
  // behind what we saw.
  void Merge(const AggregateSet& from, const char* from_state, char* state);
  // Writes the results of one group to row `row` of out columns from `first`. False, with a message,
  // when a sum does not fit its type.
  bool Finish(const char* state, int row, RowBuffer& out, int first, std::string& error) const;
  // The same for the groups of all rows of `out`, column by column. Rows whose sum does not fit
  // leave `out`; returns a message for each.
  std::vector<std::string> FinishRows(const char* const* states, RowBuffer& out, int first) const;
  // Forgets all groups' texts and objects.
  void Reset();
  // Memory of texts and objects beside the groups' own bytes.
  std::size_t held_bytes() const { return texts_.used_bytes() + objects_bytes_; }
  // Copies a state with all it refers to; for checkpoints.
  void Save(const char* state, std::string& out) const;
  bool Restore(std::string_view& in, char* state);

 private:
  struct Slot {
    AggregateCall call;
    std::unique_ptr<Kernel> argument;
    std::size_t offset;
    Physical physical;
  };
  struct Object {
    std::unordered_set<std::string> distinct;
    std::vector<std::string> texts;
    std::vector<double> numbers;
    std::unique_ptr<DistinctCounter> counter;
    std::unique_ptr<QuantileSketch> sketch;
    // The approximate ones, made when first needed. About the memory they may take is booked then.
    DistinctCounter& Counter(std::size_t& booked);
    QuantileSketch& Sketch(std::size_t& booked);
  };
  static constexpr std::size_t kObjectBytes = sizeof(Object) + 64, kItemBytes = 64;
  Object& ObjectOf(char* state);
  void UpdateRows(Slot& slot, const Vector* values, int from, int to, char* const* states);
  bool FinishOne(const Slot& slot, const char* state, int row, Vector& to, Arena& texts,
                 std::string& error) const;

  std::vector<Slot> slots_;
  std::vector<const Vector*> values_;  // of the batch at hand
  std::size_t size_ = 0;
  Arena texts_;
  std::vector<std::unique_ptr<Object>> objects_;
  std::size_t objects_bytes_ = 0;
};

}  // namespace millstream::sql
