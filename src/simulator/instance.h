// One simulated instance on a loop: a Service and an Engine behind an HTTP server. One thread: the loop's.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "http/exchange.h"
#include "net/io.h"
#include "net/loop.h"
#include "net/task.h"
#include "simulator/engine.h"
#include "simulator/service.h"

namespace llmgw::simulator {

class Output;

inline constexpr size_t kBodyBytesMax = 64 * 1024 * 1024;  // audio and images in base64

class Instance final : public http::RequestHandler {
 public:
  // The loop must outlive it; the servers that call it must die first.
  Instance(net::Loop& loop, const InstanceOptions& options);
  ~Instance() override;

  net::Task<void> handle(http::ServerExchange& exchange) override;
  http::MalformedAnswer malformed_request(const http::MalformedRequest& request) override;

  EngineStats stats() const { return engine_.stats(); }
  const InstanceOptions& options() const { return service_.options(); }

 private:
  class Waiting;

  net::Task<void> pump();
  net::Task<void> answer(Output& output, Job& job, net::Cancellation& cancellation);
  net::Task<void> answer_from_engine(Output& output, Job& job, net::Cancellation& cancellation);
  net::Task<void> stream(Output& output, Job& job, Waiting& waiting, net::Cancellation& cancellation);
  net::Task<void> break_stream(Output& output, const Job& job, StreamWriter& writer, std::string& bytes);

  net::Loop& loop_;
  Service service_;
  Engine engine_;
  std::unordered_map<SequenceId, Waiting*> waiting_;
  std::vector<EngineEvent> events_;
  net::Signal engine_changed_;
  net::TaskGroup tasks_;
};

}  // namespace llmgw::simulator
