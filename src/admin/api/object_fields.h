// Fields of an object's document. Pure; any thread.
#pragma once

#include <string_view>
#include <vector>

#include "store/objects/object_store.h"

namespace boost::json {
// NOLINTNEXTLINE(readability-identifier-naming): Boost's own name
class object;
}  // namespace boost::json

namespace llmgw::admin {

// An object's document; without fields where it cannot be read.
boost::json::object document_of(const store::Object& object);

// Empty where the field is none or no text. The views are into `object`.
std::string_view text_of(const boost::json::object& object, std::string_view field);

// A text, or each of a list of them; none where the field is none. The views are into `object`.
std::vector<std::string_view> texts_of(const boost::json::object& object, std::string_view field);

}  // namespace llmgw::admin
