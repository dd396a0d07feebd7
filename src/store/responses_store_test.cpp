#include "store/responses_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <latch>

#include "net/task.h"
#include "store/sql/test_databases.h"

namespace llmgw::store {
namespace {

class ResponsesStoreTest : public BothDatabases {
 protected:
  ResponsesStoreTest() { start(false); }
  ~ResponsesStoreTest() override { store_.reset(); }

  void start(bool spools) {
    store_.reset();
    store_ = std::make_unique<ResponsesStore>(ResponsesStore::Settings{
        .connect = [this] { return connect(); }, .spool_directory = spools ? spool() : std::string()});
  }
  std::string spool() const { return temporary_.file("responses"); }

  static SpooledSave made(const std::string& id) {
    return {
        .owner = "me",
        .now = kNow,
        .record = {.id = id, .conversation_id = "conv", .status = "completed", .body = "{}", .output = {{id, "{}"}}}};
  }
  static SpooledSave without_conversation(const std::string& id) {
    SpooledSave what = made(id);
    what.record.conversation_id.clear();
    return what;
  }
  // "saved", "later", or why not.
  std::string save(const std::string& id) {
    std::string outcome;
    auto work = [&]() -> net::Task<> {
      const auto saved = co_await store_->save(loop_, {}, without_conversation(id));
      outcome = !saved ? std::string(base::to_string(saved.error().code)) : *saved ? "saved" : "later";
    };
    auto task = work();
    task.start();
    EXPECT_TRUE(loop_.run_until([&] { return !outcome.empty(); }));
    return outcome;
  }
  bool found_soon(const std::vector<std::string>& ids) {
    std::atomic<bool> found = false;
    const base::Instant limit = base::real_now() + std::chrono::minutes(1);
    while (!found && base::real_now() < limit) {
      std::latch looked(1);
      EXPECT_TRUE(store_->post([&](Responses* responses) {
        found = responses != nullptr &&
                std::ranges::all_of(ids, [&](const auto& id) { return responses->get("me", id, kNow).has_value(); });
        looked.count_down();
      }));
      looked.wait();
      if (!found) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return found;
  }

  base::Result<std::unique_ptr<SqlSession>> connect() const {
    if (away_) return base::fail(base::ErrorCode::refused, "away");
    return database_.open();
  }

  std::atomic<bool> away_ = false;
  static constexpr int64_t kNow = 4'000'000'000;  // later than any real clock: nothing is swept
  base::TemporaryDirectory temporary_;
  net::Loop loop_{net::make_epoll_poller(), 1};
  std::unique_ptr<ResponsesStore> store_;
};

TEST_P(ResponsesStoreTest, ACoroutineWaitsWithoutItsLoop) {
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

TEST_P(ResponsesStoreTest, ADeadlineEndsTheWaitNotTheWork) {
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

TEST_P(ResponsesStoreTest, ATaskMayBeDroppedWhileItWaits) {
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
TEST_P(ResponsesStoreTest, WhatCannotBeSavedNowIsSavedWhenTheDatabaseIsBack) {
  for (const bool spools : {true, false}) {
    const std::string name = spools ? "spooled" : "in memory";
    away_ = true;
    start(spools);
    for (const char* number : {"1", "2", "2"}) EXPECT_EQ(save(name + number), "later");
    EXPECT_EQ(spool_files(spool()).size(), spools ? 1U : 0U);
    away_ = false;
    EXPECT_TRUE(found_soon({name + "1", name + "2"}));
    EXPECT_EQ(save(name + "1"), "already_exists");
    EXPECT_EQ(save(name + "3"), "saved");
  }
}

// The process ends before the database is back; the next one has what it could not save, and only once.
TEST_P(ResponsesStoreTest, WhatWaitsIsThereAfterAnotherStart) {
  start(true);
  EXPECT_EQ(save("r0"), "saved");
  away_ = true;
  start(true);
  for (const char* id : {"r1", "r2"}) EXPECT_EQ(save(id), "later");
  start(true);
  EXPECT_EQ(save("r3"), "later") << "still away";
  away_ = false;
  EXPECT_TRUE(found_soon({"r0", "r1", "r2", "r3"}));
  start(true);
  EXPECT_TRUE(spool_files(spool()).empty());
}

// Saved, but killed before that was noted: saved again it changes nothing.
TEST_P(ResponsesStoreTest, NothingIsSavedTwice) {
  {
    ResponsesSpool left(spool());
    for (const char* id : {"r1", "r2"}) ASSERT_TRUE(left.append(write_spooled(made(id))));
    ASSERT_TRUE(left.append("no response"));
  }
  {
    auto responses = Responses::open(std::move(*connect()), {});
    ASSERT_TRUE(responses->create_conversation("me", {.id = "conv", .created_at = kNow, .metadata = "{}"}, {}));
    ASSERT_TRUE(apply(*responses, made("r1")));
  }
  start(true);
  EXPECT_TRUE(found_soon({"r1", "r2"}));
  store_.reset();
  auto responses = Responses::open(std::move(*connect()), {});
  const auto items = responses->context_of_conversation("me", "conv", kNow);
  ASSERT_TRUE(items);
  EXPECT_EQ(items->size(), 2u);
}

TEST_P(ResponsesStoreTest, AFullQueueSaysSo) {
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

TEST_P(ResponsesStoreTest, WhatWasToldIsFinished) {
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

TEST_P(ResponsesStoreTest, WhileTheDatabaseIsAwayCallsFailAtOnceAndLaterTheyDoNot) {
  away_ = true;
  start(false);  // it looks for its database as soon as it is made
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
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (ask() == base::ErrorCode::refused) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  EXPECT_EQ(ask(), base::ErrorCode::not_found);
}

INSTANTIATE_TEST_SUITE_P(Databases, ResponsesStoreTest,
                         testing::Values(SqlSession::Kind::sqlite, SqlSession::Kind::postgres), database_name);

}  // namespace
}  // namespace llmgw::store
