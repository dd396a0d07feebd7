// For the tests of this codec: a target, and samples for the check against OpenAI's schemas. Not thread-safe.
#pragma once

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include "chat/target.h"
#include "dialects/codec_test_support.h"
#include "json/writer.h"

namespace llmgw::dialects::openai_responses {

// A target that takes everything.
inline chat::Target openai_target() {
  chat::Target target{
      .dialect = chat::Dialect::openai_responses, .minter = chat::Minter::openai, .model = "remote-model"};
  target.developer_role = target.metadata = target.verbosity = target.prompt_cache_key = true;
  target.custom_tools = target.strict_tools = target.allowed_tools = target.tool_result_images = target.audio = true;
  target.cache_marks = target.document_urls = true;
  target.reasoning = chat::ReasoningStyle::effort;
  target.effort_min = chat::Effort::minimal;
  target.effort_max = chat::Effort::max;
  target.effort_none = true;
  return target;
}

// Samples for the check against OpenAI's schemas (tests/schemas/openai_responses.py): a line each, its schema and it.
class Samples {
 public:
  Samples() {
    if (const char* const path = std::getenv("LLMGW_SCHEMA_SAMPLES")) file_.open(path, std::ios::app);
  }
  void add(std::string_view schema, std::string_view id, std::string_view json) {
    if (!file_.is_open()) return;
    std::string line;
    json::Writer(line)
        .begin_object()
        .member("schema", schema)
        .member("id", id)
        .raw_member("value", testing_support::canonical(json))
        .end_object();
    file_ << line << '\n';
  }

 private:
  std::ofstream file_;
};

}  // namespace llmgw::dialects::openai_responses
