#include "dialects/bedrock/block_writer.h"

#include <algorithm>

#include "base/base64.h"
#include "chat/arguments.h"
#include "dialects/bedrock/meaning.h"
#include "dialects/document_citations.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects::bedrock {

using chat::BedrockFamily;
using chat::Media;
using chat::MediaSource;
using chat::Part;
using chat::PartKind;

namespace {

constexpr size_t kDocumentNameBytesMax = 200;

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

bool is_image(const Part& part) {
  return part.kind == PartKind::image ||
         (part.kind == PartKind::document && part.media != nullptr && part.media->media_type.starts_with("image/"));
}

std::string_view format_of_image(const Media& media) {
  const std::string_view seen = image_format(image_type(media.data));
  return seen.empty() ? image_format(media.media_type) : seen;
}

std::string_view format_of_document(const Part& part) {
  const Media& media = *part.media;
  if (media.source == MediaSource::text) return "txt";
  std::string_view format = document_format(media.media_type);
  if (format.empty()) {
    const size_t dot = part.name.rfind('.');
    const std::string_view end = dot == std::string_view::npos ? std::string_view{} : part.name.substr(dot + 1);
    if (!media_type_of(end).empty() && !document_format(media_type_of(end)).empty()) format = end;
  }
  return format.empty() && media.media_type.empty() ? "pdf" : format;
}

bool is_own_block(const Part& part) {
  return part.media != nullptr && !part.media->metadata.empty() && part.origin == chat::Dialect::bedrock;
}

}  // namespace

Outcome<void> check_media(const Part& part, chat::Dialect from, const chat::Target& target, std::string_view path,
                          base::Arena& arena) {
  for (const Part& inner : part.content) {
    TRY_VOID(check_media(inner, from, target, path, arena));
  }
  const bool image = is_image(part);
  if (!image && part.kind != PartKind::document && part.kind != PartKind::audio && part.kind != PartKind::video)
    return {};
  if (part.media != nullptr && !part.media->path.empty()) path = part.media->path;
  if (part.media == nullptr) return invalid(arena, path, "Expected an image, a document, audio or video.");
  const Media& media = *part.media;
  const bool document = part.kind == PartKind::document && !image;
  if (image && !target.images) return invalid(arena, path, "This model does not take images.");
  if (document && !target.documents && media.source != MediaSource::text) {
    return invalid(arena, path, "This model does not take documents.");
  }
  if (part.kind == PartKind::audio && !target.audio) return invalid(arena, path, "This model does not take audio.");
  if (part.kind == PartKind::video && !target.video) return invalid(arena, path, "This model does not take video.");
  if (media.source == MediaSource::file_id) {
    return invalid(arena, path,
                   "A file uploaded to another provider cannot be sent to this model: send the file itself.");
  }
  if (media.source == MediaSource::url && !media.data.starts_with("s3://")) {
    return invalid(arena, path, "This model fetches files from s3 addresses only: send the file itself.");
  }
  if (is_own_block(part)) return {};
  const std::string_view format = image                          ? format_of_image(media)
                                  : document                     ? format_of_document(part)
                                  : part.kind == PartKind::audio ? audio_format(media.media_type)
                                                                 : video_format(media.media_type);
  if (format.empty()) return invalid(arena, path, "This model does not take files of this type.");
  return {};
}

chat::CacheMark mark_of(const Part& part) {
  chat::CacheMark mark = part.cache;
  for (size_t i = part.content.size(); i-- > 0 && mark == chat::CacheMark::none;) mark = part.content[i].cache;
  return mark;
}

bool BlockWriter::has_block(const Part& part) {
  switch (part.kind) {
    case PartKind::text:
    case PartKind::refusal: return !is_blank(part.text) || is_own_block(part);
    case PartKind::thinking: return part.has_signature();
    case PartKind::opaque: return part.origin == chat::Dialect::bedrock;
    case PartKind::image:
    case PartKind::document:
    case PartKind::audio:
    case PartKind::video: return part.media != nullptr;
    case PartKind::tool_call:
    case PartKind::tool_result: return true;
  }
  return false;
}

