#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "dialects/media.h"
#include "dialects/openai/error_reader.h"
#include "dialects/openai_chat/call_stream.h"
#include "dialects/openai_chat/functions.h"
#include "dialects/openai_chat/message_reader.h"
#include "dialects/openai_chat/words.h"

namespace llmgw::dialects::openai_chat {
namespace {

using chat::EventKind;
using chat::EventSink;
using chat::Part;
using chat::PartKind;
using chat::Signature;

// One choice's deltas as parts.
class ChoiceStream {
 public:
  explicit ChoiceStream(uint32_t index) : index_(index), calls_(index) {}

  uint32_t index() const { return index_; }
  bool finished() const { return finished_; }
  // The vendor's word that it broke the choice off; empty if it did not.
  const std::string& failure() const { return failure_; }

  // False: the choice has too many calls.
  bool read(json::Value value, const ReadContext& context, base::Arena& keep, uint32_t& call_count, EventSink& sink) {
    const json::Value delta = value.any_of("delta", "message");
    read_reasoning_delta(delta, context, keep, sink);
    read_text(value, delta, context, sink);
    if (const std::string_view refusal = delta["refusal"].string(context.arena); !refusal.empty()) {
      say(PartKind::refusal, refusal, {}, sink);
    }
    read_media(delta, context, sink);
    const json::Value calls = delta["tool_calls"];
    const json::Value legacy = delta["function_call"];
    for (const json::Value call : calls.elements()) {
      if (!read_call(call, false, context, call_count, sink)) return false;
    }
    if (legacy.is_object() && !read_call(legacy, true, context, call_count, sink)) return false;
    read_finish(value, context, sink);
    return true;
  }

 private:
  void open(PartKind kind, EventSink& sink) {
    if (open_ && kind_ == kind) return;
    close(sink);
    calls_.stop_complete(sink);
    open_ = true;
    kind_ = kind;
    part_ = next_part_++;
    const Part head{.kind = kind};
    sink.event({.kind = EventKind::part_start, .choice = index_, .part = part_, .head = &head});
    if (kind == PartKind::text && text_signature_ != nullptr) sign(*text_signature_, sink);
    if (kind == PartKind::text) text_signature_ = nullptr;
  }

  void close(EventSink& sink) {
    if (!open_) return;
    open_ = signed_ = false;
    sink.event({.kind = EventKind::part_stop, .choice = index_, .part = part_});
  }

  void say(PartKind kind, std::string_view text, std::string_view logprobs, EventSink& sink) {
    // What follows a signature is not what it signs.
    if (kind == PartKind::thinking && signed_) close(sink);
    open(kind, sink);
    sink.event({.kind = EventKind::delta, .choice = index_, .part = part_, .text = text, .logprobs = logprobs});
  }

  void sign(const Signature& signature, EventSink& sink) {
    if (signed_) return;
    signed_ = true;
    const Part head{.kind = kind_, .signature = &signature};
    sink.event({.kind = EventKind::signature, .choice = index_, .part = part_, .head = &head});
  }

  // A part that is nothing but its signature.
  void add_signed(PartKind kind, bool redacted, const Signature& signature, EventSink& sink) {
    close(sink);
    const Part head{.kind = kind, .redacted = redacted, .signature = &signature};
    Part start = head;
    start.signature = nullptr;
    const uint32_t part = next_part_++;
    sink.event({.kind = EventKind::part_start, .choice = index_, .part = part, .head = &start});
    sink.event({.kind = EventKind::signature, .choice = index_, .part = part, .head = &head});
    sink.event({.kind = EventKind::part_stop, .choice = index_, .part = part});
  }

  void read_reasoning_delta(json::Value delta, const ReadContext& context, base::Arena& keep, EventSink& sink) {
    std::string_view text = delta["reasoning_content"].string(context.arena);
    if (text.empty()) text = delta["reasoning"].string(context.arena);
    if (!text.empty()) {
      plain_reasoning_ = true;
      say(PartKind::thinking, text, {}, sink);
    }
    for (const json::Value detail : delta["reasoning_details"].elements()) read_detail(detail, context, keep, sink);
  }

  void read_detail(json::Value detail, const ReadContext& context, base::Arena& keep, EventSink& sink) {
    const std::string_view id = detail["id"].string(context.arena);
    if (detail["type"].equals("reasoning.encrypted")) {
      const Signature* const signature = read_signature(detail["data"], id, context, context.minter);
      if (signature == nullptr) return;
      if (signature->place == chat::SignaturePlace::next_part) {
        text_signature_ = kept(*signature, keep);
      } else {
        const bool own = signature->place == chat::SignaturePlace::own_part;
        add_signed(own ? PartKind::text : PartKind::thinking, !own, *signature, sink);
      }
      return;
    }
    const std::string_view text = detail.any_of("text", "summary").string(context.arena);
    // Where the text comes as reasoning too, this is its copy.
    if (!plain_reasoning_ && !text.empty()) say(PartKind::thinking, text, {}, sink);
    if (const Signature* const signature = read_signature(detail["signature"], id, context, context.minter)) {
      if (signed_ && kind_ == PartKind::thinking) close(sink);
      open(PartKind::thinking, sink);
      sign(*signature, sink);
    }
  }

