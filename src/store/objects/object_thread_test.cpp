#include "store/objects/object_thread.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "base/temporary_directory.h"
#include "store/sql/test_databases.h"

namespace llmgw::store {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);  // only a broken test waits so long

// What a thread's callbacks said, for a test to wait on.
class Ears {
 public:
  bool loaded(ObjectThread::Loaded loaded) {
    std::lock_guard lock(mutex_);
    if (unusable_ > 0) {
      --unusable_;
      return false;
    }
    names_.clear();
    for (const Object& each : loaded.everything.objects) names_.push_back(each.name);
    from_saved_ = loaded.from_saved;
    ++loads_;
    changed_.notify_all();
    return true;
  }
  // What is loaded cannot be used, so often.
  void refuse(int times) {
    std::lock_guard lock(mutex_);
    unusable_ = times;
  }
  void state(ObjectThread::Trouble trouble) {
    std::lock_guard lock(mutex_);
    trouble_ = trouble;
    changed_.notify_all();
  }
  bool hear_names(const std::vector<std::string>& names) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return loads_ > 0 && names_ == names; });
  }
  bool hear_trouble(ObjectThread::Trouble trouble) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return trouble_ == trouble; });
  }
  bool hear_away(bool away) { return hear_trouble(away ? ObjectThread::Trouble::away : ObjectThread::Trouble::none); }
  bool from_saved() {
    std::lock_guard lock(mutex_);
    return from_saved_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> names_;
  bool from_saved_ = false;
  ObjectThread::Trouble trouble_ = ObjectThread::Trouble::none;
  int loads_ = 0;
  int unusable_ = 0;
};

class ObjectThreadTest : public BothDatabases {
 protected:
  ObjectThread::Settings settings(Ears& ears, base::Duration limit = std::chrono::seconds(30)) {
    return {.connect = [this, limit](Making making) { return database_.open(limit, making); },
            .saved_path = directory_ + "/objects.saved",
            .place = "here",
            .on_loaded = [&ears](ObjectThread::Loaded loaded) { return ears.loaded(std::move(loaded)); },
            .on_state = [&ears](ObjectThread::Trouble trouble, const base::Error&) { ears.state(trouble); }};
  }
  static bool insert(ObjectStore* store, const std::string& name) {
    const ObjectChange change{
        .object = {.id = "conn_" + name, .kind = "connection", .name = name, .natural_key = name}};
    if (store == nullptr) return false;
    const auto result = store->apply({&change, 1}, {}, 1);
    return result && result->outcome == Applied::done;
  }
  // Whether a job finds a store.
  static bool has_store(ObjectThread& thread) {
    std::promise<bool> job;
    EXPECT_TRUE(thread.post([&job](ObjectStore* store) { job.set_value(store != nullptr); }));
    return job.get_future().get();
  }
  void insert_elsewhere(const std::string& name) {
    auto store = ObjectStore::open(std::move(*database_.open()));
    ASSERT_TRUE(insert(&*store, name));
  }
  base::TemporaryDirectory temporary_;
  const std::string directory_ = temporary_.path();
};
INSTANTIATE_TEST_SUITE_P(Databases, ObjectThreadTest,
                         testing::Values(SqlSession::Kind::sqlite, SqlSession::Kind::postgres), database_name);

TEST_P(ObjectThreadTest, WhatCannotBeUsedIsOfferedAgainWithoutAChange) {
  insert_elsewhere("a");
  Ears ears;
  ears.refuse(2);
  ObjectThread thread(settings(ears));
  EXPECT_TRUE(ears.hear_names({"a"}));
}

TEST_P(ObjectThreadTest, WhatWasSavedIsOfferedAgainWhileTheDatabaseIsAway) {
  insert_elsewhere("a");
  {
    Ears ears;
    ObjectThread thread(settings(ears));
    ASSERT_TRUE(ears.hear_names({"a"}));
  }
  Ears ears;
  ears.refuse(2);
  auto without = settings(ears);
  without.connect = [](Making) {
    return base::Result<std::unique_ptr<SqlSession>>(base::fail(base::ErrorCode::refused, "gone"));
  };
  ObjectThread thread(std::move(without));
  EXPECT_TRUE(ears.hear_names({"a"}));
  EXPECT_TRUE(ears.from_saved());
}

