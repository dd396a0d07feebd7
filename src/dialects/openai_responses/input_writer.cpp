#include "dialects/openai_responses/input_writer.h"

#include <algorithm>

#include "base/text.h"
#include "chat/turns.h"
#include "dialects/losses.h"
#include "dialects/media.h"
#include "dialects/openai_responses/items.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects::openai_responses {
namespace {

using chat::MediaSource;
using chat::Part;
using chat::PartKind;
using chat::Role;

bool is_content(const Part& part) {
  return part.kind == PartKind::text || part.kind == PartKind::image || part.kind == PartKind::audio ||
         part.kind == PartKind::video || part.kind == PartKind::document;
}

bool contains_json(std::string_view text) {
  constexpr std::string_view kWord = "json";
  const auto same = [](char a, char b) { return base::to_lower(a) == b; };
  return !std::ranges::search(text, kWord, same).empty();
}

std::string data_url(const chat::Media& media, std::string_view default_type) {
  std::string url;
  append_data_url(url, media, default_type);
  return url;
}

chat::TurnRules rules_for(const chat::Target& target) {
  return {.results_in_user_turn = false,
          .media_out_of_results = !target.tool_result_images,
          .user_first = false,
          .allow_prefill = target.assistant_prefill,
          .mid_system = target.system_role && target.mid_system,
          .minter = target.minter,
          .model = target.model,
          .thinking_needs_signature = target.reasoning_member.empty(),
          .id_rule = target.tool_id_rule,
          .id_max = target.tool_id_max,
          .ids_unique = target.tool_ids_unique};
}

}  // namespace

Outcome<void> InputWriter::write(std::string_view format_instruction) {
  writer_.begin_array();
  if (own()) {
    for (const chat::Message& message : request_.messages) {
      const Source source{.role = message.role, .id = message.id, .phase = message.phase, .path = message.path};
      if (message.id == kInstructionsId) continue;
      if (auto written = write_source(source, message.parts); !written) return written;
    }
  } else {
    const chat::Conversation conversation =
        chat::arrange(request_, rules_for(target_), context_.arena, context_.warnings);
    for (const Part& part : conversation.system) {
      chat::List<Part> parts;
      parts.push(context_.arena, part);
      if (auto written = write_source({.role = Role::system}, parts); !written) return written;
    }
    for (const chat::Turn& turn : conversation.turns) {
      const Source source{.role = turn.role, .phase = turn.phase, .path = turn.path};
      if (auto written = write_source(source, turn.parts); !written) return written;
    }
  }
  if (!format_instruction.empty() && !mentions_json_) {
    writer_.begin_object().member("role", role_name(Role::developer)).member("content", format_instruction);
    writer_.end_object();
  }
  writer_.end_array();
  return {};
}

Outcome<void> InputWriter::write_source(const Source& source, const chat::List<Part>& parts) {
  if (source.role == Role::assistant) return write_assistant(source, parts);
  // Results and opaque items stand alone; what lies between them is a message each.
  chat::List<Part> content;
  const auto flush = [&]() -> Outcome<void> {
    if (content.empty()) return {};
    auto written = write_content(source, content);
    content.clear();
    return written;
  };
  for (const Part& part : parts) {
    if (is_content(part)) {
      content.push(context_.arena, part);
      continue;
    }
    if (auto written = flush(); !written) return written;
    if (part.kind == PartKind::tool_result) {
      if (auto written = write_result(part); !written) return written;
    } else if (part.kind == PartKind::opaque && part.origin == chat::Dialect::openai_responses) {
      writer_.raw(part.text);
    } else {
      context_.warnings.dropped(path(source), "this API has no such item");
    }
  }
  return flush();
}

Outcome<void> InputWriter::write_content(const Source& source, const chat::List<Part>& parts) {
  writer_.begin_object().member("role", role_name(source.role)).key("content");
  const Part& first = parts.front();
  if (parts.size() == 1 && first.kind == PartKind::text && first.cache == chat::CacheMark::none) {
    note_json(first.text);
    writer_.value(first.text).end_object();
    return {};
  }
  writer_.begin_array();
  for (const Part& part : parts) {
    if (auto written = write_part(part); !written) return written;
  }
  writer_.end_array().end_object();
  return {};
}

Outcome<void> InputWriter::write_part(const Part& part) {
  if (part.kind == PartKind::text) return write_text("input_text", part), Outcome<void>{};
  if (part.media == nullptr) return {};
  const std::string_view field = media_path(part);
  switch (part.kind) {
    case PartKind::image:
      if (!target_.images) return invalid(context_.arena, field, "this model takes no images");
      return write_image(part, field);
    case PartKind::document:
      if (!target_.documents && part.media->source != MediaSource::text) {
        return invalid(context_.arena, field, "this model takes no documents");
      }
      return write_document(part, field);
    case PartKind::audio: {
      if (!target_.audio) return invalid(context_.arena, field, "this model takes no audio");
      if (part.media->source != MediaSource::base64) {
        return invalid(context_.arena, field, "this model fetches no audio: send the audio itself, in base64");
      }
      const std::string_view format = audio_format_from(part.media->media_type);
      writer_.begin_object().member("type", "input_audio").key("input_audio").begin_object();
      writer_.member("data", part.media->data).member("format", format).end_object();
      write_mark(part);
      writer_.end_object();
      return {};
    }
    default: return invalid(context_.arena, field, "this model takes no media of this kind");
  }
}

