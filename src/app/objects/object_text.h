// Between the command line and the admin API's JSON: options become fields, answers become lines for people. Pure; any
// thread.
#pragma once

#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/objects/object_kinds.h"

namespace llmgw::app {

// A field that a command has an option for.
struct FieldOption {
  std::string path;     // "api_key", "tls.verify"
  std::string options;  // "--api-key", or several: "--connection,--conn-id"
  const control::Setting* setting;
};
std::vector<FieldOption> field_options(const control::ObjectKind& kind);

using FieldTexts = std::map<std::string, std::vector<std::string>>;  // by path, as they were given

// The JSON object of a request; `unset`: fields to remove. The error names the option.
std::expected<std::string, std::string> fields_to_json(const control::ObjectKind& kind, const FieldTexts& given,
                                                       const std::vector<std::string>& unset);

// "name  value" lines of one object.
std::string show_lines(std::string_view json);
// A table of a list's objects, with the columns that matter for the kind.
std::string show_table(const control::ObjectKind& kind, const std::vector<std::string>& objects);
// Of /admin/v1/health.
std::string show_health(std::string_view json);
std::string show_audit(const std::vector<std::string>& entries);

// An answer's error message; the whole body if it is none of ours.
std::string error_message(std::string_view body);

// The elements of "data" as JSON texts, and where the next page begins; empty: there is none.
struct ListPage {
  std::vector<std::string> objects;
  std::string next;
};
std::expected<ListPage, std::string> read_page(std::string_view body);

// A member of an object as text; empty if it is not there.
std::string member_text(std::string_view json, std::string_view member);

}  // namespace llmgw::app
