#include <algorithm>
#include <string>

#include "base/base64.h"
#include "base/text.h"
#include "dialects/losses.h"
#include "dialects/media.h"
#include "dialects/openai_chat/message_reader.h"
#include "dialects/openai_chat/message_writer.h"
#include "dialects/openai_chat/request_writer.h"
#include "json/utf8.h"

namespace llmgw::dialects::openai_chat {
namespace {

using chat::CacheMark;
using chat::MediaSource;
using chat::Part;
using chat::PartKind;
using chat::Role;

std::unexpected<chat::ClientError> unsupported(std::string_view message, const Part& part) {
  return std::unexpected(
      chat::ClientError{.kind = chat::ErrorKind::unsupported, .message = message, .param = media_path(part)});
}

Outcome<void> check_address(const Part& part) {
  if (part.media->source != MediaSource::url || is_web_address(part.media->data)) return {};
  return unsupported("this provider fetches from http and https addresses only: send the file itself", part);
}

class TurnWriter {
 public:
  TurnWriter(json::Writer& w, const chat::Request& request, const chat::Target& target, const Plan& plan,
             WriteContext& context)
      : w_(w), target_(target), plan_(plan), context_(context), arena_(context.arena), from_(request.from) {
    bool developer = false;
    for (const chat::Message& message : request.messages) developer |= message.role == Role::developer;
    system_role_ = developer && target.developer_role ? "developer" : "system";
  }

  Outcome<void> write(const chat::Conversation& conversation) {
    w_.begin_array();
    system(conversation.system);
    for (const chat::Turn& turn : conversation.turns) TRY_VOID(write_turn(turn));
    w_.end_array();
    return {};
  }

 private:
  bool marked(const Part& part) const { return target_.cache_marks && part.cache != CacheMark::none; }

  void system(const chat::List<Part>& parts) {
    if (plan_.same_dialect) {
      for (const Part& part : parts) {
        chat::List<Part> one;
        one.push(arena_, part);
        system_message(one);
      }
      if (!plan_.instruction.empty()) system_text(plan_.instruction);
      return;
    }
    chat::List<Part> all = parts;
    if (!plan_.instruction.empty()) all.push(arena_, {.text = plan_.instruction});
    if (!all.empty()) system_message(all);
  }

  void system_message(const chat::List<Part>& parts) {
    const bool any_mark = std::ranges::any_of(parts, [&](const Part& part) { return marked(part); });
    if (!any_mark) return system_text(chat::joined_text(parts, "\n\n", arena_));
    w_.begin_object().member("role", target_.system_role ? system_role_ : "user").key("content").begin_array();
    for (const Part& part : parts) write_text(part);
    w_.end_array().end_object();
  }

  void system_text(std::string_view text) {
    w_.begin_object().member("role", target_.system_role ? system_role_ : "user");
    if (target_.system_role) {
      w_.member("content", text);
    } else {
      const std::string tagged = "<system>\n" + std::string(text) + "\n</system>";
      w_.member("content", tagged);
      context_.warnings.changed("messages", "this model has no system messages: sent as the user's, in <system> tags");
    }
    w_.end_object();
  }

  Outcome<void> write_turn(const chat::Turn& turn) {
    path_ = turn.path.empty() ? std::string_view("messages") : turn.path;
    switch (turn.role) {
      case Role::system:
      case Role::developer: system_message(turn.parts); return {};
      case Role::assistant: return assistant(turn);
      case Role::tool:
        for (const Part& part : turn.parts) TRY_VOID(tool_result(part));
        return {};
      case Role::user: break;
    }
    return user(turn);
  }

  Outcome<void> user(const chat::Turn& turn) {
    w_.begin_object().member("role", "user");
    if (!turn.name.empty()) w_.member("name", turn.name);
    w_.key("content");
    TRY_VOID(content(turn.parts));
    w_.end_object();
    return {};
  }

  // A text where that is enough, else a list of parts.
  Outcome<void> content(const chat::List<Part>& parts) {
    if (parts.empty()) {
      w_.value("");
      return {};
    }
    if (parts.size() == 1 && parts.front().kind == PartKind::text && !marked(parts.front())) {
      w_.value(parts.front().text);
      return {};
    }
    w_.begin_array();
    for (const Part& part : parts) TRY_VOID(content_part(part));
    w_.end_array();
    return {};
  }

  void write_text(const Part& part) {
    w_.begin_object().member("type", "text").member("text", part.text);
    if (marked(part)) {
      w_.key("cache_control").begin_object().member("type", "ephemeral");
      if (part.cache == CacheMark::one_hour) w_.member("ttl", "1h");
      w_.end_object();
    }
    w_.end_object();
  }

