// What a call was let in with: the limits that hold for it, and its hold on them. A response that is made in the
// background goes on with its asker's, so that one request counts once. One call at a time; its worker's thread.
#pragma once

#include <array>
#include <cstdint>

#include "admission/reservation.h"
#include "control/snapshot.h"
#include "gateway/worker.h"

namespace llmgw::gateway {

struct CallAdmission {
  GenerationRef generation;                                           // which the scopes belong to
  std::array<const control::Scope*, admission::kScopesMax> scopes{};  // whose limits hold for the call
  size_t scope_count = 0;
  admission::Reservation reservation;
  uint64_t estimated_input = 0;  // tokens
};

}  // namespace llmgw::gateway
