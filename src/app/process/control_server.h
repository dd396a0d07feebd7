// The control socket of a running gateway, <data_dir>/control.sock: `llm-gateway status|stop|reload|upgrade` ask here,
// and a successor takes the listening sockets over here (handoff_protocol.h). A command is one packet of text, its
// answer one packet of JSON. Only the same user and root are heard (SO_PEERCRED).
// One thread, that of the loop which watches fd(); callbacks run inside on_ready(). Nothing here waits.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/process/handoff_protocol.h"
#include "app/process/unix_packets.h"

namespace llmgw::process {

inline constexpr const char* kControlSocketName = "control.sock";
// More than one operator and one successor is a script gone wrong; when full, the longest-silent client is dropped.
inline constexpr size_t kControlClientsMax = 16;
inline constexpr size_t kControlRequestBytesMax = 1024;

enum class ControlCommand : uint8_t { status, stop, reload, refresh, upgrade, explain, health };

struct ControlRequest {
  uint64_t client;  // for reply()
  ControlCommand command;
  std::string_view argument;  // what follows the command's name and a space; valid during the callback
  pid_t peer;
};

struct OfferedListener {
  std::string name;
  int socket;  // stays the caller's
};

struct HandoffOffer {
  std::vector<OfferedListener> listeners;
  int pid_file = -1;  // PidFile::fd(), or -1
};

struct ControlCallbacks {
  // Answer with reply(request.client, json), now or later.
  std::move_only_function<void(const ControlRequest&)> on_command;
  // A successor asks for the sockets: all of every worker. An error refuses it; its context goes into the answer.
  std::move_only_function<base::Result<HandoffOffer>(pid_t successor)> on_takeover;
  // The successor accepts, too. It waits to be told that it has the sockets to itself: call hand_over(), now or later.
  // Until then everything is as it was, and remains so if it dies.
  std::move_only_function<void(pid_t successor)> on_successor_ready;
  // From hand_over(): stop accepting, take each listener out of its epoll set *before* closing it (the set
  // follows the socket, which lives on in the successor), release() the PID file, keep unix socket paths, drain, exit.
  std::move_only_function<void(pid_t successor)> on_handed_over;
  // The successor died before it had the sockets to itself; everything is as it was.
  std::move_only_function<void(pid_t successor)> on_takeover_abandoned;
};

class ControlServer {
 public:
  // All callbacks must be set. Nobody finds it before publish().
  static base::Result<std::unique_ptr<ControlServer>> listen(const std::string& data_dir, ControlCallbacks callbacks);
  // Call while holding the PID file: it replaces the socket of whoever was there. May be tried again.
  base::Result<void> publish() { return listener_.publish(); }
  bool published() const { return listener_.published(); }
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;
  // Takes its socket's name away, but where a successor may be about to replace that.
  ~ControlServer();

  // Readable when on_ready() has something to do; it is an epoll descriptor. Level- or edge-triggered, as one likes.
  int fd() const { return events_.get(); }
  void on_ready();

  // Sends the answer and ends the connection. False: the client has gone. Callable from inside a callback.
  bool reply(uint64_t client, std::string_view json);

  // That successor, which is ready, has the sockets to itself: on_handed_over(), and it is told. False: it has gone.
  // Callable from inside on_successor_ready().
  bool hand_over(pid_t successor);

  // Refuses the successor that has an offer and was not handed over to, if there is one. `reason`: without characters
  // that JSON escapes. False: there is none.
  bool take_offer_back(const char* reason);

  size_t clients() const { return clients_.size(); }

 private:
  struct Client {
    uint64_t id;
    FileDescriptor socket;
    pid_t peer;
    bool awaits_reply;
  };

  ControlServer(UnixListener listener, FileDescriptor events, ControlCallbacks callbacks);
  void accept_clients();
  void make_room();
  void on_client(uint64_t id);
  void on_request(uint64_t id, std::string_view packet);
  void on_takeover(uint64_t id, std::string_view version);
  bool send_offer(uint64_t id, const HandoffOffer& offer);
  void on_successor_ready(uint64_t id);
  void refuse(uint64_t id, const char* reason);
  void drop(uint64_t id);
  Client* find(uint64_t id);

  UnixListener listener_;
  FileDescriptor events_;
  ControlCallbacks callbacks_;
  std::vector<Client> clients_;  // oldest first
  HandoffDonor donor_;
  uint64_t next_id_ = 1;
};

}  // namespace llmgw::process
