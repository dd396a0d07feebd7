#include "dialects/web_search.h"

#include <string>

#include "dialects/request_gates.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects {
namespace {

using json::Value;

// Reads one of the three. Members of the same name mean the same thing, whoever has them.
class ChatSearch {
 public:
  explicit ChatSearch(base::Arena& arena) : arena_(arena) {}

  // OpenAI's (API reference, chat completions, 2026-11).
  WebSearch options(Value root, std::string_view path) {
    for (const json::Member member : root.members()) {
      const std::string_view place = below(path, member.key(arena_));
      if (member.is("search_context_size")) {
        search_.context_size = {member.value.raw(), place};
      } else if (member.is("user_location")) {
        location(member.value, place);
      } else {
        lose(member.value, place);
      }
    }
    return search_;
  }

  // OpenRouter's ("Web search", 2026): what is to be searched with is its own business. Other plugins are lost.
  std::optional<WebSearch> plugins(Value root, std::string_view path) {
    bool any = false;
    size_t index = 0;
    for (const Value plugin : root.elements()) {
      const std::string_view place = indexed(path, index++, "", arena_);
      if (!plugin["id"].equals("web")) {
        search_.lost.push(arena_, place);
        continue;
      }
      any = true;
      for (const json::Member member : plugin.members()) {
        if (!member.is("id") && !member.is("enabled")) domains(member, below(place, member.key(arena_)));
      }
    }
    return any ? std::optional(search_) : std::nullopt;
  }

  // xAI's (live search, 2025).
  WebSearch parameters(Value root, std::string_view path) {
    for (const json::Member member : root.members()) {
      const std::string_view place = below(path, member.key(arena_));
      if (member.is("sources") && member.value.is_array()) {
        sources(member.value, place);
      } else if (!member.is("mode") && !member.is("return_citations")) {
        lose(member.value, place);
      }
    }
    return search_;
  }

 private:
  std::string_view below(std::string_view path, std::string_view name) {
    return arena_.concat(arena_.concat(path, "."), name);
  }

  void lose(Value value, std::string_view path) {
    if (!value.is_null()) search_.lost.push(arena_, path);
  }

  void domains(const json::Member& member, std::string_view path) {
    const Value value = member.value;
    const bool allowed = member.is("include_domains") || member.is("allowed_websites");
    const bool blocked = member.is("exclude_domains") || member.is("excluded_websites");
    if (value.is_array() && (allowed || blocked)) {
      (allowed ? search_.allowed : search_.blocked) = {value.raw(), path};
    } else {
      lose(value, path);
    }
  }

  void sources(Value list, std::string_view path) {
    size_t index = 0;
    for (const Value source : list.elements()) {
      const std::string_view place = indexed(path, index++, "", arena_);
      if (!source["type"].equals("web")) {
        search_.lost.push(arena_, place);
        continue;
      }
      for (const json::Member member : source.members()) {
        const std::string_view inner = below(place, member.key(arena_));
        if (member.is("country") && member.value.is_string()) {
          const std::string_view country = arena_.concat(R"({"type":"approximate","country":)", member.value.raw());
          search_.location = {arena_.concat(country, "}"), inner};
        } else if (!member.is("type")) {
          domains(member, inner);
        }
      }
    }
  }

  // {"type":"approximate","approximate":{"city",...}}: everybody else has it flat.
  void location(Value value, std::string_view path) {
    const Value place = value["approximate"];
    if (!place.is_object()) return lose(value, path);
    std::string flat;
    json::Writer w(flat);
    w.begin_object().member("type", "approximate");
    for (const json::Member member : place.members()) {
      if (!member.value.is_null()) w.raw_member(member.key(arena_), member.value.raw());
    }
    w.end_object();
    search_.location = {arena_.copy(flat), path};
  }

  base::Arena& arena_;
  WebSearch search_;
};

}  // namespace

std::optional<WebSearch> chat_web_search(const chat::Extra& extra, json::Parser& parser, base::Arena& arena) {
  const bool options = extra.name == "web_search_options";
  const bool plugins = extra.name == "plugins";
  const bool parameters = extra.name == "search_parameters";
  if (!options && !plugins && !parameters) return std::nullopt;
  const auto root = json::parse_tree(parser, extra.value, arena);
  if (!root || !(plugins ? root->is_array() : root->is_object())) return std::nullopt;
  ChatSearch search(arena);
  if (options) return search.options(*root, extra.name);
  if (plugins) return search.plugins(*root, extra.name);
  if ((*root)["mode"].equals("off")) return std::nullopt;
  return search.parameters(*root, extra.name);
}

bool refuses_search(const chat::Extra& extra, json::Parser& parser, base::Arena& arena) {
  if (extra.name != "search_parameters") return false;
  const auto root = json::parse_tree(parser, extra.value, arena);
  return root && root->is_object() && (*root)["mode"].equals("off");
}

}  // namespace llmgw::dialects