void BlockWriter::write(const Part& part) {
  const Media* const media = part.media;
  switch (part.kind) {
    case PartKind::text:
    case PartKind::refusal: text(part); break;
    case PartKind::thinking: thinking(part); break;
    case PartKind::tool_call: tool_use(part); break;
    case PartKind::tool_result: tool_result(part); break;
    case PartKind::image: this->media(part, "image", format_of_image(*media)); break;
    case PartKind::audio: this->media(part, "audio", audio_format(media->media_type)); break;
    case PartKind::video: this->media(part, "video", video_format(media->media_type)); break;
    case PartKind::document:
      is_image(part) ? this->media(part, "image", format_of_image(*media)) : document(part);
      break;
    case PartKind::opaque: writer_.raw(part.text); break;
  }
  cache_point(mark_of(part));
}

void BlockWriter::cache_point(chat::CacheMark mark) {
  if (!target_.cache_marks || mark == chat::CacheMark::none) return;
  if (skipped_ > 0) {
    --skipped_;
    return;
  }
  writer_.begin_object().key("cachePoint").begin_object().member("type", "default");
  if (mark == chat::CacheMark::one_hour && target_.cache_mark_hours) writer_.member("ttl", "1h");
  writer_.end_object().end_object();
}

void BlockWriter::text(const Part& part) {
  if (is_own_block(part)) {
    writer_.raw(part.media->metadata);  // guardContent
    return;
  }
  EarlierCitations earlier;
  // Of models on Bedrock only Claude cites documents.
  if (part.origin == chat::Dialect::bedrock || target_.bedrock == BedrockFamily::claude) {
    const CitedRequest asked{.request = &request_, .sent = &context_.documents};
    earlier = earlier_citations(chat::Dialect::bedrock, part, asked, context_.parser, context_.arena);
  }
  writer_.begin_object();
  if (!earlier.list.empty()) {
    writer_.key("citationsContent").begin_object().key("content").begin_array();
    writer_.begin_object().member("text", part.text).end_object();
    writer_.end_array().raw_member("citations", earlier.list).end_object();
  } else {
    writer_.member("text", part.text);
  }
  writer_.end_object();
}

void BlockWriter::thinking(const Part& part) {
  writer_.begin_object().key("reasoningContent").begin_object();
  if (part.redacted) {
    writer_.member("redactedContent", part.signature->data);
  } else {
    writer_.key("reasoningText")
        .begin_object()
        .member("text", part.text)
        .member("signature", part.signature->data)
        .end_object();
  }
  writer_.end_object().end_object();
}

void BlockWriter::tool_use(const Part& part) {
  writer_.begin_object().key("toolUse").begin_object().member("toolUseId", part.id).member("name", part.name);
  writer_.key("input");
  if (part.custom) {
    writer_.begin_object().member(chat::kCustomInputMember, part.text).end_object();
  } else {
    const chat::ArgumentsObject arguments = chat::arguments_object(part.text, context_.parser, context_.arena);
    if (arguments.wrapped) {
      context_.warnings.changed("tool_calls", "arguments that are no JSON object were put into one, as \"value\"");
    }
    writer_.raw(arguments.json);
  }
  writer_.end_object().end_object();
}

void BlockWriter::tool_result(const Part& part) {
  writer_.begin_object().key("toolResult").begin_object().member("toolUseId", part.id).key("content").begin_array();
  bool any = false;
  for (const Part& inner : part.content) {
    const bool blank = inner.kind == PartKind::text && is_blank(inner.text);
    if (!has_block(inner) || blank || inner.kind == PartKind::tool_result) continue;
    any = true;
    if (inner.kind == PartKind::text) {
      result_text(inner, part);
    } else {
      write({.kind = inner.kind, .origin = inner.origin, .text = inner.text, .name = inner.name, .media = inner.media});
    }
  }
  // A failure without words is refused, and some models refuse an empty list.
  if (!any) writer_.begin_object().member("text", part.is_error ? "The tool failed." : "").end_object();
  writer_.end_array();
  if (part.is_error && (target_.bedrock == BedrockFamily::claude || target_.bedrock == BedrockFamily::nova)) {
    writer_.member("status", "error");
  }
  writer_.end_object().end_object();
}

