// A call to a provider of another protocol: the request is written anew, the answer is read and written again.
#include "base/text.h"
#include "dialects/provider_error.h"
#include "gateway/call/redact.h"
#include "gateway/call/retry_after.h"
#include "gateway/call/stream_ending.h"
#include "gateway/conversion/converted_relay.h"
#include "gateway/conversion/enum_numbers.h"
#include "gateway/conversion/transcoder.h"
#include "gateway/entrance/header_rules.h"
#include "gateway/failover/hold_back.h"
#include "providers/families.h"

namespace llmgw::gateway {

using base::Result;
using chat::ClientError;
using chat::Dialect;
using chat::ErrorKind;
using http::ClientExchange;
using http::HeaderId;
using http::ResponseHead;
using net::Task;

namespace {

// What comes behind the end of a stream is its framing; a connection that needs longer is not worth keeping.
constexpr base::Duration kDrainTime = std::chrono::milliseconds(100);

// What each dialect's SDK reads as the id of the request.
std::string_view id_header(Dialect dialect) {
  switch (dialect) {
    case Dialect::anthropic: return "request-id";
    case Dialect::bedrock: return "x-amzn-requestid";
    default: return {};
  }
}

std::string_view upstream_id(const http::Headers& headers) {
  for (const std::string_view name : {"x-request-id", "request-id", "x-amzn-requestid", "apim-request-id"}) {
    if (const std::string_view id = headers.value(name); !id.empty()) return id;
  }
  return {};
}

// The transfer's own end: with it the connection can be used again.
Task<void> read_rest(ClientExchange& upstream, net::Wait wait) {
  for (bool done = false; !done;) {
    auto bytes = co_await upstream.read_body(wait);
    done = !bytes || bytes->done;
  }
}

// Different URLs of one request: as many images as Anthropic takes in a request, the providers that want bytes 20
// (Bedrock, Cohere) to thousands (Gemini).
constexpr size_t kFetchedUrlsMax = 100;

std::string_view too_many_urls(base::Arena& arena) {
  return arena.copy("this gateway fetches at most " + std::to_string(kFetchedUrlsMax) +
                    " images and documents by URL for one request: send fewer, or the bytes in base64");
}

std::string_view too_much_media(size_t bytes_max, base::Arena& arena) {
  return arena.copy("the images and documents by URL of one request may have " + std::to_string(bytes_max) +
                    " bytes together (fetch_media_max_bytes), each as often as it stands there: send fewer or smaller "
                    "ones");
}

constexpr std::string_view kNoMediaMemory =
    "the images and documents by URL of the requests in progress take all memory that this gateway gives them "
    "(fetch_media_memory): try again later, or send the bytes in base64";

// What a fetched file takes until its call is over: in base64, for itself and in each place of the body.
uint64_t memory_of(uint64_t bytes, size_t places) {
  return bytes * (1 + places) * 4 / 3;
}

// Why the file behind a URL could not be had.
std::string_view not_fetched(const base::Error& error, const FetchLimits& limits, base::Arena& arena) {
  std::string message = "the URL of an image or document cannot be fetched: ";
  if (error.code == base::ErrorCode::deadline_exceeded) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limits.timeout).count();
    message += "timeout, it has not been answered within " + std::to_string(seconds) + " seconds";
  } else {
    message += error.context[0] != '\0' ? std::string_view(error.context) : base::to_string(error.code);
  }
  return arena.copy(message);
}

}  // namespace

Outcome<Attempt> Call::address_converted(const control::Model& model, const ConvertedApi& api) {
  const auto connection_index = model.connection;
  const control::Connection& connection = generation_.snapshot().connections[connection_index];
  if (conversion_ == nullptr) {
    const dialects::Codec* const client = dialects::find_codec(body_dialect(match_.operation, match_.dialect));
    if (client == nullptr)
      return std::unexpected(ClientError{.kind = ErrorKind::unsupported,
                                         .message = "this API is not converted to other providers' APIs",
                                         .param = "model"});
    conversion_ = std::make_unique<Conversion>(*client, match_.operation, match_.enveloped, worker_.parser(), arena_);
    conversion_->take_head(exchange_.head().headers);
  }
  const std::string_view remote = model.upstream_name(plan_.model);
  Attempt attempt{
      .model = &model, .connection = &connection, .connection_index = connection_index, .target = {}, .body = {}};
  const providers::ClientCall call{.surface = api.surface,
                                   .path = api.path,
                                   .query = api.query,
                                   .model = remote,
                                   .deployment = model.deployment,
                                   .stream = streams()};
  providers::BodyEnvelope envelope;
  if (!api.path.empty()) {
    auto target = providers::make_upstream_target(connection.upstream, call, arena_);
    if (!target) return std::unexpected(ClientError{.kind = ErrorKind::unsupported, .message = target.error().context});
    attempt.target = target->path_and_query;
    envelope = target->envelope;
  }
  const auto kind =
      api.codec->dialect == Dialect::openai_responses ? providers::ChatApi::responses : providers::ChatApi::chat;
  conversion_->aim(*api.codec, providers::target_for(connection.upstream, kind, remote), envelope);
  return attempt;
}

