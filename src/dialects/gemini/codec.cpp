#include "dialects/gemini/codec.h"

#include "dialects/gemini/functions.h"

namespace llmgw::dialects::gemini {

const Codec& codec() {
  static constexpr Codec kCodec{
      .dialect = chat::Dialect::gemini,
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

}  // namespace llmgw::dialects::gemini
