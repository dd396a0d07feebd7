#include "chat/turns.h"
#include "dialects/media.h"
#include "dialects/openai/error_reader.h"
#include "dialects/openai_chat/functions.h"
#include "dialects/openai_chat/message_reader.h"
#include "dialects/openai_chat/words.h"

namespace llmgw::dialects::openai_chat {
namespace {

using chat::Finish;
using chat::Part;
using chat::PartKind;

class ChoiceReader {
 public:
  ChoiceReader(const ReadContext& context, chat::Choice& choice, uint32_t& calls)
      : context_(context), choice_(choice), calls_(calls) {}

  // Azure leaves `message` out where its filter withheld everything.
  void read(json::Value value) {
    base::Arena& arena = context_.arena;
    choice_.index = static_cast<uint32_t>(value["index"].unsigned_integer().value_or(choice_.index));
    const json::Value message = value.any_of("message", "delta");
    const Reasoning reasoning = read_reasoning(message, context_);
    for (const Part& part : reasoning.parts) choice_.parts.push(arena, part);
    read_texts(message, reasoning);
    if (const std::string_view refusal = message["refusal"].string(arena); !refusal.empty()) {
      choice_.parts.push(arena, {.kind = PartKind::refusal, .text = refusal});
    }
    read_media(message);
    read_calls(message);
    choice_.logprobs = value["logprobs"]["content"].is_array() ? value["logprobs"]["content"].raw() : "";
    read_finish(value);
  }

 private:
  void read_texts(json::Value message, const Reasoning& reasoning) {
    base::Arena& arena = context_.arena;
    chat::List<Part> content;
    // What a vendor sends that cannot be understood is left out; the rest still counts.
    (void)read_content(message["content"], "content", context_, content);
    const chat::Signature* signature = reasoning.on_text;
    if (signature == nullptr) signature = read_thought_signature(message, context_);
    const json::Value annotations = message["annotations"];
    bool annotated = !annotations.is_array() || annotations.empty();
    for (Part& part : content) {
      if (part.kind == PartKind::text && part.text.empty()) continue;
      if (part.kind == PartKind::text && signature != nullptr) {
        part.signature = signature;
        signature = nullptr;
      }
      if (part.kind == PartKind::text && !annotated) {
        part.citations = annotations.raw();
        part.origin = chat::Dialect::openai_chat;
        annotated = true;
      }
      choice_.parts.push(arena, part);
    }
    if (signature != nullptr) choice_.parts.push(arena, {.kind = PartKind::text, .signature = signature});
    for (const chat::Signature* own : reasoning.on_empty) {
      choice_.parts.push(arena, {.kind = PartKind::text, .signature = own});
    }
  }

  void read_media(json::Value message) {
    base::Arena& arena = context_.arena;
    const json::Value audio = message["audio"];
    if (audio["data"].is_string()) {
      chat::Media media{.data = audio["data"].string(arena)};
      media.metadata = audio.raw();
      choice_.parts.push(arena, {.kind = PartKind::audio,
                                 .text = audio["transcript"].string(arena),
                                 .id = audio["id"].string(arena),
                                 .media = arena.make<chat::Media>(media)});
    }
    // OpenRouter's form of generated pictures.
    for (const json::Value image : message["images"].elements()) {
      const std::string_view url = image["image_url"]["url"].string(arena);
      if (url.empty()) continue;
      choice_.parts.push(arena,
                         {.kind = PartKind::image, .media = arena.make<chat::Media>(media_from_text(url, {}, arena))});
    }
  }

  void read_calls(json::Value message) {
    for (const json::Value call : message["tool_calls"].elements()) add_call(call);
    if (message["function_call"].is_object()) add_call(message["function_call"]);
  }

  void add_call(json::Value call) {
    base::Arena& arena = context_.arena;
    Part part;
    if (!read_tool_call(call, context_, part)) return;
    if (context_.is_format_tool(part.name)) {
      choice_.parts.push(arena, {.kind = PartKind::text, .text = part.text, .name = chat::kFormatToolName});
      return;
    }
    if (part.id.empty() || id_taken(part.id)) part.id = chat::mint_tool_id(context_.id_seed, calls_, arena);
    ++calls_;
    any_call_ = true;
    choice_.parts.push(arena, part);
  }

  bool id_taken(std::string_view id) const {
    for (const Part& part : choice_.parts) {
      if (part.kind == PartKind::tool_call && part.id == id) return true;
    }
    return false;
  }

  void read_finish(json::Value value) {
    const std::string_view word = value["finish_reason"].string(context_.arena);
    choice_.finish = finish_from(word);
    choice_.native_finish = word;
    // Many vendors say "stop" also where they call tools, and the other way round for the answer in a tool.
    if (any_call_ && (choice_.finish == Finish::stop || choice_.finish == Finish::unknown)) {
      choice_.finish = Finish::tool;
    } else if (!any_call_ && choice_.finish == Finish::tool) {
      choice_.finish = Finish::stop;
    }
  }

  const ReadContext& context_;
  chat::Choice& choice_;
  uint32_t& calls_;
  bool any_call_ = false;
};

std::unexpected<chat::ClientError> no_answer(std::string_view message) {
  return std::unexpected(chat::ClientError{.kind = chat::ErrorKind::upstream_failed, .message = message});
}

}  // namespace

Outcome<void> read_answer(std::string_view body, const ReadContext& context, chat::Answer& answer) {
  base::Arena& arena = context.arena;
  const auto root = json::parse_tree(context.parser, body, arena);
  if (!root) return no_answer("the provider's answer is not JSON");
  if (const json::Value error = openai::error_in(*root); error.present()) {
    return std::unexpected(openai::read_error_value(error, *root, arena));
  }
  const json::Value choices = (*root)["choices"];
  if (!choices.is_array()) return no_answer("the provider's answer has no choices");
  answer.id = (*root)["id"].string(arena);
  answer.model = (*root)["model"].string(arena);
  answer.created = (*root)["created"].integer().value_or(0);
  answer.service_tier = (*root)["service_tier"].string(arena);
  answer.system_fingerprint = (*root)["system_fingerprint"].string(arena);
  answer.usage = read_usage((*root)["usage"]);
  uint32_t index = 0;
  uint32_t calls = 0;
  for (const json::Value value : choices.elements()) {
    if (openai::is_error_value(value["error"])) {
      return std::unexpected(openai::read_error_value(value["error"], value, arena));
    }
    chat::Choice choice{.index = index++};
    ChoiceReader(context, choice, calls).read(value);
    if (is_failure(choice.native_finish)) return std::unexpected(failure(choice.native_finish, arena));
    answer.choices.push(arena, choice);
  }
  if (answer.choices.empty()) return no_answer("the provider's answer has no choices");
  return {};
}

}  // namespace llmgw::dialects::openai_chat
