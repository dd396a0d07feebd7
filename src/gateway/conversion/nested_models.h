// Gemini names the model inside the bodies of some calls as well as in the path: "models/x" in embedContent, in every
// request of batchEmbedContents and in countTokens' generateContentRequest (googleapis, generativelanguage v1beta,
// 2026). They have to agree, so an alias is replaced in all of them. Pure; one thread for each Parser.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "base/result.h"
#include "json/reader.h"

namespace llmgw::gateway {

// `body` with every member `model` of the body, of `requests[]` and of `generateContentRequest` set to
// "models/<remote>"; `body` itself where there is none. The result is in the arena. invalid_argument: not a JSON
// object.
base::Result<std::string_view> replace_nested_models(json::Parser& parser, std::string_view body,
                                                     std::string_view remote, base::Arena& arena);

}  // namespace llmgw::gateway