TEST_P(ObjectThreadTest, HearsOfChangesItsOwnAndOthers) {
  Ears ears;
  ObjectThread thread(settings(ears));
  EXPECT_TRUE(ears.hear_names({}));
  EXPECT_TRUE(thread.post([](ObjectStore* store) { EXPECT_TRUE(insert(store, "own")); }));
  EXPECT_TRUE(ears.hear_names({"own"}));
  // Within a second, unless the machine has other things to do: then the next one is.
  std::vector<std::string> names{"own"};
  auto quickest = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 10 && quickest >= std::chrono::seconds(1); ++i) {
    const auto before = std::chrono::steady_clock::now();
    names.push_back("their-" + std::to_string(i));
    insert_elsewhere(names.back());
    ASSERT_TRUE(ears.hear_names(names));
    quickest = std::min(quickest, std::chrono::steady_clock::now() - before);
  }
  EXPECT_LT(quickest, std::chrono::seconds(1));
}

// As when a copy is moved back into its place: what is written from then on is in it.
TEST_P(ObjectThreadTest, ADatabaseFileThatIsReplacedIsOpened) {
  if (GetParam() != SqlSession::Kind::sqlite) GTEST_SKIP() << "has no file of its own";
  const std::string path = directory_ + "/objects.sqlite";
  const auto names_in = [](const std::string& file) {
    std::vector<std::string> names;
    for (const Object& each : ObjectStore::open(std::move(*open_sqlite(file)))->load_all()->objects) {
      names.push_back(each.name);
    }
    return names;
  };
  {
    auto copy = ObjectStore::open(std::move(*open_sqlite(path + ".copy")));
    ASSERT_TRUE(insert(&*copy, "kept"));
  }
  Ears ears;
  auto on_file = settings(ears);
  on_file.connect = [path](Making making) { return open_sqlite(path, making); };
  ObjectThread thread(std::move(on_file));
  EXPECT_TRUE(thread.post([](ObjectStore* store) { EXPECT_TRUE(insert(store, "lost")); }));
  EXPECT_TRUE(ears.hear_names({"lost"}));
  std::filesystem::rename(path, path + ".old");
  std::filesystem::rename(path + ".copy", path);
  EXPECT_TRUE(ears.hear_names({"kept"}));
  EXPECT_TRUE(thread.post([](ObjectStore* store) { EXPECT_TRUE(insert(store, "new")); }));
  EXPECT_TRUE(ears.hear_names({"kept", "new"}));
  thread.stop();
  EXPECT_EQ(names_in(path), (std::vector<std::string>{"kept", "new"}));
}

TEST_P(ObjectThreadTest, AStoreThatWasEmptiedIsNotMadeAnewButTakenWhenItIsPutBack) {
  Ears ears;
  ObjectThread thread(settings(ears));
  EXPECT_TRUE(ears.hear_names({}));
  insert_elsewhere("a");
  insert_elsewhere("b");
  EXPECT_TRUE(ears.hear_names({"a", "b"}));
  database_.empty();
  EXPECT_TRUE(ears.hear_trouble(ObjectThread::Trouble::refused));
  EXPECT_FALSE(has_store(thread));
  EXPECT_FALSE(database_.has_tables());
  EXPECT_TRUE(ears.hear_names({"a", "b"})) << "they stay in force";
  {
    Ears later;
    ObjectThread restarted(settings(later));
    EXPECT_TRUE(later.hear_names({"a", "b"}));
    EXPECT_TRUE(later.hear_trouble(ObjectThread::Trouble::refused));
    EXPECT_FALSE(database_.has_tables());
  }
  insert_elsewhere("a");  // an older copy
  EXPECT_TRUE(ears.hear_names({"a"}));
  EXPECT_TRUE(ears.hear_away(false));
  EXPECT_TRUE(has_store(thread));
}

