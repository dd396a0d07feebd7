// Requests converted as the gateway does it, for the tests of what is lost.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "dialects/codec_test_support.h"
#include "dialects/losses.h"

namespace llmgw::dialects::testing_support {

using chat::Dialect;

// Takes everything its dialect has a place for.
inline chat::Target generous(Dialect dialect) {
  chat::Target target;
  target.dialect = dialect;
  target.model = "m";
  target.minter = chat::native_minter(dialect);
  if (dialect == Dialect::openai_chat || dialect == Dialect::openai_responses) target.minter = chat::Minter::openai;
  target.developer_role = true;
  target.tool_result_images = dialect != Dialect::cohere;
  target.requires_max_tokens = dialect == Dialect::anthropic;
  target.custom_tools = true;
  target.strict_tools = true;
  target.audio = target.video = target.document_urls = true;
  target.cache_marks = dialect != Dialect::gemini && dialect != Dialect::cohere;
  target.metadata = true;
  target.bedrock = chat::BedrockFamily::claude;
  target.reasoning = dialect == Dialect::gemini      ? chat::ReasoningStyle::gemini_budget
                     : dialect == Dialect::anthropic ? chat::ReasoningStyle::anthropic_budget
                                                     : chat::ReasoningStyle::effort;
  return target;
}

struct Conversion {
  bool read = false;
  std::string error;  // "param: message"
  std::string body;
  std::vector<chat::Warning> warnings;
  std::unique_ptr<World> world;

  bool warned(std::string_view field) const {
    return std::ranges::any_of(warnings, [&](const chat::Warning& warning) { return warning.field == field; });
  }
  std::string list() const {
    std::string text = error;
    for (const chat::Warning& warning : warnings) {
      text += "\n" + std::string(warning.field) + ": " + std::string(warning.reason);
      if (warning.more > 0) text += " +" + std::to_string(warning.more);
    }
    return text;
  }
};

inline Conversion convert(Dialect client, std::string_view body, const chat::Target& target) {
  Conversion done;
  done.world = std::make_unique<World>(*find_codec(client));
  World& world = *done.world;
  world.request.from = client;
  const auto read = find_codec(client)->read_request(world.arena.copy(body), world.client(), world.request);
  if (!read) {
    done.error = std::string(read.error().param) + ": " + std::string(read.error().message);
    return done;
  }
  done.read = true;
  chat::Warnings warnings(world.arena, client);
  warnings.speak_as(world.request.spellings);
  WriteContext context{.parser = world.parser, .arena = world.arena, .warnings = warnings};
  const auto written = find_codec(target.dialect)->write_request(world.request, target, context, done.body);
  if (!written) {
    done.error = std::string(warnings.name_of(written.error().param)) + ": " + std::string(written.error().message);
  }
  world.format_tool = context.format_tool;
  for (const chat::Warning& warning : warnings.list()) done.warnings.push_back(warning);
  return done;
}

}  // namespace llmgw::dialects::testing_support
