#include <sys/stat.h>

#include <functional>
#include <string>
#include <unordered_map>

#include "store/sql/session.h"
#include "store/sqlite.h"

namespace llmgw::store {
namespace {

// Statements are few and literals of this program; more would be a leak.
constexpr size_t kPreparedMax = 64;

// Which file a path means.
struct FileIdentity {
  explicit FileIdentity(const std::string& path) {
    struct stat status{};
    there = ::stat(path.c_str(), &status) == 0;
    device = status.st_dev;
    inode = status.st_ino;
  }
  bool operator==(const FileIdentity&) const = default;
  bool there = false;
  uint64_t device = 0;
  uint64_t inode = 0;
};

class SqliteSession final : public SqlSession {
 public:
  SqliteSession(Database database, const std::string& path)
      : database_(std::move(database)), path_(path), opened_(path) {}

  SqliteSession(const SqliteSession&) = delete;
  SqliteSession& operator=(const SqliteSession&) = delete;
  // SQLite leaves the log of a file that was moved where it is, and what is opened there next would take it for its
  // own: so all that is in it goes to the file first, wherever that is now.
  ~SqliteSession() override {
    if (broken() || gone()) static_cast<void>(database_.execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  }

  Kind kind() const override { return Kind::sqlite; }
  using SqlSession::query;

  base::Result<SqlRows> query(std::string_view sql, SqlValues values) override {
    auto found = prepared_.find(sql);
    if (found == prepared_.end()) {
      if (prepared_.size() >= kPreparedMax) prepared_.clear();
      TRY(statement, database_.prepare(sql));
      found = prepared_.emplace(sql, std::move(statement)).first;
    }
    Statement& statement = found->second;
    auto rows = run(statement, values);
    statement.reset();
    return rows;
  }

  base::Result<void> begin() override { return database_.execute("BEGIN IMMEDIATE"); }
  base::Result<void> announce() override { return {}; }
  base::Result<bool> wait_for_change(base::Duration, int) override { return false; }
  bool hears_changes() const override { return false; }
  // Another file is there now, as after a restore: what this one has is nobody's any more. While there is none, one may
  // be on its way, and an empty one made in its place would hide that.
  bool broken() const override {
    const FileIdentity now(path_);
    return now.there && now != opened_;
  }
  bool gone() const override { return !FileIdentity(path_).there; }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  base::Result<SqlRows> run(Statement& statement, SqlValues values) {
    int parameter = 0;
    for (const SqlValue& value : values) {
      ++parameter;
      std::visit([&](const auto& each) { statement.bind(parameter, each); }, value);
    }
    const int columns = statement.columns();
    SqlRows rows(static_cast<size_t>(columns));
    while (true) {
      TRY(row, statement.step());
      if (!row) break;
      for (int column = 0; column < columns; ++column) rows.add(statement.text(column));
    }
    rows.changed = database_.changes();
    return rows;
  }

  Database database_;
  const std::string path_;
  const FileIdentity opened_;
  std::unordered_map<std::string, Statement, Hash, std::equal_to<>> prepared_;
};

}  // namespace

base::Result<std::unique_ptr<SqlSession>> open_sqlite(const std::string& path, Making making) {
  if (making == Making::refused && !FileIdentity(path).there) return base::fail(base::ErrorCode::not_found, kNoFile);
  TRY(database, Database::open(path));
  return std::make_unique<SqliteSession>(std::move(database), path);
}

}  // namespace llmgw::store
