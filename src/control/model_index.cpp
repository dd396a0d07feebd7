#include "control/model_index.h"

#include <algorithm>

#include "control/model_filter.h"

namespace llmgw::control {

ModelIndex::ModelIndex(std::span<const Entry> entries) {
  std::vector<uint32_t> order(entries.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, [&](uint32_t a, uint32_t b) {
    return entries[a].pattern != entries[b].pattern ? entries[a].pattern < entries[b].pattern : a < b;
  });
  models_.reserve(entries.size());
  for (size_t at = 0; at < order.size();) {
    const auto pattern = entries[order[at]].pattern;
    Group group{
        .pattern = pattern, .first = static_cast<uint32_t>(models_.size()), .count = 0, .literal_characters = 0};
    for (; at < order.size() && entries[order[at]].pattern == pattern; ++at) {
      models_.push_back(entries[order[at]].model);
      ++group.count;
    }
    group.literal_characters = static_cast<uint32_t>(std::ranges::count_if(pattern, [](char c) { return c != '*'; }));
    (group.literal_characters == pattern.size() ? exact_ : patterns_).push_back(group);
  }
  const auto is_prefix = [](const Group& group) { return group.pattern.find('*') == group.pattern.size() - 1; };
  std::ranges::sort(patterns_, [&](const Group& a, const Group& b) {
    if (is_prefix(a) != is_prefix(b)) return is_prefix(a);
    if (a.literal_characters != b.literal_characters) return a.literal_characters > b.literal_characters;
    return a.pattern < b.pattern;
  });
}

std::span<const uint32_t> ModelIndex::find(std::string_view name) const {
  const auto exact = std::ranges::lower_bound(exact_, name, {}, &Group::pattern);
  if (exact != exact_.end() && exact->pattern == name) return members(*exact);
  for (const auto& group : patterns_) {
    if (matches_pattern(group.pattern, name)) return members(group);
  }
  return {};
}

}  // namespace llmgw::control
