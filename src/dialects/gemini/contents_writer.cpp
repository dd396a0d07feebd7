#include "dialects/gemini/contents_writer.h"

#include "chat/arguments.h"
#include "dialects/gemini/parts.h"
#include "dialects/gemini/words.h"
#include "dialects/losses.h"
#include "dialects/media.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects::gemini {

using chat::MediaSource;
using chat::Part;
using chat::PartKind;
using chat::Role;

namespace {

// Gemini 3 refuses a turn whose first call is unsigned; this text is documented to pass ("Thought signatures", FAQ,
// 2026) for histories that come from elsewhere.
constexpr std::string_view kNoSignature = "skip_thought_signature_validator";

std::string_view not_taken(PartKind kind) {
  switch (kind) {
    case PartKind::image: return "This model does not take images.";
    case PartKind::audio: return "This model does not take audio.";
    case PartKind::video: return "This model does not take video.";
    default: return "This model does not take documents.";
  }
}

}  // namespace

chat::Conversation ContentsWriter::arrange() {
  chat::TurnRules rules;
  rules.results_in_user_turn = true;
  // A content that mixes responses with other parts is taken for the model's.
  rules.results_alone = true;
  rules.media_out_of_results = !target_.tool_result_images;
  rules.user_first = true;
  rules.allow_prefill = target_.assistant_prefill;
  rules.mid_system = false;
  rules.opaque_of = chat::Dialect::gemini;
  rules.minter = target_.minter;
  rules.model = target_.model;
  rules.thinking_needs_signature = true;
  rules.id_rule = target_.tool_id_rule;
  rules.id_max = target_.tool_id_max;
  rules.ids_unique = target_.tool_ids_unique;
  return chat::arrange(request_, rules, context_.arena, context_.warnings);
}

Outcome<void> ContentsWriter::write(const chat::Conversation& conversation) {
  w_.key("contents").begin_array();
  for (const chat::Turn& turn : conversation.turns) TRY_VOID(write_turn(turn));
  w_.end_array();
  return {};
}

Outcome<void> ContentsWriter::write_turn(const chat::Turn& turn) {
  first_call_ = true;
  pending_ = nullptr;
  w_.begin_object().member("role", turn.role == Role::assistant ? "model" : "user").key("parts").begin_array();
  for (const Part& part : turn.parts) {
    // Where the client's dialect could not keep a signature on its part, it stands in front.
    const bool carrier = part.kind == PartKind::thinking && part.text.empty() && part.has_signature() &&
                         part.signature->place == chat::SignaturePlace::next_part;
    if (carrier) {
      pending_ = part.signature;
      continue;
    }
    TRY_VOID(write_part(part));
  }
  w_.end_array().end_object();
  return {};
}

void ContentsWriter::write_text(std::string_view text) {
  w_.begin_object().member("text", text).end_object();
}

bool ContentsWriter::takes_back(const Part& part) const {
  return part.has_signature() && chat::may_return(*part.signature, target_.minter, target_.model);
}

void ContentsWriter::write_signature(const Part& part) {
  const chat::Signature* const signature = takes_back(part) ? part.signature : pending_;
  pending_ = nullptr;
  const bool call = part.kind == PartKind::tool_call;
  if (signature != nullptr) {
    w_.member("thoughtSignature", signature->data);
  } else if (call && first_call_ && target_.reasoning == chat::ReasoningStyle::gemini_level) {
    w_.member("thoughtSignature", kNoSignature);
  }
  if (call) first_call_ = false;
}

Outcome<void> ContentsWriter::write_part(const Part& part) {
  switch (part.kind) {
    case PartKind::text:
    case PartKind::refusal:
      w_.begin_object().member("text", part.text);
      write_signature(part);
      w_.end_object();
      return {};
    case PartKind::thinking: {
      w_.begin_object().member("text", part.text);
      const bool own_part = part.has_signature() && part.signature->place == chat::SignaturePlace::own_part;
      if (!own_part) w_.member("thought", true);
      write_signature(part);
      w_.end_object();
      return {};
    }
    case PartKind::tool_call: write_call(part); return {};
    case PartKind::tool_result: return write_result(part);
    case PartKind::image:
    case PartKind::audio:
    case PartKind::video:
    case PartKind::document: return write_media(part);
    case PartKind::opaque: break;
  }
  write_opaque(w_, part.text, takes_back(part) ? part.signature->data : std::string_view());
  return {};
}

