#include "admin/api/object_fields.h"

#include <boost/json.hpp>

namespace llmgw::admin {

namespace bj = boost::json;

std::string_view text_of(const bj::object& object, std::string_view field) {
  const bj::value* const value = object.if_contains({field.data(), field.size()});
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

std::vector<std::string_view> texts_of(const bj::object& object, std::string_view field) {
  const bj::value* const value = object.if_contains({field.data(), field.size()});
  if (value == nullptr || !value->is_array()) return {text_of(object, field)};
  std::vector<std::string_view> texts;
  for (const bj::value& each : value->get_array()) {
    if (each.is_string()) texts.emplace_back(each.get_string().data(), each.get_string().size());
  }
  return texts;
}

}  // namespace llmgw::admin
