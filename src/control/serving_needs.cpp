#include "control/serving_needs.h"

#include <algorithm>

namespace llmgw::control {
namespace {

// Calls visit(noun, member) for each.
void each_need(auto visit) {
  visit("connection", &ServingNeeds::connections);
  visit("model", &ServingNeeds::models);
  visit("key", &ServingNeeds::callers);
}

void add(std::string& list, std::string_view what, std::string_view noun) {
  list.append(list.empty() ? "" : ", ").append(what).append(noun);
}

}  // namespace

ServingNeeds serving_needs(const Snapshot& snapshot) {
  return {.connections = snapshot.connections.size(),
          .models = snapshot.models.size(),
          .callers = snapshot.principals.size()};
}

ServingNeeds serving_needs(const Config& file) {
  return {.connections = file.connections.size(),
          .models = file.models.size(),
          .callers = file.keys.size() + (file.server.allow_anonymous ? 1 : 0)};
}

std::string missing_needs(const ServingNeeds& needs) {
  std::string list;
  each_need([&](std::string_view noun, auto member) {
    if (needs.*member == 0) add(list, "no ", noun);
  });
  return list;
}

std::string lost_needs(const ServingNeeds& before, const ServingNeeds& after) {
  std::string list;
  each_need([&](std::string_view noun, auto member) {
    if (before.*member != 0 && after.*member == 0) add(list, "the last ", noun);
  });
  return list;
}

bool says_nothing(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    const size_t word = line.find_first_not_of(" \t\r");
    if (word != std::string_view::npos && line[word] != '#') return false;
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return true;
}

}  // namespace llmgw::control
