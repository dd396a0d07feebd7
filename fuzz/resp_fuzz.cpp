// links: store
// Redis's answers, whatever their bytes and cuts: the same values come out however they arrive, or the same refusal.
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "store/redis/redis_url.h"
#include "store/redis/resp.h"

namespace {

using llmgw::store::RespReader;

// How many whole answers there are, and whether reading ended in an error.
std::pair<size_t, bool> read_all(std::string_view bytes, size_t cut) {
  RespReader reader;
  size_t answers = 0;
  for (size_t at = 0; at < bytes.size(); at += cut) {
    reader.feed(bytes.substr(at, cut));
    while (true) {
      auto answer = reader.next();
      if (!answer) return {answers, true};
      if (!*answer) break;
      ++answers;
    }
  }
  return {answers, false};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4096) return 0;  // reading byte by byte looks at everything each time
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (read_all(bytes, 1) != read_all(bytes, std::max<size_t>(1, size))) std::abort();
  (void)llmgw::store::parse_redis_url(bytes);
  return 0;
}
