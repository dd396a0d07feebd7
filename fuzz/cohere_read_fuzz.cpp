// links: dialects chat json base
// Cohere's readers take any bytes, and read what its writers wrote.
#include <cstdint>

#include "codec_input.h"
#include "dialects/cohere/codec.h"

using namespace llmgw;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<char> bytes(data, data + size);
  static const chat::Target kTarget{
      .dialect = chat::Dialect::cohere,
      .model = "model",
      .temperature_max = 1.0,
      .top_k = true,
      .stop_max = 5,
      .strict_tools = true,
      .output_schema = chat::SchemaSubset::any,
      .reasoning = chat::ReasoningStyle::anthropic_budget,
  };
  fuzz::CodecInput(dialects::cohere::codec(), kTarget).run({bytes.data(), bytes.size()});
  return 0;
}
