// Objects by id or name, bodies as fields, and what is said where there is none. Blocking: reads the store.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>

#include "admin/api/object_api.h"

namespace boost::json {
// NOLINTNEXTLINE(readability-identifier-naming): Boost's own name
class object;
}  // namespace boost::json

namespace llmgw::admin {

// The object of that id or name. Names that several have are refused, with the ids to choose from. What is not
// `visible` is as if it were not there; none: all is.
std::expected<store::Object, ApiAnswer> find_object(const ApiContext& context, const control::ObjectKind& kind,
                                                    std::string_view id_or_name,
                                                    const std::function<bool(const store::Object&)>& visible = {});

// "there is no key 'fronted'; did you mean 'frontend'? `llm-gateway vkey list` shows all"
std::string no_such_object(const ApiContext& context, const control::ObjectKind& kind, std::string_view name);

// The body's JSON object, empty where there is no body; the error says where the text stops being one.
std::expected<boost::json::object, ApiAnswer> read_fields(std::string_view body);

// What the database said, as an answer.
ApiAnswer store_failed(const base::Error& error);

}  // namespace llmgw::admin
