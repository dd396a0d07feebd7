// SQLite's C interface (3.40) under RAII, with results instead of codes. A Database and its Statements belong to one
// thread. Every call may wait for the disk: never on a worker's loop.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace llmgw::store {

// A prepared statement. Texts of a row are valid until the next step() or reset.
class Statement {
 public:
  Statement() = default;

  // Parameters count from 1, columns from 0.
  Statement& bind(int parameter, std::string_view text);
  Statement& bind(int parameter, int64_t number);
  // True: a row is there. False: done.
  base::Result<bool> step();
  // To be bound and run again.
  void reset();
  std::string_view text(int column) const;
  int64_t integer(int column) const;
  // Columns of a row; 0 for a statement that gives none.
  int columns() const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  bool failed_ = false;  // a bind failed: step() says so
};

class Database {
 public:
  // Another process (the old one, while an upgrade hands over) may hold the write lock for a moment.
  static constexpr int kBusyTimeoutMs = 5000;

  // Makes the file, readable by its owner only, if it is not there. WAL: a killed process loses nothing that was
  // committed and corrupts nothing; a power cut may lose the last commits.
  static base::Result<Database> open(const std::string& path);

  // Statements without results, one after the other.
  base::Result<void> execute(const char* sql);
  base::Result<Statement> prepare(std::string_view sql);
  // Prepares, binds in order, runs to the end. The number of rows it changed.
  template <class... Values>
  base::Result<int64_t> run(std::string_view sql, const Values&... values) {
    TRY(statement, prepare(sql));
    int parameter = 0;
    (statement.bind(++parameter, values), ...);
    while (true) {
      TRY(row, statement.step());
      if (!row) return changes();
    }
  }
  int64_t changes() const;
  int64_t last_key() const;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  std::unique_ptr<sqlite3, Close> database_;
};

// Rolls back unless committed.
class Transaction {
 public:
  // Takes the write lock at once, so that nothing in it can fail for want of it later.
  static base::Result<Transaction> begin(Database& database);
  base::Result<void> commit();
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace llmgw::store
