#include "admin/api/object_fields.h"

#include <boost/json.hpp>
#include <utility>

namespace llmgw::admin {

namespace bj = boost::json;

bj::object document_of(const store::Object& object) {
  boost::system::error_code error;
  bj::value document = bj::parse(object.document, error);
  return !error && document.is_object() ? std::move(document.get_object()) : bj::object();
}

std::string_view text_of(const bj::object& object, std::string_view field) {
  const bj::value* const value = object.if_contains({field.data(), field.size()});
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

std::vector<std::string_view> texts_of(const bj::object& object, std::string_view field) {
  std::vector<std::string_view> texts;
  const auto add = [&](const bj::value& value) {
    if (value.is_string()) texts.emplace_back(value.get_string().data(), value.get_string().size());
  };
  const bj::value* const value = object.if_contains({field.data(), field.size()});
  if (value == nullptr) return texts;
  if (!value->is_array()) {
    add(*value);
  } else {
    for (const bj::value& each : value->get_array()) add(each);
  }
  return texts;
}

}  // namespace llmgw::admin
