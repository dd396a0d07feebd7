// links: http
// The chunked decoder gives the same data, trailers, end and error however the bytes are cut, and what it reads,
// encoded again, reads the same. The first byte of the input is the length of the pieces.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "http/chunked.h"
#include "http/h1_writer.h"

namespace llmgw::http {
namespace {

struct Decoded {
  std::string data;
  std::string chunks;  // the data encoded again, a chunk for each piece
  std::string trailers;
  std::optional<base::ErrorCode> error;
  bool done = false;
  size_t consumed = 0;
  bool operator==(const Decoded& other) const {
    // What an error leaves consumed is of no use to anybody.
    return data == other.data && trailers == other.trailers && error == other.error && done == other.done &&
           (error || consumed == other.consumed);
  }
};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

// Small limits, or no input would reach them.
constexpr ChunkedLimits kLimits{.extension_bytes_max = 64, .trailer_bytes_max = 128, .trailers_max = 4};

Decoded decode(std::string_view bytes, size_t step, const ChunkedLimits& limits) {
  ChunkedDecoder decoder(limits);
  Decoded out;
  while (out.consumed < bytes.size() && !out.done) {
    const std::string part(bytes.substr(out.consumed, step));
    const auto piece = decoder.feed(part);
    if (!piece) {
      out.error = piece.error().code;
      require(!decoder.feed(part).has_value(), "the error stays");
      return out;
    }
    require(piece->consumed > 0 && piece->consumed <= part.size(), "a feed takes something, and not too much");
    require(piece->data.empty() || (piece->data.data() >= part.data() &&
                                    piece->data.data() + piece->data.size() <= part.data() + piece->consumed),
            "the data lies in what was consumed");
    if (!piece->data.empty()) {
      out.chunks.append(ChunkHeader(piece->data.size()).view()).append(piece->data).append(kChunkEnd);
    }
    out.data += piece->data;
    out.consumed += piece->consumed;
    out.done = piece->done;
  }
  Headers trailers;
  decoder.trailers(trailers);
  require(append_trailers(out.trailers, trailers), "trailers that were read can be written");
  return out;
}

void check(std::string_view bytes, size_t step) {
  const Decoded whole = decode(bytes, bytes.size(), kLimits);
  Decoded split = decode(bytes, step, kLimits);
  require(split.data == whole.data, "splits agree on the data");
  require(split == whole, "splits agree on the end, the error and the trailers");
  if (!whole.done) return;
  const std::string again = split.chunks + std::string(kLastChunkBeforeTrailers) + whole.trailers;
  const Decoded reread = decode(again + "GET", step, {});
  require(reread.done && reread.data == whole.data && reread.trailers == whole.trailers,
          "encoded again, it is the same");
  require(reread.consumed == again.size(), "encoded again, it ends where it ends");
}

}  // namespace
}  // namespace llmgw::http

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  llmgw::http::check(bytes, std::max<size_t>(1, data[0] % 32));
  return 0;
}
