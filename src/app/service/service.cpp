// A service while it runs: signals, commands, reloads, the end.
#include "app/service/service.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "admin/engines/health_api.h"
#include "app/process/drain_files.h"
#include "app/service/config_files.h"
#include "app/service/process_setup.h"
#include "app/service/route_ask.h"
#include "control/serving_needs.h"
#include "net/io.h"

namespace llmgw::app {
namespace {

using base::Duration;
using net::Task;

constexpr Duration kSettleTime = std::chrono::seconds(1);
constexpr Duration kTrialInterval = std::chrono::milliseconds(100);
constexpr Duration kRoomInterval = std::chrono::milliseconds(100);
constexpr Duration kLookAfterInterval = std::chrono::seconds(1);
// When watching files or the control socket fails, for want of descriptors: tried again after this.
constexpr Duration kRetryInterval = std::chrono::seconds(5);

// How long after drain_timeout the workers may take to clean up.
constexpr Duration kDrainOverrun = std::chrono::seconds(10);
constexpr Duration kLastFlushLimit = std::chrono::seconds(1);
// The log's thread takes up to 25 ms, on a crowded machine more; behind one whose reader stands still nobody waits.
constexpr Duration kReopenLimit = std::chrono::milliseconds(500);
// A process that was killed has ended long before; one that was turned away ends when it would have served.
constexpr Duration kGivenUpLimit = std::chrono::seconds(5);

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

telemetry::Log& Service::log() {
  return gateway_->log();
}

int Service::run() {
  const std::string listen = join(gateway_->addresses());
  log().info("serving", {{"version", LLMGW_VERSION},
                         {"pid", getpid()},
                         {"listen", listen},
                         {"workers", gateway_->workers()},
                         {"config", options_.config_path},
                         {"start_ms", base::real_now() - started_at_}});
  (void)notifier_.ready("serving on " + listen);
  loop_.run();
  // It holds the PID file's lock until it has ended, and whoever reads "stopped" may start another at once.
  const base::Instant until = base::real_now() + kGivenUpLimit;
  for (const auto& process : given_up_) (void)process.wait_for_end(until - base::real_now());
  log().info("stopped",
             {{"uptime_s", std::chrono::duration_cast<std::chrono::seconds>(base::real_now() - started_at_).count()}});
  return kExitOk;
}

Task<void> Service::watch_signals() {
  auto watched = WatchedDescriptor::watch(loop_, signals_.get());
  if (!watched) co_return log().error("signals cannot be watched", {{"error", watched.error()}});
  for (;;) {
    if (!co_await watched->readable({})) co_return;
    while (const int number = next_signal(signals_.get())) on_signal(number);
  }
}

void Service::on_signal(int number) {
  switch (number) {
    case SIGHUP: (void)reload("SIGHUP"); return;
    case SIGUSR1:
      log().info("the log file is opened anew", {{"cause", "SIGUSR1"}});
      gateway_->log_writer().reopen();
      return;
    case SIGUSR2: log().warn("SIGUSR2 does nothing here; a new process takes over by `llm-gateway upgrade`"); return;
    case SIGALRM: log().warn("SIGALRM does nothing here"); return;
    default: break;
  }
  if (!gateway_->draining()) {
    stop(number == SIGINT ? "SIGINT" : number == SIGQUIT ? "SIGQUIT" : "SIGTERM");
  } else if (number == SIGINT) {
    // Somebody at a terminal does not want to wait. A second SIGTERM is a service manager repeating itself.
    log().warn("second SIGINT: running requests are cut off");
    drained_until_ = base::real_now();
    gateway_->cancel_rest();
  } else if (handed_over_ && !std::exchange(hurries_, true)) {
    tasks_.spawn(shorten_drain());
  }
}

Task<void> Service::watch_control() {
  // It has taken over, and its start went on without.
  while (!control_->published()) {
    if (!co_await net::sleep_for(loop_, kRetryInterval)) co_return;
    if (control_->publish()) log().info("commands reach this process now");
  }
  auto watched = WatchedDescriptor::watch(loop_, control_->fd());
  if (!watched) co_return log().error("the control socket cannot be watched", {{"error", watched.error()}});
  for (;;) {
    control_->on_ready();
    if (!co_await watched->readable({})) co_return;
  }
}

Task<void> Service::watch_files() {
  if (!reloader_->snapshot()->server.watch_config) co_return;
  auto started = watcher_.watch(reloader_->watched_files());
  while (!started) {
    log().warn("files are not watched for changes", {{"error", started.error()}});
    if (!co_await net::sleep_for(loop_, kRetryInterval)) co_return;
    started = watcher_.watch(reloader_->watched_files());
  }
  auto watched = WatchedDescriptor::watch(loop_, watcher_.fd());
  if (!watched) co_return log().error("files are not watched for changes", {{"error", watched.error()}});
  for (;;) {
    const auto ready = co_await watched->readable({.deadline = watcher_.deadline()});
    if (ready) {
      watcher_.on_readable(loop_.now());
    } else if (watcher_.changed(loop_.now()) && !gateway_->draining()) {
      // Until it has the sockets to itself, the service manager listens to the predecessor.
      while (takeover_ && co_await net::sleep_for(loop_, kTrialInterval)) {
      }
      (void)reload("a file changed");
    }
  }
}

// When the other threads have started as well.
Task<void> Service::settle_down() {
  if (co_await net::sleep_for(loop_, kSettleTime)) give_back_start_memory();
}

Task<void> Service::look_after() {
  const Duration interval = std::min(kLookAfterInterval, notifier_.watchdog_period().value_or(kLookAfterInterval));
  for (;;) {
    std::string trouble = gateway_->trouble(loop_.now());
    if (trouble.empty() != trouble_.empty()) {
      if (trouble.empty()) {
        log().info("all workers answer again");
      } else {
        log().error("a worker hangs", {{"reason", trouble}});
      }
    }
    trouble_ = std::move(trouble);
    look_at_master_key();
    if (pid_file_ && !pid_file_->is_numbered()) (void)pid_file_->write_number();
    api_->write_refusals(loop_.wall_now());
    for (const std::string& name : engines_.expire(loop_.now())) {
      log().warn("an engine was not heard of and is gone", {{"engine", name}});
    }
    // A service manager that watches restarts a program whose workers hang.
    if (trouble_.empty()) (void)notifier_.watchdog();
    if (!co_await net::sleep_for(loop_, interval)) co_return;
  }
}

CommandAnswer Service::reload(std::string_view cause, control::Reloader::Emptying emptying) {
  if (gateway_->draining()) return {.ok = false, .message = "the gateway is stopping; nothing was reloaded"};
  (void)notifier_.reloading(base::real_now());
  // Tried on a copy: the running one must know the configuration in force, also when certificates stop the new one.
  control::Reloader attempt = *reloader_;
  auto diff = attempt.reload(emptying);
  std::string problem;
  if (!diff) {
    problem = control::format_errors(diff.error(), options_.config_path);
  } else if (const auto errors = check_files(*attempt.file(), reloader_->file().get()); !errors.empty()) {
    problem = control::format_errors(errors, options_.config_path);
  } else if (auto checked = gateway::Gateway::check(*attempt.snapshot()); !checked) {
    problem = options_.config_path + ": " + checked.error() + "\n";
  }
  const std::string log_trouble = reopen_log();
  if (!problem.empty()) {
    last_reload_error_ = problem;
    reload_metrics_->reload_failed();
    log().error("configuration not reloaded, the old one stays in force", {{"cause", cause}, {"reason", problem}});
    (void)notifier_.ready("the configuration file is faulty; serving by the old one");
    return {.ok = false, .message = problem + log_trouble};
  }
  reloader_ = std::move(attempt);
  last_reload_error_.clear();
  tell_api();
  const auto published = gateway_->publish(reloader_->snapshot());
  log_notes();
  warn_of_missing();
  if (!diff->shrunk.empty()) {
    log().warn("more than half of a kind was removed", {{"cause", cause}, {"removed", diff->shrunk}});
  }
  if (watcher_.fd() >= 0) (void)watcher_.watch(reloader_->watched_files());
  reload_metrics_->reload_succeeded(base::real_wall_now());

  CommandAnswer answer{.ok = true, .message = "reloaded " + options_.config_path + ": " + diff->summary};
  const std::string now =
      control::format_timestamp({.seconds = base::real_wall_now().time_since_epoch() / std::chrono::seconds(1)});
  if (!diff->empty) {
    last_change_ = diff->summary + ", at " + now + " (" + std::string(cause) + ")";
  } else if (!last_change_.empty()) {
    answer.message += "; read before: " + last_change_;
  } else {
    answer.message += " since the start";
  }
  auto settings = waiting_for_restart();
  const std::string waiting = join(settings);
  if (std::erase(settings, kKeptByUpgrade) > 0) {
    answer.message += "\nin force only after a stop and a start: " + std::string(kKeptByUpgrade);
  }
  if (!settings.empty()) {
    answer.message += "\nin force only after `llm-gateway upgrade` or a restart: " + join(settings);
  }
  if (!diff->shrunk.empty()) answer.message += "\nmore than half of a kind was removed: " + diff->shrunk;
  if (emptying == control::Reloader::Emptying::allowed && store_state_ == Trouble::refused) {
    feed_->thread().take_what_is_there();
    log().warn("the store is taken as it is now", {{"cause", cause}, {"store", feed_->place()}});
    answer.message += "\nthe store is taken as it is now: " + feed_->place();
  }
  if (!missing_.empty()) answer.message += "\nno call can be served: there is " + missing_;
  answer.message += log_trouble + log_doubts();
  if (!published) answer.message += "\n" + published.error();
  log().info("configuration reloaded", {{"cause", cause},
                                        {"changes", diff->summary},
                                        {"restart_required", waiting},
                                        {"snapshot", reloader_->snapshot()->version}});
  (void)notifier_.ready("serving on " + join(gateway_->addresses()));
  return answer;
}

// What it says follows an answer; empty when all went well.
std::string Service::reopen_log() {
  telemetry::LogWriter& writer = gateway_->log_writer();
  writer.reopen();
  (void)writer.flush(kReopenLimit);
  const std::string problem = writer.reopen_problem();
  return problem.empty() ? ""
                         : "\nthe log file could not be opened anew: " + problem + "; lines go on into the old one";
}

std::vector<std::string> Service::waiting_for_restart() const {
  auto settings = reloader_->restart_required();
  // A successor is given --listen, too.
  if (!options_.listen.empty()) std::erase(settings, "server.listen");
  return settings;
}

void Service::stop(std::string_view cause) {
  if (gateway_->draining()) return;
  (void)notifier_.stopping();
  give_up_upgrade();
  begin_drain(cause, gateway_->snapshot().server.drain_timeout);
}

void Service::begin_drain(std::string_view cause, Duration limit) {
  log().info("draining", {{"cause", cause}, {"limit_ms", limit}});
  drained_until_ = base::real_now() + limit;
  gateway_->drain(limit, [this] { loop_.post([this] { tasks_.spawn(end_in_order()); }); });
  tasks_.spawn(end_by_force(limit + kDrainOverrun));
}

Task<void> Service::shorten_drain() {
  const Duration limit = gateway_->snapshot().server.drain_timeout;
  log().info("draining", {{"cause", "SIGTERM after an upgrade"}, {"limit_ms", limit}});
  drained_until_ = std::min(drained_until_, base::real_now() + limit);
  if (co_await net::sleep_for(loop_, limit)) gateway_->cancel_rest();
}

Task<void> Service::end_in_order() {
  bool said = false;
  while (base::real_now() < drained_until_) {
    const uint64_t unsaved = gateway_->unsaved_records();
    if (unsaved == 0) break;
    if (!std::exchange(said, true)) {
      log().error("records of the ledger are in memory alone, and the disk is full: the end waits for room",
                  {{"records", unsaved}, {"limit_ms", drained_until_ - base::real_now()}});
    }
    if (!co_await net::sleep_for(loop_, kRoomInterval)) co_return;
  }
  loop_.stop();
}

// A worker that hangs never drains, and its thread cannot be joined.
Task<void> Service::end_by_force(Duration limit) {
  if (!co_await net::sleep_for(loop_, limit)) co_return;
  log().error("a worker did not end; the program ends without it", {{"reason", trouble_}});
  (void)gateway_->log_writer().flush(kLastFlushLimit);
  if (!leaves_heir()) remove_unix_sockets();
  _exit(kExitFailed);
}

void Service::remove_unix_sockets() {
  for (const std::string& path : unix_sockets_) unlink(path.c_str());
}

void Service::on_command(const process::ControlRequest& request) {
  switch (request.command) {
    case process::ControlCommand::status: {
      control_->reply(request.client, write_status(status_report()));
      return;
    }
    case process::ControlCommand::reload: {
      using Emptying = control::Reloader::Emptying;
      const bool force = request.argument == "force";
      control_->reply(request.client, write_answer(reload("command", force ? Emptying::allowed : Emptying::refused)));
      return;
    }
    case process::ControlCommand::stop: {
      const bool first = !gateway_->draining();
      control_->reply(request.client, write_answer({.ok = true, .message = first ? "stopping" : "stopping already"}));
      // Who asks for the end of the gateway before its new process can be asked means that one.
      turn_claimant_away();
      stop("command");
      if (heir_) (void)heir_->send_signal(SIGTERM);
      return;
    }
    case process::ControlCommand::refresh: refresh(request.client); return;
    case process::ControlCommand::explain: {
      control_->reply(request.client, write_answer(explain(request.argument)));
      return;
    }
    case process::ControlCommand::health: {
      auto answer = admin::answer_health(gateway_->snapshot(), gateway_->shared().routing, loop_.now());
      control_->reply(request.client, write_answer({.ok = true, .message = std::move(answer.body)}));
      return;
    }
    case process::ControlCommand::upgrade: start_upgrade(request.client, request.argument); return;
  }
}

CommandAnswer Service::explain(std::string_view argument) {
  auto text =
      gateway::explain_route(gateway_->snapshot(), gateway_->shared().routing, read_explain_ask(argument), loop_.now());
  if (!text) return {.ok = false, .message = "llm-gateway route explain: " + text.error()};
  return {.ok = true, .message = std::move(*text)};
}

StatusReport Service::status_report() {
  const control::Snapshot& snapshot = gateway_->snapshot();
  const gateway::WorkerCounts counts = gateway_->counts();
  const auto added = telemetry::Reader(gateway_->registry()).histogram_total(telemetry::FamilyId::added_time);
  return {.pid = getpid(),
          .version = LLMGW_VERSION,
          .state = gateway_->draining() ? "draining" : "serving",
          .trouble = trouble_,
          .uptime = base::real_now() - started_at_,
          .config = options_.config_path,
          .snapshot_version = counts.snapshot_version,
          .last_reload_error = last_reload_error_,
          .log_trouble = gateway_->log_writer().reopen_problem(),
          .restart_required = waiting_for_restart(),
          .store = feed_ != nullptr ? feed_->place() : std::string(),
          .store_trouble = store_trouble_,
          .store_away = store_state_ == Trouble::away,
          .store_unreadable = unreadable(),
          .master_key = reloader_->stored() != nullptr ? reloader_->stored()->secrets.vault->sealing_key_id() : "",
          .predecessors = process::draining_processes(data_dir_),
          .listen = gateway_->addresses(),
          .admin_listen = admin_address_,
          .tls = gateway_->tls(),
          .workers = gateway_->workers(),
          .missing = control::missing_needs(control::serving_needs(snapshot)),
          .connections_configured = snapshot.connections.size(),
          .models = snapshot.models.size(),
          .keys = snapshot.principals.size(),
          .requests = counts.requests,
          .in_flight = counts.in_flight,
          .client_connections = counts.connections,
          .upstream_connections = counts.upstream_connections,
          .added_p50 = added.quantile(0.5),
          .added_p99 = added.quantile(0.99)};
}

}  // namespace llmgw::app
