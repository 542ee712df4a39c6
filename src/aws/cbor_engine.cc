#include "aws/cbor_engine.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>

#include "aws/wrong_type.h"
#include "codec/cbor.h"
#include "codec/utf8.h"

namespace millstream::aws {
namespace {

using codec::CborHead;
using codec::CborItems;
using codec::CborReader;
using codec::CborType;
using codec::CborWriter;

// Walks one body beside the tables. The first failure ends the walk: it is `error_`, or the
// reader's when the bytes are malformed.
class Decoder {
 public:
  Decoder(const base::Bytes& body, Protocol protocol)
      : body_(body), cbor_(body.view()), protocol_(protocol) {}

  bool Root(const ShapeSchema& shape, void* into);
  // Bytes that are no CBOR get no text from AWS.
  ServiceError TakeError() { return error_ ? std::move(*error_) : SerializationException(); }

 private:
  bool Structure(const ShapeSchema& shape, void* into, int depth);
  bool Value(const ShapeSchema& shape, void* into, int depth);
  bool List(const ShapeSchema& shape, void* into, int depth);
  bool Map(const ShapeSchema& shape, void* into, int depth);
  bool String(void* into);
  bool Boolean(void* into);
  bool Number(const ShapeSchema& shape, void* into);
  bool Blob(void* into);
  bool Timestamp(void* into);

  // The type of the next value behind its tags, which are taken.
  CborType Next();
  bool Wrong(Kind wanted, CborType found);
  bool Fail(ServiceError error) {
    error_ = std::move(error);
    return false;
  }
  bool CountElement() {
    return ++elements_ <= kElementsMax || Fail(TooManyElements());
  }

