// The admin API towards HTTP: who asks is looked up in the snapshot, what is asked is done on the store's thread. A
// refused sign-in is in the audit log, written or counted. Any thread: each call belongs to the loop it is made on.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "admin/api/object_api.h"
#include "admin/engines/engine_registry.h"
#include "admin/errands.h"
#include "admin/oidc/sign_in.h"
#include "admin/refusals/refusals.h"
#include "base/time.h"
#include "control/snapshot.h"
#include "gateway/entrance/admin_entrance.h"
#include "gateway/entrance/readiness.h"
#include "gateway/routing_state.h"
#include "net/loop.h"
#include "net/task.h"
#include "store/objects/object_thread.h"

namespace llmgw::admin {

// A request as a listener has read it.
struct ApiCall {
  http::Method method = http::Method::get;
  std::string path;
  std::string query;
  std::string body;
  base::Secret authorization;  // the header's value
  base::Secret x_api_key;
  base::Secret cookie;
  std::string origin;     // the header: whose page sent it, if a browser's did
  std::string authority;  // what it was sent to
  std::string if_match;
  std::string address;  // the client's
  std::string place;    // place_of() it
};

class ApiServer final : public gateway::AdminEntrance {
 public:
  static constexpr base::Duration kAnswerLimit = std::chrono::seconds(30);

  // What the objects are judged by; from the last configuration that was loaded.
  struct State {
    std::shared_ptr<const control::Config> file;
    std::shared_ptr<const control::StoredObjects> stored;  // null before the store was first loaded
    control::Environment environment;
    Unused unused = {};            // of what is stored
    RevokedSessions revoked = {};  // of what is stored; set_state() fills it in
  };

  struct Store {
    store::ObjectThread* thread = nullptr;   // null: there is no store
    control::StoreAccess* access = nullptr;  // the thread's; null: master keys stay as they are
    // Where what the thread loads is put in force; null: nobody does. What is posted there after a load finds it in
    // force.
    net::Loop* control = nullptr;
  };
  // What `store` points to must outlive it, or its stop().
  explicit ApiServer(Store store) : store_(store) {}
  void set_state(State state);
  // Before the loops end that it answers to.
  void stop() { errands_.stop(); }
  // Of refused sign-ins that were only counted the sums go to the audit log: to be called every second or so. `last`:
  // all of them; it is the last time.
  void write_refusals(base::WallTime now, bool last = false);
  // What /admin/v1/health and /admin/v1/engines are about, and what tells that the store's objects cannot be read, once
  // it runs; must outlive this.
  void set_gateway(gateway::RoutingState* routing, const gateway::Readiness* readiness, EngineRegistry* engines) {
    readiness_.store(readiness, std::memory_order_release);
    routing_.store(routing, std::memory_order_release);
    engines_.store(engines, std::memory_order_release);
  }

  net::Task<ApiAnswer> answer(net::Loop& loop, net::Wait wait, const control::Snapshot& snapshot, ApiCall call);

  bool owns(std::string_view path) const override;
  net::Task<void> handle(http::ServerExchange& exchange, const control::Snapshot& snapshot) override;

 private:
  std::optional<ApiAnswer> answer_live(const control::Snapshot& snapshot, const State* state, const ApiCall& call,
                                       base::Instant now, int64_t now_ms);
  std::expected<Actor, ApiAnswer> sign_in(const control::Snapshot& snapshot, const State* state, const ApiCall& call,
                                          int64_t now_ms);
  std::optional<ApiAnswer> from_elsewhere(const ApiCall& call, int64_t now_ms);
  std::expected<Actor, ApiAnswer> by_session(const State* state, const ApiCall& call, int64_t now_ms);
  net::Task<ApiAnswer> oidc(net::Loop& loop, net::Wait wait, std::shared_ptr<const State> state, ApiCall call,
                            int64_t now_ms);
  net::Task<ApiAnswer> sign_out(net::Loop& loop, net::Wait wait, SignInContext context, std::string address,
                                int64_t now_ms);
  std::shared_ptr<const State> state();
  void note_refusal(const ApiCall& call, std::string_view reason, int64_t now_ms);
  // One that was noted, or a sum.
  struct Refusal {
    store::AuditEntry entry;
    Refusals::Sum sum;
  };
  void append(std::vector<Refusal> refusals);
  void put_back(const Refusals::Sum& sum);
  net::Task<ApiAnswer> ask_store(net::Loop& loop, net::Wait wait, ApiRequest request);
  net::Task<ApiAnswer> without_store(net::Loop& loop, net::Wait wait, std::shared_ptr<const State> state,
                                     ApiRequest request);
  using Errand = std::function<ApiAnswer(std::stop_token)>;
  net::Task<ApiAnswer> run_errand(net::Loop& loop, net::Wait wait, Errand errand);
  net::Task<void> until_in_force(net::Loop& loop, net::Wait wait);
  net::Task<void> until_engines_taken(net::Loop& loop, net::Wait wait);

  const Store store_;
  std::atomic<gateway::RoutingState*> routing_ = nullptr;
  std::atomic<EngineRegistry*> engines_ = nullptr;
  std::atomic<const gateway::Readiness*> readiness_ = nullptr;
  std::mutex mutex_;
  std::shared_ptr<const State> state_;
  Refusals refusals_;
  SignIn oidc_;
  Errands errands_;
};

}  // namespace llmgw::admin
