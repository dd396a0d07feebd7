// What a provider says no with, passed on in its own words: without the operator's credential and the provider's
// address.
#include "gateway/call/call.h"
#include "gateway/call/redact.h"
#include "http/content_coding.h"

namespace llmgw::gateway {

using http::ClientExchange;
using http::ResponseHead;
using net::Task;

namespace {

// Error bodies of providers stay below 64 KiB; HTML pages of their proxies too.
constexpr size_t kErrorBodyBytesMax = 256 << 10;

bool shows_any(std::string_view text, const chat::List<std::string_view>& secrets) {
  for (const std::string_view secret : secrets) {
    if (text.find(secret) != std::string_view::npos) return true;
  }
  return false;
}

// Headers in which something secret stands are left out: a Location without its host would lead elsewhere.
http::Headers without(const http::Headers& headers, const chat::List<std::string_view>& secrets, bool decoded) {
  http::Headers kept;
  for (const http::Header& header : headers) {
    if (decoded && header.id == http::HeaderId::content_encoding) continue;
    if (!shows_any(header.value, secrets)) kept.append(header);
  }
  return kept;
}

}  // namespace

Task<void> Call::read_beginning(ClientExchange& upstream, Beginning& beginning) {
  while (!beginning.done && beginning.bytes.size() < kErrorBodyBytesMax) {
    auto bytes = co_await upstream.read_body(until(timeouts_.idle));
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
  co_await read_beginning(upstream, beginning);
  if (exchange_.cancellation().cancelled()) co_return exchange_.abort();
  if (!beginning.done) {
    note_failure(false);
    co_return co_await refuse({.kind = chat::ErrorKind::upstream_failed,
                               .message = "the provider refused, and what it said is cut or too long to be passed on"});
  }
  const auto secrets = secrets_of(attempt_->connection->upstream, arena_);
  const std::string_view coding = head.headers.value(http::HeaderId::content_encoding);
  std::string words = decode_document(beginning.bytes, coding);
  const bool clean = !shows_any(words, secrets);
  ResponseHead told = head;
  told.headers = without(head.headers, secrets, !clean && !coding.empty());
  if (!clean) {
    beginning.bytes = redact(words, secrets, arena_);
    told.framing = http::Framing::content_length;
    told.content_length = beginning.bytes.size();
  }
  if (auto started = start_answer(told); !started) co_return co_await refuse(upstream_error(started.error()));
  co_await relay_body(upstream, told, &beginning);
}

}  // namespace llmgw::gateway
