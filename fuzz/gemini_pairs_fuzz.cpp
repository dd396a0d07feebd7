// links: dialects chat json base
// A provider's Gemini stream becomes a client's in each of the six dialects.
#include "pair_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return llmgw::fuzz::run_pairs(llmgw::chat::Dialect::gemini, data, size);
}
