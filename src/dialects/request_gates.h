// What the request writers of dialects share: which of the client's parameters a target takes, and in what range. Pure;
// warnings name the client's fields.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "chat/message.h"
#include "chat/request.h"
#include "chat/target.h"
#include "dialects/codec.h"

namespace llmgw::dialects {

// Number texts as they are to be sent; empty where nothing is.
struct Sampling {
  std::string_view temperature;
  std::string_view top_p;
  std::string_view top_k;
};

// Drops and clamps by the target's rules. `reasoning`: the model will reason in this call.
Sampling gate_sampling(const chat::Request& request, const chat::Target& target, bool reasoning, WriteContext& context);

// The effort for a budget of tokens, where only words are taken; unset for none and for the model's own choice (-1).
chat::Effort effort_of_budget(int64_t budget_tokens);
// The effort that the client asked for, or that of its budget, of which it is told. Unset: none was said.
chat::Effort asked_effort(const chat::Request& request, WriteContext& context);

// max_tokens within the target's cap; the target's default if the client gave none and one is required; else nothing.
std::optional<uint64_t> gate_max_tokens(const chat::Request& request, const chat::Target& target,
                                        WriteContext& context);

// Stop sequences as the target takes them: no blank ones if `no_blank`, at most target.stop_max.
chat::List<std::string_view> gate_stop(const chat::Request& request, const chat::Target& target, bool no_blank,
                                       WriteContext& context);

// Where a dialect's writer puts cache marks, should the target take any. On texts of the system and the user it always
// does.
struct MarkPlaces {
  bool request = false;     // on the whole
  bool tools = false;       // on functions
  bool free_tools = false;  // on tools of free text
  bool media = false;
  bool assistant = false;  // on what the assistant said and called
  bool results = false;    // on results of tools, and inside of them
  bool hours = true;       // knows how long it is to be kept
};
inline constexpr MarkPlaces kMarksEverywhere{
    .request = true, .tools = true, .free_tools = true, .media = true, .assistant = true, .results = true};

// Warns of cache marks that are not sent: the target takes none, it caches by itself, or not at all; or none there.
void gate_cache_marks(const chat::Request& request, const chat::Target& target, const MarkPlaces& places,
                      WriteContext& context);

// For dialects that know none of them (Anthropic, Bedrock): warns of penalties, seed, logprobs, logit_bias, verbosity,
// prompt_cache_key, truncation, ...; refuses n > 1, which would change what comes back.
Outcome<void> refuse_openai_parameters(const chat::Request& request, WriteContext& context);

// "messages[2].content[1]", "contents[2].parts[1]", "input[2].content[1]": the place of a part as the client knows it.
std::string_view part_path(chat::Dialect from, size_t message, size_t part, base::Arena& arena);
// "tools[2]" and the like, with something behind it.
std::string_view indexed(std::string_view list, size_t index, std::string_view behind, base::Arena& arena);

// An error of the client's: texts are copied into the arena.
std::unexpected<chat::ClientError> invalid(base::Arena& arena, std::string_view param, std::string_view message);

// "image/png" and the like by the first bytes of base64 text; empty if they are none of the common image formats.
std::string_view image_type(std::string_view base64);

// The schema, made one of an object at its root: {"type":"object","properties":{}} for none, the type put in where it
// lacks; as it is otherwise. The parser's last document is gone.
std::string_view object_schema(std::string_view schema, json::Parser& parser, base::Arena& arena);

// The schema of the function that stands for a free-text tool.
std::string_view custom_tool_schema();

// Gemini's clients may want one of a list of words, without JSON's quotes (text/x.enum).
bool wants_bare_value(const chat::Request& request);
// A name that no tool of the client's has, for the one that stands for a JSON answer; the readers of the answer need
// it.
std::string_view name_format_tool(const chat::Request& request, WriteContext& context);
// Whether the target, which takes schemas, takes this one for its answers: OpenAI and Cohere want objects only.
bool takes_answer_schema(const chat::Request& request, const chat::Target& target, WriteContext& context);
// What a model is told that does not take the answer's schema: `words`, or that a bare value is wanted, and the schema.
std::string schema_instruction(const chat::Request& request, std::string_view words);

}  // namespace llmgw::dialects
