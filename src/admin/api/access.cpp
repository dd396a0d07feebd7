#include "admin/api/access.h"

#include <algorithm>
#include <array>

namespace llmgw::admin {
namespace {

using enum Access;

// In the order of AdminRole: owner, admin, team_admin, viewer.
struct Row {
  std::string_view what;
  std::array<Access, 4> read;
  std::array<Access, 4> write;
};

constexpr Row kRows[] = {
    {"connection", {granted, granted, denied, granted}, {granted, granted, denied, denied}},
    {"model", {granted, granted, granted, granted}, {granted, granted, denied, denied}},
    {"organization", {granted, granted, denied, granted}, {granted, granted, denied, denied}},
    {"team", {granted, granted, own_team, granted}, {granted, granted, denied, denied}},
    {"user", {granted, granted, own_team, granted}, {granted, granted, own_team, denied}},
    {"key", {granted, granted, own_team, granted}, {granted, granted, own_team, denied}},
    {"assignment", {granted, granted, own_team, granted}, {granted, granted, own_team, denied}},
    {"price", {granted, granted, denied, granted}, {granted, granted, denied, denied}},
    {"route", {granted, granted, denied, granted}, {granted, granted, denied, denied}},
    {"admin_key", {granted, granted, denied, denied}, {granted, denied, denied, denied}},
    {kAuditLog, {granted, granted, denied, denied}, {denied, denied, denied, denied}},
    {kSecrets, {denied, denied, denied, denied}, {granted, denied, denied, denied}},
    {kWhoami, {granted, granted, granted, granted}, {denied, denied, denied, denied}},
    {kEngines, {granted, granted, denied, granted}, {granted, granted, denied, denied}},
    {kHealth, {granted, granted, denied, granted}, {denied, denied, denied, denied}},
    {kSpend, {granted, granted, own_team, granted}, {denied, denied, denied, denied}},
};

constexpr std::string_view kRoleNames[] = {"owner", "admin", "team-admin", "viewer"};

}  // namespace

Access access(AdminRole role, Action action, std::string_view what) {
  const auto* const row = std::ranges::find(kRows, what, &Row::what);
  const auto place = static_cast<size_t>(role);
  if (row == std::end(kRows)) {
    // Kinds that came later: like models to those who see everything, nothing to others.
    const bool full = role == AdminRole::owner || role == AdminRole::admin;
    return full || (role == AdminRole::viewer && action == Action::read) ? granted : denied;
  }
  return action == Action::read ? row->read[place] : row->write[place];
}

std::string_view role_name(AdminRole role) {
  return kRoleNames[static_cast<size_t>(role)];
}

}  // namespace llmgw::admin
