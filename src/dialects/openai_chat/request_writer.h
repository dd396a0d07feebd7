// Parts of the request writer. Internal to the folder.
#pragma once

#include <string_view>

#include "chat/request.h"
#include "chat/target.h"
#include "chat/turns.h"
#include "dialects/codec.h"
#include "json/writer.h"

namespace llmgw::dialects::openai_chat {

// How the target is made to answer in JSON.
enum class FormatPlan : uint8_t { none, json_object, json_schema, tool };

// What has to be known before the first byte is written.
struct Plan {
  bool reasoning = false;     // the model will reason in this call
  bool same_dialect = false;  // the client speaks this dialect: what it wrote stays as it is
  FormatPlan format = FormatPlan::none;
  std::string_view instruction = {};  // said to the model in a system message of its own
  chat::List<chat::Tool> tools = {};  // as they are sent
  chat::ToolChoice choice = {};
  std::string_view format_schema = {};
};

bool is_own_dialect(chat::Dialect dialect);

Outcome<Plan> make_plan(const chat::Request& request, const chat::Target& target, WriteContext& context);

Outcome<void> write_messages(json::Writer& w, const chat::Request& request, const chat::Target& target,
                             const Plan& plan, const chat::Conversation& conversation, WriteContext& context);
void write_tools(json::Writer& w, const chat::Request& request, const chat::Target& target, const Plan& plan,
                 WriteContext& context);
void write_format(json::Writer& w, const chat::Request& request, const chat::Target& target, const Plan& plan,
                  WriteContext& context);
void write_reasoning(json::Writer& w, const chat::Request& request, const chat::Target& target, WriteContext& context);

}  // namespace llmgw::dialects::openai_chat
