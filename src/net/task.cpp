#include "net/task.h"

namespace llmgw::net {

TaskGroup::Runner TaskGroup::RunnerPromise::get_return_object() {
  ++group.active_;
  group.members_.push_back(*this);
  return {};
}

TaskGroup::Runner TaskGroup::run(Task<void> task) {
  co_await task;
}

void TaskGroup::spawn(Task<void> task) {
  run(std::move(task));
}

void TaskGroup::cancel_all() {
  while (!members_.empty()) {
    std::coroutine_handle<RunnerPromise>::from_promise(members_.front()).destroy();
  }
}

}  // namespace llmgw::net
