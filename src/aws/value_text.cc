#include "aws/value_text.h"

#include <cstdio>

#include "base/bytes.h"

namespace millstream::aws {
namespace {

// Java numbers objects; a number made of the structure's name keeps messages reproducible.
uint32_t ObjectNumber(std::string_view name) {
  uint32_t hash = 2166136261;
  for (char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619;
  return hash;
}

}  // namespace

void AppendValueText(const ServiceSchema& service, const ShapeSchema& shape, const void* value,
                     std::size_t size_max, std::string& to) {
  char digits[64];
  switch (shape.kind) {
    case Kind::kString: to.append(*static_cast<const std::string*>(value)); break;
    case Kind::kBoolean: to.append(*static_cast<const bool*>(value) ? "true" : "false"); break;
    case Kind::kInteger: to.append(std::to_string(*static_cast<const int32_t*>(value))); break;
    case Kind::kLong:
    case Kind::kTimestamp: to.append(std::to_string(*static_cast<const int64_t*>(value))); break;
    case Kind::kFloat:
      std::snprintf(digits, sizeof digits, "%.9g",
                    static_cast<double>(*static_cast<const float*>(value)));
      to.append(digits);
      break;
    case Kind::kDouble:
      std::snprintf(digits, sizeof digits, "%.17g", *static_cast<const double*>(value));
      to.append(digits);
      break;
    case Kind::kBlob: {
      const std::string size = std::to_string(static_cast<const base::Bytes*>(value)->size());
      to.append("java.nio.HeapByteBuffer[pos=0 lim=").append(size).append(" cap=").append(size);
      to.append("]");
      break;
    }
    case Kind::kList: {
      to += '[';
      const std::size_t size = shape.list->size(value);
      for (std::size_t i = 0; i < size && to.size() <= size_max; ++i) {
        if (i > 0) to.append(", ");
        AppendValueText(service, *shape.element, shape.list->at(value, i), size_max, to);
      }
      to += ']';
      break;
    }
    case Kind::kMap: {
      struct Context {
        const ServiceSchema& service;
        const ShapeSchema& element;
        std::size_t size_max;
        std::string& to;
        bool first = true;
      } context{service, *shape.element, size_max, to};
      to += '{';
      shape.map->each(value, &context,
                      [](void* opaque, const std::string& key, const void* entry) {
                        auto& into = *static_cast<Context*>(opaque);
                        if (into.to.size() > into.size_max) return;
                        if (!into.first) into.to.append(", ");
                        into.first = false;
                        into.to.append(key).append("=");
                        AppendValueText(into.service, into.element, entry, into.size_max, into.to);
                      });
      to += '}';
      break;
    }
    case Kind::kStructure:
      std::snprintf(digits, sizeof digits, "@%x", ObjectNumber(shape.name));
      to.append(service.java_package).append(".").append(shape.name).append(digits);
      break;
  }
}

}  // namespace millstream::aws
