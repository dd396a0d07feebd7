#include "providers/compatibility.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/client_field.h"
#include "dialects/codec.h"
#include "providers/compatibility_probes.h"
#include "providers/families.h"

namespace llmgw::providers {
namespace {

using chat::Dialect;

struct Client {
  std::string_view title;
  Dialect dialect;
  Clients bit;
};
constexpr Client kClients[] = {
    {"Chat Completions", Dialect::openai_chat, kChatClient}, {"Responses", Dialect::openai_responses, kResponsesClient},
    {"Anthropic", Dialect::anthropic, kAnthropicClient},     {"Gemini", Dialect::gemini, kGeminiClient},
    {"Bedrock Converse", Dialect::bedrock, kBedrockClient},  {"Cohere", Dialect::cohere, kCohereClient},
};

// A usual model of each: what others take is in the tables of families.h.
struct Provider {
  std::string_view title;
  std::string_view provider;
  std::string_view model;
  ChatApi api = ChatApi::chat;
};
constexpr Provider kProviders[] = {
    {"OpenAI chat: gpt-4o", "openai", "gpt-4o"},
    {"OpenAI responses: gpt-5.2", "openai", "gpt-5.2", ChatApi::responses},
    {"Anthropic: claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"},
    {"Google: gemini-2.5-flash", "google", "gemini-2.5-flash"},
    {"Bedrock: Claude Sonnet 4.5", "bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"},
    {"Cohere: command-a", "cohere", "command-a-03-2025"},
};

Upstream upstream_of(const Provider& provider) {
  auto upstream =
      prepare_upstream({.provider = provider.provider, .api_key = base::Secret("none"), .region = "us-east-1"});
  return std::move(*upstream);
}

// What a writer said about a request.
struct Said {
  std::string word;                     // of the table's cell
  std::vector<std::string> notes = {};  // why
};

std::string note_of(std::string_view kind, std::string_view field, std::string_view reason) {
  std::string note(kind);
  if (!field.empty()) note.append(" `").append(field).append("`");
  return note.append(": ").append(reason);
}

// The gateway fetches what a provider does not (gateway/conversion/media_fetcher.h).
bool is_fetched(const chat::Request& request, const chat::Target& target) {
  for (const chat::Part& part : request.messages[0].parts) {
    if (part.media == nullptr || part.media->source != chat::MediaSource::url) continue;
    if (part.kind == chat::PartKind::image ? !target.image_urls && target.images
                                           : !target.document_urls && target.documents) {
      return true;
    }
  }
  return false;
}

Said probe(const RequestProbe& probe, const Client& client, const chat::Target& target) {
  base::Arena arena;
  json::Parser parser;
  chat::Request request{.from = client.dialect, .model = target.model, .max_tokens = 1024};
  chat::Message asked{.role = chat::Role::user};
  asked.parts.push(arena, {.kind = chat::PartKind::text, .text = "Hi."});
  request.messages.push(arena, asked);
  probe.add(request, arena);
  if (is_fetched(request, target)) return {.word = "fetched"};
  chat::Warnings warnings(arena, client.dialect);
  dialects::WriteContext context{.parser = parser, .arena = arena, .warnings = warnings};
  std::string out;
  const auto written = dialects::find_codec(target.dialect)->write_request(request, target, context, out);
  if (!written) {
    const std::string_view field = chat::client_field(client.dialect, written.error().param);
    return {.word = "refused", .notes = {note_of("refused", field, written.error().message)}};
  }
  Said said{.word = "yes"};
  for (const chat::Warning& warning : warnings.list()) {
    if (said.word != "dropped") said.word = to_string(warning.kind);
    said.notes.push_back(note_of(to_string(warning.kind), warning.field, warning.reason));
  }
  return said;
}

class Notes {
 public:
  // " (1)", " (1, 3)"; nothing for none.
  std::string refer(const std::vector<std::string>& notes) {
    std::string text;
    for (const std::string& note : notes) {
      auto found = std::ranges::find(notes_, note);
      if (found == notes_.end()) found = notes_.insert(notes_.end(), note);
      text += (text.empty() ? " (" : ", ") + std::to_string(found - notes_.begin() + 1);
    }
    return text.empty() ? text : text + ")";
  }
  void print(std::string& out) const {
    for (size_t i = 0; i < notes_.size(); ++i) out += std::to_string(i + 1) + ". " + notes_[i] + "\n";
    if (!notes_.empty()) out += "\n";
  }

