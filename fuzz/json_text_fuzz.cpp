// links: json Boost::json
// Any bytes can be written as a JSON string, and come back unchanged if they were text.
#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "json/text.h"
#include "json/utf8.h"
#include "json/writer.h"

namespace base = llmgw::base;
namespace json = llmgw::json;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<char> bytes(data, data + size);
  const std::string_view text(bytes.data(), bytes.size());

  std::string written;
  json::append_escaped(written, text);
  base::Arena arena;
  const auto back = json::unescape(written, arena);
  require(back.has_value());
  std::string again;
  json::append_escaped(again, *back);
  // Two surrogates written apart are one character once read, so the second writing may differ; the third may not.
  const auto twice = json::unescape(again, arena);
  require(twice.has_value());
  std::string third;
  json::append_escaped(third, *twice);
  require(third == again);
  if (json::is_utf8(text)) {
    require(*back == text);
    boost::json::error_code error;
    const auto value = boost::json::parse("\"" + written + "\"", error);
    require(!error && std::string_view(value.as_string()) == text);
  }

  // The bytes as what stands between quotes: what is unescaped here is what Boost reads.
  const auto mine = json::unescape(text, arena);
  boost::json::error_code error;
  const std::string quoted = "\"" + std::string(text) + "\"";
  const auto value = boost::json::parse(quoted, error);
  if (!error && value.is_string()) {
    require(mine.has_value() && *mine == std::string_view(value.as_string()));
  }
  return 0;
}