  static const Signature* kept(const Signature& signature, base::Arena& keep) {
    Signature copy = signature;
    copy.model = keep.copy(signature.model);
    copy.id = keep.copy(signature.id);
    copy.data = keep.copy(signature.data);
    return keep.make<Signature>(copy);
  }

  void read_text(json::Value value, json::Value delta, const ReadContext& context, EventSink& sink) {
    const json::Value content = delta["content"];
    const json::Value logprobs = value["logprobs"]["content"];
    const std::string_view probabilities = logprobs.is_array() && !logprobs.empty() ? logprobs.raw() : "";
    if (content.is_array()) {
      read_list(content, context, sink);
    } else {
      const std::string_view text = content.string(context.arena);
      if (!text.empty() || !probabilities.empty()) say(PartKind::text, text, probabilities, sink);
    }
    const json::Value annotations = delta["annotations"];
    if (annotations.is_array() && !annotations.empty()) {
      open(PartKind::text, sink);
      const Part head{.kind = PartKind::text, .origin = chat::Dialect::openai_chat};
      sink.event(
          {.kind = EventKind::citations, .choice = index_, .part = part_, .text = annotations.raw(), .head = &head});
    }
    if (const Signature* const signature = read_thought_signature(delta, context)) {
      if (open_ && kind_ == PartKind::text) {
        sign(*signature, sink);
      } else {
        add_signed(PartKind::text, false, *signature, sink);
      }
    }
  }

  // Mistral's content of several kinds.
  void read_list(json::Value content, const ReadContext& context, EventSink& sink) {
    chat::List<Part> parts;
    (void)read_content(content, "content", context, parts);
    for (const Part& part : parts) {
      const bool known = part.kind == PartKind::text || part.kind == PartKind::thinking;
      if (known && !part.text.empty()) say(part.kind, part.text, {}, sink);
    }
  }

  void read_media(json::Value delta, const ReadContext& context, EventSink& sink) {
    // Speech comes in pieces of samples no other dialect can take; what it says can be read.
    const std::string_view transcript = delta["audio"]["transcript"].string(context.arena);
    if (!transcript.empty()) say(PartKind::text, transcript, {}, sink);
    for (const json::Value image : delta["images"].elements()) {
      const std::string_view url = image["image_url"]["url"].string(context.arena);
      if (url.empty()) continue;
      close(sink);
      const chat::Media media = media_from_text(url, {}, context.arena);
      const Part head{.kind = PartKind::image, .media = &media};
      const uint32_t part = next_part_++;
      sink.event({.kind = EventKind::part_start, .choice = index_, .part = part, .head = &head});
      sink.event({.kind = EventKind::part_stop, .choice = index_, .part = part});
    }
  }

  bool read_call(json::Value call, bool legacy, const ReadContext& context, uint32_t& call_count, EventSink& sink) {
    close(sink);
    return calls_.read(call, legacy, context, next_part_, call_count, sink);
  }

  void read_finish(json::Value value, const ReadContext& context, EventSink& sink) {
    const std::string_view word = value["finish_reason"].string(context.arena);
    if (word.empty()) return;
    finished_ = true;
    close(sink);
    calls_.stop_all(sink);
    // Told once the stream is over: what was used comes behind it, and is paid.
    if (is_failure(word)) {
      failure_ = word;
      return;
    }
    chat::Choice choice{.index = index_, .finish = finish_from(word), .native_finish = word};
    if (choice.finish == chat::Finish::tool && !calls_.any_tool()) choice.finish = chat::Finish::stop;
    chat::Answer answer;
    answer.choices = chat::List<chat::Choice>::of(&choice, 1);
    sink.event({.kind = EventKind::finish, .choice = index_, .answer = &answer});
  }

  uint32_t index_;
  CallStream calls_;
  uint32_t next_part_ = 0;
  uint32_t part_ = 0;
  PartKind kind_ = PartKind::text;
  bool open_ = false;
  bool signed_ = false;
  bool plain_reasoning_ = false;
  bool finished_ = false;
  std::string failure_;
  const Signature* text_signature_ = nullptr;
};

class ChatStreamReader final : public StreamReader {
 public:
  explicit ChatStreamReader(const ReadContext& context) : arena_(context.arena), context_(context.with(scratch_)) {}

