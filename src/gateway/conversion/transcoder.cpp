#include "gateway/conversion/transcoder.h"

#include "base/base64.h"
#include "dialects/answer_media.h"
#include "dialects/error.h"
#include "dialects/losses.h"
#include "gateway/call/event_stream_tap.h"
#include "gateway/call/redact.h"
#include "json/writer.h"

namespace llmgw::gateway {

using chat::ErrorKind;
using chat::EventKind;
using chat::Framing;

namespace {

// As large as the answers a Collector takes.
constexpr size_t kDocumentBytesMax = chat::Collector::kAnswerBytesMax;
// Of a provider's word that is told in a header.
constexpr size_t kWordBytesMax = 64;

bool says_something(const chat::StreamEvent& event) {
  switch (event.kind) {
    case EventKind::delta: return !event.text.empty();
    case EventKind::part_start: return !event.head->text.empty();  // media, and what only its own dialect can read
    case EventKind::finish: return true;
    default: return false;
  }
}

// The start of a text is none; that of a call or a picture is.
bool is_content(const chat::StreamEvent& event) {
  if (event.kind == EventKind::delta) return !event.text.empty();
  if (event.kind != EventKind::part_start) return false;
  const chat::PartKind kind = event.head->kind;
  const bool begins_empty =
      kind == chat::PartKind::text || kind == chat::PartKind::refusal || kind == chat::PartKind::thinking;
  return !begins_empty || !event.head->text.empty();
}

bool is_filtered(const chat::Answer& answer) {
  if (answer.choices.empty()) return false;
  const chat::Finish finish = answer.choices.front().finish;
  return finish == chat::Finish::filter || finish == chat::Finish::refusal;
}

// A call that the model failed to make is never shown as a clean stop, nor as a matter of safety. The others have a
// word for it.
bool has_word_for_malformed_call(chat::Dialect client) {
  return client != chat::Dialect::openai_chat && client != chat::Dialect::azure && client != chat::Dialect::anthropic;
}

// The SDKs of some execute a call with the object they are given, of which Gemini's never get pieces. The others have
// arguments as text, which their clients parse and find to be broken.
CallCheck::Passing passing_of(const Transcoder::Sides& sides) {
  using Passing = CallCheck::Passing;
  if (sides.only_read) return Passing::text;
  const chat::Dialect client = sides.client.dialect;
  if (dialects::same_format(client, chat::Dialect::gemini)) return Passing::whole;
  if (client != chat::Dialect::anthropic && client != chat::Dialect::bedrock) return Passing::text;
  return sides.write.framing == Framing::json ? Passing::whole : Passing::pieces;
}

}  // namespace

Framing framing_of(std::string_view content_type) {
  if (content_type.starts_with("text/event-stream")) return Framing::sse;
  if (content_type.starts_with(http::kEventStreamType)) return Framing::event_stream;
  return Framing::json;
}

std::string_view content_type_of(Framing framing) {
  switch (framing) {
    case Framing::sse: return "text/event-stream; charset=utf-8";
    case Framing::event_stream: return http::kEventStreamType;
    default: return "application/json";
  }
}

void WireFramer::event(const chat::WireEvent& event) {
  switch (framing_) {
    case Framing::sse: http::append_event(out_, event.name, event.data); break;
    case Framing::event_stream:
      if (wrapped_) {
        chunk(event.data);
      } else if (event.exception) {
        http::append_event_stream_exception(out_, event.name, event.data);
      } else {
        http::append_event_stream_event(out_, event.name, event.data);
      }
      break;
    case Framing::json_array:
      out_ += any_ ? ",\r\n" : "[";
      out_ += event.data;
      break;
    case Framing::json: out_ += event.data; break;
  }
  any_ = true;
}

// As InvokeModelWithResponseStream has it: {"bytes":"<base64>"}.
void WireFramer::chunk(std::string_view event) {
  std::string payload(R"({"bytes":")");
  const size_t start = payload.size();
  payload.resize(start + base::base64_size(event.size()));
  base::base64_encode(event, payload.data() + start);
  payload += "\"}";
  http::append_event_stream_event(out_, "chunk", payload);
}

void WireFramer::finish() {
  if (framing_ == Framing::json_array) out_ += any_ ? "]" : "[]";
}

Transcoder::Transcoder(const Sides& sides)
    : sides_(sides),
      framer_(sides.write.framing, sides.client_wrapped, out_),
      reader_(sides.provider.make_stream_reader(sides.read)) {
  if (sides.continuable) joiner_.emplace(static_cast<chat::EventSink&>(*this));
  make_sequencer(joiner_ ? static_cast<chat::EventSink&>(*joiner_) : *this);
  if (sides.only_read) return;
  if (sides.write.framing == Framing::json) {
    collector_.emplace(sides.read.arena);
  } else {
    writer_ = sides.client.make_stream_writer(sides.write);
  }
}

void Transcoder::Inspector::event(const chat::StreamEvent& event) {
  if (event.kind == EventKind::delta) bytes += event.text.size();
  anything |= is_content(event);
  if (event.kind == EventKind::finish) filtered |= is_filtered(*event.answer);
  if (event.kind == EventKind::finish && refuses_malformed_calls && !event.answer->choices.empty()) {
    const chat::Choice& choice = event.answer->choices.front();
    if (choice.finish == chat::Finish::malformed_tool) {
      malformed = choice.explanation.empty() ? "The model tried to call a tool and failed." : choice.explanation;
      return;
    }
  }
  if (event.kind != EventKind::end || malformed.empty()) return next->event(event);
  // Told behind the usage, which has to be paid all the same.
  const chat::ClientError error{.kind = ErrorKind::upstream_failed, .message = malformed};
  next->event({.kind = EventKind::error, .error = &error});
}

void Transcoder::make_sequencer(chat::EventSink& next) {
  sequencer_.emplace(next);
  tool_answer_.start(*sequencer_, !sides_->read.format_tool.empty());
  said_.next = &tool_answer_;
  said_.bytes = 0;
  said_.malformed.clear();
  said_.refuses_malformed_calls = !has_word_for_malformed_call(sides_->client.dialect);
  calls_.start(said_, sides_->write.parser, passing_of(*sides_), sides_->read.format_tool);
}

void Transcoder::resume(const Sides& sides, const chat::Usage& used) {
  joiner_->resume(used);
  reader_ = sides.provider.make_stream_reader(sides.read);
  sides_.emplace(sides);
  make_sequencer(*joiner_);
  sse_ = http::SseReader();
  frames_ = http::EventStreamReader();
  array_ = json::ArraySplitter();
  is_array_ = false;
  document_.clear();
  error_.reset();
}

void Transcoder::feed(std::string_view bytes) {
  if (over()) return;
  switch (sides_->upstream_framing) {
    case Framing::sse: return feed_sse(bytes);
    case Framing::event_stream: return feed_event_stream(bytes);
    default: feed_document(bytes);
  }
}

void Transcoder::feed_document(std::string_view bytes) {
  if (document_.empty() && !is_array_) {
    bytes.remove_prefix(std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size()));
    is_array_ = bytes.starts_with('[');
  }
  if (is_array_) {
    if (!array_.feed(bytes, *this)) fail_with("the provider's answer is not valid JSON");
    return;
  }
  if (document_.size() + bytes.size() > kDocumentBytesMax) return fail_with("the provider's answer is too large");
  document_ += bytes;
}

