// Sessions that were ended before their time. A session is a sealed cookie that opens wherever the master key is, so
// what ends it is kept in the store: every gateway on that store knows it once it has loaded, also after a restart and
// from what was saved. Sessions that are over by themselves are forgotten at the next sign-out.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/objects/object_store.h"

namespace llmgw::admin {

// The store's own object that has them.
inline constexpr std::string_view kRevokedSessionsId = "internal_revoked_sessions";
// So many are remembered one by one. One more ends all sessions there are: their people sign in again.
inline constexpr size_t kRevokedSessionsMax = 5000;

// What tells one session from all others. Times are seconds since 1970.
struct SessionMark {
  std::string id;
  int64_t issued = 0;
  int64_t until = 0;
};

// Immutable; any thread.
class RevokedSessions {
 public:
  RevokedSessions() = default;
  explicit RevokedSessions(std::span<const store::Object> objects);
  bool has(const SessionMark& session) const;

 private:
  std::set<std::string, std::less<>> ids_;
  int64_t all_until_ = 0;  // whatever was issued up to then has ended
};

// Ends it, with that audit entry. Blocking: the store's thread.
base::Result<void> revoke_session(store::ObjectStore& store, const SessionMark& session, store::AuditEntry audit,
                                  int64_t now_ms);

}  // namespace llmgw::admin