// Google fetches from the web and from its own storage; other schemes would mean other machines' files.
Outcome<void> ContentsWriter::check_address(const chat::Media& media, std::string_view field) {
  if (media.source != MediaSource::url || is_web_address(media.data) || media.data.starts_with("gs://")) return {};
  return invalid(context_.arena, field,
                 "This model fetches files from http, https and gs addresses only: send the file itself.");
}

Outcome<void> ContentsWriter::write_media(const Part& part) {
  if (part.media == nullptr) return {};
  const chat::Media& media = *part.media;
  const std::string_view field = media_path(part);
  const bool taken = part.kind == PartKind::image      ? target_.images
                     : part.kind == PartKind::document ? target_.documents
                     : part.kind == PartKind::audio    ? target_.audio
                                                       : target_.video;
  // What is text anyway can be read by every model.
  if (media.source == MediaSource::text) {
    std::string text(part.name.empty() ? std::string_view() : part.name);
    if (!text.empty()) text += ":\n";
    text += media.data;
    write_text(text);
    return {};
  }
  if (!taken) return invalid(context_.arena, field, not_taken(part.kind));
  TRY_VOID(check_address(media, field));
  if (media.source == MediaSource::file_id && !is_gemini(request_.from)) {
    return invalid(context_.arena, field,
                   "A file uploaded to another provider cannot be sent to this one: send the file itself.");
  }
  chat::Media sent = media;
  if (sent.media_type.empty() && sent.source == MediaSource::base64) {
    const std::string_view type = image_type(sent.data);
    sent.media_type =
        part.kind == PartKind::image ? (type.empty() ? "image/jpeg" : type) : std::string_view("application/pdf");
  }
  w_.begin_object();
  write_media_members(w_, sent, target_.dialect == chat::Dialect::vertex ? part.name : std::string_view());
  if (!sent.metadata.empty() && is_gemini(request_.from)) {
    const auto members = json::parse_tree(context_.parser, sent.metadata, context_.arena);
    if (members) {
      for (const json::Member member : members->members()) w_.raw_member(member.escaped_key, member.value.raw());
    }
  }
  write_signature(part);
  w_.end_object();
  return {};
}

void ContentsWriter::write_call(const Part& part) {
  w_.begin_object().key("functionCall").begin_object();
  if (!part.id.empty()) w_.member("id", part.id);
  w_.member("name", part.name).key("args");
  if (part.custom) {
    w_.begin_object().member(chat::kCustomInputMember, part.text).end_object();
  } else {
    const chat::ArgumentsObject arguments = chat::arguments_object(part.text, context_.parser, context_.arena);
    if (arguments.wrapped) {
      context_.warnings.changed("tool_calls", "arguments that are no JSON object were put into one, as \"value\"");
    }
    w_.raw(arguments.json);
  }
  w_.end_object();
  write_signature(part);
  w_.end_object();
}

std::string_view ContentsWriter::response_of(const Part& part) {
  chat::List<Part> texts;
  for (const Part& inner : part.content) {
    const bool document = inner.media != nullptr && inner.media->source == MediaSource::text;
    if (!document) texts.push(context_.arena, inner);
    if (document) texts.push(context_.arena, {.text = titled(inner.name, inner.media->data, context_.arena)});
  }
  const std::string_view text = chat::joined_text(texts, "\n", context_.arena);
  if (!part.is_error) return chat::result_object(text, "result", context_.parser, context_.arena);
  if (part.json_result && chat::is_json_object(text, context_.parser, context_.arena)) return text;
  std::string object;
  json::Writer w(object);
  w.begin_object().member("error", text).end_object();
  return context_.arena.copy(object);
}

Outcome<void> ContentsWriter::write_result(const Part& part) {
  w_.begin_object().key("functionResponse").begin_object();
  if (!part.id.empty()) w_.member("id", part.id);
  w_.member("name", part.name).raw_member("response", response_of(part));
  bool any = false;
  for (const Part& inner : part.content) {
    if (inner.media == nullptr || inner.media->source == MediaSource::text) continue;
    if (!any) w_.key("parts").begin_array();
    any = true;
    TRY_VOID(write_media(inner));
  }
  if (any) w_.end_array();
  w_.end_object().end_object();
  return {};
}

}  // namespace llmgw::dialects::gemini
