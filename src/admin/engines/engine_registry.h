// Engines that registered themselves, or whose side-car did, and how long each is believed to be there: it must be
// heard of again within its time, or it is gone. In memory only: whoever is not heard of after a restart registers
// again. Thread-safe (a mutex; never on a request's way).
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "base/time.h"
#include "store/objects/object_store.h"

namespace llmgw::admin {

struct EngineOffer {
  std::string name;
  std::string connection;  // the fields of a connection, as JSON
  std::vector<std::string> models;
  std::vector<std::string> remotes;  // what each is called there; empty: the same
  base::Duration lifetime = std::chrono::seconds(15);
};

class EngineRegistry {
 public:
  static constexpr size_t kEnginesMax = 4096;  // as many as the largest fleets have, and room for their models
  static constexpr base::Duration kLifetimeMin = std::chrono::seconds(1);
  static constexpr base::Duration kLifetimeMax = std::chrono::hours(1);

  // Called, under no lock, when the engines are others than before. Before the first call of anything else.
  void on_change(std::function<void()> changed) { changed_ = std::move(changed); }

  struct Registered {
    std::string token;  // for heartbeats and the end; the same as long as the engine stays
    bool is_new = false;
  };
  // Anew, or with another offer. Nothing: there are too many.
  std::optional<Registered> put(const EngineOffer& offer, base::Instant now);
  // It is still there. False: it is not known, or that is not its token.
  enum class Heard : uint8_t { yes, unknown, wrong_token };
  Heard heartbeat(std::string_view name, std::string_view token, base::Instant now);
  // `token` null: an administrator asks.
  Heard remove(std::string_view name, const std::string_view* token);
  // Forgets those that were not heard of in time. Their names.
  std::vector<std::string> expire(base::Instant now);

  struct Entry {
    std::string name;
    std::vector<std::string> models;
    base::Duration lifetime;
    base::Duration left;
  };
  std::vector<Entry> list(base::Instant now) const;
  // As connections and models of a store.
  std::vector<store::Object> objects() const;

 private:
  struct Engine {
    EngineOffer offer;
    std::string token;
    base::Instant until;
  };
  void tell() const {
    if (changed_) changed_();
  }

  std::function<void()> changed_;
  mutable std::mutex mutex_;
  std::map<std::string, Engine, std::less<>> engines_;
};

// The connection and the models that an offer is, as a store would have them.
std::vector<store::Object> engine_objects(const EngineOffer& offer);

// A registration's body. The error says what was expected. Its fields are judged by refuse_engine().
std::expected<EngineOffer, std::string> read_engine_offer(std::string_view body);

}  // namespace llmgw::admin
