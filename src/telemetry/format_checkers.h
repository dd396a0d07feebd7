// Strict readers of the formats telemetry writes, for its tests and fuzzers. Each answers with a complaint, or nothing
// if the text is right.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llmgw::telemetry {

// RFC 8259: one object and nothing around it, valid UTF-8, no nesting, no repeated name. `fields` receives the values:
// strings unescaped, other values as written.
std::optional<std::string> check_json_object(std::string_view text, std::map<std::string, std::string>& fields);

struct ExpositionSample {
  std::string name;
  std::map<std::string, std::string> labels;
  double value;
};
struct ExpositionText {
  std::map<std::string, std::string> types;  // by family
  std::vector<ExpositionSample> samples;
};
// Prometheus text format 0.0.4 as this program uses it: HELP then TYPE before the samples of a family, one run of
// samples a family, no series twice, histograms cumulative, with +Inf equal to _count, no timestamp.
std::optional<std::string> check_exposition(std::string_view text, ExpositionText& parsed);

}  // namespace llmgw::telemetry
