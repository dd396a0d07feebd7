#include "dialects/server_tools.h"

#include <algorithm>
#include <string>

#include "dialects/foreign_items.h"
#include "dialects/losses.h"
#include "dialects/request_gates.h"
#include "dialects/web_search.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects {
namespace {

using chat::Dialect;
using chat::Minter;
using chat::Tool;
using chat::ToolChoiceMode;
using chat::ToolKind;
using json::Value;

constexpr std::string_view kSearch = "web_search";

bool is_google_search(std::string_view name) {
  return name == "googleSearch" || name == "google_search" || name == "googleSearchRetrieval" ||
         name == "google_search_retrieval";
}

// OpenRouter searches for every model; of OpenAI's chat completions only models that are made for it do
// ("gpt-4o-search-preview", "gpt-5-search-api"), the others refuse to be told how.
constexpr std::string_view kOpenRouter = "openrouter";
bool is_search_model(const chat::Target& target) {
  const bool own = target.minter == Minter::openai || target.minter == Minter::azure;
  return own && target.model.find("-search") != std::string_view::npos;
}

// Who hosts Claude elsewhere, or speaks OpenAI's API, need not search.
bool searches(const chat::Target& target) {
  switch (target.dialect) {
    case Dialect::anthropic: return target.minter == Minter::anthropic || target.minter == Minter::vertex_claude;
    case Dialect::openai_responses: return target.minter == Minter::openai || target.minter == Minter::azure;
    case Dialect::openai_chat:
    case Dialect::azure: return target.vendor == kOpenRouter || is_search_model(target);
    default: return same_format(target.dialect, Dialect::gemini);
  }
}

class Mapper {
 public:
  Mapper(const chat::Request& request, const chat::Target& target, WriteContext& context)
      : request_(request), target_(target), context_(context), arena_(context.arena) {}

  bool anything_to_do() const {
    return std::ranges::any_of(request_.tools, [&](const Tool& t) { return foreign(t); }) ||
           (from_foreign_chat() && !request_.extras.empty());
  }

  Outcome<void> run(chat::Request& copy) {
    copy.tools = {};
    size_t index = 0;
    for (const Tool& tool : request_.tools) {
      if (!foreign(tool) || !is_search(tool)) {
        copy.tools.push(arena_, tool);
      } else if (may_search(tool_path(tool, index, arena_))) {
        copy.tools.push(arena_, mapped(read(tool, index), tool_path(tool, index, arena_)));
        mapped_name_ = tool.name;
        any_mapped_ = true;
      }
      ++index;
    }
    if (from_foreign_chat()) members(copy);
    return choice(copy);
  }

 private:
  bool from_foreign_chat() const {
    return same_format(request_.from, Dialect::openai_chat) && !same_format(target_.dialect, Dialect::openai_chat);
  }

  // A search that a client of Chat Completions asks for outside of its tools. What is not taken stays to be warned of.
  void members(chat::Request& copy) {
    copy.extras = {};
    for (const chat::Extra& extra : request_.extras) {
      if (refuses_search(extra, context_.parser, arena_)) continue;
      const auto search =
          searches(target_) && !any_mapped_ ? chat_web_search(extra, context_.parser, arena_) : std::nullopt;
      if (!search) {
        copy.extras.push(arena_, extra);
      } else if (may_search(extra.name)) {
        copy.tools.push(arena_, mapped(*search, extra.name));
        any_mapped_ = true;
        // It is asked for, so it is allowed.
        if (!copy.tool_choice.allowed.empty() && target_.dialect == Dialect::anthropic) {
          copy.tool_choice.allowed.push(arena_, kSearch);
        }
      }
    }
  }

  bool foreign(const Tool& tool) const {
    return tool.kind == ToolKind::opaque && !same_format(tool.origin, target_.dialect);
  }

  bool is_search(const Tool& tool) const {
    if (same_format(tool.origin, Dialect::gemini)) return is_google_search(tool.name);
    const auto root = json::parse_tree(context_.parser, tool.raw, arena_);
    if (!root || !root->is_object()) return false;
    return (tool.origin == Dialect::openai_responses || tool.origin == Dialect::anthropic) &&
           (*root)["type"].string(arena_).starts_with(kSearch);
  }

