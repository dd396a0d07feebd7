#include "dialects/openai_chat/call_stream.h"

#include <utility>

#include "base/text.h"
#include "chat/turns.h"
#include "dialects/openai_chat/message_reader.h"

namespace llmgw::dialects::openai_chat {

using chat::EventKind;
using chat::Part;
using chat::PartKind;

void JsonExtent::feed(std::string_view text) {
  for (const char c : text) {
    if (complete_) return;
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if ((c == '}' || c == ']') && depth_ > 0) {
      complete_ = --depth_ == 0;
    }
  }
}

CallStream::Call* CallStream::find(json::Value value, bool legacy, std::string_view id, std::string_view name,
                                   std::string_view arguments) {
  const auto given_index = legacy ? std::optional<int64_t>(-1) : value["index"].integer();
  Call* found = nullptr;
  for (Call& known : calls_) {
    if (given_index ? known.index == *given_index : id.empty() || known.given_id == id) found = &known;
  }
  if (found != nullptr) {
    const bool other_id = !id.empty() && !found->given_id.empty() && id != found->given_id;
    // Google's surface numbers all parallel calls zero, and may leave their ids empty.
    const bool whole_again = id.empty() && found->given_id.empty() && found->extent.complete() && found->held.empty() &&
                             base::trim(arguments).starts_with('{');
    const bool unnumbered = !given_index && id.empty() && found->started;
    if (!name.empty() && (other_id || whole_again || unnumbered)) found = nullptr;
  }
  if (found != nullptr) return found;
  if (calls_.size() == kCallsMax) return nullptr;
  Call& call = calls_.emplace_back();
  call.index = given_index.value_or(-2 - static_cast<int64_t>(calls_.size()));
  return &call;
}

bool CallStream::read(json::Value value, bool legacy, const ReadContext& context, uint32_t& next_part,
                      uint32_t& call_count, chat::EventSink& sink) {
  Part part;
  (void)read_tool_call(value, context, part);
  if (part.id.empty() && part.name.empty() && part.text.empty() && part.signature == nullptr) return true;
  Call* const call = find(value, legacy, part.id, part.name, part.text);
  if (call == nullptr) return false;
  if (call->given_id.empty()) call->given_id = part.id;
  if (call->name.empty()) call->name = part.name;
  call->custom |= part.custom;
  if (!call->started && !call->name.empty()) {
    for (Call& earlier : calls_) {
      if (&earlier != call && earlier.extent.complete()) stop(earlier, sink);
    }
    call->part = next_part++;
    start(*call, context, call_count, sink);
  }
  if (part.signature != nullptr && call->started) {
    const Part signed_part{.kind = PartKind::tool_call, .signature = part.signature};
    sink.event({.kind = EventKind::signature, .choice = choice_, .part = call->part, .head = &signed_part});
  }
  if (!part.text.empty()) add_arguments(*call, part.text, sink);
  return true;
}

void CallStream::start(Call& call, const ReadContext& context, uint32_t& call_count, chat::EventSink& sink) {
  call.started = true;
  Part head{.kind = PartKind::tool_call, .custom = call.custom, .id = call.given_id, .name = call.name};
  if (context.is_format_tool(call.name)) {
    call.is_text = true;
    head = {.kind = PartKind::text, .name = chat::kFormatToolName};
  } else {
    any_tool_ = true;
    if (call.given_id.empty() || id_taken(call.given_id)) {
      head.id = chat::mint_tool_id(context.id_seed, call_count, context.arena);
    }
    ++call_count;
  }
  sink.event({.kind = EventKind::part_start, .choice = choice_, .part = call.part, .head = &head});
  if (call.held.empty()) return;
  const std::string held = std::move(call.held);
  call.held.clear();
  call.any_arguments = false;
  add_arguments(call, held, sink);
}

void CallStream::add_arguments(Call& call, std::string_view arguments, chat::EventSink& sink) {
  if (!call.started) {
    call.held += arguments;
    return;
  }
  if (call.custom) return emit(call, arguments, sink);
  const bool empty_object = base::trim(arguments) == "{}";
  if (!call.any_arguments && empty_object) {
    call.held = arguments;
    return;
  }
  if (!call.held.empty()) {
    if (!base::trim(arguments).starts_with('{')) emit(call, call.held, sink);
    call.held.clear();
  }
  emit(call, arguments, sink);
}

void CallStream::emit(Call& call, std::string_view arguments, chat::EventSink& sink) {
  call.any_arguments = true;
  if (!call.custom) call.extent.feed(arguments);
  sink.event({.kind = EventKind::delta, .choice = choice_, .part = call.part, .text = arguments});
}

void CallStream::stop(Call& call, chat::EventSink& sink) {
  if (!call.started || call.stopped) return;
  if (!call.held.empty()) emit(call, call.held, sink);
  call.held.clear();
  call.stopped = true;
  sink.event({.kind = EventKind::part_stop, .choice = choice_, .part = call.part});
}

void CallStream::stop_complete(chat::EventSink& sink) {
  for (Call& call : calls_) {
    if (call.extent.complete()) stop(call, sink);
  }
}

void CallStream::stop_all(chat::EventSink& sink) {
  for (Call& call : calls_) stop(call, sink);
}

bool CallStream::id_taken(std::string_view id) const {
  size_t count = 0;
  for (const Call& call : calls_) count += call.started && call.given_id == id ? 1 : 0;
  return count > 1;
}

}  // namespace llmgw::dialects::openai_chat
