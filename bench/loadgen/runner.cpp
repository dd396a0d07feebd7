#include "bench/loadgen/runner.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "bench/support/canned_format.h"
#include "bench/support/clock.h"

namespace llmgw::bench {
namespace {

constexpr size_t kReadBytes = 256 << 10;
constexpr size_t kEventsAtOnce = 512;
constexpr uint32_t kConnectsAtOnce = 64;  // below any listener's backlog
constexpr int64_t kConnectWaitNs = 10 * kNanosPerSecond;
constexpr int64_t kSweepIntervalNs = 100 * kNanosPerMilli;
// A run that fails this often has told what it can; going on would only heat the machine.
constexpr uint64_t kFailuresMax = 2'000;
constexpr unsigned kRampSeed = 20'260'101;  // the same ramp in every run

std::string body_of(const LoadOptions& options) {
  if (options.method == "GET") return {};
  std::string body = R"({"model":")" + options.model + R"(",)" + (options.stream ? R"("stream":true,)" : "") +
                     R"("temperature":0.7,"max_tokens":160,"messages":[{"role":"user","content":")";
  constexpr std::string_view kTail = R"("}]})";
  constexpr std::string_view kText = "Tell me about the history of the sea and of those who crossed it. ";
  for (size_t i = 0; body.size() + kTail.size() < options.body_bytes; ++i) body.push_back(kText[i % kText.size()]);
  body += kTail;
  return body;
}

}  // namespace

Runner::Runner(LoadOptions options) : options_(std::move(options)), meter_(options_.cpu_of), buffer_(kReadBytes) {
  build_request();
  expectation_.status = options_.expect_status;
  expectation_.stream = options_.stream;
  expectation_.canned = options_.expect_canned;
  expectation_.chunks = options_.expect_chunks;
  if (!options_.stream) expectation_.json = json_answer(options_.expect_bytes);
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  for (uint32_t i = 0; i < options_.connections; ++i) {
    connections_.push_back(std::make_unique<Connection>(expectation_, results_));
  }
}

Runner::~Runner() {
  for (const auto& connection : connections_) {
    if (connection->descriptor >= 0) close(connection->descriptor);
  }
  close(epoll_);
}

void Runner::build_request() {
  const std::string body = body_of(options_);
  request_ = options_.method + " " + options_.path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(options_.port) +
             "\r\nUser-Agent: bench-loadgen\r\nAccept: */*\r\n";
  for (const std::string& header : options_.headers) request_ += header + "\r\n";
  if (!body.empty()) {
    request_ += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  }
  request_ += "\r\n" + body;
}

const Results& Runner::run() {
  if (!connect_all()) return results_;
  if (!options_.warmup.empty()) run_phase(options_.warmup, false);
  answered_ = false;
  sent_whole_ = 0;
  results_.reconnects = 0;
  const int64_t cpu_before = meter_.read();
  run_phase(options_.measured, true);
  results_.cpu_ns = meter_.read() - cpu_before;
  results_.processes_alive = meter_.all_alive();
  return results_;
}

bool Runner::connect_all() {
  const int64_t limit = now_ns() + kConnectWaitNs;
  size_t next = 0;
  for (;;) {
    const auto connecting =
        std::ranges::count(connections_, State::connecting, [](const auto& one) { return one->state; });
    if (next == connections_.size() && connecting == 0) return true;
    if (connecting == 0) {
      const size_t end = std::min(connections_.size(), next + kConnectsAtOnce);
      while (next < end) open(*connections_[next++]);
    }
    poll(now_ns() + kSweepIntervalNs);
    if (now_ns() > limit || results_.failures_total() > kFailuresMax) {
      count_failure(Failure::connect, "connections not established in time");
      return false;
    }
  }
}

void Runner::run_phase(const PhaseLimit& limit, bool record) {
  phase_ = {.limit = limit, .record = record, .start_ns = now_ns()};
  plan_ramp();
  for (int64_t now = phase_.start_ns; may_issue(now) || phase_.in_flight > 0; now = now_ns()) {
    issue_due(now);
    poll(next_wake(now));
    sweep_stalled(now_ns());
    if (results_.failures_total() > kFailuresMax) break;
  }
  if (record) results_.elapsed_ns = now_ns() - phase_.start_ns;
}

