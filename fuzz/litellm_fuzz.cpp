// links: control
// A configuration of LiteLLM, whatever it says, becomes TOML that parses, or a sentence.
#include <cstdint>
#include <cstdlib>

#include "control/litellm/import_litellm.h"
#include "control/toml_tree.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto imported = llmgw::control::import_litellm({reinterpret_cast<const char*>(data), size});
  if (imported && !llmgw::control::parse_toml(imported->toml)) std::abort();
  return 0;
}
