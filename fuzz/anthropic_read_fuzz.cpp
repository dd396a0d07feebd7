// links: dialects chat json base
// Anthropic's readers take any bytes, and read what its writers wrote.
#include <cstdint>

#include "codec_input.h"
#include "dialects/anthropic/codec.h"

using namespace llmgw;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<char> bytes(data, data + size);
  static const chat::Target kTarget{
      .dialect = chat::Dialect::anthropic,
      .minter = chat::Minter::anthropic,
      .model = "model",
      .requires_max_tokens = true,
      .temperature_max = 1.0,
      .top_k = true,
      .tool_result_images = true,
      .tools_needed_by_history = true,
      .tool_id_rule = chat::ToolIdRule::word,
      .document_urls = true,
      .reasoning = chat::ReasoningStyle::anthropic_budget,
      .cache_marks = true,
  };
  fuzz::CodecInput(dialects::anthropic::codec(), kTarget).run({bytes.data(), bytes.size()});
  return 0;
}