Task<Outcome<void>> Call::read_converted() {
  CO_TRY(asked, unrouted_body());
  chat::List<chat::Spelling> places;
  if (match_.dialect == Dialect::openai_responses) {
    auto recalled = co_await recall();
    // What only the provider knows that has failed, no other can go on from.
    if (!recalled) co_return std::unexpected(failure_.value_or(recalled.error()));
    asked = *recalled;
    places = places_in_memory();
  }
  co_return conversion_->read(asked, model_, streams(), places);
}

Task<Outcome<void>> Call::write_converted() {
  if (auto read = co_await read_converted(); !read) co_return read;
  if (auto fetched = co_await fetch_media(); !fetched) co_return fetched;
  auto body = conversion_->write();
  if (!body) co_return std::unexpected(body.error());
  auto pieces = json::splice(*body, {});
  if (!pieces) co_return std::unexpected(ClientError{.kind = ErrorKind::internal, .message = pieces.error().context});
  attempt_->body = *pieces;
  attempt_->betas = conversion_->betas_header();
  // What was resolved before is told to the client all the same.
  if (memory_ != nullptr) tell_memory(conversion_->request());
  co_return Outcome<void>{};
}

// Providers that take no URLs get the bytes. A URL costs the client a few bytes, what is behind it the gateway many: so
// each is fetched once, and what they add to the request is bounded together, as often as it stands there.
Task<Outcome<void>> Call::fetch_media() {
  const control::ServerSettings& settings = generation_.snapshot().server;
  const std::vector<RemoteMedia> wanted = conversion_->remote_media();
  if (wanted.size() > kFetchedUrlsMax) co_return refused_media(wanted[kFetchedUrlsMax], too_many_urls(arena_));
  size_t left = settings.fetch_media_max_bytes.bytes;
  for (const RemoteMedia& remote : wanted) {
    if (settings.fetch_media_max_bytes.bytes == 0 || !worker_.fetch_media()) {
      co_return refused_media(remote,
                              "this provider takes no URLs of images or documents, and this gateway fetches none: "
                              "send the bytes in base64");
    }
    const size_t places = remote.parts.size();
    bool full = false;
    const FetchLimits limits{
        .bytes_max = left / places, .private_addresses = settings.fetch_private_addresses, .take = [&](size_t bytes) {
          if (!fetched_) fetched_.emplace(worker_.shared().media_memory);
          full = !fetched_->take(memory_of(bytes, places), settings.fetch_media_memory.bytes);
          return !full;
        }};
    auto media = co_await worker_.fetch_media()(std::string(remote.url), limits, &exchange_.cancellation());
    if (!media && full) {
      ClientError refused = refused_media(remote, kNoMediaMemory).error();
      refused.kind = ErrorKind::overloaded;
      refused.retry_after = std::chrono::seconds(1);
      co_return std::unexpected(refused);
    }
    if (!media) {
      const bool large = media.error().code == base::ErrorCode::too_large;
      co_return refused_media(remote,
                              large ? too_much_media(settings.fetch_media_max_bytes.bytes, arena_)
                                    : not_fetched(media.error(), limits, arena_),
                              "invalid_image_url");
    }
    left -= media->bytes.size() * places;
    if (!conversion_->replace_media(remote, media->bytes, media->media_type)) {
      const base::Error page{base::ErrorCode::invalid_argument, "it leads to a page of text and no image"};
      co_return refused_media(remote, not_fetched(page, limits, arena_), "invalid_image_url");
    }
  }
  co_return Outcome<void>{};
}

