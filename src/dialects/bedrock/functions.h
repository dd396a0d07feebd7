// The functions of the codec, each in a file of its own; see dialects/codec.h for what they promise.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "dialects/codec.h"

namespace llmgw::dialects::bedrock {

Outcome<void> read_request(std::string_view body, const ReadContext& context, chat::Request& request);
Outcome<void> write_request(const chat::Request& request, const chat::Target& target, WriteContext& context,
                            std::string& out);
Outcome<void> read_answer(std::string_view body, const ReadContext& context, chat::Answer& answer);
void write_answer(const chat::Answer& answer, const AnswerContext& context, std::string& out);
chat::ClientError read_error(int status, std::string_view body, std::string_view error_type,
                             const ReadContext& context);
std::unique_ptr<StreamReader> make_stream_reader(const ReadContext& context);
std::unique_ptr<StreamWriter> make_stream_writer(const AnswerContext& context);

}  // namespace llmgw::dialects::bedrock
