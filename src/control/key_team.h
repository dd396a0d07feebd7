// Which team a key is of. What books and limits its calls and what decides who may see and change the key both ask
// here. Pure; any thread.
#pragma once

#include <ranges>
#include <string_view>

namespace llmgw::control {

// The key's own team, or else the first of its user's; empty: of none. `of_user`: the teams of the key's user, in their
// order, called as the own one is. A view into what was given.
constexpr std::string_view team_of_key(std::string_view own, const std::ranges::forward_range auto& of_user) {
  if (!own.empty() || std::ranges::empty(of_user)) return own;
  return *std::ranges::begin(of_user);
}

}  // namespace llmgw::control
