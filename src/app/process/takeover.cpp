#include "app/process/takeover.h"

#include "app/process/control_server.h"
#include "app/process/handoff_protocol.h"
#include "app/process/unix_packets.h"

namespace llmgw::process {

base::Result<Takeover> Takeover::request(const std::string& data_dir, base::Duration timeout, std::string* reason) {
  const base::Instant deadline = base::real_now() + timeout;
  Takeover takeover;
  TRY(connection, connect_unix(data_dir, kControlSocketName, deadline));
  takeover.connection_ = std::move(connection);
  TRY_VOID(send_packet(takeover.connection_.get(), "takeover " + std::to_string(kHandoffVersion)));
  OfferReader offer;
  while (!offer.complete()) {
    TRY(packet, receive_packet(takeover.connection_.get(), deadline));
    if (auto added = offer.add(packet.text, packet.descriptors.size()); !added) {
      if (added.error().code == base::ErrorCode::permission && reason != nullptr) *reason = packet.text;
      return base::fail(added.error());
    }
    if (offer.pid_file_just_came()) {
      takeover.pid_file_ = std::move(packet.descriptors.front());
      continue;
    }
    for (FileDescriptor& socket : packet.descriptors) {
      if (!is_listening(socket.get()))
        return base::fail(base::ErrorCode::protocol, "an offered socket does not listen");
      takeover.listeners_.push_back({offer.names()[takeover.listeners_.size()], std::move(socket)});
    }
  }
  return takeover;
}

base::Result<void> Takeover::announce_ready(base::Duration timeout, std::string* reason, Waiting wait) {
  const base::Instant deadline = base::real_now() + timeout;
  const auto gone = [](const base::Error& error) {
    return error.code == base::ErrorCode::closed || error.code == base::ErrorCode::reset;
  };
  // One that is gone cannot be told, but it may have refused before.
  if (auto sent = send_packet(connection_.get(), "ready"); !sent && !gone(sent.error())) return sent;
  if (wait) {
    TRY_VOID(wait(connection_.get(), deadline));
  }
  auto answer = receive_packet(connection_.get(), deadline);
  // That it has ended without reading all is told before what it said last.
  if (!answer && answer.error().code == base::ErrorCode::reset) answer = receive_packet(connection_.get(), deadline);
  connection_.close();
  if (!answer) return gone(answer.error()) ? base::Result<void>{} : base::fail(answer.error());
  if (answer->text.starts_with('{')) {
    if (reason != nullptr) *reason = std::move(answer->text);
    return base::fail(base::ErrorCode::permission, "the running process refused");
  }
  if (answer->text != "draining")
    return base::fail(base::ErrorCode::protocol, "the predecessor did not stop accepting");
  return {};
}

}  // namespace llmgw::process
