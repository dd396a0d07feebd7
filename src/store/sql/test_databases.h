// For tests: a PostgreSQL of Debian's package in a temporary directory, started when first asked for and ended with the
// program, as a user without rights where the tests run as root; and the two kinds of database as test parameters.
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

#include "base/temporary_directory.h"
#include "store/sql/session.h"

namespace llmgw::store {

class TestPostgres {
 public:
  static TestPostgres& shared() {
    static TestPostgres server;
    return server;
  }
  TestPostgres() {
    // Servers refuse to run as root.
    if (geteuid() == 0) {
      const passwd* user = getpwnam("postgres");
      if (user == nullptr) user = getpwnam("nobody");
      uid_ = user->pw_uid;
      gid_ = user->pw_gid;
      EXPECT_EQ(chown(directory_.c_str(), uid_, gid_), 0);
    }
    EXPECT_EQ(run({"initdb", "-D", directory_ + "/data", "-U", "test", "-A", "trust", "--no-sync", "-E", "UTF8",
                   "--locale=C.UTF-8"}),
              0);
    start();
  }
  TestPostgres(const TestPostgres&) = delete;
  TestPostgres& operator=(const TestPostgres&) = delete;
  ~TestPostgres() { kill_all(); }

  void start() {
    server_ =
        spawn({"postgres", "-D", directory_ + "/data", "-k", directory_, "-c", "listen_addresses=", "-c", "fsync=off"});
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (run({"pg_isready", "-q", "-h", directory_}) != 0) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "PostgreSQL does not start";
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  // SIGQUIT: at once, without telling clients anything friendly.
  void kill_all() {
    if (server_ <= 0) return;
    freeze(false);
    ::kill(server_, SIGQUIT);
    waitpid(server_, nullptr, 0);
    server_ = 0;
  }
  // All of its processes, as on a machine that hangs.
  void freeze(bool frozen) const {
    const std::string pid = std::to_string(server_);
    std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
    const int signal = frozen ? SIGSTOP : SIGCONT;
    EXPECT_EQ(::kill(server_, signal), 0);
    for (pid_t child = 0; children >> child;) ::kill(child, signal);
  }

  // An empty database's connection string.
  std::string fresh_database() {
    const std::string name = "db" + std::to_string(++databases_);
    // Minutes: the machine may be busy with other tests.
    constexpr auto kPatience = std::chrono::minutes(2);
    auto session = open_postgres(
        {.conninfo = conninfo("postgres"), .channel = "", .connect_limit = kPatience, .query_limit = kPatience});
    EXPECT_TRUE(session);
    EXPECT_TRUE((*session)->query("CREATE DATABASE " + name));
    return conninfo(name);
  }

 private:
  std::string conninfo(const std::string& database) const {
    return "host=" + directory_ + " user=test dbname=" + database;
  }
  pid_t spawn(const std::vector<std::string>& command) const {
    const pid_t child = fork();
    if (child != 0) return child;
    setpgid(0, 0);
    if (uid_ != 0 && (setgroups(0, nullptr) != 0 || setgid(gid_) != 0 || setuid(uid_) != 0)) _exit(126);
    const std::string log = directory_ + "/log";
    const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(file, STDOUT_FILENO);
    ::dup2(file, STDERR_FILENO);
    // Its own name whole: the programs look for each other beside it.
    const std::string program = "/usr/lib/postgresql/15/bin/" + command[0];
    std::vector<char*> arguments = {const_cast<char*>(program.c_str())};
    for (const std::string& each : command | std::views::drop(1)) arguments.push_back(const_cast<char*>(each.c_str()));
    arguments.push_back(nullptr);
    execv(program.c_str(), arguments.data());
    _exit(127);
  }
  int run(const std::vector<std::string>& command) const {
    int status = 0;
    waitpid(spawn(command), &status, 0);
    return status;
  }

  base::TemporaryDirectory temporary_;
  const std::string directory_ = temporary_.path();
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  pid_t server_ = 0;
  int databases_ = 0;
};

// A database of one kind, empty, which several sessions can be opened on.
class TestDatabase {
 public:
  explicit TestDatabase(SqlSession::Kind kind) : kind_(kind) {
    if (kind == SqlSession::Kind::postgres) {
      where_ = TestPostgres::shared().fresh_database();
      return;
    }
    where_ = temporary_.file("store.sqlite");
  }
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;
  base::Result<std::unique_ptr<SqlSession>> open(base::Duration limit = std::chrono::seconds(30),
                                                 Making making = Making::allowed) const {
    if (kind_ == SqlSession::Kind::sqlite) return open_sqlite(where_, making);
    return open_postgres({.conninfo = where_, .channel = "llmgw_test", .connect_limit = limit, .query_limit = limit});
  }
  // As whoever drops everything, or takes the file away.
  void empty() const {
    if (kind_ == SqlSession::Kind::sqlite) {
      std::filesystem::remove(where_);
      return;
    }
    auto session = open();
    ASSERT_TRUE((*session)->query("DROP SCHEMA public CASCADE"));
    ASSERT_TRUE((*session)->query("CREATE SCHEMA public"));
  }
  bool has_tables() const {
    if (kind_ == SqlSession::Kind::sqlite) return std::filesystem::exists(where_);
    auto session = open();
    const auto tables = (*session)->query("SELECT 1 FROM pg_tables WHERE schemaname = 'public'");
    return tables && !tables->empty();
  }

 private:
  SqlSession::Kind kind_;
  base::TemporaryDirectory temporary_;
  std::string where_;
};

class BothDatabases : public testing::TestWithParam<SqlSession::Kind> {
 protected:
  TestDatabase database_{GetParam()};
};

inline std::string database_name(const testing::TestParamInfo<SqlSession::Kind>& info) {
  return info.param == SqlSession::Kind::sqlite ? "sqlite" : "postgres";
}

}  // namespace llmgw::store
