#include "gateway/conversion/enum_numbers.h"

#include "base/text.h"

namespace llmgw::gateway {
namespace {

// `alt` is a system parameter of Google's: it may have a dollar before it.
bool asks(std::string_view name, std::string_view value) {
  if (name.starts_with('$')) name.remove_prefix(1);
  return name == "alt" && value.ends_with(";enum-encoding=int");
}

}  // namespace

bool wants_enum_numbers(std::string_view query) {
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view parameter = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const size_t equals = parameter.find('=');
    if (equals == std::string_view::npos) continue;
    const auto name = base::percent_decode(parameter.substr(0, equals));
    const auto value = base::percent_decode(parameter.substr(equals + 1));
    if (name && value && asks(*name, *value)) return true;
  }
  return false;
}

}  // namespace llmgw::gateway
