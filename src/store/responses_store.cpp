#include "store/responses_store.h"

#include <algorithm>

namespace llmgw::store {
namespace {

// Jobs that may hold what is in the spool, too: beyond, they read it again.
constexpr size_t kCarriedMax = 64;

// What a database that works refuses it will refuse again; but for room on its disk.
bool may_help(const Responses& responses, const base::Error& error) {
  return responses.broken() || error.code == base::ErrorCode::exhausted;
}

size_t size_of(const SpooledSave& what) {
  const ResponseRecord& record = what.record;
  size_t bytes = sizeof what + record.body.size() + record.events.size();
  for (const auto* const items : {&record.input, &record.output}) {
    for (const Item& item : *items) bytes += sizeof item + item.id.size() + item.json.size();
  }
  return bytes;
}

}  // namespace

ResponsesStore::ResponsesStore(Settings settings)
    : settings_(std::move(settings)), spool_(settings_.spool_directory), thread_([this] { run(); }) {
  if (!settings_.spool_directory.empty()) spooler_ = std::thread([this] { run_spooler(); });
}

ResponsesStore::~ResponsesStore() {
  {
    const std::lock_guard lock(incoming_mutex_);
    no_more_ = true;
  }
  incoming_changed_.notify_one();
  if (spooler_.joinable()) spooler_.join();
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

bool ResponsesStore::post(std::move_only_function<void(Responses*)> job) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || jobs_.size() >= kQueueMax) return false;
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
  return true;
}

bool ResponsesStore::post_save(SpooledSave what, std::move_only_function<void(base::Result<bool>)> done) {
  if (settings_.spool_directory.empty()) {
    return post([this, what = std::move(what), done = std::move(done)](Responses* responses) mutable {
      done(try_save(responses, std::move(what), false));
    });
  }
  {
    const std::lock_guard lock(incoming_mutex_);
    if (no_more_ || incoming_.size() >= kQueueMax) return false;
    incoming_.push_back({std::move(what), std::move(done)});
  }
  incoming_changed_.notify_one();
  return true;
}

void ResponsesStore::run_spooler() {
  std::unique_lock lock(incoming_mutex_);
  while (true) {
    incoming_changed_.wait(lock, [this] { return no_more_ || !incoming_.empty(); });
    if (incoming_.empty()) return;
    Incoming incoming = std::move(incoming_.front());
    incoming_.pop_front();
    lock.unlock();
    const bool spooled = spool_.append(write_spooled(incoming.what)).has_value();
    pass_on(std::move(incoming), spooled);
    lock.lock();
  }
}

// The order of jobs is the spool's.
void ResponsesStore::pass_on(Incoming incoming, bool spooled) {
  std::unique_lock lock(mutex_);
  if (!spooled && jobs_.size() >= kQueueMax) {
    lock.unlock();
    return incoming.done(base::fail(base::ErrorCode::exhausted, "the store's queue"));
  }
  std::optional<SpooledSave> what;
  if (!spooled || jobs_.size() < kCarriedMax) what = std::move(incoming.what);
  jobs_.emplace_back([this, what = std::move(what), done = std::move(incoming.done),
                      spooled](Responses* responses) mutable { done(try_save(responses, std::move(what), spooled)); });
  lock.unlock();
  changed_.notify_one();
}

base::Result<bool> ResponsesStore::try_save(Responses* responses, std::optional<SpooledSave> what, bool spooled) {
  if (responses != nullptr) {
    if (!what) {
      TRY(text, spool_.front());
      auto read = parse_spooled(text);
      if (!read) {
        spool_.pop();
        return std::unexpected(read.error());
      }
      what = std::move(*read);
    }
    const auto saved = apply(*responses, *what);
    if (saved || !may_help(*responses, saved.error())) {
      if (spooled) spool_.pop();
      if (!saved) return std::unexpected(saved.error());
      return true;
    }
  }
  Waiting waits;
  if (!spooled) {
    waits.bytes = size_of(*what);
    if (waiting_.size() >= kWaitingMax || waiting_bytes_ + waits.bytes > kWaitingBytesMax) {
      return base::fail(base::ErrorCode::refused, "the database is away, and there is no room to wait for it");
    }
    waits.in_memory = std::move(what);
    waiting_bytes_ += waits.bytes;
  }
  waiting_.push_back(std::move(waits));
  return false;
}

