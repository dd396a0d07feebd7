#include "dialects/anthropic/betas.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"
#include "json/writer.h"

namespace llmgw::dialects::anthropic {

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

bool is_taken_by_converse(std::string_view beta) {
  // Without their dates, since Bedrock takes the later ones as its models do (Amazon Bedrock, "Anthropic Claude
  // Messages API", and what LiteLLM's list of August 2026 sends). Not here are those whose members Converse cannot
  // carry, as context-management.
  constexpr std::array<std::string_view, 9> kTaken{"computer-use-",
                                                   "context-1m-",
                                                   "dev-full-thinking-",
                                                   "effort-",
                                                   "fine-grained-tool-streaming-",
                                                   "interleaved-thinking-",
                                                   "output-128k-",
                                                   "structured-outputs-",
                                                   "token-efficient-tools-"};
  return std::ranges::any_of(kTaken, [beta](std::string_view name) { return beta.starts_with(name); });
}

}  // namespace llmgw::dialects::anthropic
