#pragma once

#include <string>
#include <string_view>

#include "aws/error.h"
#include "aws/schema.h"

// What AWS says when a member has a type that does not fit. Texts recorded on AWS by kinesalite
// (validations/index.js, test/helpers.js), spelling included.
namespace millstream::aws {

enum class WireType : uint8_t { kBoolean, kNumber, kString, kBytes, kList, kStructureOrMap };

// `text` is the string found; only booleans quote it.
ServiceError WrongType(Kind wanted, WireType found, std::string_view text = {});

// Why `text` is not base64. Requires that it is not.
ServiceError NotBase64(std::string_view text);

// How strings pass for booleans on AWS: true, false, 1, 0, yes, no in any case.
bool ParseBoolean(std::string_view text, bool& value);

// Lists and maps of one request may have this many elements together; what is above is refused
// before it is stored, because a few bytes of text become a hundred of memory.
inline constexpr std::size_t kElementsMax = 250'000;
ServiceError TooManyElements();

// Structures, lists and maps may stand this deep in each other (recursive models only).
inline constexpr int kDepthMax = 64;
ServiceError TooDeep();

// Numbers that do not fit are cut to the range of the member's type, as AWS does.
int32_t ClampToInt32(int64_t value);
int64_t ClampToInt64(double value);  // rounds down

// Times are cut to the years 1 to 9999, which every format can carry without loss.
int64_t ClampTimestamp(int64_t epoch_ms);

}  // namespace millstream::aws
