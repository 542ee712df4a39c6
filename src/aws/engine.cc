#include "aws/engine.h"

#include "aws/cbor_engine.h"
#include "aws/json_engine.h"

namespace millstream::aws {

const Engine* Engine::For(Protocol protocol) {
  static const JsonEngine json10(Protocol::kJson10);
  static const JsonEngine json11(Protocol::kJson11);
  static const CborEngine cbor(Protocol::kCborKinesis);
  static const CborEngine rpc_v2_cbor(Protocol::kRpcV2Cbor);
  switch (protocol) {
    case Protocol::kJson10: return &json10;
    case Protocol::kJson11: return &json11;
    case Protocol::kCborKinesis: return &cbor;
    case Protocol::kRpcV2Cbor: return &rpc_v2_cbor;
    case Protocol::kQuery:
    case Protocol::kRestJson:
    case Protocol::kRestXml: return nullptr;
  }
  return nullptr;
}

}  // namespace millstream::aws
