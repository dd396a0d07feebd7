// One connection to an SQL database, SQLite or PostgreSQL, behind the little that both do alike: statements with $1,
// $2,
// ... (in the order of their first use), texts and 64-bit integers, transactions. Blocking, but never for longer than
// its time limit; one thread. After an error other than already_exists the session may be broken(): drop it, open anew.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace llmgw::store {

using SqlValue = std::variant<int64_t, std::string_view>;
using SqlValues = std::span<const SqlValue>;

// Whether what is not there yet is made: a file, tables.
enum class Making : uint8_t { allowed, refused };

// Contexts of errors that are looked for; arrays, each of which is one for the whole program.
inline constexpr char kNoFile[] = "its file is not there";
inline constexpr char kReadOnlyDatabase[] = "the database is read-only";

// What a statement gave back, as texts; owned. SQL's NULL is an empty text.
class SqlRows {
 public:
  explicit SqlRows(size_t columns = 0) : columns_(columns) {}
  size_t size() const { return columns_ == 0 ? 0 : cells_.size() / columns_; }
  bool empty() const { return cells_.empty(); }
  std::string& text(size_t row, size_t column) { return cells_[row * columns_ + column]; }
  const std::string& text(size_t row, size_t column) const { return cells_[row * columns_ + column]; }
  // 0 where the text is no number.
  int64_t integer(size_t row, size_t column) const;
  void add(std::string_view cell) { cells_.emplace_back(cell); }
  // Rows that an INSERT, UPDATE or DELETE without RETURNING changed.
  int64_t changed = 0;

 private:
  size_t columns_;
  std::vector<std::string> cells_;
};

struct SqlStatement {
  std::string_view sql;
  std::vector<SqlValue> values = {};
};

class SqlSession {
 public:
  enum class Kind : uint8_t { sqlite, postgres };

  virtual ~SqlSession() = default;
  SqlSession(const SqlSession&) = delete;
  SqlSession& operator=(const SqlSession&) = delete;

  virtual Kind kind() const = 0;
  // already_exists: a unique index has it. deadline_exceeded: the database did not answer, or somebody holds its lock.
  virtual base::Result<SqlRows> query(std::string_view sql, SqlValues values) = 0;
  // Statements whose rows nobody wants; in one round trip where the database can. Stops at the first that fails.
  virtual base::Result<void> run_all(std::span<const SqlStatement> statements);
  // Begins a transaction that may write. A writer is alone from its first write on.
  virtual base::Result<void> begin() = 0;
  // Tells other sessions' wait_for_change(), once the transaction at hand is committed.
  virtual base::Result<void> announce() = 0;
  // Whether wait_for_change() can know of changes.
  virtual bool hears_changes() const = 0;
  // Returns after `limit`, or when `wake` is readable, or when another session announced something: then true.
  virtual base::Result<bool> wait_for_change(base::Duration limit, int wake) = 0;
  virtual bool broken() const = 0;
  // Its file was taken away, and none is in its place yet: what is written now is lost with it.
  virtual bool gone() const { return false; }
  // Whether it takes changes, as far as it says so beforehand. One that is refused a change because the database is
  // read-only (permission, kReadOnlyDatabase) is broken(): only a new session sees that it is so no more.
  virtual base::Result<bool> writable() { return true; }

  base::Result<SqlRows> query(std::string_view sql, std::initializer_list<SqlValue> values = {}) {
    return query(sql, SqlValues(values.begin(), values.size()));
  }
  base::Result<void> commit();
  void rollback();

 protected:
  SqlSession() = default;
};

// Rolls back unless committed.
class SqlTransaction {
 public:
  static base::Result<SqlTransaction> begin(SqlSession& session);
  base::Result<void> commit();
  SqlTransaction(SqlTransaction&& other) noexcept : session_(std::exchange(other.session_, nullptr)) {}
  SqlTransaction& operator=(SqlTransaction&&) = delete;
  ~SqlTransaction();

 private:
  explicit SqlTransaction(SqlSession& session) : session_(&session) {}
  SqlSession* session_;
};

// A database file (WAL, readable by its owner only). Not there, and not to be made: not_found, kNoFile.
base::Result<std::unique_ptr<SqlSession>> open_sqlite(const std::string& path, Making making = Making::allowed);

struct PostgresOptions {
  std::string conninfo;                                    // a URL or key=value words; may hold a password
  std::string channel;                                     // of LISTEN and NOTIFY; an SQL name
  base::Duration connect_limit = std::chrono::seconds(5);  // names and TLS included
  base::Duration query_limit = std::chrono::seconds(10);   // loading everything takes a second or two
};
base::Result<std::unique_ptr<SqlSession>> open_postgres(const PostgresOptions& options);

// Whether all is there that these statements make, each of which begins with CREATE TABLE IF NOT EXISTS or CREATE INDEX
// IF NOT EXISTS: a PostgreSQL that is read-only refuses them all the same. False of SQLite, which does not.
base::Result<bool> all_made(SqlSession& session, std::span<const std::string_view> statements);

}  // namespace llmgw::store
