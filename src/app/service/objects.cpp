// A service's objects of the store: what comes from its thread goes into a new snapshot.
#include "app/service/service.h"

#include <algorithm>

#include "app/service/config_files.h"
#include "control/config_doubts.h"
#include "control/serving_needs.h"
#include "net/tls_files.h"

namespace llmgw::app {
namespace {

constexpr std::string_view kMasterKeyGone =
    "the master key's file is gone; put the copy back that was kept of it: without it nothing that starts can read the "
    "store";
constexpr std::string_view kRefusedWayOn =
    ". Put the copy back that was kept of it, and it is taken over by itself; if a new store is meant: "
    "`llm-gateway reload --force`";
constexpr size_t kNotesLoggedMax = 20;  // a line each; how many there are is said

std::string_view describe(store::ObjectThread::Trouble trouble) {
  using Trouble = store::ObjectThread::Trouble;
  switch (trouble) {
    case Trouble::none: return "the database is back";
    case Trouble::refused: return "the store is not taken over; serving goes on by what was loaded last";
    case Trouble::read_only: return "the database takes no changes; serving goes on";
    case Trouble::away: break;
  }
  return "the database is away; serving goes on by what was loaded last";
}

}  // namespace

void Service::tell_api() {
  if (api_ == nullptr) return;
  api_->set_state({.file = reloader_->file(),
                   .stored = reloader_->stored(),
                   .environment = control::real_environment(options_.config_path),
                   .unused = admin::unused_of(reloader_->notes())});
}

void Service::on_store_state(Trouble trouble, std::string reason) {
  store_state_ = trouble;
  store_trouble_ = trouble == Trouble::none ? std::string() : std::move(reason);
  if (trouble == Trouble::refused) store_trouble_ += kRefusedWayOn;
  if (trouble == Trouble::none) {
    log().info(describe(trouble), {{"store", feed_->place()}});
  } else {
    log().error(describe(trouble), {{"store", feed_->place()}, {"reason", store_trouble_}});
  }
  warn_of_store();
}

void Service::on_store_readable(std::string problem) {
  // Each try says so again.
  if (!problem.empty() && problem == store_unreadable_) return;
  if (!problem.empty()) {
    log().error("the objects of the store cannot be read; the old ones stay in force",
                {{"store", feed_->place()}, {"reason", problem}});
  } else if (!store_unreadable_.empty()) {
    log().info("the objects of the store can be read again", {{"store", feed_->place()}});
  }
  store_unreadable_ = std::move(problem);
  warn_of_store();
}

// What is loaded serves on without the file; a process that starts could not read it.
void Service::look_at_master_key() {
  const bool gone = feed_ != nullptr && reloader_->stored() != nullptr && feed_->access().key_file_gone();
  if (gone == master_key_gone_) return;
  master_key_gone_ = gone;
  if (gone) {
    log().error(std::string(kMasterKeyGone), {{"store", feed_->place()}});
  } else {
    log().info("the master key's file is back", {{"store", feed_->place()}});
  }
  warn_of_store();
}

std::string Service::unreadable() const {
  return store_unreadable_.empty() && master_key_gone_ ? std::string(kMasterKeyGone) : store_unreadable_;
}

void Service::warn_of_store() {
  const char* warning = nullptr;
  if (!store_unreadable_.empty()) {
    warning = "the objects of the store cannot be read";
  } else if (store_state_ == Trouble::refused) {
    warning = "the store was emptied or replaced; what was loaded last serves on";
  } else if (master_key_gone_) {
    warning = "the store's master key is gone";
  } else if (store_state_ == Trouble::read_only) {
    warning = "the store's database is read-only";
  }
  gateway_->shared().readiness.warn(warning);
  reload_metrics_->store_trouble(warning != nullptr || store_state_ != Trouble::none);
}

void Service::log_notes() {
  size_t logged = 0;
  for (const control::ObjectNote& note : reloader_->notes()) {
    if (++logged > kNotesLoggedMax) break;
    log().warn(note.doubt     ? "an object of the store may not mean what it says"
               : note.partial ? "a part of an object of the store is not used"
                              : "an object of the store is not used",
               {{"kind", note.kind}, {"id", note.id}, {"name", note.name}, {"reason", note.problem}});
  }
}

std::string Service::log_doubts() {
  std::vector<std::string_view> models;
  for (const auto& model : reloader_->snapshot()->models) models.emplace_back(model.name);
  control::ConfigErrors doubts = control::find_doubts(*reloader_->file(), models);
  doubt_certificates(*reloader_->file(), base::real_wall_now(), doubts);
  doubts.sort();
  tell_expiry();
  for (const auto& each : doubts.all()) {
    log().warn("the configuration may not mean what it says", {{"line", each.at.line}, {"reason", each.message}});
  }
  return warnings(doubts);
}

std::string Service::warnings(const control::ConfigErrors& doubts) const {
  if (doubts.empty()) return {};
  std::string lines = "\nwarnings:\n" + control::format_errors(doubts, options_.config_path);
  lines.pop_back();
  return lines;
}

void Service::tell_expiry() {
  const auto validity = net::certificate_validity(reloader_->file()->server_tls.certificate);
  if (gateway_->tls() && validity) reload_metrics_->certificate_expires(validity->not_after);
}

void Service::warn_of_missing() {
  std::string missing = control::missing_needs(control::serving_needs(*reloader_->snapshot()));
  if (!missing.empty() && missing != missing_) {
    log().warn("no call can be served by this configuration", {{"reason", "there is " + missing}});
  }
  missing_ = std::move(missing);
}

void Service::take_objects() {
  ObjectFeed::News news = feed_->take();
  if (news.trouble) on_store_state(*news.trouble, std::move(news.reason));
  if (!news.unreadable.empty() || news.stored != nullptr) on_store_readable(std::move(news.unreadable));
  if (news.stored == nullptr || gateway_->draining()) return;
  control::Reloader attempt = *reloader_;
  auto applied = attempt.apply(std::move(news.stored));
  std::string problem;
  if (!applied) {
    problem = control::format_errors(applied.error(), options_.config_path);
  } else if (auto checked = gateway::Gateway::check(*attempt.snapshot()); !checked) {
    problem = checked.error();
  }
  if (!problem.empty()) {
    log().error("the objects of the store were not taken, the old ones stay in force", {{"reason", problem}});
    return;
  }
  reloader_ = std::move(attempt);
  tell_api();
  const auto published = gateway_->publish(reloader_->snapshot());
  log_notes();
  warn_of_missing();
  const auto left_out =
      std::ranges::count_if(reloader_->notes(), [](const control::ObjectNote& note) { return !note.doubt; });
  log().info("objects of the store in force", {{"revision", reloader_->stored()->revision},
                                               {"saved", news.from_saved},
                                               {"left_out", left_out},
                                               {"snapshot", reloader_->snapshot()->version}});
  if (!published) log().warn("a worker took no new objects", {{"reason", published.error()}});
}

// Engines that registered themselves, or are gone. What they say is checked like any configuration; one that is refused
// is left out and said.
void Service::take_engines() {
  if (gateway_ == nullptr || gateway_->draining()) return;
  control::Reloader attempt = *reloader_;
  auto applied = attempt.apply_engines(engines_.objects());
  if (!applied) {
    log().error("the engines were not taken, the old ones stay",
                {{"reason", control::format_errors(applied.error(), options_.config_path)}});
    return;
  }
  if (auto checked = gateway::Gateway::check(*attempt.snapshot()); !checked) {
    log().error("the engines were not taken, the old ones stay", {{"reason", checked.error()}});
    return;
  }
  reloader_ = std::move(attempt);
  tell_api();
  const auto published = gateway_->publish(reloader_->snapshot());
  log_notes();
  warn_of_missing();
  log().info("engines in force",
             {{"engines", engines_.list(loop_.now()).size()}, {"snapshot", reloader_->snapshot()->version}});
  if (!published) log().warn("a worker took no new engines", {{"reason", published.error()}});
}

// Answers when what the store holds now is in force.
void Service::refresh(uint64_t client) {
  if (feed_ == nullptr) {
    control_->reply(client, write_answer({.ok = false, .message = "this gateway has no store: store.url is \"none\""}));
    return;
  }
  feed_->thread().poke([this, client] {
    loop_.post([this, client] {
      if (control_ == nullptr) return;
      const bool well = store_trouble_.empty() && store_unreadable_.empty();
      control_->reply(
          client, write_answer({.ok = well,
                                .message = well                            ? "serving what the store holds"
                                           : store_trouble_.empty()        ? store_unreadable_
                                           : store_state_ == Trouble::away ? "the database is away: " + store_trouble_
                                                                           : store_trouble_}));
    });
  });
}

}  // namespace llmgw::app
