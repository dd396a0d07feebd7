#include "dialects/anthropic/block_writer.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/base64.h"
#include "chat/arguments.h"
#include "dialects/document_citations.h"
#include "dialects/media.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects::anthropic {

using chat::Media;
using chat::MediaSource;
using chat::Part;
using chat::PartKind;

namespace {

constexpr std::array<std::string_view, 4> kImageTypes{"image/jpeg", "image/png", "image/gif", "image/webp"};

bool is_text_type(std::string_view type) {
  return type.starts_with("text/") || type == "application/json" || type == "application/xml";
}

bool is_image(const Part& part) {
  return part.kind == PartKind::image ||
         (part.kind == PartKind::document && part.media != nullptr && part.media->media_type.starts_with("image/"));
}

// What the bytes are, whatever the client calls them: Anthropic refuses an image under a wrong name.
std::string_view real_image_type(const Media& media) {
  const std::string_view seen = image_type(media.data);
  if (!seen.empty()) return seen;
  return media.media_type == "image/jpg" ? "image/jpeg" : media.media_type;
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

Outcome<void> check_image(const Media& media, const chat::Target& target, std::string_view path, base::Arena& arena) {
  if (!target.images) return invalid(arena, path, "This model does not take images.");
  if (media.source == MediaSource::url) {
    if (target.image_urls && is_web_address(media.data)) return {};
    return invalid(arena, path, "This model does not fetch images from such an address: send the image itself.");
  }
  if (media.source == MediaSource::text) return invalid(arena, path, "An image cannot be a text.");
  if (media.source == MediaSource::base64 &&
      std::ranges::find(kImageTypes, real_image_type(media)) == kImageTypes.end()) {
    return invalid(arena, path, "This model takes images in JPEG, PNG, GIF and WebP only.");
  }
  return {};
}

Outcome<void> check_document(const Media& media, const chat::Target& target, std::string_view path,
                             base::Arena& arena) {
  if (media.source == MediaSource::text) return {};
  if (media.source == MediaSource::base64 && is_text_type(media.media_type)) return {};
  if (!target.documents) return invalid(arena, path, "This model does not take documents.");
  if (media.source == MediaSource::url) {
    if (target.document_urls && is_web_address(media.data)) return {};
    return invalid(arena, path, "This model does not fetch documents from an address: send the document itself.");
  }
  if (media.source == MediaSource::base64 && !media.media_type.empty() && media.media_type != "application/pdf") {
    return invalid(arena, path, "This model takes documents in PDF or plain text only.");
  }
  return {};
}

}  // namespace

void write_cache_mark(json::Writer& writer, chat::CacheMark mark) {
  writer.key("cache_control").begin_object().member("type", "ephemeral");
  if (mark == chat::CacheMark::one_hour) writer.member("ttl", "1h");
  writer.end_object();
}

Outcome<void> check_media(const Part& part, chat::Dialect from, const chat::Target& target, std::string_view path,
                          base::Arena& arena) {
  if (part.media != nullptr && !part.media->path.empty()) path = part.media->path;
  if (part.kind == PartKind::audio) return invalid(arena, path, "This model does not take audio.");
  if (part.kind == PartKind::video) return invalid(arena, path, "This model does not take video.");
  for (const Part& inner : part.content) {
    TRY_VOID(check_media(inner, from, target, path, arena));
  }
  if (part.kind != PartKind::image && part.kind != PartKind::document) return {};
  if (part.media == nullptr) return invalid(arena, path, "Expected an image or a document.");
  if (part.media->source == MediaSource::file_id && from != chat::Dialect::anthropic) {
    return invalid(arena, path,
                   "A file uploaded to another provider cannot be sent to this model: send the file itself.");
  }
  return is_image(part) ? check_image(*part.media, target, path, arena)
                        : check_document(*part.media, target, path, arena);
}

bool BlockWriter::has_block(const Part& part) {
  switch (part.kind) {
    case PartKind::text:
    case PartKind::refusal: return !is_blank(part.text);
    case PartKind::thinking: return part.has_signature();
    case PartKind::opaque: return part.origin == chat::Dialect::anthropic;
    case PartKind::audio:
    case PartKind::video: return false;
    case PartKind::image:
    case PartKind::document: return part.media != nullptr;
    case PartKind::tool_call:
    case PartKind::tool_result: return true;
  }
  return false;
}

void BlockWriter::write(const Part& part) {
  switch (part.kind) {
    case PartKind::text:
    case PartKind::refusal:
      writer_.begin_object().member("type", "text").member("text", part.text);
      quotes(part);
      end(part);
      break;
    case PartKind::thinking: thinking(part); break;
    case PartKind::tool_call: tool_use(part); break;
    case PartKind::tool_result: tool_result(part); break;
    case PartKind::image: image(part); break;
    case PartKind::document: is_image(part) ? image(part) : document(part); break;
    case PartKind::opaque: writer_.raw(part.text); break;
    case PartKind::audio:
    case PartKind::video: break;
  }
}

// Of an earlier answer.
void BlockWriter::quotes(const Part& part) {
  if (part.citations.empty()) return;
  const CitedRequest asked{.request = &request_, .sent = &context_.documents};
  const auto earlier = earlier_citations(chat::Dialect::anthropic, part, asked, context_.parser, context_.arena);
  if (!earlier.list.empty()) writer_.raw_member("citations", earlier.list);
}

// Closes the block, with the client's cache mark if it is to be sent.
void BlockWriter::end(const Part& part) {
  if (marks_.take(part.cache)) write_cache_mark(writer_, part.cache);
  writer_.end_object();
}

// Neither kind takes a cache mark.
void BlockWriter::thinking(const Part& part) {
  writer_.begin_object();
  if (part.redacted) {
    writer_.member("type", "redacted_thinking").member("data", part.signature->data);
  } else {
    writer_.member("type", "thinking").member("thinking", part.text).member("signature", part.signature->data);
  }
  writer_.end_object();
}

void BlockWriter::tool_use(const Part& part) {
  writer_.begin_object().member("type", "tool_use").member("id", part.id).member("name", part.name).key("input");
  if (part.custom) {
    writer_.begin_object().member(chat::kCustomInputMember, part.text).end_object();
  } else {
    const chat::ArgumentsObject arguments = chat::arguments_object(part.text, context_.parser, context_.arena);
    if (arguments.wrapped) {
      context_.warnings.changed("tool_calls", "arguments that are no JSON object were put into one, as \"value\"");
    }
    writer_.raw(arguments.json);
  }
  end(part);
}

void BlockWriter::tool_result(const Part& part) {
  writer_.begin_object().member("type", "tool_result").member("tool_use_id", part.id);
  const bool any = std::ranges::any_of(part.content, has_block);
  if (part.is_error) writer_.member("is_error", true);
  if (!any && part.is_error) {
    writer_.member("content", "The tool failed.");  // a failure without words is refused
  } else if (any && part.content.size() == 1 && part.content.front().kind == PartKind::text &&
             part.content.front().cache == chat::CacheMark::none) {
    writer_.member("content", part.content.front().text);
  } else if (any) {
    writer_.key("content").begin_array();
    for (const Part& inner : part.content) {
      if (has_block(inner)) write(inner);
    }
    writer_.end_array();
  }
  end(part);
}

void BlockWriter::image(const Part& part) {
  writer_.begin_object().member("type", "image");
  source(*part.media, real_image_type(*part.media));
  end(part);
}

void BlockWriter::document(const Part& part) {
  context_.documents.push(context_.arena, {.media = part.media});
  const Media& media = *part.media;
  if (!media.metadata.empty() && part.origin == chat::Dialect::anthropic) {
    writer_.raw(media.metadata);  // the client's own block: chunks of text, a search result
    return;
  }
  if (media.search_result) {
    search_result(part);
    return;
  }
  writer_.begin_object().member("type", "document");
  if (media.source == MediaSource::text) {
    text_source(media.data);
  } else if (media.source == MediaSource::base64 && is_text_type(media.media_type)) {
    const std::span<char> bytes = context_.arena.bytes(media.data.size());
    const auto size = base::base64_decode(media.data, bytes.data());
    text_source({bytes.data(), size.value_or(0)});
  } else {
    source(media, media.media_type.empty() ? "application/pdf" : media.media_type);
  }
  if (!part.name.empty()) writer_.member("title", part.name);
  if (!media.context.empty()) writer_.member("context", media.context);
  if (media.citations) writer_.key("citations").begin_object().member("enabled", true).end_object();
  end(part);
}

// Bedrock's.
void BlockWriter::search_result(const Part& part) {
  writer_.begin_object().member("type", "search_result").member("source", part.media->context);
  writer_.member("title", part.name).key("content").begin_array();
  for (const std::string_view text : text_blocks(part, context_.parser, context_.arena)) {
    writer_.begin_object().member("type", "text").member("text", text).end_object();
  }
  writer_.end_array().key("citations").begin_object().member("enabled", part.media->citations).end_object();
  end(part);
}

void BlockWriter::source(const Media& media, std::string_view media_type) {
  writer_.key("source").begin_object();
  switch (media.source) {
    case MediaSource::url: writer_.member("type", "url").member("url", media.data); break;
    case MediaSource::file_id: writer_.member("type", "file").member("file_id", media.data); break;
    default: writer_.member("type", "base64").member("media_type", media_type).member("data", media.data); break;
  }
  writer_.end_object();
}

void BlockWriter::text_source(std::string_view text) {
  writer_.key("source")
      .begin_object()
      .member("type", "text")
      .member("media_type", "text/plain")
      .member("data", text)
      .end_object();
}

}  // namespace llmgw::dialects::anthropic
