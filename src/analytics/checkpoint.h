#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "streams/shard_iterator.h"
#include "streams/stream_key.h"

// What an application needs to go on after a stop or a crash (docs/decisions/sql-exactly-once.md has
// the argument, docs/internals/sql-checkpoint.md the bytes).
namespace millstream::analytics {

// How far one shard was read. `done`: closed and read to its end.
struct ShardPosition {
  uint32_t shard = 0;
  int64_t offset = 0;
  bool done = false;
  friend bool operator==(const ShardPosition&, const ShardPosition&) = default;
};

// Positions in the shards of one stream, by shard. Shards that are not named were not begun.
struct StreamPosition {
  streams::StreamUuid uuid{};  // zero: no stream seen yet
  std::vector<ShardPosition> shards;
  friend bool operator==(const StreamPosition&, const StreamPosition&) = default;
};

// The records [from, to) of one shard of one input.
struct JournalRange {
  uint32_t input = 0;
  uint32_t shard = 0;
  int64_t from = 0;
  int64_t to = 0;
  friend bool operator==(const JournalRange&, const JournalRange&) = default;
};

// One step: rows of these ranges, in this order, with this ROWTIME; then this bound on all inputs.
// Everything that a step computes follows from it and from the steps before.
struct JournalStep {
  uint64_t number = 0;
  int64_t at_ms = 0;
  std::vector<JournalRange> ranges;
  friend bool operator==(const JournalStep&, const JournalStep&) = default;
};

// A result that is on its way to its stream.
struct PendingRecord {
  std::string output_id;
  uint64_t step = 0;
  std::string data;
  friend bool operator==(const PendingRecord&, const PendingRecord&) = default;
};

// The version of a reference table that the state was computed with; a copy lies beside.
struct TableVersion {
  std::string name;
  uint64_t digest = 0;
  friend bool operator==(const TableVersion&, const TableVersion&) = default;
};

struct Checkpoint {
  uint64_t run = 0;          // number of the journal's log and of the origins of results
  uint64_t fingerprint = 0;  // of code and schemas: state fits no others
  int64_t query_start_ms = 0;
  int64_t last_ms = 0;       // ROWTIME reached
  uint64_t next_step = 0;
  int64_t journal_next = 0;  // steps from here on are to be done again
  std::vector<StreamPosition> inputs;
  // Of streams that outputs go to: where results may lie that are pending or of later steps.
  std::vector<StreamPosition> outputs;
  std::vector<PendingRecord> pending;
  std::vector<TableVersion> tables;
  std::string state;  // of sql::Application
  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

std::string EncodeCheckpoint(const Checkpoint& checkpoint);
// kDataLoss when the bytes are not a whole checkpoint.
base::Result<Checkpoint> DecodeCheckpoint(std::string_view bytes);

// Appends one step; a journal record holds one or more.
void AppendStep(const JournalStep& step, std::string& out);
base::Result<std::vector<JournalStep>> DecodeSteps(std::string_view bytes);

// What a result carries as its origin.
std::string MakeOrigin(uint64_t run, uint64_t step);
// False when it is not one of ours.
bool ParseOrigin(std::string_view origin, uint64_t& run, uint64_t& step);

uint64_t Digest(std::string_view bytes);

}  // namespace millstream::analytics
