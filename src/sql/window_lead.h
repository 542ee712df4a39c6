#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "sql/row_log.h"
#include "sql/window_state.h"

namespace millstream::sql {

// LEAD: rows wait, all in their order, until the rows that they look ahead to have come or can no
// longer come within the window's `following`. Then they go on with their own ROWTIME.
class LeadWindows {
 public:
  // `columns`: of the rows that go on, the functions' results behind `inputs` columns of the input.
  LeadWindows(const std::vector<Physical>& columns, int inputs);
  void Add(const WindowPlan& plan, WindowCalls calls);

  // Takes the rows of context.input, whose other results stand in `results`.
  void Push(EvalContext& context, RowBuffer& results);
  // Hands out the rows that wait no longer once no row before `bound` can come.
  void Drain(int64_t bound, const std::function<void(const Batch&)>& emit);
  // What holds for the rows that will be handed out when `bound` holds for those that come.
  int64_t OutBound(int64_t bound) const {
    return log_.empty() ? bound : std::min(bound, log_.rowtime(log_.first()));
  }

  std::size_t held_bytes() const;
  void Save(std::string& out) const;
  bool Restore(std::string_view& in);

 private:
  struct Waiting {
    uint64_t row;
    int64_t until;  // the count at which its row has come
  };
  struct Queue {
    int64_t count = 0;  // rows of the partition; with IGNORE NULLS those with a value
    std::vector<Waiting> waiting;
    std::size_t head = 0;
  };
  struct Partition {
    std::vector<Queue> queues;  // per call
    uint64_t last = 0;          // its newest row
  };
  struct Call {
    const AggregateCall* call;
    int result;    // column of the log
    int argument;  // column of the log
    std::unique_ptr<Kernel> value, fallback;
  };
  struct Window {
    const WindowPlan* plan;
    std::vector<std::unique_ptr<Kernel>> keys;
    std::vector<Call> calls;
    int first_bit;  // of its calls in the log's last column
    std::unordered_map<std::string, Partition> partitions;
    std::size_t sweep_beyond = 1024;
  };

  // Row `row` of the log has come.
  void Arrive(Window& window, Partition& partition, uint64_t row);
  bool Waits(uint64_t row, int64_t bound) const;
  static std::size_t PartitionBytes(const Window& window, std::string_view key);
  void Sweep(Window& window);

  int inputs_;
  int visible_;  // columns that go on; behind them the arguments, and which calls the row waits for
  std::vector<Physical> columns_;
  std::vector<std::unique_ptr<Window>> windows_;
  RowLog log_;
  RowBuffer waits_, out_;
  std::size_t entries_ = 0, key_bytes_ = 0;
};

}  // namespace millstream::sql
