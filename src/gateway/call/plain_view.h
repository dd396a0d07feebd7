// What the bytes of an answer say, for those that read along while it passes: some providers' fronts compress although
// nobody asked them to. The client gets the bytes as they came. One answer, one thread; without a coding nothing is
// copied.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "http/content_coding.h"

namespace llmgw::gateway {

class PlainView {
 public:
  // Decoded bytes in all; behind them, and in codings that are not known (br, zstd), nothing more can be read.
  static constexpr size_t kBytesMax = size_t{64} << 20;

  // The answer's header of that name.
  explicit PlainView(std::string_view content_encoding) {
    auto decoder = http::ContentDecoder::create(content_encoding, kBytesMax);
    readable_ = decoder.has_value();
    if (readable_) decoder_ = std::move(*decoder);
    coded_ = !readable_ || decoder_ != nullptr;
  }

  // The bytes that pass are not the answer's own.
  bool coded() const { return coded_; }
  // What has passed so far could be read, all of it.
  bool readable() const { return readable_; }

  // The answer's own bytes, empty where they cannot be read; until the next call.
  std::string_view read(std::string_view bytes) {
    if (!coded_) return bytes;
    plain_.clear();
    if (readable_ && !decoder_->feed(bytes, plain_)) readable_ = false;
    return plain_;
  }

 private:
  std::unique_ptr<http::ContentDecoder> decoder_;  // null: no coding, or none that is known
  bool coded_ = false;
  bool readable_ = false;
  std::string plain_;
};

}  // namespace llmgw::gateway
