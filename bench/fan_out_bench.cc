// What it costs to push events of 125 records of 1 KB to 32 subscribers: encoded once for all, as
// Subscriptions does, and encoded for each. Real sockets, CPU time of the pushing thread per GB that
// was delivered. Prints one JSON object.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "aws/event_stream.h"
#include "services/kinesis/record_rows.h"

namespace {

using millstream::base::Buffer;
using millstream::base::Bytes;
using millstream::services::kinesis::EncodeSubscribeEvent;
namespace streams = millstream::streams;

constexpr int kSubscribers = 32;
constexpr int kRecords = 125;
constexpr int kEvents = 60;

double ThreadCpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

Bytes Event(const streams::RecordPage& page) {
  Bytes payload = EncodeSubscribeEvent(page, false, std::string(56, '4'), {});
  Buffer frame(payload.size() + 256);
  millstream::aws::AppendEncodedEvent(millstream::aws::Protocol::kJson11, "SubscribeToShardEvent",
                                      payload.view(), frame);
  return std::move(frame).Share();
}

struct Subscriber {
  int server = -1, client = -1;
};

std::vector<Subscriber> Connect() {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, kSubscribers) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    std::perror("listen");
    std::exit(1);
  }
  std::vector<Subscriber> all(kSubscribers);
  for (Subscriber& one : all) {
    one.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(one.client, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      std::perror("connect");
      std::exit(1);
    }
    one.server = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  }
  close(listener);
  return all;
}

void SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) std::exit(1);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

double CpuPerGb(const streams::RecordPage& page, std::vector<Subscriber>& all, bool shared) {
  double before = ThreadCpuSeconds();
  double delivered = 0;
  for (int event = 0; event < kEvents; ++event) {
    Bytes once = shared ? Event(page) : Bytes();
    for (Subscriber& one : all) {
      Bytes bytes = shared ? once : Event(page);
      SendAll(one.server, bytes.view());
      delivered += static_cast<double>(bytes.size());
    }
  }
  return (ThreadCpuSeconds() - before) / (delivered * 1e-9);
}

}  // namespace

int main() {
  std::mt19937_64 random(42);
  std::vector<std::string> data(kRecords, std::string(1024, '\0')), keys(kRecords);
  streams::RecordPage page;
  page.shard_created_s = 1'700'000'000;
  for (int i = 0; i < kRecords; ++i) {
    for (char& c : data[i]) c = static_cast<char>(random());
    keys[i] = "partition-key-" + std::to_string(random() % 10'000'000);
    streams::RecordView record;
    record.data = data[i];
    record.partition_key = keys[i];
    record.offset = i;
    record.arrival_ms = 1'700'000'123'456;
    page.records.push_back(record);
  }
  std::vector<Subscriber> all = Connect();
  std::atomic<bool> stop{false};
  std::thread drain([&] {
    std::vector<pollfd> fds;
    for (Subscriber& one : all) fds.push_back({one.client, POLLIN, 0});
    while (!stop) {
      if (poll(fds.data(), fds.size(), 10) <= 0) continue;
      for (pollfd& fd : fds) {
        if (fd.revents & POLLIN) recv(fd.fd, nullptr, 16u << 20, MSG_TRUNC | MSG_DONTWAIT);
      }
    }
  });
  CpuPerGb(page, all, true);  // warm
  double shared = 0, each = 0;
  for (int round = 0; round < 3; ++round) {
    shared += CpuPerGb(page, all, true) / 3;
    each += CpuPerGb(page, all, false) / 3;
  }
  stop = true;
  drain.join();
  std::printf("{\"shared_cpu_s_per_gb\": %.5f, \"each_cpu_s_per_gb\": %.5f}\n", shared, each);
}
