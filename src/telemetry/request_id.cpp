#include "telemetry/request_id.h"

#include <algorithm>
#include <cstring>

namespace llmgw::telemetry {
namespace {

constexpr std::string_view kBase32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";  // Crockford: no I, L, O, U

constexpr std::array<bool, 256> acceptable_bytes() {
  std::array<bool, 256> table{};
  constexpr std::string_view kAcceptable = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/+=@-";
  for (const char c : kAcceptable) table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kAcceptableBytes = acceptable_bytes();

void put_base32(char* out, uint64_t value, int count) {
  for (int i = count - 1; i >= 0; --i, value >>= 5) out[i] = kBase32[value & 31];
}

}  // namespace

bool RequestId::is_acceptable(std::string_view id) {
  return !id.empty() && id.size() <= kBytesMax &&
         std::ranges::all_of(id, [](char c) { return kAcceptableBytes[static_cast<unsigned char>(c)]; });
}

RequestId RequestId::mint(base::Rng& rng, base::WallTime now) {
  const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(now).time_since_epoch().count();
  RequestId id;
  put_base32(id.bytes_.data(), static_cast<uint64_t>(milliseconds) & 0xFFFFFFFFFFFF, 10);
  put_base32(id.bytes_.data() + 10, rng.next(), 8);
  put_base32(id.bytes_.data() + 18, rng.next(), 8);
  id.size_ = kMintedBytes;
  return id;
}

RequestId RequestId::accept_or_mint(std::string_view from_client, base::Rng& rng, base::WallTime now) {
  if (!is_acceptable(from_client)) return mint(rng, now);
  RequestId id;
  std::memcpy(id.bytes_.data(), from_client.data(), from_client.size());
  id.size_ = static_cast<uint8_t>(from_client.size());
  return id;
}

}  // namespace llmgw::telemetry
