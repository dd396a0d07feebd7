// Who may do what with the admin API: one table of roles. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/config.h"

namespace llmgw::admin {

using control::AdminRole;

// Who asks, once the key or the session has been checked.
struct Actor {
  std::string name = {};  // for the audit log: "admin-key ops", "user jane@example.com", "command line (uid 0)"
  AdminRole role = AdminRole::viewer;
  std::string team = {};     // of a team admin: the team's name
  std::string address = {};  // the client's; empty for the command line
};

enum class Action : uint8_t { read, write };

// What is asked for, beyond the kinds of objects.
inline constexpr std::string_view kAuditLog = "audit";
inline constexpr std::string_view kSecrets = "secrets";
inline constexpr std::string_view kSpend = "spend";
inline constexpr std::string_view kWhoami = "whoami";
inline constexpr std::string_view kEngines = "engines";
inline constexpr std::string_view kHealth = "health";

enum class Access : uint8_t {
  denied,
  own_team,  // only what belongs to the actor's team
  granted,
};
// `what` is the name of a kind of object, or one of the words above.
Access access(AdminRole role, Action action, std::string_view what);

std::string_view role_name(AdminRole role);

}  // namespace llmgw::admin
