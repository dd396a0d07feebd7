#include "store/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>

namespace llmgw::store {
namespace {

base::Error error_of(int code, const char* context) {
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return {base::ErrorCode::deadline_exceeded, context, 0};
    case SQLITE_FULL:
    case SQLITE_NOMEM: return {base::ErrorCode::exhausted, context, 0};
    case SQLITE_TOOBIG: return {base::ErrorCode::too_large, context, 0};
    case SQLITE_CONSTRAINT: return {base::ErrorCode::already_exists, context, 0};
    case SQLITE_READONLY:
    case SQLITE_PERM: return {base::ErrorCode::permission, context, 0};
    default: return {base::ErrorCode::io, context, 0};
  }
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement& Statement::bind(int parameter, std::string_view text) {
  const char* const data = text.data() == nullptr ? "" : text.data();
  failed_ |=
      sqlite3_bind_text64(statement_.get(), parameter, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8) != SQLITE_OK;
  return *this;
}

Statement& Statement::bind(int parameter, int64_t number) {
  failed_ |= sqlite3_bind_int64(statement_.get(), parameter, number) != SQLITE_OK;
  return *this;
}

base::Result<bool> Statement::step() {
  if (failed_) return base::fail(base::ErrorCode::too_large, "binding a value");
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return base::fail(error_of(code, "running a statement"));
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::string_view Statement::text(int column) const {
  const unsigned char* const text = sqlite3_column_text(statement_.get(), column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text), static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

int Statement::columns() const {
  return sqlite3_column_count(statement_.get());
}

void Database::Close::operator()(sqlite3* database) const {
  sqlite3_close(database);
}

base::Result<Database> Database::open(const std::string& path) {
  // SQLite makes files for everybody to read; what is in here is for nobody else.
  constexpr int kMode = 0600;
  // Only a file that is not there yet: to close a descriptor of one that is open in this process would take away all
  // its locks (fcntl(2)), and another process would then delete the write-ahead log under it.
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kMode);
  if (descriptor < 0 && errno != EEXIST) return base::fail(base::os_error(errno, "opening the database"));
  if (descriptor >= 0) ::close(descriptor);
  Database opened;
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &database,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  opened.database_.reset(database);
  if (code != SQLITE_OK) return base::fail(error_of(code, "opening the database"));
  sqlite3_busy_timeout(database, kBusyTimeoutMs);
  TRY_VOID(
      opened.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
                     "PRAGMA secure_delete=FAST;"));
  return opened;
}

base::Result<void> Database::execute(const char* sql) {
  const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return base::fail(error_of(code, "running a statement"));
  return {};
}

base::Result<Statement> Database::prepare(std::string_view sql) {
  Statement statement;
  sqlite3_stmt* prepared = nullptr;
  const int code = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &prepared, nullptr);
  statement.statement_.reset(prepared);
  if (code != SQLITE_OK) return base::fail(error_of(code, "preparing a statement"));
  return statement;
}

int64_t Database::changes() const {
  return sqlite3_changes64(database_.get());
}

int64_t Database::last_key() const {
  return sqlite3_last_insert_rowid(database_.get());
}

base::Result<Transaction> Transaction::begin(Database& database) {
  TRY_VOID(database.execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

base::Result<void> Transaction::commit() {
  TRY_VOID(database_->execute("COMMIT"));
  database_ = nullptr;
  return {};
}

Transaction::~Transaction() {
  if (database_ != nullptr) (void)database_->execute("ROLLBACK");
}

}  // namespace llmgw::store
