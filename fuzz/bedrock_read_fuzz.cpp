// links: dialects chat json base
// Converse's readers take any bytes, and read what its writers wrote.
#include <cstdint>

#include "codec_input.h"
#include "dialects/bedrock/codec.h"

using namespace llmgw;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<char> bytes(data, data + size);
  static const chat::Target kTarget{
      .dialect = chat::Dialect::bedrock,
      .minter = chat::Minter::bedrock,
      .model = "model",
      .temperature_max = 1.0,
      .top_k = true,
      .metadata = true,
      .tool_result_images = true,
      .tools_needed_by_history = true,
      .tool_id_rule = chat::ToolIdRule::bedrock,
      .audio = true,
      .video = true,
      .reasoning = chat::ReasoningStyle::anthropic_budget,
      .bedrock = chat::BedrockFamily::claude,
      .cache_marks = true,
  };
  fuzz::CodecInput(dialects::bedrock::codec(), kTarget).run({bytes.data(), bytes.size()});
  return 0;
}
