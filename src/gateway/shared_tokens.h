// The access tokens of the process: for each set of credentials one, and one flight at a time, whichever worker's call
// wants it. providers::TokenSource decides, a worker's TokenService fetches (gateway/token_service.h).
// Thread-safe. What is shared takes a lock, so a worker keeps a copy of what it was told and asks again only when the
// version has changed or its time is over.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "net/loop.h"
#include "providers/google_credentials.h"
#include "providers/token_source.h"

namespace llmgw::gateway {

class SharedToken {
 public:
  struct Answer {
    providers::TokenSource::Step step;
    base::Secret header;          // to be sent, where the step says so
    base::Error error;            // where it says `failed`
    base::Instant certain_until;  // `use` is the answer so long, if the version stays
    uint64_t version = 0;
  };
  // Somebody who waits, or keeps a copy: told on its own loop, of every change.
  class Listener {
   public:
    // `changed` runs on the loop's thread while the listener lives.
    Listener(SharedToken& token, net::Loop& loop, std::function<void()> changed);
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    // On the loop's thread.
    ~Listener();

   private:
    friend class SharedToken;
    void notify();

    SharedToken& token_;
    net::Loop& loop_;
    // A notification that comes late finds nobody.
    std::shared_ptr<std::function<void()>> changed_;
  };

  // `fetch` and `use_and_refresh` oblige the caller to fetch, and to end it with one of the three below.
  Answer ask(base::Instant now);
  void succeeded(const providers::AccessToken& token, base::Instant now);
  void failed(const base::Error& error, base::Instant now);
  // Who fetched is gone: somebody else has to.
  void abandoned();
  // As TokenSource::refused.
  bool refused(std::string_view authorization, base::Instant now);

  // Another one: what was answered may no longer hold.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

 private:
  void changed();  // under the lock

  std::mutex mutex_;
  providers::TokenSource source_;
  std::vector<Listener*> listeners_;
  std::atomic<uint64_t> version_ = 0;
};

// By credentials and the way to their token endpoint. A token is forgotten when the last who uses it is gone.
class SharedTokens {
 public:
  std::shared_ptr<SharedToken> of(const std::string& identity);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<SharedToken>> tokens_;
};

}  // namespace llmgw::gateway
