#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "sql/plan.h"

namespace millstream::sql {

// A row that failed, as error_stream shows it.
struct ErrorRow {
  int64_t time_ms = 0;
  std::string name;
  std::string message;
  int64_t data_rowtime = 0;
  std::string data_row;  // hex of the row's text
  std::string pump;
};

// What all operators of an application share.
struct Runtime {
  base::Clock* clock = nullptr;
  int64_t query_start_ms = 0;
  std::function<void(ErrorRow)> on_error;
};

// One step of a running query. Rows are pushed through synchronously; a bound says that no earlier
// row will follow and is what closes windows. A row implies the bound of its own time. One thread.
//
// Invariant: batches and bounds that an operator emits never go back in time.
class Operator {
 public:
  virtual ~Operator() = default;
  virtual void Push(int port, const Batch& batch) = 0;
  virtual void Advance(int port, int64_t bound) = 0;
  // State as bytes; what Restore reads. An operator without state writes nothing.
  virtual void Save(std::string&) const {}
  virtual bool Restore(std::string_view&) { return true; }
  // Replaces the rows of a reference table that stands at `port`.
  virtual void SetTable(int, std::vector<std::string>) {}
  // About how much memory the state takes; asked once per batch.
  virtual std::size_t StateBytes() const { return 0; }

  void SetOutput(Operator* to, int port) {
    output_ = to;
    output_port_ = port;
  }

 protected:
  void Emit(const Batch& batch) {
    if (batch.rows > 0 && output_ != nullptr) output_->Push(output_port_, batch);
  }
  void EmitBound(int64_t bound) {
    if (bound > bound_ && output_ != nullptr) {
      bound_ = bound;
      output_->Advance(output_port_, bound);
    }
  }