  bool may_search(std::string_view path) {
    const bool functions =
        std::ranges::any_of(request_.tools, [](const Tool& other) { return other.kind != ToolKind::opaque; });
    const bool either = same_format(target_.dialect, Dialect::gemini) &&
                        target_.reasoning != chat::ReasoningStyle::gemini_level;  // before Gemini 3
    const bool can = searches(target_);
    if (can && !(either && functions)) return true;
    context_.warnings.dropped(
        path, can ? "this model takes functions or a search, not both" : "this provider's API has no web search");
    return false;
  }

  Tool mapped(const WebSearch& search, std::string_view path) {
    std::string_view name = kSearch;
    std::string raw;
    json::Writer writer(raw);
    if (same_format(target_.dialect, Dialect::openai_chat)) {
      name = to_chat(writer, search);
    } else {
      writer.begin_object();
      if (target_.dialect == Dialect::anthropic) {
        to_anthropic(writer, search);
      } else if (target_.dialect == Dialect::openai_responses) {
        to_responses(writer, search);
      } else {
        to_gemini(writer, search);
      }
      writer.end_object();
    }
    for (const std::string_view place : search.lost) lost(place);
    return {.kind = ToolKind::opaque, .origin = target_.dialect, .name = name, .raw = arena_.copy(raw), .path = path};
  }

  WebSearch read(const Tool& tool, size_t index) {
    WebSearch search;
    const auto root = json::parse_tree(context_.parser, tool.raw, arena_);
    if (!root) return search;
    Value object = *root;
    if (same_format(tool.origin, Dialect::gemini)) {
      for (const json::Member member : root->members()) object = member.value;
    }
    const std::string_view path = arena_.concat(tool_path(tool, index, arena_), ".");
    for (const json::Member member : object.members()) read(member, path, search);
    return search;
  }

  void read(const json::Member& member, std::string_view inside, WebSearch& search) {
    const Value value = member.value;
    const std::string_view key = member.key(arena_);
    if (value.is_null() || key == "type" || key == "name" || key == "cache_control") return;
    const std::string_view path = arena_.concat(inside, key);
    const SearchSetting setting{value.raw(), path};
    if (key == "filters" && value.is_object()) {
      for (const json::Member filter : value.members()) read(filter, arena_.concat(path, "."), search);
    } else if (key == "search_context_size") {
      search.context_size = setting;
    } else if (key == "allowed_domains" && value.is_array()) {
      search.allowed = setting;
    } else if ((key == "blocked_domains" || key == "excludeDomains" || key == "exclude_domains") && value.is_array()) {
      search.blocked = setting;
    } else if (key == "user_location" && value.is_object()) {
      search.location = setting;
    } else {
      search.lost.push(arena_, path);
    }
  }

  void lost(std::string_view path) {
    context_.warnings.dropped(path, "this provider's web search has no such setting");
  }
  void lost(const SearchSetting& setting) {
    if (setting.given()) lost(setting.path);
  }
  // "medium" is what everybody does.
  void context_size_lost(const WebSearch& search) {
    if (search.context_size.json != "\"medium\"") lost(search.context_size);
  }

  void to_anthropic(json::Writer& writer, const WebSearch& search) {
    writer.member("type", "web_search_20250305").member("name", kSearch);
    if (search.allowed.given()) {
      writer.raw_member("allowed_domains", search.allowed.json);
      lost(search.blocked);  // it takes one of the two
    } else if (search.blocked.given()) {
      writer.raw_member("blocked_domains", search.blocked.json);
    }
    if (search.location.given()) writer.raw_member("user_location", search.location.json);
    context_size_lost(search);
  }

  void to_responses(json::Writer& writer, const WebSearch& search) {
    writer.member("type", kSearch);
    if (search.allowed.given()) {
      writer.key("filters").begin_object().raw_member("allowed_domains", search.allowed.json).end_object();
    }
    lost(search.blocked);
    if (search.location.given()) writer.raw_member("user_location", search.location.json);
    if (search.context_size.given()) writer.raw_member("search_context_size", search.context_size.json);
  }

  void to_gemini(json::Writer& writer, const WebSearch& search) {
    const bool excludes = target_.minter == Minter::vertex;
    writer.key("googleSearch").begin_object();
    if (search.blocked.given() && excludes) writer.raw_member("excludeDomains", search.blocked.json);
    writer.end_object();
    if (!excludes) lost(search.blocked);
    lost(search.allowed);
    lost(search.location);
    context_size_lost(search);
  }

