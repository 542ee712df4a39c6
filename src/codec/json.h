#pragma once

// All of JSON (RFC 8259): JsonWriter writes, JsonDocument holds a parsed text, JsonCursor walks a
// text that is read once.
#include "codec/json_cursor.h"
#include "codec/json_value.h"
#include "codec/json_writer.h"
