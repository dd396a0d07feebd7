// What the Responses API says about its memory, taken out of bodies and put into them: the items of a request made
// whole, a request that builds on earlier ones made one that stands alone, lists and objects that are answers. Who
// remembers is somebody else's business (store/responses.h). Pure; one thread for each Parser.
// Source: openai-openapi 2.3.0, paths /responses/{id}..., /conversations...
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "chat/request.h"
#include "dialects/codec.h"
#include "json/reader.h"

namespace llmgw::dialects::openai_responses {

struct StateItem {
  std::string id;
  std::string json;
};

// What a request to create a response asks of the memory.
struct StateRequest {
  std::string previous_response_id;
  std::string conversation_id;
  std::vector<std::string> references;  // ids of item_references in its input
  bool store = true;
  bool background = false;
  bool stream = false;
  bool text = false;  // its input is one text
};

// Whether an id was made up here: whatever a provider keeps has another.
bool is_minted(std::string_view id);
// Whether a request to create a response builds on something with such an id, or may hold a thought with one, of a
// model whose provider has no proof of it: a provider that keeps thoughts itself would look for it in vain.
bool builds_on_minted(std::string_view body, json::Parser& parser);
std::string minted_id(std::string_view prefix, std::string_view text);

// Items a client may add to a conversation at once (schema CreateConversationBody).
inline constexpr size_t kNewItemsMax = 20;

class StateBodies {
 public:
  // `seed` makes the ids of items that come without one: the same for the same seed and place.
  StateBodies(json::Parser& parser, base::Arena& arena, std::string_view seed)
      : parser_(parser), arena_(arena), seed_(seed) {}

  // Both previous_response_id and conversation: invalid_request.
  Outcome<StateRequest> read(std::string_view body);
  // The request's own input as items with ids, as they are listed later: messages in their long form, references
  // replaced by what `known` has under their ids.
  Outcome<std::vector<StateItem>> input_items(std::string_view body, std::span<const StateItem> known);
  // The same request without a memory: its input is `context`, then its own (references replaced by what `known` has).
  // An id that has been made up here is not shown to a provider.
  Outcome<std::string> stand_alone(std::string_view body, std::span<const StateItem> context,
                                   std::span<const StateItem> known);
  // The output items of a Response object.
  std::vector<StateItem> output_items(std::string_view response);

  // Of a request to make a conversation: its metadata ("{}" if none) and items; of one that adds items: those.
  Outcome<std::string> conversation_metadata(std::string_view body, bool required);
  Outcome<std::vector<StateItem>> new_items(std::string_view body, bool required);

 private:
  Outcome<std::vector<StateItem>> items_of(std::string_view body, std::string_view member,
                                           std::span<const StateItem> known);

  json::Parser& parser_;
  base::Arena& arena_;
  std::string_view seed_;
};

// A response that is made in the background.
struct BackgroundResponse {
  std::string id;
  std::string previous_response_id;
  std::string conversation_id;
  int64_t created_at = 0;
};
// The Response that the client gets before anything has been said. `request` is what it asked.
std::string pending_response(const chat::Request& request, const BackgroundResponse& background);
// The request that is answered in its stead: nothing remembered, nothing in the background. Empty if it is no JSON
// object.
std::string foreground_request(std::string_view body, bool stream, json::Parser& parser);
// The Response that came of it, as the client knows it: with the id it was given. Empty if it is no JSON object.
std::string finished_response(std::string_view response, const BackgroundResponse& background, json::Parser& parser);
// What became of the pending one if `error`, the body of a refusal, came of it.
std::string failed_response(std::string_view pending, std::string_view error, json::Parser& parser);

// A stored Response with another status: "cancelled", which its body does not know yet.
std::string with_status(std::string_view response, std::string_view status, json::Parser& parser);

std::string item_list(std::span<const StateItem> items, bool has_more);
std::string deleted_response(std::string_view id);
std::string conversation_object(std::string_view id, int64_t created_at, std::string_view metadata);
std::string deleted_conversation(std::string_view id);

// What is not there: 404, in the words of OpenAI. Texts are in the arena.
chat::ClientError missing_response(std::string_view id, base::Arena& arena);
chat::ClientError missing_previous_response(std::string_view id, base::Arena& arena);
// `missing`: the response or conversation further back that is gone.
chat::ClientError broken_chain(std::string_view id, std::string_view missing, base::Arena& arena);
chat::ClientError missing_conversation(std::string_view id, base::Arena& arena);
// One that a response was to be made in.
chat::ClientError conversation_elsewhere(std::string_view id, base::Arena& arena);
chat::ClientError missing_item(std::string_view id, base::Arena& arena);

}  // namespace llmgw::dialects::openai_responses
