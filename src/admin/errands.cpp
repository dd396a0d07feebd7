#include "admin/errands.h"

#include <pthread.h>

namespace llmgw::admin {

void Errands::stop() {
  std::vector<std::jthread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    threads.swap(threads_);
  }
  for (std::jthread& thread : threads) thread.request_stop();
  // Their destructors join.
}

bool Errands::post(Work work) {
  const std::lock_guard lock(mutex_);
  if (stopped_ || waiting_.size() >= kWaitingMax) return false;
  waiting_.push_back(std::move(work));
  if (idle_ < waiting_.size() && threads_.size() < kThreadsMax) {
    threads_.emplace_back([this](const std::stop_token& stop) { serve(stop); });
  }
  changed_.notify_one();
  return true;
}

void Errands::serve(const std::stop_token& stop) {
  pthread_setname_np(pthread_self(), "errands");
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    const bool any = changed_.wait(lock, stop, [this] { return !waiting_.empty(); });
    --idle_;
    // What waits is told that it is over, by doing it with a token that says so.
    if (!any) return;
    Work work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work(stop);
    work = nullptr;
    lock.lock();
  }
}

}  // namespace llmgw::admin
