#include "app/process/control_server.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

namespace llmgw::process {
namespace {

constexpr uint64_t kListenerKey = 0;  // clients are numbered from 1

struct CommandName {
  std::string_view name;
  ControlCommand command;
};
constexpr std::array kCommands{
    CommandName{"status", ControlCommand::status},   CommandName{"stop", ControlCommand::stop},
    CommandName{"reload", ControlCommand::reload},   CommandName{"refresh", ControlCommand::refresh},
    CommandName{"upgrade", ControlCommand::upgrade}, CommandName{"explain", ControlCommand::explain},
    CommandName{"health", ControlCommand::health},
};

std::optional<ControlCommand> find_command(std::string_view name) {
  for (const CommandName& known : kCommands) {
    if (known.name == name) return known.command;
  }
  return std::nullopt;
}

std::optional<ucred> peer_of(int socket) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return std::nullopt;
  return peer;
}

bool watch(int events, int socket, uint64_t key) {
  epoll_event interest{};
  interest.events = EPOLLIN;
  interest.data.u64 = key;
  return epoll_ctl(events, EPOLL_CTL_ADD, socket, &interest) == 0;
}

// Also while packets of the peer wait to be read.
bool has_hung_up(int socket) {
  pollfd looked_at{socket, POLLRDHUP, 0};
  return poll(&looked_at, 1, 0) > 0;
}

}  // namespace

ControlServer::ControlServer(UnixListener listener, FileDescriptor events, ControlCallbacks callbacks)
    : listener_(std::move(listener)), events_(std::move(events)), callbacks_(std::move(callbacks)) {}

// To look whose the name is and to remove it are two steps, and a successor is told to go on by the end of this
// process.
ControlServer::~ControlServer() {
  if (donor_.has_successor()) listener_.release();
}

base::Result<std::unique_ptr<ControlServer>> ControlServer::listen(const std::string& data_dir,
                                                                   ControlCallbacks callbacks) {
  TRY(listener, UnixListener::listen(data_dir, kControlSocketName));
  FileDescriptor events(epoll_create1(EPOLL_CLOEXEC));
  if (!events.valid() || !watch(events.get(), listener.fd(), kListenerKey)) {
    return base::fail(base::os_error(errno, "watch the control socket"));
  }
  return std::unique_ptr<ControlServer>(
      new ControlServer(std::move(listener), std::move(events), std::move(callbacks)));
}

void ControlServer::on_ready() {
  std::array<epoll_event, kControlClientsMax + 1> ready{};
  // Until nothing is left, so that an edge-triggered watcher of fd() misses nothing.
  while (true) {
    const int count = epoll_wait(events_.get(), ready.data(), static_cast<int>(ready.size()), 0);
    if (count <= 0) return;
    for (int index = 0; index < count; ++index) {
      const uint64_t key = ready[static_cast<size_t>(index)].data.u64;
      if (key == kListenerKey) {
        accept_clients();
      } else {
        on_client(key);
      }
    }
  }
}

void ControlServer::accept_clients() {
  // One a round: whoever is connected already gets a turn between two newcomers.
  FileDescriptor socket(accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.valid()) return;
  const std::optional<ucred> peer = peer_of(socket.get());
  if (!peer || (peer->uid != geteuid() && peer->uid != 0)) return;
  if (clients_.size() >= kControlClientsMax) make_room();
  const uint64_t id = next_id_++;
  if (!watch(events_.get(), socket.get(), id)) return;
  clients_.push_back({id, std::move(socket), peer->pid, false});
}

void ControlServer::make_room() {
  for (const Client& client : clients_) {
    if (donor_.offered_to(client.id)) continue;
    drop(client.id);
    return;
  }
}

ControlServer::Client* ControlServer::find(uint64_t id) {
  auto found = std::ranges::find(clients_, id, &Client::id);
  return found == clients_.end() ? nullptr : &*found;
}

void ControlServer::on_client(uint64_t id) {
  const Client* client = find(id);
  if (client == nullptr) return;  // dropped in this round
  std::array<char, kControlRequestBytesMax> buffer;
  // With MSG_TRUNC the length is the packet's own, also where it did not fit.
  const ssize_t count = recv(client->socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0 || client->awaits_reply) return drop(id);
  if (static_cast<size_t>(count) > buffer.size()) return refuse(id, "the command is too long");
  on_request(id, std::string_view(buffer.data(), static_cast<size_t>(count)));
}

