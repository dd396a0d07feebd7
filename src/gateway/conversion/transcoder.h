// An upstream's answer in one dialect as the client's answer in another: any framing in, the client's framing out,
// streamed or not on either side. Pure: bytes in, bytes out, no I/O. One answer, one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "chat/collector.h"
#include "chat/sequencer.h"
#include "chat/stream.h"
#include "dialects/codec.h"
#include "gateway/call/redact.h"
#include "gateway/conversion/call_check.h"
#include "gateway/conversion/tool_answer.h"
#include "gateway/failover/joiner.h"
#include "http/event_stream.h"
#include "http/sse.h"
#include "json/array_splitter.h"

namespace llmgw::gateway {

// How the upstream frames its answer, by its Content-Type.
chat::Framing framing_of(std::string_view content_type);
// The Content-Type of an answer of that framing.
std::string_view content_type_of(chat::Framing framing);

// Puts a dialect's events into the client's framing, appended to a string.
class WireFramer final : public chat::WireSink {
 public:
  WireFramer(chat::Framing framing, bool wrapped, std::string& out) : framing_(framing), wrapped_(wrapped), out_(out) {}
  void event(const chat::WireEvent& event) override;
  // The stream ended in order: closes the array.
  void finish();

 private:
  void chunk(std::string_view event);

  chat::Framing framing_;
  bool wrapped_;
  std::string& out_;
  bool any_ = false;
};

class Transcoder final : private chat::EventSink, private json::ElementSink {
 public:
  struct Sides {
    const dialects::Codec& provider;
    const dialects::Codec& client;
    dialects::ReadContext read;
    dialects::AnswerContext write;  // write.framing: what the client gets; json is a document
    chat::Framing upstream_framing = chat::Framing::json;
    // Event streams of InvokeModel: the model's own events, each in base64 in a chunk.
    bool upstream_wrapped = false;
    bool client_wrapped = false;
    Secrets secrets = {};  // what errors must not show
    // Another upstream may finish what this one begins: see resume().
    bool continuable = false;
    // Nobody gets what is read: only what it says is of interest, and `client` and `write` are not used.
    bool only_read = false;
  };

  explicit Transcoder(const Sides& sides);
  Transcoder(const Transcoder&) = delete;
  Transcoder& operator=(const Transcoder&) = delete;

  // Takes the upstream's bytes; what the client is to get of them is in output().
  void feed(std::string_view bytes);
  // The upstream's answer ended in order.
  void finish();
  // It broke off, or the gateway gives up.
  void fail(const chat::ClientError& error);
  // Of a continuable stream that has begun and failed: whether another upstream can go on from beginning(). If none
  // does, write_failure() tells the client; the stream has then no error event yet.
  bool can_continue() const { return joiner_ && joiner_->can_continue(); }
  std::string_view beginning() const { return joiner_->beginning(); }
  void write_failure();
  // What is fed from now on comes from another upstream, whose side this is. `used` by those before.
  void resume(const Sides& sides, const chat::Usage& used);

  // What is ready for the client; take it and clear it. A document is ready after finish().
  std::string& output() { return out_; }
  // Nothing more will come: the answer is complete or has failed.
  bool over() const { return sequencer_->over(); }
  // Set if the answer is no success. If nothing went out yet it can still be told as an HTTP error; in a stream that
  // has begun, output() holds the dialect's own error event.
  const std::optional<chat::ClientError>& error() const { return error_; }
  // Some of the answer has been written: an HTTP error is too late.
  bool started() const { return started_; }
  // Whether what has come since the last call says something: text, arguments, thoughts, an end; a head or the start of
  // a part does not.
  bool take_content() { return std::exchange(content_, false); }
  // Whether the model has said anything yet: text, thoughts, a call, what only its own dialect can read.
  bool said_anything() const { return said_.anything; }
  // The answer is over, a filter ended it or the model declined, and nothing of it came.
  bool withheld() const { return over() && !error_ && said_.filtered && !said_.anything; }
  // The dialect of the client has an event that says that the stream broke; else the connection must break.
  bool error_event_written() const { return error_event_written_; }
  // What the provider sent and an answer of the client's dialect has no place for: "image", "audio", "an item of the
  // provider's own tools"; empty: nothing.
  std::string_view dropped() const { return dropped_; }
  // The provider called a tool with arguments that are no JSON object, for a client whose API wants one: in a document
  // the call was left out, or they were put into one.
  bool left_out_call() const { return collector_ && calls_.any_broken(); }
  bool wrapped_call() const { return calls_.any_wrapped(); }
  // The provider's word for why it ended, where nobody knows what it means ("nothing" if it gave none), or the client's
  // API has none for it: the client was told that it stopped. Empty: it was told why.
  std::string_view unknown_finish() const { return unknown_finish_; }
  const chat::Usage& usage() const { return sequencer_->usage(); }
  // Text, thoughts and arguments that this upstream has sent, also what was not passed on.
  uint64_t text_bytes() const { return said_.bytes; }

 private:
  // Between reader and Sequencer.
  struct Inspector final : chat::EventSink {
    void event(const chat::StreamEvent& event) override;
    chat::EventSink* next = nullptr;
    uint64_t bytes = 0;
    bool anything = false;
    bool filtered = false;
    bool refuses_malformed_calls = false;
    std::string malformed;  // what the provider says of a call that failed
  };

  void make_sequencer(chat::EventSink& next);
  void event(const chat::StreamEvent& event) override;
  void feed_sse(std::string_view bytes);
  void feed_event_stream(std::string_view bytes);
  void feed_document(std::string_view bytes);
  void read_document();
  void note_dropped(const chat::Part& head);
  void note_finish(const chat::Choice& choice);
  void element(std::string_view json) override { read_event({.name = {}, .data = json}); }
  void read_exception(std::string_view type, std::string_view payload);
  void read_event(const chat::WireEvent& event) { reader_->read(event, calls_); }
  void fail_with(std::string_view message);
  void fail_started(const chat::ClientError& said);

  std::optional<Sides> sides_;  // always there; made anew by resume()
  std::string out_;
  WireFramer framer_;
  std::unique_ptr<dialects::StreamReader> reader_;
  std::unique_ptr<dialects::StreamWriter> writer_;  // null: the client gets a document
  std::optional<chat::Collector> collector_;
  std::optional<Joiner> joiner_;
  std::optional<chat::Sequencer> sequencer_;  // the same
  ToolAnswer tool_answer_;                    // in front of it
  Inspector said_;                            // in front of that
  CallCheck calls_;                           // the first
  http::SseReader sse_;
  http::EventStreamReader frames_;
  std::string chunk_;          // of InvokeModel's stream, unwrapped
  json::ArraySplitter array_;  // Gemini streams without alt=sse: an array of chunks
  bool is_array_ = false;
  std::string document_;  // an unstreamed answer, as far as it has come
  std::string_view dropped_;
  std::string_view unknown_finish_;
  std::optional<chat::ClientError> error_;
  bool started_ = false;
  bool content_ = false;
  bool failure_written_ = false;
  bool error_event_written_ = false;
};

}  // namespace llmgw::gateway
