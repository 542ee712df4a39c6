// A load generator that costs far less than what it measures: one thread, epoll, requests built and
// signed once before the clock starts and replayed as bytes.
//
//   millstream_load --port 4566 --workload put_records --records 500 --payload 1024
//                   --connections 32 --seconds 5 --stream bench --server-pid $PID
//
// Prints one JSON object. Closed loop by default (one request in flight per connection); --rate R
// sends on a fixed schedule and counts latency from the scheduled moment, so that a stalled server
// cannot hide its stalls (no coordinated omission). Only loopback addresses are accepted.
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Options {
  int port = 4566;
  int connections = 8;
  double seconds = 3;
  double warmup = 0.5;
  double rate = 0;                       // requests per second; 0: closed loop
  std::string workload = "put_records";  // put_records, put_record, call (--target, --body-file)
  std::string encoding = "json";         // json, cbor
  int records = 500;
  int payload = 1024;
  int bodies = 32;  // distinct request bodies
  std::string stream = "bench";
  std::string access_key = "AKIDEXAMPLE";
  std::string secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
  std::string region = "us-east-1";
  std::string target = "Kinesis_20131202.ListStreams";
  std::string body_file;
  int server_pid = 0;
  bool check_body = true;
};

[[noreturn]] void Die(const std::string& message) {
  std::fprintf(stderr, "millstream_load: %s\n", message.c_str());
  std::exit(2);
}

int64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

std::string Hex(const unsigned char* bytes, size_t size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < size; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

std::string Sha256Hex(std::string_view text) {
  unsigned char digest[32];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return Hex(digest, 32);
}

std::string Hmac(std::string_view key, std::string_view text) {
  unsigned char digest[32];
  unsigned int size = 32;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return std::string(reinterpret_cast<char*>(digest), 32);
}

std::string Base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                          reinterpret_cast<const unsigned char*>(bytes.data()),
                          static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(n));
  return text;
}

// The head and body of one signed request, shaped like an SDK's.
std::string SignedRequest(const Options& options, const std::string& target,
                          const std::string& content_type, const std::string& body) {
  time_t now = time(nullptr);
  tm utc{};
  gmtime_r(&now, &utc);
  char stamp[32], date[16];
  std::strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
  std::strftime(date, sizeof date, "%Y%m%d", &utc);
  std::string host = "127.0.0.1:" + std::to_string(options.port);
  std::string signed_headers = "content-type;host;x-amz-date;x-amz-target";
  std::string canonical = "POST\n/\n\ncontent-type:" + content_type + "\nhost:" + host +
                          "\nx-amz-date:" + stamp + "\nx-amz-target:" + target + "\n\n" +
                          signed_headers + "\n" + Sha256Hex(body);
  std::string scope = std::string(date) + "/" + options.region + "/kinesis/aws4_request";
  std::string to_sign =
      std::string("AWS4-HMAC-SHA256\n") + stamp + "\n" + scope + "\n" + Sha256Hex(canonical);
  std::string key =
      Hmac(Hmac(Hmac(Hmac("AWS4" + options.secret_key, date), options.region), "kinesis"),
           "aws4_request");
  std::string signature_bytes = Hmac(key, to_sign);
  std::string signature =
      Hex(reinterpret_cast<const unsigned char*>(signature_bytes.data()), signature_bytes.size());
  std::string head = "POST / HTTP/1.1\r\nHost: " + host + "\r\nX-Amz-Target: " + target +
                     "\r\nContent-Type: " + content_type +
                     "\r\nUser-Agent: Boto3/1.43.11 md/Botocore#1.43.11 ua/2.1 os/linux#6.1 "
                     "md/arch#x86_64 lang/python#3.11.7 md/pyimpl#CPython m/Z,b,e cfg/retry-mode#"
                     "legacy Botocore/1.43.11\r\nX-Amz-Date: " +
                     stamp +
                     "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=" + options.access_key + "/" +
                     scope + ", SignedHeaders=" + signed_headers + ", Signature=" + signature +
                     "\r\namz-sdk-invocation-id: 3ccf6f2a-3f0e-4b7c-9c0a-5f1f6d9f6a11\r\n"
                     "amz-sdk-request: attempt=1\r\nContent-Length: " +
                     std::to_string(body.size()) + "\r\n\r\n";
  return head + body;
}

