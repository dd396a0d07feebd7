#include "dialects/server_tools.h"

#include <algorithm>
#include <string>

#include "dialects/losses.h"
#include "dialects/request_gates.h"
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

// Who hosts Claude elsewhere, or speaks OpenAI's API, need not search.
bool searches(const chat::Target& target) {
  switch (target.dialect) {
    case Dialect::anthropic: return target.minter == Minter::anthropic || target.minter == Minter::vertex_claude;
    case Dialect::openai_responses: return target.minter == Minter::openai || target.minter == Minter::azure;
    default: return same_format(target.dialect, Dialect::gemini);
  }
}

// What a client says of its search, in whatever words.
struct Search {
  Value allowed = {};   // domains
  Value blocked = {};   // domains
  Value location = {};  // {"type":"approximate","city",...}: OpenAI's and Anthropic's are the same
  chat::List<std::string_view> others = {};
};

class Mapper {
 public:
  Mapper(const chat::Request& request, const chat::Target& target, WriteContext& context)
      : request_(request), target_(target), context_(context), arena_(context.arena) {}

  bool anything_to_do() const {
    return std::ranges::any_of(request_.tools, [&](const Tool& t) { return foreign(t); });
  }

  Outcome<void> run(chat::Request& copy) {
    copy.tools = {};
    size_t index = 0;
    for (const Tool& tool : request_.tools) {
      if (!foreign(tool) || !is_search(tool)) {
        copy.tools.push(arena_, tool);
      } else if (may_search(tool, index)) {
        copy.tools.push(arena_, mapped(tool, index));
        mapped_name_ = tool.name;
        any_mapped_ = true;
      }
      ++index;
    }
    return choice(copy);
  }

 private:
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

  bool may_search(const Tool& tool, size_t index) {
    const bool functions =
        std::ranges::any_of(request_.tools, [](const Tool& other) { return other.kind != ToolKind::opaque; });
    const bool either = same_format(target_.dialect, Dialect::gemini) &&
                        target_.reasoning != chat::ReasoningStyle::gemini_level;  // before Gemini 3
    const bool can = searches(target_);
    if (can && !(either && functions)) return true;
    context_.warnings.dropped(tool_path(tool, index, arena_), can ? "this model takes functions or a search, not both"
                                                                  : "this provider's API has no web search");
    return false;
  }

  Tool mapped(const Tool& tool, size_t index) {
    const Search search = read(tool);
    std::string raw;
    json::Writer writer(raw);
    writer.begin_object();
    if (target_.dialect == Dialect::anthropic) {
      to_anthropic(writer, search, tool, index);
    } else if (target_.dialect == Dialect::openai_responses) {
      to_responses(writer, search, tool, index);
    } else {
      to_gemini(writer, search, tool, index);
    }
    writer.end_object();
    for (const std::string_view name : search.others) lost(tool, index, name);
    return {.kind = ToolKind::opaque,
            .origin = target_.dialect,
            .name = kSearch,
            .raw = arena_.copy(raw),
            .path = tool_path(tool, index, arena_)};
  }

  Search read(const Tool& tool) {
    Search search;
    const auto root = json::parse_tree(context_.parser, tool.raw, arena_);
    if (!root) return search;
    Value object = *root;
    if (same_format(tool.origin, Dialect::gemini)) {
      for (const json::Member member : root->members()) object = member.value;
    }
    for (const json::Member member : object.members()) read(member, {}, search);
    return search;
  }

  void read(const json::Member& member, std::string_view inside, Search& search) {
    const Value value = member.value;
    const std::string_view key = member.key(arena_);
    if (value.is_null() || key == "type" || key == "name" || key == "cache_control") return;
    if (key == "search_context_size" && value.equals("medium")) return;
    if (key == "filters" && value.is_object()) {
      for (const json::Member filter : value.members()) read(filter, "filters.", search);
    } else if (key == "allowed_domains") {
      search.allowed = value;
    } else if (key == "blocked_domains" || key == "excludeDomains" || key == "exclude_domains") {
      search.blocked = value;
    } else if (key == "user_location") {
      search.location = value;
    } else {
      search.others.push(arena_, arena_.concat(inside, key));
    }
  }

  void lost(const Tool& tool, size_t index, std::string_view member) {
    const std::string_view path = arena_.concat(tool_path(tool, index, arena_), ".");
    context_.warnings.dropped(arena_.concat(path, member), "this provider's web search has no such setting");
  }

  std::string_view allowed_name(const Tool& tool) const {
    return tool.origin == Dialect::openai_responses ? "filters.allowed_domains" : "allowed_domains";
  }
  std::string_view blocked_name(const Tool& tool) const {
    if (tool.origin == Dialect::openai_responses) return "filters.blocked_domains";
    return tool.origin == Dialect::anthropic ? "blocked_domains" : "excludeDomains";
  }

  void to_anthropic(json::Writer& writer, const Search& search, const Tool& tool, size_t index) {
    writer.member("type", "web_search_20250305").member("name", kSearch);
    const bool allowed = search.allowed.is_array();
    if (allowed) writer.raw_member("allowed_domains", search.allowed.raw());
    if (search.blocked.is_array()) {
      if (allowed) {
        lost(tool, index, blocked_name(tool));  // it takes one of the two
      } else {
        writer.raw_member("blocked_domains", search.blocked.raw());
      }
    }
    if (search.location.is_object()) writer.raw_member("user_location", search.location.raw());
  }

  void to_responses(json::Writer& writer, const Search& search, const Tool& tool, size_t index) {
    writer.member("type", kSearch);
    if (search.allowed.is_array()) {
      writer.key("filters").begin_object().raw_member("allowed_domains", search.allowed.raw()).end_object();
    }
    if (search.blocked.is_array()) lost(tool, index, blocked_name(tool));
    if (search.location.is_object()) writer.raw_member("user_location", search.location.raw());
  }

  void to_gemini(json::Writer& writer, const Search& search, const Tool& tool, size_t index) {
    const bool excludes = target_.minter == Minter::vertex;
    writer.key("googleSearch").begin_object();
    if (search.blocked.is_array() && excludes) writer.raw_member("excludeDomains", search.blocked.raw());
    writer.end_object();
    if (search.blocked.is_array() && !excludes) lost(tool, index, blocked_name(tool));
    if (search.allowed.is_array()) lost(tool, index, allowed_name(tool));
    if (search.location.is_object()) lost(tool, index, "user_location");
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
    const bool callable = std::ranges::any_of(copy.tools, [&](const Tool& tool) {
      return tool.kind != ToolKind::opaque || (!gemini && same_format(tool.origin, target_.dialect));
    });
    if (choice.mode == ToolChoiceMode::required && !callable) return impossible();
    if (choice.mode != ToolChoiceMode::named) return {};
    const auto named = [&](const Tool& tool) { return tool.name == choice.name && foreign(tool); };
    if (std::ranges::none_of(request_.tools, named)) return {};
    if (!any_mapped_ || gemini || choice.name != mapped_name_) return impossible();
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
  Mapper mapper(request, target, context);
  if (!target.tools || !mapper.anything_to_do()) return &request;
  storage = request;
  if (auto done = mapper.run(*storage); !done) return std::unexpected(done.error());
  return &*storage;
}

}  // namespace llmgw::dialects
