#include "gateway/responses/response_makers.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "providers/sigv4.h"

namespace llmgw::gateway {

using store::Maker;

Maker::Mark mark_of(std::string_view text) {
  const providers::Sha256 hash = providers::sha256({&text, 1});
  Maker::Mark mark;
  static_assert(sizeof mark <= sizeof hash);
  std::memcpy(mark.data(), hash.data(), sizeof mark);
  return mark;
}

size_t ResponseMakers::set_of(const Maker::Mark& id) {
  return static_cast<uint64_t>(id[0]) % (kRememberedMax / kWays);
}

bool ResponseMakers::insert(const Maker& maker) {
  if (sets_.empty()) sets_.resize(kRememberedMax / kWays);
  Set& set = sets_[set_of(maker.id)];
  if (std::ranges::any_of(set, [&](const auto& known) { return known && known->id == maker.id; })) return false;
  std::ranges::move_backward(set.begin(), std::prev(set.end()), set.end());
  set.front() = maker;
  return true;
}

void ResponseMakers::remember(const Maker& maker) {
  const std::lock_guard lock(mutex_);
  insert(maker);
}

std::optional<Maker::Mark> ResponseMakers::find(const Maker::Mark& id) const {
  const std::lock_guard lock(mutex_);
  if (sets_.empty()) return std::nullopt;
  for (const auto& known : sets_[set_of(id)]) {
    if (known && known->id == id) return known->owner;
  }
  return std::nullopt;
}

// False: an older one made room, and it is time to say so.
bool ResponseMakers::keep_unsaved(const Maker& maker) {
  bool told = true;
  if (unsaved_.size() == kUnsavedMax) {
    constexpr size_t kForgotten = kUnsavedMax / 4;  // at once, since they stand in one piece
    unsaved_.erase(unsaved_.begin(), unsaved_.begin() + kForgotten);
    told = false;
  }
  unsaved_.push_back(maker);
  return told;
}

bool ResponseMakers::note(std::string_view id, std::string_view owner, store::ResponsesStore* store) {
  const Maker maker{.id = mark_of(id), .owner = mark_of(owner)};
  const std::lock_guard lock(mutex_);
  if (!insert(maker) || store == nullptr) return true;
  const bool all_kept = keep_unsaved(maker);
  if (!saving_) saving_ = store->post([this](store::Responses* responses) { save(responses); });
  return all_kept;
}

// On the store's thread.
void ResponseMakers::save(store::Responses* responses) {
  std::vector<Maker> makers;
  {
    const std::lock_guard lock(mutex_);
    saving_ = false;  // whoever comes from now on tells the store anew
    if (responses == nullptr) return;
    makers.swap(unsaved_);
  }
  if (responses->note_makers(makers)) return;
  const std::lock_guard lock(mutex_);
  makers.insert(makers.end(), unsaved_.begin(), unsaved_.end());
  const size_t beyond = makers.size() - std::min(makers.size(), kUnsavedMax);
  makers.erase(makers.begin(), makers.begin() + static_cast<std::ptrdiff_t>(beyond));
  unsaved_ = std::move(makers);
}

}  // namespace llmgw::gateway