void CborHead(std::string& out, int major, uint64_t value) {
  auto type = static_cast<unsigned char>(major << 5);
  auto put = [&](int bytes) {
    for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
  };
  if (value < 24) {
    out += static_cast<char>(type | value);
  } else if (value < 256) {
    out += static_cast<char>(type | 24);
    put(1);
  } else if (value < 65536) {
    out += static_cast<char>(type | 25);
    put(2);
  } else {
    out += static_cast<char>(type | 26);
    put(4);
  }
}
void CborText(std::string& out, std::string_view text) {
  CborHead(out, 3, text.size());
  out += text;
}

std::string RecordsBody(const Options& options, std::mt19937_64& random) {
  bool cbor = options.encoding == "cbor";
  bool single = options.workload == "put_record";
  std::string body;
  auto record = [&] {
    std::string data(static_cast<size_t>(options.payload), '\0');
    for (char& c : data) c = static_cast<char>(random());
    std::string key = std::to_string(random()).substr(0, 16) + std::to_string(random() % 1000000);
    if (cbor) {
      CborText(body, "Data");
      CborHead(body, 2, data.size());
      body += data;
      CborText(body, "PartitionKey");
      CborText(body, key);
    } else {
      body += "\"Data\": \"" + Base64(data) + "\", \"PartitionKey\": \"" + key + "\"";
    }
  };
  if (cbor) {
    if (single) {
      CborHead(body, 5, 3);
      CborText(body, "StreamName");
      CborText(body, options.stream);
      record();
    } else {
      CborHead(body, 5, 2);
      CborText(body, "StreamName");
      CborText(body, options.stream);
      CborText(body, "Records");
      CborHead(body, 4, static_cast<uint64_t>(options.records));
      for (int i = 0; i < options.records; ++i) {
        CborHead(body, 5, 2);
        record();
      }
    }
  } else if (single) {
    body = "{\"StreamName\": \"" + options.stream + "\", ";
    record();
    body += "}";
  } else {
    body = "{\"Records\": [";
    for (int i = 0; i < options.records; ++i) {
      body += i == 0 ? "{" : ", {";
      record();
      body += "}";
    }
    body += "], \"StreamName\": \"" + options.stream + "\"}";
  }
  return body;
}

// On-CPU nanoseconds of all threads of a process, and of its children (nginx workers).
int64_t ProcessCpuNs(int pid) {
  int64_t total = 0;
  std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  DIR* directory = opendir(tasks.c_str());
  if (directory == nullptr) return 0;
  while (dirent* entry = readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    std::ifstream stat(tasks + "/" + entry->d_name + "/schedstat");
    int64_t ns = 0;
    stat >> ns;
    total += ns;
    std::ifstream children(tasks + "/" + entry->d_name + "/children");
    int child;
    while (children >> child) total += ProcessCpuNs(child);
  }
  closedir(directory);
  return total;
}

int64_t ProcessRssKb(int pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string word;
  while (status >> word) {
    if (word == "VmRSS:") {
      int64_t kb = 0;
      status >> kb;
      return kb;
    }
  }
  return 0;
}

