#include "simulator/instance.h"

#include "json/writer.h"
#include "simulator/output.h"

namespace llmgw::simulator {

using base::ErrorCode;
using net::Task;

// A request in the engine. Leaves it when it dies.
class Instance::Waiting {
 public:
  Waiting(Instance& instance, SequenceId id) : instance_(instance), id_(id), arrived_(instance.loop_) {
    instance_.waiting_.emplace(id, this);
    instance_.engine_changed_.notify();
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    instance_.waiting_.erase(id_);
    if (done_) return;
    instance_.engine_.cancel(id_, instance_.loop_.now());
    instance_.engine_changed_.notify();
  }

  void push(const EngineEvent& event) {
    done_ = event.kind != EngineEventKind::token;
    events_.push_back(event);
    arrived_.notify();
  }

  // What has happened since the last call, at least one event.
  Task<base::Result<std::vector<EngineEvent>>> next(net::Cancellation& cancellation) {
    while (events_.empty()) {
      CO_TRY_VOID(co_await arrived_.wait({base::kNever, &cancellation}));
    }
    co_return std::exchange(events_, {});
  }

 private:
  Instance& instance_;
  SequenceId id_;
  bool done_ = false;
  std::vector<EngineEvent> events_;
  net::Signal arrived_;
};

Instance::Instance(net::Loop& loop, const InstanceOptions& options)
    : loop_(loop), service_(options), engine_(options.engine), engine_changed_(loop) {
  tasks_.spawn(pump());
}

Instance::~Instance() = default;

Task<void> Instance::pump() {
  for (;;) {
    (void)co_await engine_changed_.wait({engine_.next_event_at(), nullptr});
    engine_.advance(loop_.now(), events_);
    for (const EngineEvent& event : events_) {
      const auto waiting = waiting_.find(event.id);
      if (waiting != waiting_.end()) waiting->second->push(event);
    }
    events_.clear();
  }
}

http::MalformedAnswer Instance::malformed_request(const http::MalformedRequest& request) {
  http::MalformedAnswer answer;
  const ApiError error = refuse(request.status, std::string(request.message)).error();
  write_error_body({.api = Api::openai, .operation = Operation::chat, .object = {}}, error, {}, answer.body);
  return answer;
}

Task<void> Instance::handle(http::ServerExchange& exchange) {
  Job job;
  Output output(exchange, service_, job);
  const int64_t unix_s = std::chrono::floor<std::chrono::seconds>(loop_.wall_now()).time_since_epoch().count();
  service_.look(exchange.head(), job, unix_s);
  if (!job.reply && job.fault.early) {
    if (job.fault.status == 0) job.fault.status = 413;
    job.reply = Service::error_reply(job, Service::fault_error(job));
  } else {
    const auto body = co_await exchange.read_body(kBodyBytesMax);
    if (!body && body.error().code != ErrorCode::too_large) co_return exchange.abort();
    if (!body) {
      const std::string limit = std::to_string(kBodyBytesMax);
      job.reply = Service::error_reply(job, refuse(413, "The body is larger than " + limit + " bytes.").error());
    }
    if (!job.reply) {
      const auto statistics = [this] { return engine_.stats(); };
      service_.prepare(exchange.head(), {body->data(), body->size()}, statistics, job);
      if (service_.take_forget_request()) engine_.forget_prefixes();
    }
  }
  co_await answer(output, job, exchange.cancellation());
  if (job.fault.close_idle && exchange.ended()) co_await output.close_idle(*job.fault.close_idle);
}

Task<void> Instance::answer(Output& output, Job& job, net::Cancellation& cancellation) {
  const FaultPlan& fault = job.fault;
  if (fault.delay > base::Duration::zero() && !co_await output.pause(fault.delay)) co_return;
  if (fault.kind == FaultKind::garbage) co_return co_await output.garbage();
  const bool at_once = (fault.kind == FaultKind::reset || fault.kind == FaultKind::hang) && !fault.after;
  if (at_once) co_return co_await output.break_off(fault.kind);
  if (job.reply) {
    (void)co_await output.whole(std::move(*job.reply));
    co_return;
  }
  co_await answer_from_engine(output, job, cancellation);
}

Task<void> Instance::answer_from_engine(Output& output, Job& job, net::Cancellation& cancellation) {
  if (job.fault.kind == FaultKind::error_event && !job.streamed) {
    (void)co_await output.whole(Service::error_reply(job, Service::fault_error(job)));
    co_return;
  }
  const auto id = engine_.submit(std::move(job.engine_request), loop_.now());
  if (!id) {
    (void)co_await output.whole(Service::error_reply(job, Service::engine_refused(job, id.error().code)));
    co_return;
  }
  Waiting waiting(*this, *id);
  if (job.streamed) co_return co_await stream(output, job, waiting, cancellation);
  size_t steps = 0;
  for (;;) {
    const auto events = co_await waiting.next(cancellation);
    if (!events) co_return;
    const EngineEvent& last = events->back();
    for (const EngineEvent& event : *events) steps += event.kind == EngineEventKind::token ? 1 : 0;
    if (last.kind == EngineEventKind::token) continue;
    if (last.kind == EngineEventKind::evicted) cut_short(job.plan, steps);
    const UsageCount usage = usage_of(job.plan, last.cached_tokens);
    Reply reply;
    if (job.rest) reply.content_type = job.rest->content_type;
    reply.body = service_.finished_answer(job, usage);
    service_.remember(job, usage);
    (void)co_await output.whole(std::move(reply));
    co_return;
  }
}

Task<void> Instance::stream(Output& output, Job& job, Waiting& waiting, net::Cancellation& cancellation) {
  const AnswerContext context = job.context();
  const auto writer = make_stream_writer(context);
  const bool breaks = job.fault.kind != FaultKind::none;
  const size_t break_at = job.fault.after.value_or(job.plan.steps / 2);
  size_t steps = 0;
  bool begun = false;
  std::string bytes;
  for (;;) {
    const auto events = co_await waiting.next(cancellation);
    if (!events) co_return;
    bytes.clear();
    if (!begun) {
      if (!co_await output.start(200, stream_content_type(job.surface), std::nullopt, std::nullopt)) co_return;
      writer->begin(usage_of(job.plan, events->front().cached_tokens), bytes);
      begun = true;
    }
    for (const EngineEvent& event : *events) {
      const bool last = event.kind != EngineEventKind::token;
      if (breaks && (last || steps == break_at)) co_return co_await break_stream(output, job, *writer, bytes);
      if (!last) {
        writer->step(bytes);
        ++steps;
        continue;
      }
      if (event.kind == EngineEventKind::evicted) cut_short(job.plan, steps);
      const UsageCount usage = usage_of(job.plan, event.cached_tokens);
      writer->end(usage, bytes);
      service_.remember(job, usage);
      if (co_await output.write(bytes)) (void)co_await output.end();
      co_return;
    }
    if (!co_await output.write(bytes)) co_return;
  }
}

// Sends what has been written so far and then does what the fault says.
Task<void> Instance::break_stream(Output& output, const Job& job, StreamWriter& writer, std::string& bytes) {
  const FaultKind kind = job.fault.kind;
  if (kind == FaultKind::error_event) writer.fail(Service::fault_error(job), bytes);
  if (kind == FaultKind::garbage_json) {
    bytes += job.surface.operation == Operation::stream_generate && !job.surface.sse ? ",{\"broken\": "
                                                                                     : "data: {\"broken\": \n\n";
  }
  if (!bytes.empty() && !co_await output.write(bytes)) co_return;
  if (kind == FaultKind::error_event || kind == FaultKind::garbage_json) {
    (void)co_await output.end();
    co_return;
  }
  co_await output.break_off(kind);
}

}  // namespace llmgw::simulator