void Transcoder::feed_sse(std::string_view bytes) {
  while (!bytes.empty() && !over()) {
    auto next = sse_.next(bytes);
    if (!next) return fail_with("the provider sent an event that is too large");
    if (!*next) return;
    read_event({.name = (*next)->event, .data = (*next)->data});
  }
}

void Transcoder::feed_event_stream(std::string_view bytes) {
  while (!bytes.empty() && !over()) {
    auto next = frames_.next(bytes);
    if (!next) return fail_with("the provider's event stream is damaged");
    if (!*next) return;
    const http::EventStreamMessage& message = **next;
    const std::string_view type = message.text(":message-type");
    if (type == "error") {
      // An error frame says all in its headers.
      std::string payload;
      json::Writer(payload).begin_object().member("message", message.text(":error-message")).end_object();
      read_exception(message.text(":error-code"), payload);
    } else if (type == "exception") {
      read_exception(message.text(":exception-type"), message.payload);
    } else if (sides_->upstream_wrapped) {
      chunk_.clear();
      if (!unwrap_chunk(message.payload, chunk_)) return fail_with("the provider's event stream is damaged");
      read_event({.name = {}, .data = chunk_});
    } else {
      read_event({.name = message.text(":event-type"), .data = message.payload});
    }
  }
}

// In InvokeModel's streams the events are the model's own; what ends them early is still Bedrock's.
void Transcoder::read_exception(std::string_view type, std::string_view payload) {
  if (!sides_->upstream_wrapped) return read_event({.name = type, .data = payload, .exception = true});
  constexpr int kNoStatus = 0;
  const dialects::Codec& service = *dialects::find_codec(chat::Dialect::bedrock);
  sequencer_->fail(service.read_error(kNoStatus, payload, type, sides_->read));
}

