#include "dialects/losses.h"

#include <algorithm>
#include <array>
#include <string>

#include "dialects/anthropic/error.h"
#include "dialects/document_citations.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects {
namespace {

using chat::Dialect;
using chat::Part;
using chat::PartKind;

constexpr std::string_view kNoSuchMember = "this model's API has no such member";

// What the clients call it inside of a part.
struct PartNames {
  std::string_view detail;
  std::string_view title;
  std::string_view context;
  std::string_view citations;  // of a document: that they are wanted
  std::string_view quotes;     // of a text: those it has
  std::string_view id = {};    // of a document
};

PartNames names_of(Dialect client, const Part& part) {
  const bool source = part.media != nullptr && part.media->search_result;
  switch (client) {
    case Dialect::anthropic: return {"", ".title", source ? ".source" : ".context", ".citations", ".citations"};
    case Dialect::bedrock:
      return source ? PartNames{"", ".searchResult.title", ".searchResult.source", ".searchResult.citations", ""}
                    : PartNames{"", ".document.name", ".document.context", ".document.citations",
                                ".citationsContent.citations"};
    case Dialect::gemini:
    case Dialect::vertex: {
      const bool inlined = part.media != nullptr && part.media->source == chat::MediaSource::base64;
      return {"", inlined ? ".inlineData.displayName" : ".fileData.displayName", "", "", ""};
    }
    case Dialect::openai_responses: return {".detail", ".filename", "", "", ".annotations"};
    case Dialect::cohere: {
      const bool of_request = part.media != nullptr && part.media->path.starts_with("documents");
      return {".image_url.detail", "", "", "", ".citations", of_request ? ".id" : ".document.id"};
    }
    default:
      return {part.kind == PartKind::video ? ".video_url.detail" : ".image_url.detail", ".file.filename", "", "", ""};
  }
}

class Losses {
 public:
  Losses(const chat::Request& request, const Keeps& keeps, WriteContext& context)
      : request_(request),
        keeps_(keeps),
        context_(context),
        own_(same_format(request.from, keeps.dialect)),
        gemini_(same_format(request.from, Dialect::gemini)) {}

  void run() {
    for (const chat::Message& message : request_.messages) {
      const bool carried = keeps_.names && (message.role == chat::Role::user || message.role == chat::Role::assistant);
      if (!message.name.empty() && !carried) {
        drop(message.path, ".name", "this model's API has no names of those who speak");
      }
      if (!message.phase.empty() && !keeps_.phases) drop(message.path, ".phase", kNoSuchMember);
      for (size_t i = 0; i < message.parts.size(); ++i) part(message.parts[i], message, i);
    }
    settings();
    reasoning();
    for (const chat::Unread& unread : request_.unread) {
      if (own_ && (unread.kept || goes_as_it_stood(unread.path))) continue;
      std::string reason(own_ ? "the gateway does not know this member" : kNoSuchMember);
      if (unread.more > 0)
        reason +=
            "; the same in " + std::to_string(unread.more) + (unread.more == 1 ? " other place" : " other places");
      context_.warnings.dropped(unread.path, reason);
    }
    context_.warnings.leave_out(request_.unread_left_out);
  }

 private:
  // Inside of a block that its own dialect gets back raw.
  bool goes_as_it_stood(std::string_view path) const {
    return !same_format(keeps_.dialect, Dialect::gemini) &&
           std::ranges::any_of(request_.messages, [&](const chat::Message& message) {
             return std::ranges::any_of(message.parts, [&](const Part& part) {
               return part.media != nullptr && !part.media->metadata.empty() && !part.media->path.empty() &&
                      path.starts_with(part.media->path) && path.substr(part.media->path.size()).starts_with('.');
             });
           });
  }

  void drop(std::string_view path, std::string_view behind, std::string_view reason) {
    if (!path.empty()) context_.warnings.dropped(context_.arena.concat(path, behind), reason);
  }

  void settings() {
    const chat::Reasoning& reasoning = request_.reasoning;
    const bool shown = !reasoning.summary.empty() || (gemini_ && reasoning.visible == true);
    if (shown && !keeps_.thoughts && !own_) {
      context_.warnings.dropped("reasoning.summary", "this model's API does not show its thoughts");
    } else if (!own_ && !reasoning.summary.empty() && reasoning.summary != "auto") {
      context_.warnings.changed("reasoning.summary", "thoughts come as this model's API shows them");
    }
    if (!request_.format.description.empty() && !keeps_.formats) {
      context_.warnings.dropped("response_format.description", kNoSuchMember);
    }
    if (!own_ && !request_.truncation.empty() && request_.truncation != "disabled") {
      context_.warnings.dropped("truncation", "this model's API does not shorten a conversation");
    }
    // What a Responses client wants kept is kept by the gateway.
    if (same_format(request_.from, Dialect::openai_chat) && request_.store == true && !keeps_.store) {
      context_.warnings.dropped("store", "this model's API keeps no answers");
    }
    for (const std::string_view name : request_.include) {
      if (own_ || name == "reasoning.encrypted_content" || name == "message.output_text.logprobs") continue;
      context_.warnings.dropped("include", "this model's API cannot add all that was asked for");
    }
  }

