#include "app/service/object_feed.h"

#include <chrono>
#include <utility>

#include "store/sql/postgres_message.h"

namespace llmgw::app {
namespace {

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(base::real_wall_now().time_since_epoch()).count();
}

}  // namespace

ObjectFeed::ObjectFeed(control::StoreAccess access)
    : access_(std::move(access)), place_(access_.place()), instance_(store::make_object_id("gateway_", now_ms())) {
  thread_ = std::make_unique<store::ObjectThread>(store::ObjectThread::Settings{
      .connect = [this](store::Making making) { return access_.connect(making); },
      .prepare = [this](store::ObjectStore& store) { return access_.prepare(store, now_ms()); },
      .saved_path = access_.saved_path(),
      .place = place_,
      .beat = [this](store::ObjectStore& store) { access_.enter(store, instance_); },
      .leave = [this](store::ObjectStore& store) { access_.leave(store, instance_); },
      .on_loaded = [this](store::ObjectThread::Loaded loaded) { return on_loaded(std::move(loaded)); },
      .on_state = [this](store::ObjectThread::Trouble trouble, const base::Error& why) { on_state(trouble, why); }});
}

void ObjectFeed::notify() {
  any_ = true;
  changed_.notify_all();
  if (loop_ != nullptr) {
    loop_->post([this] { on_news_(); });
  }
}

// False without the master key, which may come back.
bool ObjectFeed::on_loaded(store::ObjectThread::Loaded loaded) {
  auto secrets = access_.secrets(loaded.everything.objects);
  const std::lock_guard lock(mutex_);
  if (secrets) {
    news_.unreadable.clear();
    news_.stored = std::make_shared<const control::StoredObjects>(
        control::StoredObjects{.revision = loaded.everything.revision,
                               .objects = std::move(loaded.everything.objects),
                               .secrets = std::move(*secrets)});
    news_.from_saved = loaded.from_saved;
  } else {
    news_.unreadable = access_.explain(secrets.error());
  }
  notify();
  return secrets.has_value();
}

void ObjectFeed::on_state(store::ObjectThread::Trouble trouble, const base::Error& why) {
  std::string reason = why.context;
  // This thread's own, where the database said anything.
  if (const std::string said = store::last_postgres_message();
      why.code != base::ErrorCode::not_found && !said.empty()) {
    reason += ": " + said;
  }
  const std::lock_guard lock(mutex_);
  news_.trouble = trouble;
  news_.reason = std::move(reason);
  notify();
}

std::shared_ptr<const control::StoredObjects> ObjectFeed::first() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kFirstLimit, [this] { return any_; });
  return std::exchange(news_.stored, nullptr);
}

std::string ObjectFeed::unreadable() {
  const std::lock_guard lock(mutex_);
  return news_.unreadable;
}

void ObjectFeed::attach(net::Loop& loop, std::function<void()> on_news) {
  const std::lock_guard lock(mutex_);
  on_news_ = std::move(on_news);
  loop_ = &loop;
  // What came since first() looked.
  loop_->post([this] { on_news_(); });
}

void ObjectFeed::stop() {
  thread_->stop();
}

ObjectFeed::News ObjectFeed::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(news_, {});
}

}  // namespace llmgw::app
