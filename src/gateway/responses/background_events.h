// The stream of a response that is made in the background: the events of the request that is answered in its stead, as
// its client knows them: under the id that was given to it, numbered without a gap from its first. Events are kept as
// server-sent events, and told apart by their numbers. The last one is held back until close(): who has seen it may
// build on the response. Pure; one response, one thread.
// Source: OpenAI's guide "Background mode" (August 2026), GET /responses/{id}?stream=true&starting_after=n.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dialects/openai_responses/state.h"
#include "http/sse.h"
#include "json/reader.h"

namespace llmgw::gateway {

class BackgroundEvents {
 public:
  // `response` and `pending` must outlive it.
  BackgroundEvents(const dialects::openai_responses::BackgroundResponse& response, const std::string& pending)
      : response_(response), pending_(pending) {}

  // The event that says that there is a response, before anything was asked of anybody.
  void open(std::string& out);
  // Bytes of the other request's stream, split anywhere; whole events come out. A stream that is damaged ends there.
  void feed(std::string_view bytes, std::string& out);
  // Nothing more will come: the last event. Without one of its own that is a failure, for which `error`, the body of a
  // refusal, has the words, or, if its client cancelled it, the end where it is.
  void close(std::string_view error, bool cancelled, std::string& out);

  // The Response of the last event; empty while there is none.
  const std::string& final_response() const { return final_; }
  // The number of the next event.
  uint64_t next() const { return next_; }

 private:
  void take(const http::SseEvent& event, std::string& out);
  void append(std::string_view type, std::string_view response, std::string& out);

  const dialects::openai_responses::BackgroundResponse& response_;
  const std::string& pending_;
  http::SseReader sse_;
  json::Parser parser_;
  std::string final_;
  std::string_view final_type_;
  uint64_t next_ = 0;
  bool damaged_ = false;
};

// `events` are numbered from `first`; those from `wanted` on.
std::string_view events_from(std::string_view events, uint64_t first, uint64_t wanted);
uint64_t count_events(std::string_view events);
// The end of a stream that has none of its own, with the Response as it is.
void append_end(std::string& events, uint64_t number, bool failed, std::string_view response);

}  // namespace llmgw::gateway