void BlockWriter::result_text(const Part& part, const Part& result) {
  writer_.begin_object();
  if (target_.bedrock == BedrockFamily::mistral) {
    // Mistral's models there read results as JSON only.
    const std::string_view member = result.is_error ? "error" : "result";
    writer_.raw_member("json", chat::result_object(part.text, member, context_.parser, context_.arena));
  } else if (result.json_result && part.origin == chat::Dialect::bedrock &&
             chat::is_json_object(part.text, context_.parser, context_.arena)) {
    writer_.raw_member("json", part.text);
  } else {
    writer_.member("text", part.text);
  }
  writer_.end_object();
}

void BlockWriter::media(const Part& part, std::string_view kind, std::string_view format) {
  if (is_own_block(part)) {
    writer_.raw(part.media->metadata);
    return;
  }
  writer_.begin_object().key(kind).begin_object().member("format", format).key("source").begin_object();
  if (part.media->source == MediaSource::url) {
    writer_.key("s3Location").begin_object().member("uri", part.media->data).end_object();
  } else {
    writer_.member("bytes", part.media->data);
  }
  writer_.end_object().end_object().end_object();
}

void BlockWriter::document(const Part& part) {
  context_.documents.push(context_.arena, {.media = part.media});
  if (is_own_block(part)) {
    writer_.raw(part.media->metadata);
    return;
  }
  const Media& media = *part.media;
  if (media.search_result && target_.bedrock == BedrockFamily::claude) {
    search_result(part);
    return;
  }
  writer_.begin_object()
      .key("document")
      .begin_object()
      .member("format", format_of_document(part))
      .member("name", document_name(part.name))
      .key("source")
      .begin_object();
  if (media.source == MediaSource::url) {
    writer_.key("s3Location").begin_object().member("uri", media.data).end_object();
  } else if (media.source == MediaSource::text) {
    writer_.member("bytes", base::base64_encode(media.data, context_.arena));
  } else {
    writer_.member("bytes", media.data);
  }
  writer_.end_object();
  if (!media.context.empty()) writer_.member("context", media.context);
  if (media.citations) writer_.key("citations").begin_object().member("enabled", true).end_object();
  writer_.end_object().end_object();
}

// Anthropic's.
void BlockWriter::search_result(const Part& part) {
  writer_.begin_object().key("searchResult").begin_object().member("source", part.media->context);
  writer_.member("title", part.name).key("content").begin_array();
  for (const std::string_view text : text_blocks(part, context_.parser, context_.arena)) {
    writer_.begin_object().member("text", text).end_object();
  }
  writer_.end_array().key("citations").begin_object().member("enabled", part.media->citations).end_object();
  writer_.end_object().end_object();
}

// Letters, digits, single blanks, hyphens, parentheses and brackets (API reference, DocumentBlock); no two the same.
std::string BlockWriter::document_name(std::string_view name) {
  std::string clean;
  for (const char c : name.substr(0, kDocumentNameBytesMax)) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (word || c == '-' || c == '(' || c == ')' || c == '[' || c == ']') {
      clean += c;
    } else if (!clean.empty() && clean.back() != ' ') {
      clean += ' ';
    }
  }
  while (clean.ends_with(' ')) clean.pop_back();
  if (clean.empty()) clean = "document";
  constexpr size_t kSuffixBytesMax = 8;
  const std::string stem = clean.substr(0, kDocumentNameBytesMax - kSuffixBytesMax);
  for (size_t number = 2; !document_names_.insert(clean).second; ++number) clean = stem + " " + std::to_string(number);
  return clean;
}

}  // namespace llmgw::dialects::bedrock