bool Runner::may_issue(int64_t now) const {
  if (phase_.limit.requests > 0 && phase_.issued >= phase_.limit.requests) return false;
  return phase_.limit.duration_ns == 0 || now < phase_.start_ns + phase_.limit.duration_ns;
}

// Open loop: when the next request is meant to be sent.
int64_t Runner::next_intended() const {
  const double offset = static_cast<double>(phase_.issued) / options_.rate * static_cast<double>(kNanosPerSecond);
  return phase_.start_ns + static_cast<int64_t>(offset);
}

void Runner::plan_ramp() {
  ramp_.clear();
  ramp_next_ = 0;
  idle_.clear();
  std::mt19937_64 random(kRampSeed);
  for (const auto& connection : connections_) {
    if (options_.rate > 0) {
      if (connection->state == State::idle) idle_.push_back(connection.get());
      continue;
    }
    const int64_t offset =
        options_.ramp_ns == 0 ? 0 : static_cast<int64_t>(random() % static_cast<uint64_t>(options_.ramp_ns));
    ramp_.emplace_back(phase_.start_ns + offset, connection.get());
  }
  std::ranges::sort(ramp_, {}, &std::pair<int64_t, Connection*>::first);
}

void Runner::issue_due(int64_t now) {
  for (; ramp_next_ < ramp_.size() && ramp_[ramp_next_].first <= now; ++ramp_next_) {
    Connection& connection = *ramp_[ramp_next_].second;
    if (connection.state == State::idle && may_issue(now)) begin(connection, now, now);
  }
  if (options_.rate <= 0) return;
  for (;;) {
    const int64_t intended = next_intended();
    if (intended > now || !may_issue(intended)) break;
    ++phase_.issued;
    ++phase_.in_flight;
    waiting_.push_back(intended);
  }
  while (!waiting_.empty() && !idle_.empty()) {
    Connection& connection = *idle_.back();
    idle_.pop_back();
    const int64_t intended = waiting_.front();
    waiting_.pop_front();
    begin(connection, intended, now_ns());
  }
}

int64_t Runner::next_wake(int64_t now) const {
  int64_t wake = now + kSweepIntervalNs;
  if (ramp_next_ < ramp_.size()) wake = std::min(wake, ramp_[ramp_next_].first);
  if (options_.rate > 0 && may_issue(now)) {
    wake = std::min(wake, next_intended());
  }
  if (phase_.limit.duration_ns > 0 && may_issue(now)) {
    wake = std::min(wake, phase_.start_ns + phase_.limit.duration_ns);
  }
  return wake;
}

void Runner::poll(int64_t wake_ns) {
  epoll_event events[kEventsAtOnce];
  const int64_t left = std::max<int64_t>(0, wake_ns - now_ns());
  const timespec timeout{.tv_sec = left / kNanosPerSecond, .tv_nsec = left % kNanosPerSecond};
  const int count = epoll_pwait2(epoll_, events, kEventsAtOnce, &timeout, nullptr);
  for (int i = 0; i < count; ++i) on_event(*static_cast<Connection*>(events[i].data.ptr), events[i].events);
}

void Runner::sweep_stalled(int64_t now) {
  if (now - last_sweep_ns_ < kSweepIntervalNs) return;
  last_sweep_ns_ = now;
  for (const auto& connection : connections_) {
    const bool busy = connection->state == State::sending || connection->state == State::receiving;
    if (busy && now - connection->progress_ns > options_.stall_ns) {
      count_failure(Failure::stalled, "no byte came for longer than --stall-ms");
      --phase_.in_flight;
      drop(*connection);
      open(*connection);
    }
  }
}

