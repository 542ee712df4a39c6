#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sql/operator.h"

// Sliding windows: one result per row, over the rows of its partition that have arrived. One state
// for all functions over one window; window_range.cc and window_ring.cc each hold an
// implementation.
namespace millstream::sql {

class WindowState {
 public:
  virtual ~WindowState() = default;
  // The results of all rows of context.input, into the columns of `out` that the functions have.
  virtual void Process(EvalContext& context, RowBuffer& out) = 0;
  virtual std::size_t held_bytes() const = 0;
  virtual void Save(std::string& out) const = 0;
  virtual bool Restore(std::string_view& in) = 0;
};

// Functions over one window with the columns of their results.
struct WindowCalls {
  std::vector<const AggregateCall*> calls;
  std::vector<int> results;
};

// Over time (RANGE) or unbounded, of functions that need no position: the rows of all partitions
// lie in one log in the order of time, and only sums are kept per partition.
bool SuitsRangeWindow(const WindowPlan& plan, const WindowCalls& calls);
std::unique_ptr<WindowState> MakeRangeWindow(const WindowPlan& plan, WindowCalls calls);
// Every window and function: the rows of each partition lie in a ring of their own.
std::unique_ptr<WindowState> MakeRingWindow(const WindowPlan& plan, WindowCalls calls);

}  // namespace millstream::sql
