#include "analytics/checkpoint.h"

#include <cstring>

#include "codec/big_endian.h"
#include "codec/crc32c.h"
#include "codec/sha256.h"
#include "codec/varint.h"

namespace millstream::analytics {
namespace {

using base::Code;
using base::Fail;

constexpr std::string_view kMagic = "MSAC1\n";

void PutNumber(uint64_t v, std::string& out) {
  char bytes[codec::kVarlongSizeMax];
  out.append(bytes, static_cast<std::size_t>(codec::WriteUnsignedVarlong(v, bytes) - bytes));
}
void PutSigned(int64_t v, std::string& out) { PutNumber(codec::ZigZag(v), out); }
void PutText(std::string_view text, std::string& out) {
  PutNumber(text.size(), out);
  out.append(text);
}

// Reads what the above wrote; after a failure everything reads as zero and ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}

  uint64_t Number() {
    uint64_t v = 0;
    if (ok_ && !codec::ReadUnsignedVarlong(in_, v)) ok_ = false;
    return ok_ ? v : 0;
  }
  int64_t Signed() { return codec::UnZigZag(Number()); }
  std::string_view Text() {
    uint64_t size = Number();
    if (size > in_.size()) ok_ = false;
    if (!ok_) return {};
    std::string_view text = in_.substr(0, size);
    in_.remove_prefix(size);
    return text;
  }
  // A number of items of which each takes a byte at least.
  std::size_t Count() {
    uint64_t count = Number();
    if (count > in_.size()) ok_ = false;
    return ok_ ? count : 0;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return in_.empty(); }

 private:
  std::string_view in_;
  bool ok_ = true;
};

void PutPosition(const StreamPosition& position, std::string& out) {
  PutText({reinterpret_cast<const char*>(position.uuid.data()), position.uuid.size()}, out);
  PutNumber(position.shards.size(), out);
  for (const ShardPosition& shard : position.shards) {
    PutNumber(shard.shard, out);
    PutSigned(shard.offset, out);
    PutNumber(shard.done ? 1 : 0, out);
  }
}

StreamPosition ReadPosition(Reader& in) {
  StreamPosition position;
  std::string_view uuid = in.Text();
  if (uuid.size() == position.uuid.size()) {
    std::memcpy(position.uuid.data(), uuid.data(), uuid.size());
  }
  std::size_t count = in.Count();
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    ShardPosition shard;
    shard.shard = static_cast<uint32_t>(in.Number());
    shard.offset = in.Signed();
    shard.done = in.Number() != 0;
    position.shards.push_back(shard);
  }
  return position;
}

}  // namespace

std::string EncodeCheckpoint(const Checkpoint& c) {
  std::string out(kMagic);
  PutNumber(c.run, out);
  PutNumber(c.fingerprint, out);
  PutSigned(c.query_start_ms, out);
  PutSigned(c.last_ms, out);
  PutNumber(c.next_step, out);
  PutSigned(c.journal_next, out);
  for (const auto* positions : {&c.inputs, &c.outputs}) {
    PutNumber(positions->size(), out);
    for (const StreamPosition& position : *positions) PutPosition(position, out);
  }
  PutNumber(c.pending.size(), out);
  for (const PendingRecord& record : c.pending) {
    PutText(record.output_id, out);
    PutNumber(record.step, out);
    PutText(record.data, out);
  }
  PutNumber(c.tables.size(), out);
  for (const TableVersion& table : c.tables) {
    PutText(table.name, out);
    PutNumber(table.digest, out);
  }
  PutText(c.state, out);
  char crc[4];
  codec::StoreBigEndian<uint32_t>(crc, codec::Crc32c(out));
  out.append(crc, sizeof crc);
  return out;
}

base::Result<Checkpoint> DecodeCheckpoint(std::string_view bytes) {
  auto bad = [](std::string_view what) {
    return Fail(Code::kDataLoss, "checkpoint: " + std::string(what));
  };
  if (bytes.size() < kMagic.size() + 4 || !bytes.starts_with(kMagic)) {
    return bad("not a checkpoint of this version");
  }
  std::string_view body = bytes.substr(0, bytes.size() - 4);
  if (codec::LoadBigEndian<uint32_t>(body.data() + body.size()) != codec::Crc32c(body)) {
    return bad("wrong checksum");
  }
  Reader in(body.substr(kMagic.size()));
  Checkpoint c;
  c.run = in.Number();
  c.fingerprint = in.Number();
  c.query_start_ms = in.Signed();
  c.last_ms = in.Signed();
  c.next_step = in.Number();
  c.journal_next = in.Signed();
  for (auto* positions : {&c.inputs, &c.outputs}) {
    std::size_t count = in.Count();
    for (std::size_t i = 0; i < count && in.ok(); ++i) positions->push_back(ReadPosition(in));
  }
  std::size_t pending = in.Count();
  for (std::size_t i = 0; i < pending && in.ok(); ++i) {
    PendingRecord record;
    record.output_id = in.Text();
    record.step = in.Number();
    record.data = in.Text();
    c.pending.push_back(std::move(record));
  }
  std::size_t tables = in.Count();
  for (std::size_t i = 0; i < tables && in.ok(); ++i) {
    TableVersion table;
    table.name = in.Text();
    table.digest = in.Number();
    c.tables.push_back(std::move(table));
  }
  c.state = in.Text();
  if (!in.ok() || !in.at_end()) return bad("malformed");
  return c;
}

void AppendStep(const JournalStep& step, std::string& out) {
  PutNumber(step.number, out);
  PutSigned(step.at_ms, out);
  PutNumber(step.ranges.size(), out);
  for (const JournalRange& range : step.ranges) {
    PutNumber(range.input, out);
    PutNumber(range.shard, out);
    PutSigned(range.from, out);
    PutSigned(range.to - range.from, out);
  }
}

base::Result<std::vector<JournalStep>> DecodeSteps(std::string_view bytes) {
  Reader in(bytes);
  std::vector<JournalStep> steps;
  while (in.ok() && !in.at_end()) {
    JournalStep step;
    step.number = in.Number();
    step.at_ms = in.Signed();
    std::size_t count = in.Count();
    for (std::size_t i = 0; i < count && in.ok(); ++i) {
      JournalRange range;
      range.input = static_cast<uint32_t>(in.Number());
      range.shard = static_cast<uint32_t>(in.Number());
      range.from = in.Signed();
      int64_t size = in.Signed();
      if (size < 0 || range.from < 0 || size > INT64_MAX - range.from) {
        return Fail(Code::kDataLoss, "journal: a range with a negative size");
      }
      range.to = range.from + size;
      step.ranges.push_back(range);
    }
    steps.push_back(std::move(step));
  }
  if (!in.ok()) return Fail(Code::kDataLoss, "journal: malformed step");
  return steps;
}

std::string MakeOrigin(uint64_t run, uint64_t step) {
  char bytes[16];
  codec::StoreBigEndian<uint64_t>(bytes, run);
  codec::StoreBigEndian<uint64_t>(bytes + 8, step);
  return std::string(bytes, sizeof bytes);
}

bool ParseOrigin(std::string_view origin, uint64_t& run, uint64_t& step) {
  if (origin.size() != 16) return false;
  run = codec::LoadBigEndian<uint64_t>(origin.data());
  step = codec::LoadBigEndian<uint64_t>(origin.data() + 8);
  return true;
}

uint64_t Digest(std::string_view bytes) {
  return codec::LoadBigEndian<uint64_t>(codec::AsView(codec::Sha256Digest(bytes)).data());
}

}  // namespace millstream::analytics
