#include "store/responses_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <latch>

#include "net/task.h"
#include "store/responses_later.h"

namespace llmgw::store {
namespace {

class ResponsesStoreTest : public testing::Test {
 protected:
  ResponsesStoreTest() {
    folder_ = std::filesystem::temp_directory_path() / ("llmgw-store-" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    store_ = std::make_unique<ResponsesStore>(ResponsesStore::Settings{.connect = [this] { return connect(); }});
  }
  ~ResponsesStoreTest() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  base::Result<std::unique_ptr<SqlSession>> connect() const {
    if (away_) return base::fail(base::ErrorCode::refused, "away");
    return open_sqlite(folder_ / "responses.db");
  }

  std::atomic<bool> away_ = false;
  static constexpr int64_t kNow = 4'000'000'000;  // later than any real clock: nothing is swept
  std::filesystem::path folder_;
  net::Loop loop_{net::make_epoll_poller(), 1};
  std::unique_ptr<ResponsesStore> store_;
};

TEST_F(ResponsesStoreTest, ACoroutineWaitsWithoutItsLoop) {
  std::string body;
  bool done = false;
  auto work = [&]() -> net::Task<> {
    const auto saved = co_await store_->call(loop_, {}, [](Responses& responses) {
      return responses.save("me", {.id = "r", .status = "completed", .body = "{}"}, kNow);
    });
    EXPECT_TRUE(saved.has_value());
    const auto state =
        co_await store_->call(loop_, {}, [](Responses& responses) { return responses.get("me", "r", kNow); });
    if (state) body = state->body;
    const auto none =
        co_await store_->call(loop_, {}, [](Responses& responses) { return responses.get("me", "s", kNow); });
    EXPECT_EQ(none.error().code, base::ErrorCode::not_found);
    done = true;
  };
  auto task = work();
  task.start();
  EXPECT_TRUE(loop_.run_until([&] { return done; }));
  EXPECT_EQ(body, "{}");
}

TEST_F(ResponsesStoreTest, ADeadlineEndsTheWaitNotTheWork) {
  std::latch hold(1);
  ASSERT_TRUE(store_->post([&](Responses*) { hold.wait(); }));
  base::ErrorCode code = base::ErrorCode::internal;
  bool done = false;
  auto work = [&]() -> net::Task<> {
    const net::Wait wait{.deadline = loop_.now() + std::chrono::milliseconds(1)};
    const auto saved = co_await store_->call(loop_, wait, [](Responses& responses) {
      return responses.save("me", {.id = "r", .status = "completed"}, kNow);
    });
    if (!saved) code = saved.error().code;
    done = true;
  };
  auto task = work();
  task.start();
  EXPECT_TRUE(loop_.run_until([&] { return done; }));
  EXPECT_EQ(code, base::ErrorCode::deadline_exceeded);
  hold.count_down();
  bool found = false;
  done = false;
  auto look = [&]() -> net::Task<> {
    found = (co_await store_->call(loop_, {}, [](Responses& responses) {
              return responses.get("me", "r", kNow);
            })).has_value();
    done = true;
  };
  auto second = look();
  second.start();
  EXPECT_TRUE(loop_.run_until([&] { return done; }));
  EXPECT_TRUE(found);
}

TEST_F(ResponsesStoreTest, ATaskMayBeDroppedWhileItWaits) {
  std::latch hold(1);
  ASSERT_TRUE(store_->post([&](Responses*) { hold.wait(); }));
  {
    auto work = [&]() -> net::Task<> {
      (void)co_await store_->call(loop_, {}, [](Responses& responses) { return responses.get("me", "r", kNow); });
      ADD_FAILURE() << "resumed";
    };
    auto task = work();
    task.start();
  }
  hold.count_down();
  store_.reset();
  bool ran = false;
  loop_.post([&] { ran = true; });
  EXPECT_TRUE(loop_.run_until([&] { return ran; }));
}

// In its order, and before anything that is asked later.
TEST_F(ResponsesStoreTest, WhatCannotBeSavedNowIsSavedWhenTheDatabaseIsBack) {
  away_ = true;
  std::latch tried(3);
  for (const char* id : {"r1", "r2", "r2"}) {
    ASSERT_TRUE(store_->post([&tried, id = std::string(id)](Responses* responses) {
      const auto saved = save_now_or_later(responses, 10, [id](Responses& back) {
        return back.save("me", {.id = id, .status = "completed", .body = "{}"}, kNow);
      });
      EXPECT_TRUE(saved && !*saved);
      tried.count_down();
    }));
  }
  tried.wait();
  away_ = false;
  std::atomic<bool> found = false;
  for (int i = 0; i < 200 && !found; ++i) {
    std::latch looked(1);
    ASSERT_TRUE(store_->post([&](Responses* responses) {
      found = responses != nullptr && responses->get("me", "r1", kNow) && responses->get("me", "r2", kNow);
      looked.count_down();
    }));
    looked.wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(save_now_or_later(nullptr, 1, {}).error().code, base::ErrorCode::refused) << "not the store's thread";
}

TEST_F(ResponsesStoreTest, AFullQueueSaysSo) {
  std::latch started(1);
  std::latch hold(1);
  ASSERT_TRUE(store_->post([&](Responses*) {
    started.count_down();
    hold.wait();
  }));
  started.wait();
  for (size_t i = 0; i < ResponsesStore::kQueueMax; ++i) ASSERT_TRUE(store_->post([](Responses*) {}));
  EXPECT_FALSE(store_->post([](Responses*) {}));
  base::ErrorCode code = base::ErrorCode::internal;
  auto work = [&]() -> net::Task<> {
    const auto state =
        co_await store_->call(loop_, {}, [](Responses& responses) { return responses.get("a", "b", 0); });
    code = state.error().code;
  };
  auto task = work();
  task.start();
  EXPECT_EQ(code, base::ErrorCode::exhausted);
  hold.count_down();
  store_.reset();
}

TEST_F(ResponsesStoreTest, WhatWasToldIsFinished) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(store_->post([i](Responses* responses) {
      EXPECT_TRUE(responses->save("me", {.id = std::to_string(i), .status = "completed"}, kNow));
    }));
  }
  store_.reset();
  auto responses = Responses::open(std::move(*connect()), {});
  ASSERT_TRUE(responses);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(responses->get("me", std::to_string(i), kNow));
}

TEST_F(ResponsesStoreTest, WhileTheDatabaseIsAwayCallsFailAtOnceAndLaterTheyDoNot) {
  away_ = true;
  const auto ask = [&] {
    base::ErrorCode code = base::ErrorCode::internal;
    bool done = false;
    auto work = [&]() -> net::Task<> {
      const auto state =
          co_await store_->call(loop_, {}, [](Responses& responses) { return responses.get("a", "b", kNow); });
      code = state.error().code;
      done = true;
    };
    auto task = work();
    task.start();
    EXPECT_TRUE(loop_.run_until([&] { return done; }));
    return code;
  };
  EXPECT_EQ(ask(), base::ErrorCode::refused);
  away_ = false;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (ask() == base::ErrorCode::refused) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  EXPECT_EQ(ask(), base::ErrorCode::not_found);
}

}  // namespace
}  // namespace llmgw::store
