#include "simulator/answer_writer.h"

#include <boost/json.hpp>

#include "simulator/json_tree.h"

namespace llmgw::simulator {

std::unique_ptr<StreamWriter> make_stream_writer(const AnswerContext& context) {
  switch (context.surface.operation) {
    case Operation::completions: return openai_completions_stream(context);
    case Operation::responses: return openai_responses_stream(context);
    case Operation::messages: return anthropic_stream(context);
    case Operation::stream_generate: return gemini_stream(context);
    default: return openai_chat_stream(context);
  }
}

std::string_view stream_content_type(const Surface& surface) {
  if (surface.operation == Operation::stream_generate && !surface.sse) return "application/json; charset=UTF-8";
  return surface.api == Api::openai || surface.api == Api::anthropic ? "text/event-stream; charset=utf-8"
                                                                     : "text/event-stream";
}

std::string write_answer(const AnswerContext& context, const UsageCount& usage) {
  switch (context.surface.operation) {
    case Operation::completions: return openai_completions_answer(context, usage);
    case Operation::responses: return openai_responses_answer(context, usage);
    case Operation::messages: return anthropic_answer(context, usage);
    case Operation::generate: return gemini_answer(context, usage);
    default: return openai_chat_answer(context, usage);
  }
}

bool arguments_whole(const Part& part) {
  return parse_body(part.text).has_value();
}

std::string_view arguments_object(const Part& part) {
  return arguments_whole(part) ? std::string_view(part.text) : std::string_view("{}");
}

std::string simulated_signature(const Part& part) {
  // 64 letters and digits are valid base64 without padding.
  return make_id(hash_text(part.text), 64);
}

}  // namespace llmgw::simulator