// Reads one response off a byte stream: status line, headers, then content-length or chunked body.
class ResponseReader {
 public:
  // Consumes bytes; true once the response is complete (the rest of `data` is then unread).
  bool Feed(std::string_view& data) {
    while (!data.empty()) {
      switch (state_) {
        case State::kHead: {
          size_t before = head_.size();
          head_ += data;
          size_t end = head_.find("\r\n\r\n", before > 3 ? before - 3 : 0);
          if (end == std::string::npos) {
            data = {};
            if (head_.size() > 65536) Die("response head is endless");
            break;
          }
          data.remove_prefix(end + 4 - before);
          head_.resize(end + 4);
          ParseHead();
          if (state_ == State::kBody && left_ == 0) return true;
          break;
        }
        case State::kBody: {
          size_t take = std::min<size_t>(left_, data.size());
          Keep(data.substr(0, take));
          data.remove_prefix(take);
          left_ -= take;
          if (left_ == 0) return true;
          break;
        }
        case State::kChunkSize: {
          size_t end = data.find('\n');
          line_ += data.substr(0, end == std::string_view::npos ? data.size() : end + 1);
          data.remove_prefix(end == std::string_view::npos ? data.size() : end + 1);
          if (line_.empty() || line_.back() != '\n') break;
          left_ = std::strtoull(line_.c_str(), nullptr, 16);
          line_.clear();
          last_chunk_ = left_ == 0;
          state_ = last_chunk_ ? State::kChunkEnd : State::kChunk;
          break;
        }
        case State::kChunk: {
          size_t take = std::min<size_t>(left_, data.size());
          Keep(data.substr(0, take));
          data.remove_prefix(take);
          left_ -= take;
          if (left_ == 0) state_ = State::kChunkEnd;
          break;
        }
        case State::kChunkEnd: {
          char c = data.front();
          data.remove_prefix(1);
          if (c != '\n') break;
          if (last_chunk_) return true;
          state_ = State::kChunkSize;
          break;
        }
      }
    }
    return false;
  }
  void Reset() {
    state_ = State::kHead;
    head_.clear();
    body_start_.clear();
    line_.clear();
    body_bytes_ = 0;
  }
  int status() const { return status_; }
  std::string_view body_start() const { return body_start_; }
  uint64_t body_bytes() const { return body_bytes_; }

 private:
  enum class State { kHead, kBody, kChunkSize, kChunk, kChunkEnd };
  void Keep(std::string_view part) {
    body_bytes_ += part.size();
    if (body_start_.size() < 200) body_start_ += part.substr(0, 200 - body_start_.size());
  }
  void ParseHead() {
    status_ = std::atoi(head_.c_str() + 9);
    std::string lower = head_;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (lower.find("transfer-encoding: chunked") != std::string::npos) {
      state_ = State::kChunkSize;
      return;
    }
    size_t at = lower.find("content-length:");
    left_ = at == std::string::npos ? 0 : std::strtoull(lower.c_str() + at + 15, nullptr, 10);
    state_ = State::kBody;
  }

  State state_ = State::kHead;
  std::string head_, body_start_, line_;
  uint64_t left_ = 0, body_bytes_ = 0;
  bool last_chunk_ = false;
  int status_ = 0;
};

struct Connection {
  int fd = -1;
  std::string_view request;  // of which `sent` bytes are out
  size_t sent = 0;
  int64_t started_ns = 0;  // sent, or scheduled when --rate is given
  bool busy = false;
  bool want_write = false;
  ResponseReader reader;
};

class Load {
 public:
  explicit Load(Options options) : options_(std::move(options)) {}

