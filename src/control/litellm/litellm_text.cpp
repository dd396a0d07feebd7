#include "control/litellm/litellm_text.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "base/text.h"
#include "control/litellm/litellm_names.h"

namespace llmgw::control {
namespace {

bool is_aws_region(std::string_view text) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return text.size() > 4 && is_letter(text[0]) && is_letter(text[1]) && text[2] == '-' &&
         text[text.size() - 2] == '-' && base::is_digit(text.back());
}

}  // namespace

std::string table(std::string_view section, const Fields& fields) {
  std::string text = "[[" + std::string(section) + "]]\n";
  for (const auto& [key, value] : fields) text.append(key).append(" = ").append(value).append("\n");
  return text + "\n";
}

std::string scalar(const YAML::Node& node) {
  return node.IsDefined() && node.IsScalar() ? node.Scalar() : std::string();
}

std::string value_text(const YAML::Node& node) {
  constexpr std::string_view kEnvironment = "os.environ/";
  std::string text = scalar(node);
  if (text.starts_with(kEnvironment)) text = "env:" + text.substr(kEnvironment.size());
  return text;
}

std::string price_text(const YAML::Node& node) {
  double dollars = 0;
  constexpr double kDollarsMax = 1e6;  // for a token: nobody's
  if (!YAML::convert<double>::decode(node, dollars) || !(dollars >= 0) || dollars > kDollarsMax) return {};
  const auto nanos = static_cast<uint64_t>(std::llround(dollars * 1e15));
  std::array<char, 48> text;
  std::snprintf(text.data(), text.size(), "%" PRIu64 ".%09" PRIu64, nanos / 1'000'000'000, nanos % 1'000'000'000);
  std::string shown(text.data());
  while (shown.ends_with('0') && !shown.ends_with(".00")) shown.pop_back();
  return shown;
}

std::string missing_of(const YAML::Node& entry) {
  if (!entry.IsMap()) return "model_name and litellm_params.model, and is no mapping";
  const YAML::Node parameters = entry["litellm_params"];
  const bool named = !scalar(entry["model_name"]).empty();
  const bool has_model = parameters && parameters.IsMap() && !scalar(parameters["model"]).empty();
  if (named) return has_model ? "" : "litellm_params.model";
  return has_model ? "model_name" : "model_name and litellm_params.model";
}

Fields costs_of(const YAML::Node& entry, const LeaveOut& leave_out) {
  Fields fields;
  for (const ParameterName& cost : kCosts) {
    std::string taken;
    for (const std::string section : {"litellm_params", "model_info"}) {
      const YAML::Node values = entry[section];
      if (!values || !values.IsMap()) continue;
      const YAML::Node node = values[std::string(cost.theirs)];
      if (!node || node.IsNull()) continue;
      const std::string what = section + "." + std::string(cost.theirs);
      const std::string price = price_text(node);
      if (price.empty()) {
        leave_out(what, "not a price");
      } else if (taken.empty()) {
        taken = price;
      } else if (taken != price) {
        leave_out(what, "litellm_params has another, which LiteLLM reckons with");
      }
    }
    if (!taken.empty()) fields.emplace_back(cost.ours, quote(taken));
  }
  return fields;
}

std::string trim_bedrock(std::string& model) {
  std::string region;
  for (size_t slash; (slash = model.find('/')) != std::string::npos && !model.starts_with("arn:");) {
    const std::string first = model.substr(0, slash);
    const bool prefix = std::ranges::find(kBedrockPrefixes, first) != std::end(kBedrockPrefixes);
    const bool family = std::string_view(model).substr(slash + 1).starts_with("arn:");
    if (is_aws_region(first)) {
      region = first;
    } else if (!prefix && !family) {
      break;
    }
    model.erase(0, slash + 1);
  }
  return region;
}

}  // namespace llmgw::control
