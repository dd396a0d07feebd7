#include "store/sql/session.h"

#include <charconv>

namespace llmgw::store {

int64_t SqlRows::integer(size_t row, size_t column) const {
  const std::string& digits = text(row, column);
  int64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

base::Result<void> SqlSession::run_all(std::span<const SqlStatement> statements) {
  for (const SqlStatement& statement : statements) {
    TRY_VOID(query(statement.sql, SqlValues(statement.values)));
  }
  return {};
}

base::Result<void> SqlSession::commit() {
  TRY_VOID(query("COMMIT"));
  return {};
}

void SqlSession::rollback() {
  if (!broken()) (void)query("ROLLBACK");
}

base::Result<SqlTransaction> SqlTransaction::begin(SqlSession& session) {
  TRY_VOID(session.begin());
  return SqlTransaction(session);
}

base::Result<void> SqlTransaction::commit() {
  TRY_VOID(session_->commit());
  session_ = nullptr;
  return {};
}

SqlTransaction::~SqlTransaction() {
  if (session_ != nullptr) session_->rollback();
}

base::Result<bool> all_made(SqlSession& session, std::span<const std::string_view> statements) {
  if (session.kind() == SqlSession::Kind::sqlite) return false;
  constexpr std::string_view kBefore = " IF NOT EXISTS ";
  std::string sql = "SELECT 1 WHERE true";
  for (const std::string_view statement : statements) {
    const std::string_view rest = statement.substr(statement.find(kBefore) + kBefore.size());
    sql.append(" AND to_regclass('").append(rest.substr(0, rest.find_first_of(" ("))).append("') IS NOT NULL");
  }
  TRY(made, session.query(sql));
  return !made.empty();
}

}  // namespace llmgw::store
