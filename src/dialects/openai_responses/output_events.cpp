// The second half of OutputWriter: the JSON of items and events.
#include <algorithm>

#include "dialects/openai/error.h"
#include "dialects/openai_responses/items.h"
#include "dialects/openai_responses/output_writer.h"

namespace llmgw::dialects::openai_responses {
namespace {

// The JSON without white space between its tokens: an event's data has to stand on one line.
std::string compact(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  bool in_string = false;
  bool escaped = false;
  for (const char c : json) {
    if (in_string) {
      in_string = escaped || c != '"';
      escaped = !escaped && c == '\\';
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      continue;
    } else {
      in_string = c == '"';
    }
    out += c;
  }
  return out;
}

bool is_phase(std::string_view text) {
  return text == "commentary" || text == "final_answer";
}

}  // namespace

void OutputWriter::fail(const chat::ClientError& error) {
  over_ = true;
  status_ = Status::failed;
  error_code_ = failure_code(error);
  error_message_ = error.message;
  if (!streaming()) return;
  event_type_ = "error";
  event_ = openai::responses_error_event(error, sequence_number_++);
  sink_->event({.name = event_type_, .data = event_});
  send_response("response.failed");
}

json::Writer OutputWriter::begin(std::string_view type) {
  event_.clear();
  event_type_ = type;
  json::Writer writer(event_);
  writer.begin_object().member("type", type).member("sequence_number", sequence_number_++);
  return writer;
}

json::Writer OutputWriter::begin_item_event(std::string_view type) {
  json::Writer writer = begin(type);
  writer.member("item_id", item_id_).member("output_index", output_index_);
  return writer;
}

void OutputWriter::send(json::Writer& writer) {
  writer.end_object();
  if (event_.find_first_of("\r\n") != std::string::npos) event_ = compact(event_);
  sink_->event({.name = event_type_, .data = event_});
}

void OutputWriter::send_item(std::string_view type, std::string_view item) {
  if (!streaming()) return;
  json::Writer writer = begin(type);
  writer.member("output_index", output_index_).raw_member("item", item);
  send(writer);
}

void OutputWriter::send_response(std::string_view type) {
  if (!streaming()) return;
  json::Writer writer = begin(type);
  writer.key("response");
  write_response(writer, state(), echo_);
  send(writer);
}

void OutputWriter::write_text_part(json::Writer& writer) const {
  writer.begin_object();
  if (kind_ == chat::PartKind::refusal) {
    writer.member("type", "refusal").member("refusal", text_).end_object();
    return;
  }
  writer.member("type", "output_text").key("annotations").begin_array();
  if (!annotations_.empty()) writer.raw(annotations_);
  writer.end_array().key("logprobs").begin_array();
  if (!logprobs_.empty()) writer.raw(logprobs_);
  writer.end_array().member("text", text_).end_object();
}

std::string OutputWriter::item_json(std::string_view status) const {
  std::string item;
  json::Writer writer(item);
  writer.begin_object().member("id", item_id_);
  switch (open_) {
    case Open::none: break;
    case Open::message:
      writer.member("type", "message").member("status", status).key("content").begin_array();
      if (!contents_.empty()) writer.raw(contents_);
      writer.end_array();
      if (is_phase(phase_)) writer.member("phase", phase_);
      writer.member("role", "assistant");
      break;
    case Open::reasoning:
      writer.member("type", "reasoning").key("summary").begin_array();
      if (!item_text_.empty()) {
        writer.begin_object().member("type", "summary_text").member("text", item_text_).end_object();
      }
      writer.end_array();
      if (has_signature_) writer.member("encrypted_content", encrypted_content());
      break;
    case Open::call:
      writer.member("type", "function_call").member("status", status);
      writer.member("arguments", status == "in_progress" ? std::string_view{} : arguments());
      writer.member("call_id", call_id_).member("name", name_);
      break;
    case Open::custom_call:
      writer.member("type", "custom_tool_call").member("status", status).member("call_id", call_id_);
      writer.member("input", item_text_).member("name", name_);
      break;
  }
  writer.end_object();
  return item;
}

std::string_view OutputWriter::arguments() const {
  // Clients parse them: no arguments are an empty object.
  return item_text_.empty() ? std::string_view("{}") : std::string_view(item_text_);
}

std::string OutputWriter::encrypted_content() const {
  if (!redacted_ && signature_.minter == chat::native_minter(chat::Dialect::openai_responses)) return signature_data_;
  chat::Signature signature = signature_;
  signature.place = chat::SignaturePlace::thinking;
  if (redacted_) signature.id = kRedactedId;
  return std::string(chat::wrap_signature(signature, context_.arena));
}

std::string OutputWriter::mint_id(std::string_view prefix, std::string_view own) {
  // What OpenAI's clients may send back as an id.
  constexpr size_t kItemIdBytesMax = 64;
  if (own.starts_with(prefix) && own.size() <= kItemIdBytesMax && own != last_own_id_) {
    last_own_id_ = own;
    return last_own_id_;
  }
  std::string id(prefix);
  // A thought that no other provider can look up by this.
  if (prefix == kReasoningPrefix) id += kMintedMark;
  id += id_base_;
  id += '_';
  id += std::to_string(minted_++);
  return id;
}

ResponseState OutputWriter::state() const {
  return {.status = status_,
          .id = response_id_,
          .created_at = created_at_,
          .model = context_.model,
          .service_tier = service_tier_,
          .incomplete_reason = incomplete_reason_,
          .error_code = error_code_,
          .error_message = error_message_,
          .output = output_,
          .usage = &usage_};
}

}  // namespace llmgw::dialects::openai_responses
