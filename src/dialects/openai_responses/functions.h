// The codec's functions, one file each; codec.cpp makes the table of them. What they promise is in dialects/codec.h.
#pragma once

#include "dialects/codec.h"

namespace llmgw::dialects::openai_responses {

Outcome<void> read_request(std::string_view body, const ReadContext& context, chat::Request& request);
Outcome<void> write_request(const chat::Request& request, const chat::Target& target, WriteContext& context,
                            std::string& out);
Outcome<void> read_answer(std::string_view body, const ReadContext& context, chat::Answer& answer);
void write_answer(const chat::Answer& answer, const AnswerContext& context, std::string& out);
std::unique_ptr<StreamWriter> make_stream_writer(const AnswerContext& context);

}  // namespace llmgw::dialects::openai_responses
