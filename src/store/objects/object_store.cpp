#include "store/objects/object_store.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/rng.h"
#include "store/objects/gateway_list.h"

namespace llmgw::store {
namespace {

// Crockford's alphabet: in the order of ASCII, without letters that look like others.
constexpr std::string_view kIdAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr int kIdTimeDigits = 9;  // 45 bits of milliseconds: until the year 3084
constexpr int kIdRandomDigits = 12;

// Understood by both databases. One step a version; steps are never changed once released, only added.
constexpr const char* kFirstSchema[] = {
    "CREATE TABLE store_state (one BIGINT PRIMARY KEY, revision BIGINT NOT NULL, last_audit BIGINT NOT NULL,"
    " schema_version BIGINT NOT NULL)",
    "INSERT INTO store_state (one, revision, last_audit, schema_version) VALUES (1, 0, 0, 0)",
    "CREATE TABLE objects (id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, natural_key TEXT NOT NULL,"
    " document TEXT NOT NULL, version BIGINT NOT NULL, created_ms BIGINT NOT NULL, updated_ms BIGINT NOT NULL)",
    "CREATE UNIQUE INDEX objects_natural_key ON objects (kind, natural_key)",
    "CREATE INDEX objects_name ON objects (kind, name, id)",
    "CREATE TABLE object_references (from_id TEXT NOT NULL, to_id TEXT NOT NULL, PRIMARY KEY (from_id, to_id))",
    "CREATE INDEX object_references_to ON object_references (to_id)",
    "CREATE TABLE audit (id BIGINT PRIMARY KEY, at_ms BIGINT NOT NULL, actor TEXT NOT NULL, address TEXT NOT NULL,"
    " action TEXT NOT NULL, kind TEXT NOT NULL, object_id TEXT NOT NULL, object_name TEXT NOT NULL,"
    " detail TEXT NOT NULL)",
};

constexpr std::string_view kColumns = "id, kind, name, natural_key, document, version, created_ms, updated_ms";

Object object_of(SqlRows& rows, size_t row) {
  return {.id = std::move(rows.text(row, 0)),
          .kind = std::move(rows.text(row, 1)),
          .name = std::move(rows.text(row, 2)),
          .natural_key = std::move(rows.text(row, 3)),
          .document = std::move(rows.text(row, 4)),
          .version = rows.integer(row, 5),
          .created_ms = rows.integer(row, 6),
          .updated_ms = rows.integer(row, 7)};
}

std::vector<Object> objects_of(SqlRows rows) {
  std::vector<Object> objects;
  objects.reserve(rows.size());
  for (size_t row = 0; row < rows.size(); ++row) objects.push_back(object_of(rows, row));
  return objects;
}

int64_t clamp_limit(size_t limit) {
  return static_cast<int64_t>(std::clamp<size_t>(limit, 1, ObjectStore::kPageMax));
}

base::Result<int64_t> single_number(SqlSession& session, std::string_view sql) {
  TRY(rows, session.query(sql));
  if (rows.empty()) return base::fail(base::ErrorCode::internal, "the store's state has no row");
  return rows.integer(0, 0);
}

}  // namespace

base::Result<ObjectStore> ObjectStore::open(std::unique_ptr<SqlSession> session, Making making) {
  ObjectStore store(std::move(session));
  TRY_VOID(store.migrate(making));
  store.make_gateway_table();
  return store;
}

base::Result<void> ObjectStore::migrate(Making making) {
  const bool sqlite = session_->kind() == SqlSession::Kind::sqlite;
  // A key that is shown once must not be lost with the power.
  if (sqlite) TRY_VOID(session_->query("PRAGMA synchronous=FULL"));
  TRY(transaction, SqlTransaction::begin(*session_));
  // Two gateways that start at once: the second waits here. The number is any, the same in every version.
  if (!sqlite) TRY_VOID(session_->query("SELECT pg_advisory_xact_lock(5570193)"));
  TRY(tables, session_->query(sqlite ? "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'store_state'"
                                     : "SELECT 1 WHERE to_regclass('store_state') IS NOT NULL"));
  int64_t version = 0;
  if (tables.empty()) {
    if (making == Making::refused) return base::fail(base::ErrorCode::not_found, kNoTables);
    for (const char* statement : kFirstSchema) TRY_VOID(session_->query(statement));
    version = 1;
  } else {
    TRY(found, single_number(*session_, "SELECT schema_version FROM store_state"));
    version = found;
    if (version == kSchemaVersion) return transaction.commit();
    if (version > kSchemaVersion) return base::fail(base::ErrorCode::unsupported, "a newer program made this database");
  }
  TRY_VOID(session_->query("UPDATE store_state SET schema_version = $1", {kSchemaVersion}));
  return transaction.commit();
}

// Of no version: an older program that uses the same database goes on. Where it cannot be made, as in a database that
// is only read, the store is of use without.
void ObjectStore::make_gateway_table() {
  if (session_->query("SELECT 1 FROM gateways LIMIT 0") || !session_->writable().value_or(false)) return;
  static_cast<void>(session_->query(kGatewayTable));
}

base::Result<int64_t> ObjectStore::revision() {
  return single_number(*session_, "SELECT revision FROM store_state");
}

base::Result<ObjectStore::Everything> ObjectStore::load_all() {
  Everything everything;
  // Writers change the revision in the transaction of their change: if it is the same before and after, so is the rest.
  constexpr int kTriesMax = 5;  // then somebody writes all the time, and the last is as good as any
  for (int attempt = 0; attempt < kTriesMax; ++attempt) {
    TRY(before, revision());
    TRY(rows, session_->query("SELECT id, kind, name, natural_key, document, version, created_ms, updated_ms "
                              "FROM objects ORDER BY id"));
    TRY(after, revision());
    everything = {.revision = before, .objects = objects_of(std::move(rows))};
    if (before == after) break;
  }
  return everything;
}

base::Result<std::optional<Object>> ObjectStore::get(std::string_view id) {
  TRY(rows, session_->query("SELECT id, kind, name, natural_key, document, version, created_ms, updated_ms "
                            "FROM objects WHERE id = $1",
                            {id}));
  if (rows.empty()) return std::nullopt;
  return object_of(rows, 0);
}

base::Result<size_t> ObjectStore::count(size_t limit) {
  TRY(rows, session_->query("SELECT 1 FROM objects LIMIT $1", {static_cast<int64_t>(limit)}));
  return rows.size();
}

base::Result<ObjectPage> ObjectStore::list(const ObjectQuery& query) {
  std::string sql = "SELECT ";
  sql.append(kColumns).append(" FROM objects WHERE kind = $1 AND id > $2");
  std::vector<SqlValue> values = {query.kind, query.after};
  if (!query.name.empty()) {
    sql += " AND name = $3 ORDER BY id LIMIT $4";
    values.emplace_back(query.name);
  } else {
    sql += " ORDER BY id LIMIT $3";
  }
  // One more than wanted tells whether there are more.
  const int64_t limit = clamp_limit(query.limit);
  values.emplace_back(limit + 1);
  TRY(rows, session_->query(sql, SqlValues(values)));
  ObjectPage page{.objects = objects_of(std::move(rows))};
  page.more = std::cmp_greater(page.objects.size(), limit);
  if (page.more) page.objects.pop_back();
  return page;
}

base::Result<std::vector<std::pair<std::string, std::string>>> ObjectStore::names(std::string_view kind) {
  TRY(rows, session_->query("SELECT id, name FROM objects WHERE kind = $1", {kind}));
  std::vector<std::pair<std::string, std::string>> names;
  names.reserve(rows.size());
  for (size_t row = 0; row < rows.size(); ++row) {
    names.emplace_back(std::move(rows.text(row, 0)), std::move(rows.text(row, 1)));
  }
  return names;
}

base::Result<std::vector<Object>> ObjectStore::referrers(std::string_view id) {
  TRY(rows, session_->query("SELECT id, kind, name, natural_key, document, version, created_ms, updated_ms "
                            "FROM objects WHERE id IN (SELECT from_id FROM object_references WHERE to_id = $1) "
                            "ORDER BY id",
                            {id}));
  return objects_of(std::move(rows));
}

base::Result<std::vector<std::string>> ObjectStore::references(std::string_view id) {
  TRY(rows, session_->query("SELECT to_id FROM object_references WHERE from_id = $1 ORDER BY to_id", {id}));
  std::vector<std::string> ids;
  for (size_t row = 0; row < rows.size(); ++row) ids.push_back(std::move(rows.text(row, 0)));
  return ids;
}

base::Result<int64_t> ObjectStore::next_revision() {
  // The row stays locked until the transaction ends: revisions are committed in their order.
  return single_number(*session_, "UPDATE store_state SET revision = revision + 1 RETURNING revision");
}

// Nobody else writes until the transaction ends: what is not there now comes to be there by this change alone.
base::Result<Applied> ObjectStore::room_for(const Object& object, const std::string& unique_text) {
  TRY(named, session_->query("SELECT 1 FROM objects WHERE kind = $1 AND natural_key = $2 AND id <> $3",
                             {object.kind, object.natural_key, object.id}));
  if (!named.empty()) return Applied::taken;
  if (unique_text.empty()) return Applied::done;
  TRY(having, session_->query("SELECT 1 FROM objects WHERE kind = $1 AND id <> $2 AND "
                              "replace(document, $3, '') <> document LIMIT 1",
                              {object.kind, object.id, unique_text}));
  return having.empty() ? Applied::done : Applied::not_unique;
}

base::Result<Applied> ObjectStore::refer(const Object& object, const std::vector<std::string>& references) {
  TRY_VOID(session_->query("DELETE FROM object_references WHERE from_id = $1", {object.id}));
  for (const std::string& to : references) {
    TRY(there, session_->query("SELECT 1 FROM objects WHERE id = $1", {to}));
    if (there.empty()) return Applied::dangling;
    TRY_VOID(session_->query("INSERT INTO object_references (from_id, to_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                             {object.id, to}));
  }
  return Applied::done;
}

base::Result<Applied> ObjectStore::insert(const ObjectChange& change, int64_t now_ms, Object& out) {
  out = change.object;
  out.version = 1;
  out.created_ms = out.updated_ms = now_ms;
  TRY(room, room_for(out, change.unique_text));
  if (room != Applied::done) return room;
  TRY_VOID(session_->query(
      "INSERT INTO objects (id, kind, name, natural_key, document, version, created_ms, updated_ms)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
      {out.id, out.kind, out.name, out.natural_key, out.document, out.version, out.created_ms, out.updated_ms}));
  return refer(out, change.references);
}

base::Result<Applied> ObjectStore::update(const ObjectChange& change, int64_t now_ms, Object& out) {
  TRY(before, get(change.object.id));
  if (!before) return Applied::missing;
  if (change.expected_version != 0 && change.expected_version != before->version) return Applied::version_mismatch;
  out = change.object;
  out.kind = before->kind;
  out.version = before->version + 1;
  out.created_ms = before->created_ms;
  out.updated_ms = now_ms;
  TRY(room, room_for(out, change.unique_text));
  if (room != Applied::done) return room;
  TRY_VOID(
      session_->query("UPDATE objects SET name = $1, natural_key = $2, document = $3, version = $4, "
                      "updated_ms = $5 WHERE id = $6",
                      {out.name, out.natural_key, out.document, out.version, out.updated_ms, out.id}));
  return refer(out, change.references);
}

base::Result<Applied> ObjectStore::remove(const ObjectChange& change, Object& out) {
  TRY(before, get(change.object.id));
  if (!before) return Applied::missing;
  if (change.expected_version != 0 && change.expected_version != before->version) return Applied::version_mismatch;
  TRY(users, referrers(change.object.id));
  if (!users.empty()) return Applied::referenced;
  out = std::move(*before);
  TRY_VOID(session_->query("DELETE FROM object_references WHERE from_id = $1", {out.id}));
  TRY_VOID(session_->query("DELETE FROM objects WHERE id = $1", {out.id}));
  return Applied::done;
}

base::Result<Applied> ObjectStore::change(const ObjectChange& change, int64_t now_ms, std::vector<Object>& out) {
  if (change.object.document.size() > kDocumentBytesMax) {
    return base::fail(base::ErrorCode::too_large, "an object's document");
  }
  Object object;
  auto outcome = base::Result<Applied>(Applied::done);
  switch (change.action) {
    case ObjectChange::Action::insert: outcome = insert(change, now_ms, object); break;
    case ObjectChange::Action::update: outcome = update(change, now_ms, object); break;
    case ObjectChange::Action::remove: outcome = remove(change, object); break;
  }
  out.push_back(std::move(object));
  return outcome;
}

base::Result<ApplyResult> ObjectStore::apply(std::span<const ObjectChange> changes, std::span<const AuditEntry> audit,
                                             int64_t now_ms) {
  ApplyResult result;
  TRY(transaction, SqlTransaction::begin(*session_));
  for (size_t i = 0; i < changes.size(); ++i) {
    TRY(revision, next_revision());
    result.revision = revision;
    TRY(outcome, change(changes[i], now_ms, result.objects));
    if (outcome != Applied::done) return ApplyResult{.outcome = outcome, .failed = i, .revision = 0, .objects = {}};
    if (i >= audit.size()) continue;
    AuditEntry entry = audit[i];
    const Object& object = result.objects.back();
    entry.at_ms = now_ms;
    entry.kind = object.kind;
    entry.object_id = object.id;
    entry.object_name = object.name;
    TRY_VOID(write_audit(entry));
  }
  TRY_VOID(session_->announce());
  TRY_VOID(transaction.commit());
  return result;
}

// Entries are counted apart from revisions: a refused sign-in is no reason to load anything.
base::Result<void> ObjectStore::write_audit(const AuditEntry& entry) {
  TRY(id, single_number(*session_, "UPDATE store_state SET last_audit = last_audit + 1 RETURNING last_audit"));
  TRY_VOID(
      session_->query("INSERT INTO audit (id, at_ms, actor, address, action, kind, object_id, object_name, "
                      "detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                      {id, entry.at_ms, entry.actor, entry.address, entry.action, entry.kind, entry.object_id,
                       entry.object_name, entry.detail}));
  TRY_VOID(session_->query("DELETE FROM audit WHERE id <= $1", {id - kAuditRowsMax}));
  return {};
}

base::Result<void> ObjectStore::append_audit(const AuditEntry& entry) {
  TRY(transaction, SqlTransaction::begin(*session_));
  TRY_VOID(write_audit(entry));
  return transaction.commit();
}

base::Result<std::vector<AuditEntry>> ObjectStore::audit(int64_t before, size_t limit) {
  TRY(rows, session_->query("SELECT id, at_ms, actor, address, action, kind, object_id, object_name, detail "
                            "FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2",
                            {before == 0 ? INT64_MAX : before, clamp_limit(limit)}));
  std::vector<AuditEntry> entries;
  for (size_t row = 0; row < rows.size(); ++row) {
    entries.push_back({.id = rows.integer(row, 0),
                       .at_ms = rows.integer(row, 1),
                       .actor = std::move(rows.text(row, 2)),
                       .address = std::move(rows.text(row, 3)),
                       .action = std::move(rows.text(row, 4)),
                       .kind = std::move(rows.text(row, 5)),
                       .object_id = std::move(rows.text(row, 6)),
                       .object_name = std::move(rows.text(row, 7)),
                       .detail = std::move(rows.text(row, 8))});
  }
  return entries;
}

std::string make_object_id(std::string_view prefix, int64_t now_ms) {
  std::string id(prefix);
  for (int digit = kIdTimeDigits - 1; digit >= 0; --digit) {
    id += kIdAlphabet[static_cast<size_t>(now_ms >> (5 * digit)) & 31];
  }
  uint64_t random = base::system_random();
  for (int digit = 0; digit < kIdRandomDigits; ++digit, random >>= 5) id += kIdAlphabet[random & 31];
  return id;
}

int64_t object_id_time(std::string_view id) {
  const size_t at = id.rfind('_') + 1;  // 0 if there is none
  if (at == 0 || id.size() - at != kIdTimeDigits + kIdRandomDigits) return 0;
  int64_t time = 0;
  for (const char digit : id.substr(at, kIdTimeDigits)) {
    const size_t value = kIdAlphabet.find(digit);
    if (value == std::string_view::npos) return 0;
    time = time << 5 | static_cast<int64_t>(value);
  }
  return time;
}

}  // namespace llmgw::store