  Outcome<void> content_part(const Part& part) {
    switch (part.kind) {
      case PartKind::text:
      case PartKind::refusal: write_text(part); return {};
      case PartKind::image: return image(part);
      case PartKind::audio: return audio(part);
      case PartKind::video: return video(part);
      case PartKind::document: return document(part);
      case PartKind::opaque:
        if (plan_.same_dialect && is_own_dialect(part.origin)) {
          w_.raw(part.text);
        } else {
          context_.warnings.dropped(path_, "only its own provider understands this content");
        }
        return {};
      // Not of a user's turn.
      case PartKind::thinking:
      case PartKind::tool_call:
      case PartKind::tool_result: return {};
    }
    return {};
  }

  Outcome<void> image(const Part& part) {
    if (!target_.images || part.media == nullptr) return unsupported("this model takes no images", part);
    const chat::Media& media = *part.media;
    if (media.source != MediaSource::base64 && media.source != MediaSource::url) {
      return unsupported("this provider takes no uploaded file for an image: send the image itself or its address",
                         part);
    }
    TRY_VOID(check_address(part));
    w_.begin_object().member("type", "image_url").key("image_url").begin_object().key("url");
    address(media, "image/png");
    if (!media.detail.empty()) w_.member("detail", media.detail);
    w_.end_object().end_object();
    return {};
  }

  void address(const chat::Media& media, std::string_view default_type) {
    if (media.source == MediaSource::url) {
      w_.value(media.data);
      return;
    }
    std::string url;
    append_data_url(url, media, default_type);
    w_.value(url);
  }

  Outcome<void> video(const Part& part) {
    if (!target_.video || part.media == nullptr) return unsupported("this model takes no videos", part);
    if (part.media->source != MediaSource::base64 && part.media->source != MediaSource::url) {
      return unsupported("this provider takes no uploaded file for a video: send the video itself or its address",
                         part);
    }
    TRY_VOID(check_address(part));
    w_.begin_object().member("type", "video_url").key("video_url").begin_object().key("url");
    address(*part.media, "video/mp4");
    if (!part.media->detail.empty()) w_.member("detail", part.media->detail);
    w_.end_object().end_object();
    return {};
  }

  Outcome<void> audio(const Part& part) {
    if (!target_.audio || part.media == nullptr) return unsupported("this model takes no audio", part);
    if (part.media->source != MediaSource::base64)
      return unsupported("this provider takes audio in base64 only: send the audio itself", part);
    w_.begin_object().member("type", "input_audio").key("input_audio").begin_object();
    w_.member("data", part.media->data).member("format", audio_format_from(part.media->media_type));
    w_.end_object().end_object();
    return {};
  }

  // Under its title, which has no other place.
  Outcome<void> document_text(const Part& part, std::string_view text) {
    w_.begin_object().member("type", "text").member("text", titled(part.name, text, arena_)).end_object();
    return {};
  }

  Outcome<void> document(const Part& part) {
    if (part.media == nullptr) return {};
    const chat::Media& media = *part.media;
    // What is text anyway can be read by every model.
    if (media.source == MediaSource::text) return document_text(part, media.data);
    if (media.source == MediaSource::base64 && media.media_type.starts_with("text/")) {
      const std::span<char> bytes = arena_.bytes(media.data.size());
      const auto size = base::base64_decode(media.data, bytes.data());
      if (size && json::is_utf8({bytes.data(), *size})) return document_text(part, {bytes.data(), *size});
    }
    if (!target_.documents) return unsupported("this model takes no documents", part);
    if (media.source == MediaSource::url && !target_.document_urls) {
      return unsupported("this provider fetches no documents: send the document itself", part);
    }
    if (is_upload_elsewhere(media, from_)) return unsupported(kUploadElsewhere, part);
    TRY_VOID(check_address(part));
    w_.begin_object().member("type", "file").key("file").begin_object();
    if (media.source == MediaSource::file_id) {
      w_.member("file_id", media.data);
    } else {
      w_.member("filename", part.name.empty() ? "document.pdf" : part.name).key("file_data");
      address(media, "application/pdf");
    }
    w_.end_object().end_object();
    return {};
  }

  Outcome<void> assistant(const chat::Turn& turn) {
    std::string text;
    std::string refusal;
    bool any_call = false;
    bool any_text = false;
    for (const Part& part : turn.parts) {
      any_call |= part.kind == PartKind::tool_call;
      if (part.kind == PartKind::text) {
        text += part.text;
        any_text = true;
      } else if (part.kind == PartKind::refusal) {
        refusal += part.text;
      } else if (part.kind == PartKind::opaque || part.kind == PartKind::image || part.kind == PartKind::document ||
                 part.kind == PartKind::video) {
        context_.warnings.dropped(path_, "an assistant's turn of this provider has only text and tool calls");
      }
    }
    const bool has_refusals = target_.minter == chat::Minter::openai || target_.minter == chat::Minter::azure;
    if (!has_refusals && !refusal.empty()) {
      any_text = true;
      if (!text.empty()) text += "\n\n";
      text += refusal;
      refusal.clear();
    }
    w_.begin_object().member("role", "assistant");
    if (!turn.name.empty()) w_.member("name", turn.name);
    if (any_text || (!any_call && refusal.empty())) {
      w_.member("content", text);
    } else {
      w_.null_member("content");
    }
    if (!refusal.empty()) w_.member("refusal", refusal);
    reasoning(turn.parts);
    earlier_audio(turn.parts);
    if (any_call) calls(turn.parts);
    w_.end_object();
    return {};
  }