// The first part that holds the URL is told.
std::unexpected<ClientError> Call::refused_media(const RemoteMedia& remote, std::string_view message,
                                                 std::string_view code) const {
  const std::string_view path = remote.parts.front()->media->path;
  return std::unexpected(ClientError{.kind = ErrorKind::invalid_request,
                                     .message = message,
                                     .param = conversion_->warnings().name_of(path.empty() ? "messages" : path),
                                     .code = code});
}

Result<void> Call::start_converted(const ResponseHead& head, std::optional<uint64_t> size) {
  http::Headers headers;
  headers.append(HeaderId::content_type, content_type_of(framing()));
  headers.append(HeaderId::x_request_id, id_.view());
  if (const std::string_view name = id_header(match_.dialect); !name.empty()) headers.append(name, id_.view());
  if (const std::string_view id = upstream_id(head.headers); !id.empty()) headers.append(kUpstreamRequestIdHeader, id);
  const std::string warnings = conversion_->warnings().header();
  if (!warnings.empty()) headers.append(kWarningsHeader, warnings);
  if (!route_text_.empty()) headers.append(kRouteHeader, route_text_);
  if (framing() == chat::Framing::sse) headers.append("cache-control", "no-cache");
  add_governance_headers(headers);
  status_ = 200;
  return exchange_.start({.status = 200,
                          .headers = &headers,
                          .framing = size ? http::Framing::content_length : http::Framing::until_close,
                          .content_length = size.value_or(0)});
}

Transcoder::Sides Call::sides(const ResponseHead& head) {
  const int64_t now_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(worker_.loop().wall_now().time_since_epoch()).count();
  return {.provider = conversion_->provider(),
          .client = conversion_->client(),
          .read = conversion_->read_context(id_.view()),
          .write = {.parser = worker_.writer_parser(),
                    .arena = arena_,
                    .request_id = id_.view(),
                    .model = model_,
                    .now = now_ms / 1000,
                    .started_ms = now_ms,
                    .request = &conversion_->request(),
                    .documents = &conversion_->documents(),
                    .framing = framing(),
                    .enum_numbers = wants_enum_numbers(exchange_.head().query)},
          .upstream_framing = framing_of(head.headers.value(HeaderId::content_type)),
          .upstream_wrapped = conversion_->provider_wraps(),
          .client_wrapped = conversion_->client_wraps(),
          .secrets = secrets(),
          .continuable = route().continuation && framing() != chat::Framing::json};
}

// Hands a piece, or what became of it, to the transcoder. True: it was the last one.
bool Call::feed_converted(const Result<http::BodyBytes>& bytes, Transcoder& transcoder, http::ContentDecoder* decoder) {
  if (!bytes) {
    worker_.log().warn(
        "upstream broke off",
        {{"request_id", id_.view()}, {"connection", attempt_->connection->name}, {"error", bytes.error()}});
    ClientError told = upstream_error(bytes.error());
    if (bytes.error().code != base::ErrorCode::deadline_exceeded) {
      told.message = "the connection to the provider broke before its answer was complete";
    }
    transcoder.fail(told);
    return false;
  }
  std::string_view data(bytes->data.data(), bytes->data.size());
  std::string decoded;
  if (decoder != nullptr) {
    if (!decoder->feed(data, decoded)) {
      transcoder.fail({.kind = ErrorKind::upstream_failed, .message = "the provider's answer is badly compressed"});
    }
    data = decoded;
  }
  if (reading_.details) reading_.details->feed(data);
  if (reading_.converted_media) reading_.converted_media->feed(data);
  transcoder.feed(data);
  if (bytes->done) transcoder.finish();
  return bytes->done;
}

void Call::warn_of_answer(const Transcoder& transcoder) {
  chat::Warnings& warnings = conversion_->warnings();
  if (const std::string_view dropped = transcoder.dropped(); !dropped.empty()) {
    warnings.dropped("answer", arena_.concat(dropped, " in the answer: this API has no place for it"));
  }
  if (transcoder.left_out_call()) {
    warnings.dropped("answer.tool_calls", "a call in the answer whose arguments are not whole: it cannot be executed");
  }
  if (transcoder.wrapped_call()) {
    warnings.changed("answer.tool_calls", "arguments that are no JSON object were put into one, as INVALID_JSON");
  }
  if (const std::string_view word = transcoder.unknown_finish(); !word.empty()) {
    warnings.changed(
        "answer.finish_reason",
        arena_.concat("shown as a stop, since this API has no word for the provider's reason to end: ", word));
  }
}