  // A member of the request, by the name that is returned.
  std::string_view to_chat(json::Writer& writer, const WebSearch& search) {
    lost(search.allowed);
    lost(search.blocked);
    if (target_.vendor == kOpenRouter) {
      writer.begin_array().begin_object().member("id", "web").end_object().end_array();
      lost(search.location);
      context_size_lost(search);
      return "plugins";
    }
    writer.begin_object();
    if (search.context_size.given()) writer.raw_member("search_context_size", search.context_size.json);
    if (search.location.given()) nested_location(writer, search.location);
    writer.end_object();
    return "web_search_options";
  }

  void nested_location(json::Writer& writer, const SearchSetting& location) {
    const auto root = json::parse_tree(context_.parser, location.json, arena_);
    if (!root) return;
    writer.key("user_location").begin_object().member("type", "approximate").key("approximate").begin_object();
    for (const json::Member member : root->members()) {
      if (!member.is("type") && !member.value.is_null()) writer.raw_member(member.key(arena_), member.value.raw());
    }
    writer.end_object().end_object();
  }

  std::unexpected<chat::ClientError> impossible() {
    return invalid(arena_, "tool_choice",
                   "A tool must be called, but there is none that this model can be made to call.");
  }

  // A tool that has to be called must be there.
  Outcome<void> choice(chat::Request& copy) {
    chat::ToolChoice& choice = copy.tool_choice;
    if (request_.from == Dialect::openai_responses) {
      if (auto taken = hosted_choice(copy); !taken) return taken;
    }
    const bool gemini = same_format(target_.dialect, Dialect::gemini);
    // Nobody can be made to search where the search is no tool.
    const bool tool_like = !gemini && !same_format(target_.dialect, Dialect::openai_chat);
    const bool callable = std::ranges::any_of(copy.tools, [&](const Tool& tool) {
      return tool.kind != ToolKind::opaque || (tool_like && same_format(tool.origin, target_.dialect));
    });
    if (choice.mode == ToolChoiceMode::required && !callable) return impossible();
    if (choice.mode != ToolChoiceMode::named) return {};
    const auto named = [&](const Tool& tool) { return tool.name == choice.name && foreign(tool); };
    if (std::ranges::none_of(request_.tools, named)) return {};
    if (!any_mapped_ || !tool_like || choice.name != mapped_name_) return impossible();
    choice.name = kSearch;
    return {};
  }

  // The Responses API names a tool that the provider runs by its type.
  Outcome<void> hosted_choice(chat::Request& copy) {
    const auto* const extra = std::ranges::find(request_.extras, std::string_view("tool_choice"), &chat::Extra::name);
    if (extra == request_.extras.end()) return {};
    const auto root = json::parse_tree(context_.parser, extra->value, arena_);
    const bool search = root && (*root)["type"].string(arena_).starts_with(kSearch);
    if (!search || !any_mapped_ || target_.dialect != Dialect::anthropic) return impossible();
    copy.tool_choice.mode = ToolChoiceMode::named;
    copy.tool_choice.name = mapped_name_;
    copy.extras = {};
    for (const chat::Extra& other : request_.extras) {
      if (other.name != "tool_choice") copy.extras.push(arena_, other);
    }
    return {};
  }

  const chat::Request& request_;
  const chat::Target& target_;
  WriteContext& context_;
  base::Arena& arena_;
  std::string_view mapped_name_;
  bool any_mapped_ = false;
};

}  // namespace

Outcome<const chat::Request*> with_own_server_tools(const chat::Request& request, const chat::Target& target,
                                                    WriteContext& context, std::optional<chat::Request>& storage) {
  TRY(carried, carry_foreign_items(request, target, context));
  Mapper mapper(*carried, target, context);
  if (!target.tools || !mapper.anything_to_do()) return carried;
  storage = *carried;
  if (auto done = mapper.run(*storage); !done) return std::unexpected(done.error());
  return &*storage;
}

bool is_request_member(const chat::Request& request, const chat::Tool& tool) {
  return tool.kind == ToolKind::opaque && same_format(tool.origin, Dialect::openai_chat) &&
         !same_format(request.from, Dialect::openai_chat);
}

}  // namespace llmgw::dialects