void Transcoder::finish() {
  if (over()) return;
  switch (sides_->upstream_framing) {
    case Framing::sse: {
      // Careless writers leave the last blank line out, or even the end of the last line. A line that was cut is not
      // JSON, which the reader notices.
      const auto tail = sse_.finish();
      if (tail.event) read_event({.name = tail.event->event, .data = tail.event->data});
      reader_->transport_ended(calls_);
      break;
    }
    case Framing::event_stream:
      if (!frames_.between_messages()) return fail_with("the provider's answer ended inside an event");
      reader_->transport_ended(calls_);
      break;
    default: read_document();
  }
  tool_answer_.flush();
  sequencer_->transport_ended();
}

void Transcoder::read_document() {
  if (is_array_) {
    if (!array_.finish()) return fail_with("the provider's answer ended before it was complete");
    return reader_->transport_ended(calls_);
  }
  chat::Answer answer;
  auto read = sides_->provider.read_answer(document_, sides_->read, answer);
  if (!read) {
    // What was used before it failed is paid.
    if (answer.usage.known()) calls_.event({.kind = EventKind::usage, .answer = &answer});
    return sequencer_->fail(read.error());
  }
  chat::explode(answer, calls_);
}

void Transcoder::note_dropped(const chat::Part& head) {
  if (head.kind == chat::PartKind::opaque) {
    if (!dialects::same_format(head.origin, sides_->client.dialect)) dropped_ = "an item of the provider's own tools";
    return;
  }
  const std::string_view kind = dialects::media_word(head.kind);
  if (kind.empty() || dialects::answers_carry(sides_->client.dialect, head.kind)) return;
  dropped_ = kind;
}

void Transcoder::note_finish(const chat::Choice& choice) {
  const bool has_word = choice.finish != chat::Finish::pause || sides_->client.dialect == chat::Dialect::anthropic;
  if (choice.finish != chat::Finish::unknown && has_word) return;
  if (dialects::same_format(sides_->provider.dialect, sides_->client.dialect)) return;
  unknown_finish_ =
      choice.native_finish.empty() ? "nothing" : sides_->read.arena.copy(choice.native_finish.substr(0, kWordBytesMax));
}

void Transcoder::fail(const chat::ClientError& error) {
  sequencer_->fail(error);
}

void Transcoder::fail_with(std::string_view message) {
  sequencer_->fail({.kind = ErrorKind::upstream_failed, .message = message});
}

void Transcoder::fail_started(const chat::ClientError& said) {
  base::Arena& arena = sides_->read.arena;
  error_ = said;
  error_->message = arena.copy(redact(said.message, sides_->secrets, arena));
  error_->param = arena.copy(said.param);
  error_->code = arena.copy(said.code);
  if (!joiner_) write_failure();
}

void Transcoder::write_failure() {
  // Before the stream has begun the caller tells it as an HTTP error.
  if (!started_ || writer_ == nullptr || !error_ || failure_written_) return;
  failure_written_ = true;
  if (sides_->client_wrapped) {
    const dialects::StreamException exception = dialects::write_stream_exception(*error_);
    http::append_event_stream_exception(out_, exception.type, exception.payload);
    error_event_written_ = true;
    return;
  }
  const size_t before = out_.size();
  writer_->write({.kind = EventKind::error, .error = &*error_}, framer_);
  error_event_written_ = out_.size() > before;
}

void Transcoder::event(const chat::StreamEvent& event) {
  if (event.kind == EventKind::error) return fail_started(*event.error);
  if (sides_->only_read) return;
  if (event.kind == EventKind::part_start) note_dropped(*event.head);
  if (event.kind == EventKind::finish) note_finish(event.answer->choices.front());
  content_ |= says_something(event);
  if (collector_) {
    collector_->event(event);
    if (collector_->error() && !error_) error_ = collector_->error();
    if (event.kind == EventKind::end && !error_) {
      started_ = true;
      sides_->client.write_answer(collector_->answer(), sides_->write, out_);
    }
    return;
  }
  // The head of the client's answer waits for content: an error until then is a proper HTTP error.
  writer_->write(event, framer_);
  if (event.kind == EventKind::part_start || event.kind == EventKind::finish || event.kind == EventKind::end) {
    started_ = true;
  }
  if (event.kind == EventKind::end) framer_.finish();
}

}  // namespace llmgw::gateway
