// What each vendor and each family of models takes, as one table: the gates of chat::Target for a connection and a
// model. Sources: the vendors' API references and what the SDKs of pydantic-ai and vercel/ai were seen to avoid, state
// of Aug 2026. A model that no row knows is taken for the newest of its family, since names outlive tables.
// Static data; any thread; no allocation.
#pragma once

#include <string_view>

#include "chat/target.h"
#include "providers/upstream.h"

namespace llmgw::providers {

// The OpenAI API a connection of kind openai or azure is called by; without meaning elsewhere.
enum class ChatApi : uint8_t { chat, responses };

// Views of the result point into `upstream`, `model` and static data.
chat::Target target_for(const Upstream& upstream, ChatApi api, std::string_view model);

// The name under which the table knows the connection's vendor: as configured, else by provider, else by host.
std::string_view vendor_name(const Upstream& upstream);
// Whether its server is a vendor's own copy of OpenAI's API, of which is known what it refuses.
bool has_own_quirks(const Upstream& upstream);
// Whether a configuration may name it.
bool is_vendor_name(std::string_view name);

}  // namespace llmgw::providers
