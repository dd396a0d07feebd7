#include "store/netstrings.h"

#include "base/text.h"

namespace llmgw::store {

void put_field(std::string& out, std::string_view field) {
  out.append(std::to_string(field.size())).append(":").append(field);
}
void put_field(std::string& out, int64_t number) {
  put_field(out, std::string_view(std::to_string(number)));
}
void put_field(std::string& out, uint64_t number) {
  put_field(out, std::string_view(std::to_string(number)));
}

std::string_view FieldReader::text() {
  const size_t colon = left_.find(':');
  const auto length = base::parse_decimal(left_.substr(0, colon));
  if (colon == std::string_view::npos || !length || *length > left_.size() - colon - 1) {
    broken_ = true;
    left_ = {};
    return {};
  }
  const std::string_view field = left_.substr(colon + 1, *length);
  left_.remove_prefix(colon + 1 + *length);
  return field;
}

uint64_t FieldReader::number(uint64_t most) {
  const auto value = base::parse_decimal(text());
  if (!value || *value > most) broken_ = true;
  return broken_ ? 0 : *value;
}

}  // namespace llmgw::store
