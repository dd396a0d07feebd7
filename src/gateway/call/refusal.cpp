// What a provider says no with, by its status or with a 200, passed on in its own words: without the operator's
// credential and the provider's address.
#include "gateway/call/answer_document.h"
#include "gateway/call/call.h"
#include "gateway/call/redact.h"
#include "gateway/call/stream_ending.h"
#include "gateway/failover/first_error.h"
#include "gateway/failover/hold_back.h"
#include "http/content_coding.h"

namespace llmgw::gateway {

using http::ClientExchange;
using http::ResponseHead;
using net::Task;

namespace {

// Headers in which something secret stands are left out: a Location without its host would lead elsewhere.
http::Headers without(const http::Headers& headers, const Secrets& secrets, bool decoded) {
  http::Headers kept;
  for (const http::Header& header : headers) {
    if (decoded && header.id == http::HeaderId::content_encoding) continue;
    if (!shows_any(header.value, secrets)) kept.append(header);
  }
  return kept;
}

}  // namespace

Task<void> Call::read_beginning(ClientExchange& upstream, Beginning& beginning, size_t enough) {
  while (!beginning.done && beginning.bytes.size() < enough) {
    auto bytes = co_await upstream.read_body(until(timeouts_.idle));
    if (!bytes) beginning.error = bytes.error();
    if (!bytes) break;
    beginning.bytes.append(bytes->data.data(), bytes->data.size());
    beginning.done = bytes->done;
  }
}

// Empty if it cannot be read.
std::string Call::decode_document(std::string coded, std::string_view coding) {
  auto decoder = http::ContentDecoder::create(coding, kErrorBodyBytesMax);
  if (decoder && *decoder == nullptr) return coded;
  std::string body;
  if (!decoder || !(*decoder)->feed(coded, body)) body.clear();
  return body;
}

Task<void> Call::relay_words(ClientExchange& upstream, const ResponseHead& head, Beginning* held) {
  waiting_for_ = kIdleTimeout;
  Beginning beginning = held != nullptr ? std::move(*held) : Beginning{};
  co_await read_beginning(upstream, beginning, kErrorBodyBytesMax);
  if (exchange_.cancellation().cancelled()) co_return give_up();
  // The last piece may bring the end and too much.
  if (!beginning.done || beginning.bytes.size() > kErrorBodyBytesMax) {
    beginning.error ? note_broken(*beginning.error) : note_failure(false);
    co_return co_await refuse({.kind = chat::ErrorKind::upstream_failed,
                               .message = "the provider refused, and what it said is cut or too long to be passed on"});
  }
  co_await relay_cleaned(upstream, head, std::move(beginning));
}

Secrets Call::secrets() {
  return secrets_of(attempt_->connection->upstream, token_, arena_);
}

// The whole of what it says is at hand.
Task<void> Call::relay_cleaned(ClientExchange& upstream, const ResponseHead& head, Beginning beginning) {
  const Secrets hidden = secrets();
  const std::string_view coding = head.headers.value(http::HeaderId::content_encoding);
  const std::string words = decode_document(beginning.bytes, coding);
  const Redaction redaction = head.status < 300 ? redaction_of(words, worker_.parser(), arena_) : Redaction::everything;
  const std::string_view clean = redact(words, hidden, arena_, redaction);
  const bool changed = clean.data() != words.data();
  ResponseHead told = head;
  told.headers = without(head.headers, hidden, changed && !coding.empty());
  if (changed) {
    beginning.bytes = clean;
    told.framing = http::Framing::content_length;
    told.content_length = beginning.bytes.size();
  }
  if (head.status < 300 && is_own_answer(match_.operation)) {
    // Accounted for before it goes out: an error is not charged.
    auto failure = error_in_document(match_.dialect, words, worker_.parser());
    const AskedFor asked{.operation = match_.operation, .dialect = match_.dialect, .stream = streams()};
    const DocumentType type = document_type(head.headers.value(http::HeaderId::content_type));
    if (!failure && streams() && !may_be_answer(words, type, asked, worker_.parser())) {
      failure = chat::ErrorKind::upstream_failed;
    }
    if (failure) account_ending({.failure = failure, .told = true});
    // Who reads a stream finds no event in it, and takes it for one that has ended: it becomes the error that it is. An
    // array's reader sees its error.
    const bool array = framing() == chat::Framing::json_array && words.starts_with('[');
    if (failure && streams() && !array) {
      chat::ClientError error{.kind = *failure, .message = "the provider's answer is an error, and no stream"};
      const dialects::Codec& codec = codec_of(body_dialect(match_.operation, match_.dialect));
      const bool says_why = words.starts_with('{') || words.starts_with('[');
      if (says_why) error = first_error(codec, chat::Framing::json, words, native_context()).value_or(error);
      error.message = redact(error.message, hidden, arena_);
      co_await refuse(error);
      error_ = blamed(error.kind);
      co_return note_ending();
    }
  }
  if (auto started = start_answer(told); !started) co_return co_await refuse(upstream_error(started.error()));
  const http::BodyBytes first{.data = beginning.bytes, .done = true};
  co_await relay_body(upstream, told, &first);
}

// Sound, pictures and archives have no words, and may be long in coming.
bool Call::is_words(const ResponseHead& head) {
  const std::string_view type = head.headers.value(http::HeaderId::content_type);
  return head.framing != http::Framing::none && head.headers.value(http::HeaderId::content_encoding).empty() &&
         (type.empty() || type.starts_with("text/") || type.find("json") != std::string_view::npos);
}

// Usually its first bytes are all of it, and show that it is none.
Task<void> Call::relay_document(ClientExchange& upstream, const ResponseHead& head, Beginning* held) {
  http::BodyBytes first;
  if (held != nullptr) {
    first = {.data = held->bytes, .done = held->done};
  } else {
    waiting_for_ = kIdleTimeout;
    auto bytes = co_await upstream.read_body(until(timeouts_.idle));
    if (!bytes) co_return co_await break_off(bytes.error(), chat::Framing::json, false);
    first = *bytes;
  }
  Beginning beginning;
  const bool json = first.data.empty() || first.data.front() == '{' || first.data.front() == '[';
  size_t enough = json && framing() != chat::Framing::json_array ? kErrorSignBytes : 0;
  bool doubtful = false;
  // Once to see what it is, and once more for the rest of an error.
  while (!doubtful) {
    if (!first.done && enough > first.data.size()) {
      if (beginning.bytes.empty()) beginning = {.bytes = {first.data.begin(), first.data.end()}, .done = first.done};
      co_await read_beginning(upstream, beginning, enough);
      first = {.data = beginning.bytes, .done = beginning.done};
    }
    doubtful = enough == kErrorBodyBytesMax;
    if (!doubtful && !may_be_error({first.data.data(), first.data.size()}, streams())) break;
    enough = kErrorBodyBytesMax;
  }
  // Nothing has gone out of a cut one: the client can be told.
  const bool may_be_cut = first.done && only_close_ends(head) && framing() != chat::Framing::sse;
  const bool is_cut = may_be_cut && is_plain_json(head) && !is_whole_document({first.data.data(), first.data.size()});
  const bool is_no_stream = first.done && first.data.empty() && framing() != chat::Framing::json;
  if (is_own_answer(match_.operation) && (is_cut || is_no_stream)) {
    co_return co_await break_off({base::ErrorCode::closed, kNoEnd}, chat::Framing::json, false);
  }
  if (doubtful && first.done) {
    if (beginning.bytes.empty()) beginning = {.bytes = {first.data.begin(), first.data.end()}, .done = true};
    co_return co_await relay_cleaned(upstream, head, std::move(beginning));
  }
  if (exchange_.cancellation().cancelled()) co_return give_up();
  if (beginning.error) co_return co_await break_off(*beginning.error, chat::Framing::json, false);
  if (auto started = start_answer(head); !started) co_return co_await refuse(upstream_error(started.error()));
  co_await relay_body(upstream, head, &first);
}

std::string_view Call::clean_events(ErrorFilter& errors, std::string_view bytes, bool whole) {
  reading_.text->forget_error();
  return errors.feed(bytes, whole, secrets(), worker_.parser(), arena_);
}

bool Call::clean_messages(MessageFilter& messages, std::string_view& bytes, std::optional<size_t> before_next,
                          bool whole) {
  const auto clean = messages.feed(bytes, before_next, whole, secrets(), arena_);
  bytes = clean.value_or("");
  return clean.has_value();
}

chat::ErrorKind Call::blamed(chat::ErrorKind said) {
  const bool ours = said == chat::ErrorKind::authentication || said == chat::ErrorKind::permission;
  return ours ? chat::ErrorKind::upstream_failed : said;
}

Task<void> Call::refuse_as_provider(const chat::ClientError& error) {
  co_await refuse(error);
  error_.reset();
}

}  // namespace llmgw::gateway
