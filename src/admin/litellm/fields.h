// The fields of LiteLLM's keys, teams and users, and ours. JSON objects in and out, as texts. Pure; any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace llmgw::admin {

enum class LitellmKind : uint8_t { key, team, user };

struct TakenFields {
  std::string fields;                // ours
  std::vector<std::string> ignored;  // what has no counterpart here
};
// `keep_null`: null removes a field, as in a patch; else it is as if it were not there. The error says what was
// expected.
std::expected<TakenFields, std::string> take_fields(LitellmKind kind, std::string_view theirs, int64_t now_ms,
                                                    bool keep_null = false);
// Our object as theirs: all of the kind's fields, null where it has none.
std::string show_fields(LitellmKind kind, std::string_view ours);

}  // namespace llmgw::admin