  void Run() {
    BuildRequests();
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    connections_.resize(static_cast<size_t>(options_.connections));
    for (size_t i = 0; i < connections_.size(); ++i) Connect(i);
    int64_t begin = NowNs();
    int64_t measure_from = begin + static_cast<int64_t>(options_.warmup * 1e9);
    int64_t end = measure_from + static_cast<int64_t>(options_.seconds * 1e9);
    next_due_ns_ = begin;
    if (options_.rate == 0) {
      for (size_t i = 0; i < connections_.size(); ++i) Begin(i, NowNs());
    } else {
      for (size_t i = 0; i < connections_.size(); ++i) idle_.push_back(i);
    }
    std::vector<epoll_event> events(1024);
    int64_t cpu_from = 0;
    bool measuring = false;
    for (;;) {
      int64_t now = NowNs();
      if (!measuring && now >= measure_from) {
        measuring = true;
        measured_from_ns_ = now;
        latencies_.clear();
        done_ = failed_ = response_bytes_ = request_bytes_ = 0;
        cpu_from = options_.server_pid ? ProcessCpuNs(options_.server_pid) : 0;
      }
      if (now >= end) break;
      int timeout = 100;
      if (options_.rate > 0) timeout = DispatchDue(now);
      int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout);
      for (int i = 0; i < n; ++i) OnReady(events[i].data.u64, events[i].events);
    }
    double seconds = static_cast<double>(NowNs() - measured_from_ns_) * 1e-9;
    int64_t cpu = options_.server_pid ? ProcessCpuNs(options_.server_pid) - cpu_from : 0;
    Report(seconds, cpu);
  }

 private:
  void BuildRequests() {
    std::mt19937_64 random(42);
    bool put = options_.workload != "call";
    std::string content_type =
        options_.encoding == "cbor" ? "application/x-amz-cbor-1.1" : "application/x-amz-json-1.1";
    int count = put ? std::max(1, std::min(options_.bodies, options_.connections)) : 1;
    for (int i = 0; i < count; ++i) {
      std::string body, target;
      if (put) {
        body = RecordsBody(options_, random);
        target = options_.workload == "put_record" ? "Kinesis_20131202.PutRecord"
                                                   : "Kinesis_20131202.PutRecords";
      } else {
        std::ifstream file(options_.body_file, std::ios::binary);
        if (!file) Die("cannot read --body-file " + options_.body_file);
        body.assign(std::istreambuf_iterator<char>(file), {});
        target = options_.target;
      }
      body_bytes_ = body.size();
      requests_.push_back(SignedRequest(options_, target, content_type, body));
    }
  }

  void Connect(size_t index) {
    Connection& connection = connections_[index];
    connection.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(options_.port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      Die("cannot connect to 127.0.0.1:" + std::to_string(options_.port) + ": " +
          std::strerror(errno));
    }
    int one = 1;
    setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int flags_fd = connection.fd;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, flags_fd, &event);
  }

  void Begin(size_t index, int64_t at_ns) {
    Connection& connection = connections_[index];
    connection.request = requests_[index % requests_.size()];
    connection.sent = 0;
    connection.started_ns = at_ns;
    connection.busy = true;
    connection.reader.Reset();
    Send(index);
  }

  void Send(size_t index) {
    Connection& connection = connections_[index];
    while (connection.sent < connection.request.size()) {
      ssize_t n = send(connection.fd, connection.request.data() + connection.sent,
                       connection.request.size() - connection.sent, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) break;
      if (n < 0) Die(std::string("sending: ") + std::strerror(errno));
      connection.sent += static_cast<size_t>(n);
    }
    bool want = connection.sent < connection.request.size();
    if (want != connection.want_write) {
      connection.want_write = want;
      epoll_event event{};
      event.events = EPOLLIN | (want ? EPOLLOUT : 0u);
      event.data.u64 = index;
      epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
    }
  }

  void OnReady(size_t index, uint32_t events) {
    Connection& connection = connections_[index];
    if (events & EPOLLOUT) Send(index);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
    static std::vector<char> buffer(1 << 20);
    ssize_t n = recv(connection.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) Die("the server closed a connection");
    std::string_view data(buffer.data(), static_cast<size_t>(n));
    if (!connection.reader.Feed(data)) return;
    Complete(connection);
    if (options_.rate == 0) {
      Begin(index, NowNs());
    } else {
      connection.busy = false;
      idle_.push_back(index);
    }
  }

  void Complete(Connection& connection) {
    ++done_;
    latencies_.push_back(NowNs() - connection.started_ns);
    response_bytes_ += connection.reader.body_bytes();
    request_bytes_ += connection.request.size();
    bool good = connection.reader.status() == 200;
    if (good && options_.check_body && options_.workload == "put_records") {
      auto body = connection.reader.body_start();
      size_t at = body.find("FailedRecordCount");
      if (at != std::string_view::npos) {
        auto rest = body.substr(at + 17);
        good = options_.encoding == "cbor" ? rest.substr(0, 1) == std::string_view("\0", 1)
                                           : rest.find("0") <= 3;
      }
    }
    if (!good) {
      if (failed_++ == 0) {
        std::fprintf(stderr, "first failure: %d %.*s\n", connection.reader.status(),
                     static_cast<int>(connection.reader.body_start().size()),
                     connection.reader.body_start().data());
      }
    }
  }

  // Starts what the schedule has due; returns how long epoll may wait.
  int DispatchDue(int64_t now) {
    auto step = static_cast<int64_t>(1e9 / options_.rate);
    while (next_due_ns_ <= now && !idle_.empty()) {
      size_t index = idle_.front();
      idle_.pop_front();
      Begin(index, next_due_ns_);
      next_due_ns_ += step;
    }
    if (idle_.empty()) return 100;
    int64_t wait = next_due_ns_ - now;
    return wait > 2'000'000 ? static_cast<int>(wait / 1'000'000) : 0;
  }

  void Report(double seconds, int64_t cpu_ns) {
    std::sort(latencies_.begin(), latencies_.end());
    auto quantile = [&](double q) {
      if (latencies_.empty()) return 0.0;
      auto i = static_cast<size_t>(q * static_cast<double>(latencies_.size()));
      return static_cast<double>(latencies_[std::min(i, latencies_.size() - 1)]) * 1e-3;
    };
    double done = static_cast<double>(done_);
    double records = options_.workload == "put_records" ? options_.records : 1;
    std::printf(
        "{\"requests\": %llu, \"failed\": %llu, \"seconds\": %.3f, \"requests_per_s\": %.1f, "
        "\"records_per_s\": %.1f, \"request_body_bytes\": %zu, \"body_bytes_per_s\": %.0f, "
        "\"response_bytes_per_s\": %.0f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, "
        "\"max_us\": %.1f, \"server_cpu_us_per_request\": %.3f, \"server_cpu_ns_per_record\": "
        "%.1f, "
        "\"server_rss_kb\": %lld}\n",
        static_cast<unsigned long long>(done_), static_cast<unsigned long long>(failed_), seconds,
        done / seconds, done * records / seconds, body_bytes_,
        done * static_cast<double>(body_bytes_) / seconds,
        static_cast<double>(response_bytes_) / seconds, quantile(0.5), quantile(0.99),
        quantile(0.999), quantile(1.0), done > 0 ? static_cast<double>(cpu_ns) * 1e-3 / done : 0.0,
        done > 0 ? static_cast<double>(cpu_ns) / (done * records) : 0.0,
        static_cast<long long>(options_.server_pid ? ProcessRssKb(options_.server_pid) : 0));
  }

  Options options_;
  int epoll_ = -1;
  std::vector<std::string> requests_;
  size_t body_bytes_ = 0;
  std::vector<Connection> connections_;
  std::deque<size_t> idle_;
  int64_t next_due_ns_ = 0, measured_from_ns_ = 0;
  std::vector<int64_t> latencies_;
  uint64_t done_ = 0, failed_ = 0, response_bytes_ = 0, request_bytes_ = 0;
};