void ControlServer::on_request(uint64_t id, std::string_view packet) {
  if (packet.ends_with('\n')) packet.remove_suffix(1);
  const size_t space = packet.find(' ');
  const std::string_view verb = packet.substr(0, space);
  const std::string_view argument = space == packet.npos ? std::string_view() : packet.substr(space + 1);
  if (verb == "takeover") return on_takeover(id, argument);
  if (verb == "ready") return on_successor_ready(id);
  const std::optional<ControlCommand> command = find_command(verb);
  if (!command)
    return refuse(id, "unknown command; this process knows status, stop, reload, refresh, upgrade, explain and health");
  Client* client = find(id);
  client->awaits_reply = true;
  callbacks_.on_command({id, *command, argument, client->peer});
}

void ControlServer::on_takeover(uint64_t id, std::string_view version) {
  if (auto accepted = donor_.on_takeover(id, version); !accepted) return refuse(id, accepted.error().context);
  const pid_t successor = find(id)->peer;
  auto offer = callbacks_.on_takeover(successor);
  if (!offer) {
    donor_.on_gone(id);
    return refuse(id, offer.error().context);
  }
  if (!send_offer(id, *offer)) drop(id);
}

bool ControlServer::send_offer(uint64_t id, const HandoffOffer& offer) {
  const int socket = find(id)->socket.get();
  std::vector<std::string> names;
  std::vector<int> descriptors;
  for (const OfferedListener& listener : offer.listeners) {
    names.push_back(listener.name);
    descriptors.push_back(listener.socket);
  }
  const auto packets = write_offer(names);
  if (!packets) return false;
  for (const OfferPacket& packet : *packets) {
    if (!send_packet(socket, packet.text, std::span(descriptors).subspan(packet.first, packet.count))) return false;
  }
  if (offer.pid_file >= 0 && !send_packet(socket, "pidfile", std::span(&offer.pid_file, 1))) return false;
  return send_packet(socket, "offered").has_value();
}

void ControlServer::on_successor_ready(uint64_t id) {
  // It said so and gave up since, for this process has stood still too long.
  if (has_hung_up(find(id)->socket.get())) return drop(id);
  if (auto accepted = donor_.on_ready(id); !accepted) return refuse(id, accepted.error().context);
  callbacks_.on_successor_ready(find(id)->peer);
}

bool ControlServer::hand_over(pid_t successor) {
  const auto found = std::ranges::find_if(
      clients_, [&](const Client& client) { return client.peer == successor && donor_.is_ready(client.id); });
  if (found == clients_.end()) return false;
  const uint64_t id = found->id;
  if (has_hung_up(found->socket.get())) {
    drop(id);
    return false;
  }
  donor_.on_handed_over();
  // First stopped, then said: when the successor hears it, this process accepts no more.
  callbacks_.on_handed_over(successor);
  // A successor that died this moment cannot hear it; the sockets are its, so there is nothing to undo.
  if (const Client* const client = find(id)) static_cast<void>(send_packet(client->socket.get(), "draining"));
  drop(id);
  return true;
}

bool ControlServer::reply(uint64_t client, std::string_view json) {
  Client* found = find(client);
  if (found == nullptr) return false;
  const bool sent = send_packet(found->socket.get(), json).has_value();
  drop(client);
  return sent;
}

bool ControlServer::take_offer_back(const char* reason) {
  const auto successor =
      std::ranges::find_if(clients_, [this](const Client& client) { return donor_.offered_to(client.id); });
  if (successor == clients_.end()) return false;
  const uint64_t id = successor->id;
  donor_.on_gone(id);
  refuse(id, reason);
  return true;
}

void ControlServer::refuse(uint64_t id, const char* reason) {
  // Reasons are literals of this program without characters that JSON escapes.
  reply(id, std::string(R"({"ok":false,"error":")") + reason + R"("})");
}

void ControlServer::drop(uint64_t id) {
  auto found = std::ranges::find(clients_, id, &Client::id);
  if (found == clients_.end()) return;
  const pid_t peer = found->peer;
  clients_.erase(found);
  if (donor_.on_gone(id)) callbacks_.on_takeover_abandoned(peer);
}

}  // namespace llmgw::process
