#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "aws/call.h"
#include "aws/error.h"
#include "aws/schema.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/function.h"
#include "http/message.h"

namespace millstream::aws {

// The sending end of an opened event stream, as the front door supplies it. Any thread; one thread
// at a time. Destroying it without End() or Fail() resets the HTTP stream.
class EventSink {
 public:
  virtual ~EventSink() = default;
  // Encodes and queues one event. False when the peer is gone: stop producing.
  virtual bool Push(std::string_view event_name, const ShapeSchema& shape, const void* event) = 0;
  // Queues a frame (or several) that is already encoded for protocol(); see event_stream.h.
  virtual bool PushEncoded(base::Bytes frames) = 0;
  virtual std::size_t queued_bytes() const = 0;
  virtual void OnDrained(std::size_t low_water, base::Function<void()> drained) = 0;
  virtual bool closed() const = 0;
  virtual Protocol protocol() const = 0;
  virtual void End() = 0;
  // Sends a modelled exception as the last message.
  virtual void Fail(ServiceError error) = 0;
};

// Where the answer of one call goes; the front door supplies it. It knows the encoding, adds the
// headers (request id, content type) and logs the call. Exactly one of the methods that consume it
// is called, once, on any thread; destroying it before that answers InternalFailure and logs a bug.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  virtual void Send(const ShapeSchema& shape, const void* output) = 0;
  virtual void Fail(ServiceError error) = 0;
  // Answers 200 with a body that is already encoded for the call's protocol.
  virtual void SendEncoded(base::Bytes body) = 0;
  virtual void SendEncoded(std::unique_ptr<http::BodySource> source,
                           std::optional<uint64_t> content_length) = 0;
  // Event stream outputs only: sends the head and the initial response.
  virtual std::unique_ptr<EventSink> Open(const ShapeSchema& shape, const void* output) = 0;
  // True once the peer has gone away: the answer will be dropped.
  virtual bool closed() const = 0;
};

// Answers one call: exactly one of Send(), Fail() and SendEncoded(), from any thread, at any time
// later. Move-only.
template <typename Output>
class Reply {
 public:
  Reply() = default;
  Reply(const ShapeSchema& shape, std::unique_ptr<ReplySink> sink)
      : shape_(&shape), sink_(std::move(sink)) {}

  void Send(const Output& output) && { Take()->Send(*shape_, &output); }
  void Fail(ServiceError error) && { Take()->Fail(std::move(error)); }
  void SendEncoded(base::Bytes body) && { Take()->SendEncoded(std::move(body)); }
  void SendEncoded(std::unique_ptr<http::BodySource> source,
                   std::optional<uint64_t> content_length) && {
    Take()->SendEncoded(std::move(source), content_length);
  }
  bool closed() const { return sink_ == nullptr || sink_->closed(); }
  explicit operator bool() const { return sink_ != nullptr; }

 private:
  std::unique_ptr<ReplySink> Take() {
    CHECK_MSG(sink_ != nullptr, "a call is answered once");
    return std::move(sink_);
  }

  const ShapeSchema* shape_ = nullptr;
  std::unique_ptr<ReplySink> sink_;
};

// An event stream that has been opened. Any thread, one at a time.
template <typename Event>
class EventWriter {
 public:
  EventWriter() = default;
  EventWriter(const OperationSchema& operation, std::unique_ptr<EventSink> sink)
      : operation_(&operation), sink_(std::move(sink)) {}

  // False when the peer is gone: stop producing.
  bool Push(const Event& event) {
    return sink_->Push(operation_->event_name, *operation_->event, &event);
  }
  bool PushEncoded(base::Bytes frames) { return sink_->PushEncoded(std::move(frames)); }
  std::size_t queued_bytes() const { return sink_->queued_bytes(); }
  void OnDrained(std::size_t low_water, base::Function<void()> drained) {
    sink_->OnDrained(low_water, std::move(drained));
  }
  bool closed() const { return sink_ == nullptr || sink_->closed(); }
  Protocol protocol() const { return sink_->protocol(); }
  void End() && { std::exchange(sink_, nullptr)->End(); }
  void Fail(ServiceError error) && { std::exchange(sink_, nullptr)->Fail(std::move(error)); }
  explicit operator bool() const { return sink_ != nullptr; }

 private:
  const OperationSchema* operation_ = nullptr;
  std::unique_ptr<EventSink> sink_;
};

// Answers a call whose output is an event stream: exactly one of Open() and Fail(). Move-only.
template <typename Output, typename Event>
class StreamReply {
 public:
  StreamReply() = default;
  StreamReply(const OperationSchema& operation, std::unique_ptr<ReplySink> sink)
      : operation_(&operation), sink_(std::move(sink)) {}

  // Sends the HTTP head and the initial response; then push events.
  EventWriter<Event> Open(const Output& output) && {
    auto sink = Take();
    return EventWriter<Event>(*operation_, sink->Open(*operation_->output, &output));
  }
  void Fail(ServiceError error) && { Take()->Fail(std::move(error)); }
  bool closed() const { return sink_ == nullptr || sink_->closed(); }
  explicit operator bool() const { return sink_ != nullptr; }

 private:
  std::unique_ptr<ReplySink> Take() {
    CHECK_MSG(sink_ != nullptr, "a call is answered once");
    return std::move(sink_);
  }

  const OperationSchema* operation_ = nullptr;
  std::unique_ptr<ReplySink> sink_;
};

}  // namespace millstream::aws