Options Parse(int argc, char** argv) {
  Options options;
  std::map<std::string, int*> ints = {
      {"--port", &options.port},       {"--connections", &options.connections},
      {"--records", &options.records}, {"--payload", &options.payload},
      {"--bodies", &options.bodies},   {"--server-pid", &options.server_pid}};
  std::map<std::string, double*> doubles = {
      {"--seconds", &options.seconds}, {"--warmup", &options.warmup}, {"--rate", &options.rate}};
  std::map<std::string, std::string*> strings = {
      {"--workload", &options.workload},     {"--encoding", &options.encoding},
      {"--stream", &options.stream},         {"--access-key", &options.access_key},
      {"--secret-key", &options.secret_key}, {"--region", &options.region},
      {"--target", &options.target},         {"--body-file", &options.body_file}};
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i];
    if (name == "--no-check") {
      options.check_body = false;
      continue;
    }
    if (i + 1 >= argc) Die(name + " needs a value");
    std::string value = argv[++i];
    if (ints.count(name)) {
      *ints[name] = std::atoi(value.c_str());
    } else if (doubles.count(name)) {
      *doubles[name] = std::atof(value.c_str());
    } else if (strings.count(name)) {
      *strings[name] = value;
    } else {
      Die("unknown option " + name);
    }
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  Load(Parse(argc, argv)).Run();
}
