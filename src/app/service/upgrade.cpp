// How a service makes room for its successor.
#include <sys/epoll.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <utility>

#include "app/process/drain_files.h"
#include "app/process/successor.h"
#include "app/service/config_files.h"
#include "app/service/service.h"
#include "base/text.h"

namespace llmgw::app {
namespace {

using net::Task;

// A configuration of thousands of models is ready within a second; a new process that takes so long hangs.
constexpr base::Duration kUpgradeLimit = std::chrono::seconds(60);

constexpr base::Duration kTellInterval =
    std::chrono::milliseconds(500);  // shorter than a heartbeat, whose count it tells

// Unless it is set, as long as any call may take, so that none is cut off for an upgrade's sake.
base::Duration upgrade_limit(const control::ServerSettings& server) {
  return server.upgrade_drain_timeout.value_or(std::max(server.drain_timeout, server.request_timeout));
}

}  // namespace

base::Result<process::HandoffOffer> Service::offer(pid_t successor) {
  if (gateway_->draining()) return base::fail(base::ErrorCode::closed, "the gateway is stopping");
  process::HandoffOffer offer;
  for (const auto& listener : gateway_->listeners()) offer.listeners.push_back({listener.name, listener.fd});
  if (admin_fd_ >= 0) offer.listeners.push_back({"admin", admin_fd_});
  if (pid_file_) offer.pid_file = pid_file_->fd();
  log().info("a new process asks for the listening sockets", {{"pid", successor}});
  claimant_.emplace(successor);
  if (auto process = process::ProcessHandle::open(successor)) claimant_->process = std::move(*process);
  return offer;
}

void Service::on_successor_ready(pid_t successor) {
  // One that ends itself leaves no calls to try it with.
  if (gateway_->draining()) return static_cast<void>(control_->hand_over(successor));
  log().info("a new process serves beside this one", {{"pid", successor}, {"trial_ms", trial_of(successor)}});
  if (claimant_) claimant_->served = true;
  if (upgrade_ != nullptr && upgrade_->successor && upgrade_->successor->pid() == successor) upgrade_->served = true;
  tasks_.spawn(end_trial(successor));
}

base::Duration Service::trial_of(pid_t successor) const {
  const bool upgrades = upgrade_ != nullptr && upgrade_->successor && upgrade_->successor->pid() == successor;
  return upgrades ? upgrade_->trial : options_.successor_trial;
}

Task<void> Service::end_trial(pid_t successor) {
  if (co_await net::sleep_for(loop_, trial_of(successor))) (void)control_->hand_over(successor);
}

void Service::on_takeover_abandoned(pid_t successor) {
  const bool served = claimant_ && claimant_->served;
  claimant_.reset();
  log().warn(served ? "a new process ended while it served beside this one; this one goes on"
                    : "a new process gave up before it was ready",
             {{"pid", successor}});
}

void Service::on_handed_over(pid_t successor) {
  handed_over_ = true;
  if (claimant_) heir_ = std::move(claimant_->process);
  claimant_.reset();
  // It may have been told to stop meanwhile.
  if (!gateway_->draining()) begin_drain("handed over", upgrade_limit(gateway_->snapshot().server));
  if (admin_ != nullptr && admin_fd_ >= 0) {
    epoll_ctl(loop_.poller().descriptor(), EPOLL_CTL_DEL, admin_fd_, nullptr);
    admin_->stop_accepting();
    admin_->drain();
    admin_fd_ = -1;
  }
  hold_drain_file();
  if (pid_file_) pid_file_->release();
  (void)notifier_.main_process(successor);
  log().info("handed over", {{"pid", successor}});
  end_upgrade({.ok = true,
               .message = "the new process serves (pid " + std::to_string(successor) +
                          "); the old one finishes what it has begun" + doubtful_certificates()});
}

// Before the successor has the PID file, so that no command finds neither.
void Service::hold_drain_file() {
  auto held = process::hold_drain_file(data_dir_);
  if (held) {
    drain_file_ = std::move(*held);
    tasks_.spawn(tell_drain());
  } else {
    log().warn("commands will not find this process while it drains", {{"error", held.error()}});
  }
}

Task<void> Service::tell_drain() {
  const auto seconds = [](base::Duration duration) { return duration / std::chrono::seconds(1); };
  const int64_t since = seconds(base::real_wall_now().time_since_epoch());
  bool told = true;
  do {
    const base::Duration left = std::max(base::Duration{0}, drained_until_ - base::real_now());
    const int64_t until = seconds(base::real_wall_now().time_since_epoch() + left);
    const auto written = process::write_drain_note(*drain_file_, {.since = static_cast<uint64_t>(since),
                                                                  .until = static_cast<uint64_t>(until),
                                                                  .in_flight = gateway_->running()});
    if (!written && std::exchange(told, false)) {
      log().warn("status will not show how far the drain is", {{"error", written.error()}});
    }
  } while (co_await net::sleep_for(loop_, kTellInterval));
}

void Service::start_upgrade(uint64_t client, std::string_view trial) {
  const auto refuse = [&](std::string why) {
    log().warn("upgrade refused", {{"reason", why}});
    control_->reply(client, write_answer({.ok = false, .message = std::move(why)}));
  };
  const auto trial_ms = base::parse_decimal(trial);
  const std::chrono::milliseconds asked(trial_ms.value_or(0));
  if (!trial.empty() && (!trial_ms || asked > kSuccessorTrialMax)) return refuse("a trial takes 0 to 60000 ms");
  if (gateway_->draining()) return refuse("the gateway is stopping");
  if (upgrade_ != nullptr && upgrade_->successor) return refuse("an upgrade is under way already");
  if (claimant_) return refuse("a new process (pid " + std::to_string(claimant_->pid) + ") takes over already");
  const auto waiting = waiting_for_restart();
  if (std::ranges::find(waiting, kKeptByUpgrade) != waiting.end()) {
    return refuse(
        "server.data_dir of the file is another one, and an upgrade keeps the data directory; stop the "
        "gateway and start it, or set it back to " +
        data_dir_);
  }
  if (options_.executable.empty()) return refuse("the program does not know where its own file is; restart it instead");
  auto successor = process::start_successor(options_.executable, options_.successor_arguments);
  if (!successor) {
    return refuse(options_.executable + " cannot be started: " + std::strerror(successor.error().os_error) +
                  "; the old process goes on serving");
  }
  log().info("new process started", {{"pid", successor->pid()}, {"program", options_.executable}});
  upgrade_ = std::make_unique<Upgrade>();
  upgrade_->client = client;
  upgrade_->successor = std::move(*successor);
  upgrade_->trial = trial.empty() ? options_.successor_trial : asked;
  tasks_.spawn(watch_successor());
}

Task<void> Service::watch_successor() {
  Upgrade& upgrade = *upgrade_;
  const process::ProcessHandle& successor = *upgrade.successor;
  auto watched = WatchedDescriptor::watch(loop_, successor.fd());
  if (!watched) {
    (void)successor.send_signal(SIGKILL);
    log().error("upgrade failed, the old process goes on serving", {{"reason", "out of descriptors"}});
    end_upgrade({.ok = false, .message = "out of descriptors; the old process goes on serving"});
    co_return;
  }
  const auto ended = co_await watched->readable({loop_.now() + kUpgradeLimit + upgrade.trial, &upgrade.over});
  if (upgrade.over.cancelled()) co_return;
  std::string how;
  if (ended) {
    how = "the new process " + process::reap_successor(successor) +
          (upgrade.served ? " while both served" : " before it served");
  } else {
    (void)successor.send_signal(SIGKILL);
    (void)co_await watched->readable({loop_.now() + kUpgradeLimit, &upgrade.over});
    if (upgrade.over.cancelled()) co_return;
    how = "the new process was not ready within a minute and " + process::reap_successor(successor);
  }
  log().error("upgrade failed, the old process goes on serving", {{"reason", how}});
  end_upgrade({.ok = false,
               .message = how + "; the old one goes on serving. Its messages are on the standard error of "
                                "the gateway; `llm-gateway config validate` may say more"});
}

// Lines to follow an answer.
std::string Service::doubtful_certificates() const {
  control::ConfigErrors doubts;
  doubt_certificates(*reloader_->file(), base::real_wall_now(), doubts);
  return warnings(doubts);
}

void Service::give_up_upgrade() {
  if (upgrade_ == nullptr || !upgrade_->successor) return;
  (void)upgrade_->successor->send_signal(SIGKILL);
  log().warn("the upgrade is given up: the gateway is stopping", {{"pid", upgrade_->successor->pid()}});
  given_up_.push_back(std::move(*upgrade_->successor));
  end_upgrade({.ok = false, .message = "the gateway was stopped before the new process served"});
}

void Service::turn_claimant_away() {
  if (!claimant_ || !control_->take_offer_back("it was stopped while the new process started")) return;
  log().warn("a new process is turned away: the gateway is stopping", {{"pid", claimant_->pid}});
  if (claimant_->process) given_up_.push_back(std::move(*claimant_->process));
  claimant_.reset();
}

bool Service::leaves_heir() const {
  if (handed_over_ || !claimant_) return handed_over_;
  return !claimant_->process || !claimant_->process->wait_for_end(base::Duration{0});
}

void Service::end_upgrade(const CommandAnswer& answer) {
  if (upgrade_ == nullptr || !upgrade_->successor) return;
  control_->reply(upgrade_->client, write_answer(answer));
  upgrade_->successor.reset();
  upgrade_->over.cancel();
}

}  // namespace llmgw::app
