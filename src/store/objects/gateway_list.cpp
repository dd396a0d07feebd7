#include "store/objects/gateway_list.h"

#include <algorithm>

namespace llmgw::store {
namespace {

// What was killed is not told from what will come back; after so long nobody asks any more.
constexpr std::chrono::seconds kForgotten = std::chrono::hours(24);

// The database's clock, in seconds since 1970.
std::string now_sql(const SqlSession& session) {
  return session.kind() == SqlSession::Kind::sqlite ? "CAST(strftime('%s', 'now') AS BIGINT)"
                                                    : "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS BIGINT)";
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : " ").append(word);
  return text;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return words;
}

}  // namespace

base::Result<void> enter_gateway(SqlSession& session, const GatewayEntry& gateway) {
  const std::string now = now_sql(session);
  const std::string keys = joined(gateway.key_ids);
  const std::string enter = "INSERT INTO gateways (instance, host, key_file, key_ids, seen) VALUES ($1, $2, $3, $4, " +
                            now + ") ON CONFLICT (instance) DO UPDATE SET key_ids = excluded.key_ids, " +
                            "seen = excluded.seen";
  const std::string forget = "DELETE FROM gateways WHERE seen < " + now + " - $1";
  const std::string limit = std::to_string(kEnterLimit.count());
  std::vector<SqlStatement> statements;
  // Statements that are sent together are one transaction, and the setting is of this one.
  if (session.kind() == SqlSession::Kind::postgres) {
    statements.push_back({.sql = "SELECT set_config('statement_timeout', $1, true)", .values = {limit}});
  }
  statements.push_back({.sql = enter, .values = {gateway.instance, gateway.host, gateway.key_file, keys}});
  statements.push_back({.sql = forget, .values = {int64_t{kForgotten.count()}}});
  return session.run_all(statements);
}

base::Result<void> leave_gateway(SqlSession& session, std::string_view instance) {
  TRY_VOID(session.query("DELETE FROM gateways WHERE instance = $1", {instance}));
  return {};
}

base::Result<std::vector<GatewayEntry>> running_gateways(SqlSession& session) {
  const std::string now = now_sql(session);
  TRY(rows, session.query("SELECT instance, host, key_file, key_ids, " + now +
                              " - seen FROM gateways WHERE seen >= " + now + " - $1 ORDER BY host, instance",
                          {int64_t{kGatewayGone.count()}}));
  std::vector<GatewayEntry> gateways;
  for (size_t row = 0; row < rows.size(); ++row) {
    gateways.push_back({.instance = std::move(rows.text(row, 0)),
                        .host = std::move(rows.text(row, 1)),
                        .key_file = std::move(rows.text(row, 2)),
                        .key_ids = split(rows.text(row, 3)),
                        .seconds_ago = std::max<int64_t>(0, rows.integer(row, 4))});
  }
  return gateways;
}

}  // namespace llmgw::store
