// The events of a Response's stream. Items come one after the other, or interleaved, and their ids may change from one
// event to the next (some proxies do that): they are told apart by output_index. What a provider leaves out on the way
// is taken from the events that end a part, an item, or the response. One stream, one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/arena.h"
#include "chat/stream.h"
#include "dialects/codec.h"
#include "dialects/openai_responses/items.h"
#include "json/tree.h"

namespace llmgw::dialects::openai_responses {

class EventReader final : public StreamReader {
 public:
  static constexpr size_t kItemsMax = 4096;  // of a response; more is not an answer

  explicit EventReader(const ReadContext& context)
      : minter_(context.minter), model_(context.model), context_{parser_, scratch_, minter_, model_, {}} {}

  void read(const chat::WireEvent& event, chat::EventSink& sink) override;
  void transport_ended(chat::EventSink&) override {}  // without its terminal event a response is cut

 private:
  struct Part {
    uint32_t number = 0;         // the neutral one
    uint32_t content_index = 0;  // of a message
    bool streamed = false;       // text has come
    bool cited = false;
    bool stopped = false;
  };
  struct Item {
    uint32_t index = 0;
    ItemType type = ItemType::other;
    bool started = false;  // its own part (all but messages)
    bool done = false;
    int section = -1;  // reasoning: which summary or content came last
    std::string id = {};
    std::string phase = {};
    std::vector<Part> parts = {};
  };
  struct Fields;  // of one event

  void start(json::Value response);
  void item_added(json::Value item, uint32_t index);
  void item_done(json::Value item, uint32_t index);
  void message_done(Item& item, json::Value value);
  void reasoning_done(Item& item, json::Value value);
  void call_done(Item& item, json::Value value);
  void content_added(const Fields& fields);
  void text_delta(const Fields& fields, chat::PartKind kind);
  void text_done(const Fields& fields, chat::PartKind kind, std::string_view text);
  void content_done(const Fields& fields);
  void annotation(const Fields& fields);
  // `section`: which summary (even) or content (odd) of the reasoning item.
  void reasoning_delta(const Fields& fields, int section, std::string_view text);
  void call_delta(const Fields& fields, ItemType type, std::string_view text);
  void terminal(json::Value response);
  void fail(json::Value error);
  void fail_with(std::string_view message);
  void dispatch(std::string_view type, const Fields& fields);

  Item* item_at(uint32_t index);
  Item* new_item(uint32_t index, ItemType type);
  Item* item_for(const Fields& fields, ItemType type);
  Part* message_part(Item& item, uint32_t content_index, chat::PartKind kind);
  Part& own_part(Item& item, const chat::Part& head);
  void begin_part(Part& part, const chat::Part& head);
  void emit_text(Part& part, std::string_view text, std::string_view logprobs);
  void emit_citations(Part& part, std::string_view citations);
  void stop(Part& part);
  void emit(chat::StreamEvent event) { sink_->event(event); }

  const chat::Minter minter_;
  const std::string model_;
  json::Parser parser_;  // the context's own may be used by whoever takes the events
  base::Arena scratch_;  // one event's
  const ReadContext context_;
  chat::EventSink* sink_ = nullptr;
  std::vector<Item> items_;
  uint32_t next_part_ = 0;
  bool any_tool_call_ = false;
  bool any_refusal_ = false;
  bool started_ = false;
  bool over_ = false;
};

}  // namespace llmgw::dialects::openai_responses
