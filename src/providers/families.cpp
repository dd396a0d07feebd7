#include "providers/families.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/words.h"
#include "providers/family_table.h"

namespace llmgw::providers {
namespace {

using chat::Dialect;
using chat::Minter;
using chat::Target;
using namespace families;  // NOLINT(google-build-using-namespace): the words of this folder's own table

constexpr size_t kModelBytesCompared = 256;  // no family is told apart by what stands behind

struct VendorName {
  std::string_view name;
  Vendors bit;
  std::string_view host = {};  // its own; a leading dot stands for all under it
};

// The names of providers come first; a host decides for provider "openai-compatible", and for "openai" at another's.
constexpr VendorName kVendorNames[] = {
    {"openai", kOpenAi, "api.openai.com"},
    {"openai-compatible", kGeneric},
    {"azure", kAzure, ".openai.azure.com"},
    {"bedrock-mantle", kMantle, ".api.aws"},
    {"vllm", kVllm},
    {"sglang", kSglang},
    {"llamacpp", kLlamaCpp},
    {"ollama", kOllama, "ollama.com"},
    {"deepseek", kDeepSeek, "api.deepseek.com"},
    {"groq", kGroq, "api.groq.com"},
    {"xai", kXai, "api.x.ai"},
    {"mistral", kMistral, "api.mistral.ai"},
    {"together", kTogether, "api.together.xyz"},
    {"together", kTogether, "api.together.ai"},
    {"openrouter", kOpenRouter, "openrouter.ai"},
    {"fireworks", kFireworks, "api.fireworks.ai"},
    {"cerebras", kCerebras, "api.cerebras.ai"},
    {"moonshot", kMoonshot, "api.moonshot.ai"},
    {"moonshot", kMoonshot, "api.moonshot.cn"},
    {"nvidia", kNvidia, "integrate.api.nvidia.com"},
    {"google-openai", kGoogleOpenAi, "generativelanguage.googleapis.com"},
};

const VendorName* find_vendor(std::string_view name) {
  const auto* found = std::ranges::find(kVendorNames, name, &VendorName::name);
  return found == std::end(kVendorNames) ? nullptr : found;
}

const VendorName& openai_vendor(const Upstream& upstream) {
  if (const auto* configured = find_vendor(upstream.vendor)) return *configured;
  const std::string_view host = upstream.endpoint.host;
  for (const auto& each : kVendorNames) {
    if (!each.host.empty() && (host == each.host || (each.host.front() == '.' && host.ends_with(each.host)))) {
      return each;
    }
  }
  const auto* named = find_vendor(upstream.provider->name);
  return named != nullptr ? *named : *find_vendor("openai-compatible");
}

// Who answers, and in which dialect.
struct Identity {
  Vendors vendor;
  Dialect dialect;
  Minter minter;
  std::string_view name;
};

Identity identify(const Upstream& upstream, ChatApi api, std::string_view model) {
  const Dialect openai = api == ChatApi::responses ? Dialect::openai_responses : Dialect::openai_chat;
  switch (upstream.provider->kind) {
    case ProviderKind::anthropic: return {kAnthropicApi, Dialect::anthropic, Minter::anthropic, "anthropic"};
    case ProviderKind::google: return {kGoogleAi, Dialect::gemini, Minter::gemini, "google"};
    case ProviderKind::vertex:
      if (is_claude(model)) return {kVertexClaude, Dialect::anthropic, Minter::vertex_claude, "vertex"};
      return {kVertexGemini, Dialect::vertex, Minter::vertex, "vertex"};
    case ProviderKind::bedrock:
      if (upstream.claude_by_invoke && is_claude(model)) {
        return {kBedrockInvoke, Dialect::anthropic, Minter::bedrock, "bedrock"};
      }
      return {kBedrockRuntime, Dialect::bedrock, Minter::bedrock, "bedrock"};
    case ProviderKind::cohere: return {kCohereApi, Dialect::cohere, Minter::none, "cohere"};
    case ProviderKind::azure: return {kAzure, openai, Minter::azure, "azure"};
    case ProviderKind::openai: break;
  }
  const VendorName& vendor = openai_vendor(upstream);
  const Minter minter = vendor.bit == kOpenAi ? Minter::openai : vendor.bit == kAzure ? Minter::azure : Minter::other;
  return {vendor.bit, openai, minter, vendor.name};
}

// '*' at the start or the end stands for anything.
bool matches_one(std::string_view pattern, std::string_view name) {
  const bool open_start = pattern.starts_with('*');
  const bool open_end = pattern.ends_with('*') && pattern.size() > 1;
  if (open_start) pattern.remove_prefix(1);
  if (open_end) pattern.remove_suffix(1);
  if (open_start && open_end) return name.find(pattern) != std::string_view::npos;
  if (open_start) return name.ends_with(pattern);
  return open_end ? name.starts_with(pattern) : name == pattern;
}

bool matches(std::string_view patterns, std::string_view name) {
  return base::any_word(patterns, [name](auto pattern) { return matches_one(pattern, name); });
}

void apply(std::span<const Row> rows, Vendors vendor, std::string_view name, Target& target) {
  for (const Row& row : rows) {
    if ((row.vendors & vendor) == 0 || !matches(row.models, name)) continue;
    for (const Change& change : row.changes) {
      if (change.apply == nullptr) break;
      change.apply(target, change.number, change.text);
    }
  }
}

// What the Responses API does not have, whatever the model.
void narrow_to_responses(Target& target) {
  target.stop_max = 0;
  target.n = false;
  target.continuation = chat::Continuation::none;
  target.seed = false;
  target.penalties = false;
  target.logit_bias = false;
  target.stream_options = false;
  target.audio = false;
  target.tool_result_images = true;
  target.document_urls = true;
  target.tool_id_max = 64;
}

}  // namespace

std::string_view vendor_name(const Upstream& upstream) {
  return identify(upstream, ChatApi::chat, {}).name;
}

bool has_own_quirks(const Upstream& upstream) {
  if (upstream.provider->kind != ProviderKind::openai) return false;
  return (openai_vendor(upstream).bit & (kOpenAi | kAzure | kGeneric)) == 0;
}

bool is_vendor_name(std::string_view name) {
  return find_vendor(name) != nullptr;
}

chat::Target target_for(const Upstream& upstream, ChatApi api, std::string_view model) {
  const Identity who = identify(upstream, api, model);
  Target target{.dialect = who.dialect, .minter = who.minter, .model = model, .vendor = who.name};
  std::array<char, kModelBytesCompared> lower;
  std::string_view name = model.substr(model.rfind('/') + 1);  // all of it where there is no slash
  name = name.substr(0, lower.size());
  std::ranges::transform(name, lower.begin(), base::to_lower);
  name = {lower.data(), name.size()};
  apply(vendor_rows(), who.vendor, name, target);
  apply(openai_rows(), who.vendor, name, target);
  apply(bedrock_rows(), who.vendor, name, target);
  apply(claude_rows(), who.vendor, name, target);
  apply(gemini_rows(), who.vendor, name, target);
  // Claude goes on from its own turn wherever one may be given (Anthropic, "Prefill Claude's response").
  const bool claude = who.dialect == Dialect::anthropic || target.bedrock == chat::BedrockFamily::claude;
  if (claude && target.assistant_prefill) target.continuation = chat::Continuation::last_turn;
  if (who.dialect == Dialect::openai_responses) narrow_to_responses(target);
  target.auto_cache_system = upstream.auto_cache.system && target.cache_marks;
  target.auto_cache_tools = upstream.auto_cache.tools && target.cache_marks && target.cache_marks_on_tools;
  target.auto_cache_min_tokens = upstream.auto_cache.min_system_tokens;
  return target;
}

}  // namespace llmgw::providers
