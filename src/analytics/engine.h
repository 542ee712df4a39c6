#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "analytics/definition.h"
#include "base/clock.h"
#include "base/result.h"
#include "sql/application.h"
#include "sql/input_schema.h"
#include "streams/stream.h"

namespace millstream::analytics {

// What of a definition the state depends on: code, inputs, schemas. Equal numbers, equal meaning of
// saved state.
uint64_t Fingerprint(const Definition& definition);

// The computing half of an application: records in, results out, no I/O and no time of its own.
// The same steps give the same results (in the order of a step or another), which is what replay
// after a crash relies on. One thread at a time.
class Engine {
 public:
  // `emit` gets each result: which of the definition's outputs, and the record's bytes.
  using Emit = std::function<void(std::size_t output, std::string data)>;
  static base::Result<std::unique_ptr<Engine>> Create(const Definition& definition,
                                                      std::vector<sql::TableConfig> tables,
                                                      int64_t query_start_ms,
                                                      std::size_t state_bytes_max, Emit emit);
  ~Engine();

  // The records [from, to) of a page.
  struct Slice {
    uint32_t input = 0;
    const streams::RecordPage* page = nullptr;
    int64_t from = 0;
    int64_t to = 0;
  };
  // Rows with ROWTIME `at_ms`, which does not go back, then that bound on all inputs.
  // kResourceExhausted when the state has outgrown its bound: then nothing can be done with this
  // engine any more, and what it emitted in this step is not to be used.
  base::Status Step(int64_t at_ms, const std::vector<Slice>& slices);
  // Other rows in the reference tables, from the next step on.
  base::Status ReplaceTables(std::vector<sql::TableConfig> tables);

  std::string Save() const;
  base::Status Restore(std::string_view state);

  struct Counts {
    uint64_t records = 0;
    uint64_t bytes = 0;
    uint64_t results = 0;
    uint64_t errors = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  // The time that functions see: that of the step.
  class StepClock final : public base::Clock {
   public:
    int64_t WallMs() const override { return now_ms; }
    int64_t MonotonicNs() const override { return now_ms * 1'000'000; }
    int64_t now_ms = 0;
  };
  struct InAppStream;
  class ErrorWriter;

  Engine() = default;
  base::Status Build(const Definition& definition, std::vector<sql::TableConfig> tables,
                     int64_t query_start_ms, std::size_t state_bytes_max);
  void EmitRow(std::size_t output, std::string data);

  StepClock clock_;
  Emit emit_;
  Counts counts_;
  base::Status failure_;
  bool wants_sequence_numbers_ = false;
  std::unique_ptr<sql::Application> application_;
  // By input, the in-application streams that share its shards.
  std::vector<std::vector<std::unique_ptr<InAppStream>>> streams_;
  std::unique_ptr<ErrorWriter> errors_;
};

}  // namespace millstream::analytics
