// A request of one dialect on its way to a provider of another: what the client asked in neutral form, the upstream's
// body, the warnings on the way. Made only for calls that need it; lives as long as its call. One thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "chat/client_field.h"
#include "chat/request.h"
#include "chat/target.h"
#include "chat/warning.h"
#include "control/snapshot.h"
#include "dialects/codec.h"
#include "gateway/conversion/head_settings.h"
#include "gateway/entrance/endpoints.h"
#include "providers/upstream.h"

namespace llmgw::gateway {

// What a conversion could not carry: see chat/warning.h.
inline constexpr std::string_view kWarningsHeader = "x-llm-gateway-warnings";

// Where a converted call goes: the provider's own chat API.
struct ConvertedApi {
  const dialects::Codec* codec = nullptr;
  providers::Surface surface = providers::Surface::openai;
  // As a client of that API would call it, the model's name left out. Empty: a prompt is to be counted, and the
  // provider has no API for that.
  std::string_view path;
  std::string_view query;
};

// Whether the operation asks how many tokens a prompt has.
bool counts_tokens(Operation operation);
// Whether it belongs to the family that is converted between APIs.
bool is_chat(Operation operation);
// A model writes text.
bool generates(Operation operation);
// What it answers with is the call's own: not an object that the provider keeps, which may itself have failed.
bool is_own_answer(Operation operation);
// And that is JSON: an object or a list, where it is not streamed. Sound, transcripts and files may be anything.
bool answers_json(Operation operation);
// Nothing is kept of it but its answer, so it may be asked for twice.
bool only_answers(Operation operation);

// The dialect of the client's body. Claude's own stands in InvokeModel's.
chat::Dialect body_dialect(Operation operation, chat::Dialect client);

// The API through which that connection answers converted calls for a model. The codec is null if it has none, or if
// the operation is none that is converted.
ConvertedApi convertible(Operation operation, const control::Connection& connection, std::string_view model,
                         bool streams);

// The same for a provider that has the Responses API itself.
ConvertedApi responses_api();

// A URL of the client's and every part that holds it: there is at least one.
struct RemoteMedia {
  std::string_view url;
  chat::List<chat::Part*> parts;
};

class Conversion {
 public:
  // `enveloped`: as in Match.
  Conversion(const dialects::Codec& client, Operation operation, bool enveloped, json::Parser& parser,
             base::Arena& arena)
      : client_(client),
        operation_(operation),
        enveloped_(enveloped),
        parser_(parser),
        arena_(arena),
        warnings_(arena, client.dialect) {}

  // What the client's head says; before the body is read.
  void take_head(const http::Headers& headers) { head_ = read_head_settings(headers, operation_, arena_); }
  // `model` and `streams` stand in the path in some dialects: they hold whatever the body says. `places`: where the
  // client has what stands elsewhere in the body.
  dialects::Outcome<void> read(std::string_view body, std::string_view model, bool streams,
                               const chat::List<chat::Spelling>& places = {});
  // Who is to answer; again for every attempt.
  void aim(const dialects::Codec& provider, const chat::Target& target, const providers::BodyEnvelope& envelope);
  // Whether the client's own headers go on, since the provider has the client's API; after `aim`.
  void pass_headers(bool passed) { headers_pass_ = passed; }
  // Images and documents given as URLs that the target does not fetch itself, each URL once, in the request's order.
  std::vector<RemoteMedia> remote_media();
  // Puts the bytes, in base64, in the place of the URL. False if they are text where an image was promised.
  bool replace_media(const RemoteMedia& remote, std::string_view bytes, std::string_view media_type);
  // The upstream's body, valid until the next one is written.
  dialects::Outcome<std::string_view> write();
  // What belongs into the header anthropic-beta with the body that was written last; empty: nothing.
  std::string_view betas_header() const;

  // Whether the provider wraps its own stream into InvokeModel's chunks.
  bool provider_wraps() const { return envelope_.drop_stream; }
  // Whether the client wants its stream so.
  bool client_wraps() const { return operation_ == Operation::invoke_stream; }
  const dialects::Codec& client() const { return client_; }
  const dialects::Codec& provider() const { return *provider_; }
  const chat::Target& target() const { return target_; }
  // What the body that was written last has of the request's documents.
  const dialects::SentDocuments& documents() const { return documents_; }
  chat::Request& request() { return request_; }
  const chat::Request& request() const { return request_; }
  chat::Warnings& warnings() { return warnings_; }
  // What the client calls its conversation: messages, input, contents.
  std::string_view messages_field() const { return chat::client_field(client_.dialect, "messages"); }
  dialects::ReadContext read_context(std::string_view request_id) const {
    return {.parser = parser_,
            .arena = arena_,
            .minter = target_.minter,
            .model = target_.model,
            .id_seed = request_id,
            .format_tool = format_tool_};
  }

 private:
  std::unexpected<chat::ClientError> named(chat::ClientError error) const;
  dialects::Outcome<std::string_view> plain_body(std::string_view body, bool streams,
                                                 const dialects::ReadContext& context);
  void gather_betas();
  void gather_tier();
  void place_betas();
  dialects::Outcome<void> place_head();
  dialects::Outcome<void> write_body(dialects::WriteContext& context);
  dialects::Outcome<void> wrap();

  const dialects::Codec& client_;
  Operation operation_;
  bool enveloped_;
  json::Parser& parser_;
  base::Arena& arena_;
  chat::Warnings warnings_;
  HeadSettings head_;
  dialects::anthropic::Betas betas_;         // of the body
  dialects::anthropic::Betas placed_betas_;  // of head and body, as far as the target takes them
  bool tier_in_head_ = false;
  bool headers_pass_ = false;
  size_t read_warnings_ = 0;  // of the request itself, whoever answers it
  chat::Request request_;
  chat::Target target_;
  providers::BodyEnvelope envelope_;
  const dialects::Codec* provider_ = nullptr;
  dialects::SentDocuments documents_;
  std::string_view format_tool_;  // of the body that was written last: see dialects::ReadContext
  std::string body_;
};

}  // namespace llmgw::gateway
