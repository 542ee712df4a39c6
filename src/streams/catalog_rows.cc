#include "streams/catalog_rows.h"

#include <fmt/format.h>

#include <cstring>

#include "codec/big_endian.h"
#include "codec/hex.h"
#include "codec/varint.h"
#include "streams/registry.h"

namespace millstream::streams {
namespace {

// Fields of a row: each a varint of (tag << 1 | is_text) and its value.
class FieldWriter {
 public:
  FieldWriter& Number(uint32_t tag, uint64_t value) {
    if (value != 0) {
      Varint(uint64_t{tag} << 1);
      Varint(value);
    }
    return *this;
  }
  FieldWriter& Signed(uint32_t tag, int64_t value) { return Number(tag, codec::ZigZag(value)); }
  FieldWriter& Text(uint32_t tag, std::string_view value) {
    Varint((uint64_t{tag} << 1) | 1);
    Varint(value.size());
    bytes_ += value;
    return *this;
  }
  FieldWriter& HashKeyValue(uint32_t tag, HashKey key) {
    char bytes[16];
    codec::StoreBigEndian<uint64_t>(bytes, static_cast<uint64_t>(key >> 64));
    codec::StoreBigEndian<uint64_t>(bytes + 8, static_cast<uint64_t>(key));
    return Text(tag, {bytes, sizeof bytes});
  }
  std::string Take() { return std::move(bytes_); }

 private:
  void Varint(uint64_t value) {
    char bytes[codec::kVarlongSizeMax];
    bytes_.append(bytes, codec::WriteUnsignedVarlong(value, bytes));
  }
  std::string bytes_;
};

struct Field {
  uint32_t tag = 0;
  uint64_t number = 0;
  std::string_view text;