 private:
  Operator* output_ = nullptr;
  int output_port_ = 0;
  int64_t bound_ = INT64_MIN;
};

inline std::vector<Physical> PhysicalColumns(const std::vector<PlanColumn>& columns) {
  std::vector<Physical> out;
  for (const PlanColumn& c : columns) out.push_back(PhysicalOf(c.type.kind));
  return out;
}

// Operators of a plan node; `pump` names it in errors.
std::unique_ptr<Operator> MakeProject(const Plan& plan, Runtime& runtime, const std::string& pump);
std::unique_ptr<Operator> MakeAggregate(const Plan& plan, Runtime& runtime, const std::string& pump);
std::unique_ptr<Operator> MakeStagger(const Plan& plan, Runtime& runtime, const std::string& pump);
std::unique_ptr<Operator> MakeWindowing(const Plan& plan);
std::unique_ptr<Operator> MakeWindowAggregate(const Plan& plan, Runtime& runtime,
                                              const std::string& pump);
std::unique_ptr<Operator> MakeWindow(const Plan& plan, Runtime& runtime, const std::string& pump);
std::unique_ptr<Operator> MakeRank(const Plan& plan, Runtime& runtime, const std::string& pump);
std::unique_ptr<Operator> MakeSort(const Plan& plan, Runtime& runtime, const std::string& pump);
std::unique_ptr<Operator> MakeTimeSort(const Plan& plan, Runtime& runtime, const std::string& pump);
std::unique_ptr<Operator> MakeMerge(const std::vector<PlanColumn>& columns, int ports);
std::unique_ptr<Operator> MakeDistinct(const Plan& plan, Runtime& runtime);
std::unique_ptr<Operator> MakeLimit(const Plan& plan);
std::unique_ptr<Operator> MakeTableFunction(const Plan& plan, Runtime& runtime);
std::unique_ptr<Operator> MakeGroupRank(const Plan& plan);
std::unique_ptr<Operator> MakeHotspots(const Plan& plan);
// A join; the rows of a reference table side are given, the other side is pushed.
std::unique_ptr<Operator> MakeJoin(const Plan& plan, Runtime& runtime, const std::string& pump,
                                   std::vector<std::string> table_rows[2]);

// Lets only the rows through whose expressions `plan` can compute and reports the others, so that a
// row that fails is in no window and no group. Null where none of them can fail.
std::unique_ptr<Operator> MakeSieve(const Plan& plan, Runtime& runtime, const std::string& pump);

// What a row or key held in a container costs beside its own bytes.
inline constexpr std::size_t kEntryBytes = 64;

// Values packed to bytes and back: checkpoints.
inline void SaveInt(int64_t v, std::string& out) {
  out.append(reinterpret_cast<const char*>(&v), sizeof v);
}
inline void SaveText(std::string_view text, std::string& out) {
  SaveInt(static_cast<int64_t>(text.size()), out);
  out.append(text);
}
inline bool RestoreInt(std::string_view& in, int64_t& v) {
  if (in.size() < sizeof v) return false;
  std::memcpy(&v, in.data(), sizeof v);
  in.remove_prefix(sizeof v);
  return true;
}
inline void SaveValue(const Value& v, std::string& out) {
  SaveInt(v.null ? 1 : 0, out);
  SaveInt(v.i, out);
  SaveText({reinterpret_cast<const char*>(&v.d), sizeof v.d}, out);
  SaveText(v.s, out);
}
inline bool RestoreText(std::string_view& in, std::string_view& text) {
  int64_t size = 0;
  if (!RestoreInt(in, size) || size < 0 || static_cast<uint64_t>(size) > in.size()) return false;
  text = in.substr(0, static_cast<std::size_t>(size));
  in.remove_prefix(static_cast<std::size_t>(size));
  return true;
}

inline bool RestoreValue(std::string_view& in, const Type& type, Value& v) {
  int64_t null = 0;
  std::string_view d, s;
  if (!RestoreInt(in, null) || !RestoreInt(in, v.i) || !RestoreText(in, d) ||
      d.size() != sizeof v.d || !RestoreText(in, s)) {
    return false;
  }
  v.type = type;
  v.null = null != 0;
  std::memcpy(&v.d, d.data(), sizeof v.d);
  v.s = std::string(s);
  return true;
}

// A value of plain memory, as it is.
template <typename T>
void SaveBytes(const T& value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
template <typename T>
bool RestoreBytes(std::string_view& in, T& value) {
  if (in.size() < sizeof value) return false;
  std::memcpy(static_cast<void*>(&value), in.data(), sizeof value);
  in.remove_prefix(sizeof value);
  return true;
}

// The rows that an operator holds, in a vector or deque. `bytes` grows by what they hold.
template <typename Rows>
void SaveRows(const Rows& rows, std::string& out) {
  SaveInt(static_cast<int64_t>(rows.size()), out);
  for (const StoredRow& row : rows) {
    SaveInt(row.rowtime, out);
    SaveText(row.bytes, out);
  }
}
// Calls take(rowtime, bytes) with each of them.
template <typename Take>
bool RestoreEachRow(std::string_view& in, Take take) {
  int64_t n = 0;
  if (!RestoreInt(in, n)) return false;
  for (int64_t i = 0; i < n; ++i) {
    int64_t rowtime = 0;
    std::string_view bytes;
    if (!RestoreInt(in, rowtime) || !RestoreText(in, bytes)) return false;
    take(rowtime, bytes);
  }
  return true;
}
template <typename Rows>
bool RestoreRows(std::string_view& in, Rows& rows, std::size_t& bytes) {
  return RestoreEachRow(in, [&](int64_t rowtime, std::string_view row) {
    rows.push_back({rowtime, std::string(row)});
    bytes += row.size() + kEntryBytes;
  });
}

// Evaluates expressions of an operator over a batch and reports rows that fail.
class Evaluation {
 public:
  Evaluation(Runtime& runtime, std::string pump) : runtime_(runtime), pump_(std::move(pump)) {}
  EvalContext& Begin(const Batch& batch);
  RowErrors& errors() { return errors_; }
  void Report(const Batch& batch);  // the collected errors, once per row
  std::vector<int> FailedRows() const;  // ascending
  void Report(int64_t rowtime, const char* name, std::string message, std::string row = {});
  int64_t now_ms() const { return runtime_.clock->WallMs(); }

 private:
  Runtime& runtime_;
  std::string pump_;
  Arena arena_;
  RowErrors errors_;
  EvalContext context_;
};

// Appends the key of a row over several columns: equal keys are equal bytes, NULLs are equal.
void AppendKey(const Vector& column, int row, std::string& out);

}  // namespace millstream::sql
