#include "store/responses.h"

#include <algorithm>

namespace llmgw::store {
namespace {

using base::ErrorCode;
using base::Result;

constexpr int64_t kSchemaVersion = 1;

// Positions are keys, which only grow: the order of items is the order in which they came.
constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS conversations(
  key INTEGER PRIMARY KEY,
  owner TEXT NOT NULL,
  id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  metadata TEXT NOT NULL,
  UNIQUE(owner, id));
CREATE INDEX IF NOT EXISTS conversations_by_expiry ON conversations(expires_at);
CREATE TABLE IF NOT EXISTS conversation_items(
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  parent INTEGER NOT NULL REFERENCES conversations(key) ON DELETE CASCADE,
  id TEXT NOT NULL,
  body TEXT NOT NULL,
  UNIQUE(parent, id));
CREATE INDEX IF NOT EXISTS conversation_items_by_id ON conversation_items(id);
CREATE TABLE IF NOT EXISTS responses(
  key INTEGER PRIMARY KEY,
  owner TEXT NOT NULL,
  id TEXT NOT NULL,
  previous_id TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  conversation_before INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  status TEXT NOT NULL,
  background INTEGER NOT NULL,
  body TEXT NOT NULL,
  UNIQUE(owner, id));
CREATE INDEX IF NOT EXISTS responses_by_expiry ON responses(expires_at);
CREATE TABLE IF NOT EXISTS response_items(
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  parent INTEGER NOT NULL REFERENCES responses(key) ON DELETE CASCADE,
  output INTEGER NOT NULL,
  id TEXT NOT NULL,
  body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS response_items_by_parent ON response_items(parent, output, key);
CREATE INDEX IF NOT EXISTS response_items_by_id ON response_items(id);
CREATE TABLE IF NOT EXISTS response_events(
  parent INTEGER NOT NULL REFERENCES responses(key) ON DELETE CASCADE,
  first INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY(parent, first)) WITHOUT ROWID;
PRAGMA user_version = 1;
)";

constexpr std::string_view kUnfinished = "status IN ('queued', 'in_progress')";

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

Result<Responses> Responses::open(const std::string& path, const ResponsesLimits& limits) {
  TRY(database, Database::open(path));
  TRY(version, database.prepare("PRAGMA user_version"));
  TRY(row, version.step());
  if (row && version.integer(0) > kSchemaVersion) {
    return base::fail(ErrorCode::unsupported, "the database was made by a newer version");
  }
  version = {};
  TRY_VOID(database.execute(kSchema));
  return Responses(std::move(database), limits);
}

Result<int64_t> Responses::response_key(std::string_view owner, std::string_view id, int64_t now) {
  TRY(statement, database_.prepare("SELECT key FROM responses WHERE owner = ?1 AND id = ?2 AND expires_at > ?3"));
  TRY(found, statement.bind(1, owner).bind(2, id).bind(3, now).step());
  if (!found) return base::fail(ErrorCode::not_found, "response");
  return statement.integer(0);
}

Result<int64_t> Responses::conversation_key(std::string_view owner, std::string_view id, int64_t now) {
  TRY(statement, database_.prepare("SELECT key FROM conversations WHERE owner = ?1 AND id = ?2 AND expires_at > ?3"));
  TRY(found, statement.bind(1, owner).bind(2, id).bind(3, now).step());
  if (!found) return base::fail(ErrorCode::not_found, "conversation");
  return statement.integer(0);
}

Result<void> Responses::insert_items(int64_t response, const std::vector<Item>& items, bool output) {
  TRY(statement, database_.prepare("INSERT INTO response_items(parent, output, id, body) VALUES(?1, ?2, ?3, ?4)"));
  for (const Item& item : items) {
    statement.bind(1, response).bind(2, int64_t{output}).bind(3, item.id).bind(4, item.json);
    TRY_VOID(statement.step());
    statement.reset();
  }
  return {};
}

Result<void> Responses::append_items(int64_t conversation, const std::vector<Item>& items) {
  TRY(count, database_.prepare("SELECT COUNT(*) FROM conversation_items WHERE parent = ?1"));
  TRY_VOID(count.bind(1, conversation).step());
  if (static_cast<size_t>(count.integer(0)) + items.size() > limits_.items_per_conversation) {
    return base::fail(ErrorCode::too_large, "items of a conversation");
  }
  // An item that is there already (a client sends its history again) keeps its place and takes its new form.
  TRY(statement, database_.prepare("INSERT INTO conversation_items(parent, id, body) VALUES(?1, ?2, ?3) "
                                   "ON CONFLICT(parent, id) DO UPDATE SET body = excluded.body"));
  for (const Item& item : items) {
    TRY_VOID(statement.bind(1, conversation).bind(2, item.id).bind(3, item.json).step());
    statement.reset();
  }
  return {};
}

Result<void> Responses::touch(std::string_view table, int64_t key, int64_t now) {
  // Once in an eighth of the time is enough: a long chain would otherwise be written again and again.
  const int64_t expires_at = now + limits_.retention_seconds;
  const std::string sql = "UPDATE " + std::string(table) + " SET expires_at = ?1 WHERE key = ?2 AND expires_at < ?3";
  TRY_VOID(database_.run(sql, expires_at, key, expires_at - limits_.retention_seconds / 8));
  return {};
}

Result<void> Responses::make_room(std::string_view owner) {
  TRY(count, database_.prepare("SELECT COUNT(*) FROM responses WHERE owner = ?1"));
  TRY_VOID(count.bind(1, owner).step());
  const int64_t beyond = count.integer(0) + 1 - static_cast<int64_t>(limits_.responses_per_owner);
  if (beyond <= 0) return {};
  TRY_VOID(database_.run(
      "DELETE FROM responses WHERE key IN (SELECT key FROM responses WHERE owner = ?1 ORDER BY key LIMIT ?2)", owner,
      std::min(beyond, static_cast<int64_t>(kSweepMax))));
  return {};
}

Result<void> Responses::save(std::string_view owner, const ResponseRecord& record, int64_t now) {
  if (record.body.size() + size_of(record.input) + size_of(record.output) > limits_.record_bytes) {
    return base::fail(ErrorCode::too_large, "a response to be stored");
  }
  TRY(transaction, Transaction::begin(database_));
  TRY_VOID(make_room(owner));
  int64_t before = 0;
  int64_t conversation = 0;
  if (!record.conversation_id.empty()) {
    TRY(key, conversation_key(owner, record.conversation_id, now));
    conversation = key;
    TRY(last, database_.prepare("SELECT COALESCE(MAX(key), 0) FROM conversation_items WHERE parent = ?1"));
    TRY_VOID(last.bind(1, key).step());
    before = last.integer(0);
  }
  TRY_VOID(
      database_.run("INSERT INTO responses(owner, id, previous_id, conversation_id, conversation_before, "
                    "expires_at, status, background, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    owner, record.id, record.previous_id, record.conversation_id, before,
                    now + limits_.retention_seconds, record.status, int64_t{record.background}, record.body));
  const int64_t key = database_.last_key();
  TRY_VOID(insert_items(key, record.input, false));
  TRY_VOID(insert_items(key, record.output, true));
  TRY_VOID(insert_events(key, record.first_event, record.events));
  if (conversation != 0) {
    TRY_VOID(append_items(conversation, record.input));
    TRY_VOID(append_items(conversation, record.output));
    TRY_VOID(touch("conversations", conversation, now));
  }
  if (!record.previous_id.empty()) {
    // What it builds on lives as long as it does. That some of it is gone already is no reason to lose this one.
    if (const auto links = chain(owner, record.previous_id, now)) {
      for (const Link& link : *links) TRY_VOID(touch("responses", link.key, now));
    }
  }
  return transaction.commit();
}

Result<void> Responses::complete(std::string_view owner, const ResponseRecord& record, int64_t now) {
  TRY(transaction, Transaction::begin(database_));
  TRY(key, response_key(owner, record.id, now));
  TRY(changed,
      database_.run("UPDATE responses SET status = ?1, body = ?2 WHERE key = ?3 AND " + std::string(kUnfinished),
                    record.status, record.body, key));
  if (changed == 0) return base::fail(ErrorCode::already_exists, "the response is over");
  TRY_VOID(insert_items(key, record.output, true));
  TRY_VOID(insert_events(key, record.first_event, record.events));
  if (!record.conversation_id.empty()) {
    TRY(conversation, conversation_key(owner, record.conversation_id, now));
    TRY_VOID(append_items(conversation, record.output));
  }
  return transaction.commit();
}

Result<void> Responses::insert_events(int64_t response, uint64_t first, std::string_view events) {
  if (events.empty()) return {};
  TRY_VOID(database_.run("INSERT INTO response_events(parent, first, body) VALUES(?1, ?2, ?3)", response,
                         static_cast<int64_t>(first), events));
  return {};
}

Result<void> Responses::add_events(std::string_view owner, std::string_view id, const EventBatch& batch, int64_t now) {
  if (batch.events.size() > limits_.record_bytes) return base::fail(ErrorCode::too_large, "events to be stored");
  TRY(transaction, Transaction::begin(database_));
  TRY(statement, database_.prepare("SELECT key FROM responses WHERE owner = ?1 AND id = ?2 AND expires_at > ?3 AND " +
                                   std::string(kUnfinished)));
  TRY(found, statement.bind(1, owner).bind(2, id).bind(3, now).step());
  if (!found) return base::fail(ErrorCode::already_exists, "the response is over");
  TRY_VOID(insert_events(statement.integer(0), batch.first, batch.events));
  statement.reset();
  return transaction.commit();
}

Result<EventPage> Responses::events(std::string_view owner, std::string_view id, uint64_t from, int64_t now) {
  TRY(state, database_.prepare("SELECT key, status, body FROM responses "
                               "WHERE owner = ?1 AND id = ?2 AND expires_at > ?3"));
  TRY(found, state.bind(1, owner).bind(2, id).bind(3, now).step());
  if (!found) return base::fail(ErrorCode::not_found, "response");
  EventPage page{.status = std::string(state.text(1)), .body = std::string(state.text(2)), .batches = {}};
  const int64_t key = state.integer(0);
  TRY(statement, database_.prepare("SELECT first, body FROM response_events WHERE parent = ?1 AND first >= "
                                   "(SELECT COALESCE(MAX(first), 0) FROM response_events WHERE parent = ?1 AND "
                                   "first <= ?2) ORDER BY first LIMIT ?3"));
  // No event of a response has a higher number.
  constexpr uint64_t kNumberMax = INT64_MAX;
  statement.bind(1, key).bind(2, static_cast<int64_t>(std::min(from, kNumberMax)));
  statement.bind(3, static_cast<int64_t>(kEventPageMax));
  size_t bytes = 0;
  while (bytes <= limits_.record_bytes) {
    TRY(row, statement.step());
    if (!row) break;
    page.batches.push_back(
        {.first = static_cast<uint64_t>(statement.integer(0)), .events = std::string(statement.text(1))});
    bytes += page.batches.back().events.size();
  }
  page.streamed = !page.batches.empty();
  return page;
}

Result<ResponseState> Responses::get(std::string_view owner, std::string_view id, int64_t now) {
  TRY(statement, database_.prepare("SELECT status, background, body FROM responses "
                                   "WHERE owner = ?1 AND id = ?2 AND expires_at > ?3"));
  TRY(found, statement.bind(1, owner).bind(2, id).bind(3, now).step());
  if (!found) return base::fail(ErrorCode::not_found, "response");
  return ResponseState{.status = std::string(statement.text(0)),
                       .background = statement.integer(1) != 0,
                       .body = std::string(statement.text(2))};
}

Result<void> Responses::remove(std::string_view owner, std::string_view id, int64_t now) {
  TRY(changed, database_.run("DELETE FROM responses WHERE owner = ?1 AND id = ?2 AND expires_at > ?3", owner, id, now));
  if (changed == 0) return base::fail(ErrorCode::not_found, "response");
  return {};
}

Result<ResponseState> Responses::cancel(std::string_view owner, std::string_view id, int64_t now) {
  TRY(transaction, Transaction::begin(database_));
  TRY(state, get(owner, id, now));
  if (!state.background) return base::fail(ErrorCode::invalid_argument, "the response was not made in the background");
  TRY(changed, database_.run("UPDATE responses SET status = 'cancelled' WHERE owner = ?1 AND id = ?2 AND " +
                                 std::string(kUnfinished),
                             owner, id));
  if (changed != 0) state.status = "cancelled";
  TRY_VOID(transaction.commit());
  return state;
}

Result<std::vector<Responses::Link>> Responses::chain(std::string_view owner, std::string_view id, int64_t now) {
  TRY(statement, database_.prepare("SELECT key, previous_id, conversation_id, conversation_before FROM responses "
                                   "WHERE owner = ?1 AND id = ?2 AND expires_at > ?3"));
  std::vector<Link> links;
  std::string next(id);
  while (!next.empty()) {
    if (links.size() == kChainMax) return base::fail(ErrorCode::too_large, "responses built on each other");
    TRY(found, statement.bind(1, owner).bind(2, next).bind(3, now).step());
    if (!found) return base::fail(ErrorCode::not_found, "response");
    next = statement.text(1);
    links.push_back({.key = statement.integer(0),
                     .conversation_id = std::string(statement.text(2)),
                     .conversation_before = statement.integer(3)});
    statement.reset();
  }
  std::ranges::reverse(links);
  return links;
}

Result<void> Responses::collect(Statement& statement, std::vector<Item>& items, size_t& bytes) const {
  while (true) {
    TRY(row, statement.step());
    if (!row) return {};
    items.push_back({.id = std::string(statement.text(0)), .json = std::string(statement.text(1))});
    bytes += items.back().json.size();
    if (bytes > limits_.context_bytes) return base::fail(ErrorCode::too_large, "the conversation so far");
  }
}

Result<std::vector<Item>> Responses::context_of_response(std::string_view owner, std::string_view id, int64_t now) {
  TRY(links, chain(owner, id, now));
  std::vector<Item> items;
  size_t bytes = 0;
  TRY(own, database_.prepare("SELECT id, body FROM response_items WHERE parent = ?1 ORDER BY output, key"));
  TRY(before,
      database_.prepare("SELECT id, body FROM conversation_items WHERE parent = ?1 AND key <= ?2 ORDER BY key"));
  for (const Link& link : links) {
    if (!link.conversation_id.empty()) {
      TRY(conversation, conversation_key(owner, link.conversation_id, now));
      before.bind(1, conversation).bind(2, link.conversation_before);
      TRY_VOID(collect(before, items, bytes));
      before.reset();
    }
    own.bind(1, link.key);
    TRY_VOID(collect(own, items, bytes));
    own.reset();
  }
  return items;
}

Result<Item> Responses::find_item(std::string_view owner, std::string_view item_id, int64_t now) {
  TRY(statement,
      database_.prepare("SELECT i.id, i.body FROM response_items i JOIN responses r ON r.key = i.parent "
                        "WHERE i.id = ?1 AND r.owner = ?2 AND r.expires_at > ?3 ORDER BY i.key DESC LIMIT 1"));
  TRY(found, statement.bind(1, item_id).bind(2, owner).bind(3, now).step());
  if (found) return Item{.id = std::string(statement.text(0)), .json = std::string(statement.text(1))};
  TRY(other, database_.prepare("SELECT i.id, i.body FROM conversation_items i JOIN conversations c ON c.key = i.parent "
                               "WHERE i.id = ?1 AND c.owner = ?2 AND c.expires_at > ?3 ORDER BY i.key DESC LIMIT 1"));
  TRY(there, other.bind(1, item_id).bind(2, owner).bind(3, now).step());
  if (!there) return base::fail(ErrorCode::not_found, "item");
  return Item{.id = std::string(other.text(0)), .json = std::string(other.text(1))};
}

Result<ItemPage> Responses::page(std::string_view table_and_filter, int64_t key, const PageQuery& query) {
  const std::string from(table_and_filter);
  const auto position = [&](const std::string& id) -> Result<int64_t> {
    if (id.empty()) return int64_t{0};
    TRY(statement, database_.prepare("SELECT key FROM " + from + " AND id = ?2 ORDER BY key LIMIT 1"));
    TRY(found, statement.bind(1, key).bind(2, id).step());
    if (!found) return base::fail(ErrorCode::not_found, "item");
    return statement.integer(0);
  };
  TRY(after, position(query.after));
  TRY(before, position(query.before));
  const size_t limit = std::clamp<size_t>(query.limit, 1, kPageMax);
  // In the order asked for, behind `after` and in front of `before`.
  const std::string_view later = query.ascending ? " > " : " < ";
  const std::string_view earlier = query.ascending ? " < " : " > ";
  std::string sql = "SELECT id, body FROM " + from;
  if (after != 0) sql += " AND key" + std::string(later) + std::to_string(after);
  if (before != 0) sql += " AND key" + std::string(earlier) + std::to_string(before);
  sql += query.ascending ? " ORDER BY key ASC" : " ORDER BY key DESC";
  sql += " LIMIT " + std::to_string(limit + 1);
  TRY(statement, database_.prepare(sql));
  statement.bind(1, key);
  ItemPage page;
  size_t bytes = 0;
  TRY_VOID(collect(statement, page.items, bytes));
  page.has_more = page.items.size() > limit;
  if (page.has_more) page.items.pop_back();
  return page;
}

Result<ItemPage> Responses::input_items(std::string_view owner, std::string_view id, const PageQuery& query,
                                        int64_t now) {
  TRY(key, response_key(owner, id, now));
  return page("response_items WHERE parent = ?1 AND output = 0", key, query);
}

Result<bool> Responses::sweep(int64_t now) {
  int64_t most = 0;
  for (const std::string table : {"responses", "conversations"}) {
    TRY(gone, database_.run("DELETE FROM " + table + " WHERE key IN (SELECT key FROM " + table +
                                " WHERE expires_at <= ?1 LIMIT ?2)",
                            now, static_cast<int64_t>(kSweepMax)));
    most = std::max(most, gone);
  }
  return most == static_cast<int64_t>(kSweepMax);
}

}  // namespace llmgw::store
