#include "services/kinesis/record_rows.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "codec/base64.h"
#include "codec/cbor.h"
#include "codec/json_writer.h"
#include "codec/utf8.h"

namespace millstream::services::kinesis {
namespace {

using base::Buffer;
using base::Bytes;
using codec::Base64EncodedSize;
using codec::CborHeadSize;
using codec::CborWriter;
using codec::JsonWriter;
using streams::RecordPage;
using streams::RecordView;
using streams::SequenceNumber;

// Chunks stay in the L2 cache between encoding and sending (docs/internals/performance: sending
// from cold memory costs three times as much).
constexpr std::size_t kChunkBytes = 60 << 10;

constexpr std::string_view kJsonSequence = R"({"SequenceNumber":")";
constexpr std::string_view kJsonData = R"(,"Data":")";
constexpr std::string_view kJsonKey = R"(","PartitionKey":)";
constexpr std::string_view kJsonEncrypted = R"(,"EncryptionType":"KMS"})";
constexpr std::string_view kCborSequence = "\x6eSequenceNumber\x78\x38";
constexpr std::string_view kCborData =
    "\x64"
    "Data";
constexpr std::string_view kCborKey = "\x6cPartitionKey";
constexpr std::string_view kCborEncrypted =
    "\x6e"
    "EncryptionType"
    "\x63"
    "KMS";

char* Put(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

std::size_t KeySize(const RecordView& record) {
  if (record.plain_key) return record.partition_key.size() + 2;
  std::string quoted;
  codec::AppendJsonString(record.partition_key, quoted);
  return quoted.size();
}

char* PutKey(char* out, const RecordView& record) {
  if (record.plain_key) {
    *out++ = '"';
    out = Put(out, record.partition_key);
    *out++ = '"';
    return out;
  }
  std::string quoted;
  codec::AppendJsonString(record.partition_key, quoted);
  return Put(out, quoted);
}

char* PutCborHead(char* out, int major, uint64_t argument) {
  auto type = static_cast<unsigned char>(major << 5);
  int bytes;
  if (argument < 24) {
    *out++ = static_cast<char>(type | argument);
    return out;
  }
  if (argument <= 0xff) {
    *out++ = static_cast<char>(type | 24);
    bytes = 1;
  } else if (argument <= 0xffff) {
    *out++ = static_cast<char>(type | 25);
    bytes = 2;
  } else {
    *out++ = static_cast<char>(type | 26);
    bytes = 4;
  }
  for (int i = bytes - 1; i >= 0; --i) *out++ = static_cast<char>(argument >> (8 * i));
  return out;
}

}  // namespace

RecordRowWriter::RecordRowWriter(const RecordPage& page, bool cbor)
    : page_(page), cbor_(cbor), numbers_(page.shard_created_s, page.shard.index, 0, 0) {}

void RecordRowWriter::SetArrival(int64_t arrival_ms) {
  if (arrival_ms == arrival_ms_) return;
  arrival_ms_ = arrival_ms;
  arrival_text_.clear();
  if (cbor_) {
    CborWriter(arrival_text_).Text("ApproximateArrivalTimestamp").EpochMs(arrival_ms);
  } else {
    arrival_text_ = R"(","ApproximateArrivalTimestamp":)";
    std::string seconds;
    JsonWriter(seconds).EpochSeconds(arrival_ms);
    arrival_text_ += seconds;
  }
}

std::size_t RecordRowWriter::RowSize(const RecordView& record) {
  SetArrival(record.arrival_ms);
  if (cbor_) {
    return 1 + kCborSequence.size() + SequenceNumber::kTextSize + arrival_text_.size() +
           kCborData.size() + CborHeadSize(record.data.size()) + record.data.size() +
           kCborKey.size() + CborHeadSize(record.partition_key.size()) +
           record.partition_key.size() + (record.encrypted ? kCborEncrypted.size() : 0);
  }
  return kJsonSequence.size() + SequenceNumber::kTextSize + arrival_text_.size() +
         kJsonData.size() + Base64EncodedSize(record.data.size()) + kJsonKey.size() +
         KeySize(record) + (record.encrypted ? kJsonEncrypted.size() : 1);
}

char* RecordRowWriter::WriteRow(const RecordView& record, char* out) {
  SetArrival(record.arrival_ms);
  SequenceNumber number = page_.SequenceOf(record);
  if (numbers_.arrival_s() != number.arrival_s) {
    numbers_.MoveTo(number.arrival_s, number.index);
  } else if (numbers_.index() != number.index) {
    numbers_.MoveTo(number.index);
  }
  if (cbor_) {
    *out++ = static_cast<char>(0xa0 | (record.encrypted ? 5 : 4));
    out = Put(out, kCborSequence);
    out = numbers_.WriteNext(out);
    out = Put(out, arrival_text_);
    out = Put(out, kCborData);
    out = PutCborHead(out, 2, record.data.size());
    out = Put(out, record.data);
    out = Put(out, kCborKey);
    out = PutCborHead(out, 3, record.partition_key.size());
    out = Put(out, record.partition_key);
    return record.encrypted ? Put(out, kCborEncrypted) : out;
  }
  out = Put(out, kJsonSequence);
  out = numbers_.WriteNext(out);
  out = Put(out, arrival_text_);
  out = Put(out, kJsonData);
  out = codec::Base64Encode(record.data, out);
  out = Put(out, kJsonKey);
  out = PutKey(out, record);
  if (record.encrypted) return Put(out, kJsonEncrypted);
  *out++ = '}';
  return out;
}

