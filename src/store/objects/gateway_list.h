// The gateways that run on a store, as the database has heard of them: who changes what all of them need, such as the
// master key, asks here whether they can follow. Each enters itself again every kGatewayBeat; one that has not for
// kGatewayGone is taken for gone. Times are the database's clock, which is one for all. Blocking, one thread, as the
// session.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/sql/session.h"

namespace llmgw::store {

inline constexpr std::chrono::seconds kGatewayBeat{10};
// Several beats: a database that is slow for a moment must not hide a gateway.
inline constexpr std::chrono::seconds kGatewayGone{60};

// How long the database may take to enter one.
inline constexpr std::chrono::milliseconds kEnterLimit{2000};

struct GatewayEntry {
  std::string instance;              // of the process, random
  std::string host;                  // for people: where it runs
  std::string key_file;              // of its own master key, host and path; empty: its configuration has the keys
  std::vector<std::string> key_ids;  // of the master keys it has: Vault::key_ids()
  int64_t seconds_ago = 0;           // since it was heard of
};

// Understood by both databases.
inline constexpr std::string_view kGatewayTable =
    "CREATE TABLE IF NOT EXISTS gateways (instance TEXT PRIMARY KEY, host TEXT NOT NULL, key_file TEXT NOT NULL, "
    "key_ids TEXT NOT NULL, seen BIGINT NOT NULL)";

// In one round trip, and for kEnterLimit of the database's time at most: a table that somebody has locked must not hold
// up the store. Where it fails so the session goes on.
base::Result<void> enter_gateway(SqlSession& session, const GatewayEntry& gateway);
// It ends: nobody needs to think of it any more.
base::Result<void> leave_gateway(SqlSession& session, std::string_view instance);
// Those that have been heard of lately, by host.
base::Result<std::vector<GatewayEntry>> running_gateways(SqlSession& session);

}  // namespace llmgw::store
