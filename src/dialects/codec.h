// What every chat dialect can do, as one table of functions: read and write requests and answers, read and write
// streams, read errors (error.h writes them). Pure: bytes in, bytes out; time, ids and randomness are passed in. One
// thread for each context.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "chat/answer.h"
#include "chat/error.h"
#include "chat/request.h"
#include "chat/stream.h"
#include "chat/target.h"
#include "chat/warning.h"
#include "dialects/sent_documents.h"
#include "json/reader.h"

namespace llmgw::dialects {

// What a client or operator has to be told; texts live in the context's arena or are static.
template <class T>
using Outcome = std::expected<T, chat::ClientError>;

struct ReadContext {
  json::Parser& parser;
  base::Arena& arena;
  // Who signs on the other side: for what is read from a client, chat::native_minter(dialect); for what is read from a
  // provider, the target's.
  chat::Minter minter = chat::Minter::none;
  // The provider's name of the model, for signatures; empty when reading a client's request.
  std::string_view model = {};
  // Seed of ids that have to be made up: the same for the same request.
  std::string_view id_seed = {};
  // What the request's writer called the tool that stands for a JSON answer; empty: there is none.
  std::string_view format_tool = {};

  // The same for what is read into another arena.
  ReadContext with(base::Arena& other) const {
    return {.parser = parser,
            .arena = other,
            .minter = minter,
            .model = model,
            .id_seed = id_seed,
            .format_tool = format_tool};
  }
  bool is_format_tool(std::string_view name) const { return !format_tool.empty() && name == format_tool; }
};

struct WriteContext {
  json::Parser& parser;  // for schemas and arguments
  base::Arena& arena;
  chat::Warnings& warnings;
  // Set by the writer: see ReadContext.
  std::string_view format_tool = {};
  // The same, where documents can be cited: see AnswerContext.
  SentDocuments documents = {};
};

// What the client is to see of the call it made. Views live as long as the writer.
struct AnswerContext {
  json::Parser& parser;  // not the reader's: it writes while the reader reads
  base::Arena& arena;
  std::string_view request_id;             // ids of answers are made of it where the provider gave none
  std::string_view model;                  // as the client named it
  int64_t now = 0;                         // seconds since 1970: `created` where the provider does not say
  int64_t started_ms = 0;                  // milliseconds since 1970 when the request came (Bedrock's latencyMs)
  const chat::Request* request = nullptr;  // what was asked; never null
  // What was sent of it, as the body's writer told; null: nothing. Another upstream that goes on with the answer may
  // have been sent them otherwise: it is always the last one's.
  const SentDocuments* documents = nullptr;
  chat::Framing framing = chat::Framing::json;
  bool enum_numbers = false;  // Gemini's `$alt=json;enum-encoding=int`: enumerations as numbers

  CitedRequest cited() const { return {.request = request, .sent = documents}; }
};

// One event of the provider's stream at a time, unframed: SSE events, elements of Gemini's array, AWS frames.
class StreamReader {
 public:
  virtual ~StreamReader() = default;
  // Emits what the event means. A broken event becomes an error event. Whatever comes is taken; the Sequencer behind
  // makes it legal.
  virtual void read(const chat::WireEvent& event, chat::EventSink& sink) = 0;
  // The transport ended in order: dialects whose streams have no terminal event (Gemini; Bedrock after metadata) say
  // `end` here, if what came was complete. Else nothing: the Sequencer makes an error of it.
  virtual void transport_ended(chat::EventSink& sink) = 0;
};

// Takes a Sequencer's events.
class StreamWriter {
 public:
  virtual ~StreamWriter() = default;
  virtual void write(const chat::StreamEvent& event, chat::WireSink& sink) = 0;
};

struct Codec {
  chat::Dialect dialect;

  // The client's request. `request.model` and `.stream` are set by the caller where the path has them. Errors name the
  // field and what was expected.
  Outcome<void> (*read_request)(std::string_view body, const ReadContext& context, chat::Request& request);
  // The upstream's body, appended to `out`. Errors: what the target cannot express and must not be dropped, with the
  // client's field in `param`.
  Outcome<void> (*write_request)(const chat::Request& request, const chat::Target& target, WriteContext& context,
                                 std::string& out);
  // A success body. A body that is no answer of the dialect, or an error with status 200, is an error.
  Outcome<void> (*read_answer)(std::string_view body, const ReadContext& context, chat::Answer& answer);
  void (*write_answer)(const chat::Answer& answer, const AnswerContext& context, std::string& out);
  // The body of an answer with an error status (any body: HTML, text, nothing). `error_type` is the value of
  // x-amzn-errortype or empty. Sets kind, message, code, param, retry_after (from the body), and status.
  chat::ClientError (*read_error)(int status, std::string_view body, std::string_view error_type,
                                  const ReadContext& context);
  std::unique_ptr<StreamReader> (*make_stream_reader)(const ReadContext& context);
  std::unique_ptr<StreamWriter> (*make_stream_writer)(const AnswerContext& context);
};

// Null for dialects that are not of the chat family. azure is openai_chat, vertex is gemini.
const Codec* find_codec(chat::Dialect dialect);

// Those that have a codec of their own.
inline constexpr std::array kCodecDialects{chat::Dialect::openai_chat, chat::Dialect::openai_responses,
                                           chat::Dialect::anthropic,   chat::Dialect::gemini,
                                           chat::Dialect::bedrock,     chat::Dialect::cohere};

}  // namespace llmgw::dialects
