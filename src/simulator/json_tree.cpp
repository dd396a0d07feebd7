#include "simulator/json_tree.h"

#include <boost/json.hpp>
#include <cmath>

namespace llmgw::simulator {

namespace bj = boost::json;

namespace {

std::string_view view(const bj::string& text) {
  return {text.data(), text.size()};
}

}  // namespace

Answered<bj::value> parse_body(std::string_view body) {
  bj::parse_options options;
  options.max_depth = kJsonDepthMax;
  options.allow_invalid_utf8 = false;
  boost::system::error_code failed;
  bj::value tree = bj::parse(bj::string_view(body.data(), body.size()), failed, {}, options);
  if (failed) return refuse(400, "The body of the request is not valid JSON: " + failed.message() + ".");
  if (!tree.is_object()) return refuse(400, "The body of the request is JSON but not an object.");
  return tree;
}

const bj::value* member(const bj::object& object, std::string_view name, std::string_view other_name) {
  const bj::value* found = object.if_contains(bj::string_view(name.data(), name.size()));
  if (found == nullptr && !other_name.empty()) {
    found = object.if_contains(bj::string_view(other_name.data(), other_name.size()));
  }
  return found != nullptr && !found->is_null() ? found : nullptr;
}

const bj::object* member_object(const bj::object& object, std::string_view name, std::string_view other_name) {
  const bj::value* found = member(object, name, other_name);
  return found == nullptr ? nullptr : found->if_object();
}

const bj::array* member_array(const bj::object& object, std::string_view name, std::string_view other_name) {
  const bj::value* found = member(object, name, other_name);
  return found == nullptr ? nullptr : found->if_array();
}

std::string_view member_text(const bj::object& object, std::string_view name, std::string_view other_name) {
  const bj::value* found = member(object, name, other_name);
  return found != nullptr && found->is_string() ? view(found->get_string()) : std::string_view{};
}

bool member_true(const bj::object& object, std::string_view name, std::string_view other_name) {
  const bj::value* found = member(object, name, other_name);
  return found != nullptr && found->is_bool() && found->get_bool();
}

std::optional<double> member_number(const bj::object& object, std::string_view name, std::string_view other_name) {
  const bj::value* found = member(object, name, other_name);
  if (found == nullptr || !found->is_number()) return std::nullopt;
  return found->to_number<double>();
}

Answered<std::optional<size_t>> member_count(const bj::object& object, std::string_view name, size_t max,
                                             std::string_view other_name) {
  const bj::value* found = member(object, name, other_name);
  if (found == nullptr) return std::optional<size_t>{};
  const double number = found->is_number() ? found->to_number<double>() : -1;
  if (number < 0 || number > double(max) || number != std::floor(number)) {
    return refuse(400, "'" + std::string(name) + "' must be a whole number from 0 to " + std::to_string(max) + ".",
                  std::string(name));
  }
  return std::optional(static_cast<size_t>(number));
}

std::string to_text(const bj::value& value) {
  return bj::serialize(value);
}

}  // namespace llmgw::simulator
