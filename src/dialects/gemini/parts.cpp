#include "dialects/gemini/parts.h"

#include <algorithm>
#include <array>

#include "base/base64.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects::gemini {
namespace {

using chat::MediaSource;
using chat::Part;
using chat::PartKind;
using json::Value;

// Files uploaded to Google: good only there.
constexpr std::string_view kFilesApi = "https://generativelanguage.googleapis.com/";
constexpr std::string_view kFilesPath = "/files/";

bool is_youtube(std::string_view url) {
  return url.starts_with("https://www.youtube.com/") || url.starts_with("https://youtu.be/") ||
         url.starts_with("https://youtube.com/");
}

std::string_view type_by_extension(std::string_view url) {
  struct Row {
    std::string_view extension;
    std::string_view type;
  };
  constexpr auto kTypes = std::to_array<Row>({{".png", "image/png"},
                                              {".jpg", "image/jpeg"},
                                              {".jpeg", "image/jpeg"},
                                              {".gif", "image/gif"},
                                              {".webp", "image/webp"},
                                              {".pdf", "application/pdf"},
                                              {".mp3", "audio/mpeg"},
                                              {".wav", "audio/wav"},
                                              {".mp4", "video/mp4"},
                                              {".webm", "video/webm"},
                                              {".txt", "text/plain"}});
  url = url.substr(0, url.find_first_of("?#"));
  for (const Row& row : kTypes)
    if (url.ends_with(row.extension)) return row.type;
  return {};
}

// All members but the signature.
std::string_view without_signature(Value part, base::Arena& arena) {
  std::string text = "{";
  for (const json::Member member : part.members()) {
    if (member.is("thoughtSignature") || member.is("thought_signature")) continue;
    if (text.size() > 1) text += ',';
    text += '"';
    text += member.escaped_key;
    text += "\":";
    text += member.value.raw();
  }
  return arena.copy(text += '}');
}

void set_if_unset(Value& place, Value value) {
  if (!value.is_null()) place = value;
}

}  // namespace

PartMembers members_of(Value part, base::Arena& arena) {
  PartMembers members;
  for (const json::Member member : part.members()) {
    const std::string_view key = member.key(arena);
    if (key == "text") {
      set_if_unset(members.text, member.value);
    } else if (key == "thought") {
      set_if_unset(members.thought, member.value);
    } else if (key == "thoughtSignature" || key == "thought_signature") {
      set_if_unset(members.signature, member.value);
    } else if (key == "functionCall" || key == "function_call") {
      set_if_unset(members.function_call, member.value);
    } else if (key == "functionResponse" || key == "function_response") {
      set_if_unset(members.function_response, member.value);
    } else if (key == "inlineData" || key == "inline_data") {
      set_if_unset(members.inline_data, member.value);
    } else if (key == "fileData" || key == "file_data") {
      set_if_unset(members.file_data, member.value);
    } else if (key == "videoMetadata" || key == "video_metadata") {
      set_if_unset(members.video_metadata, member.value);
    } else if (key == "mediaResolution" || key == "media_resolution") {
      set_if_unset(members.media_resolution, member.value);
    } else if (key != "partMetadata" && key != "part_metadata") {
      members.opaque = members.opaque || member.value.is_object();
      members.unknown = members.unknown || !member.value.is_null();
    }
  }
  return members;
}

Part PartReader::read(Value part, bool& skip) const {
  const PartMembers members = members_of(part, context.arena);
  skip = false;
  Part result;
  auto place = chat::SignaturePlace::next_part;
  if (members.function_call.is_object()) {
    result = read_call(members.function_call);
  } else if (members.function_response.is_object()) {
    result = read_result(members.function_response);
  } else if (members.inline_data.is_object() || members.file_data.is_object()) {
    result = read_media(members, path());
  } else if (members.text.is_string()) {
    result.text = members.text.string(context.arena);
    if (members.thought.is_true()) {
      result.kind = PartKind::thinking;
      place = chat::SignaturePlace::thinking;
    } else if (result.text.empty()) {
      place = chat::SignaturePlace::own_part;
    }
  } else if (members.opaque || (members.unknown && !list.empty())) {
    result.kind = PartKind::opaque;
    result.origin = origin;
    result.text = members.signature.present() ? without_signature(part, context.arena) : part.raw();
    result.id = path();
  } else if (members.signature.is_string()) {
    place = chat::SignaturePlace::own_part;
    if (members.thought.is_true()) {
      result.kind = PartKind::thinking;
      place = chat::SignaturePlace::thinking;
    }
  } else {
    skip = true;
  }
  if (!skip) result.signature = read_signature(members.signature, place);
  return result;
}

const chat::Signature* PartReader::read_signature(Value value, chat::SignaturePlace place) const {
  if (!value.is_string()) return nullptr;
  const std::string_view text = value.string(context.arena);
  if (text.empty()) return nullptr;
  auto* const signature =
      context.arena.make<chat::Signature>(chat::unwrap_signature_base64(text, context.minter, context.arena));
  if (signature->data == text) {
    signature->model = context.model;
    signature->place = place;
  }
  return signature;
}

Part PartReader::read_call(Value call) const {
  Part part{.kind = PartKind::tool_call};
  part.name = call["name"].string(context.arena);
  part.id = call["id"].string(context.arena);
  const Value arguments = call["args"];
  part.text = arguments.is_unset() ? std::string_view("{}") : arguments.raw();
  return part;
}

