#include "providers/families.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>

namespace llmgw::providers {
namespace {

using chat::Effort;
using chat::ReasoningStyle;
using chat::Target;

struct Wanted {
  std::string provider;
  std::string endpoint = {};
  std::string vendor = {};
};

Upstream prepared(const Wanted& wanted) {
  UpstreamOptions options{.provider = wanted.provider, .endpoint = wanted.endpoint, .api_key = base::Secret("k")};
  options.vendor = wanted.vendor;
  options.region = "us-east-1";
  auto upstream = prepare_upstream(options);
  EXPECT_TRUE(upstream) << wanted.provider << upstream.error()[0].message;
  return std::move(*upstream);
}

std::string_view style_name(ReasoningStyle style) {
  constexpr std::array<std::string_view, 8> kNames = {"no-reasoning",  "effort", "budget", "adaptive",
                                                      "gemini-budget", "level",  "nova",   "enable-thinking"};
  return kNames[static_cast<size_t>(style)];
}

// The gates that families differ in, in words: what is refused begins with '!'.
std::string gates(const Target& target) {
  std::string text(style_name(target.reasoning));
  const auto add = [&](bool holds, const std::string& word) {
    if (holds) text.append(" ").append(word);
  };
  const bool worded = target.reasoning == ReasoningStyle::effort ||
                      target.reasoning == ReasoningStyle::anthropic_adaptive ||
                      target.reasoning == ReasoningStyle::gemini_level;
  constexpr std::array<const char*, 8> kEfforts = {"unset", "none", "minimal", "low", "medium", "high", "xhigh", "max"};
  const auto word = [&](Effort effort) { return std::string(kEfforts[static_cast<size_t>(effort)]); };
  add(worded, word(target.effort_min) + ".." + word(target.effort_max));
  add(target.effort_none, "none");
  add(target.reasoning == ReasoningStyle::gemini_budget,
      std::to_string(target.budget_min) + ".." + std::to_string(target.budget_max));
  add(target.reasons_by_default, "on");
  add(target.reasoning != ReasoningStyle::none && !target.reasoning_can_be_off, "!off");
  add(!target.sampling, "!sampling");
  add(target.sampling && !target.sampling_while_reasoning, "!sampling-reasoning");
  add(target.max_tokens_cap != 0, "cap=" + std::to_string(target.max_tokens_cap));
  add(target.stop_max == 0, "!stop");
  add(!target.tools, "!tools");
  add(!target.tool_choice, "!choice");
  add(!target.tool_choice_required, "!required");
  add(!target.tool_choice_named, "!named");
  add(!target.forced_tool_while_reasoning, "!forced-reasoning");
  add(!target.system_role, "!system");
  add(!target.assistant_prefill, "!prefill");
  add(target.json_schema == chat::JsonSchemaSupport::none, "!schema");
  add(!target.images, "!images");
  add(target.top_k, "top_k");
  return text;
}

struct Case {
  Wanted wanted;
  const char* model;
  const char* gates;
};

const Wanted kOpenAi{"openai"};
const Wanted kAzure{"azure", "https://r.openai.azure.com"};
const Wanted kAnthropic{"anthropic"};
const Wanted kVertex{"vertex"};
const Wanted kGoogle{"google"};
const Wanted kBedrock{"bedrock"};

const Case kCases[] = {
    {kOpenAi, "gpt-4o", "no-reasoning"},
    {kOpenAi, "gpt-4o-2024-05-13", "no-reasoning !schema"},
    {kOpenAi, "gpt-3.5-turbo", "no-reasoning !schema !images"},
    {kOpenAi, "gpt-4.1-mini", "no-reasoning"},
    {kOpenAi, "o1-mini", "no-reasoning on !sampling-reasoning !stop !tools !system !schema !images"},
    {kOpenAi, "o1", "effort low..high on !off !sampling-reasoning !stop"},
    {kOpenAi, "o3-mini", "effort low..high on !off !sampling-reasoning !stop !images"},
    {kOpenAi, "o3", "effort low..high on !off !sampling-reasoning !stop"},
    {kOpenAi, "o4-mini", "effort low..high on !off !sampling-reasoning !stop"},
    {kOpenAi, "gpt-5", "effort minimal..high on !off !sampling-reasoning !stop"},
    {kOpenAi, "gpt-5-mini-2025-08-07", "effort minimal..high on !off !sampling-reasoning !stop"},
    {kOpenAi, "gpt-5-pro", "effort high..high on !off !sampling-reasoning !stop"},
    {kOpenAi, "gpt-5-chat-latest", "no-reasoning"},
    {kOpenAi, "gpt-5.1", "effort low..high none !sampling-reasoning !stop"},
    {kOpenAi, "gpt-5.1-codex", "effort low..high on !off !sampling-reasoning !stop"},
    {kOpenAi, "gpt-5.1-codex-max", "effort low..xhigh on !off !sampling-reasoning !stop"},
    {kOpenAi, "gpt-5.1-chat-latest", "effort medium..medium on !off !sampling-reasoning !stop"},
    {kOpenAi, "gpt-5.2", "effort low..xhigh none !sampling-reasoning !stop"},
    {kOpenAi, "gpt-5.2-pro", "effort medium..xhigh on !off !sampling-reasoning !stop"},
    {kOpenAi, "gpt-5.4", "effort low..xhigh none !sampling-reasoning !stop"},
    {kOpenAi, "gpt-5.5", "effort low..xhigh none on !sampling-reasoning !stop"},
    {kOpenAi, "gpt-5.5-pro", "effort medium..xhigh on !off !sampling-reasoning !stop"},
    {kOpenAi, "gpt-5.6", "effort low..max none on !sampling-reasoning !stop"},
    {kOpenAi, "gpt-6-astra", "effort low..max on !off !sampling-reasoning !stop"},
    {kAzure, "gpt-5", "effort minimal..high on !off !sampling-reasoning !stop"},
    {kAzure, "DeepSeek-R1", "no-reasoning"},
    {kAzure, "grok-4", "no-reasoning"},
    {kAzure, "gpt-oss-120b", "effort low..high on"},
    {kAnthropic, "claude-2.1", "no-reasoning cap=4096 !tools !schema !images top_k"},
    {kAnthropic, "claude-3-haiku-20240307", "no-reasoning cap=4096 !schema top_k"},
    {kAnthropic, "claude-3-5-sonnet-20241022", "no-reasoning cap=8192 !schema top_k"},
    {kAnthropic, "claude-3-7-sonnet-20250219", "budget !sampling-reasoning cap=64000 !forced-reasoning !schema top_k"},
    {kAnthropic, "claude-opus-4-20250514", "budget !sampling-reasoning cap=32000 !forced-reasoning !schema top_k"},
    {kAnthropic, "claude-sonnet-4-0", "budget !sampling-reasoning cap=64000 !forced-reasoning !schema top_k"},
    {kAnthropic, "claude-opus-4-1-20250805", "budget !sampling-reasoning cap=32000 !forced-reasoning top_k"},
    {kAnthropic, "claude-sonnet-4-5-20250929", "budget !sampling-reasoning cap=64000 !forced-reasoning top_k"},
    {kAnthropic, "claude-haiku-4-5", "budget !sampling-reasoning cap=64000 !forced-reasoning top_k"},
    {kAnthropic, "claude-opus-4-5-20251101", "budget !sampling-reasoning cap=64000 !forced-reasoning top_k"},
    {kAnthropic, "claude-opus-4-6", "adaptive low..max !sampling-reasoning cap=128000 !prefill top_k"},
    {kAnthropic, "claude-sonnet-4-6", "adaptive low..max !sampling-reasoning cap=128000 !prefill top_k"},
    {kAnthropic, "claude-opus-4-7", "adaptive low..max !sampling cap=128000 !prefill top_k"},
    {kAnthropic, "claude-opus-4-8", "adaptive low..max !sampling cap=128000 !prefill top_k"},
    {kAnthropic, "claude-opus-5", "adaptive low..max on !sampling cap=128000 !prefill top_k"},
    {kAnthropic, "claude-opus-5-5", "adaptive low..max on !off !sampling cap=128000 !required !named !prefill top_k"},
    {kAnthropic, "claude-sonnet-5", "adaptive low..max on !sampling cap=128000 !prefill top_k"},
    {kAnthropic, "claude-fable-5", "adaptive low..max on !off !sampling cap=128000 !required !named !prefill top_k"},
    {kAnthropic, "claude-mythos-5", "adaptive low..max on !off !sampling cap=128000 !required !named !prefill top_k"},
    {kAnthropic, "claude-future-9", "adaptive low..max on !sampling cap=128000 !prefill top_k"},
    {kAnthropic, "some-other-model", "no-reasoning top_k"},
    {kVertex, "claude-opus-4-5@20251101", "budget !sampling-reasoning cap=64000 !forced-reasoning top_k"},
    {kVertex, "gemini-2.5-pro", "gemini-budget 128..32768 on !off top_k"},
    {kGoogle, "gemini-1.5-pro", "no-reasoning top_k"},
    {kGoogle, "gemini-2.0-flash", "no-reasoning top_k"},
    {kGoogle, "gemini-2.5-pro", "gemini-budget 128..32768 on !off top_k"},
    {kGoogle, "gemini-2.5-flash", "gemini-budget 1..24576 on top_k"},
    {kGoogle, "gemini-2.5-flash-lite", "gemini-budget 512..24576 top_k"},
    {kGoogle, "gemini-3-pro-preview", "level low..high on !off top_k"},
    {kGoogle, "gemini-3-flash-preview", "level minimal..high on !off top_k"},
    {kGoogle, "gemini-3.1-pro", "level low..high on !off top_k"},
    {kGoogle, "gemini-flash-latest", "level minimal..high on !off top_k"},
    {kGoogle, "gemini-2.5-flash-image", "no-reasoning !tools top_k"},
    {kGoogle, "gemma-3-27b-it", "no-reasoning !tools !system top_k"},
    {kBedrock, "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
     "budget !sampling-reasoning cap=64000 !forced-reasoning top_k"},
    {kBedrock, "anthropic.claude-3-haiku-20240307-v1:0", "no-reasoning cap=4096 !schema top_k"},
    {kBedrock, "us.anthropic.claude-opus-4-7", "adaptive low..max !sampling cap=128000 !prefill top_k"},
    {kBedrock, "amazon.nova-lite-v1:0", "no-reasoning cap=10000 !prefill !schema top_k"},
    {kBedrock, "amazon.nova-micro-v1:0", "no-reasoning cap=10000 !prefill !schema !images top_k"},
    {kBedrock, "us.amazon.nova-2-lite-v1:0", "nova cap=65535 !prefill !schema top_k"},
    {kBedrock, "us.meta.llama3-3-70b-instruct-v1:0", "no-reasoning !choice !required !named !prefill !schema !images"},
    {kBedrock, "mistral.mistral-large-2402-v1:0", "no-reasoning !named !prefill !schema !images"},
    {kBedrock, "mistral.pixtral-large-2502-v1:0", "no-reasoning !named !prefill !schema"},
    {kBedrock, "cohere.command-r-plus-v1:0", "no-reasoning !choice !required !named !prefill !schema !images"},
    {kBedrock, "us.deepseek.r1-v1:0", "no-reasoning on !tools !choice !required !named !prefill !schema !images"},
    {kBedrock, "openai.gpt-oss-120b-1:0", "effort low..high on !off !choice !required !named !prefill !images"},
    {kBedrock, "qwen.qwen3-32b-v1:0", "no-reasoning !choice !required !named !prefill !images"},
    {kBedrock, "us.writer.palmyra-x5-v1:0", "no-reasoning !choice !required !named !prefill !schema !images"},
    {kBedrock, "arn:aws:bedrock:us-east-1:1:application-inference-profile/x", "no-reasoning"},
    {{"vllm", "http://e"}, "Qwen/Qwen3-32B", "enable-thinking on top_k"},
    {{"vllm", "http://e"}, "openai/gpt-oss-20b", "effort low..high on !off top_k"},
    {{"sglang", "http://e"}, "deepseek-ai/DeepSeek-V3.1", "enable-thinking on top_k"},
    {{"llamacpp", "http://e"}, "any", "no-reasoning !named top_k"},
    {{"ollama"}, "llama3.3", "effort low..high none !choice"},
    {{"deepseek"}, "deepseek-chat", "no-reasoning !forced-reasoning !schema !images"},
    {{"deepseek"}, "deepseek-reasoner", "no-reasoning on !sampling-reasoning !forced-reasoning !schema !images"},
    {{"groq"}, "llama-3.3-70b-versatile", "no-reasoning !schema"},
    {{"groq"}, "openai/gpt-oss-120b", "effort low..high on !off"},
    {{"xai"}, "grok-3", "no-reasoning"},
    {{"xai"}, "grok-3-mini", "effort low..high on !off !stop"},
    {{"xai"}, "grok-4-1-fast-non-reasoning", "no-reasoning !stop"},
    {{"mistral"}, "mistral-large-latest", "no-reasoning !prefill"},
    {{"together"}, "meta-llama/Llama-3.3-70B-Instruct-Turbo", "no-reasoning top_k"},
    {{"openrouter"}, "openai/gpt-5.2", "effort low..xhigh none !sampling-reasoning !stop top_k"},
    {{"openrouter"}, "anthropic/claude-sonnet-4.5", "effort minimal..xhigh none top_k"},
    {{"fireworks"}, "accounts/fireworks/models/kimi-k2", "effort low..high none top_k"},
    {{"cerebras"}, "llama-4-scout", "no-reasoning !images"},
    {{"moonshot"}, "kimi-k2.5", "no-reasoning !required !schema"},
    {{"bedrock-mantle"}, "openai.gpt-oss-120b", "effort low..high on !off"},
    {{"cohere"}, "command-r-plus", "no-reasoning !named !prefill !images top_k"},
    {{"cohere"}, "command-a-reasoning-08-2025", "budget on !named !prefill !images top_k"},
    {{"openai-compatible", "http://e"}, "any", "no-reasoning"},
    {{"openai-compatible", "http://e", "vllm"}, "Qwen/Qwen3-32B", "enable-thinking on top_k"},
    {{"openai", "https://api.groq.com/openai/v1"}, "qwen/qwen3-32b", "no-reasoning !schema"},
};

TEST(Families, Gates) {
  for (const Case& each : kCases) {
    const Upstream upstream = prepared(each.wanted);
    EXPECT_EQ(gates(target_for(upstream, ChatApi::chat, each.model)), each.gates)
        << each.wanted.provider << " " << each.wanted.vendor << " " << each.model;
  }
}

TEST(Families, WhoAnswersAndInWhichDialect) {
  const auto target = [](const Wanted& wanted, const char* model, ChatApi api = ChatApi::chat) {
    return target_for(prepared(wanted), api, model);
  };
  EXPECT_EQ(target(kOpenAi, "gpt-5").dialect, chat::Dialect::openai_chat);
  EXPECT_EQ(target(kOpenAi, "gpt-5").minter, chat::Minter::openai);
  EXPECT_EQ(target(kAzure, "gpt-5").minter, chat::Minter::azure);
  EXPECT_EQ(target({"groq"}, "x").minter, chat::Minter::other);
  EXPECT_EQ(target(kVertex, "claude-opus-5").dialect, chat::Dialect::anthropic);
  EXPECT_EQ(target(kVertex, "claude-opus-5").minter, chat::Minter::vertex_claude);
  EXPECT_EQ(target(kVertex, "gemini-3-pro").dialect, chat::Dialect::vertex);
  EXPECT_EQ(target(kBedrock, "anthropic.claude-opus-4-7").bedrock, chat::BedrockFamily::claude);
  EXPECT_EQ(target(kBedrock, "us.meta.llama3-3-70b-instruct-v1:0").bedrock, chat::BedrockFamily::llama);
  EXPECT_EQ(target({"cohere"}, "command-r").dialect, chat::Dialect::cohere);
  const Target responses = target(kOpenAi, "gpt-4.1", ChatApi::responses);
  EXPECT_EQ(responses.dialect, chat::Dialect::openai_responses);
  EXPECT_EQ(responses.stop_max, 0);
  EXPECT_FALSE(responses.n || responses.seed || responses.penalties);
  EXPECT_TRUE(responses.tool_result_images);
}

TEST(Families, VendorSpecifics) {
  const auto target = [](const Wanted& wanted, const char* model) {
    return target_for(prepared(wanted), ChatApi::chat, model);
  };
  EXPECT_EQ(target({"mistral"}, "mistral-small").tool_id_rule, chat::ToolIdRule::mistral);
  EXPECT_FALSE(target({"mistral"}, "mistral-small").stream_options);
  EXPECT_EQ(target({"mistral"}, "mistral-small").max_tokens_name, chat::MaxTokensName::max_tokens);
  EXPECT_EQ(target({"groq"}, "llama").max_tokens_name, chat::MaxTokensName::max_completion_tokens);
  EXPECT_EQ(target({"deepseek"}, "deepseek-chat").reasoning_member, "reasoning_content");
  EXPECT_EQ(target({"openrouter"}, "x/y").reasoning_member, "reasoning");
  EXPECT_FALSE(target({"bedrock-mantle"}, "openai.gpt-oss-20b").tool_ids_unique);
  EXPECT_TRUE(target(kOpenAi, "gpt-4o").developer_role);
  EXPECT_FALSE(target({"vllm", "http://e"}, "gpt-4o").developer_role);
  EXPECT_TRUE(target(kAnthropic, "claude-opus-4-8").mid_system);
  EXPECT_FALSE(target(kAnthropic, "claude-opus-4-5").mid_system);
  EXPECT_TRUE(target(kAnthropic, "claude-opus-4-8").requires_max_tokens);
  EXPECT_EQ(target(kAnthropic, "claude-sonnet-4-5").default_max_tokens, 64'000U);
  EXPECT_EQ(target(kAnthropic, "some-other-model").default_max_tokens, 4096U);
  EXPECT_TRUE(target(kAnthropic, "claude-sonnet-4-5").image_urls);
  EXPECT_FALSE(target(kVertex, "claude-sonnet-4-5").image_urls);
  EXPECT_FALSE(target(kGoogle, "gemini-3-pro").image_urls);
  EXPECT_TRUE(target(kVertex, "gemini-3-pro").image_urls);
  EXPECT_EQ(target(kGoogle, "gemini-2.0-flash").tool_schema, chat::SchemaSubset::gemini_openapi);
  EXPECT_EQ(target(kGoogle, "gemini-2.5-flash").tool_schema, chat::SchemaSubset::gemini_json);
  EXPECT_TRUE(target(kBedrock, "anthropic.claude-3-haiku").tools_needed_by_history);
  EXPECT_EQ(target(kBedrock, "mistral.mistral-large-2402-v1:0").tool_id_max, 9);
}

// What makes a call fail that goes as it came, converted calls do not ask for either.
TEST(Families, WhatAVendorRefusesIsNotTaken) {
  for (const std::string_view vendor : {"groq", "mistral", "cerebras", "xai", "deepseek", "openrouter", "vllm"}) {
    const Target target = target_for(
        *prepare_upstream({.provider = "openai-compatible", .endpoint = "http://127.0.0.1:1", .vendor = vendor}),
        ChatApi::chat, "m");
    const auto refuses = [&](std::string_view name) {
      return target.refused_members.find(name) != std::string_view::npos;
    };
    EXPECT_FALSE(refuses("logit_bias") && target.logit_bias) << vendor;
    EXPECT_FALSE(refuses("logprobs") && target.logprobs) << vendor;
    EXPECT_FALSE(refuses("penalty") && target.penalties) << vendor;
    EXPECT_FALSE(refuses("user") && target.user) << vendor;
    EXPECT_FALSE(refuses("store") && target.store) << vendor;
    EXPECT_FALSE(refuses("service_tier") && target.service_tier) << vendor;
    EXPECT_FALSE(refuses("seed")) << vendor;
    EXPECT_EQ(!target.refused_members.empty(), vendor == "groq" || vendor == "mistral" || vendor == "cerebras");
    EXPECT_EQ(target.seed_name, vendor == "mistral" ? "random_seed" : "seed") << vendor;
  }
}

TEST(Families, PromptsAreCachedWhereConfiguredAndPossible) {
  UpstreamOptions options{.provider = "bedrock", .api_key = base::Secret("k"), .region = "us-east-1"};
  options.auto_cache = {.system = true, .tools = true, .min_system_tokens = 2000};
  const auto upstream = prepare_upstream(options);
  const Target claude = target_for(*upstream, ChatApi::chat, "anthropic.claude-sonnet-4-5-20250929-v1:0");
  EXPECT_TRUE(claude.auto_cache_system && claude.auto_cache_tools);
  EXPECT_EQ(claude.auto_cache_min_tokens, 2000U);
  EXPECT_FALSE(target_for(*upstream, ChatApi::chat, "meta.llama3-70b-instruct-v1:0").auto_cache_system);
  EXPECT_FALSE(target_for(prepared(kAnthropic), ChatApi::chat, "claude-opus-5").auto_cache_system);
}

// Amazon Bedrock, "Prompt caching": a mark where the model takes none is a 400.
TEST(Families, WhereBedrockTakesCacheMarks) {
  const auto upstream = prepare_upstream({.provider = "bedrock",
                                          .api_key = base::Secret("k"),
                                          .region = "r",
                                          .auto_cache = {.system = true, .tools = true}});
  const auto marks = [&upstream](std::string_view model) {
    const Target target = target_for(*upstream, ChatApi::chat, model);
    return std::string(target.cache_marks ? "marks" : "none") + (target.auto_cache_system ? " system" : "") +
           (target.auto_cache_tools ? " tools" : "") + (target.cache_marks && target.cache_mark_hours ? " hours" : "");
  };
  EXPECT_EQ(marks("amazon.nova-pro-v1:0"), "marks system");
  EXPECT_EQ(marks("us.amazon.nova-2-lite-v1:0"), "marks system");
  EXPECT_EQ(marks("anthropic.claude-3-sonnet-20240229-v1:0"), "none");
  EXPECT_EQ(marks("anthropic.claude-3-5-sonnet-20240620-v1:0"), "none");
  EXPECT_EQ(marks("anthropic.claude-3-5-sonnet-20241022-v2:0"), "marks system tools");
  EXPECT_EQ(marks("us.anthropic.claude-3-5-haiku-20241022-v1:0"), "marks system tools");
  EXPECT_EQ(marks("us.anthropic.claude-3-7-sonnet-20250219-v1:0"), "marks system tools");
  EXPECT_EQ(marks("us.anthropic.claude-sonnet-4-20250514-v1:0"), "marks system tools");
  EXPECT_EQ(marks("us.anthropic.claude-sonnet-4-5-20250929-v1:0"), "marks system tools hours");
  EXPECT_EQ(marks("arn:aws:bedrock:r:1:inference-profile/us.anthropic.claude-opus-5-v1:0"), "marks system tools hours");
  // Whose model it is the name does not say.
  EXPECT_EQ(marks("arn:aws:bedrock:r:1:application-inference-profile/a1b2c3"), "none");
  for (const auto* other : {"mistral.mistral-large-2407-v1:0", "openai.gpt-oss-120b-1:0", "deepseek.r1-v1:0"}) {
    EXPECT_EQ(marks(other), "none") << other;
  }
  EXPECT_TRUE(target_for(prepared(kAnthropic), ChatApi::chat, "claude-3-haiku-20240307").cache_marks);
}

TEST(Families, ClaudeByInvokeIsAnthropics) {
  const auto upstream =
      prepare_upstream({.provider = "bedrock", .api_key = base::Secret("k"), .region = "r", .claude_by_invoke = true});
  const Target claude = target_for(*upstream, ChatApi::chat, "us.anthropic.claude-opus-4-6-v1:0");
  EXPECT_EQ(claude.dialect, chat::Dialect::anthropic);
  EXPECT_EQ(claude.minter, chat::Minter::bedrock);
  EXPECT_FALSE(claude.image_urls);
  EXPECT_FALSE(claude.effort_xhigh);
  EXPECT_TRUE(claude.cache_marks);
  EXPECT_FALSE(target_for(*upstream, ChatApi::chat, "anthropic.claude-3-haiku-20240307-v1:0").cache_marks);
  EXPECT_EQ(target_for(*upstream, ChatApi::chat, "amazon.nova-pro-v1:0").dialect, chat::Dialect::bedrock);
}

TEST(Families, VendorsByConfigurationProviderAndHost) {
  EXPECT_EQ(vendor_name(prepared({"openai-compatible", "http://e", "sglang"})), "sglang");
  EXPECT_EQ(vendor_name(prepared({"openai", "https://api.x.ai/v1"})), "xai");
  EXPECT_EQ(vendor_name(prepared({"openai-compatible", "https://r.openai.azure.com/openai/v1"})), "azure");
  EXPECT_EQ(vendor_name(prepared({"openai-compatible", "http://somewhere"})), "openai-compatible");
  EXPECT_EQ(vendor_name(prepared({"openai", "http://simulator:8081"})), "openai");
  EXPECT_EQ(vendor_name(prepared({"ollama"})), "ollama");
  EXPECT_EQ(vendor_name(prepared({"bedrock-mantle"})), "bedrock-mantle");
  EXPECT_TRUE(is_vendor_name("vllm"));
  EXPECT_FALSE(is_vendor_name("anthropic"));
}

}  // namespace
}  // namespace llmgw::providers
