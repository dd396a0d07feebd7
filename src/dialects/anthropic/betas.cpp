#include "dialects/anthropic/betas.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"
#include "json/writer.h"

namespace llmgw::dialects::anthropic {
namespace {

// Without their dates, since Bedrock takes the later ones as its models do (Amazon Bedrock, "Anthropic Claude Messages
// API", and what LiteLLM's list of August 2026 sends). The last ones InvokeModel alone takes: Converse cannot carry the
// members they are about.
constexpr std::array<std::string_view, 13> kBedrockBetas{"computer-use-",
                                                         "context-1m-",
                                                         "dev-full-thinking-",
                                                         "effort-",
                                                         "fine-grained-tool-streaming-",
                                                         "interleaved-thinking-",
                                                         "output-128k-",
                                                         "structured-outputs-",
                                                         "token-efficient-tools-",
                                                         "compact-",
                                                         "context-management-",
                                                         "tool-examples-",
                                                         "tool-search-tool-"};
constexpr size_t kOfConverse = 9;

}  // namespace

constinit const TakenBetas kConverseBetas{"Bedrock's Converse", std::span(kBedrockBetas).first(kOfConverse)};
constinit const TakenBetas kInvokeBetas{"Bedrock's InvokeModel", kBedrockBetas};

void add_beta(std::string_view name, base::Arena& arena, Betas& betas) {
  if (!name.empty() && std::ranges::find(betas, name) == betas.end()) betas.push(arena, name);
}

void add_betas(std::string_view header, base::Arena& arena, Betas& betas) {
  while (!header.empty()) {
    const std::string_view name = header.substr(0, header.find(','));
    header.remove_prefix(std::min(header.size(), name.size() + 1));
    add_beta(base::trim(name), arena, betas);
  }
}

bool add_betas(json::Value member, base::Arena& arena, Betas& betas) {
  if (member.is_string()) add_betas(member.string(arena), arena, betas);
  for (const json::Value element : member.elements()) add_beta(element.string(arena), arena, betas);
  return member.is_string() || member.is_array();
}

std::string_view betas_header(const Betas& betas, base::Arena& arena) {
  std::string text;
  for (const std::string_view beta : betas) text.append(text.empty() ? "" : ",").append(beta);
  return arena.copy(text);
}

std::string_view betas_member(const Betas& betas, base::Arena& arena) {
  std::string text;
  json::Writer writer(text);
  writer.begin_array();
  for (const std::string_view beta : betas) writer.value(beta);
  writer.end_array();
  return arena.copy(text);
}

ChosenBetas choose_betas(const Betas& head, const Betas& body, const TakenBetas* taken, base::Arena& arena) {
  ChosenBetas chosen;
  const auto is_taken = [&](std::string_view beta) {
    return taken == nullptr || std::ranges::any_of(taken->beginnings, [&](std::string_view beginning) {
             return beta.starts_with(beginning);
           });
  };
  for (const std::string_view beta : head) {
    if (is_taken(beta)) add_beta(beta, arena, chosen.taken);
  }
  for (const std::string_view beta : body) add_beta(beta, arena, chosen.taken);
  for (const std::string_view beta : head) {
    if (std::ranges::find(chosen.taken, beta) == chosen.taken.end()) add_beta(beta, arena, chosen.refused);
  }
  return chosen;
}

std::string_view why_refused(const ChosenBetas& chosen, const TakenBetas& taken, base::Arena& arena) {
  return arena.concat(arena.concat(taken.api, " does not take "), betas_header(chosen.refused, arena));
}

}  // namespace llmgw::dialects::anthropic