void Runner::open(Connection& connection) {
  ++results_.connects;
  connection.descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (connection.descriptor < 0) {
    count_failure(Failure::connect, std::strerror(errno));
    return;
  }
  const int on = 1;
  setsockopt(connection.descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options_.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int result = connect(connection.descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address);
  if (result != 0 && errno != EINPROGRESS) {
    count_failure(Failure::connect, std::strerror(errno));
    drop(connection);
    return;
  }
  connection.state = State::connecting;
  connection.events = EPOLLOUT;
  epoll_event event{.events = EPOLLOUT, .data = {.ptr = &connection}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.descriptor, &event);
}

void Runner::drop(Connection& connection) {
  if (connection.descriptor >= 0) close(connection.descriptor);
  connection.descriptor = -1;
  connection.state = State::closed;
}

void Runner::watch(Connection& connection, uint32_t events) {
  if (connection.events == events) return;
  connection.events = events;
  epoll_event event{.events = events, .data = {.ptr = &connection}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.descriptor, &event);
}

void Runner::become_idle(Connection& connection, int64_t now) {
  connection.state = State::idle;
  watch(connection, EPOLLIN);
  if (phase_.start_ns == 0) return;  // still connecting the others
  if (options_.rate > 0) {
    idle_.push_back(&connection);
  } else if (may_issue(now)) {
    begin(connection, now, now);
  }
}

void Runner::begin(Connection& connection, int64_t intended_ns, int64_t now) {
  if (options_.rate <= 0) {
    ++phase_.issued;
    ++phase_.in_flight;
  }
  results_.in_flight_peak = std::max(results_.in_flight_peak, phase_.in_flight);
  connection.state = State::sending;
  connection.sent_bytes = 0;
  connection.intended_ns = intended_ns;
  connection.sent_ns = now;
  connection.checker.start(now, phase_.record);
  send_more(connection, now);
}

void Runner::send_more(Connection& connection, int64_t now) {
  const ssize_t sent = send(connection.descriptor, request_.data() + connection.sent_bytes,
                            request_.size() - connection.sent_bytes, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) {
    count_failure(Failure::closed, std::strerror(errno));
    --phase_.in_flight;
    drop(connection);
    ++results_.reconnects;
    open(connection);
    return;
  }
  if (sent > 0) connection.sent_bytes += static_cast<size_t>(sent);
  connection.progress_ns = now;
  if (connection.sent_bytes < request_.size()) {
    watch(connection, EPOLLIN | EPOLLOUT);
    return;
  }
  ++sent_whole_;
  connection.state = State::receiving;
  watch(connection, EPOLLIN);
}

void Runner::on_event(Connection& connection, uint32_t events) {
  if (connection.state == State::connecting) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(connection.descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) {
      become_idle(connection, now_ns());
      return;
    }
    count_failure(Failure::connect, std::strerror(error));
    drop(connection);
    if (results_.failures_total() <= kFailuresMax) open(connection);
    return;
  }
  if (connection.state == State::sending && (events & EPOLLOUT) != 0) send_more(connection, now_ns());
  if (connection.descriptor >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) on_readable(connection);
}

void Runner::on_readable(Connection& connection) {
  const ssize_t received = recv(connection.descriptor, buffer_.data(), buffer_.size(), 0);
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) return;
  const int64_t now = now_ns();
  const bool awaited = connection.state == State::receiving || connection.state == State::sending;
  if (received > 0 && awaited) {
    results_.bytes_received += static_cast<uint64_t>(received);
    connection.progress_ns = now;
    if (!answered_) {
      answered_ = true;
      results_.sent_at_first_answer = sent_whole_;
    }
    const auto verdict = connection.checker.take({buffer_.data(), static_cast<size_t>(received)}, now);
    if (verdict != AnswerChecker::Verdict::incomplete) finish(connection, verdict, now);
    return;
  }
  if (awaited) {
    finish(connection, connection.checker.take_close(), now);
    return;
  }
  // Idle: bytes nobody asked for are an error, a close is the peer's right.
  if (received > 0) count_failure(Failure::framing, "bytes on an idle connection");
  std::erase(idle_, &connection);
  drop(connection);
  ++results_.reconnects;
  open(connection);
}

void Runner::finish(Connection& connection, AnswerChecker::Verdict verdict, int64_t now) {
  --phase_.in_flight;
  const bool early = connection.state == State::sending;
  if (verdict == AnswerChecker::Verdict::complete && !early) {
    if (phase_.record) {
      ++results_.requests;
      results_.latency.record(now - connection.intended_ns);
      results_.service.record(now - connection.sent_ns);
    }
    if (!connection.checker.closes()) {
      become_idle(connection, now);
      return;
    }
  } else if (verdict == AnswerChecker::Verdict::complete) {
    count_failure(Failure::framing, "answered before the request was sent");
  } else {
    count_failure(connection.checker.failure(), connection.checker.detail());
  }
  drop(connection);
  ++results_.reconnects;
  open(connection);
}

void Runner::count_failure(Failure failure, std::string_view detail) {
  ++results_.failures[static_cast<size_t>(failure)];
  if (results_.first_failure.empty()) {
    results_.first_failure = std::string(to_string(failure)) + ": " + std::string(detail);
  }
}

}  // namespace llmgw::bench
