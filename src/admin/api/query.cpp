#include "admin/api/query.h"

#include <algorithm>

#include "base/text.h"

namespace llmgw::admin {

std::string Query::text(std::string_view name) const {
  std::string_view left = query_;
  while (!left.empty()) {
    const size_t end = left.find('&');
    const std::string_view pair = left.substr(0, end);
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name && equals != std::string_view::npos) {
      std::string value(pair.substr(equals + 1));
      std::ranges::replace(value, '+', ' ');
      return base::percent_decode(value).value_or("");
    }
    left = end == std::string_view::npos ? std::string_view() : left.substr(end + 1);
  }
  return {};
}

std::optional<uint64_t> Query::number(std::string_view name) const {
  return base::parse_decimal(text(name));
}

}  // namespace llmgw::admin
