// A Sequencer's events as the items of a Response, and, where somebody listens, as the stream of its events. The same
// machine writes documents, so both always agree. One answer, one thread.
//
// Parts become items: texts and refusals that belong together one message, thinking a reasoning item, calls
// function_call or custom_tool_call. An item is opened when its first content comes: a signature that arrives before
// needs an item of its own in front, because only reasoning items have a place for one. The last item is closed when
// the next one begins or the finish is known: it says whether the answer was cut.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "chat/stream.h"
#include "dialects/codec.h"
#include "dialects/openai_responses/response_object.h"
#include "dialects/said_text.h"
#include "json/writer.h"

namespace llmgw::dialects::openai_responses {

class OutputWriter {
 public:
  // What a client is to hold in one piece; see chat::Collector.
  static constexpr size_t kOutputBytesMax = size_t{64} << 20;
  // Of a function_call_output's call_id (schema FunctionCallOutputItemParam).
  static constexpr size_t kCallIdBytesMax = 64;

  // `sink` is null where only the document is wanted.
  OutputWriter(const AnswerContext& context, chat::WireSink* sink);

  void set_sink(chat::WireSink* sink) { sink_ = sink; }
  void event(const chat::StreamEvent& event);
  // After the end: the whole Response.
  void write_document(std::string& out) const;

 private:
  enum class Open : uint8_t { none, message, reasoning, call, custom_call };

  void start(const chat::Answer& answer);
  void start_part(const chat::Part& head);
  void delta(std::string_view text, std::string_view logprobs);
  void sign(const chat::Signature& signature);
  void cite(std::string_view citations, chat::Dialect origin);
  void stop_part();
  void finish(const chat::Choice& choice);
  void end();
  void fail(const chat::ClientError& error);

  // The part that waits becomes visible.
  void open_part(bool with_text);
  void open_text();
  void open_reasoning(bool with_text);
  void open_call();
  void stop_text();
  void stop_reasoning();
  void stop_call();
  void close_item(std::string_view status);
  void add_signature_item(chat::SignaturePlace place);
  void add_whole_item(std::string_view item);
  void add_image(const chat::Media& media, std::string_view id);
  void unwrap_custom_call();
  bool stands_for_custom_tool(std::string_view name) const;
  std::string encrypted_content() const;

  // Writing one event: begin() and the members every event has, then send().
  json::Writer begin(std::string_view type);
  json::Writer begin_item_event(std::string_view type);
  void send(json::Writer& writer);
  void send_item(std::string_view type, std::string_view item);
  void send_response(std::string_view type);
  void write_text_part(json::Writer& writer) const;
  std::string item_json(std::string_view status) const;
  std::string_view arguments() const;
  std::string mint_id(std::string_view prefix, std::string_view own);
  ResponseState state() const;
  bool streaming() const { return sink_ != nullptr; }

  const AnswerContext& context_;
  chat::WireSink* sink_;
  // Others may use the context's parser while an event is on its way.
  json::Parser parser_;
  std::string event_;  // the event at hand
  std::string_view event_type_;
  std::string echo_;
  std::string id_base_;
  uint64_t sequence_number_ = 0;

  std::string response_id_;
  std::string service_tier_;
  int64_t created_at_ = 0;
  Status status_ = Status::in_progress;
  std::string_view incomplete_reason_;
  std::string error_code_;
  std::string error_message_;
  chat::Usage usage_;
  std::string output_;  // closed items
  uint32_t output_index_ = 0;
  uint32_t minted_ = 0;
  size_t bytes_ = 0;
  bool any_refusal_ = false;
  SaidText said_;  // of all messages
  bool over_ = false;

  // The item at hand.
  Open open_ = Open::none;
  std::string item_id_;
  std::string phase_;
  std::string message_key_;  // the provider's id of the message the item is
  std::string contents_;     // of a message: closed parts
  uint32_t content_index_ = 0;
  std::string call_id_;
  std::string name_;
  std::string item_text_;  // of a call whose part is over: its arguments
  std::string last_own_id_;

  // The part at hand.
  chat::PartKind kind_ = chat::PartKind::text;
  bool part_open_ = false;  // the reader is inside a part
  bool visible_ = false;    // it has been opened on the wire
  bool redacted_ = false;
  bool custom_ = false;
  bool summary_open_ = false;
  bool unwrap_ = false;  // arguments of a function that stands for a free-text tool: kept until they are whole
  std::string head_id_;
  std::string head_name_;
  std::string text_;
  std::string logprobs_;
  std::string annotations_;
  uint32_t annotation_count_ = 0;
  bool has_signature_ = false;
  chat::Signature signature_;  // its texts:
  std::string signature_model_;
  std::string signature_id_;
  std::string signature_data_;
};

}  // namespace llmgw::dialects::openai_responses
