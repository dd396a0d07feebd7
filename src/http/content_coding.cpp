#include "http/content_coding.h"

#include <zlib.h>

#include <array>
#include <utility>

#include "base/text.h"

namespace llmgw::http {

using base::ErrorCode;
using base::fail;

struct ContentDecoder::State {
  z_stream stream{};
  size_t left = 0;
  bool deflate = false;
  bool begun = false;
  bool finished = false;
};

namespace {

constexpr int kAutomatic = 15 + 32;  // zlib's largest window; gzip or zlib header
constexpr int kRaw = -15;            // no header: what some servers send for deflate
constexpr char kGzipBegins = '\x1f';

}  // namespace

base::Result<std::unique_ptr<ContentDecoder>> ContentDecoder::create(std::string_view content_encoding,
                                                                     size_t bytes_max) {
  if (content_encoding.empty() || base::equals_ignoring_case(content_encoding, "identity")) {
    return std::unique_ptr<ContentDecoder>();
  }
  auto state = std::make_unique<State>();
  state->deflate = base::equals_ignoring_case(content_encoding, "deflate");
  const bool gzip =
      base::equals_ignoring_case(content_encoding, "gzip") || base::equals_ignoring_case(content_encoding, "x-gzip");
  if (!gzip && !state->deflate) return fail(ErrorCode::unsupported, "a content coding that nobody asked for");
  state->left = bytes_max;
  if (inflateInit2(&state->stream, kAutomatic) != Z_OK) return fail(ErrorCode::exhausted, "no memory to decompress");
  return std::unique_ptr<ContentDecoder>(new ContentDecoder(std::move(state)));
}

ContentDecoder::ContentDecoder(std::unique_ptr<State> state) : state_(std::move(state)) {}

ContentDecoder::~ContentDecoder() {
  inflateEnd(&state_->stream);
}

bool ContentDecoder::finished() const {
  return state_->finished;
}

base::Result<void> ContentDecoder::feed(std::string_view bytes, std::string& out) {
  z_stream& stream = state_->stream;
  if (bytes.empty() || (state_->finished && !next_member(bytes.front()))) return {};
  if (!state_->begun) {
    state_->begun = true;
    // A zlib header's low nibble is 8 (deflate); without one the data begins at once.
    const auto first = static_cast<unsigned char>(bytes.front());
    if (state_->deflate && (first & 0x0F) != Z_DEFLATED && inflateReset2(&stream, kRaw) != Z_OK) {
      return fail(ErrorCode::protocol, "the body is not compressed as its header says");
    }
  }
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::array<char, 16384> piece;
  while (true) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = piece.size();
    const int result = inflate(&stream, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      return fail(ErrorCode::protocol, "the body is not compressed as its header says");
    }
    const size_t got = piece.size() - stream.avail_out;
    if (got > state_->left) return fail(ErrorCode::too_large, "the decompressed body is too large");
    state_->left -= got;
    out.append(piece.data(), got);
    if (result == Z_STREAM_END) {
      state_->finished = true;
      if (stream.avail_in == 0 || !next_member(static_cast<char>(*stream.next_in))) return {};
    } else if (got < piece.size()) {
      return {};
    }
  }
}

// gzip may come in several members, one after the other (RFC 1952, section 2.2). Anything else behind an end is for
// nobody.
bool ContentDecoder::next_member(char first) {
  if (state_->deflate || first != kGzipBegins || inflateReset(&state_->stream) != Z_OK) return false;
  state_->finished = false;
  return true;
}

}  // namespace llmgw::http