 private:
  std::vector<std::string> notes_;
};

void print_requests(const Client& client, std::string& out) {
  out += "### Requests of " + std::string(client.title) + " clients\n\n| |";
  std::vector<Upstream> upstreams;
  for (const Provider& provider : kProviders) {
    out += " " + std::string(provider.title) + " |";
    upstreams.push_back(upstream_of(provider));
  }
  out += "\n|---|";
  for (size_t i = 0; i < std::size(kProviders); ++i) out += "---|";
  out += "\n";
  Notes notes;
  for (const RequestProbe& each : request_probes()) {
    if ((each.clients & client.bit) == 0) continue;
    out += "| " + std::string(each.feature) + " |";
    for (size_t i = 0; i < upstreams.size(); ++i) {
      const chat::Target target = target_for(upstreams[i], kProviders[i].api, kProviders[i].model);
      const bool same = target.dialect == client.dialect;
      const Said said = same ? Said{.word = "same"} : probe(each, client, target);
      out += " " + said.word + notes.refer(said.notes) + " |";
    }
    out += "\n";
  }
  out += "\n";
  notes.print(out);
}

// What stands in an answer.
std::string content_of(const chat::Answer& answer) {
  std::string text;
  if (answer.choices.empty()) return text;
  for (const chat::Part& part : answer.choices[0].parts) {
    text += part.name;
    text += part.text;
    if (part.media != nullptr) text += part.media->data;
  }
  // Anthropic has the words of a refusal beside the content.
  if (answer.choices[0].finish == chat::Finish::refusal) text += answer.choices[0].explanation;
  return text;
}

// And all that it says, for comparing.
std::string reading_of(const chat::Answer& answer) {
  std::string text(to_string(answer.choices.empty() ? chat::Finish::unknown : answer.choices[0].finish));
  const auto count = [&](const std::optional<uint64_t>& tokens) { text += " " + std::to_string(tokens.value_or(0)); };
  count(answer.usage.cache_read);
  count(answer.usage.cache_write);
  count(answer.usage.reasoning);
  if (answer.choices.empty()) return text;
  text += " " + std::string(answer.choices[0].stop_sequence);
  for (const chat::Part& part : answer.choices[0].parts) {
    text += "|" + std::to_string(static_cast<int>(part.kind)) + std::string(part.name) + std::string(part.text);
    if (part.has_signature()) text += "+" + std::string(part.signature->data);
    if (part.media != nullptr) text += "+" + std::string(part.media->data);
  }
  return text;
}

std::string answer_word(const AnswerProbe& probe, const Client& client) {
  base::Arena arena;
  json::Parser parser;
  json::Parser writer_parser;
  chat::Request request{.from = client.dialect};
  chat::Answer answer{.id = "id-1", .model = "model"};
  answer.choices.push(arena, {.finish = chat::Finish::stop});
  answer.usage.input = 11;
  answer.usage.output = 2;
  probe.add(answer, arena);
  const dialects::Codec& codec = *dialects::find_codec(client.dialect);
  std::string out;
  codec.write_answer(
      answer, {.parser = writer_parser, .arena = arena, .request_id = "req", .model = "m", .request = &request}, out);
  chat::Answer heard;
  const dialects::ReadContext context{
      .parser = parser, .arena = arena, .minter = chat::native_minter(client.dialect), .model = "m", .id_seed = "s"};
  if (!codec.read_answer(out, context, heard)) return "as an error";
  if (reading_of(heard) == reading_of(answer)) return "yes";
  return content_of(heard) == content_of(answer) ? "in part" : "no";
}

void print_answers(std::string& out) {
  out += "### Answers\n\n| |";
  for (const Client& client : kClients) out += " " + std::string(client.title) + " |";
  out += "\n|---|";
  for (size_t i = 0; i < std::size(kClients); ++i) out += "---|";
  out += "\n";
  for (const AnswerProbe& each : answer_probes()) {
    out += "| " + std::string(each.feature) + " |";
    for (const Client& client : kClients) out += " " + answer_word(each, client) + " |";
    out += "\n";
  }
}

}  // namespace

std::string compatibility_tables() {
  std::string out;
  for (const Client& client : kClients) print_requests(client, out);
  print_answers(out);
  return out;
}

}  // namespace llmgw::providers
