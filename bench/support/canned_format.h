// The bytes the canned upstream answers with, and their reading by the load generator. Both sides share this file, so
// the load generator can demand exactly what was sent. Shapes: OpenAI chat completions, whole and streamed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace llmgw::bench {

// The smallest JSON answer that can be asked for: the envelope without its text.
inline constexpr size_t kJsonAnswerBytesMin = 384;

// A chat.completion of exactly `bytes` bytes (raised to kJsonAnswerBytesMin).
std::string json_answer(size_t bytes);

// What an event of the canned stream says about itself.
struct StreamEvent {
  uint32_t index = 0;       // 0, 1, 2, ... within its stream
  int64_t sent_ns = 0;      // when the upstream handed it to the kernel
  int64_t received_ns = 0;  // when the upstream had read the whole request
};

inline constexpr std::string_view kStreamDone = "data: [DONE]\n\n";

// Appends one "data: {chat.completion.chunk}\n\n" of fixed length (about 220 bytes). `last` sets finish_reason.
void append_stream_event(std::string& out, const StreamEvent& event, bool last);
// Reads the text of an event after "data: "; empty if it is not one of ours.
std::optional<StreamEvent> parse_stream_event(std::string_view data);

}  // namespace llmgw::bench
