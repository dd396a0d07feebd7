#include "control/sharing/survey.h"

#include <unordered_set>

namespace llmgw::control {

void Survey::adopt(const Snapshot& snapshot, const Snapshot* before) {
  std::unordered_set<uint64_t> known;
  if (before != nullptr) {
    known.reserve(before->scopes.size());
    for (const Scope& scope : before->scopes) known.insert(scope.identity);
    for (const size_t index : first_) known.erase(before->scopes[index].identity);
  }
  first_.clear();
  count_ = snapshot.scopes.size();
  for (size_t i = 0; i < count_; ++i) {
    if (!known.contains(snapshot.scopes[i].identity)) first_.push_back(i);
  }
  next_ = 0;
}

void Survey::put_back(std::span<const Item> items) {
  for (const Item& item : items) {
    if (!item.first || item.scope >= count_) continue;
    if (first_.empty() || first_.back() != item.scope) first_.push_back(item.scope);
  }
}

}  // namespace llmgw::control
