// How a service starts: configuration, data directory, sockets, workers, and at last the control socket.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>
#include <thread>

#include "app/process/drain_files.h"
#include "app/process/listening_sockets.h"
#include "app/process/successor.h"
#include "app/service/config_files.h"
#include "app/service/config_path.h"
#include "app/service/process_setup.h"
#include "app/service/service.h"
#include "control/serving_needs.h"
#include "gateway/entrance/descriptors.h"
#include "net/tls.h"
#include "store/sql/ending.h"

namespace llmgw::app {
namespace {

using gateway::ListeningSocket;
using net::Task;

// A predecessor answers at once; one that does not within this hangs.
constexpr base::Duration kTakeoverLimit = std::chrono::seconds(10);
constexpr base::Duration kTakeoverInterval = std::chrono::milliseconds(10);
constexpr const char* kAdminListener = "admin";
// How long a process that ends waits for a database that does not answer, all in all.
constexpr base::Duration kLastDatabaseWait = std::chrono::seconds(3);
constexpr size_t kActivatedNameBytesMax = 100;  // with its prefix it must fit into process::kListenerNameBytesMax

std::unexpected<StartFault> fault(std::string message, int status = kExitFailed) {
  return std::unexpected(StartFault{.exit_status = status, .message = std::move(message)});
}

std::string describe(const base::Error& error) {
  std::string text(base::to_string(error.code));
  if (*error.context != '\0') text += std::string(" (") + error.context + ")";
  return text;
}

std::unexpected<StartFault> no_control(const std::string& data_dir, const base::Error& error) {
  return fault("the control socket in " + data_dir + ": " + describe(error));
}

bool serves_nothing(const control::Snapshot& snapshot) {
  return snapshot.connections.empty() && snapshot.models.empty() && snapshot.principals.empty();
}

bool is_successor() {
  return std::getenv(process::kPredecessorVariable) != nullptr;
}

// Whether the process this one is to take over from lives.
bool has_predecessor() {
  const char* const predecessor = std::getenv(process::kPredecessorVariable);
  return predecessor != nullptr && std::to_string(getppid()) == predecessor;
}

// Whether somebody is served by the file without any store.
bool serves_alone(const control::Config& file) {
  const control::ServingNeeds needs = control::serving_needs(file);
  return needs.models != 0 && needs.callers != 0;
}

// Names that tell a successor, too, that a service manager owns the socket; but "admin" is for whom it names.
void take_activated(std::vector<process::InheritedListener>& from, std::vector<ListeningSocket>& to) {
  for (auto& listener : from) {
    const bool admin = listener.name == kAdminListener;
    to.emplace_back(admin ? listener.name
                          : std::string(gateway::kActivatedPrefix) + listener.name.substr(0, kActivatedNameBytesMax),
                    listener.socket.release());
  }
}

std::string no_takeover(const base::Error& error, std::string reason) {
  if (auto answer = read_answer(reason)) reason = answer->message;
  return "the running gateway does not hand its sockets over: " + (reason.empty() ? describe(error) : reason);
}

// Nothing: whoever runs there ends at this moment, or starts, and may be asked again, or its place is free. `refusal`
// says why there is no use in that.
std::optional<process::Takeover> request_takeover(const std::string& data_dir, base::Instant deadline,
                                                  std::string& refusal) {
  std::string reason;
  auto takeover = process::Takeover::request(data_dir, kTakeoverLimit, &reason);
  if (takeover) return std::move(*takeover);
  const base::ErrorCode code = takeover.error().code;
  const bool passes =
      code == base::ErrorCode::refused || code == base::ErrorCode::closed || code == base::ErrorCode::reset;
  if (!passes || base::real_now() >= deadline) refusal = no_takeover(takeover.error(), std::move(reason));
  return std::nullopt;
}

}  // namespace

Service::Service(ServiceOptions options)
    : options_(std::move(options)),
      loop_(net::make_epoll_poller()),
      network_(net::make_socket_network(loop_)),
      started_at_(base::real_now()) {}

Service::~Service() {
  tasks_.cancel_all();
  admin_.reset();
  control_.reset();
  const store::EndingSoon ending(kLastDatabaseWait);
  // Their threads post to the loops of the workers and to ours.
  if (api_ != nullptr) api_->write_refusals(base::real_wall_now(), true);
  if (feed_ != nullptr) feed_->stop();
  if (api_ != nullptr) api_->stop();
  gateway_.reset();
  if (!leaves_heir()) {
    remove_unix_sockets();
  } else if (pid_file_) {
    pid_file_->release();
  }
}

Service::Started Service::start() {
  auto signals = block_signals();
  if (!signals) return fault("signals cannot be set up: " + describe(signals.error()));
  signals_ = std::move(*signals);
  std::vector<ListeningSocket> inherited;
  if (auto notifier = process::SystemdNotifier::from_environment()) notifier_ = std::move(*notifier);
  auto activated = process::take_activated_sockets();
  if (!activated) return fault("socket activation: " + describe(activated.error()));
  take_activated(*activated, inherited);
  const bool admin_activated = std::ranges::find(inherited, kAdminListener, &ListeningSocket::name) != inherited.end();

  if (auto loaded = load_configuration(); !loaded) return loaded;
  const control::Snapshot& snapshot = *reloader_->snapshot();
  if (admin_activated && !snapshot.admin_listen) {
    return fault(
        "socket activation: there is a socket named 'admin', which is for server.admin_listen, and that is not "
        "set: set it, or give the socket another name");
  }
  const size_t open_files_max = raise_descriptor_limit();
  const size_t workers = gateway::worker_count(snapshot);
  if (const uint64_t needed = gateway::descriptors_needed(workers); open_files_max != 0 && open_files_max < needed) {
    return fault("no more than " + std::to_string(open_files_max) +
                 " files may be open (ulimit -n, LimitNOFILE=), and " + std::to_string(needed) +
                 " are needed to serve anybody; raise the limit, better to 65536");
  }
  tune_allocator(workers + 1);
  if (auto claimed = claim_data_dir(inherited); !claimed) return claimed;
  if (auto opened = open_store(); !opened) return opened;
  if (takeover_ && reloader_->file_says_nothing() && serves_nothing(*reloader_->snapshot())) {
    return fault(options_.config_path + " is empty, and so is the store: the gateway that runs, which has a " +
                 "configuration, stays; mend the file, or stop that one and start anew");
  }
  if (auto opened = open_admin(inherited); !opened) return opened;

  std::vector<std::string> lent;
  for (const ListeningSocket& socket : inherited) lent.push_back(socket.name());
  auto started = gateway::Gateway::start({.snapshot = reloader_->snapshot(),
                                          .listen = options_.listen,
                                          .inherited = std::move(inherited),
                                          .admin = reloader_->snapshot()->admin_listen ? nullptr : api_.get(),
                                          .open_files_max = open_files_max,
                                          .database_wait = database_wait_});
  if (!started) return fault(std::move(started).error());
  gateway_ = std::move(*started);
  engines_.on_change([this] { loop_.post([this] { take_engines(); }); });
  api_->set_gateway(&gateway_->shared().routing, &gateway_->shared().readiness, &engines_);
  own_unix_sockets(lent);
  if (auto opened = open_control(); !opened) return opened;
  if (auto taken = complete_takeover(); !taken) return taken;
  own_unix_sockets({});
  watch_everything();
  return {};
}

void Service::own_unix_sockets(const std::vector<std::string>& lent) {
  unix_sockets_.clear();
  for (const auto& listener : gateway_->listeners()) {
    const bool own = std::ranges::find(lent, listener.name) == lent.end();
    if (own && listener.name.starts_with("unix:/")) unix_sockets_.push_back(listener.name.substr(5));
  }
}

Service::Started Service::load_configuration() {
  reloader_.emplace(options_.config_path, static_cast<int64_t>(std::time(nullptr)));
  if (auto loaded = reloader_->load(); !loaded) {
    return fault(control::format_errors(loaded.error(), options_.config_path), kExitUsage);
  }
  if (const auto errors = check_files(*reloader_->file()); !errors.empty()) {
    return fault(control::format_errors(errors, options_.config_path), kExitUsage);
  }
  data_dir_ = reloader_->snapshot()->server.data_dir;
  return {};
}

Service::Started Service::open_store() {
  const control::Config& file = *reloader_->file();
  auto access = control::StoreAccess::open(file.store, data_dir_);
  if (!access) return fault(std::move(access).error());
  if (access->any()) {
    feed_ = std::make_unique<ObjectFeed>(std::move(*access));
    const base::Instant began = base::real_now();
    if (auto stored = feed_->first()) {
      if (auto applied = reloader_->apply(std::move(stored)); !applied) {
        return fault(control::format_errors(applied.error(), options_.config_path), kExitUsage);
      }
    } else if (std::string problem = feed_->unreadable(); !problem.empty() && !serves_alone(file)) {
      return fault(std::move(problem));
    }
    // What the start has waited for one answer it does not wait again for the next.
    database_wait_ = std::max(base::Duration{0}, ObjectFeed::kFirstLimit - (base::real_now() - began));
  }
  admin::ApiServer::Store store{.control = &loop_};
  if (feed_ != nullptr) store.thread = &feed_->thread();
  if (feed_ != nullptr) store.access = &feed_->access();
  api_ = std::make_unique<admin::ApiServer>(store);
  tell_api();
  return {};
}

Service::Started Service::claim_data_dir(std::vector<ListeningSocket>& inherited) {
  if (std::string problem = make_data_dir(data_dir_); !problem.empty()) return fault(std::move(problem));
  const std::string path = pid_file_of(data_dir_);
  const base::Instant deadline = base::real_now() + kTakeoverLimit;
  for (bool first = true;; first = false) {
    auto acquired = process::PidFile::acquire(path);
    if (acquired) {
      // A predecessor that ended while it was asked is the parent for a moment yet.
      if (first && has_predecessor()) {
        return fault("server.data_dir is " + data_dir_ + " now, and the running gateway has another one, which an " +
                     "upgrade keeps; stop it and start anew, or set it back");
      }
      pid_file_ = std::move(*acquired);
      return {};
    }
    if (acquired.error().code != base::ErrorCode::already_exists) {
      const base::Error& error = acquired.error();
      return fault(path +
                   " cannot be written: " + (error.os_error != 0 ? std::strerror(error.os_error) : describe(error)));
    }
    if (!options_.take_over && !is_successor()) {
      const auto holder = process::PidFile::holder(path);
      return fault("a gateway (pid " + std::to_string(holder.value_or(0)) + ") runs with " + data_dir_ +
                   " already; stop it, take its place with `llm-gateway start`, or set another server.data_dir");
    }
    std::string refusal;
    takeover_ = request_takeover(data_dir_, deadline, refusal);
    if (!refusal.empty()) return fault(std::move(refusal));
    if (takeover_) break;
    std::this_thread::sleep_for(kTakeoverInterval);
  }
  for (auto& listener : takeover_->listeners()) {
    inherited.emplace_back(std::move(listener.name), listener.socket.release());
  }
  takeover_->listeners().clear();
  return {};
}

Service::Started Service::open_admin(std::vector<ListeningSocket>& inherited) {
  const auto& configured = reloader_->snapshot()->admin_listen;
  if (!configured) return {};
  auto targets = gateway::listen_targets(*configured, "server.admin_listen");
  if (!targets) return fault(std::move(targets).error());
  gateway::ListenTarget& target = targets->front();
  target.name = kAdminListener;
  auto sockets = gateway::sockets_for(target, inherited, {});
  if (!sockets) return fault(sockets.error());
  if (sockets->size() > 1) {
    return fault("server.admin_listen is one address, and " + std::to_string(sockets->size()) +
                 " sockets named 'admin' were handed over; give the others another name, or none");
  }
  auto listener = net::adopt_listener(loop_, sockets->front().release());
  if (!listener) return fault("server.admin_listen: " + describe(listener.error()));
  admin_address_ = (*listener)->address().to_string();
  admin_fd_ = (*listener)->fd();
  admin_handler_ = std::make_unique<AdminHandler>(
      AdminHandler::Sources{.registry = nullptr,
                            .trouble = [this] { return trouble_; },
                            .draining = [this] { return gateway_->draining(); },
                            .warning = [this] { return gateway_->shared().readiness.warning(); },
                            .snapshot = [this]() -> const control::Snapshot& { return gateway_->snapshot(); },
                            .api = api_.get()});
  admin_ = std::make_unique<http::Server>(loop_, *admin_handler_, admin_server_options());
  admin_->listen(std::move(*listener));
  return {};
}

Service::Started Service::complete_takeover() {
  if (!takeover_) {
    const auto published = control_->publish();
    if (!published) return no_control(data_dir_, published.error());
    watch_sources();
    return {};
  }
  watch_sources();
  std::string reason;
  const auto wait = [this](int connection, base::Instant deadline) { return stand_trial(connection, deadline); };
  if (auto ready = takeover_->announce_ready(kSuccessorTrialMax + kTakeoverLimit, &reason, wait); !ready) {
    if (ended_on_trial_ != 0) {
      return fault("told to end (" + std::string(sigdescr_np(ended_on_trial_)) +
                   ") while the running gateway still accepted beside it; that one goes on");
    }
    if (!reason.empty()) return fault(no_takeover(ready.error(), std::move(reason)));
    return fault("the running gateway does not stop accepting: " + describe(ready.error()));
  }
  // From here on nobody else serves: what fails is told, and this process serves without it.
  adopt_pid_file(takeover_->take_pid_file());
  takeover_.reset();
  if (auto published = control_->publish(); !published) {
    log().error("commands do not reach this process: the control socket cannot take its name",
                {{"data_dir", data_dir_}, {"error", published.error()}});
  }
  return {};
}

base::Result<void> Service::stand_trial(int connection, base::Instant deadline) {
  net::TaskGroup trial;
  trial.spawn(watch_predecessor(connection, deadline));
  trial.spawn(watch_end_of_trial());
  loop_.run();
  trial.cancel_all();
  if (ended_on_trial_ != 0) return base::fail(base::ErrorCode::cancelled, "told to end");
  return {};
}

Task<void> Service::watch_predecessor(int connection, base::Instant deadline) {
  // Where it cannot be watched it is waited for, as it would be in what follows.
  if (auto watched = WatchedDescriptor::watch(loop_, connection)) (void)co_await watched->readable({deadline});
  loop_.stop();
}

Task<void> Service::watch_end_of_trial() {
  auto watched = WatchedDescriptor::watch(loop_, signals_.get());
  if (!watched) co_return;
  while (co_await watched->readable({})) {
    while (const int number = next_signal(signals_.get())) {
      if (number != SIGTERM && number != SIGINT && number != SIGQUIT) {
        on_signal(number);
        continue;
      }
      log().warn("told to end while the running gateway still accepts; that one goes on", {{"signal", number}});
      ended_on_trial_ = number;
      loop_.stop();
      co_return;
    }
  }
}

void Service::adopt_pid_file(process::FileDescriptor file) {
  const std::string path = pid_file_of(data_dir_);
  auto adopted = process::PidFile::adopt(std::move(file), path);
  // Somebody may have removed it.
  if (!adopted) adopted = process::PidFile::acquire(path);
  if (adopted) {
    pid_file_ = std::move(*adopted);
    if (!pid_file_->is_numbered()) {
      log().warn("the PID file has no room for this process's number: it is empty until there is", {{"path", path}});
    }
    return;
  }
  log().error("the PID file did not change hands: nothing keeps another gateway from this data directory",
              {{"path", path}, {"error", adopted.error()}});
}

Service::Started Service::open_control() {
  auto server = process::ControlServer::listen(
      data_dir_, {.on_command = [this](const process::ControlRequest& request) { on_command(request); },
                  .on_takeover = [this](pid_t successor) { return offer(successor); },
                  .on_successor_ready = [this](pid_t successor) { on_successor_ready(successor); },
                  .on_handed_over = [this](pid_t successor) { on_handed_over(successor); },
                  .on_takeover_abandoned = [this](pid_t successor) { on_takeover_abandoned(successor); }});
  if (!server) return no_control(data_dir_, server.error());
  control_ = std::move(*server);
  return {};
}

void Service::watch_sources() {
  telemetry::Registry& registry = gateway_->registry();
  telemetry::add_process_metrics(registry, LLMGW_VERSION, base::real_wall_now());
  reload_metrics_.emplace(registry);
  reload_metrics_->loaded(base::real_wall_now());
  if (admin_handler_ != nullptr) admin_handler_->set_registry(registry);
  tasks_.spawn(watch_files());
  tasks_.spawn(settle_down());
  log_notes();
  (void)log_doubts();
  warn_of_missing();
  if (feed_ != nullptr) feed_->attach(loop_, [this] { take_objects(); });
}

void Service::watch_everything() {
  if (pid_file_) process::remove_stale_drain_files(data_dir_);
  tasks_.spawn(watch_signals());
  tasks_.spawn(watch_control());
  tasks_.spawn(look_after());
}

int serve(ServiceOptions options, process::StartupReporter* reporter) {
  Service service(std::move(options));
  if (auto started = service.start(); !started) {
    const StartFault& failure = started.error();
    if (reporter != nullptr) {
      reporter->failed(failure.exit_status, failure.message);
    } else {
      std::cerr << "llm-gateway: " << failure.message << (failure.message.ends_with('\n') ? "" : "\n");
    }
    return failure.exit_status;
  }
  if (reporter != nullptr) reporter->ready();
  return service.run();
}

}  // namespace llmgw::app
