// links: dialects chat json base
// Gemini's readers take any bytes, and read what its writers wrote.
#include <cstdint>

#include "codec_input.h"
#include "dialects/gemini/codec.h"

using namespace llmgw;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<char> bytes(data, data + size);
  static const chat::Target kTarget{
      .dialect = chat::Dialect::gemini,
      .minter = chat::Minter::gemini,
      .model = "model",
      .top_k = true,
      .tool_result_images = true,
      .tool_schema = chat::SchemaSubset::gemini_openapi,
      .output_schema = chat::SchemaSubset::gemini_json,
      .document_urls = true,
      .audio = true,
      .video = true,
      .reasoning = chat::ReasoningStyle::gemini_level,
  };
  fuzz::CodecInput(dialects::gemini::codec(), kTarget).run({bytes.data(), bytes.size()});
  return 0;
}
