#include "dialects/cohere/turn_writer.h"

#include <algorithm>

#include "base/base64.h"
#include "base/text.h"
#include "dialects/losses.h"
#include "dialects/media.h"
#include "dialects/said_text.h"
#include "dialects/sent_documents.h"
#include "json/utf8.h"

namespace llmgw::dialects::cohere {
namespace {

using chat::MediaSource;
using chat::Part;
using chat::PartKind;
using chat::Role;

std::unexpected<chat::ClientError> unsupported(std::string_view message, const Part& part) {
  return std::unexpected(
      chat::ClientError{.kind = chat::ErrorKind::unsupported, .message = message, .param = media_path(part)});
}

class TurnWriter {
 public:
  TurnWriter(json::Writer& w, const chat::Request& request, const chat::Target& target, WriteContext& context)
      : w_(w), request_(request), target_(target), context_(context), arena_(context.arena) {}

  Outcome<std::string> write(const chat::Conversation& conversation, std::string_view instruction) {
    w_.begin_array();
    if (request_.from == chat::Dialect::cohere) {
      for (const Part& part : conversation.system) system(part.text);
    } else if (!conversation.system.empty()) {
      system(chat::joined_text(conversation.system, "\n\n", arena_));
    }
    if (!instruction.empty()) system(instruction);
    for (const chat::Turn& turn : conversation.turns) TRY_VOID(write_turn(turn));
    w_.end_array();
    return documents_;
  }

 private:
  void system(std::string_view text) {
    w_.begin_object().member("role", "system").member("content", text).end_object();
  }

  Outcome<void> write_turn(const chat::Turn& turn) {
    path_ = turn.path.empty() ? std::string_view("messages") : turn.path;
    switch (turn.role) {
      case Role::system:
      case Role::developer: system(chat::joined_text(turn.parts, "\n\n", arena_)); return {};
      case Role::assistant: assistant(turn); return {};
      case Role::tool:
        for (const Part& part : turn.parts) {
          if (part.kind == PartKind::tool_result) tool_result(part);
        }
        return {};
      case Role::user: break;
    }
    return user(turn);
  }

  Outcome<void> user(const chat::Turn& turn) {
    std::string content;
    json::Writer parts(content);
    std::string_view only_text;
    size_t count = 0;
    for (const Part& part : turn.parts) {
      const std::string_view source = part.kind == PartKind::document ? source_text(part) : std::string_view{};
      if (source.data() != nullptr) {
        add_document(part, source);
        continue;
      }
      TRY(text, user_part(parts, part));
      only_text = text;
      ++count;
    }
    w_.begin_object().member("role", "user");
    if (count == 0 || (count == 1 && only_text.data() != nullptr)) {
      w_.member("content", only_text);
    } else {
      w_.key("content").begin_array().raw(content).end_array();
    }
    w_.end_object();
    return {};
  }

  // Of what the answer is to cite, and of whatever Cohere's clients send as documents; a view without data else.
  std::string_view source_text(const Part& part) {
    const bool source = part.media != nullptr && (part.media->citations || part.origin == chat::Dialect::cohere);
    return source ? plain_text(*part.media) : std::string_view{};
  }

  void add_document(const Part& part, std::string_view text) {
    if (!documents_.empty()) documents_ += ',';
    json::Writer w(documents_);
    write_document(w, part, text);
  }

  void write_document(json::Writer& w, const Part& part, std::string_view text) {
    if (part.origin == chat::Dialect::cohere && !part.media->metadata.empty()) {
      w.raw(part.media->metadata);
      return;
    }
    w.begin_object();
    if (!part.id.empty()) {
      w.member("id", part.id);
    } else if (part.media->citations) {
      w.member("id", sent_id(context_.documents.size(), arena_));
      context_.documents.push(arena_, {.media = part.media,
                                       .characters = count_characters(text),
                                       .blocks = text_blocks(part, context_.parser, arena_).size()});
    }
    w.key("data").begin_object().member("text", text);
    if (!part.name.empty()) w.member("title", part.name);
    w.end_object().end_object();
  }

  // The part's text if it is one, a view without data else.
  Outcome<std::string_view> user_part(json::Writer& parts, const Part& part) {
    switch (part.kind) {
      case PartKind::text:
      case PartKind::refusal: return text_part(parts, part.text);
      case PartKind::document: {
        const std::string_view text = document_text(part);
        if (text.data() == nullptr) return unsupported("this provider takes documents only as text", part);
        return text_part(parts, text);
      }
      case PartKind::image: TRY_VOID(image(parts, part)); return std::string_view();
      case PartKind::audio: return unsupported("this provider takes no audio", part);
      case PartKind::video: return unsupported("this provider takes no videos", part);
      case PartKind::opaque:
        if (request_.from == chat::Dialect::cohere && part.origin == chat::Dialect::cohere) {
          parts.raw(part.text);
        } else {
          context_.warnings.dropped(path_, "only its own provider understands this content");
        }
        return std::string_view();
      case PartKind::thinking:
      case PartKind::tool_call:
      case PartKind::tool_result: break;
    }
    return std::string_view();
  }

  static std::string_view text_part(json::Writer& parts, std::string_view text) {
    parts.begin_object().member("type", "text").member("text", text).end_object();
    return text.data() == nullptr ? std::string_view("") : text;
  }

  std::string_view document_text(const Part& part) {
    if (part.media == nullptr) return {};
    const std::string_view text = plain_text(*part.media);
    return text.data() == nullptr ? text : titled(part.name, text, arena_);
  }

