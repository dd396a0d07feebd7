#include "dialects/openai_responses/output_writer.h"

#include <algorithm>

#include "chat/turns.h"
#include "dialects/openai_responses/annotations.h"
#include "dialects/openai_responses/items.h"
#include "dialects/openai_responses/response_object.h"
#include "json/tree.h"

namespace llmgw::dialects::openai_responses {

using chat::EventKind;
using chat::PartKind;

OutputWriter::OutputWriter(const AnswerContext& context, chat::WireSink* sink)
    : context_(context), sink_(sink), echo_(request_echo(*context.request)), id_base_(id_text(context.request_id)) {
  response_id_ = response_id(context.request_id);
  created_at_ = context.now;
}

void OutputWriter::event(const chat::StreamEvent& event) {
  // There is one answer here; more were not asked for.
  if (over_ || event.choice != 0) return;
  switch (event.kind) {
    case EventKind::start: start(*event.answer); break;
    case EventKind::part_start: start_part(*event.head); break;
    case EventKind::delta: delta(event.text, event.logprobs); break;
    case EventKind::signature:
      if (event.head->has_signature()) sign(*event.head->signature);
      break;
    case EventKind::citations: cite(event.text, event.head->origin); break;
    case EventKind::part_stop: stop_part(); break;
    case EventKind::usage: usage_ = event.answer->usage; break;
    case EventKind::finish: finish(event.answer->choices.front()); break;
    case EventKind::end: end(); break;
    case EventKind::error: fail(*event.error); break;
    case EventKind::keep_alive: break;
  }
}

void OutputWriter::start(const chat::Answer& answer) {
  if (answer.created != 0) created_at_ = answer.created;
  service_tier_ = answer.service_tier;
  usage_ = answer.usage;
  send_response("response.created");
  send_response("response.in_progress");
}

void OutputWriter::start_part(const chat::Part& head) {
  part_open_ = false;
  switch (head.kind) {
    case PartKind::opaque:
      if (head.origin == chat::Dialect::openai_responses) add_whole_item(head.text);
      return;
    case PartKind::image:
      if (head.media != nullptr) add_image(*head.media, head.id);
      return;
    case PartKind::text:
    case PartKind::refusal:
    case PartKind::thinking:
    case PartKind::tool_call: break;
    default: return;
  }
  part_open_ = true;
  visible_ = has_signature_ = false;
  kind_ = head.kind;
  redacted_ = head.redacted;
  custom_ = head.custom;
  head_id_ = head.id;
  head_name_ = head.name;
  unwrap_ = kind_ == PartKind::tool_call && !custom_ && stands_for_custom_tool(head.name);
  text_.clear();
  said_.start_part();
  logprobs_.clear();
  annotations_.clear();
  annotation_count_ = 0;
}

void OutputWriter::delta(std::string_view text, std::string_view logprobs) {
  if (!part_open_) return;
  bytes_ += text.size() + logprobs.size();
  if (bytes_ > kOutputBytesMax) {
    return fail({.kind = chat::ErrorKind::upstream_failed, .message = "the provider's answer is too large"});
  }
  if (unwrap_) return static_cast<void>(text_ += text);
  if (!visible_) open_part(true);
  text_ += text;
  if (kind_ == PartKind::text) said_.add(text);
  std::string tokens;
  if (!logprobs.empty() && kind_ == PartKind::text) {
    append_logprobs(tokens, logprobs, parser_);
    if (!logprobs_.empty() && !tokens.empty()) logprobs_ += ',';
    logprobs_ += tokens;
  }
  if (!streaming()) return;
  if (kind_ == PartKind::text) {
    auto writer = begin_item_event("response.output_text.delta");
    writer.member("content_index", content_index_).member("delta", text).key("logprobs").begin_array();
    if (!tokens.empty()) writer.raw(tokens);
    writer.end_array();
    send(writer);
  } else if (kind_ == PartKind::refusal) {
    auto writer = begin_item_event("response.refusal.delta");
    writer.member("content_index", content_index_).member("delta", text);
    send(writer);
  } else if (kind_ == PartKind::thinking) {
    auto writer = begin_item_event("response.reasoning_summary_text.delta");
    writer.member("summary_index", 0).member("delta", text);
    send(writer);
  } else {
    auto writer =
        begin_item_event(custom_ ? "response.custom_tool_call_input.delta" : "response.function_call_arguments.delta");
    writer.member("delta", text);
    send(writer);
  }
}

void OutputWriter::sign(const chat::Signature& signature) {
  if (!part_open_) return;
  has_signature_ = true;
  signature_model_ = signature.model;
  signature_id_ = signature.id;
  signature_data_ = signature.data;
  signature_ = {.minter = signature.minter,
                .place = signature.place,
                .model = signature_model_,
                .id = signature_id_,
                .data = signature_data_};
}

void OutputWriter::cite(std::string_view citations, chat::Dialect origin) {
  if (!part_open_ || kind_ != PartKind::text) return;
  if (!visible_) open_part(true);
  std::string added;
  const size_t count = append_annotations(added, citations, origin, said_, parser_);
  if (count == 0) return;
  if (!annotations_.empty()) annotations_ += ',';
  annotations_ += added;
  if (streaming()) {
    base::Arena arena;
    const std::string array = '[' + added + ']';
    const auto root = json::parse_tree(parser_, array, arena);
    uint32_t index = annotation_count_;
    for (const json::Value annotation : root->elements()) {
      auto writer = begin_item_event("response.output_text.annotation.added");
      writer.member("content_index", content_index_).member("annotation_index", index++);
      writer.raw_member("annotation", annotation.raw());
      send(writer);
    }
  }
  annotation_count_ += static_cast<uint32_t>(count);
}

void OutputWriter::stop_part() {
  if (!part_open_) return;
  part_open_ = false;
  switch (kind_) {
    case PartKind::thinking:
      // Reasoning that says nothing and proves nothing is not worth an item, unless the provider made one of it.
      if (!visible_ && !has_signature_ && head_id_.empty()) return;
      if (!visible_) open_part(false);
      return stop_reasoning();
    case PartKind::tool_call:
      if (unwrap_) unwrap_custom_call();
      if (!visible_) open_part(false);
      stop_call();
      break;
    default:
      if (visible_) stop_text();
  }
  // On an empty text, or too late to stand in front.
  if (has_signature_) add_signature_item(chat::SignaturePlace::own_part);
}

void OutputWriter::open_part(bool with_text) {
  if (kind_ == PartKind::thinking) {
    open_reasoning(with_text);
  } else {
    if (has_signature_) add_signature_item(chat::SignaturePlace::next_part);
    kind_ == PartKind::tool_call ? open_call() : open_text();
  }
  visible_ = true;
}

void OutputWriter::open_text() {
  if (open_ != Open::message || message_key_ != head_id_ || phase_ != head_name_) {
    close_item("completed");
    open_ = Open::message;
    message_key_ = head_id_;
    phase_ = head_name_;
    item_id_ = mint_id("msg_", head_id_);
    contents_.clear();
    content_index_ = 0;
    send_item("response.output_item.added", item_json("in_progress"));
  } else {
    ++content_index_;
  }
  if (kind_ == PartKind::refusal) any_refusal_ = true;
  if (!streaming()) return;
  auto writer = begin_item_event("response.content_part.added");
  writer.member("content_index", content_index_).key("part");
  write_text_part(writer);
  send(writer);
}

void OutputWriter::stop_text() {
  if (streaming()) {
    auto done = begin_item_event(kind_ == PartKind::refusal ? "response.refusal.done" : "response.output_text.done");
    done.member("content_index", content_index_).member(kind_ == PartKind::refusal ? "refusal" : "text", text_);
    if (kind_ == PartKind::text) {
      done.key("logprobs").begin_array();
      if (!logprobs_.empty()) done.raw(logprobs_);
      done.end_array();
    }
    send(done);
    auto part = begin_item_event("response.content_part.done");
    part.member("content_index", content_index_).key("part");
    write_text_part(part);
    send(part);
  }
  if (!contents_.empty()) contents_ += ',';
  json::Writer writer(contents_);
  write_text_part(writer);
}

void OutputWriter::open_reasoning(bool with_text) {
  close_item("completed");
  open_ = Open::reasoning;
  item_id_ = mint_id(kReasoningPrefix, has_signature_ && !signature_id_.empty() ? signature_id_ : head_id_);
  item_text_.clear();
  send_item("response.output_item.added", item_json("in_progress"));
  // A summary begins with its first text; what comes as a signature alone has none.
  if (!streaming() || !with_text) return;
  auto writer = begin_item_event("response.reasoning_summary_part.added");
  writer.member("summary_index", 0).key("part").begin_object().member("type", "summary_text").member("text", "");
  writer.end_object();
  send(writer);
  summary_open_ = true;
}

void OutputWriter::stop_reasoning() {
  if (summary_open_) {
    auto done = begin_item_event("response.reasoning_summary_text.done");
    done.member("summary_index", 0).member("text", text_);
    send(done);
    auto part = begin_item_event("response.reasoning_summary_part.done");
    part.member("summary_index", 0).key("part").begin_object().member("type", "summary_text").member("text", text_);
    part.end_object();
    send(part);
    summary_open_ = false;
  }
  item_text_.swap(text_);
  close_item("completed");
}

void OutputWriter::open_call() {
  close_item("completed");
  open_ = custom_ ? Open::custom_call : Open::call;
  item_id_ = mint_id(custom_ ? "ctc_" : "fc_", {});
  call_id_ = head_id_.empty() ? chat::mint_tool_id(context_.request_id, minted_, context_.arena)
                              : chat::fit_tool_id(head_id_, chat::ToolIdRule::any, kCallIdBytesMax, context_.arena);
  name_ = head_name_;
  item_text_.clear();
  send_item("response.output_item.added", item_json("in_progress"));
}

void OutputWriter::stop_call() {
  item_text_.swap(text_);
  if (!streaming()) return;
  // Clients may go by the deltas alone, so "{}" is said in one, as the service itself does.
  if (!custom_ && item_text_.empty()) {
    auto delta = begin_item_event("response.function_call_arguments.delta");
    delta.member("delta", arguments());
    send(delta);
  }
  auto writer =
      begin_item_event(custom_ ? "response.custom_tool_call_input.done" : "response.function_call_arguments.done");
  if (custom_) {
    writer.member("input", item_text_);
  } else {
    writer.member("name", name_).member("arguments", arguments());
  }
  send(writer);
}

void OutputWriter::unwrap_custom_call() {
  custom_ = true;
  std::string input = text_;
  base::Arena arena;
  if (const auto root = json::parse_tree(parser_, text_, arena)) {
    if (const json::Value value = (*root)[chat::kCustomInputMember]; value.is_string()) input = value.string(arena);
  }
  text_.clear();
  unwrap_ = false;
  part_open_ = true;
  delta(input, {});
  part_open_ = false;
}

bool OutputWriter::stands_for_custom_tool(std::string_view name) const {
  return std::ranges::any_of(context_.request->tools, [&](const chat::Tool& tool) {
    return tool.kind == chat::ToolKind::custom && tool.name == name;
  });
}

void OutputWriter::close_item(std::string_view status) {
  if (open_ == Open::none) return;
  const std::string item = item_json(status);
  send_item("response.output_item.done", item);
  if (!output_.empty()) output_ += ',';
  output_ += item;
  ++output_index_;
  open_ = Open::none;
}

void OutputWriter::add_whole_item(std::string_view item) {
  close_item("completed");
  bytes_ += item.size();
  send_item("response.output_item.added", item);
  send_item("response.output_item.done", item);
  if (!output_.empty()) output_ += ',';
  output_ += item;
  ++output_index_;
}

void OutputWriter::add_signature_item(chat::SignaturePlace place) {
  signature_.place = place;
  has_signature_ = false;
  std::string item;
  json::Writer writer(item);
  writer.begin_object().member("id", mint_id(kReasoningPrefix, {})).member("type", "reasoning");
  writer.key("summary").begin_array().end_array();
  writer.member("encrypted_content", chat::wrap_signature(signature_, context_.arena)).end_object();
  add_whole_item(item);
}

void OutputWriter::add_image(const chat::Media& media, std::string_view id) {
  if (media.source != chat::MediaSource::base64) return;
  std::string item;
  json::Writer writer(item);
  writer.begin_object().member("id", mint_id("ig_", id)).member("type", "image_generation_call");
  writer.member("status", "completed");
  const std::string_view format =
      media.media_type.substr(std::min(media.media_type.find('/'), media.media_type.size()));
  if (format.size() > 1) writer.member("output_format", format.substr(1));
  writer.member("result", media.data).end_object();
  add_whole_item(item);
}

void OutputWriter::finish(const chat::Choice& choice) {
  switch (choice.finish) {
    case chat::Finish::length:
      status_ = Status::incomplete;
      incomplete_reason_ = "max_output_tokens";
      break;
    case chat::Finish::refusal:
      if (any_refusal_) return;
      if (!choice.explanation.empty()) {
        start_part({.kind = PartKind::refusal, .id = message_key_, .name = phase_});
        delta(choice.explanation, {});
        stop_part();
      }
      [[fallthrough]];
    case chat::Finish::filter:
      status_ = Status::incomplete;
      incomplete_reason_ = "content_filter";
      break;
    case chat::Finish::malformed_tool:
      status_ = Status::failed;
      error_code_ = "server_error";
      error_message_ = choice.explanation.empty() ? "The model tried to call a tool and failed." : choice.explanation;
      break;
    default: break;
  }
}

void OutputWriter::end() {
  if (status_ == Status::in_progress) status_ = Status::completed;
  close_item(status_ == Status::completed ? "completed" : "incomplete");
  over_ = true;
  send_response(status_ == Status::completed    ? "response.completed"
                : status_ == Status::incomplete ? "response.incomplete"
                                                : "response.failed");
}

void OutputWriter::write_document(std::string& out) const {
  json::Writer writer(out);
  write_response(writer, state(), echo_);
}

}  // namespace llmgw::dialects::openai_responses
