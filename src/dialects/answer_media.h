// Which media an answer of each dialect has a place for. What it has none for is dropped, and the client told. Pure.
#pragma once

#include <string_view>

#include "chat/dialect.h"
#include "chat/message.h"

namespace llmgw::dialects {

// True also for parts that are no media.
bool answers_carry(chat::Dialect client, chat::PartKind kind);

// "image", "audio", "video", "document"; empty for other parts.
std::string_view media_word(chat::PartKind kind);

}  // namespace llmgw::dialects
