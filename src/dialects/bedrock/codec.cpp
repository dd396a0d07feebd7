#include "dialects/bedrock/codec.h"

#include "dialects/bedrock/functions.h"

namespace llmgw::dialects::bedrock {

const Codec& codec() {
  static constexpr Codec kCodec{
      .dialect = chat::Dialect::bedrock,
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

}  // namespace llmgw::dialects::bedrock
