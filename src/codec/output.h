#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace millstream::codec {

// Where a writer appends: a Buffer or a string that the caller owns. A borrowed pointer, cheap to
// copy.
class Output {
 public:
  Output(base::Buffer& buffer) : buffer_(&buffer) {}  // NOLINT: implicit on purpose
  Output(std::string& text) : text_(&text) {}         // NOLINT: implicit on purpose

  void Append(char c) {
    if (buffer_ != nullptr) {
      buffer_->Append(c);
    } else {
      text_->push_back(c);
    }
  }
  void Append(std::string_view bytes) {
    if (buffer_ != nullptr) {
      buffer_->Append(bytes);
    } else {
      text_->append(bytes);
    }
  }

  // Exactly `size` bytes that the caller fills at once, before the next call.
  char* Extend(std::size_t size) {
    if (buffer_ != nullptr) {
      char* at = buffer_->Room(size);
      buffer_->Commit(size);
      return at;
    }
    text_->resize(text_->size() + size);
    return text_->data() + text_->size() - size;
  }

 private:
  base::Buffer* buffer_ = nullptr;
  std::string* text_ = nullptr;
};

}  // namespace millstream::codec