namespace {

class PageSource final : public http::BodySource {
 public:
  PageSource(RecordPage page, PageBudget::Share share, bool cbor, std::string head,
             std::string tail)
      : share_(std::move(share)),
        page_(std::move(page)),
        cbor_(cbor),
        head_(std::move(head)),
        tail_(std::move(tail)),
        writer_(page_, cbor) {}

  uint64_t ContentLength() {
    uint64_t total = head_.size() + tail_.size();
    if (!cbor_ && !page_.records.empty()) total += page_.records.size() - 1;  // commas
    for (const RecordView& record : page_.records) total += writer_.RowSize(record);
    return total;
  }

  base::Result<Bytes> Next() override {
    if (finished_) return Bytes();
    Buffer chunk(kChunkBytes);
    if (next_ == 0) chunk.Append(head_);
    for (; next_ < page_.records.size(); ++next_) {
      const RecordView& record = page_.records[next_];
      std::size_t size = writer_.RowSize(record) + 1;
      if (chunk.size() + size > kChunkBytes && !chunk.empty() && next_ > 0) {
        return std::move(chunk).Share();
      }
      char* at = chunk.Room(size);
      char* end = at;
      if (!cbor_ && next_ > 0) *end++ = ',';
      end = writer_.WriteRow(record, end);
      chunk.Commit(static_cast<std::size_t>(end - at));
    }
    chunk.Append(tail_);
    finished_ = true;
    return std::move(chunk).Share();
  }

 private:
  const PageBudget::Share share_;
  RecordPage page_;
  const bool cbor_;
  const std::string head_, tail_;
  RecordRowWriter writer_;
  std::size_t next_ = 0;
  bool finished_ = false;
};

}  // namespace

PageAnswer MakePageAnswer(RecordPage page, PageBudget::Share share, bool cbor,
                          const std::optional<std::string>& next_iterator,
                          std::string_view children) {
  std::string head, tail;
  if (cbor) {
    CborWriter writer(head);
    writer.BeginMap(2u + (next_iterator ? 1 : 0) + (children.empty() ? 0 : 1));
    writer.Text("Records").BeginArray(page.records.size());
    CborWriter end(tail);
    if (next_iterator) end.Text("NextShardIterator").Text(*next_iterator);
    end.Text("MillisBehindLatest").Int(page.millis_behind);
    if (!children.empty()) end.Text("ChildShards").Raw(children);
  } else {
    head = R"({"Records":[)";
    tail = "]";
    if (next_iterator) tail += R"(,"NextShardIterator":")" + *next_iterator + "\"";
    tail += R"(,"MillisBehindLatest":)" + std::to_string(page.millis_behind);
    if (!children.empty()) tail.append(R"(,"ChildShards":)").append(children);
    tail += "}";
  }
  auto source = std::make_unique<PageSource>(std::move(page), std::move(share), cbor,
                                             std::move(head), std::move(tail));
  PageAnswer answer;
  answer.content_length = source->ContentLength();
  answer.source = std::move(source);
  return answer;
}

Bytes EncodeSubscribeEvent(const RecordPage& page, bool cbor, std::string_view continuation,
                           std::string_view children) {
  RecordRowWriter writer(page, cbor);
  std::size_t rows = 0;
  for (const RecordView& record : page.records) rows += writer.RowSize(record) + 1;
  Buffer out(rows + 256 + children.size());
  if (cbor) {
    CborWriter head(out);
    head.BeginMap(2u + (continuation.empty() ? 0 : 1) + (children.empty() ? 0 : 1));
    head.Text("Records").BeginArray(page.records.size());
  } else {
    out.Append(R"({"Records":[)");
  }
  char* at = out.Room(rows);
  char* end = at;
  for (std::size_t i = 0; i < page.records.size(); ++i) {
    if (!cbor && i > 0) *end++ = ',';
    end = writer.WriteRow(page.records[i], end);
  }
  out.Commit(static_cast<std::size_t>(end - at));
  if (cbor) {
    CborWriter tail(out);
    if (!continuation.empty()) tail.Text("ContinuationSequenceNumber").Text(continuation);
    tail.Text("MillisBehindLatest").Int(page.millis_behind);
    if (!children.empty()) tail.Text("ChildShards").Raw(children);
    return std::move(out).Share();
  }
  out.Append(']');
  if (!continuation.empty()) {
    out.Append(R"(,"ContinuationSequenceNumber":")");
    out.Append(continuation);
    out.Append('"');
  }
  out.Append(R"(,"MillisBehindLatest":)");
  out.Append(std::to_string(page.millis_behind));
  if (!children.empty()) {
    out.Append(R"(,"ChildShards":)");
    out.Append(children);
  }
  out.Append('}');
  return std::move(out).Share();
}

}  // namespace millstream::services::kinesis
