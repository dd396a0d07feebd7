// The features in test that a request to Claude asks for by name: in the header anthropic-beta ("a, b") at Anthropic
// and on Vertex, in the member anthropic_beta (["a","b"]) on Bedrock. Pure; any thread.
#pragma once

#include <span>
#include <string_view>

#include "base/arena.h"
#include "chat/list.h"
#include "json/tree.h"

namespace llmgw::dialects::anthropic {

using Betas = chat::List<std::string_view>;

// Each adds what is not there yet; the names are views of what was given, or lie in the arena.
void add_beta(std::string_view name, base::Arena& arena, Betas& betas);
void add_betas(std::string_view header, base::Arena& arena, Betas& betas);
// Of a member: a list of names, or a text as the header has it. False: it is neither.
bool add_betas(json::Value member, base::Arena& arena, Betas& betas);

// The way back, in the arena: the header's value, and the member's JSON.
std::string_view betas_header(const Betas& betas, base::Arena& arena);
std::string_view betas_member(const Betas& betas, base::Arena& arena);

// What Claude takes where it is called on Bedrock, which answers any other with 400, "invalid beta flag".
struct TakenBetas {
  std::string_view api;                          // for people: "Bedrock's Converse"
  std::span<const std::string_view> beginnings;  // names without their dates
};
extern const TakenBetas kConverseBetas;
extern const TakenBetas kInvokeBetas;

struct ChosenBetas {
  Betas taken;
  Betas refused;
};

// Those of the head, then those of the body, none twice. Clients of Anthropic's own API (Claude Code) send theirs with
// every request, so that of the head's those are left out that are not `taken` (null: all are); who has them in the
// body has chosen them for this model.
ChosenBetas choose_betas(const Betas& head, const Betas& body, const TakenBetas* taken, base::Arena& arena);
// What the client is told of those that were left out.
std::string_view why_refused(const ChosenBetas& chosen, const TakenBetas& taken, base::Arena& arena);

}  // namespace llmgw::dialects::anthropic