Task<bool> Call::relay_converted(std::unique_ptr<ClientExchange>& upstream, const ResponseHead& head) {
  if (counts_tokens(match_.operation)) {
    co_await relay_count(*upstream, head);
    co_return false;
  }
  if (head.status < 200 || head.status >= 300) co_return co_await relay_refusal(*upstream, head);
  Transcoder transcoder(sides(head));
  const chat::Framing upstream_framing = framing_of(head.headers.value(HeaderId::content_type));
  look_for_details(upstream_framing, head.headers);
  look_for_media(conversion_->provider().dialect, upstream_framing);
  Relay relay{.transcoder = transcoder, .upstream = upstream, .document = framing() == chat::Framing::json};
  // Nobody asked for a coding, but some proxies do not ask either.
  auto decoder = http::ContentDecoder::create(head.headers.value(http::HeaderId::content_encoding),
                                              chat::Collector::kAnswerBytesMax);
  if (!decoder) {
    co_await refuse({.kind = ErrorKind::upstream_failed,
                     .message = "the provider's answer is in a coding the gateway cannot read"});
    co_return false;
  }
  relay.decoder = std::move(*decoder);
  if (!relay.document && (could_retry() || watches_filter())) relay.window = hold_window();
  relay.watched = watches_filter() && (relay.document || relay.window.contents != 0);
  waiting_for_ = kIdleTimeout;
  while (!transcoder.over()) {
    Result<http::BodyBytes> bytes = http::BodyBytes{};
    if (relay.begun) {
      bytes = co_await relay.upstream->read_body(until_next_piece(timeouts_.idle, relay.last_piece));
    } else {
      bytes = co_await next_converted(relay);
    }
    const base::Instant arrived = worker_.loop().now();
    if (!bytes && exchange_.cancellation().cancelled()) break;
    relay.upstream_done = feed_converted(bytes, transcoder, relay.decoder.get());
    reading_.converted_usage = transcoder.usage();
    reading_.text_bytes = transcoder.text_bytes();
    if (transcoder.error()) {
      if (!relay.begun && ask_other_model(*transcoder.error())) co_return true;
      const bool callers = bytes && dialects::is_callers_fault(transcoder.error()->kind);
      if (!callers) bytes ? note_failure(false) : note_broken(bytes.error());
      if (!callers && !relay.begun && may_retry(*transcoder.error())) co_return true;
      if (!callers && relay.begun && co_await continue_elsewhere(relay)) continue;
      co_await tell_failure(*transcoder.error(), transcoder, head, relay.begun);
      co_return false;
    }
    const bool withheld = !relay.begun && relay.watched && transcoder.withheld();
    if (withheld && ask_other_after_filter(transcoder.usage())) co_return true;
    if (!transcoder.started() || transcoder.output().empty() || still_holds(relay)) continue;
    const bool first_or_last = !relay.begun || transcoder.over();
    if (first_or_last && !co_await begin_or_end(relay, head)) co_return false;
    // The beginnings of other calls go first.
    net::SendTurn turn(worker_.loop(), net::Order::continuation);
    if (relay.last_piece != base::Instant{} && !turn.await_ready()) co_await turn;
    const iovec buffer = net::buffer_of(transcoder.output());
    auto written = co_await exchange_.write({&buffer, 1}, transcoder.over());
    if (!written) {
      exchange_.abort();
      co_return false;
    }
    transcoder.output().clear();
    note_out(arrived);
    if (transcoder.take_content()) note_piece(!relay.document, arrived, relay.last_piece);
  }
  if (!transcoder.over()) {
    exchange_.abort();
    co_return false;
  }
  note_success();
  if (!relay.upstream_done) co_await read_rest(*relay.upstream, until(kDrainTime));
  co_return false;
}

