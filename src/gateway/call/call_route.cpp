// Where a call goes, and where next when that fails: the shell around routing/.
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>

#include "base/text.h"
#include "chat/token_estimate.h"
#include "gateway/call/call.h"
#include "gateway/call/own_headers.h"
#include "gateway/conversion/tagged_signatures.h"
#include "gateway/engines/explain.h"
#include "gateway/entrance/conversation.h"
#include "routing/prefix/block_hash.h"

namespace llmgw::gateway {

using chat::ClientError;
using chat::ErrorKind;
using control::Connection;
using control::Model;
using control::Route;
using http::HeaderId;
using routing::Candidate;

namespace {

constexpr std::string_view kDebugHeader = "x-llm-gateway-debug";
// Scores of a debug header: enough to understand a choice, not a page.
constexpr size_t kScoresMax = 16;

template <class T>
std::span<T> make_list(base::Arena& arena, size_t count) {
  auto* const first = static_cast<T*>(arena.allocate(count * sizeof(T), alignof(T)));
  std::uninitialized_value_construct_n(first, count);
  return {first, count};
}

// Where the prompt begins in a body: everything before it may differ between calls of one conversation.
size_t prompt_start(std::string_view body, chat::Dialect dialect) {
  std::string_view name = "\"messages\"";
  if (dialect == chat::Dialect::gemini || dialect == chat::Dialect::vertex) name = "\"contents\"";
  if (dialect == chat::Dialect::openai_responses) name = "\"input\"";
  const size_t at = body.find(name);
  return at == std::string_view::npos ? 0 : at;
}

}  // namespace

const Route& Call::route() const {
  return generation_.snapshot().routes[plan_.route];
}

Outcome<void> Call::plan() {
  const control::Snapshot& snapshot = generation_.snapshot();
  if (kind_ == Kind::mirror) {
    const auto group = snapshot.resolve(model_);
    return group ? plan_group(model_, *group) : std::unexpected(unknown_model());
  }
  const auto resolved = snapshot.resolve(*principal_, model_, peek_.owned_by);
  if (!resolved) return std::unexpected(unknown_model());
  assignment_ = resolved->assignment;
  // A pattern is one model, whatever names fit it.
  budget_model_ = snapshot.models[resolved->group.targets.front().id].name;
  retry_budget().note_call();
  return plan_group(resolved->model, resolved->group);
}

// Among connections of one priority, one that speaks the client's protocol is better than one that does not.
Outcome<void> Call::plan_group(std::string_view name, const routing::Group& group) {
  const control::Snapshot& snapshot = generation_.snapshot();
  plan_.model = name;
  const Model* other_protocol = nullptr;
  const auto options = make_list<Option>(arena_, group.targets.size());
  size_t count = 0;
  for (const routing::Target& target : group.targets) {
    const Model& model = snapshot.models[target.id];
    const Connection& connection = snapshot.connections[model.connection];
    if (!peek_.owned_by.empty() && model.owned_by != peek_.owned_by) continue;
    Option option{.model = &model, .connection = model.connection, .api = {}};
    option.native = native(connection, model.upstream_name(plan_.model));
    if (option.native && must_be_read(model)) {
      option.api = match_.operation == Operation::responses_create
                       ? responses_api()
                       : convertible(match_.operation, connection, model.upstream_name(plan_.model), streams());
    } else if (!option.native) {
      option.api = convertible(match_.operation, connection, model.upstream_name(plan_.model), streams());
      other_protocol = &model;
      if (option.api.codec == nullptr) continue;
    } else if (snapshot.routes[model.route].continuation && streams()) {
      const ConvertedApi api = convertible(match_.operation, connection, model.upstream_name(plan_.model), true);
      option.read_along = reads_along(connection, api);
      if (option.read_along) option.api = api;
    }
    options[count++] = option;
  }
  if (count != 0) {
    take_options(options.first(count));
    return {};
  }
  if (other_protocol == nullptr) {
    const std::string message = "the model '" + std::string(model_) + "' is not offered by that owner; owned_by is " +
                                owners_of(snapshot, group) + " here";
    return std::unexpected(
        ClientError{.kind = ErrorKind::model_not_found, .message = arena_.copy(message), .param = "owned_by"});
  }
  const Connection& connection = snapshot.connections[other_protocol->connection];
  std::string message = "the model '" + std::string(model_) + "' is served by a provider of kind '" +
                        std::string(connection.upstream.provider->name) +
                        "', which does not speak the API of this endpoint";
  if (match_.operation == Operation::responses_compact) {
    message +=
        ": only a provider with OpenAI's Responses API can compact a conversation, and only for its own models; "
        "name one of those, or send the conversation to /v1/responses as it is";
  }
  return std::unexpected(
      ClientError{.kind = ErrorKind::unsupported, .message = arena_.copy(message), .param = "model"});
}

Outcome<void> Call::plan_without_model() {
  const auto connection = find_without_model();
  if (!connection) return std::unexpected(connection.error());
  const Option option{.model = nullptr, .connection = *connection, .api = {}};
  take_options({&option, 1});
  return {};
}

void Call::take_options(std::span<const Option> options) {
  const control::Snapshot& snapshot = generation_.snapshot();
  const Model* const first = options.front().model;
  plan_ = {.model = plan_.model,
           .route = first != nullptr ? first->route : static_cast<uint32_t>(snapshot.routes.size() - 1),
           .options = make_list<Option>(arena_, options.size()),
           .candidates = make_list<Candidate>(arena_, options.size())};
  for (size_t i = 0; i < options.size(); ++i) {
    const Option& option = plan_.options[i] = options[i];
    const Connection& connection = snapshot.connections[option.connection];
    const routing::InstanceHandle& instance = generation_.instance(option.connection);
    Candidate candidate{.slot = instance.slot(),
                        .priority = connection.priority * 2 + (option.native ? 0 : 1),
                        .weight = connection.weight,
                        .gate = route().limits(connection.max_in_flight, connection.is_engine)};
    const Route& own = route();
    if (own.settings.policy == routing::PolicyKind::cost || own.policy_header) {
      const uint64_t said = generates(match_.operation) ? estimate_output() : 0;
      candidate.price = price_of_call(price_of(option.model, option.connection), prompt_tokens(), said);
    }
    if (option.model != nullptr) {
      const auto& handle = generation_.model_instance(static_cast<uint32_t>(option.model - snapshot.models.data()));
      if (handle.valid()) candidate.model_slot = handle.slot();
    }
    plan_.candidates[i] = candidate;
  }
}

// Whether the provider of the client's own API would refuse the body as it came.
bool Call::must_be_read(const Model& model) {
  if (builds_on_memory_ || has_tagged_signatures()) return true;
  return providers::is_claude(model.upstream_name(plan_.model)) && has_unsigned_thoughts();
}

// The body is searched once, however many models are considered.
bool Call::has_tagged_signatures() {
  if (!tagged_signatures_) {
    tagged_signatures_ =
        may_have_thoughts() &&
        may_hold_tagged_signature({body_.data(), body_.size()}, body_dialect(match_.operation, match_.dialect));
  }
  return *tagged_signatures_;
}

bool Call::has_unsigned_thoughts() {
  if (!unsigned_thoughts_) {
    const auto client = body_dialect(match_.operation, match_.dialect);
    unsigned_thoughts_ =
        may_have_thoughts() && may_hold_unsigned_thought({body_.data(), body_.size()}, client, worker_.parser());
  }
  return *unsigned_thoughts_;
}

bool Call::may_have_thoughts() const {
  return body_is_json_ && (is_chat(match_.operation) || counts_tokens(match_.operation));
}

std::optional<control::Resolution> Call::find_fallback(std::string_view model) const {
  const control::Snapshot& snapshot = generation_.snapshot();
  if (kind_ != Kind::mirror) return snapshot.resolve_fallback(*principal_, model);
  // A mirrored call is nobody's.
  const auto group = snapshot.resolve(model);
  return group ? std::optional(control::Resolution{.group = *group, .model = model}) : std::nullopt;
}

bool Call::may_fall_back(const Route& route) const {
  const auto passed = static_cast<ptrdiff_t>(std::min<size_t>(fallback_next_, route.fallbacks.size()));
  return std::any_of(route.fallbacks.begin() + passed, route.fallbacks.end(),
                     [this](const std::string& name) { return find_fallback(name).has_value(); });
}

bool Call::may_ask_other_model() const {
  return may_fall_back(route()) && (route().fallback_on_error || plan_.skip_model);
}

// The next model that may answer instead: of those that the operator named, one that the key may use.
bool Call::plan_fallback() {
  const control::Snapshot& snapshot = generation_.snapshot();
  const Route& from = snapshot.routes[plan_.route];
  if (!from.fallback_on_error && !plan_.skip_model) return false;
  const auto& names = from.fallbacks;
  while (fallback_next_ < names.size()) {
    const std::string& name = names[fallback_next_++];
    const auto found = find_fallback(name);
    const CallPlan before = plan_;
    const bool fits = found && plan_group(name, found->group);
    if (fits && admit_fallback(found->assignment)) {
      // The fallbacks, and all other settings, are those of the model that was asked for.
      plan_.route = before.route;
      worker_.metrics().count(telemetry::FailoverEvent::fallback);
      return true;
    }
    plan_ = before;
    std::string_view why = fits ? ":refused" : ":unfit";
    if (!found) why = ":not-allowed";
    const std::string before_it = passed_over_.empty() ? std::string() : std::string(passed_over_) + ",";
    if (wants_explanation()) passed_over_ = arena_.copy(before_it + name + std::string(why));
  }
  return false;
}

uint64_t Call::session(const Route& route) const {
  const uint64_t seed = routing::hash_text(plan_.model);
  switch (route.session) {
    case control::SessionKind::key: return routing::hash_text(principal_->name, seed);
    case control::SessionKind::user: return peek_.user.empty() ? 0 : routing::hash_text(peek_.user, seed);
    case control::SessionKind::header: {
      const std::string_view value = exchange_.head().headers.value(route.session_header);
      return value.empty() ? 0 : routing::hash_text(value, seed);
    }
    case control::SessionKind::conversation:
      return conversation_of({body_.data(), body_.size()}, body_dialect(match_.operation, match_.dialect), seed);
    default: return 0;
  }
}

// The prompt's blocks, if anything is to be chosen by them.
void Call::read_prompt(const Route& route) {
  const bool used =
      route.settings.policy == routing::PolicyKind::adaptive || route.settings.policy == routing::PolicyKind::prefix;
  if (!used || !body_is_json_ || body_.size() < routing::kBlockBytes) return;
  std::string_view prompt(body_.data(), body_.size());
  prompt.remove_prefix(prompt_start(prompt, match_.dialect));
  const auto hashes = make_list<uint64_t>(arena_, std::min(prompt.size() / routing::kBlockBytes, routing::kBlocksMax));
  blocks_ = hashes.first(routing::hash_blocks(prompt, routing::hash_text(plan_.model), hashes));
}

bool Call::wants_explanation() const {
  return has_own_headers_ && !exchange_.head().headers.value(kDebugHeader).empty();
}

// One look over all of them, so that calls without any pay for no other.
bool Call::find_own_headers() const {
  constexpr std::string_view kPrefix = "x-llm-gateway-";
  return std::ranges::any_of(exchange_.head().headers, [kPrefix](const http::Header& header) {
    return header.id == HeaderId::other && header.name.size() > kPrefix.size() &&
           base::equals_ignoring_case(header.name.substr(0, kPrefix.size()), kPrefix);
  });
}

// The route's own, or the one that the call asks for and may ask for.
routing::PolicyKind Call::policy_for(const Route& route) const {
  const bool may_ask = route.policy_header && has_own_headers_ && (principal_ == nullptr || principal_->policy_header);
  if (!may_ask) return route.settings.policy;
  return policy_of(exchange_.head().headers).value_or(route.settings.policy);
}

std::optional<routing::Choice> Call::choose(const Route& route) {
  const base::Instant now = worker_.loop().now();
  routing::Settings settings = route.settings;
  if (may_fall_back(route) && route.fallback_on_error)
    settings.last_resort = false;  // another model is better than a sick instance
  if (plan_.only_elsewhere) settings.last_resort = false;
  settings.policy = policy_for(route);
  routing::Ask ask{.now = now,
                   .prompt_tokens = prompt_tokens(),
                   .block_tokens = kBlockTokens,
                   .blocks = blocks_,
                   .session = second_leg_ ? 0 : session(route),  // a hedge moves no session
                   .cache_lifetime = route.cache_lifetime,
                   .again = retries_ != 0 || second_leg_};
  if (settings.policy == routing::PolicyKind::split && ask.session == 0) {
    ask.session = routing::hash_text(principal_->name);
  }
  const bool debug = wants_explanation();
  std::vector<routing::Score> lines;
  for (;;) {
    const auto choice = worker_.chooser().choose(settings, plan_.candidates, ask, debug ? &lines : nullptr);
    if (!choice) return std::nullopt;
    const Candidate& chosen = plan_.candidates[choice->candidate];
    routing::InstanceTable& table = worker_.shared().routing.instances;
    probe_ = false;
    if (choice->probe) {
      probe_ = routing::begin_probe(table.state(chosen.slot).health, now);
      if (chosen.model_slot != routing::kUnknown) {
        probe_ = routing::begin_probe(table.state(chosen.model_slot).health, now) || probe_;
      }
      if (!probe_) {
        plan_.candidates[choice->candidate].excluded = true;  // somebody else was quicker
        continue;
      }
    }
    const auto begin = [&](routing::Slot slot) {
      return !routing::begin_trial(table.state(slot).health, now, settings.health);
    };
    if (choice->trial && chosen.either(begin)) continue;
    if (debug) describe_choice(*choice, route, lines);
    return choice;
  }
}

void Call::describe_choice(const routing::Choice& choice, const Route& route, std::span<const routing::Score> lines) {
  const control::Snapshot& snapshot = generation_.snapshot();
  const routing::PolicyKind policy = policy_for(route);
  std::string text = "connection=" + snapshot.connections[plan_.options[choice.candidate].connection].name;
  text += "; policy=" + std::string(routing::policy_names()[static_cast<size_t>(policy)]);
  text += "; attempt=" + std::to_string(retries_ + 1) + "; cached=" + std::to_string(choice.cached_tokens);
  if (choice.pinned) text += "; pinned";
  if (choice.probe) text += "; probe";
  if (choice.last_resort) text += "; last-resort";
  if (!passed_over_.empty()) text += "; passed-over=" + std::string(passed_over_);
  text += "; scores=";
  const auto score_text = [&](const routing::Score& line) {
    const Candidate& candidate = plan_.candidates[line.candidate];
    if (line.compared && policy == routing::PolicyKind::cost && candidate.price == kUnpriced) {
      return std::string("unpriced");
    }
    const auto ties = [&line](const routing::Score& other) {
      return other.compared && other.cost == line.cost && other.queue != line.queue;
    };
    const bool by_queue = line.compared && std::ranges::any_of(lines, ties);
    if (line.compared) {
      return std::to_string(line.cost) + (by_queue ? "+" + std::to_string(line.queue) + "s" : std::string());
    }
    return std::string(
        fitness_word(line, candidate, worker_.shared().routing.instances, route.settings.health, worker_.loop().now()));
  };
  for (const routing::Score& line : lines.first(std::min(lines.size(), kScoresMax))) {
    text += snapshot.connections[plan_.options[line.candidate].connection].name + ":" + score_text(line) + ",";
  }
  text.pop_back();
  route_text_ = arena_.copy(text);
}

// Of the instance that was asked.
uint32_t Call::learnt_speed() const {
  const routing::InstanceHandle& handle = generation_.instance(attempt_->connection_index);
  const routing::InstanceTable& instances = worker_.shared().routing.instances;
  return handle.valid() ? routing::learnt_speed(instances.state(handle.slot()), instances.gate(handle.slot())) : 0;
}

// Where the call went and what it asked for, as `route simulate` reads it. The prompt is hashes of its blocks: the
// lower halves, since the first that differs makes all that follow differ.
void Call::log_decision() {
  if (!attempt_ || plan_.candidates.empty()) return;
  constexpr size_t kBlocksALine = 128;  // a line has room for texts of 1,024 bytes
  std::string hashes;
  for (const uint64_t block : blocks_) {
    std::array<char, 9> digits;
    std::snprintf(digits.data(), digits.size(), "%08x", static_cast<uint32_t>(block));
    hashes.append(digits.data(), 8);
  }
  const std::string_view all = hashes;
  const chat::Usage usage = reading_.said().value_or(chat::Usage{});
  const auto tenant = principal_ == nullptr ? 0 : generation_.snapshot().index_of(*principal_);
  const auto arrived = std::chrono::duration_cast<std::chrono::microseconds>(exchange_.started_at().time_since_epoch());
  worker_.log().debug("routed", {{"request_id", id_.view()},
                                 {"timestamp", double(arrived.count()) / 1000},
                                 {"model", plan_.model},
                                 {"connection", attempt_->connection->name},
                                 {"policy", routing::policy_names()[static_cast<size_t>(policy_for(route()))]},
                                 {"attempts", retries_ + 1},
                                 {"tenant", uint64_t{tenant}},
                                 {"priority", int64_t{principal_ == nullptr ? 0 : priority()}},
                                 {"input_length", uint64_t{prompt_tokens()}},
                                 {"output_length", uint64_t{usage.output.value_or(0)}},
                                 {"prompt_tokens_per_second", uint64_t{learnt_speed()}},
                                 {"blocks", all.substr(0, kBlocksALine * 8)},
                                 {"more_blocks", all.size() > kBlocksALine * 8 ? all.substr(kBlocksALine * 8) : ""}});
}

control::CallTimeouts Call::operators_timeouts(const Connection& connection) const {
  const Route& own = route();
  const control::CallTimeouts& timeouts = connection.timeouts;
  return {.connect = own.connect_timeout.value_or(timeouts.connect),
          .first_byte = own.first_byte_timeout.value_or(timeouts.first_byte),
          .idle = own.idle_timeout.value_or(timeouts.idle),
          .total = own.total_timeout.value_or(timeouts.total)};
}

control::CallTimeouts Call::timeouts_of(const Connection& connection) const {
  control::CallTimeouts timeouts = operators_timeouts(connection);
  if (!has_own_headers_) return timeouts;
  const http::Headers& headers = exchange_.head().headers;
  timeouts.connect = timeout_of(headers, kConnectTimeoutHeader).value_or(timeouts.connect);
  timeouts.first_byte = timeout_of(headers, kFirstByteTimeoutHeader).value_or(timeouts.first_byte);
  timeouts.idle = timeout_of(headers, kIdleTimeoutHeader).value_or(timeouts.idle);
  timeouts.total = timeout_of(headers, kTotalTimeoutHeader).value_or(timeouts.total);
  return timeouts;
}

void Call::set_timeouts() {
  timeouts_ = timeouts_of(*attempt_->connection);
  if (deadline_ == base::kNever) {
    const base::Duration most = generation_.snapshot().server.request_timeout;
    if (most < timeouts_.total) deadline_setting_ = kRequestTimeout;
    deadline_ = exchange_.started_at() + std::min(timeouts_.total, most);
  }
}

Outcome<void> Call::aim(uint32_t chosen) {
  const Option& option = plan_.options[chosen];
  if (!continuing_) conversion_.reset();
  read_along_ = option.read_along && !continuing_;
  auto addressed = option.api.codec != nullptr ? address_converted(*option.model, option.api)
                                               : address(option.model, option.connection);
  if (!addressed) return std::unexpected(addressed.error());
  attempt_ = *addressed;
  if (read_along_) {
    auto own = address(option.model, option.connection);
    if (!own) return std::unexpected(own.error());
    attempt_ = *own;
  }
  attempt_->own_api = option.native;
  if (conversion_ != nullptr) conversion_->pass_headers(option.native);
  return {};
}

// Whether there is an instance left, and which.
std::optional<routing::Choice> Call::choose_instance() {
  const Route& own = route();
  if (!prompt_read_ && (plan_.options.size() > 1 || plan_.candidates[0].gate.any())) read_prompt(own);
  prompt_read_ = true;
  if (plan_.options.size() == 1 && !may_fall_back(own) && !plan_.candidates[0].gate.any() && !own.policy_header &&
      !wants_explanation()) {
    if (plan_.candidates[0].excluded) return std::nullopt;
    return routing::Choice{.uncached_tokens = prompt_tokens()};
  }
  return choose(own);
}

uint32_t Call::prompt_tokens() const {
  return static_cast<uint32_t>(body_.size() / chat::kBytesPerToken);
}

// Sets everything up for the instance.
Outcome<bool> Call::take_instance(const routing::Choice& choice) {
  if (auto aimed = aim(choice.candidate); !aimed) {
    leave_instance();
    return std::unexpected(aimed.error());
  }
  set_timeouts();
  plan_.candidates[choice.candidate].excluded = true;
  blocks_expected_ = choice.cached_tokens / kBlockTokens;
  ++plan_.attempts;
  series_ = nullptr;
  reading_.begin_anew();
  upstream_status_ = 0;
  token_replaced_ = false;
  timed_out_ = {};
  return true;
}

}  // namespace llmgw::gateway
