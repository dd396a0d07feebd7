// A search of the web that the provider runs itself, in nobody's words: what server_tools.h carries between those APIs
// that have one. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "chat/list.h"
#include "chat/request.h"
#include "json/reader.h"

namespace llmgw::dialects {

// What a client set, as JSON, and where it stands in its request; empty: nothing.
struct SearchSetting {
  std::string_view json = {};
  std::string_view path = {};

  bool given() const { return !json.empty(); }
};

struct WebSearch {
  SearchSetting allowed = {};              // a list of domains
  SearchSetting blocked = {};              // the same
  SearchSetting location = {};             // {"type":"approximate","city","country","region","timezone"}
  SearchSetting context_size = {};         // "low", "medium" or "high"
  chat::List<std::string_view> lost = {};  // paths of settings that only the client's own API has
};

// Clients of Chat Completions have no tool for it but a member of the request: OpenAI's `web_search_options`,
// OpenRouter's `plugins`, xAI's `search_parameters`. Nothing if this is none of them, or asks for none. Texts live in
// the arena.
std::optional<WebSearch> chat_web_search(const chat::Extra& extra, json::Parser& parser, base::Arena& arena);

// Whether the member says that there be no search.
bool refuses_search(const chat::Extra& extra, json::Parser& parser, base::Arena& arena);

}  // namespace llmgw::dialects
