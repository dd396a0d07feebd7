// The `input` of a request as messages, an item each. One request, one thread.
#pragma once

#include <cstddef>

#include "chat/request.h"
#include "dialects/codec.h"
#include "json/tree.h"

namespace llmgw::dialects::openai_responses {

class InputReader {
 public:
  InputReader(const ReadContext& context, chat::Request& request) : context_(context), request_(request) {}

  Outcome<void> read(json::Value input);

 private:
  Outcome<void> item(json::Value item, size_t index);
  Outcome<void> message(json::Value item, size_t index);
  Outcome<chat::Part> content_part(json::Value part, std::string_view path);
  Outcome<void> output(json::Value item, size_t index, bool custom);
  void call(json::Value item);
  void reasoning(json::Value item);
  void opaque(json::Value item);
  Outcome<void> joining_tools(json::Value item, size_t index);
  // Adds a part of the assistant's; a signature that waits for one goes onto it.
  void assistant_part(chat::Message& message, chat::Part part);
  // A signature whose part never came stands on an empty text.
  void flush_signature();
  void push(chat::Message message);

  const ReadContext& context_;
  chat::Request& request_;
  const chat::Signature* waiting_ = nullptr;
  size_t index_ = 0;  // of the item at hand
};

}  // namespace llmgw::dialects::openai_responses
