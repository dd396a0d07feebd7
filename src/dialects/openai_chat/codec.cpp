#include "dialects/openai_chat/codec.h"

#include "dialects/openai/error_reader.h"
#include "dialects/openai_chat/functions.h"

namespace llmgw::dialects::openai_chat {

const Codec& codec() {
  static constexpr Codec kCodec{
      .dialect = chat::Dialect::openai_chat,
      .read_request = read_request,
      .write_request = write_request,
      .read_answer = read_answer,
      .write_answer = write_answer,
      .read_error = openai::read_error,
      .make_stream_reader = make_stream_reader,
      .make_stream_writer = make_stream_writer,
  };
  return kCodec;
}

}  // namespace llmgw::dialects::openai_chat
