// Conversations put into the shape a target insists on: alternating turns, results right behind their calls, ids within
// the target's limits. What has to be added or dropped becomes a warning. Pure; one thread; allocates in the arena.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/arena.h"
#include "chat/request.h"
#include "chat/target.h"
#include "chat/warning.h"

namespace llmgw::chat {

struct TurnRules {
  // Messages of one role in a row become one turn (user and tool count as one role if results_in_user_turn).
  bool merge = true;
  // Anthropic, Bedrock, Gemini: results are parts of a user turn, first in it, in the order of the calls. Else (OpenAI,
  // Cohere): each result is a turn of role tool, right behind the assistant's turn; what the user said comes after.
  bool results_in_user_turn = true;
  // Results alone in their turn: other parts follow in a turn of their own (Gemini; Llama and Mistral on Bedrock).
  bool results_alone = false;
  // Two turns of one role must not follow each other even then: the assistant says "." between (Bedrock).
  bool alternate = false;
  // Images and documents of results move into a user turn behind all results of the turn, and a text says so. Documents
  // that are text stay, as text.
  bool media_out_of_results = false;
  // A call nobody answered gets a result that says so (is_error).
  bool complete_results = true;
  // A conversation must begin with a user's turn: one that says "." comes first if need be.
  bool user_first = true;
  bool allow_prefill = true;  // a last assistant turn may stay; else a user turn follows that asks to go on
  // System messages after the first turn stay as turns of role system; else they become user text in <system> tags.
  bool mid_system = false;
  bool drop_empty_text = true;  // empty texts (and turns that become empty) are left out; blank ones too
  bool drop_blank_text = false;
  // The target has one text for all that an assistant's turn says: a text that stood alone behind another one begins
  // with an empty line. Pieces of one sentence (cited or signed texts, chunks that Gemini's SDKs keep) get none.
  bool one_text = false;
  // Opaque parts of other dialects are left out, and turns that become empty by that; none: all stay.
  std::optional<Dialect> opaque_of = {};
  // Reasoning parts whose signature may not go back to this target (or that have none, if need_signature) are left out.
  Minter minter = Minter::none;
  std::string_view model = {};
  bool keep_thinking = true;  // false: no reasoning at all goes back
  bool thinking_needs_signature = true;
  ToolIdRule id_rule = ToolIdRule::any;
  size_t id_max = 64;
  bool ids_unique = true;
};

struct Turn {
  Role role = Role::user;
  std::string_view name = {};
  std::string_view phase = {};
  std::string_view path = {};  // of the message it began with
  List<Part> parts = {};
};

struct Conversation {
  List<Part> system = {};  // texts of the leading system and developer messages, one part for each of theirs
  List<Turn> turns = {};
  bool has_tool_parts = false;  // a call or a result is in it
};

// `from` names the fields of warnings ("messages[3]").
Conversation arrange(const Request& request, const TurnRules& rules, base::Arena& arena, Warnings& warnings);

// An id within the rule: the id itself if it fits, else one derived from it, the same for the same id.
std::string_view fit_tool_id(std::string_view id, ToolIdRule rule, size_t max, base::Arena& arena);
// An id for a call that came without one: the same for the same seed and number. "call_" and 24 characters.
std::string_view mint_tool_id(std::string_view seed, uint32_t number, base::Arena& arena);

// All text parts of a list joined with `separator`.
std::string_view joined_text(const List<Part>& parts, std::string_view separator, base::Arena& arena);

}  // namespace llmgw::chat