// The next piece; an empty one when the time is over for which content is kept back.
Task<Result<http::BodyBytes>> Call::next_converted(Relay& relay) {
  net::Wait wait = until_next_piece(timeouts_.idle, relay.last_piece);
  if (!relay.begun) wait.deadline = std::min(wait.deadline, relay.window_ends);
  auto bytes = co_await relay.upstream->read_body(wait);
  if (!bytes && !relay.begun && bytes.error().code == base::ErrorCode::deadline_exceeded &&
      worker_.loop().now() >= relay.window_ends) {
    relay.window.contents = 0;
    relay.window_ends = base::kNever;
    co_return http::BodyBytes{};
  }
  co_return bytes;
}

// Whether what there is of the answer is kept back a while longer.
bool Call::still_holds(Relay& relay) const {
  if (relay.begun || relay.document || relay.transcoder.over()) return false;
  const bool silent = relay.watched && !relay.transcoder.said_anything();
  if (silent && relay.window.contents != 0) return relay.transcoder.output().size() < kHeldBytesMax;
  if (++relay.pieces >= relay.window.contents || relay.transcoder.output().size() >= kHeldBytesMax) return false;
  const base::Instant now = worker_.loop().now();
  if (relay.window.time.count() != 0 && relay.window_ends == base::kNever) relay.window_ends = now + relay.window.time;
  return now < relay.window_ends;
}

// Before the first and the last piece go out. False: the answer cannot be begun.
Task<bool> Call::begin_or_end(Relay& relay, const ResponseHead& head) {
  Transcoder& transcoder = relay.transcoder;
  if (transcoder.over()) co_await remember(transcoder.output());
  if (!relay.begun) {
    relay.begun = true;
    warn_of_answer(transcoder);
    const auto size = relay.document ? std::optional<uint64_t>(transcoder.output().size()) : std::nullopt;
    if (!start_converted(head, size)) {
      exchange_.abort();
      co_return false;
    }
  }
  if (transcoder.over()) {
    pin_answer();
    account();
  }
  co_return true;
}

// The provider's answer failed with status 200. Before the first byte it is an HTTP error like any other.
Task<void> Call::tell_failure(const ClientError& error, Transcoder& transcoder, const ResponseHead& head, bool begun) {
  transcoder.write_failure();
  // What was kept back goes out first, with the event that says that it broke.
  if (!begun && transcoder.started() && framing() != chat::Framing::json && !start_converted(head, std::nullopt)) {
    co_return exchange_.abort();
  }
  if (!exchange_.started()) {
    co_await refuse(error);
    error_ = blamed(error.kind);
    co_return;
  }
  error_ = blamed(error.kind);
  account();
  const iovec buffer = net::buffer_of(transcoder.output());
  if (transcoder.error_event_written()) {
    // The event says that it is over; the transfer itself ends in order, so that every client gets to see it.
    auto written = co_await exchange_.write({&buffer, 1}, true);
    if (written) co_return;
  }
  exchange_.abort();
}

Task<std::string> Call::read_document(ClientExchange& upstream, const ResponseHead& head) {
  Beginning beginning;
  co_await read_beginning(upstream, beginning, kErrorBodyBytesMax);
  co_return decode_document(std::move(beginning.bytes), head.headers.value(http::HeaderId::content_encoding));
}

// What the provider said no to, without its address and credential.
ClientError Call::refusal_of(const ResponseHead& head, std::string_view body) {
  const bool converted = conversion_ != nullptr && !read_along_;
  const dialects::Codec& provider =
      converted ? conversion_->provider() : codec_of(body_dialect(match_.operation, match_.dialect));
  ClientError error = provider.read_error(head.status, body, head.headers.value("x-amzn-errortype"),
                                          converted ? conversion_->read_context(id_.view()) : native_context());
  error.kind = dialects::firm_kind(head.status, error.kind);
  if (!dialects::status_says(error.status, error.kind)) error.status = 0;
  if (const auto wait = read_retry_after(head.headers, worker_.loop().wall_now())) error.retry_after = wait;
  error.message = redact(error.message, secrets(), arena_);
  return error;
}

// The provider said no: in the client's dialect, with its words.
Task<bool> Call::relay_refusal(ClientExchange& upstream, const ResponseHead& head) {
  const std::string body = co_await read_document(upstream, head);
  if (exchange_.cancellation().cancelled()) {
    give_up();
    co_return false;
  }
  const ClientError error = refusal_of(head, body);
  if (ask_other_model(error)) co_return true;
  co_await refuse_as_provider(error);
  co_return false;
}

}  // namespace llmgw::gateway
