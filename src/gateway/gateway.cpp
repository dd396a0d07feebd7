#include "gateway/gateway.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "control/databases.h"
#include "control/limit_changes.h"
#include "gateway/entrance/descriptors.h"

namespace llmgw::gateway {
namespace {

using Failure = std::unexpected<std::string>;
using telemetry::LogDestination;

constexpr base::Duration kLogFlushLimit = std::chrono::seconds(2);  // at the end, for a reader that does not read

telemetry::Level log_level(control::LogLevel level) {
  switch (level) {
    case control::LogLevel::trace:
    case control::LogLevel::debug: return telemetry::Level::debug;
    case control::LogLevel::info: return telemetry::Level::info;
    case control::LogLevel::warn: return telemetry::Level::warn;
    case control::LogLevel::error: break;
  }
  return telemetry::Level::error;
}

telemetry::RegistryLimits registry_limits(const control::Snapshot& snapshot) {
  telemetry::RegistryLimits limits;
  limits.counter_series = snapshot.metrics.max_series;
  limits.histogram_series = std::min(limits.histogram_series, snapshot.metrics.max_series);
  return limits;
}

base::Result<int> duplicate(int fd) {
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return base::fail(base::os_error(errno, "duplicating a listening socket"));
  return copy;
}

}  // namespace

size_t worker_count(const control::Snapshot& snapshot) {
  if (snapshot.server.workers != 0) return snapshot.server.workers;
  cpu_set_t usable;
  CPU_ZERO(&usable);
  if (sched_getaffinity(0, sizeof usable, &usable) != 0) return 1;
  return static_cast<size_t>(std::max(1, CPU_COUNT(&usable)));
}

Gateway::Gateway(const control::Snapshot& snapshot)
    : registry_(registry_limits(snapshot)), worker_count_(worker_count(snapshot)) {
  registry_.add_collector([this](std::vector<telemetry::CollectedSample>& samples) {
    const MediaMemory& memory = shared_.media_memory;
    samples.push_back({telemetry::FamilyId::fetched_media, {}, static_cast<double>(memory.held())});
    samples.push_back({telemetry::FamilyId::fetched_media_refusals, {}, static_cast<double>(memory.refused())});
  });
}

std::expected<std::unique_ptr<Gateway>, std::string> Gateway::start(GatewayOptions options) {
  if (auto checked = check(*options.snapshot); !checked) return Failure(std::move(checked).error());
  std::unique_ptr<Gateway> gateway(new Gateway(*options.snapshot));
  gateway->snapshot_ = options.snapshot;
  gateway->shared_.admin = options.admin;
  gateway->shared_.responses.set_database(
      control::responses_database(options.snapshot->store, options.snapshot->server.data_dir),
      control::responses_spool(options.snapshot->server.data_dir));
  std::string fault = gateway->open_logs();
  if (fault.empty()) fault = gateway->open_sockets(options);
  if (fault.empty()) fault = gateway->open_ledger(options.database_wait);
  if (fault.empty()) fault = gateway->open_shared_limits();
  if (fault.empty()) gateway->limit_clients(options.open_files_max);
  if (fault.empty()) fault = gateway->start_workers();
  if (!fault.empty()) return Failure(std::move(fault));
  return gateway;
}

std::expected<void, std::string> Gateway::check(const control::Snapshot& snapshot) {
  if (auto tls = tls_server_options(snapshot, {})) {
    if (!net::TlsServerContext::create(*tls)) {
      return Failure("server.tls: " + std::string(net::last_tls_error()));
    }
  }
  for (const control::Connection& connection : snapshot.connections) {
    if (auto checked = UpstreamConnector::check(connection); !checked) {
      return Failure("connection \"" + connection.name + "\": " + checked.error());
    }
  }
  return {};
}

std::string Gateway::open_logs() {
  const control::LogSettings& from = snapshot_->log;
  telemetry::LogOptions to;
  to.operational = telemetry::parse_log_destination(from.output);
  to.access = from.access ? to.operational : LogDestination{.kind = LogDestination::Kind::none, .path = {}};
  to.level = log_level(from.level);
  to.slow_request = from.slow_request;
  auto writer = telemetry::LogWriter::start(to);
  if (!writer) {
    return "log.output: \"" + from.output + "\" cannot be opened: " + std::strerror(writer.error().os_error);
  }
  log_writer_ = std::move(*writer);
  log_writer_->add_metrics(registry_);
  log_ = &log_writer_->add_producer();
  return {};
}

std::string Gateway::open_ledger(base::Duration database_wait) {
  const control::LedgerSettings& settings = snapshot_->ledger;
  if (!settings.enabled) return {};
  telemetry::Log& log = log_writer_->add_producer();
  const std::string data_dir = snapshot_->server.data_dir;
  auto ledger =
      control::Ledger::start({.directory = data_dir,
                              .workers = worker_count_,
                              .retention = settings.retention,
                              .bytes_max = settings.max_size.bytes,
                              .open_database = control::ledger_access(snapshot_->store, data_dir).open_database,
                              .report = [&log](std::string_view message, const base::Error& error) {
                                log.warn(message, {{"error", error}});
                              }});
  if (!ledger) {
    return "the ledger in " + control::ledger_directory(data_dir) +
           " cannot be made: " + std::strerror(ledger.error().os_error);
  }
  ledger_ = std::move(*ledger);
  ledger_->restore_budgets(snapshot_, database_wait);
  registry_.add_collector([this](std::vector<telemetry::CollectedSample>& samples) {
    if (ledger_ == nullptr) return;
    samples.push_back({telemetry::FamilyId::ledger_records, {}, static_cast<double>(ledger_->appended())});
    samples.push_back({telemetry::FamilyId::ledger_lost, {}, static_cast<double>(ledger_->lost())});
    samples.push_back({telemetry::FamilyId::ledger_waiting, {}, static_cast<double>(ledger_->waiting_bytes())});
  });
  return {};
}

std::string Gateway::open_shared_limits() {
  const control::RedisSettings& settings = snapshot_->redis;
  if (settings.url.empty()) return {};
  auto address = store::parse_redis_url(settings.url.reveal());
  if (!address) return "redis.url: " + address.error();
  telemetry::Log& log = log_writer_->add_producer();
  shared_limits_ = std::make_unique<control::SharedLimits>(
      control::SharedLimitsOptions{
          .address = std::move(*address),
          .prefix = settings.prefix,
          .timeout = settings.timeout,
          .report = [&log](std::string_view message,
                           const base::Error& error) { log.warn(message, {{"error", error}}); }},
      snapshot_);
  if (!shared_limits_->wait_until_known(control::SharedLimits::kFirstAnswerLimit)) {
    log.warn("Redis has not said yet what other gateways have used; until it does this one counts for itself",
             {{"waited_ms", control::SharedLimits::kFirstAnswerLimit}});
  }
  return {};
}

std::string Gateway::open_sockets(GatewayOptions& options) {
  const auto& wanted = options.listen.empty() ? snapshot_->listen : options.listen;
  shared_acceptor_ = snapshot_->server.acceptor == control::AcceptorMode::shared;
  tls_ = !snapshot_->server_tls.certificate.empty();
  const OpenOptions open{.count = shared_acceptor_ ? 1 : worker_count_,
                         .backlog = static_cast<int>(snapshot_->server.listen_backlog)};
  std::vector<std::vector<ListeningSocket>> groups;
  for (const control::ListenAddress& address : wanted) {
    auto targets = listen_targets(address);
    if (!targets) return std::move(targets).error();
    for (const ListenTarget& target : *targets) {
      auto sockets = sockets_for(target, options.inherited, open);
      if (!sockets) return std::move(sockets).error();
      if (sockets->empty()) continue;
      groups.push_back(std::move(*sockets));
      if (is_dual_stack(groups.back().front().fd())) break;  // it has the other family as well
    }
  }
  for (auto& socket : options.inherited) {
    if (socket.name().starts_with(kActivatedPrefix)) groups.emplace_back().push_back(std::move(socket));
  }
  options.inherited.clear();
  if (groups.empty()) return "no address to listen on; set server.listen";

  shares_.resize(worker_count_);
  for (auto& group : groups) {
    if (std::string fault = deal(group); !fault.empty()) return fault;
  }
  return {};
}

// Gives the sockets of one address to the workers, or to the shared acceptor.
std::string Gateway::deal(std::vector<ListeningSocket>& group) {
  const auto address = net::Address::local_of(group.front().fd());
  if (!address) return "a listening socket has no address";
  addresses_.push_back(address->to_string());
  const bool tls = tls_ && !address->is_unix();
  const auto shares = deal_out(group.size(), worker_count_);
  std::vector<bool> given(group.size(), false);
  for (size_t worker = 0; worker < worker_count_ && !shared_acceptor_; ++worker) {
    for (const size_t index : shares[worker]) {
      int fd = group[index].fd();
      if (given[index]) {
        auto copy = duplicate(fd);
        if (!copy) return "out of descriptors for listening sockets; raise the limit of open files";
        fd = *copy;
      }
      given[index] = true;
      shares_[worker].push_back({fd, tls});
    }
  }
  for (ListeningSocket& socket : group) {
    listeners_.push_back({socket.name(), socket.fd()});
    const int fd = socket.release();  // a share owns it now
    if (shared_acceptor_) acceptor_sockets_.push_back({fd, tls});
  }
  return {};
}

std::string Gateway::start_workers() {
  shared_.registry = &registry_;
  loads_.adopt(snapshot_);
  registry_.add_collector([this](std::vector<telemetry::CollectedSample>& samples) { loads_.collect(samples); });
  shared_.workers = static_cast<uint32_t>(worker_count_);
  shared_.metrics_on_admin = snapshot_->admin_listen.has_value();
  shared_.heartbeats.reset(worker_count_, base::real_now());
  ticket_keys_ = net::make_tls_ticket_keys();
  workers_left_.store(worker_count_, std::memory_order_relaxed);
  std::vector<std::future<std::string>> started;
  for (size_t i = 0; i < worker_count_; ++i) {
    workers_.push_back(
        std::make_unique<WorkerThread>(WorkerThreadOptions{.index = i,
                                                           .workers = worker_count_,
                                                           .shared = &shared_,
                                                           .log = &log_writer_->add_producer(),
                                                           .ledger = ledger_ ? &ledger_->writer(i) : nullptr,
                                                           .snapshot = snapshot_,
                                                           .ticket_keys = ticket_keys_,
                                                           .sockets = std::move(shares_[i]),
                                                           .on_ended = [this] { on_worker_ended(); }}));
    started.push_back(workers_.back()->start());
  }
  shares_.clear();
  std::string fault;
  for (auto& future : started) {
    std::string text = future.get();
    if (fault.empty()) fault = std::move(text);
  }
  if (fault.empty() && shared_acceptor_) {
    std::vector<WorkerThread*> all;
    for (const auto& worker : workers_) all.push_back(worker.get());
    acceptor_ = std::make_unique<SharedAcceptor>(
        std::exchange(acceptor_sockets_, {}), std::move(all),
        registry_.counter(registry_.add_shard(), telemetry::FamilyId::accept_failures));
  }
  apply_settings();
  return fault;
}

Gateway::~Gateway() {
  acceptor_.reset();
  for (const auto& worker : workers_) worker->join();
  shared_.responses.close();
  workers_.clear();
  shared_limits_.reset();
  ledger_.reset();
  for (const auto& share : shares_) {
    for (const WorkerSocket& socket : share) close(socket.fd);
  }
  for (const WorkerSocket& socket : acceptor_sockets_) close(socket.fd);
  if (log_writer_ != nullptr) log_writer_->stop(kLogFlushLimit);
}

void Gateway::apply_settings() {
  log_writer_->set_level(log_level(snapshot_->log.level));
  log_writer_->set_slow_request(snapshot_->log.slow_request);
  if (acceptor_ != nullptr) {
    const uint64_t each = std::max<uint64_t>(1, clients_wanted() / worker_count_);
    acceptor_->set_connections_max(std::min<uint64_t>(each, shared_.clients_allowed));
  }
}

uint64_t Gateway::clients_wanted() const {
  const control::ServerSettings& server = snapshot_->server;
  const uint64_t each = server.max_connections_per_worker;
  return each != 0 ? each * worker_count_ : server.max_connections;
}

void Gateway::limit_clients(uint64_t open_files_max) {
  shared_.clients_allowed = clients_allowed(open_files_max, worker_count_);
  const uint64_t allowed = uint64_t{shared_.clients_allowed} * worker_count_;
  if (allowed >= clients_wanted()) return;
  log_->warn("the limit of open files allows fewer client connections than the settings; raise it",
             {{"open_files", open_files_max}, {"client_connections", allowed}, {"max_connections", clients_wanted()}});
}

std::expected<void, std::string> Gateway::publish(const std::shared_ptr<const control::Snapshot>& snapshot) {
  if (draining()) return Failure("the gateway is stopping");
  const auto before = std::exchange(snapshot_, snapshot);
  loads_.adopt(snapshot);
  apply_settings();
  if (shared_limits_ != nullptr) shared_limits_->adopt(snapshot);
  if (ledger_ != nullptr) ledger_->set_limits(snapshot->ledger.retention, snapshot->ledger.max_size.bytes);
  std::vector<std::future<void>> taken;
  for (const auto& worker : workers_) taken.push_back(worker->adopt(snapshot));
  const auto limit = std::chrono::steady_clock::now() + kWorkerAnswerLimit;
  std::string late;
  for (size_t i = 0; i < taken.size(); ++i) {
    if (taken[i].wait_until(limit) == std::future_status::ready) continue;
    late += (late.empty() ? "worker " : ", worker ") + std::to_string(i);
  }
  // Now no call begins by the limits of before.
  control::carry_windows_over(*before, *snapshot, base::real_now().time_since_epoch().count());
  change_periods();
  if (!late.empty()) return Failure(late + " does not answer and serves by the old configuration until it does");
  return {};
}

// Without a ledger nobody knows what was spent in the new period: what was in the old one counts on in it.
void Gateway::change_periods() {
  if (ledger_ != nullptr) return ledger_->change_periods(snapshot_);
  const int64_t wall = base::real_wall_now().time_since_epoch() / std::chrono::seconds(1);
  for (const control::Scope* const scope : control::scopes_of_other_periods(*snapshot_)) {
    admission::change_period(*scope->meter, scope->compiled().period, admission::spent(*scope->meter), wall);
  }
}

void Gateway::drain(base::Duration limit, std::function<void()> on_drained) {
  if (draining()) return;
  on_drained_ = std::move(on_drained);
  shared_.draining.store(true, std::memory_order_relaxed);
  if (acceptor_ != nullptr) acceptor_->stop();
  std::vector<std::future<void>> stopped;
  for (const auto& worker : workers_) stopped.push_back(worker->drain(limit));
  const auto until = std::chrono::steady_clock::now() + kWorkerAnswerLimit;
  for (auto& future : stopped) (void)future.wait_until(until);
  listeners_.clear();
}

void Gateway::cancel_rest() {
  for (const auto& worker : workers_) {
    if (!worker->ended()) worker->cancel_rest();
  }
}

void Gateway::on_worker_ended() {
  if (workers_left_.fetch_sub(1, std::memory_order_acq_rel) == 1 && on_drained_) on_drained_();
}

uint64_t Gateway::unsaved_records() {
  if (ledger_ == nullptr) return 0;
  ledger_->workers_ended();
  return ledger_->in_memory();
}

uint64_t Gateway::running() const {
  uint64_t sum = 0;
  for (const auto& worker : workers_) sum += worker->running();
  return sum;
}

WorkerCounts Gateway::counts() {
  std::vector<std::future<WorkerCounts>> answers;
  for (const auto& worker : workers_) {
    if (!worker->ended()) answers.push_back(worker->counts());
  }
  WorkerCounts sum{.snapshot_version = snapshot_->version};
  const auto limit = std::chrono::steady_clock::now() + kWorkerAnswerLimit;
  for (auto& answer : answers) {
    if (answer.wait_until(limit) != std::future_status::ready) continue;
    const WorkerCounts one = answer.get();
    sum.connections += one.connections;
    sum.in_flight += one.in_flight;
    sum.requests += one.requests;
    sum.upstream_connections += one.upstream_connections;
    sum.snapshot_version = std::min(sum.snapshot_version, one.snapshot_version);
  }
  return sum;
}

}  // namespace llmgw::gateway
