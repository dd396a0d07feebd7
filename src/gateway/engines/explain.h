// Which instance a call would go to now, and why: the same choice as the workers make, from the same states, without a
// call. Changes nothing. Any thread; the text is for people.
#pragma once

#include <expected>
#include <string>

#include "control/snapshot.h"
#include "gateway/routing_state.h"

namespace llmgw::gateway {

struct ExplainAsk {
  std::string model;
  std::string key;       // the name of a [[keys]] entry; empty: whoever may call it
  std::string owned_by;  // as in a request's body
  std::string policy;    // instead of the route's
  uint32_t prompt_tokens = 1000;
};

// What a typical call costs there, for the policy `cost`; the largest number where nobody knows.
float price_of_call(const control::PriceTable::Tiers* price, uint32_t prompt_tokens);

// The error says what was expected.
std::expected<std::string, std::string> explain_route(const control::Snapshot& snapshot, RoutingState& routing,
                                                      const ExplainAsk& ask, base::Instant now);

}  // namespace llmgw::gateway
