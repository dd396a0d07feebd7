// Which key made what a provider keeps itself of the Responses API: responses and conversations with ids of the
// provider's, on a credential that several keys may share. Told with each answer that makes one, asked when an id comes
// back. Ids and owners are hashes. Shared by all workers; any thread, one short lock for each call of it.
//
// The newest are remembered here; all of them go to the database (store/responses.h) behind the calls, many at once
// while it is busy, and are looked up there by whoever does not find one here: after a restart, or another gateway.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "store/responses_store.h"

namespace llmgw::gateway {

// Of an id, or of an owner as memory_owner() (responses_state.h) has it: half of SHA-256.
store::Maker::Mark mark_of(std::string_view text);

class ResponseMakers {
 public:
  // Those that are remembered, in 2 MiB; made with the first.
  static constexpr size_t kRememberedMax = size_t{1} << 16;
  // Those that wait for a database that is away, in 512 KiB. Beyond, the oldest are not saved.
  static constexpr size_t kUnsavedMax = size_t{1} << 14;

  // It is the owner's unless somebody is known to have made it before. `store`: null if there is none; it must end
  // before this does. False, once for many: one before could not be saved.
  bool note(std::string_view id, std::string_view owner, store::ResponsesStore* store);
  // Who made it, as far as that is remembered.
  std::optional<store::Maker::Mark> find(const store::Maker::Mark& id) const;
  // What the database knows.
  void remember(const store::Maker& maker);

 private:
  // A maker can stand in any place of its set, the newest first.
  static constexpr size_t kWays = 4;
  using Set = std::array<std::optional<store::Maker>, kWays>;

  static size_t set_of(const store::Maker::Mark& id);
  bool insert(const store::Maker& maker);  // false: it is there; under the lock
  bool keep_unsaved(const store::Maker& maker);
  void save(store::Responses* responses);

  mutable std::mutex mutex_;
  std::vector<Set> sets_;
  std::vector<store::Maker> unsaved_;
  bool saving_ = false;  // the store has been told
};

}  // namespace llmgw::gateway
