#include "gateway/failover/first_error.h"

#include "gateway/call/event_stream_tap.h"
#include "gateway/failover/first_content.h"
#include "http/event_stream.h"
#include "http/sse.h"
#include "json/array_splitter.h"

namespace llmgw::gateway {
namespace {

using chat::ClientError;

struct ErrorSink final : chat::EventSink {
  explicit ErrorSink(base::Arena& memory) : arena(memory) {}
  void event(const chat::StreamEvent& event) override {
    if (event.kind != chat::EventKind::error || error) return;
    error = *event.error;
    error->message = arena.copy(error->message);
    error->param = arena.copy(error->param);
    error->code = arena.copy(error->code);
  }
  base::Arena& arena;
  std::optional<ClientError> error;
};

void read_events(dialects::StreamReader& reader, std::string_view bytes, ErrorSink& sink) {
  http::SseReader events;
  while (!sink.error) {
    const auto next = events.next(bytes);
    if (!next || !*next) return;
    reader.read({.name = (*next)->event, .data = (*next)->data}, sink);
  }
}

void read_frames(dialects::StreamReader& reader, std::string_view bytes, ErrorSink& sink) {
  http::EventStreamReader frames;
  std::string unwrapped;
  while (!sink.error) {
    const auto next = frames.next(bytes);
    if (!next || !*next) return;
    const http::EventStreamMessage& message = **next;
    const bool event = message.is_event();
    if (message.text(":event-type") == "chunk" && unwrap_chunk(message.payload, unwrapped)) {
      reader.read({.name = name_inside(unwrapped).value_or(""), .data = unwrapped}, sink);
      unwrapped.clear();
      continue;
    }
    reader.read(
        {.name = message.text(event ? ":event-type" : ":exception-type"), .data = message.payload, .exception = !event},
        sink);
  }
}

void read_array(dialects::StreamReader& reader, std::string_view bytes, ErrorSink& sink) {
  struct Elements final : json::ElementSink {
    Elements(dialects::StreamReader& stream, ErrorSink& errors) : reader(stream), sink(errors) {}
    void element(std::string_view json) override {
      if (!sink.error) reader.read({.name = {}, .data = json}, sink);
    }
    dialects::StreamReader& reader;
    ErrorSink& sink;
  };
  Elements elements(reader, sink);
  json::ArraySplitter array;
  (void)array.feed(bytes, elements);  // what came before it is no array any more has been read
}

}  // namespace

std::optional<ClientError> first_error(const dialects::Codec& codec, chat::Framing framing, std::string_view beginning,
                                       const dialects::ReadContext& context) {
  constexpr int kNoStatus = 0;
  if (framing == chat::Framing::json) return codec.read_error(kNoStatus, beginning, {}, context);
  ErrorSink sink(context.arena);
  const auto reader = codec.make_stream_reader(context);
  if (framing == chat::Framing::sse) read_events(*reader, beginning, sink);
  if (framing == chat::Framing::event_stream) read_frames(*reader, beginning, sink);
  if (framing == chat::Framing::json_array) read_array(*reader, beginning, sink);
  return sink.error;
}

}  // namespace llmgw::gateway
