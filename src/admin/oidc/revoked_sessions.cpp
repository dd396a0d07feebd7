#include "admin/oidc/revoked_sessions.h"

#include <algorithm>
#include <boost/json.hpp>
#include <functional>

#include "admin/api/object_fields.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;
using store::ObjectChange;

constexpr const char* kEnded = "ended";         // {"a session's id": when it would have been over}
constexpr const char* kAllUntil = "all_until";  // whatever was issued up to then has ended
constexpr int kTriesMax = 20;                   // two gateways at once: one of them looks again

bj::object ended_of(const bj::object& document) {
  const bj::value* const ended = document.if_contains(kEnded);
  return ended != nullptr && ended->is_object() ? ended->get_object() : bj::object();
}

int64_t number(const bj::value* value) {
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

// Whether all sessions end with it.
bool add(bj::object& document, const SessionMark& session, int64_t now) {
  const bj::object before = ended_of(document);
  bj::object ended;
  for (const auto& [id, until] : before) {
    if (number(&until) > now) ended[id] = until;
  }
  ended[session.id] = session.until;
  const bool all = ended.size() > kRevokedSessionsMax;
  if (all) document[kAllUntil] = now;
  document[kEnded] = all ? bj::object() : std::move(ended);
  return all;
}

}  // namespace

RevokedSessions::RevokedSessions(std::span<const store::Object> objects) {
  const auto found = std::ranges::find(objects, kRevokedSessionsId, &store::Object::id);
  if (found == objects.end()) return;
  const bj::object document = document_of(*found);
  for (const auto& [id, until] : ended_of(document)) ids_.emplace(id);
  all_until_ = number(document.if_contains(kAllUntil));
}

bool RevokedSessions::has(const SessionMark& session) const {
  return session.issued <= all_until_ || ids_.contains(session.id);
}

base::Result<void> revoke_session(store::ObjectStore& store, const SessionMark& session, store::AuditEntry audit,
                                  int64_t now_ms) {
  for (int attempt = 0; attempt < kTriesMax; ++attempt) {
    TRY(before, store.get(kRevokedSessionsId));
    bj::object document = before ? document_of(*before) : bj::object();
    const bool all = add(document, session, now_ms / 1000);
    audit.detail = all ? R"({"ended":"all sessions"})" : "{}";
    const ObjectChange change{.action = before ? ObjectChange::Action::update : ObjectChange::Action::insert,
                              .object = {.id = std::string(kRevokedSessionsId),
                                         .kind = "internal",
                                         .name = "revoked_sessions",
                                         .natural_key = "revoked_sessions",
                                         .document = bj::serialize(document)},
                              .expected_version = before ? before->version : 0};
    TRY(applied, store.apply({&change, 1}, {&audit, 1}, now_ms));
    if (applied.outcome == store::Applied::done) return {};
  }
  return base::fail(base::ErrorCode::exhausted, "others sign out all the time");
}

}  // namespace llmgw::admin
