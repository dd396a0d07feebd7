#include "dialects/cohere/codec.h"

#include "dialects/cohere/functions.h"
#include "dialects/openai/error_reader.h"

namespace llmgw::dialects::cohere {
namespace {

// {"id","message"}: one of the shapes that OpenAI's reader knows anyway.
chat::ClientError read_error(int status, std::string_view body, std::string_view error_type,
                             const ReadContext& context) {
  constexpr int kInvalidToken = 498;  // Cohere's own: the key is on a list of stolen ones
  chat::ClientError error = openai::read_error(status, body, error_type, context);
  if (status == kInvalidToken) error.kind = chat::ErrorKind::authentication;
  return error;
}

}  // namespace

const Codec& codec() {
  static constexpr Codec kCodec{
      .dialect = chat::Dialect::cohere,
      .read_request = read_request,
      .write_request = write_request,
      .read_answer = read_answer,
      .write_answer = write_answer,
      .read_error = read_error,
      .make_stream_reader = make_stream_reader,
      .make_stream_writer = make_stream_writer,
  };
  return kCodec;
}

}  // namespace llmgw::dialects::cohere
