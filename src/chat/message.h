// The neutral conversation: messages of parts. Views point into the client's body or the request's arena. Plain data;
// one thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "chat/dialect.h"
#include "chat/list.h"
#include "chat/signature.h"

namespace llmgw::chat {

enum class Role : uint8_t { system, developer, user, assistant, tool };

std::string_view to_string(Role role);

enum class PartKind : uint8_t {
  text,         // text
  refusal,      // text: the model's words why it will not
  thinking,     // text (may be empty), signature
  tool_call,    // id, name, text: the arguments
  tool_result,  // id, name if known, content, is_error
  image,        // media
  audio,        // media
  video,        // media
  document,     // media, name: file name or title
  opaque,       // text: JSON which only dialect `origin` understands (server tools, ...); in a request id: its path
};

enum class MediaSource : uint8_t {
  base64,   // data: base64 text without line breaks
  url,      // data: http(s), gs:, s3: ... address, never data:
  file_id,  // data: the provider's id of an uploaded file
  text,     // data: plain text (documents)
};

struct Media {
  MediaSource source = MediaSource::base64;
  std::string_view data;
  std::string_view media_type = {};  // "image/png"; empty if unknown
  std::string_view detail = {};      // images: OpenAI's low, high, auto
  std::string_view context = {};     // documents: Anthropic's context
  std::string_view metadata = {};  // JSON as the origin wrote it (Gemini's videoMetadata, ...); other dialects drop it
  bool citations = false;          // documents: citations wanted
  bool search_result = false;      // documents: Anthropic's and Bedrock's search_result, its `source` in context
  std::string_view path = {};  // where it stands in the client's request: "messages[2].content[0]"; empty if unknown
};

enum class CacheMark : uint8_t { none, five_minutes, one_hour };

struct Part {
  PartKind kind = PartKind::text;
  CacheMark cache = CacheMark::none;      // the client marks the prompt up to and including this part as cacheable
  Dialect origin = Dialect::openai_chat;  // opaque, citations: whose JSON it is
  bool is_error = false;                  // tool_result
  bool custom = false;       // tool_call, tool_result: of a free-text tool: the arguments are text, not JSON
  bool redacted = false;     // thinking: the provider hid the text; the signature's data is all there is
  bool json_result = false;  // tool_result: its one text part is a JSON object or array that stood as JSON
  std::string_view text = {};
  // As the dialect has it; empty if it has none (Gemini). Pairs a result with its call.
  std::string_view id = {};
  std::string_view name = {};
  std::string_view citations = {};  // text: JSON array in the shape of `origin`; empty if none
  List<Part> content = {};          // tool_result: text, image, document, ... parts
  const Media* media = nullptr;
  const Signature* signature = nullptr;  // null if none

  bool has_signature() const { return signature != nullptr && signature->present(); }
};

// A tool call's arguments are kept as the model or client wrote them, "" and broken JSON included; writers that need an
// object use chat/arguments.h.

struct Message {
  Role role = Role::user;
  std::string_view name = {};   // OpenAI's participant name
  std::string_view phase = {};  // OpenAI Responses: "commentary", "final_answer"
  std::string_view id = {};     // OpenAI Responses: the item's id
  std::string_view path = {};   // where it stands in the client's request: "messages[2]"; empty if unknown
  List<Part> parts = {};
};

}  // namespace llmgw::chat
