#include "admin/api_server.h"

#include <algorithm>

#include "admin/api/object_lookup.h"
#include "admin/api/openapi.h"
#include "admin/api/query.h"
#include "admin/engines/engine_api.h"
#include "admin/engines/health_api.h"
#include "admin/litellm/shapes.h"
#include "base/text.h"
#include "gateway/entrance/readiness.h"
#include "json/writer.h"
#include "store/sql/session.h"

namespace llmgw::admin {
namespace {

constexpr std::string_view kRefused = "sign-in refused";

std::string_view presented_key(const ApiCall& call) {
  constexpr std::string_view kScheme = "bearer ";
  const std::string_view value = call.authorization.reveal();
  if (value.size() > kScheme.size() && base::equals_ignoring_case(value.substr(0, kScheme.size()), kScheme)) {
    return base::trim(value.substr(kScheme.size()));
  }
  return call.x_api_key.reveal();
}

// Until what `post` is given has run, behind all that was posted before.
net::Task<void> until_its_turn(net::Loop& loop, net::Wait wait, auto post, const char* queue) {
  const auto nothing = [](store::ObjectStore*) { return base::Result<bool>(true); };
  static_cast<void>(co_await store::call_store<store::ObjectStore*>(loop, wait, nothing, post, queue));
}

bool is_ledger_path(std::string_view path) {
  return path == std::string(kApiRoot) + "spend" || path == "/spend/logs";
}

}  // namespace

bool ApiServer::owns(std::string_view path) const {
  return path.starts_with(kApiRoot) || is_litellm_path(path);
}

void ApiServer::set_state(State state) {
  if (state.stored != nullptr) state.revoked = RevokedSessions(state.stored->objects);
  auto shared = std::make_shared<const State>(std::move(state));
  const std::lock_guard lock(mutex_);
  state_ = std::move(shared);
}

void ApiServer::put_back(const Refusals::Sum& sum) {
  const std::lock_guard lock(mutex_);
  refusals_.put_back(sum);
}

// What the database does not take now is in a later sum.
void ApiServer::append(std::vector<Refusal> refusals) {
  const auto shared = std::make_shared<const std::vector<Refusal>>(std::move(refusals));
  const bool posted = store_.thread->post([this, shared](store::ObjectStore* store) {
    for (const Refusal& each : *shared) {
      if (store == nullptr || !store->append_audit(each.entry)) put_back(each.sum);
    }
  });
  if (posted) return;
  for (const Refusal& each : *shared) put_back(each.sum);
}

void ApiServer::note_refusal(const ApiCall& call, std::string_view reason, int64_t now_ms) {
  if (store_.thread == nullptr) return;
  {
    const std::lock_guard lock(mutex_);
    if (!refusals_.note(call.place, now_ms / 1000)) return;
  }
  std::string detail;
  json::Writer(detail).begin_object().member("reason", reason).end_object();
  append({{.entry = {.at_ms = now_ms,
                     .actor = "unknown",
                     .address = call.address,
                     .action = std::string(kRefused),
                     .detail = std::move(detail)},
           .sum = {.place = call.place, .count = 1}}});
}

void ApiServer::write_refusals(base::WallTime now, bool last) {
  if (store_.thread == nullptr) return;
  const int64_t now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  std::vector<Refusals::Sum> sums;
  {
    const std::lock_guard lock(mutex_);
    sums = last ? refusals_.take_all() : refusals_.take_sums(now_ms / 1000);
  }
  std::vector<Refusal> refusals;
  for (Refusals::Sum& sum : sums) {
    std::string detail;
    json::Writer writer(detail);
    writer.begin_object().member("reason", "more than are written one by one").member("unwritten", sum.count);
    writer.end_object();
    store::AuditEntry entry{.at_ms = now_ms,
                            .actor = "unknown",
                            .address = sum.place,
                            .action = std::string(kRefused),
                            .detail = std::move(detail)};
    refusals.push_back({.entry = std::move(entry), .sum = std::move(sum)});
  }
  if (!refusals.empty()) append(std::move(refusals));
}

std::shared_ptr<const ApiServer::State> ApiServer::state() {
  const std::lock_guard lock(mutex_);
  return state_;
}

// A browser's cookie also goes with what another site's page sends, so such is refused.
std::optional<ApiAnswer> ApiServer::from_elsewhere(const ApiCall& call, int64_t now_ms) {
  if (call.origin.ends_with("://" + call.authority)) return std::nullopt;
  note_refusal(call, "another site's page", now_ms);
  return api_error(403, "forbidden", "a page of another site sent this; its Origin is not ours");
}

// Whoever signed in with a browser.
std::expected<Actor, ApiAnswer> ApiServer::by_session(const State* state, const ApiCall& call, int64_t now_ms) {
  std::optional<Actor> actor;
  if (state != nullptr && state->stored != nullptr && !call.cookie.empty()) {
    actor = session_actor({.settings = state->file->admin,
                           .vault = *state->stored->secrets.vault,
                           .revoked = state->revoked,
                           .now = now_ms / 1000,
                           .cookie = call.cookie.reveal()});
  }
  if (!actor) {
    note_refusal(call, "no key", now_ms);
    return std::unexpected(
        api_error(401, "authentication", "send an admin key as a bearer token: Authorization: Bearer ..."));
  }
  const bool reads = call.method == http::Method::get || call.method == http::Method::head;
  if (!reads) {
    if (auto refused = from_elsewhere(call, now_ms)) return std::unexpected(std::move(*refused));
  }
  actor->address = call.address;
  return std::move(*actor);
}

std::expected<Actor, ApiAnswer> ApiServer::sign_in(const control::Snapshot& snapshot, const State* state,
                                                   const ApiCall& call, int64_t now_ms) {
  const auto refuse = [&](std::string_view reason, std::string_view message) {
    note_refusal(call, reason, now_ms);
    return std::unexpected(api_error(401, "authentication", message));
  };
  const std::string_view key = presented_key(call);
  if (key.empty()) return by_session(state, call, now_ms);
  const control::Administrator* const found = snapshot.authenticate_admin(key, now_ms / 1000);
  if (found == nullptr) {
    return refuse("unknown key",
                  "this is no admin key of this gateway; `llm-gateway admin-key add --name NAME --role ROLE` on its "
                  "machine makes one");
  }
  if (found->blocked) return refuse("blocked key", "the admin key is blocked");
  if (now_ms / 1000 >= found->expires.seconds) return refuse("expired key", "the admin key has expired");
  return Actor{.name = "admin key " + found->name, .role = found->role, .team = found->team, .address = call.address};
}

// Whoever reads the answer finds the change in force: what is posted after a job runs after the change was loaded, and
// on the control loop after it was taken.
net::Task<void> ApiServer::until_in_force(net::Loop& loop, net::Wait wait) {
  const auto post = [this](auto work) {
    return store_.thread->post([control = store_.control, work = std::move(work)](store::ObjectStore*) mutable {
      if (control == nullptr) return work(nullptr);
      control->post([work = std::move(work)]() mutable { work(nullptr); });
    });
  };
  co_await until_its_turn(loop, wait, post, "the store's queue");
}

// The same of engines, which the control loop was told of before.
net::Task<void> ApiServer::until_engines_taken(net::Loop& loop, net::Wait wait) {
  if (store_.control == nullptr) co_return;
  wait.deadline = std::min(wait.deadline, loop.now() + kAnswerLimit);
  const auto post = [this](auto work) {
    store_.control->post([work = std::move(work)]() mutable { work(nullptr); });
    return true;
  };
  co_await until_its_turn(loop, wait, post, "the control loop");
}

// What the ledger alone can answer: to that a store that has nothing in it is as good as any.
net::Task<ApiAnswer> ApiServer::without_store(net::Loop& loop, net::Wait wait, std::shared_ptr<const State> state,
                                              ApiRequest request) {
  wait.deadline = std::min(wait.deadline, loop.now() + kAnswerLimit);
  co_return co_await run_errand(
      loop, wait, [state = std::move(state), request = std::move(request)](std::stop_token stop) {
        auto session = store::open_sqlite(":memory:");
        if (!session) return store_failed(session.error());
        auto nothing = store::ObjectStore::open(std::move(*session));
        if (!nothing) return store_failed(nothing.error());
        const control::ObjectSecrets secrets;
        const ApiContext context{*nothing, *state->file, secrets, state->environment, nullptr};
        ApiAnswer answer =
            is_litellm_path(request.path) ? handle_litellm(context, request) : handle_objects(context, request);
        return answer.rest ? answer.rest(std::move(stop)) : answer;
      });
}

net::Task<ApiAnswer> ApiServer::ask_store(net::Loop& loop, net::Wait wait, ApiRequest request) {
  const std::shared_ptr<const State> state = this->state();
  if (store_.thread == nullptr) {
    if (state != nullptr && is_ledger_path(request.path)) co_return co_await without_store(loop, wait, state, request);
    co_return api_error(501, "no_store", "there is no store: store.url is \"none\" in the configuration file");
  }
  if (state == nullptr || state->stored == nullptr) {
    const gateway::Readiness* const readiness = readiness_.load(std::memory_order_acquire);
    if (readiness == nullptr || readiness->warning() == nullptr) co_return store_away();
    co_return api_error(503, "store_unreadable", "the store's objects cannot be read; the gateway's log says why");
  }
  wait.deadline = std::min(wait.deadline, loop.now() + kAnswerLimit);
  const auto job = [state, access = store_.access,
                    request = std::move(request)](store::ObjectStore* store) -> base::Result<ApiAnswer> {
    if (store == nullptr) return store_away();
    control::ObjectSecrets secrets = state->stored->secrets;
    if (access != nullptr) {
      if (const auto followed = access->follow_key_file(); !followed) {
        return api_error(500, "master_key",
                         "the master key's file cannot be read: " + std::string(followed.error().context));
      }
      secrets.vault = access->vault();
    }
    const ApiContext context{*store, *state->file, secrets, state->environment, access, &state->unused};
    return is_litellm_path(request.path) ? handle_litellm(context, request) : handle_objects(context, request);
  };
  auto answer = co_await store_.thread->call(loop, wait, job);
  if (!answer) {
    co_return answer.error().code == base::ErrorCode::deadline_exceeded
        ? api_error(504, "timeout", "the database did not answer in time; whether anything was changed is not known")
        : store_away();
  }
  if (answer->changed) co_await until_in_force(loop, wait);
  if (!answer->rest) co_return std::move(*answer);
  co_return co_await run_errand(loop, wait, std::move(answer->rest));
}

net::Task<ApiAnswer> ApiServer::run_errand(net::Loop& loop, net::Wait wait, Errand errand) {
  const auto job = [errand = std::move(errand)](std::stop_token stop) {
    return base::Result<ApiAnswer>(errand(std::move(stop)));
  };
  auto done = co_await errands_.run(loop, wait, job);
  if (done) co_return std::move(*done);
  if (done.error().code == base::ErrorCode::deadline_exceeded) {
    co_return api_error(504, "timeout", "this took longer than 30 seconds; ask for less");
  }
  ApiAnswer busy = api_error(503, "busy", std::string(done.error().context) + "; try again");
  busy.retry_after = 1;
  co_return busy;
}

// The cookie is taken from the browser only when its session has ended: who is told that it has not may try again.
net::Task<ApiAnswer> ApiServer::sign_out(net::Loop& loop, net::Wait wait, SignInContext context, std::string address,
                                         int64_t now_ms) {
  const auto session = read_session(context);
  if (!session) co_return SignIn::end(context);
  store::AuditEntry entry{
      .at_ms = now_ms, .actor = session->name(), .address = std::move(address), .action = "sign-out"};
  const auto job = [mark = session->mark, entry = std::move(entry),
                    now_ms](store::ObjectStore* store) -> base::Result<ApiAnswer> {
    if (store == nullptr) return store_away();
    const auto revoked = revoke_session(*store, mark, entry, now_ms);
    return revoked ? ApiAnswer{.status = 200, .body = {}} : store_failed(revoked.error());
  };
  auto answer = co_await store_.thread->call(loop, wait, job);
  if (!answer) {
    co_return api_error(504, "timeout", "the database did not answer in time; whether the session ended is not known");
  }
  if (answer->status != 200) co_return std::move(*answer);
  co_await until_in_force(loop, wait);
  co_return SignIn::end(context);
}

net::Task<ApiAnswer> ApiServer::oidc(net::Loop& loop, net::Wait wait, std::shared_ptr<const State> state, ApiCall call,
                                     int64_t now_ms) {
  if (state == nullptr || state->file->admin.oidc_issuer.empty()) {
    co_return api_error(404, "not_found", "signing in is not set up: admin.oidc_issuer in the configuration file");
  }
  if (state->stored == nullptr) co_return store_away();
  const SignInContext context{.settings = state->file->admin,
                              .vault = *state->stored->secrets.vault,
                              .revoked = state->revoked,
                              .now = now_ms / 1000,
                              .cookie = call.cookie.reveal()};
  wait.deadline = std::min(wait.deadline, loop.now() + kAnswerLimit);
  const bool posts = call.method == http::Method::post;
  if (call.path.ends_with("/logout")) {
    if (!posts) co_return method_not_allowed("POST");
    if (auto refused = from_elsewhere(call, now_ms)) co_return std::move(*refused);
    co_return co_await sign_out(loop, wait, context, call.address, now_ms);
  }
  if (call.method != http::Method::get) co_return method_not_allowed("GET");
  if (call.path.ends_with("/login")) co_return co_await oidc_.start(loop, wait, context, call.query);
  std::string refused;
  auto answer = co_await oidc_.finish(loop, wait, context, call.query, refused);
  if (!refused.empty()) note_refusal(call, refused, now_ms);
  co_return answer;
}

// What is asked of the running gateway and not of the store.
std::optional<ApiAnswer> ApiServer::answer_live(const control::Snapshot& snapshot, const State* state,
                                                const ApiCall& call, base::Instant now, int64_t now_ms) {
  EngineRegistry* const registry = engines_.load(std::memory_order_acquire);
  gateway::RoutingState* const routing = routing_.load(std::memory_order_acquire);
  const bool engines = registry != nullptr && is_engines_path(call.path);
  const bool health = routing != nullptr && call.path == std::string(kApiRoot) + "health";
  if (!engines && !health) return std::nullopt;
  EngineCall engine{.method = call.method, .path = call.path, .body = call.body, .token = presented_key(call)};
  if (engines && state != nullptr && !state->file->admin.engine_token.empty()) {
    engine.may_register = base::constant_time_equal(state->file->admin.engine_token.reveal(), engine.token);
  }
  // An engine's own token is known to the registry alone.
  const bool by_token = engines && (engine.may_register || engine.token.starts_with("eng-"));
  if (!by_token) {
    auto actor = sign_in(snapshot, state, call, now_ms);
    if (!actor) return std::move(actor).error();
    const std::string_view what = engines ? kEngines : kHealth;
    engine.may_register = access(actor->role, Action::write, what) == Access::granted;
    engine.may_read = access(actor->role, Action::read, what) == Access::granted;
    engine.role = role_name(actor->role);
    if (!engine.may_read) {
      return api_error(403, "forbidden",
                       "the role " + std::string(engine.role) + " may not read this: " + std::string(what));
    }
  }
  if (const auto problem = query_problem(call.query, {})) return api_error(400, "invalid_request", *problem);
  if (engines) {
    std::optional<EngineContext> context;
    if (state != nullptr) {
      context.emplace(
          EngineContext{.file = *state->file, .stored = state->stored.get(), .environment = state->environment});
      engine.context = &*context;
    }
    ApiAnswer answer = answer_engines(*registry, engine, now);
    if (answer.status == 401) note_refusal(call, "wrong engine token", now_ms);
    return answer;
  }
  if (call.method != http::Method::get) return method_not_allowed("GET");
  return answer_health(snapshot, *routing, now);
}

net::Task<ApiAnswer> ApiServer::answer(net::Loop& loop, net::Wait wait, const control::Snapshot& snapshot,
                                       ApiCall call) {
  const int64_t now_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(loop.wall_now().time_since_epoch()).count();
  const std::shared_ptr<const State> state = this->state();
  if (SignIn::owns(call.path)) co_return co_await oidc(loop, wait, state, std::move(call), now_ms);
  if (auto live = answer_live(snapshot, state.get(), call, loop.now(), now_ms)) {
    if (live->changed) co_await until_engines_taken(loop, wait);
    co_return std::move(*live);
  }
  auto actor = sign_in(snapshot, state.get(), call, now_ms);
  if (!actor) co_return std::move(actor).error();
  const bool whoami = call.path == std::string(kApiRoot) + "whoami";
  const bool openapi = call.path == std::string(kApiRoot) + "openapi.json";
  if (const auto problem = whoami || openapi ? query_problem(call.query, {}) : std::nullopt) {
    co_return api_error(400, "invalid_request", *problem);
  }
  if (whoami && call.method == http::Method::get) {
    std::string body;
    json::Writer writer(body);
    writer.begin_object().member("name", actor->name).member("role", role_name(actor->role));
    writer.text_or_null("team", actor->team).end_object();
    co_return ApiAnswer{.status = 200, .body = std::move(body)};
  }
  if (openapi && call.method == http::Method::get) {
    co_return ApiAnswer{.status = 200, .body = openapi_document()};
  }
  co_return co_await ask_store(loop, wait,
                               {.method = call.method,
                                .path = std::move(call.path),
                                .query = std::move(call.query),
                                .body = std::move(call.body),
                                .if_match = std::move(call.if_match),
                                .actor = std::move(*actor),
                                .now_ms = now_ms});
}

net::Task<void> ApiServer::handle(http::ServerExchange& exchange, const control::Snapshot& snapshot) {
  const http::RequestHead& head = exchange.head();
  ApiCall call{.method = head.method,
               .path = std::string(head.path),
               .query = std::string(head.query),
               .body = {},
               .authorization = base::Secret(head.headers.value(http::HeaderId::authorization)),
               .x_api_key = base::Secret(head.headers.value(http::HeaderId::x_api_key)),
               .cookie = base::Secret(head.headers.value(http::HeaderId::cookie)),
               .origin = std::string(head.headers.value(http::HeaderId::origin)),
               .authority = std::string(head.authority),
               .if_match = std::string(head.headers.value("if-match")),
               .address = exchange.peer().to_string(),
               .place = place_of(exchange.peer())};
  auto body = co_await exchange.read_body(kBodyBytesMax);
  ApiAnswer answer;
  if (body) {
    call.body.assign(body->data(), body->size());
    const net::Wait wait{.cancellation = &exchange.cancellation()};
    answer = co_await this->answer(exchange.loop(), wait, snapshot, std::move(call));
  } else if (body.error().code == base::ErrorCode::too_large) {
    answer = api_error(413, "too_large", "the body is larger than 1 MiB");
  } else {
    co_return;  // the client has gone, or is too slow
  }
  http::Headers headers;
  headers.append(http::HeaderId::content_type, "application/json");
  headers.append(http::HeaderId::cache_control, "no-store");
  headers.append("x-content-type-options", "nosniff");
  if (!answer.etag.empty()) headers.append(http::HeaderId::etag, answer.etag);
  const std::string seconds = std::to_string(answer.retry_after);
  if (answer.retry_after != 0) headers.append(http::HeaderId::retry_after, seconds);
  for (const auto& [name, value] : answer.headers) headers.append(name, value);
  if (answer.status == 401) headers.append(http::HeaderId::www_authenticate, "Bearer");
  const auto started =
      exchange.start({.status = answer.status, .headers = &headers, .content_length = answer.body.size()});
  if (!started) co_return;
  const iovec buffer = net::buffer_of(answer.body);
  static_cast<void>(co_await exchange.write({&buffer, 1}, true));
}

}  // namespace llmgw::admin