  // One way of saying how to reason may push out another.
  void reasoning() {
    const chat::Reasoning& asked = request_.reasoning;
    if (asked.mode == chat::ReasoningMode::off || asked.effort == chat::Effort::none) return;
    const bool effort = asked.effort != chat::Effort::unset;
    const bool budget = asked.budget_tokens.value_or(0) > 0;
    // To Anthropic's own clients effort and thinking are two things.
    const bool apart = budget || request_.from == Dialect::anthropic;
    const bool told = keeps_.reasoned.said && !(effort && apart);
    if (effort && !keeps_.reasoned.effort && !told) {
      context_.warnings.dropped("reasoning_effort", "this model takes no effort, or none beside a budget of tokens");
    }
    if (budget && !keeps_.reasoned.budget && !told) {
      context_.warnings.dropped("reasoning.budget", "this model takes no budget of tokens, or none beside an effort");
    }
    if (asked.visible == false && !keeps_.hides) {
      context_.warnings.dropped("reasoning.display", "this model's thoughts come as its API shows them");
    }
  }

  void part(const Part& part, const chat::Message& message, size_t index, bool in_result = false) {
    for (const Part& inner : part.content) {
      this->part(inner, message, index, true);
      if (inner.kind == PartKind::opaque && !same_format(inner.origin, keeps_.dialect)) {
        drop(message.path, "", "an item of another provider's own tools cannot be sent to this one");
      }
    }
    if (part.media != nullptr) media(part);
    if (part.citations.empty() || same_format(part.origin, keeps_.dialect)) return;
    if (!in_result && cites_alike(part)) return;  // no API cites in a tool's result
    const std::string_view quotes = names_of(request_.from, part).quotes;
    const bool of_message = request_.from == Dialect::cohere;
    const std::string_view path = of_message ? message.path : indexed(message.path, ".content", index, context_.arena);
    drop(path, quotes, "this model's API has no place for the citations of an earlier answer");
  }

  // Whether all citations of an earlier answer have gone along.
  bool cites_alike(const Part& part) {
    if (!keeps_.cited_docs || keeps_.dialect == Dialect::cohere) return false;
    const CitedRequest asked{.request = &request_, .sent = &context_.documents};
    return earlier_citations(keeps_.dialect, part, asked, context_.parser, context_.arena).all;
  }

  static std::string_view indexed(std::string_view path, std::string_view list, size_t index, base::Arena& arena) {
    return path.empty() ? path : dialects::indexed(arena.concat(path, list), index, "", arena);
  }

  void media(const Part& part) {
    const chat::Media& media = *part.media;
    const PartNames names = names_of(request_.from, part);
    if (same_format(part.origin, keeps_.dialect) && !media.metadata.empty() && !gemini_) return;
    if (!keeps_.detail && !media.detail.empty() && media.detail != "auto") {
      drop(media.path, names.detail, "this model's API cannot be told how closely to look");
    }
    const bool document = part.kind == PartKind::document;
    const bool title_lost = !keeps_.titles && document && media.source != chat::MediaSource::text;
    if (title_lost && !part.name.empty()) drop(media.path, names.title, "this model's API has no names of documents");
    if (!document && !keeps_.media_names && !part.name.empty()) {
      drop(media.path, names.title, "this model's API has no names of media");
    }
    // Citations tell them.
    const bool by_id = keeps_.doc_ids || (keeps_.cited_docs && media.citations);
    if (!by_id && !part.id.empty() && !names.id.empty())
      drop(media.path, names.id, "this model's API has no ids of documents");
    if (!keeps_.contexts && !media.context.empty()) drop(media.path, names.context, kNoSuchMember);
    if (!keeps_.cited_docs && media.citations) {
      drop(media.path, names.citations, "this model's API does not cite documents");
    } else if (media.citations && keeps_.dialect == Dialect::cohere && !own_ && !media.path.empty()) {
      context_.warnings.changed(context_.arena.concat(media.path, names.citations),
                                "this model's citations name the document, not the place in it");
    }
    if (own_ || !gemini_) return;
    for (const std::string_view name : {"videoMetadata", "mediaResolution"}) {
      if (media.metadata.find(std::string("\"") + std::string(name) + "\":") == std::string_view::npos) {
        continue;
      }
      drop(media.path, context_.arena.concat(".", name), kNoSuchMember);
    }
  }

  const chat::Request& request_;
  const Keeps& keeps_;
  WriteContext& context_;
  const bool own_;     // the target has the client's format
  const bool gemini_;  // the client has Google's
};

}  // namespace