  // A view without data if it is none.
  std::string_view plain_text(const chat::Media& media) {
    if (media.source == MediaSource::text) return media.data.data() == nullptr ? std::string_view("") : media.data;
    if (media.source != MediaSource::base64 || !media.media_type.starts_with("text/")) return {};
    const std::span<char> bytes = arena_.bytes(media.data.size() + 1);
    const auto size = base::base64_decode(media.data, bytes.data());
    if (!size || !json::is_utf8({bytes.data(), *size})) return {};
    return {bytes.data(), *size};
  }

  Outcome<void> image(json::Writer& parts, const Part& part) {
    if (!target_.images || part.media == nullptr) return unsupported("this model takes no images", part);
    const chat::Media& media = *part.media;
    std::string url;
    if (media.source == MediaSource::url) {
      if (!is_web_address(media.data)) {
        return unsupported("this provider fetches from http and https addresses only: send the image itself", part);
      }
      url = media.data;
    } else if (media.source == MediaSource::base64) {
      append_data_url(url, media, "image/png");
    } else {
      return unsupported("this provider takes no uploaded file for an image: send the image itself or its address",
                         part);
    }
    parts.begin_object().member("type", "image_url").key("image_url").begin_object().member("url", url);
    if (!media.detail.empty()) parts.member("detail", media.detail);
    parts.end_object().end_object();
    return {};
  }

  void assistant(const chat::Turn& turn) {
    const bool any_call =
        std::ranges::any_of(turn.parts, [](const Part& part) { return part.kind == PartKind::tool_call; });
    w_.begin_object().member("role", "assistant");
    content(turn.parts, any_call);
    if (any_call) {
      // What is said before tools are called is the plan.
      const std::string plan = said(turn.parts);
      if (!plan.empty()) w_.member("tool_plan", plan);
      calls(turn.parts);
    }
    if (request_.from == chat::Dialect::cohere) citations(turn.parts);
    w_.end_object();
  }

  static std::string said(const chat::List<Part>& parts) {
    std::string text;
    for (const Part& part : parts) {
      if (part.kind == PartKind::text || part.kind == PartKind::refusal) text += part.text;
    }
    return text;
  }

  void content(const chat::List<Part>& parts, bool any_call) {
    const bool any_thinking =
        std::ranges::any_of(parts, [](const Part& part) { return part.kind == PartKind::thinking; });
    for (const Part& part : parts) {
      const bool lost = part.kind == PartKind::image || part.kind == PartKind::audio ||
                        part.kind == PartKind::document || part.kind == PartKind::opaque;
      if (lost) context_.warnings.dropped(path_, "an assistant's turn of this provider has only text");
    }
    if (!any_thinking) {
      if (!any_call) w_.member("content", said(parts));
      return;
    }
    w_.key("content").begin_array();
    for (const Part& part : parts) {
      if (part.kind != PartKind::thinking) continue;
      w_.begin_object().member("type", "thinking").member("thinking", part.text).end_object();
    }
    if (!any_call) w_.begin_object().member("type", "text").member("text", said(parts)).end_object();
    w_.end_array();
  }

  void calls(const chat::List<Part>& parts) {
    w_.key("tool_calls").begin_array();
    for (const Part& part : parts) {
      if (part.kind != PartKind::tool_call) continue;
      std::string wrapped;
      if (part.custom) json::Writer(wrapped).begin_object().member(chat::kCustomInputMember, part.text).end_object();
      const std::string_view arguments = part.custom ? std::string_view(wrapped) : part.text;
      w_.begin_object().member("id", part.id).member("type", "function").key("function").begin_object();
      w_.member("name", part.name).member("arguments", arguments.empty() ? "{}" : arguments);
      w_.end_object().end_object();
    }
    w_.end_array();
  }

  void citations(const chat::List<Part>& parts) {
    for (const Part& part : parts) {
      if (part.kind != PartKind::text || part.citations.empty() || part.origin != chat::Dialect::cohere) continue;
      w_.raw_member("citations", part.citations);
      return;
    }
  }

  void tool_result(const Part& result) {
    w_.begin_object().member("role", "tool").member("tool_call_id", result.id).key("content");
    const bool documents =
        std::ranges::any_of(result.content, [](const Part& part) { return part.kind == PartKind::document; });
    if (documents) {
      result_documents(result);
    } else {
      std::string text(chat::joined_text(result.content, "\n", arena_));
      constexpr std::string_view kError = "error";
      const bool says_so = base::equals_ignoring_case(std::string_view(text).substr(0, kError.size()), kError);
      if (result.is_error && !says_so) text.insert(0, "Error: ");
      w_.value(text);
    }
    w_.end_object();
  }

  void result_documents(const Part& result) {
    w_.begin_array();
    for (const Part& part : result.content) {
      if (part.kind == PartKind::text) {
        (void)text_part(w_, part.text);
      } else if (part.kind == PartKind::document) {
        const std::string_view text = part.media == nullptr ? std::string_view{} : plain_text(*part.media);
        if (text.data() == nullptr) {
          context_.warnings.dropped(media_path(part), "a tool's result can only be text for this provider");
          continue;
        }
        w_.begin_object().member("type", "document").key("document");
        write_document(w_, part, text);
        w_.end_object();
      }
    }
    w_.end_array();
  }

  json::Writer& w_;
  const chat::Request& request_;
  const chat::Target& target_;
  WriteContext& context_;
  base::Arena& arena_;
  std::string documents_;
  std::string_view path_;  // of the turn at hand
};

}  // namespace

Outcome<std::string> write_turns(json::Writer& w, const chat::Request& request, const chat::Target& target,
                                 const chat::Conversation& conversation, std::string_view instruction,
                                 WriteContext& context) {
  return TurnWriter(w, request, target, context).write(conversation, instruction);
}

}  // namespace llmgw::dialects::cohere
