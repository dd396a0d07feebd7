// What each part of a prompt costs, by family of models. Fitted by tools/fit_token_weights, which reads the same terms
// out of a dump of dialects/counting_recorded_test.cpp. Pure; any thread.
#pragma once

#include "chat/token_estimate.h"

namespace llmgw::chat {

// Tokens for one of each.
struct StructureWeights {
  double base = 0, message = 0, system = 0, tools = 0, tool = 0, described_tool = 0, required = 0, named = 0,
         sequential = 0, call = 0, joined_call = 0, member = 0, optional = 0, described = 0, enum_item = 0, object = 0,
         format = 0, format_member = 0, format_described = 0, format_title = 0, format_object = 0, json_object = 0,
         seal = 0, sealed_byte = 0, sealed_byte_above = 0, streamed_seal = 0, thinks = 0, adapts = 0, thoughtless = 0,
         prefill = 0;
  // By how much texts that are not the client's own words count.
  double code = 0, thoughts = 0, old_thoughts = 0, tools_raw = 0, tools_words = 0, tools_script = 0, format_raw = 0,
         format_words = 0, format_script = 0;
  double text = 1;  // by how much all words count
};

// How often each of them is there: the same members as of the weights, the last ten left out.
StructureWeights structure_of(const PromptCounts& counts);

const StructureWeights& structure_weights(const TokenModel& model);
const TextWeights& text_weights(TokenVendor vendor);

}  // namespace llmgw::chat