namespace {

// null, "", [] and {}: but an empty object of options is how a search is asked for.
bool says_nothing(const chat::Extra& extra) {
  const std::string_view json = extra.value;
  if (json == "null" || json == R"("")") return true;
  if (json.size() < 2 || extra.name == "web_search_options") return false;
  const bool container = json.front() == '[' || json.front() == '{';
  return container && json.substr(1, json.size() - 2).find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// Around the members of a tool that say what it is.
std::string_view inside_of(const chat::Request& request, const chat::Tool& tool, std::string_view path) {
  switch (request.from) {
    case Dialect::bedrock: return ".toolSpec";
    case Dialect::openai_chat:
    case Dialect::azure:
    case Dialect::cohere:
      if (path.starts_with("functions")) return "";
      return tool.kind == chat::ToolKind::custom ? ".custom" : ".function";
    default: return "";
  }
}

}  // namespace

void warn_of_losses(const chat::Request& request, const Keeps& keeps, WriteContext& context) {
  Losses(request, keeps, context).run();
}

Outcome<void> leave_extra(const chat::Extra& extra, std::string_view reason, WriteContext& context) {
  if (says_nothing(extra)) return {};
  struct Refusal {
    std::string_view name;
    std::string_view reason;
    std::string_view code = {};
  };
  constexpr std::string_view kTextOnly = "This model's API gives text only: it cannot answer in speech or pictures.";
  constexpr std::string_view kCached =
      "What is cached at another provider cannot be sent to this model: send the contents themselves.";
  constexpr std::string_view kGuarded =
      "A guardrail is checked by Bedrock's Converse only: leave it out, or choose a model that is called so.";
  constexpr std::string_view kPrompt = "A prompt that is stored at Bedrock cannot be used with this model.";
  constexpr std::string_view kContinued =
      "What another model has begun (`continuationToken`) cannot be gone on from by this one.";
  constexpr std::array<Refusal, 9> kRefused{{
      {"modalities", kTextOnly},
      {"generationConfig.responseModalities", kTextOnly},
      {"cachedContent", kCached},
      {"cached_content", kCached},
      {"guardrailConfig", kGuarded},
      {"promptVariables", kPrompt},
      {"thread", anthropic::kNoThreads, anthropic::kThreadUnsupported},
      {"continuationToken", kContinued},
      {"generationConfig.continuationToken", kContinued},
  }};
  const auto* const refusal = std::ranges::find(kRefused, extra.name, &Refusal::name);
  if (refusal != kRefused.end()) {
    return std::unexpected(chat::ClientError{
        .kind = chat::ErrorKind::unsupported, .message = refusal->reason, .param = extra.name, .code = refusal->code});
  }
  context.warnings.dropped(extra.name, reason);
  return {};
}

void warn_not_strict(const chat::Request& request, const chat::Tool& tool, size_t index, std::string_view reason,
                     WriteContext& context) {
  if (tool.strict != true || tool.strict_by_default) return;
  const std::string_view path = tool_path(tool, index, context.arena);
  if (request.from == Dialect::cohere) return context.warnings.dropped("strict_tools", reason);
  const std::string_view inside = context.arena.concat(path, inside_of(request, tool, path));
  context.warnings.dropped(context.arena.concat(inside, ".strict"), reason);
}

std::string_view user_field(const chat::Request& request) {
  return request.user.empty() ? "safety_identifier" : "user";
}

std::string_view one_user(const chat::Request& request, WriteContext& context) {
  if (request.user.empty()) return request.safety_identifier;
  if (!request.safety_identifier.empty() && request.safety_identifier != request.user) {
    context.warnings.dropped("safety_identifier", "this model's API takes one name of a user: sent is `user`");
  }
  return request.user;
}

std::string_view titled(std::string_view title, std::string_view text, base::Arena& arena) {
  return title.empty() ? text : arena.concat(arena.concat(title, "\n\n"), text);
}

std::string_view media_path(const Part& part) {
  return part.media == nullptr || part.media->path.empty() ? "messages" : part.media->path;
}

std::string_view tool_path(const chat::Tool& tool, size_t index, base::Arena& arena) {
  return tool.path.empty() ? indexed("tools", index, "", arena) : tool.path;
}

std::string_view schema_path(const chat::Request& request, const chat::Tool& tool, size_t index, base::Arena& arena) {
  const std::string_view path = tool_path(tool, index, arena);
  const std::string_view inside = arena.concat(path, inside_of(request, tool, path));
  switch (request.from) {
    case Dialect::anthropic: return arena.concat(inside, ".input_schema");
    case Dialect::bedrock: return arena.concat(inside, ".inputSchema.json");
    default: return arena.concat(inside, ".parameters");
  }
}

std::string_view tool_name_path(const chat::Request& request, const chat::Tool& tool, size_t index,
                                base::Arena& arena) {
  const std::string_view path = tool_path(tool, index, arena);
  return arena.concat(arena.concat(path, inside_of(request, tool, path)), ".name");
}

bool same_format(Dialect left, Dialect right) {
  const auto format = [](Dialect dialect) {
    return dialect == Dialect::azure ? Dialect::openai_chat : dialect == Dialect::vertex ? Dialect::gemini : dialect;
  };
  return format(left) == format(right);
}

}  // namespace llmgw::dialects
