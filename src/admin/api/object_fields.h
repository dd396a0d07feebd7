// Fields of an object's document. Pure; any thread.
#pragma once

#include <string_view>
#include <vector>

namespace boost::json {
class object;
}

namespace llmgw::admin {

// Empty where the field is none or no text. The views are into `object`.
std::string_view text_of(const boost::json::object& object, std::string_view field);

// A text, or each of a list of them.
std::vector<std::string_view> texts_of(const boost::json::object& object, std::string_view field);

}  // namespace llmgw::admin