void InputWriter::write_text(std::string_view type, const Part& part) {
  note_json(part.text);
  writer_.begin_object().member("type", type).member("text", part.text);
  write_mark(part);
  writer_.end_object();
}

void InputWriter::write_mark(const Part& part) {
  if (part.cache == chat::CacheMark::none || !target_.cache_marks) return;
  writer_.key("prompt_cache_breakpoint").begin_object().member("mode", "explicit").end_object();
}

Outcome<void> InputWriter::write_image(const Part& part, std::string_view path) {
  const chat::Media& media = *part.media;
  if (is_upload_elsewhere(media, request_.from)) return invalid(context_.arena, path, kUploadElsewhere);
  if (media.source == MediaSource::text) return invalid(context_.arena, path, "an image cannot be text");
  if (media.source == MediaSource::url && !is_web_address(media.data)) {
    return invalid(context_.arena, path,
                   "this model fetches images from http and https addresses only: send the image itself");
  }
  writer_.begin_object().member("type", "input_image");
  if (media.source == MediaSource::file_id) {
    writer_.member("file_id", media.data);
  } else if (media.source == MediaSource::url) {
    writer_.member("image_url", media.data);
  } else {
    writer_.member("image_url", data_url(media, "image/png"));
  }
  writer_.member("detail", media.detail.empty() ? "auto" : media.detail);
  write_mark(part);
  writer_.end_object();
  return {};
}

Outcome<void> InputWriter::write_document(const Part& part, std::string_view path) {
  const chat::Media& media = *part.media;
  if (is_upload_elsewhere(media, request_.from)) return invalid(context_.arena, path, kUploadElsewhere);
  const bool pdf = media.media_type.empty() || media.media_type == "application/pdf";
  const std::string_view name = !part.name.empty() ? part.name : pdf ? "document.pdf" : "document.txt";
  switch (media.source) {
    case MediaSource::text: {
      const std::string text =
          part.name.empty() ? std::string(media.data) : std::string(part.name) + "\n\n" + std::string(media.data);
      writer_.begin_object().member("type", "input_text").member("text", text);
      write_mark(part);
      writer_.end_object();
      return {};
    }
    case MediaSource::url:
      if (!is_web_address(media.data)) {
        return invalid(context_.arena, path,
                       "this model fetches documents from http and https addresses only: send the document itself");
      }
      writer_.begin_object().member("type", "input_file").member("file_url", media.data);
      if (!part.name.empty()) writer_.member("filename", part.name);
      break;
    case MediaSource::file_id: writer_.begin_object().member("type", "input_file").member("file_id", media.data); break;
    case MediaSource::base64:
      writer_.begin_object().member("type", "input_file").member("filename", name);
      writer_.member("file_data", data_url(media, "application/pdf"));
      break;
  }
  write_mark(part);
  writer_.end_object();
  return {};
}

std::string_view InputWriter::result_text(const Part& part) {
  const std::string_view text = chat::joined_text(part.content, "\n", context_.arena);
  // There is no other place to say that the tool failed.
  return part.is_error && !own() ? context_.arena.concat("Error: ", text) : text;
}

Outcome<void> InputWriter::write_result(const Part& part) {
  const bool custom =
      target_.custom_tools && (part.custom || std::ranges::find(custom_calls_, part.id) != custom_calls_.end());
  writer_.begin_object().member("type", custom ? "custom_tool_call_output" : "function_call_output");
  writer_.member("call_id", part.id).key("output");
  const bool only_text = std::ranges::all_of(part.content, [](const Part& one) { return one.kind == PartKind::text; });
  if (only_text && (part.content.size() <= 1 || part.is_error)) {
    const std::string_view text = result_text(part);
    note_json(text);
    writer_.value(text).end_object();
    return {};
  }
  writer_.begin_array();
  if (part.is_error && !own()) {
    writer_.begin_object().member("type", "input_text").member("text", "Error:").end_object();
  }
  for (const Part& one : part.content) {
    if (!is_content(one)) continue;
    if (auto written = write_part(one); !written) return written;
  }
  writer_.end_array().end_object();
  return {};
}

void InputWriter::note_json(std::string_view text) {
  if (request_.format.kind == chat::FormatKind::json_object && !mentions_json_) mentions_json_ = contains_json(text);
}

std::string_view InputWriter::path(const Source& source) {
  return source.path.empty() ? "messages" : source.path;
}

std::string_view InputWriter::role_name(Role role) const {
  switch (role) {
    case Role::developer: return target_.developer_role ? "developer" : target_.system_role ? "system" : "user";
    case Role::system: return target_.system_role ? "system" : target_.developer_role ? "developer" : "user";
    default: return "user";
  }
}

}  // namespace llmgw::dialects::openai_responses
