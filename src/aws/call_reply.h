#pragma once

#include <memory>
#include <optional>

#include "aws/answer_head.h"
#include "aws/audit.h"
#include "aws/engine.h"
#include "aws/front_door_metrics.h"
#include "aws/reply.h"
#include "base/clock.h"
#include "http/message.h"

namespace millstream::aws {

// What all answers of one operation share; lives as long as the front door.
struct AnswerContext {
  base::Clock& clock;
  FrontDoorMetrics& totals;
  OperationMetrics& metrics;
  AuditSink* audit_sink;  // null: no audit
  const ServiceSchema& service;
  const OperationSchema& operation;
  const Engine& engine;
};

// The front door's end of one call: turns the service's answer into HTTP, counts it and writes the
// audit event. One allocation per call; the answer may come from any thread.
class CallReply final : public ReplySink {
 public:
  CallReply(AnswerContext context, const AnswerHead& head, int64_t start_ns,
            http::Responder responder, std::unique_ptr<AuditEvent> audit)
      : context_(context),
        head_(head),
        start_ns_(start_ns),
        responder_(std::move(responder)),
        audit_(std::move(audit)) {}
  ~CallReply() override;

  void Send(const ShapeSchema& shape, const void* output) override;
  void Fail(ServiceError error) override;
  void SendEncoded(base::Bytes body) override;
  void SendEncoded(std::unique_ptr<http::BodySource> source,
                   std::optional<uint64_t> content_length) override;
  std::unique_ptr<EventSink> Open(const ShapeSchema& shape, const void* output) override;
  bool closed() const override { return responder_.closed(); }

  // The event to fill in before the call is answered; null without audit.
  AuditEvent* audit() { return audit_.get(); }

 private:
  http::Response EncodedHead() const;
  void Finish(const ServiceError* error);

  const AnswerContext context_;
  const AnswerHead head_;
  const int64_t start_ns_;
  http::Responder responder_;
  std::unique_ptr<AuditEvent> audit_;
};

}  // namespace millstream::aws
