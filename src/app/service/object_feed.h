// What the store holds, on its way from the store's thread to the main thread: only the newest counts. The main thread
// makes it and takes from it; the store's thread fills it.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "control/objects/store_access.h"
#include "net/loop.h"
#include "store/objects/object_thread.h"

namespace llmgw::app {

class ObjectFeed {
 public:
  // How long a start waits for the database before it goes on with what was saved, or the file alone.
  static constexpr base::Duration kFirstLimit = std::chrono::seconds(7);

  explicit ObjectFeed(control::StoreAccess access);
  ObjectFeed(const ObjectFeed&) = delete;
  ObjectFeed& operator=(const ObjectFeed&) = delete;
  ~ObjectFeed() { stop(); }

  // Waits for the first objects; null if the database is away and nothing was saved.
  std::shared_ptr<const control::StoredObjects> first();
  // Why first() had none although there are some: what to do, for the operator. Empty: they can be read.
  std::string unreadable();
  // From now on `on_news` is called on the loop when take() has something to say.
  void attach(net::Loop& loop, std::function<void()> on_news);
  // Ends the store's thread, once it has done what it was told.
  void stop();

  struct News {
    std::shared_ptr<const control::StoredObjects> stored;  // null: as before
    bool from_saved = false;
    std::optional<store::ObjectThread::Trouble> trouble;  // the database's is another now
    std::string reason;                                   // of it; for people
    std::string unreadable;  // objects were loaded that cannot be read: why, and what to do
  };
  News take();

  store::ObjectThread& thread() { return *thread_; }
  const std::string& place() const { return place_; }
  // The store's thread only.
  control::StoreAccess& access() { return access_; }

 private:
  bool on_loaded(store::ObjectThread::Loaded loaded);
  void on_state(store::ObjectThread::Trouble trouble, const base::Error& why);
  void notify();

  control::StoreAccess access_;  // of the store's thread
  std::string place_;
  const std::string instance_;  // among the gateways on the store
  std::mutex mutex_;
  std::condition_variable changed_;
  News news_;
  bool any_ = false;  // something came, be it that the database is away
  net::Loop* loop_ = nullptr;
  std::function<void()> on_news_;
  std::unique_ptr<store::ObjectThread> thread_;  // last: it uses all of the above
};

}  // namespace llmgw::app
