// A planned answer in the form of each API: the whole body, or a stream written step by step. Every stream is legal in
// its API: events in order, one terminal, usage where it belongs. Wire shapes: the public references of the four APIs
// as of August 2026 and what their servers were seen to send. Pure; one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "simulator/api_error.h"
#include "simulator/plan.h"

namespace llmgw::simulator {

inline constexpr std::string_view kSystemFingerprint = "fp_simulator";

// What an answer is made of; all of it must outlive the writer.
struct AnswerContext {
  const Surface& surface;
  const ChatRequest& request;
  const Plan& plan;  // may be cut short between two steps
  std::string id;    // letters and digits, without any API's prefix
  std::string model;
  int64_t created_unix_s = 0;
};

class StreamWriter {
 public:
  virtual ~StreamWriter() = default;
  // All append to `out`. Called once, before the first step.
  virtual void begin(const UsageCount& usage, std::string& out) = 0;
  // The next token of every choice that has one.
  virtual void step(std::string& out) = 0;
  // What is left and the terminal. Nothing may follow.
  virtual void end(const UsageCount& usage, std::string& out) = 0;
  // Instead of `end`: the stream fails in the way the API has for it.
  virtual void fail(const ApiError& error, std::string& out) = 0;
};

std::unique_ptr<StreamWriter> make_stream_writer(const AnswerContext& context);
std::string_view stream_content_type(const Surface& surface);
std::string write_answer(const AnswerContext& context, const UsageCount& usage);

// One for each family; `make_stream_writer` and `write_answer` choose.
std::unique_ptr<StreamWriter> openai_chat_stream(const AnswerContext& context);
std::unique_ptr<StreamWriter> openai_completions_stream(const AnswerContext& context);
std::unique_ptr<StreamWriter> openai_responses_stream(const AnswerContext& context);
std::unique_ptr<StreamWriter> anthropic_stream(const AnswerContext& context);
std::unique_ptr<StreamWriter> gemini_stream(const AnswerContext& context);
std::string openai_chat_answer(const AnswerContext& context, const UsageCount& usage);
std::string openai_completions_answer(const AnswerContext& context, const UsageCount& usage);
std::string openai_responses_answer(const AnswerContext& context, const UsageCount& usage);
std::string anthropic_answer(const AnswerContext& context, const UsageCount& usage);
std::string gemini_answer(const AnswerContext& context, const UsageCount& usage);

// Whether the arguments of a call are all there.
bool arguments_whole(const Part& part);
// The arguments of a call as an object; an empty one if they were cut short.
std::string_view arguments_object(const Part& part);
// What stands for a provider's signature over thoughts; made of the text, valid nowhere.
std::string simulated_signature(const Part& part);

}  // namespace llmgw::simulator
