#include "store/responses_store.h"

namespace llmgw::store {

ResponsesStore::ResponsesStore(Settings settings) : settings_(std::move(settings)), thread_([this] { run(); }) {}

ResponsesStore::~ResponsesStore() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

bool ResponsesStore::post(std::move_only_function<void(Responses*)> job) {
  {
    std::lock_guard lock(mutex_);
    if (stopped_ || jobs_.size() >= kQueueMax) return false;
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
  return true;
}

Responses* ResponsesStore::connected() {
  if (responses_ && !responses_->broken()) return &*responses_;
  responses_.reset();
  if (std::chrono::steady_clock::now() < next_connect_) return nullptr;
  auto session = settings_.connect();
  if (session) {
    if (auto opened = Responses::open(std::move(*session), settings_.limits)) responses_.emplace(std::move(*opened));
  }
  if (responses_) return &*responses_;
  next_connect_ = std::chrono::steady_clock::now() + kRetryInterval;
  return nullptr;
}

void ResponsesStore::run() {
  bool sweep_again = true;
  auto next_sweep = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (true) {
    if (!jobs_.empty()) {
      auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job(connected());
      job = nullptr;
      lock.lock();
      continue;
    }
    if (stopped_) return;
    if (sweep_again || std::chrono::steady_clock::now() >= next_sweep) {
      lock.unlock();
      // A sweep that fails is tried again at its next time; what has expired is not shown meanwhile.
      Responses* const responses = connected();
      sweep_again = responses != nullptr && responses->sweep(settings_.clock()).value_or(false);
      next_sweep = std::chrono::steady_clock::now() + kSweepInterval;
      lock.lock();
      continue;
    }
    changed_.wait_until(lock, next_sweep, [this] { return stopped_ || !jobs_.empty(); });
  }
}

}  // namespace llmgw::store
