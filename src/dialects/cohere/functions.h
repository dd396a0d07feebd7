// The functions of this dialect's Codec; contracts in dialects/codec.h.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "dialects/codec.h"

namespace llmgw::dialects::cohere {

Outcome<void> read_request(std::string_view body, const ReadContext& context, chat::Request& request);
Outcome<void> write_request(const chat::Request& request, const chat::Target& target, WriteContext& context,
                            std::string& out);
Outcome<void> read_answer(std::string_view body, const ReadContext& context, chat::Answer& answer);
void write_answer(const chat::Answer& answer, const AnswerContext& context, std::string& out);
std::unique_ptr<StreamReader> make_stream_reader(const ReadContext& context);
std::unique_ptr<StreamWriter> make_stream_writer(const AnswerContext& context);

}  // namespace llmgw::dialects::cohere
