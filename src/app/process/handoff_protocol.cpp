#include "app/process/handoff_protocol.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"

namespace llmgw::process {
namespace {

constexpr std::string_view kListeners = "listeners ";

std::unexpected<base::Error> unexpected_packet() {
  return base::fail(base::ErrorCode::protocol, "the running process sent something else than an offer");
}

// The text before `separator`, which is removed from `text` with it. Empty: no separator.
std::optional<std::string_view> take_until(std::string_view& text, char separator) {
  const size_t position = text.find(separator);
  if (position == text.npos) return std::nullopt;
  const std::string_view taken = text.substr(0, position);
  text.remove_prefix(position + 1);
  return taken;
}

}  // namespace

base::Result<std::vector<OfferPacket>> write_offer(const std::vector<std::string>& names) {
  if (names.size() > kHandoffListenersMax) return base::fail(base::ErrorCode::too_large, "listeners to hand over");
  std::vector<OfferPacket> packets;
  for (size_t first = 0; first < names.size(); first += kDescriptorsPerPacketMax) {
    OfferPacket packet{"", first, std::min(kDescriptorsPerPacketMax, names.size() - first)};
    packet.text = std::string(kListeners) + std::to_string(first) + " " + std::to_string(names.size()) + "\n";
    for (size_t index = first; index < first + packet.count; ++index) {
      const std::string& name = names[index];
      if (name.size() > kListenerNameBytesMax) return base::fail(base::ErrorCode::too_large, "a listener's name");
      if (name.find('\n') != name.npos) return base::fail(base::ErrorCode::invalid_argument, "a listener's name");
      packet.text += name;
      packet.text += '\n';
    }
    packets.push_back(std::move(packet));
  }
  return packets;
}

base::Result<void> OfferReader::add(std::string_view packet, size_t descriptors) {
  pid_file_just_came_ = false;
  if (complete_) return unexpected_packet();
  if (packet.starts_with('{')) return base::fail(base::ErrorCode::permission, "the running process refused");
  if (packet.starts_with(kListeners)) return add_listeners(packet.substr(kListeners.size()), descriptors);
  if (packet == "pidfile" && descriptors == 1 && !pid_file_came_) {
    pid_file_came_ = pid_file_just_came_ = true;
    return {};
  }
  if (packet == "offered" && descriptors == 0 && names_.size() == total_) {
    complete_ = true;
    return {};
  }
  return unexpected_packet();
}

base::Result<void> OfferReader::add_listeners(std::string_view packet, size_t descriptors) {
  const auto first_text = take_until(packet, ' ');
  const auto total_text = take_until(packet, '\n');
  if (!first_text || !total_text) return unexpected_packet();
  const auto first = base::parse_decimal(*first_text);
  const auto total = base::parse_decimal(*total_text);
  if (!first || !total || *first != names_.size() || *total > kHandoffListenersMax) return unexpected_packet();
  if (started_ && *total != total_) return unexpected_packet();
  started_ = true;
  total_ = *total;
  const size_t before = names_.size();
  while (!packet.empty()) {
    const auto name = take_until(packet, '\n');
    if (!name || name->size() > kListenerNameBytesMax || names_.size() == total_) return unexpected_packet();
    names_.emplace_back(*name);
  }
  if (names_.size() - before != descriptors || descriptors == 0) {
    return base::fail(base::ErrorCode::exhausted, "descriptors were lost on the way; is the limit of open files low?");
  }
  return {};
}

base::Result<void> HandoffDonor::on_takeover(Peer peer, std::string_view version) {
  if (base::parse_decimal(version) != kHandoffVersion) {
    return base::fail(base::ErrorCode::unsupported, "this process hands over in version 1 only");
  }
  if (state_ == State::handed_over) {
    return base::fail(base::ErrorCode::closed, "the listening sockets have been handed over already");
  }
  if (state_ != State::idle) {
    return base::fail(base::ErrorCode::already_exists, "another process is taking over");
  }
  state_ = State::offered;
  peer_ = peer;
  return {};
}

base::Result<void> HandoffDonor::on_ready(Peer peer) {
  if (!offered_to(peer)) return base::fail(base::ErrorCode::protocol, "ready, but nothing was offered");
  if (is_ready(peer)) return base::fail(base::ErrorCode::protocol, "ready has been said before");
  state_ = State::ready;
  return {};
}

bool HandoffDonor::on_gone(Peer peer) {
  if (!offered_to(peer)) return false;
  state_ = State::idle;
  return true;
}

}  // namespace llmgw::process
