#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "streams/stream.h"

// How streams, shards and the rest lie in the catalog: rows of tagged fields (varint tag and type,
// then a varint or a length and bytes), so that a later version can add some and an older one skips
// them.
namespace millstream::streams {

inline constexpr std::string_view kStreamKind = "stream";      // key: uuid in hex
inline constexpr std::string_view kShardKind = "shard";        // key: uuid/0000000003
inline constexpr std::string_view kDataKeyKind = "data-key";   // key: uuid/0000000001
inline constexpr std::string_view kAccountKind = "account";    // key: account/region
inline constexpr std::string_view kDoomedLogKind = "doomed-log";  // key: the log's number
inline constexpr std::string_view kMetaKind = "meta";
inline constexpr std::string_view kNextLogKey = "next-log";
inline constexpr std::string_view kIteratorKey = "iterator-key";

std::string UuidText(const StreamUuid& uuid);  // 32 hexadecimal digits
std::string NumberedKey(const StreamUuid& uuid, uint32_t number);

// Everything but shards and unwrapped data keys.
std::string EncodeStream(const Stream::Identity& identity, const StreamState& state);
struct DecodedStream {
  Stream::Identity identity;
  StreamState state;            // encryption->data_key is null: see data_key_number
  uint32_t data_key_number = 0;
};
base::Result<DecodedStream> DecodeStream(std::string_view uuid_text, std::string_view value);

std::string EncodeShard(const ShardFacts& facts);
base::Result<ShardFacts> DecodeShard(std::string_view value);

struct WrappedDataKey {
  uint32_t number = 0;
  std::string key_id;
  std::string wrapped;
};
std::string EncodeDataKey(const WrappedDataKey& key);
base::Result<WrappedDataKey> DecodeDataKey(std::string_view value);

struct AccountSettings;
std::string EncodeAccount(const AccountSettings& settings);
base::Result<AccountSettings> DecodeAccount(std::string_view value);

// AWS's id of a stream: 20 characters, a hyphen, 3 characters, made from the uuid.
std::string StreamIdOf(const StreamUuid& uuid);

}  // namespace millstream::streams
