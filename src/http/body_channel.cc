#include "http/body_channel.h"

namespace millstream::http {
namespace {

class ChannelWriter final : public BodyWriter {
 public:
  explicit ChannelWriter(std::shared_ptr<BodyChannel> channel) : channel_(std::move(channel)) {}
  ~ChannelWriter() override {
    channel_->ForgetDrained();
    channel_->Abort();  // without effect after Finish()
  }
  bool Write(base::Bytes bytes) override { return channel_->Write(std::move(bytes)); }
  std::size_t queued_bytes() const override { return channel_->queued_bytes(); }
  void OnDrained(std::size_t low_water, base::Function<void()> drained) override {
    channel_->SetDrained(low_water, std::move(drained));
  }
  bool closed() const override { return channel_->closed(); }
  void Finish() override { channel_->Finish(); }

 private:
  std::shared_ptr<BodyChannel> channel_;
};

}  // namespace

void BodyChannel::WakeUnlessPending(std::unique_lock<std::mutex> lock) {
  if (wake_pending_ || closed_) return;
  wake_pending_ = true;
  lock.unlock();
  wake_();
}

bool BodyChannel::Write(base::Bytes bytes) {
  std::unique_lock lock(mutex_);
  if (closed_ || finished_) return false;
  if (bytes.empty()) return true;
  queued_bytes_ += bytes.size();
  queue_.push_back(std::move(bytes));
  WakeUnlessPending(std::move(lock));
  return true;
}

void BodyChannel::Finish() {
  std::unique_lock lock(mutex_);
  finished_ = true;
  WakeUnlessPending(std::move(lock));
}

void BodyChannel::Abort() {
  std::unique_lock lock(mutex_);
  if (finished_) return;
  finished_ = aborted_ = true;
  WakeUnlessPending(std::move(lock));
}

std::size_t BodyChannel::queued_bytes() const {
  std::lock_guard lock(mutex_);
  return queued_bytes_;
}

bool BodyChannel::closed() const {
  std::lock_guard lock(mutex_);
  return closed_;
}

void BodyChannel::SetDrained(std::size_t low_water, base::Function<void()> drained) {
  auto shared = std::make_shared<base::Function<void()>>(std::move(drained));
  std::lock_guard lock(mutex_);
  drained_.swap(shared);
  low_water_ = low_water;
}

void BodyChannel::ForgetDrained() {
  std::lock_guard calling(calling_mutex_);
  std::shared_ptr<base::Function<void()>> forgotten;
  {
    std::lock_guard lock(mutex_);
    drained_.swap(forgotten);
  }
}

BodyChannel::State BodyChannel::Take(base::Bytes& bytes) {
  bool drained = false;
  {
    std::lock_guard lock(mutex_);
    if (aborted_) return State::kAborted;
    if (queue_.empty()) {
      if (finished_) return State::kFinished;
      wake_pending_ = false;
      return State::kEmpty;
    }
    bytes = std::move(queue_.front());
    queue_.pop_front();
    drained = queued_bytes_ >= low_water_ && queued_bytes_ - bytes.size() < low_water_;
    queued_bytes_ -= bytes.size();
  }
  if (drained) CallDrained();
  return State::kBytes;
}

void BodyChannel::Close() {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    queue_.clear();
    queued_bytes_ = 0;
  }
  CallDrained();
}

void BodyChannel::CallDrained() {
  std::lock_guard calling(calling_mutex_);
  std::shared_ptr<base::Function<void()>> drained;  // keeps it alive when it destroys the writer
  {
    std::lock_guard lock(mutex_);
    drained = drained_;
  }
  if (drained != nullptr) (*drained)();
}

std::unique_ptr<BodyWriter> MakeBodyWriter(std::shared_ptr<BodyChannel> channel) {
  return std::make_unique<ChannelWriter>(std::move(channel));
}

}  // namespace millstream::http
