#include "server/command_sql_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace millstream::server {

using base::Code;
using base::Fail;

namespace {

// Small enough to stay in the second-level cache between the system's copy and the parser.
constexpr std::size_t kBufferBytes = 256 * 1024;
constexpr std::size_t kRecordBytesMax = 256 << 20;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  // what some editors write first

struct Packed {
  std::string_view begins, what, remedy;
};
// What people have in buckets and backups. None of them can begin a record or a SQL text.
constexpr Packed kPacked[] = {
    {"\x1F\x8B", "compressed with gzip", "zcat"},
    {"\x28\xB5\x2F\xFD", "compressed with zstd", "zstdcat"},
    {"\xFD\x37zXZ", "compressed with xz", "xzcat"},
    {"BZh", "compressed with bzip2", "bzcat"},
    {"\x04\x22\x4D\x18", "compressed with lz4", "lz4cat"},
    {"PK\x03\x04", "a zip archive", "unzip -p"},
    {"\xFF\xFE", "UTF-16", "iconv -f UTF-16 -t UTF-8"},
    {"\xFE\xFF", "UTF-16", "iconv -f UTF-16 -t UTF-8"},
    {"PAR1", "Parquet", ""},
};
constexpr std::size_t kPackedBytesMax = 5;

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

base::Result<std::unique_ptr<RecordReader>> RecordReader::Open(const std::string& path) {
  int fd = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat facts = {};
  if (fd < 0 || ::fstat(fd, &facts) != 0) {
    return Fail(Code::kNotFound, fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  }
  auto reader = std::unique_ptr<RecordReader>(new RecordReader(path, fd));
  if (S_ISDIR(facts.st_mode)) {
    return Fail(Code::kInvalidArgument, fmt::format("cannot read {}: it is a directory", path));
  }
  reader->regular_ = S_ISREG(facts.st_mode);
  return reader;
}

RecordReader::RecordReader(std::string path, int fd)
    : path_(std::move(path)), fd_(fd), buffer_(new char[kBufferBytes]), capacity_(kBufferBytes) {}

RecordReader::~RecordReader() {
  if (fd_ > STDERR_FILENO) ::close(fd_);
}

base::Status RecordReader::Fill() {
  if (fresh_ || ended_) {
    fresh_ = false;
    return {};
  }
  if (begin_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == capacity_) {
    if (capacity_ >= kRecordBytesMax) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("{}: a record is longer than {} MiB", path_, kRecordBytesMax >> 20));
    }
    auto larger = std::unique_ptr<char[]>(new char[capacity_ * 2]);
    std::memcpy(larger.get(), buffer_.get(), end_);
    buffer_ = std::move(larger);
    capacity_ *= 2;
  }
  ssize_t got;
  do {
    got = ::read(fd_, buffer_.get() + end_, capacity_ - end_);
  } while (got < 0 && errno == EINTR);
  if (got < 0)
    return Fail(Code::kUnavailable, fmt::format("cannot read {}: {}", path_, std::strerror(errno)));
  if (got == 0) ended_ = true;
  end_ += static_cast<std::size_t>(got);
  if (!begun_ && (end_ >= kPackedBytesMax || ended_)) {
    begun_ = true;
    for (const Packed& packed : kPacked) {
      if (!std::string_view(buffer_.get(), end_).starts_with(packed.begins)) continue;
      std::string name = path_ == "-" ? "standard input" : path_;
      std::string remedy = packed.remedy.empty() ? "give JSON lines or CSV"
                           : path_ == "-"
                               ? fmt::format("put `{}` in front of the pipe", packed.remedy)
                               : fmt::format(
                                     "write `{} {} | millstream sql ... -` with - in its "
                                     "place",
                                     packed.remedy, path_);
      return Fail(Code::kInvalidArgument, fmt::format("{} is {}: {}", name, packed.what, remedy));
    }
    if (std::string_view(buffer_.get(), end_).starts_with(kByteOrderMark))
      begin_ += kByteOrderMark.size();
  }
  if (!decided_) Decide();
  return {};
}

// Lines, unless the text is one array, or its first object goes on in the next line.
void RecordReader::Decide() {
  std::string_view text(buffer_.get() + begin_, end_ - begin_);
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  if (text.empty()) return;
  std::size_t line_end = text.find('\n');
  if (text.front() == '[') {
    lines_ = false;
  } else if (text.front() == '{') {
    if (line_end == std::string_view::npos && !ended_ &&
        codec::JsonSpan(text) == std::string_view::npos)
      return;
    std::string_view rest =
        line_end == std::string_view::npos ? std::string_view() : text.substr(line_end + 1);
    bool unfinished = codec::JsonSpan(text.substr(0, line_end)) == std::string_view::npos;
    lines_ = !(unfinished && !rest.empty() && rest.front() != '{');
  }
  decided_ = true;
}

bool RecordReader::NextSlowly(std::string_view& record) {
  while (begin_ < end_) {
    std::string_view text(buffer_.get() + begin_, end_ - begin_);
    if (!decided_ && !ended_) return false;
    if (!lines_) {
      char c = text.front();
      if (IsBlank(c) || c == ',' || c == '[' || c == ']') {  // between the elements of an array
        ++begin_;
        continue;
      }
      // A long value that has not ended yet is looked at again only when there is twice as much.
      if (!ended_ && searched_ > kBufferBytes / 4 && text.size() < searched_ * 2) return false;
      std::size_t size = codec::JsonSpan(text);
      if (size == std::string_view::npos) {
        searched_ = text.size();
        if (!ended_) return false;
        size = text.size();
      }
      searched_ = 0;
      record = text.substr(0, size);
      begin_ += size;
      return true;
    }
    std::size_t size = text.find(delimiter_);
    if (size == std::string_view::npos) {
      if (!ended_) return false;
      size = text.size();
      begin_ = end_;
    } else {
      begin_ += size + delimiter_.size();
    }
    record = text.substr(0, size);
    if (!record.empty()) return true;
  }
  return false;
}

base::Result<std::vector<std::string_view>> RecordReader::Peek(std::size_t records) {
  std::vector<std::string_view> out;
  std::size_t begin = begin_;
  do {
    if (!fresh_) TRY(Fill());
    fresh_ = true;
    begin = begin_;
    std::string_view record;
    out.clear();
    while (out.size() < records && Next(record)) out.push_back(record);
    begin_ = begin;
    if (out.empty() && !ended_) fresh_ = false;
  } while (out.empty() && !ended_);
  searched_ = 0;
  return out;
}

base::Status RecordReader::SkipOne() {
  TRY(Peek(1));
  std::string_view record;
  Next(record);
  return {};
}

bool RecordReader::WouldWait() const {
  if (regular_ || ended_ || fresh_) return false;
  pollfd poll = {.fd = fd_, .events = POLLIN, .revents = 0};
  return ::poll(&poll, 1, 0) == 0;
}

}  // namespace millstream::server