void ResponsesStore::save_what_waits(Responses* responses) {
  while (responses != nullptr && !waiting_.empty()) {
    Waiting& first = waiting_.front();
    const bool spooled = !first.in_memory;
    if (spooled) {
      const auto text = spool_.front();
      if (!text && text.error().code != base::ErrorCode::not_found) break;
      if (auto read = text ? parse_spooled(*text) : base::fail(text.error())) first.in_memory = std::move(*read);
    }
    if (first.in_memory) {
      const auto saved = apply(*responses, *first.in_memory);
      if (spooled) first.in_memory.reset();
      if (!saved && may_help(*responses, saved.error())) break;
    }
    if (spooled) spool_.pop();
    waiting_bytes_ -= first.bytes;
    waiting_.pop_front();
  }
  if (!waiting_.empty()) spool_.sync();
}

// What processes left that ended before the database was back.
void ResponsesStore::replay_left(Responses* responses) {
  while (responses != nullptr && !left_.empty()) {
    if (auto file = ResponsesSpool::adopt(left_.front())) {
      while (auto text = file->front()) {
        if (const auto what = parse_spooled(*text)) {
          const auto saved = apply(*responses, *what);
          if (!saved && may_help(*responses, saved.error())) return;
        }
        file->pop();
      }
    }
    left_.erase(left_.begin());
  }
}

// The process ends: what waits in memory has no other place.
void ResponsesStore::spool_what_waits() {
  if (settings_.spool_directory.empty()) return;
  for (const Waiting& each : waiting_) {
    if (each.in_memory) (void)spool_.append(write_spooled(*each.in_memory));
  }
}

Responses* ResponsesStore::connected() {
  if (responses_ && !responses_->broken()) return &*responses_;
  responses_.reset();
  if (Clock::now() < next_connect_) return nullptr;
  auto session = settings_.connect();
  if (session) {
    if (auto opened = Responses::open(std::move(*session), settings_.limits)) responses_.emplace(std::move(*opened));
  }
  if (responses_) return &*responses_;
  next_connect_ = Clock::now() + kRetryInterval;
  return nullptr;
}

void ResponsesStore::run() {
  left_ = spool_files(settings_.spool_directory);
  bool sweep_again = true;
  auto next_sweep = Clock::now();
  std::unique_lock lock(mutex_);
  while (true) {
    const bool waits = !waiting_.empty() || !left_.empty();
    if (waits && (Clock::now() >= next_try_ || stopped_)) {
      lock.unlock();
      replay_left(connected());
      save_what_waits(connected());
      next_try_ = Clock::now() + kRetryInterval;
      lock.lock();
    }
    if (!jobs_.empty()) {
      auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      // Nothing overtakes what waits.
      job(waiting_.empty() ? connected() : nullptr);
      job = nullptr;
      lock.lock();
      continue;
    }
    if (stopped_) return spool_what_waits();
    if (sweep_again || Clock::now() >= next_sweep) {
      lock.unlock();
      // A sweep that fails is tried again at its next time; what has expired is not shown meanwhile.
      Responses* const responses = connected();
      sweep_again = responses != nullptr && responses->sweep(settings_.clock()).value_or(false);
      next_sweep = Clock::now() + kSweepInterval;
      if (left_.empty()) left_ = spool_files(settings_.spool_directory);
      lock.lock();
      continue;
    }
    const auto until = waiting_.empty() && left_.empty() ? next_sweep : std::min(next_sweep, next_try_);
    changed_.wait_until(lock, until, [this] { return stopped_ || !jobs_.empty(); });
  }
}

}  // namespace llmgw::store
