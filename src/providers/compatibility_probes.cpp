#include "providers/compatibility_probes.h"

namespace llmgw::providers {
namespace {

using base::Arena;
using chat::Answer;
using chat::Dialect;
using chat::Media;
using chat::MediaSource;
using chat::Message;
using chat::Part;
using chat::PartKind;
using chat::Request;
using chat::Role;
using chat::Tool;

constexpr Clients kOpenAiClients = kChatClient | kResponsesClient;
// A PNG of one pixel and the start of a PDF, in base64.
constexpr std::string_view kPixel =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
constexpr std::string_view kPdf = "JVBERi0xLjQKJSVFT0YK";
constexpr std::string_view kSchema =
    R"({"type":"object","properties":{"town":{"type":"string"}},"required":["town"],"additionalProperties":false})";

void say(Request& request, Arena& arena, Role role, const Part& part) {
  Message message{.role = role};
  message.parts.push(arena, part);
  request.messages.push(arena, message);
}

void say(Request& request, Arena& arena, Role role, std::string_view text) {
  say(request, arena, role, {.kind = PartKind::text, .text = text});
}

// Beside the text of the first message.
void attach(Request& request, Arena& arena, PartKind kind, const Media& media, std::string_view name = {}) {
  request.messages[0].parts.push(arena, {.kind = kind, .name = name, .media = arena.make<Media>(media)});
}

// Of the first message, or of what is in it, in the client's request.
std::string_view place(const Request& request, std::string_view inside, Arena& arena) {
  const std::string_view message = request.from == Dialect::gemini             ? "contents[0]"
                                   : request.from == Dialect::openai_responses ? "input[0]"
                                                                               : "messages[0]";
  return inside.empty() ? message : arena.concat(arena.concat(message, "."), inside);
}

void declare(Request& request, Arena& arena) {
  request.tools.push(arena, {.name = "weather", .description = "The weather of a town.", .schema = kSchema});
}

void call(Request& request, Arena& arena) {
  declare(request, arena);
  say(request, arena, Role::assistant,
      {.kind = PartKind::tool_call, .text = R"({"town":"Ulm"})", .id = "call_1", .name = "weather"});
}

Part& result(Request& request, Arena& arena) {
  call(request, arena);
  const bool tool_role = request.from == Dialect::openai_chat || request.from == Dialect::cohere;
  Part part{.kind = PartKind::tool_result, .id = "call_1", .name = "weather"};
  part.content.push(arena, {.kind = PartKind::text, .text = "sunny"});
  say(request, arena, tool_role ? Role::tool : Role::user, part);
  return request.messages[request.messages.size() - 1].parts[0];
}

void think(Request& request, Arena& arena, chat::Minter minter) {
  const auto* const signature = arena.make<chat::Signature>(chat::Signature{.minter = minter, .data = "c2lnbmVk"});
  Message message{.role = Role::assistant};
  message.parts.push(arena, {.kind = PartKind::thinking, .text = "Hm.", .signature = signature});
  message.parts.push(arena, {.kind = PartKind::text, .text = "Hello."});
  request.messages.push(arena, message);
  say(request, arena, Role::user, "Go on.");
}

constexpr RequestProbe kRequests[] = {
    {"system message first", kAllClients,
     [](Request& r, Arena& a) {
       const Message asked = r.messages[0];
       r.messages[0] = {.role = Role::system};
       r.messages[0].parts.push(a, {.kind = PartKind::text, .text = "Be terse."});
       r.messages.push(a, asked);
     }},
    {"system message in between", kOpenAiClients | kAnthropicClient | kCohereClient,
     [](Request& r, Arena& a) {
       say(r, a, Role::assistant, "Hello.");
       say(r, a, Role::system, "Be terse.");
       say(r, a, Role::user, "Go on.");
     }},
    {"last message is the assistant's", kChatClient | kAnthropicClient | kGeminiClient | kBedrockClient | kCohereClient,
     [](Request& r, Arena& a) { say(r, a, Role::assistant, "Well"); }},
    {"image, bytes", kAllClients,
     [](Request& r, Arena& a) { attach(r, a, PartKind::image, {.data = kPixel, .media_type = "image/png"}); }},
    {"image, URL", kOpenAiClients | kAnthropicClient | kCohereClient,
     [](Request& r, Arena& a) {
       attach(r, a, PartKind::image, {.source = MediaSource::url, .data = "https://example.com/a.png"});
     }},
    {"PDF, bytes", kAllClients & ~kCohereClient,
     [](Request& r, Arena& a) {
       attach(r, a, PartKind::document, {.data = kPdf, .media_type = "application/pdf"}, "a.pdf");
     }},
    {"PDF, URL", kResponsesClient | kAnthropicClient | kGeminiClient,
     [](Request& r, Arena& a) {
       attach(r, a, PartKind::document,
              {.source = MediaSource::url, .data = "https://example.com/a.pdf", .media_type = "application/pdf"},
              "a.pdf");
     }},
    {"how closely to look at an image", kOpenAiClients | kCohereClient,
     [](Request& r, Arena& a) {
       attach(r, a, PartKind::image,
              {.data = kPixel, .media_type = "image/png", .detail = "low", .path = place(r, "content[1]", a)});
     }},
    {"what a document is about", kAnthropicClient | kBedrockClient,
     [](Request& r, Arena& a) {
       attach(r, a, PartKind::document,
              {.data = kPdf,
               .media_type = "application/pdf",
               .context = "Of last year.",
               .path = place(r, "content[1]", a)},
              "Plans");
     }},
    {"text document", kAnthropicClient | kBedrockClient | kCohereClient,
     [](Request& r, Arena& a) {
       attach(r, a, PartKind::document, {.source = MediaSource::text, .data = "All of it.", .media_type = "text/plain"},
              "notes");
     }},
    {"a document is to be cited", kAnthropicClient | kBedrockClient | kCohereClient,
     [](Request& r, Arena& a) {
       const bool cohere = r.from == Dialect::cohere;
       attach(r, a, PartKind::document,
              {.source = MediaSource::text,
               .data = "All of it.",
               .media_type = "text/plain",
               .citations = true,
               .path = cohere ? "documents[0]" : place(r, "content[1]", a)},
              "notes");
     }},
    {"uploaded file", kOpenAiClients | kAnthropicClient | kGeminiClient,
     [](Request& r, Arena& a) {
       attach(r, a, PartKind::document, {.source = MediaSource::file_id, .data = "file-1"}, "a.pdf");
     }},
    {"audio", kChatClient | kGeminiClient | kBedrockClient,
     [](Request& r, Arena& a) { attach(r, a, PartKind::audio, {.data = "UklGRg==", .media_type = "audio/wav"}); }},
    {"video", kGeminiClient | kBedrockClient,
     [](Request& r, Arena& a) { attach(r, a, PartKind::video, {.data = "AAAAIGZ0eXA=", .media_type = "video/mp4"}); }},
    {"content of an unknown type", kAllClients,
     [](Request& r, Arena& a) {
       const std::string_view inside = r.from == Dialect::gemini             ? "parts[1]"
                                       : r.from == Dialect::openai_responses ? ""
                                                                             : "content[1]";
       r.messages[0].parts.push(
           a, {.kind = PartKind::opaque, .origin = r.from, .text = R"({"type":"x"})", .id = place(r, inside, a)});
     }},
    {"function tools", kAllClients, declare},
    {"strict function tools", kOpenAiClients | kAnthropicClient,
     [](Request& r, Arena& a) {
       declare(r, a);
       r.tools[0].strict = true;
     }},
    {"free-text tools", kOpenAiClients,
     [](Request& r, Arena& a) {
       r.tools.push(a, {.kind = chat::ToolKind::custom, .name = "note", .description = "Notes it."});
     }},
    {"server tools (web search)", kOpenAiClients | kAnthropicClient | kGeminiClient,
     [](Request& r, Arena& a) {
       // No tool there.
       if (r.from == Dialect::openai_chat) {
         r.extras.push(a, {.name = "web_search_options", .value = "{}"});
         return;
       }
       const std::string_view name = r.from == Dialect::gemini ? "googleSearch" : "web_search";
       const std::string_view raw = r.from == Dialect::anthropic
                                        ? R"({"type":"web_search_20250305","name":"web_search"})"
                                    : r.from == Dialect::gemini ? R"({"googleSearch":{}})"
                                                                : R"({"type":"web_search"})";
       r.tools.push(a, {.kind = chat::ToolKind::opaque, .origin = r.from, .name = name, .raw = raw});
     }},
    {"a tool has to be called", kAllClients,
     [](Request& r, Arena& a) {
       declare(r, a);
       r.tool_choice.mode = chat::ToolChoiceMode::required;
     }},
    {"a certain tool has to be called", kAllClients & ~kCohereClient,
     [](Request& r, Arena& a) {
       declare(r, a);
       r.tool_choice = {.mode = chat::ToolChoiceMode::named, .name = "weather"};
     }},
    {"no tool may be called", kAllClients & ~kBedrockClient,
     [](Request& r, Arena& a) {
       declare(r, a);
       r.tool_choice.mode = chat::ToolChoiceMode::none;
     }},
    {"one call at a time", kOpenAiClients | kAnthropicClient,
     [](Request& r, Arena& a) {
       declare(r, a);
       r.parallel_tool_calls = false;
     }},
    {"calls and results in the history", kAllClients, [](Request& r, Arena& a) { result(r, a); }},
    {"a result is an error", kAnthropicClient | kBedrockClient,
     [](Request& r, Arena& a) { result(r, a).is_error = true; }},
    {"image in a result", kResponsesClient | kAnthropicClient | kGeminiClient | kBedrockClient,
     [](Request& r, Arena& a) {
       const Media media{.data = kPixel, .media_type = "image/png"};
       result(r, a).content.push(a, {.kind = PartKind::image, .media = a.make<Media>(media)});
     }},
    {"JSON answer", kOpenAiClients | kGeminiClient | kCohereClient,
     [](Request& r, Arena&) { r.format.kind = chat::FormatKind::json_object; }},
    {"JSON answer by a schema", kAllClients,
     [](Request& r, Arena&) { r.format = {.kind = chat::FormatKind::json_schema, .name = "town", .schema = kSchema}; }},
    {"reasoning effort", kOpenAiClients | kAnthropicClient | kGeminiClient,
     [](Request& r, Arena&) {
       r.max_tokens = 8000;
       r.reasoning = {.mode = chat::ReasoningMode::on, .effort = chat::Effort::medium};
     }},
    {"reasoning budget", kAnthropicClient | kGeminiClient | kBedrockClient | kCohereClient,
     [](Request& r, Arena&) {
       r.max_tokens = 8000;
       r.reasoning = {.mode = chat::ReasoningMode::on, .budget_tokens = 2048};
     }},
    {"reasoning off", kAllClients,
     [](Request& r, Arena&) {
       r.reasoning = {.mode = chat::ReasoningMode::off, .effort = chat::Effort::none, .budget_tokens = 0};
     }},
    {"thoughts that Claude signed", kAllClients & ~kCohereClient,
     [](Request& r, Arena& a) { think(r, a, chat::Minter::anthropic); }},
    {"thoughts that OpenAI encrypted", kAllClients & ~kCohereClient,
     [](Request& r, Arena& a) { think(r, a, chat::Minter::openai); }},
    {"max_tokens absent", kAllClients, [](Request& r, Arena&) { r.max_tokens = std::nullopt; }},
    {"temperature", kAllClients, [](Request& r, Arena&) { r.temperature = "0.5"; }},
    {"temperature above 1", kOpenAiClients | kGeminiClient, [](Request& r, Arena&) { r.temperature = "1.5"; }},
    {"top_p", kAllClients, [](Request& r, Arena&) { r.top_p = "0.9"; }},
    {"top_k", kAnthropicClient | kGeminiClient | kBedrockClient | kCohereClient,
     [](Request& r, Arena&) { r.top_k = "40"; }},
    {"penalties", kChatClient | kGeminiClient | kCohereClient,
     [](Request& r, Arena&) { r.presence_penalty = r.frequency_penalty = "0.5"; }},
    {"seed", kChatClient | kGeminiClient | kCohereClient, [](Request& r, Arena&) { r.seed = "7"; }},
    {"logit_bias", kChatClient, [](Request& r, Arena&) { r.logit_bias = R"({"50256":-100})"; }},
    {"log probabilities", kOpenAiClients | kGeminiClient | kCohereClient,
     [](Request& r, Arena&) {
       r.logprobs = true;
       r.top_logprobs = 2;
     }},
    {"several answers (n)", kChatClient | kGeminiClient, [](Request& r, Arena&) { r.n = 2; }},
    {"stop sequences", kAllClients & ~kResponsesClient, [](Request& r, Arena& a) { r.stop.push(a, "END"); }},
    {"five stop sequences", kAnthropicClient | kGeminiClient | kBedrockClient | kCohereClient,
     [](Request& r, Arena& a) {
       for (const std::string_view text : {"A", "B", "C", "D", "E"}) r.stop.push(a, text);
     }},
    {"a participant's name", kChatClient,
     [](Request& r, Arena& a) {
       r.messages[0].name = "ann";
       r.messages[0].path = place(r, {}, a);
     }},
    {"safety identifier", kOpenAiClients, [](Request& r, Arena&) { r.safety_identifier = "user-1"; }},
    {"the user's id", kOpenAiClients | kAnthropicClient, [](Request& r, Arena&) { r.user = "user-1"; }},
    {"metadata", kOpenAiClients | kBedrockClient, [](Request& r, Arena&) { r.metadata = R"({"team":"a"})"; }},
    {"service tier", kOpenAiClients | kAnthropicClient, [](Request& r, Arena&) { r.service_tier = "priority"; }},
    {"verbosity", kOpenAiClients, [](Request& r, Arena&) { r.verbosity = "low"; }},
    {"cache marks", kAnthropicClient | kBedrockClient,
     [](Request& r, Arena&) { r.messages[0].parts[0].cache = chat::CacheMark::five_minutes; }},
    {"cache key", kOpenAiClients, [](Request& r, Arena&) { r.prompt_cache_key = "k"; }},
    {"cache retention", kOpenAiClients, [](Request& r, Arena&) { r.prompt_cache_retention = "24h"; }},
    {"contents cached at the provider", kGeminiClient,
     [](Request& r, Arena& a) { r.extras.push(a, {.name = "cachedContent", .value = R"("cachedContents/1")"}); }},
    {"detailed summaries of thoughts", kResponsesClient, [](Request& r, Arena&) { r.reasoning.summary = "detailed"; }},
    {"an answer in speech", kChatClient | kGeminiClient,
     [](Request& r, Arena& a) {
       const bool chat = r.from == Dialect::openai_chat;
       r.extras.push(a, chat ? chat::Extra{.name = "modalities", .value = R"(["text","audio"])"}
                             : chat::Extra{.name = "generationConfig.responseModalities", .value = R"(["AUDIO"])"});
     }},
    {"a member nobody knows, in a message", kAllClients,
     [](Request& r, Arena& a) { r.unread.push(a, {.path = place(r, "invented", a)}); }},
    {"a member nobody knows", kAllClients,
     [](Request& r, Arena& a) { r.extras.push(a, {.name = "invented", .value = "1"}); }},
};

void add_part(Answer& answer, Arena& arena, const Part& part) {
  answer.choices[0].parts.push(arena, part);
}

constexpr AnswerProbe kAnswers[] = {
    {"text", [](Answer& x, Arena& a) { add_part(x, a, {.kind = PartKind::text, .text = "pong"}); }},
    {"refusal",
     [](Answer& x, Arena& a) {
       x.choices[0].finish = chat::Finish::refusal;
       add_part(x, a, {.kind = PartKind::refusal, .text = "No."});
     }},
    {"tool calls",
     [](Answer& x, Arena& a) {
       x.choices[0].finish = chat::Finish::tool;
       add_part(x, a, {.kind = PartKind::tool_call, .text = R"({"town":"Ulm"})", .id = "call_1", .name = "weather"});
     }},
    {"thoughts with a signature",
     [](Answer& x, Arena& a) {
       const auto* const signature =
           a.make<chat::Signature>(chat::Signature{.minter = chat::Minter::anthropic, .data = "c2lnbmVk"});
       add_part(x, a, {.kind = PartKind::thinking, .text = "Hm.", .signature = signature});
       add_part(x, a, {.kind = PartKind::text, .text = "pong"});
     }},
    {"image",
     [](Answer& x, Arena& a) {
       const Media media{.data = kPixel, .media_type = "image/png"};
       add_part(x, a, {.kind = PartKind::image, .media = a.make<Media>(media)});
     }},
    {"audio",
     [](Answer& x, Arena& a) {
       const Media media{.data = "UklGRg==", .media_type = "audio/wav"};
       add_part(x, a, {.kind = PartKind::audio, .media = a.make<Media>(media)});
     }},
    {"end: length",
     [](Answer& x, Arena& a) {
       x.choices[0].finish = chat::Finish::length;
       add_part(x, a, {.kind = PartKind::text, .text = "pon"});
     }},
    {"end: stop sequence",
     [](Answer& x, Arena& a) {
       x.choices[0].at_sequence = true;
       x.choices[0].stop_sequence = "END";
       add_part(x, a, {.kind = PartKind::text, .text = "pong"});
     }},
    {"end: safety filter",
     [](Answer& x, Arena& a) {
       x.choices[0].finish = chat::Finish::filter;
       add_part(x, a, {.kind = PartKind::text, .text = "po"});
     }},
    {"usage: cache",
     [](Answer& x, Arena& a) {
       x.usage.cache_read = 7;
       add_part(x, a, {.kind = PartKind::text, .text = "pong"});
     }},
    {"usage: written to the cache",
     [](Answer& x, Arena& a) {
       x.usage.cache_write = 5;
       add_part(x, a, {.kind = PartKind::text, .text = "pong"});
     }},
    {"usage: reasoning",
     [](Answer& x, Arena& a) {
       x.usage.reasoning = 1;
       add_part(x, a, {.kind = PartKind::text, .text = "pong"});
     }},
};

}  // namespace

std::span<const RequestProbe> request_probes() {
  return kRequests;
}

std::span<const AnswerProbe> answer_probes() {
  return kAnswers;
}

}  // namespace llmgw::providers
