// Which instance a call would go to now, and why: the same choice as the workers make, from the same states, without a
// call. Changes nothing. Any thread.
#pragma once

#include <expected>
#include <limits>
#include <string>
#include <string_view>

#include "control/snapshot.h"
#include "gateway/routing_state.h"
#include "routing/policy/policy.h"

namespace llmgw::gateway {

struct ExplainAsk {
  std::string model;
  std::string key;       // the name of a [[keys]] entry; empty: whoever may call it
  std::string owned_by;  // as in a request's body
  std::string policy;    // instead of the route's
  uint32_t prompt_tokens = 1000;
  bool json = false;  // for programs, in one line
};

// What costs so much has no price that anybody knows.
inline constexpr float kUnpriced = std::numeric_limits<float>::max();

// What a call that says so much costs there, for the policy `cost`; kUnpriced where nobody knows.
float price_of_call(const control::PriceTable::Prices& prices, uint32_t prompt_tokens, uint64_t output_tokens);

// Why an instance is taken or not, as the score has it, but `ramp`, as its health has it, where one that is on its way
// back was left out by chance.
std::string_view fitness_word(const routing::Score& score, const routing::Candidate& candidate,
                              const routing::InstanceTable& instances, const routing::HealthOptions& health,
                              base::Instant now);

// Who offers a model, for a message to whoever asked for another owner: 'a', 'b' or 'c'.
std::string owners_of(const control::Snapshot& snapshot, const routing::Group& group);

// The error says what was expected.
std::expected<std::string, std::string> explain_route(const control::Snapshot& snapshot, RoutingState& routing,
                                                      const ExplainAsk& ask, base::Instant now);

}  // namespace llmgw::gateway
