#include "bench/canned/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/support/canned_format.h"
#include "bench/support/clock.h"

namespace llmgw::bench {
namespace {

constexpr size_t kReadBytes = 256 << 10;     // one read takes a 150 KB body
constexpr size_t kHeadBytesMax = 64 << 10;   // far above what a proxy sends
constexpr size_t kOutputBytesMax = 8 << 20;  // a peer that does not read is closed
constexpr size_t kPrefixBytes = 4 << 10;     // "stream" has to stand there; a gateway may write it behind a prompt
constexpr int kBacklog = 4'096;
constexpr int kEventsAtOnce = 512;

// epoll_event.data: listeners carry generation 0, the stop descriptor this slot.
constexpr uint32_t kStopSlot = UINT32_MAX;

constexpr std::string_view kStreamHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
    "x-request-id: req_canned\r\nTransfer-Encoding: chunked\r\n\r\n";
constexpr std::string_view kLastChunk = "0\r\n\r\n";

uint64_t pack(uint32_t slot, uint32_t generation) {
  return uint64_t{generation} << 32 | slot;
}

std::string whole_json_answer(const AnswerOptions& options) {
  const std::string body = json_answer(options.bytes);
  return "HTTP/1.1 " + std::to_string(options.status) + (options.status == 200 ? " OK" : " Canned") +
         "\r\nContent-Type: application/json\r\nx-request-id: req_canned\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

void append_chunk(std::string& out, std::string_view content) {
  char size[16];
  const auto [end, error] = std::to_chars(size, size + sizeof size, content.size(), 16);
  out.append(size, end);
  out += "\r\n";
  out += content;
  out += "\r\n";
}

// Looks for "stream" : true with any white space a JSON writer may have put there.
bool asks_for_stream(std::string_view body) {
  constexpr std::string_view kName = "\"stream\"";
  const size_t at = body.find(kName);
  if (at == std::string_view::npos) return false;
  size_t next = body.find_first_not_of(" \t\r\n", at + kName.size());
  if (next == std::string_view::npos || body[next] != ':') return false;
  next = body.find_first_not_of(" \t\r\n", next + 1);
  return next != std::string_view::npos && body.substr(next).starts_with("true");
}

int listen_on(uint16_t& port) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(descriptor, generic, length) != 0 || listen(descriptor, kBacklog) != 0 ||
      getsockname(descriptor, generic, &length) != 0) {
    std::fprintf(stderr, "bench-canned: cannot listen on 127.0.0.1:%u: %s\n", unsigned{port}, std::strerror(errno));
    close(descriptor);
    return -1;
  }
  port = ntohs(address.sin_port);
  return descriptor;
}

}  // namespace

CannedServer::CannedServer(CannedOptions options) : options_(std::move(options)), buffer_(kReadBytes) {}

CannedServer::~CannedServer() {
  for (const Listener& listener : listeners_) close(listener.descriptor);
  if (epoll_ >= 0) close(epoll_);
}

bool CannedServer::open() {
  const bool any_tls = std::ranges::any_of(options_.listeners, [](const ListenerOptions& one) { return one.tls; });
  if (any_tls && !tls_.load(options_.certificate_file, options_.key_file)) return false;
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  for (ListenerOptions& wanted : options_.listeners) {
    const int descriptor = listen_on(wanted.port);
    if (descriptor < 0) return false;
    listeners_.push_back({descriptor, wanted, whole_json_answer(wanted.answer)});
    epoll_event event{.events = EPOLLIN, .data = {.u64 = pack(static_cast<uint32_t>(listeners_.size() - 1), 0)}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
    std::printf("listening %u\n", unsigned{wanted.port});
  }
  std::fflush(stdout);
  return true;
}

int CannedServer::wait(std::vector<epoll_event>& events) {
  timespec timeout{};
  timespec* limit = nullptr;
  if (!timers_.empty()) {
    const int64_t left = std::max<int64_t>(0, timers_.top().due_ns - now_ns());
    timeout = {.tv_sec = left / kNanosPerSecond, .tv_nsec = left % kNanosPerSecond};
    limit = &timeout;
  }
  return epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), limit, nullptr);
}

