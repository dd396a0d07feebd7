#include "admin/errands.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <optional>

#include "net/task.h"

namespace llmgw::admin {
namespace {

using base::Result;

TEST(Errands, RunBesideEachOtherAndAnswerOnTheirLoop) {
  net::Loop loop(net::make_epoll_poller());
  std::optional<Errands> errands(std::in_place);
  std::latch together(Errands::kThreadsMax);  // opens only if all of them run at once
  size_t answered = 0;
  net::TaskGroup tasks;
  const auto ask = [&](int number) -> net::Task<void> {
    auto answer = co_await errands->run(loop, {}, [number, &together](std::stop_token) -> Result<int> {
      together.arrive_and_wait();
      return number;
    });
    EXPECT_EQ(answer.value_or(-1), number);
    ++answered;
  };
  for (size_t i = 0; i < Errands::kThreadsMax; ++i) tasks.spawn(ask(static_cast<int>(i)));
  loop.run_until([&] { return answered == Errands::kThreadsMax; });
  errands.reset();
}

TEST(Errands, StopCutsShortWhatRunsAndRefusesWhatComes) {
  net::Loop loop(net::make_epoll_poller());
  std::optional<Errands> errands(std::in_place);
  std::latch running(1);
  std::atomic<bool> stopped = false;
  net::TaskGroup tasks;
  tasks.spawn([](Errands& on, net::Loop& of, std::latch& began, std::atomic<bool>& told) -> net::Task<void> {
    co_await on.run(of, {}, [&](std::stop_token stop) -> Result<int> {
      began.count_down();
      while (!stop.stop_requested()) std::this_thread::yield();
      told = true;
      return 0;
    });
  }(*errands, loop, running, stopped));
  running.wait();
  errands->stop();
  EXPECT_TRUE(stopped);
  bool refused = false;
  tasks.spawn([](Errands& on, net::Loop& of, bool& out) -> net::Task<void> {
    auto answer = co_await on.run(of, {}, [](std::stop_token) -> Result<int> { return 0; });
    out = !answer && answer.error().code == base::ErrorCode::exhausted;
  }(*errands, loop, refused));
  EXPECT_TRUE(refused);
  errands.reset();
}

}  // namespace
}  // namespace llmgw::admin