  void read(const chat::WireEvent& event, EventSink& sink) override {
    const std::string_view data = base::trim(event.data);
    if (over_ || data.empty()) return;
    if (data.starts_with("[DONE]")) {
      if (!started_) return fail("the provider's answer has nothing in it", sink);
      over_ = true;
      if (choices_.empty()) return fail("the provider's answer has no choices", sink);
      if (broken_off(sink)) return;
      const auto finished = [](const ChoiceStream& choice) { return choice.finished(); };
      // Some vendors never say why; but who said it of one choice has left the others unfinished.
      if (std::ranges::any_of(choices_, finished) && !std::ranges::all_of(choices_, finished)) {
        return fail("the provider's answer ended before every choice was complete", sink);
      }
      return sink.event({.kind = EventKind::end});
    }
    scratch_.reset();
    const auto root = json::parse_tree(context_.parser, data, scratch_);
    if (!root || !root->is_object()) return fail("the provider's stream has an event that is no JSON object", sink);
    const json::Value error = openai::error_in(*root);
    if (error.present() || event.name == "error") {
      return fail(openai::read_error_value(error.present() ? error : *root, *root, scratch_), sink);
    }
    read_chunk(*root, sink);
  }

  void transport_ended(EventSink& sink) override {
    if (over_ || choices_.empty()) return;
    for (const ChoiceStream& choice : choices_) {
      if (!choice.finished()) return;
    }
    // Every choice said why it stopped: some vendors leave it at that.
    over_ = true;
    if (broken_off(sink)) return;
    sink.event({.kind = EventKind::end});
  }

 private:
  static constexpr size_t kChoicesMax = 128;  // OpenAI's bound on n

  // Whether the vendor broke a choice off itself; the client is told.
  bool broken_off(EventSink& sink) {
    for (const ChoiceStream& choice : choices_) {
      if (choice.failure().empty()) continue;
      fail(failure(choice.failure(), arena_), sink);
      return true;
    }
    return false;
  }
  void fail(std::string_view message, EventSink& sink) {
    fail({.kind = chat::ErrorKind::upstream_failed, .message = message}, sink);
  }
  void fail(const chat::ClientError& error, EventSink& sink) {
    over_ = true;
    sink.event({.kind = EventKind::error, .error = &error});
  }

  void read_chunk(json::Value root, EventSink& sink) {
    const json::Value choices = root["choices"];
    if (!started_) start(root, !choices.empty(), sink);
    for (const json::Value choice : choices.elements()) {
      const json::Value error = choice["error"];
      if (openai::is_error_value(error)) return fail(openai::read_error_value(error, choice, scratch_), sink);
      ChoiceStream* const stream = find_choice(choice["index"].unsigned_integer().value_or(0));
      if (stream == nullptr) return fail("the provider's answer has too many choices", sink);
      if (!stream->read(choice, context_, arena_, call_count_, sink)) {
        return fail("the provider's answer has too many tool calls", sink);
      }
    }
    json::Value usage = root["usage"];
    if (!usage.is_object()) usage = root["x_groq"]["usage"];
    if (!usage.is_object()) return;
    chat::Answer answer;
    answer.usage = read_usage(usage);
    if (answer.usage.known()) sink.event({.kind = EventKind::usage, .answer = &answer});
  }

  // Azure's first chunk has only what its filter thinks of the prompt.
  void start(json::Value root, bool any_choice, EventSink& sink) {
    chat::Answer answer;
    answer.id = root["id"].string(scratch_);
    answer.model = root["model"].string(scratch_);
    if (answer.id.empty() && !any_choice) return;
    started_ = true;
    answer.created = root["created"].integer().value_or(0);
    answer.service_tier = root["service_tier"].string(scratch_);
    answer.system_fingerprint = root["system_fingerprint"].string(scratch_);
    sink.event({.kind = EventKind::start, .answer = &answer});
  }

  ChoiceStream* find_choice(uint64_t index) {
    for (ChoiceStream& choice : choices_) {
      if (choice.index() == index) return &choice;
    }
    if (choices_.size() == kChoicesMax || index > UINT32_MAX) return nullptr;
    return &choices_.emplace_back(static_cast<uint32_t>(index));
  }

  base::Arena& arena_;   // the request's: what outlives an event
  base::Arena scratch_;  // one event's
  ReadContext context_;
  std::vector<ChoiceStream> choices_;
  uint32_t call_count_ = 0;
  bool started_ = false;
  bool over_ = false;
};

}  // namespace

std::unique_ptr<StreamReader> make_stream_reader(const ReadContext& context) {
  return std::make_unique<ChatStreamReader>(context);
}

}  // namespace llmgw::dialects::openai_chat
