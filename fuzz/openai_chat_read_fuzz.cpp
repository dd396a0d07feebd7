// links: dialects chat json base
// The readers of Chat Completions take any bytes, and read what its writers wrote.
#include <cstdint>

#include "codec_input.h"
#include "dialects/openai_chat/codec.h"

using namespace llmgw;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<char> bytes(data, data + size);
  static const chat::Target kTarget{
      .dialect = chat::Dialect::openai_chat,
      .minter = chat::Minter::other,
      .model = "model",
      .top_k = true,
      .developer_role = true,
      .custom_tools = true,
      .strict_tools = true,
      .tool_result_images = true,
      .document_urls = true,
      .audio = true,
      .video = true,
      .reasoning = chat::ReasoningStyle::effort,
      .reasoning_member = "reasoning_details",
      .cache_marks = true,
  };
  fuzz::CodecInput(dialects::openai_chat::codec(), kTarget).run({bytes.data(), bytes.size()});
  return 0;
}
