// Images, sound and files as OpenAI and Cohere write them: data URLs, formats by name. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "chat/dialect.h"
#include "chat/message.h"

namespace llmgw::dialects {

// Files uploaded to OpenAI are good only there; clients of its two dialects can mean no others.
inline bool is_upload_elsewhere(const chat::Media& media, chat::Dialect from) {
  return media.source == chat::MediaSource::file_id && from != chat::Dialect::openai_chat &&
         from != chat::Dialect::openai_responses;
}
inline constexpr std::string_view kUploadElsewhere =
    "a file uploaded to another provider cannot be sent to this one: send the file itself";

// "data:image/png;base64,..." (RFC 2397) as media without line breaks; text that is not base64 becomes it. A missing
// type is told by the first bytes. Nothing if it is no data URL.
std::optional<chat::Media> media_from_data_url(std::string_view url, base::Arena& arena);
// A data URL, an http address, or base64 as it is.
chat::Media media_from_text(std::string_view text, std::string_view media_type, base::Arena& arena);

// An address that a provider may be asked to fetch. file: and the like would be read on the provider's own machine.
bool is_web_address(std::string_view url);

std::string_view audio_type_from(std::string_view format, base::Arena& arena);
// "wav", "mp3", ... of "audio/x-wav", "audio/mpeg", ...
std::string_view audio_format_from(std::string_view media_type);
// Of a file's name; empty if its end says nothing.
std::string_view type_of_file_name(std::string_view name);

void append_data_url(std::string& out, const chat::Media& media, std::string_view default_type);

}  // namespace llmgw::dialects