  void earlier_audio(const chat::List<Part>& parts) {
    for (const Part& part : parts) {
      if (part.kind != PartKind::audio || part.media == nullptr) continue;
      if (part.media->source != MediaSource::file_id) continue;
      w_.key("audio").begin_object().member("id", part.media->data).end_object();
      return;
    }
  }

  void reasoning(const chat::List<Part>& parts) {
    const bool any = std::ranges::any_of(parts, [](const Part& part) { return part.kind == PartKind::thinking; });
    if (!any || target_.reasoning_member.empty()) return;
    w_.key(target_.reasoning_member);
    if (target_.reasoning_member == "reasoning_details") return details(parts);
    std::string text;
    for (const Part& part : parts) {
      if (part.kind == PartKind::thinking) text += part.text;
    }
    w_.value(text);
  }

  // As the provider gave them: its own signatures go back bare.
  void details(const chat::List<Part>& parts) {
    w_.begin_array();
    uint32_t index = 0;
    for (const Part& part : parts) {
      if (part.kind != PartKind::thinking) continue;
      w_.begin_object().member("type", part.redacted ? "reasoning.encrypted" : "reasoning.text");
      if (part.redacted && part.has_signature()) w_.member("data", part.signature->data);
      if (!part.redacted) w_.member("text", part.text);
      if (!part.redacted && part.has_signature()) w_.member("signature", part.signature->data);
      if (part.has_signature() && !part.signature->id.empty()) w_.member("id", part.signature->id);
      w_.member("index", index++).end_object();
    }
    w_.end_array();
  }

  void calls(const chat::List<Part>& parts) {
    w_.key("tool_calls").begin_array();
    for (const Part& part : parts) {
      if (part.kind == PartKind::tool_call) call(part);
    }
    w_.end_array();
  }

  void call(const Part& part) {
    const bool custom = part.custom && target_.custom_tools;
    w_.begin_object().member("id", part.id).member("type", custom ? "custom" : "function");
    w_.key(custom ? "custom" : "function").begin_object().member("name", part.name);
    if (custom) {
      w_.member("input", part.text);
    } else if (part.custom) {
      std::string arguments;
      json::Writer(arguments).begin_object().member(chat::kCustomInputMember, part.text).end_object();
      w_.member("arguments", arguments);
    } else {
      w_.member("arguments", part.text.empty() ? "{}" : part.text);
    }
    w_.end_object();
    // What is still signed here may go back, as it was given.
    if (part.has_signature()) {
      w_.key("extra_content").begin_object().key("google").begin_object();
      w_.member("thought_signature", part.signature->data).end_object().end_object();
    }
    w_.end_object();
  }

  Outcome<void> tool_result(const Part& part) {
    if (part.kind != PartKind::tool_result) return {};
    w_.begin_object().member("role", "tool").member("tool_call_id", part.id).key("content");
    const bool has_media = std::ranges::any_of(
        part.content, [](const Part& inner) { return inner.kind != PartKind::text && inner.kind != PartKind::opaque; });
    if (has_media && target_.tool_result_images) {
      w_.begin_array();
      if (part.is_error) write_text({.text = "Error:"});
      for (const Part& inner : part.content) TRY_VOID(content_part(inner));
      w_.end_array();
    } else {
      result_text(part);
    }
    w_.end_object();
    return {};
  }

  void result_text(const Part& part) {
    std::string text;
    const auto add = [&](std::string_view more) {
      if (!text.empty() && !more.empty()) text += '\n';
      text += more;
    };
    for (const Part& inner : part.content) {
      if (inner.kind == PartKind::text) {
        add(inner.text);
      } else if (inner.kind == PartKind::document && inner.media != nullptr &&
                 inner.media->source == MediaSource::text) {
        add(titled(inner.name, inner.media->data, arena_));
      } else {
        context_.warnings.dropped(inner.media != nullptr ? media_path(inner) : path_,
                                  "a tool's result can only be text for this provider");
      }
    }
    constexpr std::string_view kError = "error";
    const bool says_so = base::equals_ignoring_case(std::string_view(text).substr(0, kError.size()), kError);
    if (part.is_error && !says_so) text.insert(0, "Error: ");
    w_.value(text);
  }

  json::Writer& w_;
  const chat::Target& target_;
  const Plan& plan_;
  WriteContext& context_;
  base::Arena& arena_;
  const chat::Dialect from_;
  std::string_view system_role_;
  std::string_view path_;  // of the turn at hand
};

}  // namespace

Outcome<void> write_messages(json::Writer& w, const chat::Request& request, const chat::Target& target,
                             const Plan& plan, const chat::Conversation& conversation, WriteContext& context) {
  return TurnWriter(w, request, target, plan, context).write(conversation);
}

}  // namespace llmgw::dialects::openai_chat