Part PartReader::read_result(Value response) const {
  Part part{.kind = PartKind::tool_result};
  part.name = response["name"].string(context.arena);
  part.id = response["id"].string(context.arena);
  const Value value = response["response"];
  if (!value.is_unset()) {
    part.json_result = value.is_object() || value.is_array();
    part.is_error = value.is_object() && value.size() == 1 && value["error"].present();
    const std::string_view text = value.is_string() ? value.string(context.arena) : value.raw();
    part.content.push(context.arena, {.kind = PartKind::text, .text = text});
  }
  size_t number = 0;
  for (const Value inner : response["parts"].elements()) {
    const size_t at = number++;
    const PartMembers members = members_of(inner, context.arena);
    const bool media = members.inline_data.is_object() || members.file_data.is_object();
    if (!media && !members.text.is_string() && !members.opaque && !members.unknown) continue;
    const std::string_view parts = context.arena.concat(path(), ".functionResponse.parts");
    const std::string_view place = indexed(parts, at, "", context.arena);
    part.content.push(context.arena,
                      media ? read_media(members, place)
                            : Part{.kind = PartKind::opaque, .origin = origin, .text = inner.raw(), .id = place});
  }
  return part;
}

std::string_view PartReader::path() const {
  return list.empty() ? list : indexed(list, index, "", context.arena);
}

Part PartReader::read_media(const PartMembers& members, std::string_view path) const {
  base::Arena& arena = context.arena;
  const bool inlined = members.inline_data.is_object();
  const Value data = inlined ? members.inline_data : members.file_data;
  chat::Media media{.source = MediaSource::base64, .data = {}, .path = path};
  media.media_type = data.any_of("mimeType", "mime_type").string(arena);
  if (inlined) {
    media.data = standard_base64(data["data"].string(arena), arena);
  } else {
    const std::string_view uri = data.any_of("fileUri", "file_uri").string(arena);
    media.data = uri;
    const bool uploaded = uri.starts_with(kFilesApi) && uri.find(kFilesPath) != std::string_view::npos;
    media.source = uploaded ? MediaSource::file_id : MediaSource::url;
    if (media.media_type.empty()) media.media_type = is_youtube(uri) ? "video/mp4" : type_by_extension(uri);
  }
  std::string metadata;
  if (members.video_metadata.present() || members.media_resolution.present()) {
    json::Writer w(metadata);
    w.begin_object();
    if (members.video_metadata.present()) w.raw_member("videoMetadata", members.video_metadata.raw());
    if (members.media_resolution.present()) w.raw_member("mediaResolution", members.media_resolution.raw());
    w.end_object();
    media.metadata = arena.copy(metadata);
  }
  Part part{.kind = kind_of_media_type(media.media_type), .origin = origin};
  part.name = data.any_of("displayName", "display_name").string(arena);
  part.media = arena.make<chat::Media>(media);
  return part;
}

std::string_view standard_base64(std::string_view text, base::Arena& arena) {
  const bool other = text.find_first_of("-_\r\n ") != std::string_view::npos || text.size() % 4 != 0;
  if (!other) return text;
  const std::span<char> bytes = arena.bytes(text.size());
  const auto size = base::base64_decode(text, bytes.data());
  if (!size) return text;  // the provider will say what is wrong with it
  return base::base64_encode({bytes.data(), *size}, arena);
}

PartKind kind_of_media_type(std::string_view media_type) {
  if (media_type.starts_with("image/")) return PartKind::image;
  if (media_type.starts_with("audio/")) return PartKind::audio;
  if (media_type.starts_with("video/")) return PartKind::video;
  return PartKind::document;
}

std::string_view signature_text(const chat::Signature& signature, chat::Minter native, base::Arena& arena) {
  if (signature.minter == native && signature.id.empty()) return signature.data;
  return chat::wrap_signature_base64(signature, arena);
}

bool write_media_members(json::Writer& w, const chat::Media& media, std::string_view name) {
  switch (media.source) {
    case MediaSource::base64:
      w.key("inlineData").begin_object();
      w.member("mimeType", media.media_type.empty() ? std::string_view("application/octet-stream") : media.media_type);
      w.member("data", media.data);
      break;
    case MediaSource::url:
    case MediaSource::file_id: {
      const std::string_view type = media.media_type.empty() ? type_by_extension(media.data) : media.media_type;
      w.key("fileData").begin_object();
      if (!type.empty()) w.member("mimeType", type);
      w.member("fileUri", media.data);
      break;
    }
    case MediaSource::text: return false;
  }
  if (!name.empty()) w.member("displayName", name);
  w.end_object();
  return true;
}

void write_opaque(json::Writer& w, std::string_view part, std::string_view signature) {
  const bool object = part.size() > 2 && part.starts_with('{') && part.ends_with('}');
  if (signature.empty() || !object) {
    w.raw(object || part == "{}" ? part : std::string_view("{}"));
    return;
  }
  std::string text(part.substr(0, part.size() - 1));
  text += R"(,"thoughtSignature":)";
  json::append_quoted(text, signature);
  text += '}';
  w.raw(text);
}

}  // namespace llmgw::dialects::gemini
