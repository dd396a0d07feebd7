// What a stream or document with status 200 says that begins with an error: some servers find out that a prompt is too
// long when their answer has begun already. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "chat/dialect.h"
#include "chat/error.h"
#include "dialects/codec.h"

namespace llmgw::gateway {

// `beginning` is what has come of the answer, in that framing; `codec` its API's. Nothing: it says nothing that can be
// read. The texts are in the context's arena.
std::optional<chat::ClientError> first_error(const dialects::Codec& codec, chat::Framing framing,
                                             std::string_view beginning, const dialects::ReadContext& context);

}  // namespace llmgw::gateway
