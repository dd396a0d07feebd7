// Reading a request body as a tree: what the readers of the simulator share. Off any hot path.
// Boost.JSON stays in the .cpp files; here its names are only declared.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "simulator/api_error.h"

// NOLINTBEGIN(readability-identifier-naming): the names are Boost's
namespace boost::json {
class value;
class object;
class array;
}  // namespace boost::json
// NOLINTEND(readability-identifier-naming)

namespace llmgw::simulator {

inline constexpr size_t kJsonDepthMax = 64;  // deeper than any schema of a tool, shallow enough for the stack

// The body as an object; an error in words of the simulator if it is not JSON or no object.
Answered<boost::json::value> parse_body(std::string_view body);

// A member by either of its names (Gemini's JSON takes camelCase and snake_case); null when absent or JSON null.
const boost::json::value* member(const boost::json::object& object, std::string_view name,
                                 std::string_view other_name = {});
const boost::json::object* member_object(const boost::json::object& object, std::string_view name,
                                         std::string_view other_name = {});
const boost::json::array* member_array(const boost::json::object& object, std::string_view name,
                                       std::string_view other_name = {});
// Empty when absent or no string.
std::string_view member_text(const boost::json::object& object, std::string_view name,
                             std::string_view other_name = {});
bool member_true(const boost::json::object& object, std::string_view name, std::string_view other_name = {});
std::optional<double> member_number(const boost::json::object& object, std::string_view name,
                                    std::string_view other_name = {});
// A whole number from 0 to `max`; an error that names the member if it is there and is anything else.
Answered<std::optional<size_t>> member_count(const boost::json::object& object, std::string_view name, size_t max,
                                             std::string_view other_name = {});
// As JSON text.
std::string to_text(const boost::json::value& value);

}  // namespace llmgw::simulator
