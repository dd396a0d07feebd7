// What `llm-gateway route explain` asks the running gateway: fields of a line, separated by tabs. Pure; any thread.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include "gateway/engines/explain.h"

namespace llmgw::app {

inline std::string write_explain_ask(const gateway::ExplainAsk& ask) {
  return ask.model + '\t' + ask.key + '\t' + ask.owned_by + '\t' + ask.policy + '\t' +
         std::to_string(ask.prompt_tokens) + (ask.json ? "\tjson" : "");
}

inline gateway::ExplainAsk read_explain_ask(std::string_view line) {
  const auto next = [&line] {
    const size_t end = std::min(line.find('\t'), line.size());
    std::string field(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
    return field;
  };
  gateway::ExplainAsk ask;
  ask.model = next();
  ask.key = next();
  ask.owned_by = next();
  ask.policy = next();
  const std::string tokens = next();
  std::from_chars(tokens.data(), tokens.data() + tokens.size(), ask.prompt_tokens);
  ask.json = next() == "json";
  return ask;
}

}  // namespace llmgw::app