void CannedServer::run(int stop_descriptor) {
  epoll_event stop{.events = EPOLLIN, .data = {.u64 = pack(kStopSlot, 0)}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, stop_descriptor, &stop);
  std::vector<epoll_event> events(kEventsAtOnce);
  for (;;) {
    const int count = wait(events);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      const auto slot = static_cast<uint32_t>(event.data.u64);
      const auto generation = static_cast<uint32_t>(event.data.u64 >> 32);
      if (generation == 0) {
        if (slot == kStopSlot) return;
        accept_all(listeners_[slot]);
        continue;
      }
      Connection* connection = find(slot, generation);
      if (connection == nullptr) continue;
      if ((event.events & EPOLLOUT) != 0 && !flush(*connection)) continue;
      if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) on_readable(*connection);
    }
    fire_timers();
  }
}

void CannedServer::accept_all(Listener& listener) {
  for (;;) {
    const int descriptor = accept4(listener.descriptor, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return;
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto connection = std::make_unique<Connection>(descriptor, listener.options.tls ? tls_.get() : nullptr, listener);
    if (free_slots_.empty()) {
      free_slots_.push_back(static_cast<uint32_t>(connections_.size()));
      connections_.emplace_back();
    }
    connection->slot = free_slots_.back();
    free_slots_.pop_back();
    connection->generation = next_generation_++;
    epoll_event event{.events = EPOLLIN, .data = {.u64 = pack(connection->slot, connection->generation)}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
    connections_[connection->slot] = std::move(connection);
    ++stats_.connections;
  }
}

CannedServer::Connection* CannedServer::find(uint32_t slot, uint32_t generation) {
  Connection* connection = connections_[slot].get();
  return connection != nullptr && connection->generation == generation ? connection : nullptr;
}

void CannedServer::close_connection(Connection& connection) {
  if (connection.phase == Phase::delayed || connection.phase == Phase::streaming) --answering_;
  const uint32_t slot = connection.slot;
  connections_[slot].reset();
  free_slots_.push_back(slot);
}

bool CannedServer::on_readable(Connection& connection) {
  do {
    const auto [status, bytes] = connection.transport.read(buffer_.data(), buffer_.size());
    if (status == Transport::Status::again) return true;
    if (status == Transport::Status::closed) {
      close_connection(connection);
      return false;
    }
    if (!consume(connection, {buffer_.data(), bytes})) return false;
  } while (connection.transport.has_buffered());
  return true;
}

bool CannedServer::consume(Connection& connection, std::string_view input) {
  if (!connection.input.empty() || connection.phase == Phase::delayed || connection.phase == Phase::streaming) {
    connection.input += input;
    if (connection.input.size() > kHeadBytesMax + kReadBytes) {
      ++stats_.requests_bad;
      close_connection(connection);
      return false;
    }
    if (connection.phase != Phase::head) return true;
    scratch_ = std::move(connection.input);
    connection.input.clear();
    input = scratch_;
  }
  while (!input.empty()) {
    if (connection.phase == Phase::head) {
      if (!take_head(connection, input)) return false;
      if (connection.phase == Phase::head) return true;
    }
    for (std::string_view piece = connection.body.next(input); !piece.empty(); piece = connection.body.next(input)) {
      const size_t room = kPrefixBytes - std::min(kPrefixBytes, connection.prefix.size());
      connection.prefix += piece.substr(0, room);
    }
    if (connection.body.state() == BodyReader::State::malformed) {
      ++stats_.requests_bad;
      close_connection(connection);
      return false;
    }
    if (connection.body.state() == BodyReader::State::reading) return true;
    if (!begin_answer(connection)) return false;
    if (connection.phase != Phase::head) {
      connection.input.assign(input);
      return true;
    }
  }
  return true;
}

// Reads a head off `input` if it is there as a whole; else keeps the bytes and leaves the phase as it is.
bool CannedServer::take_head(Connection& connection, std::string_view& input) {
  const size_t end = input.find("\r\n\r\n");
  if (end == std::string_view::npos && input.size() <= kHeadBytesMax) {
    connection.input.assign(input);
    return true;
  }
  const Framing framing = end == std::string_view::npos ? Framing{} : read_head(input.substr(0, end + 4));
  bool ok = framing.ok;
  if (ok) {
    connection.answer = connection.listener.options.answer;
    const size_t query = framing.first_line.find('?');
    const std::string_view after = query == std::string_view::npos ? "" : framing.first_line.substr(query + 1);
    const std::string_view in_path = after.substr(0, after.find(' '));
    connection.answer_is_default = in_path.empty() && framing.options.empty();
    ok = apply_options(framing.options, connection.answer) && apply_options(in_path, connection.answer);
  }
  if (!ok) {
    ++stats_.requests_bad;
    close_connection(connection);
    return false;
  }
  connection.close_after = framing.close;
  connection.prefix.clear();
  connection.body.start(framing, false);
  connection.phase = Phase::body;
  input.remove_prefix(end + 4);
  if (framing.expect_continue && input.empty()) return send(connection, "HTTP/1.1 100 Continue\r\n\r\n");
  return true;
}

bool CannedServer::begin_answer(Connection& connection) {
  ++stats_.requests;
  ++answering_;
  stats_.answering_peak = std::max(stats_.answering_peak, answering_);
  const bool streams = asks_for_stream(connection.prefix);
  const int64_t delay = connection.answer.delay_ns;
  if (!streams && delay == 0) {
    connection.phase = Phase::delayed;
    return answer_json(connection);
  }
  connection.received_ns = now_ns();
  connection.events_sent = 0;
  connection.phase = streams ? Phase::streaming : Phase::delayed;
  if (streams) ++stats_.streams;
  if (delay == 0) return send_event(connection, connection.received_ns);
  arm(connection, connection.received_ns + delay);
  return true;
}

bool CannedServer::answer_json(Connection& connection) {
  const bool sent = connection.answer_is_default ? send(connection, connection.listener.json)
                                                 : send(connection, whole_json_answer(connection.answer));
  return sent && finish_answer(connection);
}

bool CannedServer::send_event(Connection& connection, int64_t now) {
  const AnswerOptions& answer = connection.answer;
  const bool last = connection.events_sent + 1 == answer.chunks;
  std::string event;
  append_stream_event(event, {connection.events_sent, now_ns(), connection.received_ns}, last);
  std::string bytes;
  if (connection.events_sent == 0) bytes = kStreamHead;
  append_chunk(bytes, event);
  if (last) {
    append_chunk(bytes, kStreamDone);
    bytes += kLastChunk;
  }
  const int64_t due = connection.received_ns + answer.delay_ns + connection.events_sent * answer.interval_ns;
  stats_.event_late_ns_max = std::max(stats_.event_late_ns_max, now - due);
  ++connection.events_sent;
  if (!send(connection, bytes)) return false;
  if (last) return finish_answer(connection);
  if (connection.events_sent == answer.cut_after) {
    close_connection(connection);
    return false;
  }
  arm(connection, due + answer.interval_ns);
  return true;
}

bool CannedServer::finish_answer(Connection& connection) {
  --answering_;
  connection.phase = Phase::head;
  if (connection.close_after && connection.output.empty()) {
    close_connection(connection);
    return false;
  }
  if (connection.input.empty()) return true;
  const std::string early = std::move(connection.input);
  connection.input.clear();
  return consume(connection, early);
}

bool CannedServer::send(Connection& connection, std::string_view bytes) {
  if (connection.output.empty()) {
    const auto [status, sent] = connection.transport.write(bytes);
    if (status == Transport::Status::closed) {
      close_connection(connection);
      return false;
    }
    bytes.remove_prefix(sent);
    if (bytes.empty()) return true;
  }
  connection.output += bytes;
  if (connection.output.size() > kOutputBytesMax) {
    close_connection(connection);
    return false;
  }
  watch_writes(connection, true);
  return true;
}

bool CannedServer::flush(Connection& connection) {
  while (!connection.output.empty()) {
    const auto [status, sent] = connection.transport.write(connection.output);
    if (status == Transport::Status::again) return true;
    if (status == Transport::Status::closed) {
      close_connection(connection);
      return false;
    }
    connection.output.erase(0, sent);
  }
  watch_writes(connection, false);
  if (connection.close_after && connection.phase == Phase::head) {
    close_connection(connection);
    return false;
  }
  return true;
}

void CannedServer::watch_writes(Connection& connection, bool on) {
  if (connection.wants_write == on) return;
  connection.wants_write = on;
  epoll_event event{.events = EPOLLIN | (on ? uint32_t{EPOLLOUT} : 0U),
                    .data = {.u64 = pack(connection.slot, connection.generation)}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.transport.descriptor(), &event);
}

void CannedServer::arm(Connection& connection, int64_t due_ns) {
  timers_.push({due_ns, connection.slot, connection.generation});
}

void CannedServer::fire_timers() {
  if (timers_.empty()) return;
  const int64_t now = now_ns();
  while (!timers_.empty() && timers_.top().due_ns <= now) {
    const Timer timer = timers_.top();
    timers_.pop();
    Connection* connection = find(timer.slot, timer.generation);
    if (connection == nullptr) continue;
    if (connection->phase == Phase::streaming) {
      send_event(*connection, now);
    } else if (connection->phase == Phase::delayed) {
      answer_json(*connection);
    }
  }
}

}  // namespace llmgw::bench
