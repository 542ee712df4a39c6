#include "http/message.h"

#include "base/check.h"
#include "http/characters.h"

namespace millstream::http {

std::optional<std::string_view> Request::Find(std::string_view lower_case_name) const {
  for (const HeaderView& header : headers) {
    if (EqualsIgnoringCase(header.name, lower_case_name)) return header.value;
  }
  return std::nullopt;
}

void HeaderBlock::Add(std::string_view name, std::string_view value) {
  lines_ += name;
  lines_ += ": ";
  std::size_t start = lines_.size();
  lines_ += value;
  for (std::size_t i = start; i < lines_.size(); ++i) {
    if (!IsValueChar(lines_[i])) lines_[i] = ' ';
  }
  lines_ += "\r\n";
}

void Responder::Send(Response response) && {
  CHECK_MSG(impl_ != nullptr, "a request is answered once");
  auto impl = std::move(impl_);
  impl->Send(std::move(response));
}

std::unique_ptr<BodyWriter> Responder::Stream(Response head) && {
  CHECK_MSG(impl_ != nullptr, "a request is answered once");
  auto impl = std::move(impl_);
  return impl->Stream(std::move(head));
}

}  // namespace millstream::http
