#include "app/process/control_client.h"

#include "app/process/control_server.h"
#include "app/process/unix_packets.h"

namespace llmgw::process {

base::Result<std::string> control_call(const std::string& data_dir, std::string_view command, base::Duration timeout) {
  const base::Instant deadline = base::real_now() + timeout;
  TRY(socket, connect_unix(data_dir, kControlSocketName, deadline));
  TRY_VOID(send_packet(socket.get(), command));
  TRY(packet, receive_packet(socket.get(), deadline));
  return std::move(packet.text);
}

}  // namespace llmgw::process
