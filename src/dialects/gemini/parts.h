// Parts of a Content: what requests, answers and stream chunks share. Pure; one thread for each context.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "chat/message.h"
#include "dialects/codec.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::gemini {

// Members of a Part, in one pass over it, by their camelCase or snake_case names.
struct PartMembers {
  json::Value text, thought, signature, function_call, function_response, inline_data, file_data, video_metadata,
      media_resolution;
  bool opaque = false;   // executableCode, codeExecutionResult, toolCall, toolResponse, and what nobody knows yet
  bool unknown = false;  // a member that is none of these, and no note of the client's
};
PartMembers members_of(json::Value part, base::Arena& arena);

struct PartReader {
  const ReadContext& context;
  chat::Dialect origin;  // gemini or vertex: of opaque parts
  // Where the part at hand stands in a client's request; empty in a provider's answer.
  std::string_view list = {};
  size_t index = 0;

  // The neutral part. `skip` if it says nothing. Ids of calls and results are empty where they have none.
  chat::Part read(json::Value part, bool& skip) const;

 private:
  std::string_view path() const;
  chat::Part read_media(const PartMembers& members, std::string_view path) const;
  chat::Part read_call(json::Value call) const;
  chat::Part read_result(json::Value response) const;
  const chat::Signature* read_signature(json::Value value, chat::SignaturePlace place) const;
};

// Base64 as the standard alphabet has it, padded: SDKs send the other alphabet too.
std::string_view standard_base64(std::string_view text, base::Arena& arena);
// What a media type is: image, audio, video, else a document.
chat::PartKind kind_of_media_type(std::string_view media_type);

// The signature as it stands in the dialect: those of `native` as they are, others tagged.
std::string_view signature_text(const chat::Signature& signature, chat::Minter native, base::Arena& arena);

// {"inlineData":...} or {"fileData":...} with the members around it; false if the media is neither.
bool write_media_members(json::Writer& w, const chat::Media& media, std::string_view name);

// An opaque part's JSON, whose signature was taken out, with one put in.
void write_opaque(json::Writer& w, std::string_view part, std::string_view signature);

}  // namespace llmgw::dialects::gemini
