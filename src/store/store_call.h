// What a coroutine asks of a store, which has a thread of its own.
#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/result.h"
#include "net/loop.h"

namespace llmgw::store {

// co_await -> the job's result, or exhausted (the queue is full), deadline_exceeded, cancelled.
template <class Result>
class StoreCall : public net::Suspension {
 public:
  // Between the waiting coroutine and the store's thread; the last of the two to leave frees it.
  struct Shared {
    std::optional<Result> result;       // the loop's thread, once posted
    net::Suspension* waiter = nullptr;  // the loop's thread only
  };

  StoreCall(net::Loop& loop, const net::Wait& wait, std::shared_ptr<Shared> shared)
      : Suspension(loop, &attempt), wait_(wait), shared_(std::move(shared)) {}
  bool await_ready() { return shared_->result.has_value() || expired(wait_); }
  void await_suspend(std::coroutine_handle<> handle) {
    park(shared_->waiter);
    suspend(handle, wait_);
  }
  Result await_resume() {
    if (shared_->result) return std::move(*shared_->result);
    return std::unexpected(wake_error("waiting for the store"));
  }

 private:
  static bool attempt(net::Suspension&) { return true; }

  net::Wait wait_;
  std::shared_ptr<Shared> shared_;
};

// Runs job(Store) through `post`, which takes a function of a Store and is false when its queue is full; `queue` names
// that in the error. `job` runs on the store's thread and must own what it needs.
template <class Store, class Job, class Post>
auto call_store(net::Loop& loop, const net::Wait& wait, Job job, Post post, const char* queue) {
  using Result = std::invoke_result_t<Job&, Store>;
  auto shared = std::make_shared<typename StoreCall<Result>::Shared>();
  const bool taken = post([job = std::move(job), shared, &loop](Store store) mutable {
    auto result = std::make_shared<Result>(job(std::move(store)));
    loop.post([shared = std::move(shared), result = std::move(result), &loop] {
      shared->result.emplace(std::move(*result));
      if (shared->waiter != nullptr) loop.make_ready(*shared->waiter);
    });
  });
  if (!taken) shared->result.emplace(base::fail(base::ErrorCode::exhausted, queue));
  return StoreCall<Result>(loop, wait, std::move(shared));
}

}  // namespace llmgw::store
