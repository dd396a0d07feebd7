// Streamed tool calls of one choice, put together from whatever vendors send: OpenAI's (head first, then pieces of
// arguments by index), the whole call in one delta, with no index, with one index for all, with id and name on every
// delta, with ids that are not ids, with "{}" before the real arguments, with an object for arguments, legacy
// function_call. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chat/stream.h"
#include "dialects/codec.h"
#include "json/tree.h"

namespace llmgw::dialects::openai_chat {

// Where a JSON value ends in a text that comes in pieces. Only brackets and strings are looked at.
class JsonExtent {
 public:
  void feed(std::string_view text);
  bool complete() const { return complete_; }

 private:
  uint32_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool complete_ = false;
};

class CallStream {
 public:
  // OpenAI takes 128 tools; a model that calls more at once runs wild.
  static constexpr size_t kCallsMax = 512;

  explicit CallStream(uint32_t choice) : choice_(choice) {}

  // One element of delta.tool_calls, or delta.function_call (`legacy`). `next_part` and `call_count` number parts of
  // the choice and calls of the stream. False: too many calls.
  bool read(json::Value call, bool legacy, const ReadContext& context, uint32_t& next_part, uint32_t& call_count,
            chat::EventSink& sink);
  // Ends the calls whose arguments are complete, so that what follows need not wait for them.
  void stop_complete(chat::EventSink& sink);
  void stop_all(chat::EventSink& sink);
  // A tool is really called; the tool that stands for a JSON answer is not one.
  bool any_tool() const { return any_tool_; }

 private:
  struct Call {
    int64_t index = -1;
    uint32_t part = 0;
    bool started = false;
    bool stopped = false;
    bool custom = false;
    bool is_text = false;  // the JSON answer's tool
    bool any_arguments = false;
    std::string given_id;
    std::string name;
    std::string held;  // arguments that came before the name, or an "{}" that may be followed by the real ones
    JsonExtent extent;
  };

  Call* find(json::Value value, bool legacy, std::string_view id, std::string_view name, std::string_view arguments);
  void start(Call& call, const ReadContext& context, uint32_t& call_count, chat::EventSink& sink);
  void add_arguments(Call& call, std::string_view arguments, chat::EventSink& sink);
  void emit(Call& call, std::string_view arguments, chat::EventSink& sink);
  void stop(Call& call, chat::EventSink& sink);
  bool id_taken(std::string_view id) const;

  uint32_t choice_;
  bool any_tool_ = false;
  std::vector<Call> calls_;
};

}  // namespace llmgw::dialects::openai_chat
