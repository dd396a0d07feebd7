#include "dialects/openai_responses/codec.h"

#include "dialects/openai/error_reader.h"
#include "dialects/openai_responses/functions.h"
#include "dialects/openai_responses/stream_reader.h"

namespace llmgw::dialects::openai_responses {
namespace {

std::unique_ptr<StreamReader> make_stream_reader(const ReadContext& context) {
  return std::make_unique<EventReader>(context);
}

}  // namespace

const Codec& codec() {
  static constexpr Codec kCodec{.dialect = chat::Dialect::openai_responses,
                                .read_request = &read_request,
                                .write_request = &write_request,
                                .read_answer = &read_answer,
                                .write_answer = &write_answer,
                                .read_error = &openai::read_error,
                                .make_stream_reader = &make_stream_reader,
                                .make_stream_writer = &make_stream_writer};
  return kCodec;
}

}  // namespace llmgw::dialects::openai_responses
