#pragma once

#include <string_view>

#include "aws/call.h"
#include "aws/error.h"
#include "aws/schema.h"
#include "base/bytes.h"

// Messages of application/vnd.amazon.eventstream with payloads in a call's encoding. The framing is
// codec/event_stream.h; here are the headers that AWS clients expect.
namespace millstream::aws {

inline constexpr std::string_view kEventStreamContentType = "application/vnd.amazon.eventstream";

// :message-type event, :event-type `event_name`, :content-type of the protocol, payload = `value`.
// "initial-response" is the event type of the operation's output, which comes first.
void AppendEvent(Protocol protocol, std::string_view event_name, const ShapeSchema& shape,
                 const void* value, base::Buffer& into);

// The same with a payload that is encoded already.
void AppendEncodedEvent(Protocol protocol, std::string_view event_name, std::string_view payload,
                        base::Buffer& into);

// :message-type exception, :exception-type `error.code`, payload as of an error answer.
void AppendException(Protocol protocol, const ServiceError& error, base::Buffer& into);

}  // namespace millstream::aws