  const base::Bytes& body_;
  CborReader cbor_;
  const Protocol protocol_;
  std::optional<ServiceError> error_;
  std::size_t elements_ = 0;
};

CborType Decoder::Next() {
  CborHead tag;
  while (cbor_.ok() && cbor_.Peek() == CborType::kTag) cbor_.ReadHead(tag);
  return cbor_.Peek();
}

bool Decoder::Wrong(Kind wanted, CborType found) {
  switch (found) {
    case CborType::kUnsigned:
    case CborType::kNegative:
    case CborType::kFloat: return Fail(WrongType(wanted, WireType::kNumber));
    case CborType::kBytes: return Fail(WrongType(wanted, WireType::kBytes));
    case CborType::kText: return Fail(WrongType(wanted, WireType::kString, cbor_.ReadText()));
    case CborType::kArray: return Fail(WrongType(wanted, WireType::kList));
    case CborType::kMap: return Fail(WrongType(wanted, WireType::kStructureOrMap));
    case CborType::kBool: return Fail(WrongType(wanted, WireType::kBoolean));
    default: return Fail(SerializationException());
  }
}

bool Decoder::Root(const ShapeSchema& shape, void* into) {
  const CborType type = Next();
  if (type != CborType::kMap && type != CborType::kArray) return Fail(SerializationException());
  return Structure(shape, into, 0) && cbor_.ok();
}

bool Decoder::Structure(const ShapeSchema& shape, void* into, int depth) {
  if (const CborType type = Next(); type != CborType::kMap) return Wrong(Kind::kStructure, type);
  if (depth > kDepthMax) return Fail(TooDeep());
  uint32_t present = 0;
  for (CborItems items = cbor_.ReadMap(); cbor_.Next(items);) {
    const std::string_view key = cbor_.ReadText();
    if (!cbor_.ok()) return false;
    if (cbor_.ConsumeNull()) continue;
    const MemberSchema* member = shape.Find(key);
    if (member == nullptr) {
      cbor_.Skip();
      continue;
    }
    if (!Value(*member->shape, member->Set(into), depth)) return false;
    if (member->required()) present |= 1u << member->required_bit;
  }
  if (shape.has_required) {
    *reinterpret_cast<uint32_t*>(static_cast<char*>(into) + shape.present_offset) = present;
  }
  return cbor_.ok();
}

bool Decoder::Value(const ShapeSchema& shape, void* into, int depth) {
  switch (shape.kind) {
    case Kind::kString: return String(into);
    case Kind::kBoolean: return Boolean(into);
    case Kind::kInteger:
    case Kind::kLong:
    case Kind::kFloat:
    case Kind::kDouble: return Number(shape, into);
    case Kind::kBlob: return Blob(into);
    case Kind::kTimestamp: return Timestamp(into);
    case Kind::kList: return List(shape, into, depth + 1);
    case Kind::kMap: return Map(shape, into, depth + 1);
    case Kind::kStructure: return Structure(shape, into, depth + 1);
  }
  return false;
}

// Nulls keep their place, as in JSON (json_engine.cc).
bool Decoder::List(const ShapeSchema& shape, void* into, int depth) {
  if (const CborType type = Next(); type != CborType::kArray) return Wrong(Kind::kList, type);
  if (depth > kDepthMax) return Fail(TooDeep());
  for (CborItems items = cbor_.ReadArray(); cbor_.Next(items);) {
    if (!CountElement()) return false;
    void* slot = shape.list->append(into);
    if (cbor_.ConsumeNull()) continue;
    if (!Value(*shape.element, slot, depth)) return false;
  }
  return cbor_.ok();
}

bool Decoder::Map(const ShapeSchema& shape, void* into, int depth) {
  if (const CborType type = Next(); type != CborType::kMap) return Wrong(Kind::kMap, type);
  if (depth > kDepthMax) return Fail(TooDeep());
  for (CborItems items = cbor_.ReadMap(); cbor_.Next(items);) {
    const std::string_view key = cbor_.ReadText();
    if (!cbor_.ok()) return false;
    if (!codec::IsValidUtf8(key)) return Fail(SerializationException());
    if (cbor_.ConsumeNull()) continue;
    if (!CountElement()) return false;
    if (!Value(*shape.element, shape.map->put(into, key), depth)) return false;
  }
  return cbor_.ok();
}

bool Decoder::String(void* into) {
  if (const CborType type = Next(); type != CborType::kText) return Wrong(Kind::kString, type);
  const std::string_view text = cbor_.ReadText();
  if (!cbor_.ok()) return false;
  if (!codec::IsValidUtf8(text)) return Fail(SerializationException());
  static_cast<std::string*>(into)->assign(text);
  return true;
}

bool Decoder::Boolean(void* into) {
  bool& value = *static_cast<bool*>(into);
  const CborType type = Next();
  if (type == CborType::kBool) {
    value = cbor_.ReadBool();
    return cbor_.ok();
  }
  if (type == CborType::kText) {
    const std::string_view text = cbor_.ReadText();
    return cbor_.ok() && (ParseBoolean(text, value) ||
                          Fail(WrongType(Kind::kBoolean, WireType::kString, text)));
  }
  if (type == CborType::kFloat) {  // as in JSON, only numbers with a fraction pass
    value = cbor_.ReadDouble() != 0;
    return cbor_.ok();
  }
  return Wrong(Kind::kBoolean, type);
}

bool Decoder::Number(const ShapeSchema& shape, void* into) {
  const CborType type = Next();
  if (type != CborType::kUnsigned && type != CborType::kNegative && type != CborType::kFloat) {
    return Wrong(shape.kind, type);
  }
  if (shape.kind == Kind::kFloat || shape.kind == Kind::kDouble) {
    const double real = cbor_.ReadDouble();
    if (shape.kind == Kind::kFloat) {
      *static_cast<float*>(into) = static_cast<float>(real);
    } else {
      *static_cast<double*>(into) = real;
    }
    return cbor_.ok();
  }
  int64_t whole = 0;
  if (type == CborType::kFloat) {
    whole = ClampToInt64(cbor_.ReadDouble());
  } else {
    CborHead head;
    if (!cbor_.ReadHead(head)) return false;
    const uint64_t magnitude = std::min<uint64_t>(head.argument, INT64_MAX);
    whole = type == CborType::kUnsigned ? static_cast<int64_t>(magnitude)
                                        : -1 - static_cast<int64_t>(magnitude);
  }
  if (shape.kind == Kind::kInteger) {
    *static_cast<int32_t*>(into) = ClampToInt32(whole);
  } else {
    *static_cast<int64_t*>(into) = whole;
  }
  return cbor_.ok();
}

bool Decoder::Blob(void* into) {
  if (const CborType type = Next(); type != CborType::kBytes) return Wrong(Kind::kBlob, type);
  const std::string_view bytes = cbor_.ReadBytes();
  if (!cbor_.ok()) return false;
  base::Bytes& value = *static_cast<base::Bytes*>(into);
  const std::less_equal<const char*> not_after;
  const bool inside = not_after(body_.data(), bytes.data()) &&
                      not_after(bytes.data() + bytes.size(), body_.data() + body_.size());
  if (bytes.empty()) {
    value = base::Bytes();
  } else if (inside) {
    value = body_.Slice(static_cast<std::size_t>(bytes.data() - body_.data()), bytes.size());
  } else {
    value = base::Bytes::Copy(bytes);  // joined from chunks
  }
  return true;
}

bool Decoder::Timestamp(void* into) {
  const CborType type = Next();
  if (type != CborType::kUnsigned && type != CborType::kNegative && type != CborType::kFloat) {
    return Wrong(Kind::kTimestamp, type);
  }
  int64_t& ms = *static_cast<int64_t*>(into);
  const double scale = protocol_ == Protocol::kRpcV2Cbor ? 1000 : 1;
  if (type == CborType::kFloat) {
    const double value = cbor_.ReadDouble() * scale;
    ms = ClampTimestamp(ClampToInt64(value + 0.5));
    return cbor_.ok();
  }
  CborHead head;
  if (!cbor_.ReadHead(head)) return false;
  const uint64_t magnitude =
      std::min<uint64_t>(head.argument, static_cast<uint64_t>(INT64_MAX / 1000 - 1));
  ms = type == CborType::kUnsigned ? static_cast<int64_t>(magnitude)
                                   : -1 - static_cast<int64_t>(magnitude);
  if (protocol_ == Protocol::kRpcV2Cbor) ms *= 1000;
  ms = ClampTimestamp(ms);
  return true;
}

class Encoder {
 public:
  Encoder(base::Buffer& into, Protocol protocol) : cbor_(into), protocol_(protocol) {}

