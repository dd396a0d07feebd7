// The id a request carries through logs, answers and upstream (X-Request-ID). A fixed array: no allocation. A value.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/rng.h"
#include "base/time.h"

namespace llmgw::telemetry {

class RequestId {
 public:
  static constexpr size_t kBytesMax =
      128;  // of an id accepted from a client: ids in use (UUID, ULID, trace ids) are far shorter
  static constexpr size_t kMintedBytes = 26;  // a ULID: 48 bits of Unix milliseconds, 80 random, in Crockford's base 32

  RequestId() = default;
  // The client's id if it is 1 to 128 characters of [A-Za-z0-9._:/+=@-] (safe in headers, logs and URLs), else a new
  // one.
  static RequestId accept_or_mint(std::string_view from_client, base::Rng& rng, base::WallTime now);
  // Sorts by time to the millisecond.
  static RequestId mint(base::Rng& rng, base::WallTime now);
  static bool is_acceptable(std::string_view id);

  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  uint8_t size_ = 0;
  std::array<char, kBytesMax> bytes_;
};

}  // namespace llmgw::telemetry
