#include "admin/refusals/refusals.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace llmgw::admin {

Refusals::Place& Refusals::at(std::string_view place) {
  const auto found = places_.find(place);
  if (found != places_.end()) return found->second;
  // Beside them there is always room for the one of all others.
  return places_[places_.size() < kPlacesMax ? std::string(place) : kOtherPlaces];
}

bool Refusals::fits(Place& place, int64_t second, uint32_t most) {
  if (place.second != second) place = {.second = second, .written = 0, .unwritten = place.unwritten};
  return place.written < most;
}

bool Refusals::note(std::string_view place, int64_t second) {
  Place& from = at(place);
  const bool own = fits(from, second, kPerSecond);
  if (!fits(all_, second, kAllPerSecond) || !own) {
    ++from.unwritten;
    return false;
  }
  ++from.written;
  ++all_.written;
  return true;
}

std::vector<Refusals::Sum> Refusals::take_sums(int64_t second) {
  std::vector<Sum> sums;
  // Each in its turn, so that a flood from many places keeps none of them waiting for good.
  auto next = places_.upper_bound(last_);
  for (size_t looked = places_.size(); looked > 0 && sums.size() < kSumsAtOnce; --looked) {
    if (next == places_.end()) next = places_.begin();
    if (next->second.unwritten > 0) {
      sums.push_back({.place = next->first, .count = std::exchange(next->second.unwritten, 0)});
      last_ = next->first;
    }
    ++next;
  }
  std::erase_if(places_, [&](const auto& each) { return each.second.unwritten == 0 && each.second.second < second; });
  return sums;
}

std::vector<Refusals::Sum> Refusals::take_all() {
  std::vector<Sum> sums;
  for (const auto& [name, place] : std::exchange(places_, {})) {
    if (place.unwritten > 0) sums.push_back({.place = name, .count = place.unwritten});
  }
  return sums;
}

std::string place_of(const net::Address& peer) {
  if (peer.is_unix()) return peer.to_string();
  if (peer.family() != AF_INET6) return peer.ip();
  sockaddr_in6 address{};
  std::memcpy(&address, peer.data(), std::min<size_t>(peer.size(), sizeof address));
  if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr)) return peer.ip();
  constexpr size_t kPrefixBytes = 8;
  std::fill(std::begin(address.sin6_addr.s6_addr) + kPrefixBytes, std::end(address.sin6_addr.s6_addr), 0);
  std::array<char, INET6_ADDRSTRLEN> text{};
  return std::string(inet_ntop(AF_INET6, &address.sin6_addr, text.data(), text.size())) + "/64";
}

}  // namespace llmgw::admin