TEST_P(ObjectThreadTest, AnotherStoreIsTakenOnlyWhenThatIsAskedFor) {
  Ears ears;
  ObjectThread thread(settings(ears));
  EXPECT_TRUE(ears.hear_names({}));
  insert_elsewhere("a");
  insert_elsewhere("b");
  EXPECT_TRUE(ears.hear_names({"a", "b"}));
  database_.empty();
  EXPECT_TRUE(ears.hear_trouble(ObjectThread::Trouble::refused));
  insert_elsewhere("other");
  {
    Ears later;
    ObjectThread restarted(settings(later));
    EXPECT_TRUE(later.hear_trouble(ObjectThread::Trouble::refused));
    EXPECT_TRUE(later.hear_names({"a", "b"}));
  }
  thread.take_what_is_there();
  EXPECT_TRUE(ears.hear_names({"other"}));
  EXPECT_TRUE(ears.hear_away(false));
}

// One order is enough for all gateways that had the same store, also for one that starts later.
TEST_P(ObjectThreadTest, OthersFollowWhoWasToldToTakeAnotherStore) {
  Ears ears;
  Ears others_ears;
  ObjectThread thread(settings(ears));
  auto of_another = settings(others_ears);
  of_another.saved_path = directory_ + "/another.saved";
  ObjectThread another(std::move(of_another));
  insert_elsewhere("a");
  insert_elsewhere("b");
  EXPECT_TRUE(ears.hear_names({"a", "b"}));
  EXPECT_TRUE(others_ears.hear_names({"a", "b"}));
  EXPECT_TRUE(has_store(another));  // what was loaded before has been saved by then
  std::filesystem::copy_file(directory_ + "/another.saved", directory_ + "/later.saved");
  database_.empty();
  EXPECT_TRUE(ears.hear_trouble(ObjectThread::Trouble::refused));
  EXPECT_TRUE(others_ears.hear_trouble(ObjectThread::Trouble::refused));
  thread.take_what_is_there();
  EXPECT_TRUE(ears.hear_names({}));
  EXPECT_TRUE(others_ears.hear_names({}));
  EXPECT_TRUE(others_ears.hear_away(false));
  insert_elsewhere("new");
  EXPECT_TRUE(others_ears.hear_names({"new"}));
  Ears later_ears;
  auto later = settings(later_ears);
  later.saved_path = directory_ + "/later.saved";
  const ObjectThread started(std::move(later));
  EXPECT_TRUE(later_ears.hear_names({"new"}));
}

TEST_P(ObjectThreadTest, AnOrderForAnotherStoreIsNoneForThis) {
  Ears ears;
  ObjectThread thread(settings(ears));
  insert_elsewhere("a");
  insert_elsewhere("b");
  EXPECT_TRUE(ears.hear_names({"a", "b"}));
  database_.empty();
  EXPECT_TRUE(ears.hear_trouble(ObjectThread::Trouble::refused));
  {
    KnownStore elsewhere(
        {.connect = [this](Making making) { return database_.open(std::chrono::seconds(30), making); }});
    ObjectStore::Everything everything;
    // What a store makes for itself has the same id in each.
    for (const std::string name : {"conn_a", "conn_y"}) everything.objects.push_back({.id = name, .created_ms = 77});
    elsewhere.remember(everything);
    elsewhere.forget();
    EXPECT_TRUE(elsewhere.open());
  }
  Ears later;
  const ObjectThread restarted(settings(later));
  EXPECT_TRUE(later.hear_trouble(ObjectThread::Trouble::refused));
  EXPECT_TRUE(later.hear_names({"a", "b"}));
  EXPECT_FALSE(has_store(thread));
}

TEST_P(ObjectThreadTest, AnEmptyStoreElsewhereIsANewOne) {
  {
    Ears ears;
    ObjectThread thread(settings(ears));
    insert_elsewhere("a");
    insert_elsewhere("b");
    EXPECT_TRUE(ears.hear_names({"a", "b"}));
  }
  database_.empty();
  Ears ears;
  auto moved = settings(ears);
  moved.place = "elsewhere";
  ObjectThread thread(std::move(moved));
  EXPECT_TRUE(ears.hear_names({}));
  EXPECT_TRUE(database_.has_tables());
}

