// Looks after the engines behind connections that have a `metrics_path` or `probe_path`: reads what they say of their
// queues and caches, and asks whether they are well. One worker of a gateway does it for all; one thread, its loop's.
#pragma once

#include "gateway/worker.h"
#include "net/task.h"
#include "routing/engine/engine_metrics.h"

namespace llmgw::gateway {

class EngineWatch {
 public:
  explicit EngineWatch(Worker& worker) : worker_(worker) {}
  // Until it is cancelled.
  net::Task<void> run();

 private:
  net::Task<void> look(uint32_t connection);
  net::Task<base::Result<std::string>> fetch(const GenerationRef& generation, uint32_t connection,
                                             std::string_view path);
  void note_metrics(const routing::EngineMetrics& metrics, routing::Slot slot) const;
  void end_out(const GenerationRef& generation, uint32_t connection) const;

  Worker& worker_;
  std::vector<bool> unwell_;  // by slot: its last probe failed
  std::vector<bool> busy_;    // by connection: the last look has not ended
  net::TaskGroup looks_;
};

}  // namespace llmgw::gateway
