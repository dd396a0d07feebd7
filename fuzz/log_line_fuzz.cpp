// links: telemetry
// Whatever the values of a line: it is one valid JSON object of bounded size, and no query value of an unknown
// parameter is in it.
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "telemetry/format_checkers.h"
#include "telemetry/log.h"

using namespace llmgw::telemetry;

namespace {

constexpr const char* kCanary = "zQ7-canary-zQ7";  // no end of an escape sequence

// Cuts the input into texts at NUL bytes.
std::string_view next_text(std::string_view& input) {
  const std::string_view text = input.substr(0, input.find('\0'));
  input.remove_prefix(text.size() + (text.size() < input.size() ? 1 : 0));
  return text;
}

void require(bool holds) {
  if (!holds) std::abort();
}

void check_line(ByteRing& ring, std::string_view wanted_name) {
  const auto parts = ring.peek();
  std::string line(parts[0]);
  line.append(parts[1]);
  ring.consume(line.size());
  require(line.size() <= kLineBytesMax && line.ends_with('\n'));
  std::map<std::string, std::string> fields;
  require(!check_json_object(std::string_view(line).substr(0, line.size() - 1), fields));
  require(fields.contains(std::string(wanted_name)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  LogControl control;
  ByteRing operational(16384);
  ByteRing access(16384);
  Log log(control, operational, access);
  AccessRecord record;
  for (std::string_view* field : {&record.target, &record.request_id, &record.method, &record.endpoint, &record.key,
                                  &record.model, &record.connection, &record.client, &record.error_type})
    *field = next_text(input);
  const std::string_view message = next_text(input);
  const std::string_view first = next_text(input);
  const std::string_view second = next_text(input);
  log.access(record);
  check_line(access, "path");
  log.info(message, {{"first", first}, {"second", second}, {"bytes", size}});
  check_line(operational, "msg");

  if (record.target.find(kCanary) != std::string_view::npos) return 0;
  const std::string secret_target = std::string(record.target.substr(0, 400)) + "?x=" + kCanary;
  record = {};
  record.target = secret_target;
  log.access(record);
  const auto parts = access.peek();
  require(parts[0].find(kCanary) == std::string_view::npos && parts[1].find(kCanary) == std::string_view::npos);
  return 0;
}
