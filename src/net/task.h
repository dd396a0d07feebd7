// A lazy coroutine: it runs when awaited and resumes its awaiter when it ends (symmetric transfer, no recursion).
// A Task belongs to one loop's thread. Destroying a suspended Task destroys everything it awaits; every suspended
// operation then leaves the loop by its destructor, so dropping a Task is a legal way to cancel it.
// No exception may leave a Task: it terminates the program.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/intrusive_list.h"
#include "base/memory_pool.h"

namespace llmgw::net {

template <class T>
class Task;

namespace detail {

struct PromiseBase {
  std::coroutine_handle<> continuation;

  static void* operator new(size_t bytes) { return base::MemoryPool::allocate(bytes); }
  static void operator delete(void* frame, size_t bytes) noexcept { base::MemoryPool::release(frame, bytes); }

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> handle) const noexcept {
      auto next = handle.promise().continuation;
      return next ? next : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() const noexcept {}
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  explicit operator bool() const { return static_cast<bool>(handle_); }
  bool done() const { return !handle_ || handle_.done(); }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiter) noexcept {
    handle_.promise().continuation = awaiter;
    return handle_;
  }
  T await_resume() {
    if constexpr (!std::is_void_v<T>) return std::move(*handle_.promise().value);
  }

  // Runs an un-awaited task up to its first suspension. The owner keeps the Task alive until done().
  void start() { handle_.resume(); }

 private:
  Handle handle_;
};

template <class T>
Task<T> detail::Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> detail::Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

// Tasks that run beside each other and end on their own. Dying cancels those that are left, by destroying them.
class TaskGroup {
 public:
  TaskGroup() = default;
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup() { cancel_all(); }

  // Starts the task at once, up to its first suspension.
  void spawn(Task<void> task);
  // Destroys the tasks that are still suspended. Must not be called from inside one of them.
  void cancel_all();
  size_t active() const { return active_; }

 private:
  struct Root;
  struct Runner;
  struct RunnerPromise;
  Runner run(Task<void> task);
  base::IntrusiveList<RunnerPromise> members_;
  size_t active_ = 0;
};

struct TaskGroup::RunnerPromise : base::ListNode {
  // The coroutine's own parameters are (group, task).
  RunnerPromise(TaskGroup& owner, Task<void>&) : group(owner) {}
  TaskGroup& group;

  static void* operator new(size_t bytes) { return base::MemoryPool::allocate(bytes); }
  static void operator delete(void* frame, size_t bytes) noexcept { base::MemoryPool::release(frame, bytes); }

  Runner get_return_object();
  std::suspend_never initial_suspend() const noexcept { return {}; }
  std::suspend_never final_suspend() const noexcept { return {}; }
  void return_void() const noexcept {}
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  ~RunnerPromise() { --group.active_; }
};

struct TaskGroup::Runner {
  using promise_type = RunnerPromise;
};

}  // namespace llmgw::net
