#include "gateway/entrance/acceptor.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace llmgw::gateway {
namespace {

// From one socket before the others have their turn.
constexpr int kAcceptsPerTurn = 64;
// Out of descriptors, or every worker full: trying again at once would only spin.
constexpr int kPauseMs = 50;

}  // namespace

SharedAcceptor::SharedAcceptor(std::vector<WorkerSocket> sockets, std::vector<WorkerThread*> workers,
                               telemetry::Counter failures)
    : sockets_(std::move(sockets)),
      workers_(std::move(workers)),
      failures_(failures),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (wake_ < 0) std::abort();
  thread_ = std::thread([this] { run(); });
}

SharedAcceptor::~SharedAcceptor() {
  stop();
  close(wake_);
}

void SharedAcceptor::stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true, std::memory_order_release);
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof one);
  thread_.join();
  for (const WorkerSocket& socket : sockets_) close(socket.fd);
  sockets_.clear();
}

WorkerThread& SharedAcceptor::least_loaded() const {
  return **std::ranges::min_element(workers_, {}, [](const WorkerThread* worker) { return worker->load(); });
}

bool SharedAcceptor::accept_from(const WorkerSocket& socket) {
  WorkerThread& worker = least_loaded();
  if (worker.load() >= connections_max_.load(std::memory_order_relaxed)) {
    workers_[next_room_++ % workers_.size()]->make_room();
    poll(nullptr, 0, kPauseMs);
    return false;
  }
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  const int fd = accept4(socket.fd, reinterpret_cast<sockaddr*>(&storage), &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0) {
    worker.serve(fd, net::Address(reinterpret_cast<sockaddr*>(&storage), length), socket.tls);
    return true;
  }
  if (errno == EINTR || errno == ECONNABORTED) return true;
  if (errno != EAGAIN) {
    failures_.add();
    poll(nullptr, 0, kPauseMs);
  }
  return false;
}

void SharedAcceptor::run() {
  pthread_setname_np(pthread_self(), "acceptor");
  std::vector<pollfd> watched;
  for (const WorkerSocket& socket : sockets_) watched.push_back({.fd = socket.fd, .events = POLLIN, .revents = 0});
  watched.push_back({.fd = wake_, .events = POLLIN, .revents = 0});
  while (!stopping_.load(std::memory_order_acquire)) {
    if (poll(watched.data(), watched.size(), -1) < 0) continue;  // EINTR
    for (size_t i = 0; i < sockets_.size(); ++i) {
      if (watched[i].revents == 0) continue;
      for (int turn = 0; turn < kAcceptsPerTurn && accept_from(sockets_[i]); ++turn) {
      }
    }
  }
}

}  // namespace llmgw::gateway
