// What the items of a Response's input and output have in common, and how they are read. Pure; one thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/arena.h"
#include "chat/answer.h"
#include "chat/message.h"
#include "chat/request.h"
#include "chat/usage.h"
#include "dialects/codec.h"
#include "json/tree.h"

namespace llmgw::dialects::openai_responses {

// Message::id of the system message that came as `instructions`.
inline constexpr std::string_view kInstructionsId = "instructions";
// Signature::id of a foreign signature whose thinking text the provider hid (Part::redacted).
inline constexpr std::string_view kRedactedId = "redacted";
// Between the parts of a reasoning item, which are one text in the neutral model.
inline constexpr std::string_view kReasoningSeparator = "\n\n";

enum class ItemType : uint8_t {
  message,
  function_call,
  function_call_output,
  custom_tool_call,
  custom_tool_call_output,
  reasoning,
  image_generation_call,
  item_reference,
  other,  // a built-in tool's
};

// By `type`; an item without one is a message if it has a role, else a reference.
ItemType item_type(json::Value item);

// The text of a reasoning item: its summaries, then its contents.
std::string_view reasoning_text(json::Value item, base::Arena& arena);
// What encrypted_content stands for; null if there is none. `redacted` is set if the text behind it was hidden.
const chat::Signature* reasoning_signature(json::Value item, const ReadContext& context, bool& redacted);

// An input_image, input_file or input_audio as a part; kind text if it is none of them or empty.
chat::Part media_part(json::Value part, std::string_view path, base::Arena& arena);

// A part of an output message: output_text or refusal. `phase` and `item_id` go into the part's name and id, so that
// parts of one item can be told from those of the next.
chat::Part output_part(json::Value part, std::string_view item_id, std::string_view phase, base::Arena& arena);
// A function_call or custom_tool_call. A call of the tool that stands for a JSON answer becomes that text.
chat::Part call_part(json::Value item, base::Arena& arena);
// A finished image_generation_call; kind opaque if it has no image.
chat::Part generated_image(json::Value item, base::Arena& arena);
chat::Part opaque_part(json::Value item);
// An entry of `tools`, at `path` in the request; its texts are the body's or the arena's.
Outcome<chat::Tool> read_tool(json::Value tool, std::string_view path, base::Arena& arena);

chat::Usage read_usage(json::Value usage);
// The finish of a response that is over: status and incomplete_details.
chat::Choice read_finish(json::Value response, bool any_tool_call, bool any_refusal, base::Arena& arena);

}  // namespace llmgw::dialects::openai_responses