  void Value(const ShapeSchema& shape, const void* value);
  void Error(const ServiceSchema* service, const ServiceError& error);

 private:
  void Structure(const ShapeSchema& shape, const void* value);
  void Members(const ShapeSchema& shape, const void* value);
  void Timestamp(int64_t ms);

  CborWriter cbor_;
  const Protocol protocol_;
};

std::size_t CountMembers(const ShapeSchema& shape, const void* value) {
  std::size_t count = 0;
  for (const MemberSchema& member : shape.members) count += member.Get(value) != nullptr;
  return count;
}

void Encoder::Value(const ShapeSchema& shape, const void* value) {
  switch (shape.kind) {
    case Kind::kString: cbor_.Text(*static_cast<const std::string*>(value)); break;
    case Kind::kBoolean: cbor_.Bool(*static_cast<const bool*>(value)); break;
    case Kind::kInteger: cbor_.Int(*static_cast<const int32_t*>(value)); break;
    case Kind::kLong: cbor_.Int(*static_cast<const int64_t*>(value)); break;
    case Kind::kFloat: cbor_.Float(*static_cast<const float*>(value)); break;
    case Kind::kDouble: cbor_.Double(*static_cast<const double*>(value)); break;
    case Kind::kBlob: cbor_.Bytes(static_cast<const base::Bytes*>(value)->view()); break;
    case Kind::kTimestamp: Timestamp(*static_cast<const int64_t*>(value)); break;
    case Kind::kList: {
      const std::size_t size = shape.list->size(value);
      cbor_.BeginArray(size);
      for (std::size_t i = 0; i < size; ++i) Value(*shape.element, shape.list->at(value, i));
      break;
    }
    case Kind::kMap: {
      struct Context {
        Encoder& encoder;
        const ShapeSchema& element;
      } context{*this, *shape.element};
      cbor_.BeginMap(shape.map->size(value));
      shape.map->each(value, &context,
                      [](void* opaque, const std::string& key, const void* entry) {
                        auto& to = *static_cast<Context*>(opaque);
                        to.encoder.cbor_.Text(key);
                        to.encoder.Value(to.element, entry);
                      });
      break;
    }
    case Kind::kStructure: Structure(shape, value); break;
  }
}

void Encoder::Structure(const ShapeSchema& shape, const void* value) {
  cbor_.BeginMap(CountMembers(shape, value));
  Members(shape, value);
}

void Encoder::Members(const ShapeSchema& shape, const void* value) {
  for (const MemberSchema& member : shape.members) {
    const void* field = member.Get(value);
    if (field == nullptr) continue;
    cbor_.Text(member.name);
    Value(*member.shape, field);
  }
}

void Encoder::Timestamp(int64_t ms) {
  if (protocol_ != Protocol::kRpcV2Cbor) {
    cbor_.EpochMs(ms);
  } else if (ms % 1000 == 0) {
    cbor_.Tag(codec::kCborTagEpoch).Int(ms / 1000);
  } else {
    cbor_.Tag(codec::kCborTagEpoch).Double(static_cast<double>(ms) / 1000);
  }
}

void Encoder::Error(const ServiceSchema* service, const ServiceError& error) {
  const bool has_members = error.shape != nullptr;
  const std::size_t members =
      has_members ? CountMembers(*error.shape, error.members.get()) : std::size_t{0};
  cbor_.BeginMap(1 + (error.message.empty() ? 0u : 1u) + members);
  cbor_.Text("__type");
  if (service != nullptr && !service->error_namespace.empty()) {
    cbor_.Text(std::string(service->error_namespace) + "#" + error.code);
  } else {
    cbor_.Text(error.code);
  }
  if (!error.message.empty()) cbor_.Text(error.message_member).Text(error.message);
  if (has_members) Members(*error.shape, error.members.get());
}

}  // namespace

std::string_view CborEngine::content_type() const {
  return protocol_ == Protocol::kRpcV2Cbor ? "application/cbor" : "application/x-amz-cbor-1.1";
}

void CborEngine::AddHeaders(http::Response& response) const {
  response.headers.AppendLines(protocol_ == Protocol::kRpcV2Cbor
                                   ? "content-type: application/cbor\r\n"
                                     "smithy-protocol: rpc-v2-cbor\r\n"
                                   : "content-type: application/x-amz-cbor-1.1\r\n");
}

Outcome<Instance> CborEngine::DecodeInput(const OperationSchema& operation,
                                          const http::Request& request) const {
  // RPC v2 sends no body at all for an operation without input.
  if (protocol_ == Protocol::kRpcV2Cbor && request.body.empty() && !operation.has_input) {
    return Instance(*operation.input);
  }
  return DecodeShape(*operation.input, request.body);
}

Outcome<Instance> CborEngine::DecodeShape(const ShapeSchema& shape, base::Bytes body) const {
  Instance instance(shape);
  Decoder decoder(body, protocol_);
  if (!decoder.Root(shape, instance.get())) return FailCall(decoder.TakeError());
  return instance;
}

void CborEngine::EncodeShape(const ShapeSchema& shape, const void* value,
                             base::Buffer& into) const {
  Encoder(into, protocol_).Value(shape, value);
}

void CborEngine::EncodeOutput(const OperationSchema& operation, const void* output,
                              http::Response& response) const {
  response.status = 200;
  AddHeaders(response);
  if (!operation.has_output) return;
  base::Buffer body;
  EncodeShape(*operation.output, output, body);
  response.body = std::move(body).Share();
}

void CborEngine::EncodeError(const ServiceSchema* service, const ServiceError& error,
                             http::Response& response) const {
  response.status = error.http_status;
  AddHeaders(response);
  base::Buffer body;
  Encoder(body, protocol_).Error(service, error);
  response.body = std::move(body).Share();
}

}  // namespace millstream::aws
