// links: store
// The saved objects of a store: bytes that read are written again as they were.
#include <cstdint>
#include <cstdlib>

#include "store/objects/saved_objects.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = llmgw::store::parse_saved(text);
  if (!parsed) return 0;
  const auto again = llmgw::store::parse_saved(llmgw::store::write_saved(parsed->place, parsed->everything));
  if (!again || again->place != parsed->place) std::abort();
  if (again->everything.objects.size() != parsed->everything.objects.size()) std::abort();
  return 0;
}
