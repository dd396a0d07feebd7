#include "store/sqlite.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/temporary_directory.h"

namespace llmgw::store {
namespace {

// To close a second connection, or the descriptor that made the file, must not take the first one's locks away: another
// process that then closes the database as if it were the last would delete the write-ahead log.
TEST(Sqlite, ASecondConnectionLeavesTheFirstItsLocks) {
  const base::TemporaryDirectory directory;
  const std::string path = directory.file("test.sqlite");
  auto first = Database::open(path);
  ASSERT_TRUE(first);
  ASSERT_TRUE(first->execute("CREATE TABLE numbers (n BIGINT)"));
  {
    auto second = Database::open(path);
    ASSERT_TRUE(second);
  }
  const pid_t child = fork();
  if (child == 0) {
    // What a command line does while a gateway runs.
    execl("/bin/sh", "sh", "-c",
          ("exec python3 -c \"import sqlite3; c = sqlite3.connect('" + path +
           "'); c.execute('SELECT COUNT(*) FROM numbers').fetchall(); c.close()\"")
              .c_str(),
          nullptr);
    _exit(127);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(first->run("INSERT INTO numbers VALUES ($1)", int64_t{7}));
  auto other = Database::open(path);
  ASSERT_TRUE(other);
  auto statement = other->prepare("SELECT n FROM numbers");
  ASSERT_TRUE(statement);
  EXPECT_TRUE(*statement->step()) << "what the first wrote is in a log that is gone";
  EXPECT_TRUE(std::filesystem::exists(path + "-wal"));
}

}  // namespace
}  // namespace llmgw::store