  int64_t Signed() const { return codec::UnZigZag(number); }
  std::string String() const { return std::string(text); }
  HashKey ToHashKey() const {
    if (text.size() != 16) return 0;
    return codec::MakeUint128(codec::LoadBigEndian<uint64_t>(text.data()),
                              codec::LoadBigEndian<uint64_t>(text.data() + 8));
  }
};

// Calls visit(field) for each; a failure names `what`.
template <typename Visit>
base::Status ReadFields(std::string_view what, std::string_view bytes, Visit visit) {
  while (!bytes.empty()) {
    uint64_t head = 0;
    Field field;
    bool whole = codec::ReadUnsignedVarlong(bytes, head) &&
                 codec::ReadUnsignedVarlong(bytes, field.number);
    if (whole && (head & 1) != 0) {
      whole = field.number <= bytes.size();
      if (whole) {
        field.text = bytes.substr(0, field.number);
        bytes.remove_prefix(field.number);
      }
    }
    if (!whole) {
      return base::Fail(base::Code::kDataLoss,
                        fmt::format("catalog row of a {} ends within a field", what));
    }
    field.tag = static_cast<uint32_t>(head >> 1);
    visit(field);
  }
  return {};
}

std::string EncodeTag(const std::string& key, const std::string& value) {
  return FieldWriter().Text(1, key).Text(2, value).Take();
}

base::Status DecodeTag(std::string_view bytes, std::map<std::string, std::string>& tags) {
  std::string key, value;
  TRY(ReadFields("tag", bytes, [&](const Field& field) {
    if (field.tag == 1) key = field.text;
    if (field.tag == 2) value = field.text;
  }));
  tags[key] = value;
  return {};
}

std::string EncodeStep(const ReshardStep& step) {
  return FieldWriter()
      .Number(1, static_cast<uint64_t>(step.kind))
      .Number(2, step.shard.index)
      .Number(3, step.adjacent.index)
      .HashKeyValue(4, step.at)
      .Take();
}

base::Result<ReshardStep> DecodeStep(std::string_view bytes) {
  ReshardStep step;
  TRY(ReadFields("reshard step", bytes, [&](const Field& field) {
    if (field.tag == 1) step.kind = static_cast<ReshardStep::Kind>(field.number);
    if (field.tag == 2) step.shard.index = static_cast<uint32_t>(field.number);
    if (field.tag == 3) step.adjacent.index = static_cast<uint32_t>(field.number);
    if (field.tag == 4) step.at = field.ToHashKey();
  }));
  return step;
}

std::string EncodeConsumer(const Consumer& consumer) {
  FieldWriter fields;
  fields.Text(1, consumer.name)
      .Signed(2, consumer.created_s)
      .Number(3, static_cast<uint64_t>(consumer.status))
      .Signed(4, consumer.change_due_ms)
      .Text(6, consumer.policy);
  for (const auto& [key, value] : consumer.tags) fields.Text(5, EncodeTag(key, value));
  return fields.Take();
}

base::Result<Consumer> DecodeConsumer(std::string_view bytes) {
  Consumer consumer;
  base::Status tags;
  TRY(ReadFields("consumer", bytes, [&](const Field& field) {
    switch (field.tag) {
      case 1: consumer.name = field.text; break;
      case 2: consumer.created_s = field.Signed(); break;
      case 3: consumer.status = static_cast<ConsumerStatus>(field.number); break;
      case 4: consumer.change_due_ms = field.Signed(); break;
      case 5:
        if (auto tag = DecodeTag(field.text, consumer.tags); !tag) tags = tag;
        break;
      case 6: consumer.policy = field.text; break;
      default: break;
    }
  }));
  if (!tags) return base::Fail(tags.error());
  return consumer;
}

}  // namespace

std::string UuidText(const StreamUuid& uuid) {
  return codec::HexEncode({reinterpret_cast<const char*>(uuid.data()), uuid.size()});
}

std::string NumberedKey(const StreamUuid& uuid, uint32_t number) {
  return fmt::format("{}/{:010}", UuidText(uuid), number);
}

std::string EncodeStream(const Stream::Identity& identity, const StreamState& state) {
  FieldWriter fields;
  fields.Text(1, identity.key.account)
      .Text(2, identity.key.region)
      .Text(3, identity.key.name)
      .Signed(4, identity.created_ms)
      .Number(5, static_cast<uint64_t>(state.status))
      .Number(6, static_cast<uint64_t>(state.mode))
      .Signed(7, state.retention_ms)
      .Signed(8, state.record_bytes_max)
      .Number(9, static_cast<uint64_t>(state.warm_throughput_mibps))
      .Number(10, state.shard_metrics)
      .Text(14, state.policy)
      .Number(17, state.next_shard_index)
      .Signed(18, state.change_due_ms)
      .Number(21, state.initial_shards);
  if (state.encryption) {
    fields.Text(11, state.encryption->key_id).Number(12, state.encryption->data_key->number);
  }
  for (const auto& [key, value] : state.tags) fields.Text(13, EncodeTag(key, value));
  for (int64_t at : state.shard_count_updates_ms) fields.Signed(15, at);
  for (int64_t at : state.mode_updates_ms) fields.Signed(16, at);
  for (const ReshardStep& step : state.steps) fields.Text(19, EncodeStep(step));
  for (const Consumer& consumer : state.consumers) fields.Text(20, EncodeConsumer(consumer));
  return fields.Take();
}

base::Result<DecodedStream> DecodeStream(std::string_view uuid_text, std::string_view value) {
  DecodedStream decoded;
  Stream::Identity& identity = decoded.identity;
  StreamState& state = decoded.state;
  if (uuid_text.size() != 2 * identity.uuid.size() ||
      !codec::HexDecode(uuid_text, reinterpret_cast<char*>(identity.uuid.data()))) {
    return base::Fail(base::Code::kDataLoss,
                      "catalog row of a stream has no uuid for its key: " + std::string(uuid_text));
  }
  identity.stream_id = StreamIdOf(identity.uuid);
  base::Status inner;
  TRY(ReadFields("stream", value, [&](const Field& field) {
    switch (field.tag) {
      case 1: identity.key.account = field.text; break;
      case 2: identity.key.region = field.text; break;
      case 3: identity.key.name = field.text; break;
      case 4: identity.created_ms = field.Signed(); break;
      case 5: state.status = static_cast<StreamStatus>(field.number); break;
      case 6: state.mode = static_cast<StreamMode>(field.number); break;
      case 7: state.retention_ms = field.Signed(); break;
      case 8: state.record_bytes_max = field.Signed(); break;
      case 9: state.warm_throughput_mibps = static_cast<int32_t>(field.number); break;
      case 10: state.shard_metrics = static_cast<ShardMetricSet>(field.number); break;
      case 11: state.encryption.emplace().key_id = field.text; break;
      case 12: decoded.data_key_number = static_cast<uint32_t>(field.number); break;
      case 13:
        if (auto tag = DecodeTag(field.text, state.tags); !tag) inner = tag;
        break;
      case 14: state.policy = field.text; break;
      case 15: state.shard_count_updates_ms.push_back(field.Signed()); break;
      case 16: state.mode_updates_ms.push_back(field.Signed()); break;
      case 17: state.next_shard_index = static_cast<uint32_t>(field.number); break;
      case 18: state.change_due_ms = field.Signed(); break;
      case 19:
        if (auto step = DecodeStep(field.text)) {
          state.steps.push_back(*step);
        } else {
          inner = base::Fail(step.error());
        }
        break;
      case 20:
        if (auto consumer = DecodeConsumer(field.text)) {
          state.consumers.push_back(std::move(*consumer));
        } else {
          inner = base::Fail(consumer.error());
        }
        break;
      case 21: state.initial_shards = static_cast<uint32_t>(field.number); break;
      default: break;
    }
  }));
  if (!inner) return base::Fail(inner.error());
  return decoded;
}

std::string EncodeShard(const ShardFacts& facts) {
  FieldWriter fields;
  fields.Number(1, facts.id.index)
      .Signed(2, facts.created_s)
      .HashKeyValue(3, facts.range.start)
      .HashKeyValue(4, facts.range.end)
      .Number(5, facts.log.value);
  if (facts.parent) fields.Number(6, uint64_t{facts.parent->index} + 1);
  if (facts.adjacent_parent) fields.Number(7, uint64_t{facts.adjacent_parent->index} + 1);
  if (facts.closed_ms) fields.Signed(8, *facts.closed_ms);
  return fields.Take();
}

base::Result<ShardFacts> DecodeShard(std::string_view value) {
  ShardFacts facts;
  TRY(ReadFields("shard", value, [&](const Field& field) {
    switch (field.tag) {
      case 1: facts.id.index = static_cast<uint32_t>(field.number); break;
      case 2: facts.created_s = field.Signed(); break;
      case 3: facts.range.start = field.ToHashKey(); break;
      case 4: facts.range.end = field.ToHashKey(); break;
      case 5: facts.log.value = field.number; break;
      case 6: facts.parent = ShardId{static_cast<uint32_t>(field.number - 1)}; break;
      case 7: facts.adjacent_parent = ShardId{static_cast<uint32_t>(field.number - 1)}; break;
      case 8: facts.closed_ms = field.Signed(); break;
      default: break;
    }
  }));
  return facts;
}

std::string EncodeDataKey(const WrappedDataKey& key) {
  return FieldWriter().Number(1, key.number).Text(2, key.key_id).Text(3, key.wrapped).Take();
}

base::Result<WrappedDataKey> DecodeDataKey(std::string_view value) {
  WrappedDataKey key;
  TRY(ReadFields("data key", value, [&](const Field& field) {
    if (field.tag == 1) key.number = static_cast<uint32_t>(field.number);
    if (field.tag == 2) key.key_id = field.text;
    if (field.tag == 3) key.wrapped = field.text;
  }));
  return key;
}

std::string EncodeAccount(const AccountSettings& settings) {
  return FieldWriter()
      .Number(1, settings.billing_commitment ? 1 : 0)
      .Signed(2, settings.started_ms)
      .Signed(3, settings.ended_ms)
      .Signed(4, settings.earliest_end_ms)
      .Take();
}

base::Result<AccountSettings> DecodeAccount(std::string_view value) {
  AccountSettings settings;
  TRY(ReadFields("account", value, [&](const Field& field) {
    if (field.tag == 1) settings.billing_commitment = field.number != 0;
    if (field.tag == 2) settings.started_ms = field.Signed();
    if (field.tag == 3) settings.ended_ms = field.Signed();
    if (field.tag == 4) settings.earliest_end_ms = field.Signed();
  }));
  return settings;
}

std::string StreamIdOf(const StreamUuid& uuid) {
  static constexpr char kDigits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  HashKey rest = codec::MakeUint128(codec::LoadBigEndian<uint64_t>(uuid.data()),
                                    codec::LoadBigEndian<uint64_t>(uuid.data() + 8));
  std::string text(24, '-');
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 20) continue;
    text[i] = kDigits[static_cast<std::size_t>(rest % 36)];
    rest /= 36;
  }
  return text;
}

}  // namespace millstream::streams
