// The second way connections reach workers (server.acceptor = "shared"): one thread accepts and hands each connection
// to the worker that has the fewest. Made and stopped by the control thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "gateway/worker_thread.h"

namespace llmgw::gateway {

class SharedAcceptor {
 public:
  // Takes the sockets over. The workers outlive it. `connections_max`: of one worker; above it new ones wait in the
  // kernel's queue.
  SharedAcceptor(std::vector<WorkerSocket> sockets, std::vector<WorkerThread*> workers);
  SharedAcceptor(const SharedAcceptor&) = delete;
  SharedAcceptor& operator=(const SharedAcceptor&) = delete;
  ~SharedAcceptor();  // stops

  void set_connections_max(uint64_t connections_max) {
    connections_max_.store(connections_max, std::memory_order_relaxed);
  }
  // Returns when nothing is accepted any more, and closes the sockets.
  void stop();
  // Connections that were accepted and lost for want of descriptors or memory.
  uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }

 private:
  void run();
  // False: nothing to accept now.
  bool accept_from(const WorkerSocket& socket);
  WorkerThread& least_loaded() const;

  std::vector<WorkerSocket> sockets_;
  std::vector<WorkerThread*> workers_;
  std::atomic<uint64_t> connections_max_ = UINT64_MAX;
  std::atomic<uint64_t> failures_ = 0;
  std::atomic<bool> stopping_ = false;
  int wake_ = -1;
  std::thread thread_;
};

}  // namespace llmgw::gateway
