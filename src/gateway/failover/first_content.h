// Tells the events with which a stream announces itself from the first that says something: Anthropic and the Responses
// API announce long before the model has read its prompt, so that the first byte tells nothing about the first token.
// Pure. One stream, one thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "http/sse.h"

namespace llmgw::gateway {

// Whether an event comes before the model has said anything (a role, an id, a ping), by its name and its data; facts of
// 2026-08. An event that nobody knows says something.
bool is_prelude(std::string_view event, std::string_view data);
// The same by the name alone, for APIs that name their events.
bool is_prelude_name(std::string_view event);

// The name of an event whose framing has none (InvokeModel's chunks), by its first bytes: the type of Anthropic's, the
// only member of Nova's if that is a prelude's or the stop; empty where it is another member. Nothing: more bytes may
// tell. The view is into `json`.
std::optional<std::string_view> name_inside(std::string_view json);
// How many first bytes name_inside() needs: the longest name, the word "type", quotes and spaces between them.
inline constexpr size_t kNameInsideBytes = 64;

// Looks for the first event with content in server-sent events, however they are cut. Copies nothing but an event that
// comes in several pieces, and looks at nothing any more once it has been seen.
class FirstContent {
 public:
  // Takes the next bytes; whether content has come, in these or before. An error counts as
  // content, and so does what is no stream of events.
  bool feed(std::string_view bytes);

 private:
  http::SseReader sse_;
  bool seen_ = false;
};

}  // namespace llmgw::gateway
