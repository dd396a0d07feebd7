#include "store/responses_store.h"

#include <algorithm>

#include "store/responses_later.h"

namespace llmgw::store {
namespace {

using Clock = std::chrono::steady_clock;

struct Later {
  struct Saving {
    size_t bytes;
    std::move_only_function<base::Result<void>(Responses&)> save;
  };
  std::deque<Saving> savings;
  size_t bytes = 0;
  Clock::time_point next_try{};
};
// Of the store whose thread this is.
thread_local Later* later_here = nullptr;

// What a database that works refuses it will refuse again; but for room on its disk.
bool may_help(const Responses& responses, const base::Error& error) {
  return responses.broken() || error.code == base::ErrorCode::exhausted;
}

void save_what_waits(Later& later, Responses* responses) {
  while (responses != nullptr && !later.savings.empty()) {
    const auto saved = later.savings.front().save(*responses);
    if (!saved && may_help(*responses, saved.error())) break;
    later.bytes -= later.savings.front().bytes;
    later.savings.pop_front();
  }
  later.next_try = Clock::now() + ResponsesStore::kRetryInterval;
}

}  // namespace

base::Result<bool> save_now_or_later(Responses* responses, size_t bytes,
                                     std::move_only_function<base::Result<void>(Responses&)> save) {
  if (responses != nullptr) {
    const auto saved = save(*responses);
    if (saved) return true;
    if (!may_help(*responses, saved.error())) return std::unexpected(saved.error());
  }
  if (later_here == nullptr || later_here->savings.size() >= kLaterJobsMax ||
      later_here->bytes + bytes > kLaterBytesMax) {
    return base::fail(base::ErrorCode::refused, "the database is away, and there is no room to wait for it");
  }
  later_here->bytes += bytes;
  later_here->savings.push_back({bytes, std::move(save)});
  return false;
}

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
  Later later;
  later_here = &later;
  bool sweep_again = true;
  auto next_sweep = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (true) {
    const bool may_save = !later.savings.empty() && (Clock::now() >= later.next_try || stopped_);
    if (may_save) {
      lock.unlock();
      save_what_waits(later, connected());
      lock.lock();
    }
    if (!jobs_.empty()) {
      auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      // Nothing overtakes what waits.
      job(later.savings.empty() ? connected() : nullptr);
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
    const auto until = later.savings.empty() ? next_sweep : std::min(next_sweep, later.next_try);
    changed_.wait_until(lock, until, [this] { return stopped_ || !jobs_.empty(); });
  }
}

}  // namespace llmgw::store
