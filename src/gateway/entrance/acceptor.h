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
  // `failures` counts connections that were not accepted for want of descriptors or memory; nobody else writes it.
  SharedAcceptor(std::vector<WorkerSocket> sockets, std::vector<WorkerThread*> workers, telemetry::Counter failures);
  SharedAcceptor(const SharedAcceptor&) = delete;
  SharedAcceptor& operator=(const SharedAcceptor&) = delete;
  ~SharedAcceptor();  // stops

  void set_connections_max(uint64_t connections_max) {
    connections_max_.store(connections_max, std::memory_order_relaxed);
  }
  // Returns when nothing is accepted any more, and closes the sockets.
  void stop();

 private:
  void run();
  // False: nothing to accept now.
  bool accept_from(const WorkerSocket& socket);
  WorkerThread& least_loaded() const;

  std::vector<WorkerSocket> sockets_;
  std::vector<WorkerThread*> workers_;
  std::atomic<uint64_t> connections_max_ = UINT64_MAX;
  telemetry::Counter failures_;
  std::atomic<bool> stopping_ = false;
  int wake_ = -1;
  size_t next_room_ = 0;  // the worker that makes room next
  std::thread thread_;
};

}  // namespace llmgw::gateway
