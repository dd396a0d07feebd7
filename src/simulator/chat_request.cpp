#include "simulator/chat_request.h"

namespace llmgw::simulator {

namespace {

constexpr uint64_t mark_of(Role role) {
  return static_cast<uint64_t>(role) + 1;
}

}  // namespace

void Conversation::begin_message(Role role) {
  tokens_.mark(mark_of(role));
  if (role == Role::user) last_user_text_.clear();
  role_ = role;
  ends_with_tool_result_ = false;
}

void Conversation::end() {
  tokens_.mark(mark_of(Role::assistant));
}

void Conversation::answer_begins(std::string_view text) {
  hash_ = tokens_.hash();
  beginning_ = text;
  tokens_.text(text);
}

void Conversation::text(std::string_view text) {
  tokens_.text(text);
  if (role_ == Role::user) last_user_text_ += text;
}

void Conversation::media(std::string_view content, size_t tokens) {
  tokens_.mark(hash_text(content), tokens);
}

void Conversation::tool_call(std::string_view name, std::string_view arguments) {
  tokens_.text(name);
  tokens_.text(arguments);
}

void Conversation::tool_result(std::string_view text) {
  tokens_.text(text);
  ends_with_tool_result_ = true;
}

void Conversation::tool_definition(std::string_view name, std::string_view schema) {
  tokens_.text(name);
  tokens_.text(schema);
}

}  // namespace llmgw::simulator
