#include <functional>
#include <unordered_map>

#include "store/sql/session.h"
#include "store/sqlite.h"

namespace llmgw::store {
namespace {

// Statements are few and literals of this program; more would be a leak.
constexpr size_t kPreparedMax = 64;

class SqliteSession final : public SqlSession {
 public:
  explicit SqliteSession(Database database) : database_(std::move(database)) {}

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
  bool broken() const override { return false; }

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
  std::unordered_map<std::string, Statement, Hash, std::equal_to<>> prepared_;
};

}  // namespace

base::Result<std::unique_ptr<SqlSession>> open_sqlite(const std::string& path) {
  TRY(database, Database::open(path));
  return std::make_unique<SqliteSession>(std::move(database));
}

}  // namespace llmgw::store
