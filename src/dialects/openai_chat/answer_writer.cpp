#include "dialects/openai_chat/functions.h"
#include "dialects/openai_chat/message_writer.h"
#include "dialects/openai_chat/words.h"

namespace llmgw::dialects::openai_chat {
namespace {

using chat::Part;
using chat::PartKind;

// A choice's parts, sorted into the members a message has.
class MessageBuilder {
 public:
  explicit MessageBuilder(const AnswerContext& context) : context_(context) {}

  void add(const Part& part) {
    switch (part.kind) {
      case PartKind::text: return add_text(part);
      case PartKind::refusal:
        refused_ = true;
        refusal_ += part.text;
        return;
      case PartKind::thinking: return add_thinking(part);
      case PartKind::tool_call: return add_call(part);
      case PartKind::image:
        if (part.media != nullptr) write_image(images_writer_, part, image_count_++);
        return;
      case PartKind::audio:
        if (part.media != nullptr && audio_.empty()) write_audio(audio_writer_, part, context_);
        return;
      // Only their own dialect understands these; OpenAI's messages have no place for them.
      case PartKind::tool_result:
      case PartKind::video:
      case PartKind::document:
      case PartKind::opaque: return;
    }
  }

  bool refused() const { return refused_; }

  void write(json::Writer& w) const {
    const bool no_content = refused_ || !calls_.empty() || !function_call_.empty() || !audio_.empty();
    w.begin_object().member("role", "assistant");
    if (content_.empty() && no_content) {
      w.null_member("content");
    } else {
      w.member("content", content_);
    }
    if (refused_) {
      w.member("refusal", refusal_);
    } else {
      w.null_member("refusal");
    }
    if (!reasoning_.empty()) w.member("reasoning_content", reasoning_);
    list(w, "reasoning_details", details_);
    list(w, "annotations", annotations_);
    list(w, "images", images_);
    list(w, "tool_calls", calls_);
    if (!function_call_.empty()) w.raw_member("function_call", function_call_);
    if (!audio_.empty()) w.raw_member("audio", audio_);
    w.end_object();
  }

 private:
  static void list(json::Writer& w, std::string_view name, const std::string& elements) {
    if (elements.empty()) return;
    w.key(name).begin_array().raw(elements).end_array();
  }

  void add_text(const Part& part) {
    content_ += part.text;
    said_.start_part();
    said_.add(part.text);
    if (!part.citations.empty()) {
      const std::string found = annotations_from(part.citations, part.origin, said_, context_.parser, context_.arena);
      if (found.size() > 2) annotations_writer_.raw(std::string_view(found).substr(1, found.size() - 2));
    }
    if (part.has_signature()) write_detail(details_writer_, part, detail_count_++, context_.arena);
  }

  void add_thinking(const Part& part) {
    if (context_.request->reasoning.visible == false && !part.redacted) return;
    reasoning_ += part.text;
    if (part.has_signature()) write_detail(details_writer_, part, detail_count_++, context_.arena);
  }

  void add_call(const Part& part) {
    const bool custom = part.custom || is_custom_tool(*context_.request, part.name);
    if (context_.request->legacy_functions) {
      if (!function_call_.empty()) return;
      json::Writer(function_call_)
          .begin_object()
          .member("name", part.name)
          .member("arguments", part.text.empty() ? "{}" : part.text)
          .end_object();
      return;
    }
    json::Writer& w = calls_writer_;
    w.begin_object().member("id", part.id).member("type", custom ? "custom" : "function");
    w.key(custom ? "custom" : "function").begin_object().member("name", part.name);
    if (custom) {
      w.member("input", part.custom ? part.text : custom_input(part.text, context_.parser, context_.arena));
    } else {
      w.member("arguments", part.text.empty() ? "{}" : part.text);
    }
    w.end_object();
    if (part.has_signature()) write_thought_signature(w, *part.signature, context_.arena);
    w.end_object();
  }

  const AnswerContext& context_;
  bool refused_ = false;
  uint32_t detail_count_ = 0;
  uint32_t image_count_ = 0;
  std::string content_;
  std::string refusal_;
  std::string reasoning_;
  std::string function_call_;
  // Elements of lists, separated by commas.
  std::string details_;
  SaidText said_;
  std::string annotations_;
  std::string images_;
  std::string calls_;
  std::string audio_;
  json::Writer details_writer_{details_};
  json::Writer annotations_writer_{annotations_};
  json::Writer images_writer_{images_};
  json::Writer calls_writer_{calls_};
  json::Writer audio_writer_{audio_};
};

void write_choice(json::Writer& w, const chat::Choice& choice, const AnswerContext& context) {
  MessageBuilder message(context);
  for (const Part& part : choice.parts) message.add(part);
  w.begin_object().member("index", choice.index).key("message");
  message.write(w);
  if (choice.logprobs.empty()) {
    w.null_member("logprobs");
  } else {
    w.key("logprobs").begin_object().raw_member("content", choice.logprobs).null_member("refusal").end_object();
  }
  w.member("finish_reason", finish_word(choice.finish, context.request->legacy_functions, message.refused()));
  w.end_object();
}

}  // namespace

void write_answer(const chat::Answer& answer, const AnswerContext& context, std::string& out) {
  json::Writer w(out);
  w.begin_object().member("id", answer_id(answer.id, context.request_id, context.arena));
  w.member("object", "chat.completion").member("created", answer.created != 0 ? answer.created : context.now);
  w.member("model", context.model).key("choices").begin_array();
  for (const chat::Choice& choice : answer.choices) write_choice(w, choice, context);
  w.end_array();
  if (answer.usage.known()) {
    w.key("usage");
    write_usage(w, answer.usage);
  }
  const std::string_view tier = service_tier_word(answer.service_tier);
  if (!tier.empty()) w.member("service_tier", tier);
  if (!answer.system_fingerprint.empty()) w.member("system_fingerprint", answer.system_fingerprint);
  w.end_object();
}

}  // namespace llmgw::dialects::openai_chat
