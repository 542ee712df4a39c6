#pragma once

#include <string>

#include "aws/schema.h"

namespace millstream::aws {

// Appends a value as Java's toString() shows it inside validation messages:
//   abc   [a, b]   {k=v}   java.nio.HeapByteBuffer[pos=0 lim=3 cap=3]   package.Structure@1f2e3d4c
// Stops soon after `to` has grown past `size_max`, leaving it longer than that.
void AppendValueText(const ServiceSchema& service, const ShapeSchema& shape, const void* value,
                     std::size_t size_max, std::string& to);

}  // namespace millstream::aws