TEST_P(ObjectThreadTest, APokeAnswersAfterTheChangeIsLoaded) {
  Ears ears;
  ObjectThread thread(settings(ears));
  EXPECT_TRUE(ears.hear_names({}));
  insert_elsewhere("a");
  std::promise<void> done;
  thread.poke([&done] { done.set_value(); });
  ASSERT_EQ(done.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_TRUE(ears.hear_names({"a"}));
}

TEST_P(ObjectThreadTest, JobsPostedAreDoneBeforeItDies) {
  Ears ears;
  int done = 0;
  {
    ObjectThread thread(settings(ears));
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(thread.post([&done](ObjectStore*) { ++done; }));
  }
  EXPECT_EQ(done, 100);
}

class AwayTest : public ObjectThreadTest {};
INSTANTIATE_TEST_SUITE_P(Databases, AwayTest, testing::Values(SqlSession::Kind::postgres), database_name);

TEST_P(AwayTest, KilledWhileItRuns) {
  Ears ears;
  ObjectThread thread(settings(ears));
  EXPECT_TRUE(ears.hear_names({}));
  insert_elsewhere("a");
  EXPECT_TRUE(ears.hear_names({"a"}));
  TestPostgres::shared().kill_all();
  EXPECT_TRUE(ears.hear_away(true));
  std::promise<bool> job;
  EXPECT_TRUE(thread.post([&job](ObjectStore* store) { job.set_value(store != nullptr); }));
  EXPECT_FALSE(job.get_future().get()) << "a job runs also without a database";
  TestPostgres::shared().start();
  EXPECT_TRUE(ears.hear_away(false));
  insert_elsewhere("b");
  EXPECT_TRUE(ears.hear_names({"a", "b"}));
}

// ALTER DATABASE holds for sessions that begin later.
TEST_P(AwayTest, ReadOnlyAndNoMore) {
  Ears ears;
  ObjectThread thread(settings(ears));
  EXPECT_TRUE(ears.hear_names({}));
  const auto read_only = [this](const char* value) {
    auto session = database_.open();
    ASSERT_TRUE((*session)->query("SET default_transaction_read_only = off"));
    const auto name = (*session)->query("SELECT current_database()");
    ASSERT_TRUE(
        (*session)->query("ALTER DATABASE " + name->text(0, 0) + " SET default_transaction_read_only = " + value));
    ASSERT_TRUE(
        (*session)->query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                          "current_database() AND pid <> pg_backend_pid()"));
  };
  const auto add = [&thread](const std::string& name) {
    std::promise<bool> job;
    EXPECT_TRUE(thread.post([&](ObjectStore* store) { job.set_value(insert(store, name)); }));
    return job.get_future().get();
  };
  EXPECT_TRUE(add("a"));
  read_only("on");
  EXPECT_TRUE(ears.hear_trouble(ObjectThread::Trouble::read_only));
  EXPECT_TRUE(has_store(thread)) << "it can be read";
  EXPECT_FALSE(add("b"));
  EXPECT_TRUE(ears.hear_trouble(ObjectThread::Trouble::read_only));
  read_only("off");
  EXPECT_TRUE(ears.hear_away(false));
  EXPECT_TRUE(add("b"));
  EXPECT_TRUE(ears.hear_names({"a", "b"}));
}

TEST_P(AwayTest, FrozenWhileItRuns) {
  Ears ears;
  ObjectThread thread(settings(ears, std::chrono::seconds(1)));
  EXPECT_TRUE(ears.hear_names({}));
  TestPostgres::shared().freeze(true);
  EXPECT_TRUE(ears.hear_away(true));
  TestPostgres::shared().freeze(false);
  EXPECT_TRUE(ears.hear_away(false));
}

TEST_P(AwayTest, MissingAtTheStartTheSavedObjectsServe) {
  {
    Ears ears;
    ObjectThread thread(settings(ears));
    insert_elsewhere("kept");
    EXPECT_TRUE(ears.hear_names({"kept"}));
  }
  TestPostgres::shared().kill_all();
  Ears ears;
  ObjectThread thread(settings(ears));
  EXPECT_TRUE(ears.hear_names({"kept"}));
  EXPECT_TRUE(ears.from_saved());
  TestPostgres::shared().start();
  insert_elsewhere("new");
  EXPECT_TRUE(ears.hear_names({"kept", "new"}));
  EXPECT_FALSE(ears.from_saved());
}

}  // namespace
}  // namespace llmgw::store
