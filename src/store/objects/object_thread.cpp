#include "store/objects/object_thread.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "store/objects/gateway_list.h"
#include "store/objects/saved_objects.h"
#include "store/sql/ending.h"

namespace llmgw::store {
ObjectThread::ObjectThread(Settings settings)
    : settings_(std::move(settings)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      known_({.connect = settings_.connect, .saved_path = settings_.saved_path, .place = settings_.place}),
      thread_([this] { run(); }) {}

void ObjectThread::stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  notify();
  thread_.join();
}

ObjectThread::~ObjectThread() {
  stop();
  ::close(wake_);
}

void ObjectThread::notify() {
  changed_.notify_one();
  const uint64_t one = 1;
  // Fails only when it is readable already.
  static_cast<void>(::write(wake_, &one, sizeof one));
}

bool ObjectThread::post(std::move_only_function<void(ObjectStore*)> job) {
  {
    std::lock_guard lock(mutex_);
    if (stopped_ || jobs_.size() >= kQueueMax) return false;
    jobs_.push_back(std::move(job));
  }
  notify();
  return true;
}

void ObjectThread::poke(std::move_only_function<void()> done) {
  const bool posted = post([this, done = std::move(done)](ObjectStore*) mutable {
    look();
    done();
  });
  // A full queue is looked at soon anyway; whoever waits has a time limit.
  static_cast<void>(posted);
}

void ObjectThread::take_what_is_there() {
  // A full queue has many who wait for the same store; whoever asked sees that nothing changed, and asks again.
  (void)post([this](ObjectStore*) {
    if (said_ != Trouble::refused) return;
    known_.forget();
    connect();
  });
}

void ObjectThread::say(Trouble trouble, const base::Error& why) {
  if (trouble == said_) return;
  said_ = trouble;
  settings_.on_state(trouble, why);
}

bool ObjectThread::offer(Loaded loaded) {
  if (settings_.on_loaded(std::move(loaded))) {
    unusable_for_ = base::Duration{0};
    return true;
  }
  unusable_for_ = std::clamp(unusable_for_ * 2, kUnusableRetryMin, kUnusableRetryMax);
  next_try_ = Clock::now() + unusable_for_;
  return false;
}

void ObjectThread::lose(const base::Error& error) {
  store_.reset();
  next_connect_ = Clock::now() + kRetryInterval;
  if (!settings_.saved_path.empty() && (!loaded_any_ || wants_another_try())) {
    loaded_any_ = true;
    if (auto saved = read_saved_objects(settings_.saved_path)) {
      (void)offer({.everything = std::move(saved->everything), .from_saved = true});
    }
  }
  say(KnownStore::refuses(error)           ? Trouble::refused
      : error.context == kReadOnlyDatabase ? Trouble::read_only
                                           : Trouble::away,
      error);
}

void ObjectThread::connect() {
  auto opened = known_.open();
  if (!opened) return lose(opened.error());
  store_.emplace(std::move(*opened));
  if (auto prepared = settings_.prepare(*store_); !prepared) return lose(prepared.error());
  // It may be another database than before, with the same revision.
  revision_ = -1;
  look();
  if (!store_) return;
  const auto writable = store_->session().writable();
  if (!writable) return lose(writable.error());
  next_connect_ = Clock::now() + kRetryInterval;
  const base::Error read_only{base::ErrorCode::permission, kReadOnlyDatabase, 0};
  say(*writable ? Trouble::none : Trouble::read_only, *writable ? base::Error{} : read_only);
  next_beat_ = {};
  beat();
}

// Only a new session knows; what is loaded stays while there is none that may.
void ObjectThread::look_for_writing() {
  if (!store_ || said_ != Trouble::read_only || Clock::now() < next_connect_) return;
  next_connect_ = Clock::now() + kRetryInterval;
  auto session = settings_.connect(Making::refused);
  if (!session || !(*session)->writable().value_or(false)) return;
  store_.reset();
  connect();
}

// Closed before it is opened again: the last one to close a database of SQLite's removes its log by name.
void ObjectThread::follow_database() {
  if (!store_ || (!store_->session().broken() && !store_->session().gone())) return;
  store_.reset();
  connect();
}

// What goes wrong with it is seen by the next look.
// A database that is only read would end the session for it.
void ObjectThread::beat() {
  if (!store_ || said_ == Trouble::read_only || Clock::now() < next_beat_) return;
  settings_.beat(*store_);
  next_beat_ = Clock::now() + kGatewayBeat;
}

// Not a word to a database that is slow or gone: it forgets in time who is silent.
void ObjectThread::leave() {
  if (!store_ || said_ == Trouble::read_only || store_->session().broken() || answered_in_ > kLeaveLimit) return;
  const AtMost limit(kLeaveLimit);
  settings_.leave(*store_);
}

void ObjectThread::look() {
  if (!store_) return;
  const auto started = Clock::now();
  next_look_ = started + kPollInterval;
  const auto revision = store_->revision();
  if (!revision) return lose(revision.error());
  answered_in_ = Clock::now() - started;
  const bool again = *revision == revision_;
  if (again && !wants_another_try()) return;
  auto everything = store_->load_all();
  if (!everything) return lose(everything.error());
  revision_ = everything->revision;
  loaded_any_ = true;
  // A full disk must not keep what was loaded from being used; the next change tries again.
  if (!settings_.saved_path.empty() && !again) (void)save_objects(settings_.saved_path, settings_.place, *everything);
  if (!again) known_.remember(*everything);
  if (!again) unusable_for_ = base::Duration{0};
  (void)offer({.everything = std::move(*everything), .from_saved = false});
  next_look_ = std::max(next_look_, Clock::now() + kRestFactor * (Clock::now() - started));
}

void ObjectThread::wait(std::unique_lock<std::mutex>& lock) {
  const auto due = store_ ? next_look_ : next_connect_;
  const auto until = std::min(due, Clock::now() + kPollInterval);
  if (!store_ || !store_->session().hears_changes()) {
    changed_.wait_until(lock, until, [this] { return stopped_ || !jobs_.empty(); });
    return;
  }
  lock.unlock();
  const base::Duration limit = std::max(base::Duration{0}, base::Duration(until - Clock::now()));
  const auto announced = store_->session().wait_for_change(limit, wake_);
  uint64_t posted = 0;
  static_cast<void>(::read(wake_, &posted, sizeof posted));
  if (!announced) {
    lose(announced.error());
  } else if (*announced) {
    next_look_ = std::min(next_look_, Clock::now());
  }
  lock.lock();
}

void ObjectThread::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    const auto now = Clock::now();
    if (!store_ && now >= next_connect_ && !stopped_) {
      lock.unlock();
      connect();
      lock.lock();
    } else if (!jobs_.empty()) {
      auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      follow_database();
      job(store_ ? &*store_ : nullptr);
      job = nullptr;
      follow_database();
      look();
      lock.lock();
    } else if (stopped_) {
      lock.unlock();
      leave();
      return;
    } else if (store_ && now >= next_look_) {
      lock.unlock();
      follow_database();
      look_for_writing();
      beat();
      look();
      lock.lock();
    } else {
      wait(lock);
    }
  }
}

}  // namespace llmgw::store
