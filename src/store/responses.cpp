#include "store/responses.h"

#include <algorithm>
#include <utility>

namespace llmgw::store {
namespace {

using base::ErrorCode;
using base::Result;

constexpr int64_t kSchemaVersion = 1;
// Any number, the same in every version: gateways that start at once make the tables one after the other.
constexpr std::string_view kSchemaLock = "SELECT pg_advisory_xact_lock(5570194)";

// Positions are keys, which only grow: the order of items is the order in which they came. {key} is how each database
// makes such a key.
constexpr std::string_view kSchema[] = {
    "CREATE TABLE IF NOT EXISTS responses_schema(version BIGINT NOT NULL)",
    ("CREATE TABLE IF NOT EXISTS conversations({key}, owner TEXT NOT NULL, id TEXT NOT NULL, created_at BIGINT"
     " NOT NULL, expires_at BIGINT NOT NULL, metadata TEXT NOT NULL, UNIQUE(owner, id))"),
    "CREATE INDEX IF NOT EXISTS conversations_by_expiry ON conversations(expires_at)",
    ("CREATE TABLE IF NOT EXISTS conversation_items({key}, parent BIGINT NOT NULL REFERENCES conversations(key)"
     " ON DELETE CASCADE, id TEXT NOT NULL, body TEXT NOT NULL, UNIQUE(parent, id))"),
    "CREATE INDEX IF NOT EXISTS conversation_items_by_id ON conversation_items(id)",
    ("CREATE TABLE IF NOT EXISTS responses({key}, owner TEXT NOT NULL, id TEXT NOT NULL, previous_id TEXT NOT NULL,"
     " conversation_id TEXT NOT NULL, conversation_before BIGINT NOT NULL, expires_at BIGINT NOT NULL,"
     " status TEXT NOT NULL, background BIGINT NOT NULL, body TEXT NOT NULL, UNIQUE(owner, id))"),
    "CREATE INDEX IF NOT EXISTS responses_by_expiry ON responses(expires_at)",
    ("CREATE TABLE IF NOT EXISTS response_items({key}, parent BIGINT NOT NULL REFERENCES responses(key)"
     " ON DELETE CASCADE, output BIGINT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL)"),
    "CREATE INDEX IF NOT EXISTS response_items_by_parent ON response_items(parent, output, key)",
    "CREATE INDEX IF NOT EXISTS response_items_by_id ON response_items(id)",
    ("CREATE TABLE IF NOT EXISTS response_events(parent BIGINT NOT NULL REFERENCES responses(key) ON DELETE CASCADE,"
     " first BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY(parent, first))"),
    // When whoever makes a response in the background was last heard of. A table of its own: its row is written again
    // and again, and a response's is long.
    ("CREATE TABLE IF NOT EXISTS response_heartbeats(parent BIGINT PRIMARY KEY REFERENCES responses(key)"
     " ON DELETE CASCADE, heard_at BIGINT NOT NULL)"),
    ("CREATE TABLE IF NOT EXISTS response_makers({key}, id_high BIGINT NOT NULL, id_low BIGINT NOT NULL,"
     " owner_high BIGINT NOT NULL, owner_low BIGINT NOT NULL, UNIQUE(id_high, id_low))")};
constexpr std::string_view kSqliteKey = "key INTEGER PRIMARY KEY AUTOINCREMENT";
constexpr std::string_view kPostgresKey = "key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY";

constexpr std::string_view kSelectResponse =
    "SELECT key, previous_id, conversation_id, conversation_before FROM responses "
    "WHERE owner = $1 AND id = $2 AND expires_at > $3";
constexpr std::string_view kUnfinished = "status IN ('queued', 'in_progress')";
// 0: it was not made in the background, or by an earlier version, which says nothing of itself.
constexpr std::string_view kHeardAt =
    "COALESCE((SELECT heard_at FROM response_heartbeats WHERE parent = responses.key), 0)";

size_t size_of(const std::vector<Item>& items) {
  size_t bytes = 0;
  for (const Item& item : items) bytes += item.json.size();
  return bytes;
}

}  // namespace

struct Responses::Link {
  int64_t key = 0;
  std::string conversation_id;
  int64_t conversation_before = 0;
};

Result<Responses> Responses::open(std::unique_ptr<SqlSession> session, const ResponsesLimits& limits) {
  Responses responses(std::move(session), limits);
  TRY_VOID(responses.migrate());
  return responses;
}

Result<void> Responses::migrate() {
  const bool sqlite = session_->kind() == SqlSession::Kind::sqlite;
  TRY(transaction, SqlTransaction::begin(*session_));
  if (!sqlite) {
    // Nothing is made where all is there: a database that is read-only can be read.
    TRY(made, all_made(*session_, kSchema));
    if (made) {
      TRY(version, session_->query("SELECT version FROM responses_schema"));
      if (!version.empty() && version.integer(0, 0) == kSchemaVersion) return transaction.commit();
    }
    TRY_VOID(session_->query(kSchemaLock));
  }
  for (const std::string_view statement : kSchema) {
    std::string sql(statement);
    if (const size_t at = sql.find("{key}"); at != std::string::npos) {
      sql.replace(at, 5, sqlite ? kSqliteKey : kPostgresKey);
    }
    TRY_VOID(session_->query(sql));
  }
  TRY(version, session_->query("SELECT version FROM responses_schema"));
  if (version.empty()) {
    TRY_VOID(session_->query("INSERT INTO responses_schema(version) VALUES($1)", {kSchemaVersion}));
  } else if (version.integer(0, 0) > kSchemaVersion) {
    return base::fail(ErrorCode::unsupported, "the database was made by a newer version");
  }
  return transaction.commit();
}

Result<int64_t> Responses::response_key(std::string_view owner, std::string_view id, int64_t now) {
  TRY(rows, session_->query(kSelectResponse, {owner, id, now}));
  if (rows.empty()) return base::fail(ErrorCode::not_found, "response");
  return rows.integer(0, 0);
}

Result<int64_t> Responses::conversation_key(std::string_view owner, std::string_view id, int64_t now) {
  TRY(rows, session_->query("SELECT key FROM conversations WHERE owner = $1 AND id = $2 AND expires_at > $3",
                            {owner, id, now}));
  if (rows.empty()) return base::fail(ErrorCode::not_found, "conversation");
  return rows.integer(0, 0);
}

// 0: it is gone.
Result<int64_t> Responses::conversation_if_any(std::string_view owner, std::string_view id, int64_t now) {
  auto key = conversation_key(owner, id, now);
  if (!key && key.error().code == ErrorCode::not_found) return 0;
  return key;
}

Result<void> Responses::insert_items(int64_t response, const std::vector<Item>& items, bool output) {
  std::vector<SqlStatement> statements;
  for (const Item& item : items) {
    statements.push_back({"INSERT INTO response_items(parent, output, id, body) VALUES($1, $2, $3, $4)",
                          {response, int64_t{output}, std::string_view(item.id), std::string_view(item.json)}});
  }
  return session_->run_all(statements);
}

Result<void> Responses::append_items(int64_t conversation, const std::vector<Item>& items) {
  TRY(count, session_->query("SELECT COUNT(*) FROM conversation_items WHERE parent = $1", {conversation}));
  if (static_cast<size_t>(count.integer(0, 0)) + items.size() > limits_.items_per_conversation) {
    return base::fail(ErrorCode::too_large, "items of a conversation");
  }
  // An item that is there already (a client sends its history again) keeps its place and takes its new form.
  std::vector<SqlStatement> statements;
  for (const Item& item : items) {
    statements.push_back(
        {"INSERT INTO conversation_items(parent, id, body) VALUES($1, $2, $3) "
         "ON CONFLICT(parent, id) DO UPDATE SET body = excluded.body",
         {conversation, std::string_view(item.id), std::string_view(item.json)}});
  }
  return session_->run_all(statements);
}

Result<void> Responses::touch(std::string_view table, int64_t key, int64_t now) {
  // Once in an eighth of the time is enough: a long chain would otherwise be written again and again.
  const int64_t expires_at = now + limits_.retention_seconds;
  const std::string sql = "UPDATE " + std::string(table) + " SET expires_at = $1 WHERE key = $2 AND expires_at < $3";
  TRY_VOID(session_->query(sql, {expires_at, key, expires_at - limits_.retention_seconds / 8}));
  return {};
}

Result<void> Responses::make_room(std::string_view owner) {
  TRY(count, session_->query("SELECT COUNT(*) FROM responses WHERE owner = $1", {owner}));
  const int64_t beyond = count.integer(0, 0) + 1 - static_cast<int64_t>(limits_.responses_per_owner);
  if (beyond <= 0) return {};
  TRY_VOID(session_->query(
      "DELETE FROM responses WHERE key IN (SELECT key FROM responses WHERE owner = $1 ORDER BY key LIMIT $2)",
      {owner, std::min(beyond, static_cast<int64_t>(kSweepMax))}));
  return {};
}

Result<void> Responses::save(std::string_view owner, const ResponseRecord& record, int64_t now) {
  if (record.body.size() + size_of(record.input) + size_of(record.output) > limits_.record_bytes) {
    return base::fail(ErrorCode::too_large, "a response to be stored");
  }
  TRY(transaction, SqlTransaction::begin(*session_));
  TRY_VOID(make_room(owner));
  int64_t before = 0;
  int64_t conversation = 0;
  if (!record.conversation_id.empty()) {
    TRY(key, conversation_if_any(owner, record.conversation_id, now));
    conversation = key;
    TRY(last, session_->query("SELECT COALESCE(MAX(key), 0) FROM conversation_items WHERE parent = $1", {key}));
    before = last.integer(0, 0);
  }
  TRY(made,
      session_->query("INSERT INTO responses(owner, id, previous_id, conversation_id, conversation_before, "
                      "expires_at, status, background, body) VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9) "
                      "RETURNING key",
                      {owner, std::string_view(record.id), std::string_view(record.previous_id),
                       std::string_view(record.conversation_id), before, now + limits_.retention_seconds,
                       std::string_view(record.status), int64_t{record.background}, std::string_view(record.body)}));
  const int64_t key = made.integer(0, 0);
  TRY_VOID(insert_items(key, record.input, false));
  TRY_VOID(insert_items(key, record.output, true));
  TRY_VOID(insert_events(key, record.first_event, record.events));
  if (record.background) {
    TRY_VOID(session_->query("INSERT INTO response_heartbeats(parent, heard_at) VALUES($1, $2)", {key, now}));
  }
  if (conversation != 0) {
    TRY_VOID(append_items(conversation, record.input));
    TRY_VOID(append_items(conversation, record.output));
    TRY_VOID(touch("conversations", conversation, now));
  }
  if (!record.previous_id.empty()) {
    // What it builds on lives as long as it does. That some of it is gone already is no reason to lose this one.
    std::string gone;
    if (const auto links = chain(owner, record.previous_id, now, gone)) {
      for (const Link& link : *links) TRY_VOID(touch("responses", link.key, now));
    }
  }
  return transaction.commit();
}

Result<void> Responses::complete(std::string_view owner, const ResponseRecord& record, int64_t now) {
  TRY(transaction, SqlTransaction::begin(*session_));
  TRY(key, response_key(owner, record.id, now));
  TRY(over,
      session_->query("UPDATE responses SET status = $1, body = $2 WHERE key = $3 AND " + std::string(kUnfinished),
                      {std::string_view(record.status), std::string_view(record.body), key}));
  if (over.changed == 0) return base::fail(ErrorCode::already_exists, "the response is over");
  TRY_VOID(insert_items(key, record.output, true));
  TRY_VOID(insert_events(key, record.first_event, record.events));
  if (!record.conversation_id.empty()) {
    TRY(conversation, conversation_if_any(owner, record.conversation_id, now));
    if (conversation != 0) TRY_VOID(append_items(conversation, record.output));
  }
  return transaction.commit();
}

Result<void> Responses::insert_events(int64_t response, uint64_t first, std::string_view events) {
  if (events.empty()) return {};
  TRY_VOID(session_->query("INSERT INTO response_events(parent, first, body) VALUES($1, $2, $3)",
                           {response, static_cast<int64_t>(first), events}));
  return {};
}

Result<void> Responses::add_events(std::string_view owner, std::string_view id, const EventBatch& batch, int64_t now) {
  if (batch.events.size() > limits_.record_bytes) return base::fail(ErrorCode::too_large, "events to be stored");
  TRY(transaction, SqlTransaction::begin(*session_));
  TRY(rows, session_->query("SELECT key FROM responses WHERE owner = $1 AND id = $2 AND expires_at > $3 AND " +
                                std::string(kUnfinished),
                            {owner, id, now}));
  if (rows.empty()) return base::fail(ErrorCode::already_exists, "the response is over");
  TRY_VOID(insert_events(rows.integer(0, 0), batch.first, batch.events));
  return transaction.commit();
}

Result<EventPage> Responses::events(std::string_view owner, std::string_view id, uint64_t from, int64_t now) {
  TRY(state, session_->query("SELECT key, status, body, " + std::string(kHeardAt) +
                                 " FROM responses WHERE owner = $1 AND id = $2 AND expires_at > $3",
                             {owner, id, now}));
  if (state.empty()) return base::fail(ErrorCode::not_found, "response");
  EventPage page{.status = std::move(state.text(0, 1)), .body = std::move(state.text(0, 2)), .batches = {}};
  page.lost = is_lost(page.status, state.integer(0, 3), now);
  // No event of a response has a higher number.
  constexpr uint64_t kNumberMax = INT64_MAX;
  // The sizes first: a page ends where it would be too much to hold.
  TRY(sizes, session_->query("SELECT first, LENGTH(body) FROM response_events WHERE parent = $1 AND first >= "
                             "(SELECT COALESCE(MAX(first), 0) FROM response_events WHERE parent = $1 AND "
                             "first <= $2) ORDER BY first LIMIT $3",
                             {state.integer(0, 0), static_cast<int64_t>(std::min(from, kNumberMax)),
                              static_cast<int64_t>(kEventPageMax)}));
  int64_t count = 0;
  size_t bytes = 0;
  for (size_t row = 0; row < sizes.size() && bytes <= limits_.record_bytes; ++row, ++count) {
    bytes += static_cast<size_t>(sizes.integer(row, 1));
  }
  if (count == 0) return page;
  TRY(batches, session_->query("SELECT first, body FROM response_events WHERE parent = $1 AND first >= $2 "
                               "ORDER BY first LIMIT $3",
                               {state.integer(0, 0), sizes.integer(0, 0), count}));
  for (size_t row = 0; row < batches.size(); ++row) {
    page.batches.push_back(
        {.first = static_cast<uint64_t>(batches.integer(row, 0)), .events = std::move(batches.text(row, 1))});
  }
  page.streamed = !page.batches.empty();
  return page;
}

Result<ResponseState> Responses::get(std::string_view owner, std::string_view id, int64_t now) {
  TRY(rows, session_->query("SELECT status, background, body, " + std::string(kHeardAt) +
                                " FROM responses WHERE owner = $1 AND id = $2 AND expires_at > $3",
                            {owner, id, now}));
  if (rows.empty()) return base::fail(ErrorCode::not_found, "response");
  ResponseState state{
      .status = std::move(rows.text(0, 0)), .background = rows.integer(0, 1) != 0, .body = std::move(rows.text(0, 2))};
  state.lost = is_lost(state.status, rows.integer(0, 3), now);
  return state;
}

bool Responses::is_lost(std::string_view status, int64_t heard_at, int64_t now) {
  if (listens_since_ == 0) listens_since_ = now;
  const bool unfinished = status == "queued" || status == "in_progress";
  return unfinished && heard_at != 0 && heard_at + kSilenceMax < now && listens_since_ + kListenMin <= now;
}

Result<ResponseState> Responses::keep_alive(std::string_view owner, std::string_view id, int64_t now) {
  TRY_VOID(
      session_->query("UPDATE response_heartbeats SET heard_at = $1 WHERE parent IN "
                      "(SELECT key FROM responses WHERE owner = $2 AND id = $3 AND " +
                          std::string(kUnfinished) + ")",
                      {now, owner, id}));
  return get(owner, id, now);
}

Result<void> Responses::remove(std::string_view owner, std::string_view id, int64_t now) {
  TRY(gone,
      session_->query("DELETE FROM responses WHERE owner = $1 AND id = $2 AND expires_at > $3", {owner, id, now}));
  if (gone.changed == 0) return base::fail(ErrorCode::not_found, "response");
  return {};
}

Result<ResponseState> Responses::cancel(std::string_view owner, std::string_view id, int64_t now) {
  TRY(transaction, SqlTransaction::begin(*session_));
  TRY(state, get(owner, id, now));
  if (!state.background) return base::fail(ErrorCode::invalid_argument, "the response was not made in the background");
  TRY(over, session_->query("UPDATE responses SET status = 'cancelled' WHERE owner = $1 AND id = $2 AND " +
                                std::string(kUnfinished),
                            {owner, id}));
  if (over.changed != 0) state.status = "cancelled";
  TRY_VOID(transaction.commit());
  return state;
}

// As far back as it is there; `missing` is what is not.
Result<std::vector<Responses::Link>> Responses::chain(std::string_view owner, std::string_view id, int64_t now,
                                                      std::string& missing) {
  std::vector<Link> links;
  std::string next(id);
  while (!next.empty()) {
    if (links.size() == kChainMax) return base::fail(ErrorCode::too_large, "responses built on each other");
    TRY(rows, session_->query(kSelectResponse, {owner, std::string_view(next), now}));
    if (rows.empty() && links.empty()) return base::fail(ErrorCode::not_found, "response");
    if (rows.empty()) {
      missing = std::move(next);
      break;
    }
    next = rows.text(0, 1);
    links.push_back({.key = rows.integer(0, 0),
                     .conversation_id = std::move(rows.text(0, 2)),
                     .conversation_before = rows.integer(0, 3)});
  }
  std::ranges::reverse(links);
  return links;
}

// `sql` selects id and body. How much it would be is asked first: nobody's history may fill the memory.
Result<void> Responses::collect(std::string_view sql, std::initializer_list<SqlValue> values, std::vector<Item>& items,
                                size_t& bytes) {
  TRY(size, session_->query("SELECT COALESCE(SUM(LENGTH(body)), 0) FROM (" + std::string(sql) + ") AS found", values));
  bytes += static_cast<size_t>(size.integer(0, 0));
  if (bytes > limits_.context_bytes) return base::fail(ErrorCode::too_large, "the conversation so far");
  TRY(rows, session_->query(sql, values));
  for (size_t row = 0; row < rows.size(); ++row) {
    items.push_back({.id = std::move(rows.text(row, 0)), .json = std::move(rows.text(row, 1))});
  }
  return {};
}

Result<ResponseContext> Responses::context_of_response(std::string_view owner, std::string_view id, int64_t now) {
  ResponseContext context;
  TRY(links, chain(owner, id, now, context.missing));
  if (!context.missing.empty()) return context;
  std::vector<Item>& items = context.items;
  size_t bytes = 0;
  for (const Link& link : links) {
    if (!link.conversation_id.empty()) {
      TRY(conversation, conversation_if_any(owner, link.conversation_id, now));
      if (conversation == 0) return ResponseContext{.items = {}, .missing = link.conversation_id};
      TRY_VOID(collect("SELECT id, body FROM conversation_items WHERE parent = $1 AND key <= $2 ORDER BY key",
                       {conversation, link.conversation_before}, items, bytes));
    }
    TRY_VOID(collect("SELECT id, body FROM response_items WHERE parent = $1 ORDER BY output, key", {link.key}, items,
                     bytes));
  }
  return context;
}

Result<Item> Responses::find_item(std::string_view owner, std::string_view item_id, int64_t now) {
  for (const std::string_view sql :
       {"SELECT i.id, i.body FROM response_items i JOIN responses r ON r.key = i.parent "
        "WHERE i.id = $1 AND r.owner = $2 AND r.expires_at > $3 ORDER BY i.key DESC LIMIT 1",
        "SELECT i.id, i.body FROM conversation_items i JOIN conversations c ON c.key = i.parent "
        "WHERE i.id = $1 AND c.owner = $2 AND c.expires_at > $3 ORDER BY i.key DESC LIMIT 1"}) {
    TRY(rows, session_->query(sql, {item_id, owner, now}));
    if (!rows.empty()) return Item{.id = std::move(rows.text(0, 0)), .json = std::move(rows.text(0, 1))};
  }
  return base::fail(ErrorCode::not_found, "item");
}

Result<ItemPage> Responses::page(std::string_view table_and_filter, int64_t key, const PageQuery& query) {
  const std::string from(table_and_filter);
  const auto position = [&](const std::string& id, int64_t otherwise) -> Result<int64_t> {
    if (id.empty()) return otherwise;
    TRY(rows,
        session_->query("SELECT key FROM " + from + " AND id = $2 ORDER BY key LIMIT 1", {key, std::string_view(id)}));
    if (rows.empty()) return base::fail(ErrorCode::not_found, "item");
    return rows.integer(0, 0);
  };
  // In the order asked for, behind `after` and in front of `before`.
  TRY(first, position(query.ascending ? query.after : query.before, 0));
  TRY(last, position(query.ascending ? query.before : query.after, INT64_MAX));
  const auto limit = static_cast<int64_t>(std::clamp<size_t>(query.limit, 1, kPageMax));
  const std::string sql = "SELECT id, body FROM " + from + " AND key > $2 AND key < $3 ORDER BY key " +
                          (query.ascending ? "ASC" : "DESC") + " LIMIT $4";
  ItemPage page;
  size_t bytes = 0;
  TRY_VOID(collect(sql, {key, first, last, limit + 1}, page.items, bytes));
  page.has_more = page.items.size() > static_cast<size_t>(limit);
  if (page.has_more) page.items.pop_back();
  return page;
}

Result<ItemPage> Responses::input_items(std::string_view owner, std::string_view id, const PageQuery& query,
                                        int64_t now) {
  TRY(key, response_key(owner, id, now));
  return page("response_items WHERE parent = $1 AND output = 0", key, query);
}

Result<bool> Responses::claim(std::string_view owner, const FormerOwner& former) {
  // A response says itself when it was made.
  const std::string made = session_->kind() == SqlSession::Kind::sqlite
                               ? "CASE WHEN json_valid(body) THEN json_extract(body, '$.created_at') ELSE 0 END"
                               : "CAST(substring(body from '\"created_at\": *([0-9]{1,12})') AS BIGINT)";
  TRY(transaction, SqlTransaction::begin(*session_));
  int64_t claimed = 0;
  for (const auto& [table, time] : {std::pair<std::string, std::string>{"responses", made},
                                    std::pair<std::string, std::string>{"conversations", "created_at"}}) {
    TRY(done, session_->query("UPDATE " + table + " SET owner = $1 WHERE owner = $2 AND " + time + " >= $3",
                              {owner, std::string_view(former.name), former.since}));
    claimed += done.changed;
  }
  TRY_VOID(transaction.commit());
  return claimed > 0;
}

Result<void> Responses::note_makers(std::span<const Maker> makers) {
  TRY(transaction, SqlTransaction::begin(*session_));
  std::vector<SqlStatement> statements;
  statements.reserve(makers.size());
  for (const Maker& maker : makers) {
    statements.push_back(
        {"INSERT INTO response_makers(id_high, id_low, owner_high, owner_low) VALUES($1, $2, $3, $4) "
         "ON CONFLICT(id_high, id_low) DO NOTHING",
         {maker.id[0], maker.id[1], maker.owner[0], maker.owner[1]}});
  }
  TRY_VOID(session_->run_all(statements));
  return transaction.commit();
}

Result<Maker::Mark> Responses::maker_of(const Maker::Mark& id) {
  TRY(rows, session_->query("SELECT owner_high, owner_low FROM response_makers WHERE id_high = $1 AND id_low = $2",
                            {id[0], id[1]}));
  if (rows.empty()) return base::fail(ErrorCode::not_found, "maker");
  return Maker::Mark{rows.integer(0, 0), rows.integer(0, 1)};
}

Result<bool> Responses::sweep(int64_t now) {
  if (listens_since_ == 0) listens_since_ = now;
  int64_t most = 0;
  for (const std::string table : {"responses", "conversations"}) {
    TRY(gone, session_->query("DELETE FROM " + table + " WHERE key IN (SELECT key FROM " + table +
                                  " WHERE expires_at <= $1 LIMIT $2)",
                              {now, static_cast<int64_t>(kSweepMax)}));
    most = std::max(most, gone.changed);
  }
  // Keys only grow, so the newest are those with the highest.
  TRY(beyond, session_->query("DELETE FROM response_makers WHERE key IN (SELECT key FROM response_makers WHERE key <= "
                              "(SELECT MAX(key) FROM response_makers) - $1 LIMIT $2)",
                              {static_cast<int64_t>(limits_.makers), static_cast<int64_t>(kSweepMax)}));
  most = std::max(most, beyond.changed);
  return most == static_cast<int64_t>(kSweepMax);
}

}  // namespace llmgw::store
