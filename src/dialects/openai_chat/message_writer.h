// Pieces of messages as answers and streams write them. Pure; one thread.
#pragma once

#include <string>
#include <string_view>

#include "chat/answer.h"
#include "chat/request.h"
#include "dialects/codec.h"
#include "json/writer.h"

namespace llmgw::dialects::openai_chat {

// A signature in `reasoning_details`: bare if this dialect's own providers minted it, else tagged.
std::string_view signature_text(const chat::Signature& signature, chat::SignaturePlace place, base::Arena& arena);
// One entry of `reasoning_details`: of a thinking part, or of a signed text.
void write_detail(json::Writer& w, const chat::Part& part, uint32_t index, base::Arena& arena);
// The member extra_content of a signed tool call, in Google's form.
void write_thought_signature(json::Writer& w, const chat::Signature& signature, base::Arena& arena);

// Whether the client knows this tool as one that takes free text.
bool is_custom_tool(const chat::Request& request, std::string_view name);
// The free text in the arguments of the function that stood for a custom tool.
std::string_view custom_input(std::string_view arguments, json::Parser& parser, base::Arena& arena);

// The member `audio` and an entry of `images`, of parts with media inside.
void write_audio(json::Writer& w, const chat::Part& part, const AnswerContext& context);
void write_image(json::Writer& w, const chat::Part& part, uint32_t index);

}  // namespace llmgw::dialects::openai_chat
