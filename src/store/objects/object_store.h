// What the control plane keeps: objects (connections, models, keys, ...) as JSON documents, and the audit log of what
// was done to them. Nothing here looks into a document. Blocking, one thread; ObjectThread (object_thread.h) is how the
// rest of the program reaches it.
//
// Every change counts the revision up and commits with its audit entry or not at all; whoever knows a revision knows
// whether anything changed since. Times are milliseconds since 1970 and passed in.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/sql/session.h"

namespace llmgw::store {

struct Object {
  std::string id = {};    // "conn_..."; never given to another
  std::string kind = {};  // "connection", ...
  std::string name = {};
  std::string natural_key = {};  // unique within the kind: usually the name
  std::string document = {};     // JSON
  int64_t version = 0;           // from 1, up with every change: the ETag
  int64_t created_ms = 0;
  int64_t updated_ms = 0;
};

struct ObjectChange {
  enum class Action : uint8_t { insert, update, remove };
  Action action = Action::insert;
  Object object = {};                        // of a removal only the id
  std::vector<std::string> references = {};  // ids it cannot be without
  int64_t expected_version = 0;              // of update and removal: only if it has this one; 0: whatever it has
  std::string unique_text = {};  // of insert and update: only if no other of the kind has it in its document
};

struct AuditEntry {
  int64_t id = 0;
  int64_t at_ms = 0;
  std::string actor = {};    // "admin-key ops", "user jane@example.com", "command line (uid 0)"
  std::string address = {};  // the client's; empty for the command line
  std::string action = {};   // "create", "update", "remove", "rotate", "sign-in refused", ...
  std::string kind = {};
  std::string object_id = {};
  std::string object_name = {};
  std::string detail = {};  // JSON; never a secret
};

enum class Applied : uint8_t {
  done,
  taken,             // another object of the kind has the natural key
  version_mismatch,  // somebody changed it meanwhile
  missing,           // there is no such object
  referenced,        // others cannot be without it
  dangling,          // one of its references is not there
  not_unique,        // another object of the kind has its unique_text
};

struct ApplyResult {
  Applied outcome = Applied::done;
  size_t failed = 0;  // index of the change that failed; then none was made
  int64_t revision = 0;
  std::vector<Object> objects;  // as they are now, in the order of the changes; a removed one as it was
};

struct ObjectQuery {
  std::string_view kind;
  std::string_view name = {};   // only those of that name; empty: all
  std::string_view after = {};  // an id; empty: from the first
  size_t limit = 100;
};

struct ObjectPage {
  std::vector<Object> objects;
  bool more = false;  // behind the last of them
};

class ObjectStore {
 public:
  static constexpr int64_t kSchemaVersion = 1;
  static constexpr size_t kPageMax = 1000;
  static constexpr size_t kDocumentBytesMax = size_t{1} << 20;  // a hundred times the largest connection
  static constexpr int64_t kAuditRowsMax = 1'000'000;           // beyond, the oldest go

  // Of the error (not_found) where there are no tables, and none are to be made.
  static constexpr char kNoTables[] = "it has no tables";

  // Brings the schema up to date. unsupported: a newer program made it.
  static base::Result<ObjectStore> open(std::unique_ptr<SqlSession> session, Making making = Making::allowed);

  base::Result<int64_t> revision();
  struct Everything {
    int64_t revision = 0;
    std::vector<Object> objects;  // by id, which is by age
  };
  // All objects as they were at one moment.
  base::Result<Everything> load_all();
  base::Result<std::optional<Object>> get(std::string_view id);
  // How many there are, at most `limit`.
  base::Result<size_t> count(size_t limit);
  // In the order of their ids; at most kPageMax.
  base::Result<ObjectPage> list(const ObjectQuery& query);
  // Id and name of every object of a kind: what it takes to say who is who, at a tenth of the cost of everything.
  base::Result<std::vector<std::pair<std::string, std::string>>> names(std::string_view kind);
  // All that cannot be without this one.
  base::Result<std::vector<Object>> referrers(std::string_view id);

  // The ids it cannot be without.
  base::Result<std::vector<std::string>> references(std::string_view id);

  // All or none. `audit` has as many entries as there are changes; their ids and objects' names are filled in here.
  base::Result<ApplyResult> apply(std::span<const ObjectChange> changes, std::span<const AuditEntry> audit,
                                  int64_t now_ms);
  base::Result<void> append_audit(const AuditEntry& entry);
  // Newest first; before = 0: from the newest.
  base::Result<std::vector<AuditEntry>> audit(int64_t before, size_t limit);

  SqlSession& session() { return *session_; }

 private:
  explicit ObjectStore(std::unique_ptr<SqlSession> session) : session_(std::move(session)) {}
  base::Result<void> migrate(Making making);
  void make_gateway_table();
  base::Result<int64_t> next_revision();
  base::Result<void> write_audit(const AuditEntry& entry);
  base::Result<Applied> change(const ObjectChange& change, int64_t now_ms, std::vector<Object>& out);
  base::Result<Applied> insert(const ObjectChange& change, int64_t now_ms, Object& out);
  base::Result<Applied> update(const ObjectChange& change, int64_t now_ms, Object& out);
  base::Result<Applied> remove(const ObjectChange& change, Object& out);
  // done, taken or not_unique.
  base::Result<Applied> room_for(const Object& object, const std::string& unique_text);
  base::Result<Applied> refer(const Object& object, const std::vector<std::string>& references);

  std::unique_ptr<SqlSession> session_;
};

// "conn_" and 21 letters and digits, of which the first nine say the time, so that ids sort by age.
std::string make_object_id(std::string_view prefix, int64_t now_ms);
// When such an id was made: milliseconds since 1970. 0: it is none.
int64_t object_id_time(std::string_view id);

}  // namespace llmgw::store
