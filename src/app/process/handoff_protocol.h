// What a running process and its successor say to each other over the control socket while the listening sockets
// change hands: text, one message a packet (SOCK_SEQPACKET), version 1. Pure; any thread.
//
//   successor     takeover 1
//   predecessor   listeners <first> <total>\n<name>\n...    with one descriptor a name; as many packets as needed
//   predecessor   pidfile                                    with the locked PID file, if there is one
//   predecessor   offered
//   successor     ready         it accepts on all of them
//   predecessor   draining      it accepts no more; said when the successor has served beside it for a moment
//
// The successor gets the very same sockets, not others on the same address: a connection that waits in the queue of a
// socket is served by whoever accepts next, and no queue is ever closed. Until "draining" the predecessor serves as if
// nothing had happened; if the successor dies first, nothing has.
// Instead of any of its messages the predecessor may refuse with a JSON object, {"ok":false,"error":"..."}.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace llmgw::process {

inline constexpr uint64_t kHandoffVersion = 1;
// 8 listening addresses on 64 workers; all packets together fit in a unix socket's default send buffer.
inline constexpr size_t kHandoffListenersMax = 512;
inline constexpr size_t kListenerNameBytesMax = 128;    // an address, or a unix socket's path of at most 107 bytes
inline constexpr size_t kDescriptorsPerPacketMax = 64;  // the kernel takes 253 (SCM_MAX_FD)

struct OfferPacket {
  std::string text;
  size_t first = 0;  // which listeners' descriptors go with it
  size_t count = 0;
};

// The packets that offer listeners of these names. too_large: a limit above; invalid_argument: a line break in a name.
base::Result<std::vector<OfferPacket>> write_offer(const std::vector<std::string>& names);

// The successor's side: fed with packets until complete.
class OfferReader {
 public:
  // `descriptors`: how many came with the packet. protocol: not what a predecessor says here. permission: it refused;
  // `packet` is its JSON answer.
  base::Result<void> add(std::string_view packet, size_t descriptors);

  bool complete() const { return complete_; }
  const std::vector<std::string>& names() const { return names_; }
  // The packet just added carried the PID file, not listeners.
  bool pid_file_just_came() const { return pid_file_just_came_; }

 private:
  base::Result<void> add_listeners(std::string_view packet, size_t descriptors);

  std::vector<std::string> names_;
  size_t total_ = 0;
  bool started_ = false;
  bool pid_file_came_ = false;
  bool pid_file_just_came_ = false;
  bool complete_ = false;
};

// The predecessor's side: at most one successor at a time, at most one hand-over in a life.
class HandoffDonor {
 public:
  using Peer = uint64_t;  // a connection's number

  // `version`: the argument of "takeover". unsupported, already_exists (a successor is being served), or closed (the
  // sockets have gone to another already).
  base::Result<void> on_takeover(Peer peer, std::string_view version);
  // protocol: this peer has no offer, or has said it before.
  base::Result<void> on_ready(Peer peer);
  // The one that is ready has the sockets to itself from now on.
  void on_handed_over() { state_ = State::handed_over; }
  // True: the successor went before it had the sockets to itself, and this process keeps serving.
  bool on_gone(Peer peer);

  bool offered_to(Peer peer) const { return (state_ == State::offered || state_ == State::ready) && peer_ == peer; }
  bool is_ready(Peer peer) const { return state_ == State::ready && peer_ == peer; }
  bool handed_over() const { return state_ == State::handed_over; }
  bool has_successor() const { return state_ != State::idle; }

 private:
  enum class State : uint8_t { idle, offered, ready, handed_over };
  State state_ = State::idle;
  Peer peer_ = 0;
};

}  // namespace llmgw::process
