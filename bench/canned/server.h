// The canned upstream: one thread, level-triggered epoll, a heap of timers. It knows its answers beforehand, so what a
// request costs here is the kernel's work. Life: construct, open(), run() until a signal, then stats().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "bench/canned/options.h"
#include "bench/canned/transport.h"
#include "bench/support/http_body.h"

struct epoll_event;

namespace llmgw::bench {

struct CannedStats {
  uint64_t connections = 0;
  uint64_t requests = 0;
  uint64_t streams = 0;
  uint64_t requests_bad = 0;      // closed for malformed bytes
  uint64_t answering_peak = 0;    // most requests wholly read and not yet answered at one time
  int64_t event_late_ns_max = 0;  // how late the latest event of a stream was sent
};

class CannedServer {
 public:
  explicit CannedServer(CannedOptions options);
  ~CannedServer();
  CannedServer(const CannedServer&) = delete;
  CannedServer& operator=(const CannedServer&) = delete;

  // Binds every listener to loopback and prints "listening PORT" for each, in order. False with the reason on stderr.
  bool open();
  // Serves until `stop_descriptor` (a signalfd) is readable.
  void run(int stop_descriptor);
  const CannedStats& stats() const { return stats_; }

 private:
  struct Listener {
    int descriptor = -1;
    ListenerOptions options;
    std::string json;  // the whole answer, head and body
  };

  enum class Phase : uint8_t { head, body, delayed, streaming };

  struct Connection {
    Connection(int descriptor, ssl_ctx_st* context, const Listener& from)
        : transport(descriptor, context), listener(from) {}
    Transport transport;
    const Listener& listener;
    uint32_t slot = 0;
    uint32_t generation = 0;
    Phase phase = Phase::head;
    bool close_after = false;
    bool wants_write = false;
    BodyReader body;
    AnswerOptions answer;
    bool answer_is_default = true;
    std::string input;   // bytes not yet consumed: a head in pieces, or a request that came early
    std::string prefix;  // the first bytes of the body, where "stream" is looked for
    std::string output;  // what the kernel did not take yet
    int64_t received_ns = 0;
    uint32_t events_sent = 0;
  };

  struct Timer {
    int64_t due_ns;
    uint32_t slot;
    uint32_t generation;
    bool operator>(const Timer& other) const { return due_ns > other.due_ns; }
  };

  void accept_all(Listener& listener);
  Connection* find(uint32_t slot, uint32_t generation);
  void close_connection(Connection& connection);
  // These return false if they closed the connection.
  bool on_readable(Connection& connection);
  bool consume(Connection& connection, std::string_view input);
  bool take_head(Connection& connection, std::string_view& input);
  bool begin_answer(Connection& connection);
  bool answer_json(Connection& connection);
  bool send_event(Connection& connection, int64_t now);
  bool finish_answer(Connection& connection);
  bool send(Connection& connection, std::string_view bytes);
  bool flush(Connection& connection);

  void watch_writes(Connection& connection, bool on);
  void arm(Connection& connection, int64_t due_ns);
  void fire_timers();
  int wait(std::vector<::epoll_event>& events);

  CannedOptions options_;
  TlsContext tls_;
  int epoll_ = -1;
  std::vector<Listener> listeners_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<uint32_t> free_slots_;
  uint32_t next_generation_ = 1;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  std::vector<char> buffer_;
  std::string scratch_;
  uint64_t answering_ = 0;
  CannedStats stats_;
};

}  // namespace llmgw::bench
