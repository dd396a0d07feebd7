// links: store
// A response of the spool that somebody damaged: it is none, or comes out as it went in.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "store/spool/spooled_save.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using llmgw::store::parse_spooled;
  using llmgw::store::write_spooled;
  const auto read = parse_spooled({reinterpret_cast<const char*>(data), size});
  if (!read) return 0;
  const auto again = parse_spooled(write_spooled(*read));
  if (!again || write_spooled(*again) != write_spooled(*read)) std::abort();
  return 0;
}
