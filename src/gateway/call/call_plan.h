// Where a call may go: the places that have its model, and what has been tried of them. Made anew for each model that
// is asked. The lists lie in the call's arena; one call at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "control/snapshot.h"
#include "gateway/conversion/conversion.h"
#include "routing/policy/policy.h"

namespace llmgw::gateway {

struct CallPlan {
  // One place: an instance that has the model, and how it is spoken to.
  struct Option {
    const control::Model* model = nullptr;  // null: the call names none
    uint32_t connection = 0;
    ConvertedApi api;  // the codec is null: as it came
    // The request goes as it came, but its answer is read, so that another instance can go on from it.
    bool read_along = false;
    // The provider speaks the client's API, though the call be converted.
    bool native = true;
  };

  std::string_view model;     // as the client named it, what stands behind the key's alias, or a fallback
  uint32_t route = 0;         // whose settings hold: those of the model that was asked for
  std::span<Option> options;  // and side by side with them:
  std::span<routing::Candidate> candidates;
  uint32_t attempts = 0;
  uint32_t rounds = 0;  // over all instances
  uint32_t attempts_before_round = 0;
  bool skip_model = false;      // it does not take this prompt: its other instances would not either
  bool only_elsewhere = false;  // the retry is not for what has failed already
};

}  // namespace llmgw::gateway
