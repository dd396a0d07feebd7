// Limits, budgets and the ledger: what a call needs before it goes out, and what it used when it is over.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <span>
#include <tuple>

#include "base/saturating.h"
#include "chat/token_estimate.h"
#include "control/snapshot.h"
#include "gateway/call/call.h"
#include "gateway/conversion/conversion.h"
#include "gateway/governance/demand.h"
#include "gateway/governance/limit_headers.h"
#include "gateway/governance/operation_costs.h"

namespace llmgw::gateway {
namespace {

using accounting::CallOutcome;
using admission::Dimension;
using chat::ClientError;
using chat::ErrorKind;
using control::Scope;

// A place frees up when some other call ends: soon, as calls go, and nobody knows when.
constexpr base::Duration kConcurrencyRetry = std::chrono::seconds(1);

// Calls that generate nothing and cost nothing.
bool is_free(Operation operation) {
  switch (operation) {
    case Operation::responses_get:
    case Operation::responses_delete:
    case Operation::responses_cancel:
    case Operation::responses_input_items:
    case Operation::responses_input_tokens:
    case Operation::conversations:
    case Operation::files:
    case Operation::uploads:
    case Operation::count_tokens: return true;
    default: return false;
  }
}

// Calls about work and storage that the provider charges by itself, later. To look at it, to stop or to remove it costs
// nothing. To make some is unpriced, for what it comes to is in nobody's answer; but that of batches is, see
// batches.cpp.
bool is_charged_later(Operation operation) {
  switch (operation) {
    case Operation::batches:
    case Operation::message_batches:
    case Operation::fine_tuning:
    case Operation::realtime_secrets:
    case Operation::vector_stores: return true;
    default: return false;
  }
}

// Calls whose answers never say what they used, so that no price helps.
bool is_never_metered(Operation operation) {
  return operation == Operation::realtime || operation == Operation::audio_speech;
}

bool makes(std::string_view method, std::string_view tail) {
  return method == "POST" && !tail.ends_with("/cancel") && !tail.ends_with("/pause");
}

struct ToolName {
  accounting::ProviderTool tool;
  std::string_view name;  // of its price
  bool by_model;          // its price depends on the model
};
constexpr ToolName kTools[] = {
    {accounting::ProviderTool::web_search, "web_search", false},
    {accounting::ProviderTool::file_search, "file_search", false},
    {accounting::ProviderTool::google_maps, "google_maps_prompt/", true},
    {accounting::ProviderTool::container, "container", false},
    {accounting::ProviderTool::image_generation, "image_generation", false},
    {accounting::ProviderTool::advisor, "advisor", false},
};

// Where the request's tier stands in its head.
constexpr std::string_view kVertexTier = "x-vertex-ai-llm-shared-request-type";

std::string_view tier_in_head(const http::Headers& headers, std::string_view provider) {
  if (provider == "vertex") return headers.value(kVertexTier);
  if (provider != "bedrock") return {};
  return headers.value(kBedrockLatencyHeader) == "optimized" ? "optimized" : headers.value(kBedrockTierHeader);
}

// As the setting is called.
std::string_view to_string(Dimension dimension) {
  switch (dimension) {
    case Dimension::requests_per_second: return "tps";
    case Dimension::requests_per_minute: return "rpm";
    case Dimension::tokens_per_minute: return "tpm";
    case Dimension::concurrency: return "concurrency";
    case Dimension::budget: break;
  }
  return "budget";
}

std::string counted(const std::string& number, std::string_view noun) {
  return number + " " + std::string(noun) + (number == "1" ? "" : "s");
}

std::string limit_text(const Scope& scope, Dimension dimension) {
  char number[32];
  switch (dimension) {
    case Dimension::requests_per_second:
      std::snprintf(number, sizeof number, "%.15g", scope.limits().requests_per_second);
      return counted(number, "request") + " a second";
    case Dimension::requests_per_minute:
      return counted(std::to_string(scope.limits().requests_per_minute), "request") + " a minute";
    case Dimension::tokens_per_minute:
      return counted(std::to_string(scope.limits().tokens_per_minute), "token") + " a minute";
    case Dimension::concurrency:
      return counted(std::to_string(scope.limits().concurrency), "request") + " at the same time";
    case Dimension::budget: break;
  }
  static constexpr std::array<std::string_view, 4> kPeriods = {"an hour", "a day", "a week", "a month"};
  return "$" + base::format_usd(*scope.limits().budget) + " " +
         std::string(kPeriods[static_cast<size_t>(scope.limits().budget_period)]);
}

// A secret that the provider gives out is used with the provider itself, where no limit of ours holds: the scope that
// would be got round; null: there is none.
const Scope* evaded_by(Operation operation, std::span<const Scope* const> scopes) {
  if (operation != Operation::realtime_secrets) return nullptr;
  const auto by = std::ranges::find_if(scopes, [](const Scope* each) { return each->limits().any(); });
  return by == scopes.end() ? nullptr : *by;
}

std::string evasion_text(const Scope& scope) {
  return "the " + std::string(control::to_string(scope.kind)) + " '" + scope.name +
         "' has limits (budget, rpm, tps, tpm or concurrency), and what is done with a client secret, which is the "
         "provider's own, would go past them; connect to /v1/realtime of the gateway instead, or ask its operator for "
         "a key that has none";
}

admission::Moment moment_of(net::Loop& loop) {
  return {.now = loop.now().time_since_epoch().count(),
          .wall = std::chrono::floor<std::chrono::seconds>(loop.wall_now()).time_since_epoch().count()};
}

uint64_t all_tokens(const chat::Usage& usage) {
  return base::add_saturating(usage.total_input().value_or(0), usage.output.value_or(0));
}

}  // namespace

admission::Demand Call::estimate_demand() {
  admission::Demand demand;
  admission_.estimated_input = body_is_json_ ? estimate_input() : 0;
  chat::Usage usage;
  usage.input = admission_.estimated_input;
  usage.output = generates(match_.operation) ? estimate_output() : 0;
  if (is_free(match_.operation) || is_charged_later(match_.operation)) return demand;
  demand.tokens = all_tokens(usage);
  // Of several connections the first; where the call goes in the end is settled.
  const Option& option = plan_.options.front();
  const auto prices = price_at(accounting::price_tier(peek_.service_tier), option.model, option.connection);
  if (const auto* price = prices.at(*usage.input)) demand.nano_dollars = accounting::cost_of(*price, usage);
  return demand;
}

uint64_t Call::estimate_input() const {
  // Numbers of tokens may be shorter than four bytes, and a long list of them looks like a picture.
  return std::max({estimate_prompt_tokens({body_.data(), body_.size()}), peek_.token_numbers, peek_.prompts});
}

uint64_t Call::estimate_output() const {
  const uint64_t one = peek_.max_output_tokens.value_or(kAssumedOutputTokens);
  uint64_t tokens = tokens_of_answers(one, peek_.answers, peek_.prompts);
  if (peek_.max_output_tokens) return tokens;
  // A guess alone must not make a call impossible.
  for (size_t i = 0; i < admission_.scope_count; ++i) {
    const uint64_t limit = admission_.scopes[i]->compiled().tokens_per_minute;
    if (limit != 0) tokens = std::min(tokens, limit / kAssumedShareOfMinute);
  }
  return tokens;
}

control::PriceTable::Prices Call::price_of(const control::Model* model, uint32_t connection) {
  if (model == nullptr) return {};
  if (model->price.any()) return model->price;
  const control::Snapshot& snapshot = generation_.snapshot();
  return worker_.prices().find(snapshot, snapshot.connections[connection], model->upstream_name(plan_.model));
}

control::PriceTable::Prices Call::price_at(std::string_view tier, const control::Model* model, uint32_t connection) {
  if (tier.empty()) return price_of(model, connection);
  if (model == nullptr) return {};
  return price_of_tier(tier, connection, model->upstream_name(plan_.model));
}

control::PriceTable::Prices Call::price_of_tier(std::string_view tier, uint32_t connection, std::string_view name) {
  const control::Snapshot& snapshot = generation_.snapshot();
  const control::Connection& by = snapshot.connections[connection];
  const auto at_tier = [tier](std::string_view whose) { return std::string(whose).append(":").append(tier); };
  return snapshot.prices.find(at_tier(by.name), at_tier(by.upstream.provider->name), name);
}

void Call::look_for_details(chat::Framing framing, const http::Headers& answer) {
  // Of a converted stream of binary frames nobody takes the payloads out on the way.
  if (conversion_ && framing == chat::Framing::event_stream) return;
  const std::string_view asked =
      conversion_ ? std::string_view{}
                  : tier_in_head(exchange_.head().headers, attempt_->connection->upstream.provider->name);
  if (!asked.empty()) peek_.service_tier = asked;
  // What the head asked of InvokeModel may have been asked of another API in its body.
  const bool elsewhere = conversion_ && !conversion_->request().service_tier.empty();
  if (asked.empty() && !elsewhere && !peek_.names_tier && !peek_.provider_tools) return;
  reading_.details.emplace(framing);
  reading_.details->tier_in_head(answer.value(kBedrockTierHeader));
}

void Call::look_for_media(chat::Dialect dialect, chat::Framing framing) {
  if (framing != chat::Framing::json && framing != chat::Framing::sse && framing != chat::Framing::json_array) return;
  if (price_of(attempt_->model, attempt_->connection_index).any_of_media()) {
    reading_.converted_media.emplace(dialect, framing);
  }
}

// What the provider's tools cost beside their tokens. None: they were used, and nobody knows.
std::optional<int64_t> Call::cost_of_tools(const accounting::AnswerDetails& details, std::string_view of_model) {
  int64_t sum = 0;
  const auto add = [&](uint32_t uses, std::string_view tool) {
    const auto prices = price_of_tier("tools", attempt_->connection_index, tool);
    const accounting::Price* const price = prices.at(0);
    if (price != nullptr) {
      sum = base::add_saturating(sum, base::multiply_saturating(int64_t{uses}, price->request));
    }
    return price != nullptr;
  };
  const std::string model(of_model);
  for (const ToolName& each : kTools) {
    const uint32_t uses = details.uses(each.tool);
    if (uses != 0 && !add(uses, each.by_model ? std::string(each.name) + model : std::string(each.name))) return {};
  }
  const uint32_t queries = details.uses(accounting::ProviderTool::google_query);
  if (queries == 0 || model.empty()) return sum;
  // Some of its models are charged by the query, others by the prompt that led to any.
  if (!add(queries, "google_search_query/" + model) && !add(1, "google_search_prompt/" + model)) return {};
  return sum;
}

std::optional<int64_t> Call::cost_of_call(const accounting::LedgerRecord& record) {
  // A tier that was asked for in another API may not have been asked of this provider.
  std::string_view tier = conversion_ ? std::string_view{} : accounting::price_tier(peek_.service_tier);
  if (reading_.details && reading_.details->tier_told()) tier = reading_.details->tier();
  const auto prices = price_at(tier, attempt_->model, attempt_->connection_index);
  const accounting::Price* const price = prices.at(record.usage.total_input().value_or(0));
  const std::string_view model =
      attempt_->model != nullptr ? attempt_->model->upstream_name(plan_.model) : std::string_view{};
  const auto tools = reading_.details ? cost_of_tools(*reading_.details, model) : std::optional<int64_t>(0);
  if (price == nullptr || !tools || !record.usage.known()) return {};
  return base::add_saturating(accounting::cost_of(*price, record.usage, record.media), *tools);
}

// Whose limits hold for the call, the model's last.
void Call::find_scopes() {
  const control::Snapshot& snapshot = generation_.snapshot();
  admission_.scope_count = 0;
  const auto add = [&](uint32_t scope) {
    if (scope != control::kNone) admission_.scopes[admission_.scope_count++] = &snapshot.scopes[scope];
  };
  for (const uint32_t scope : principal_->governing_scopes()) add(scope);
  if (assignment_ != nullptr) add(assignment_->scope);
  if (plan_.options.front().model != nullptr) add(plan_.options.front().model->scope);
}

Outcome<void> Call::admit() {
  admitted_ = admitted_ || kind_ == Kind::mirror;
  if (admitted_) return {};
  find_scopes();
  if (const Scope* const by = refuses_unpriced()) return unpriced(*by);
  if (const Scope* const by = evaded_by(match_.operation, std::span(admission_.scopes).first(admission_.scope_count))) {
    worker_.metrics().limit_refusal(control::to_string(by->kind), "client_secret").add();
    return std::unexpected(ClientError{.kind = ErrorKind::permission, .message = arena_.copy(evasion_text(*by))});
  }
  const auto governed = governed_scopes();
  const auto denial = admission_.reservation.take(std::span(governed).first(admission_.scope_count), demand_by_size(),
                                                  moment_of(worker_.loop()));
  if (denial) return over_limit(*denial);
  admitted_ = true;
  return {};
}

std::array<admission::Governed, admission::kScopesMax> Call::governed_scopes() const {
  std::array<admission::Governed, admission::kScopesMax> governed;
  for (size_t i = 0; i < admission_.scope_count; ++i) {
    governed[i] = {&admission_.scopes[i]->compiled(), admission_.scopes[i]->meter.get()};
  }
  return governed;
}

// What the call may use, where any of its scopes wants to know.
admission::Demand Call::demand_by_size() {
  const auto scopes = std::span(admission_.scopes).first(admission_.scope_count);
  const bool by_size = std::ranges::any_of(
      scopes, [](const Scope* each) { return each->compiled().has_budget || each->compiled().tokens_per_minute != 0; });
  return by_size ? estimate_demand() : admission::Demand{};
}

bool Call::admit_fallback(const control::Assignment* assignment) {
  if (kind_ == Kind::mirror) return true;
  auto now = std::tie(assignment_, admission_.scopes, admission_.scope_count);
  const std::tuple before(assignment_, admission_.scopes, admission_.scope_count);
  if (assignment != nullptr) assignment_ = assignment;
  find_scopes();
  bool admitted = refuses_unpriced() == nullptr;
  if (admitted) {
    const auto governed = governed_scopes();
    const auto denial = admission_.reservation.go_on(
        std::span(governed).first(admission_.scope_count), demand_by_size(),
        {.tokens = tokens_before_, .nano_dollars = cost_before_}, moment_of(worker_.loop()));
    if (denial) count_denial(*denial);
    admitted = !denial;
  }
  if (!admitted) now = before;
  return admitted;
}

void Call::count_denial(const admission::Denial& denial) {
  const Scope& scope = *admission_.scopes[denial.scope];
  worker_.metrics().limit_refusal(control::to_string(scope.kind), to_string(denial.dimension)).add();
}

const Scope* Call::refuses_unpriced() {
  const auto scopes = std::span(admission_.scopes).first(admission_.scope_count);
  const auto by = std::ranges::find_if(scopes, [](const Scope* each) { return each->compiled().refuses_unpriced; });
  if (by == scopes.end() || is_free(match_.operation)) return nullptr;
  if (is_charged_later(match_.operation)) {
    const bool unknown = makes(exchange_.head().method_text, match_.tail) && !prices_every_batch();
    return unknown ? *by : nullptr;
  }
  if (is_never_metered(match_.operation)) return *by;
  // Whichever of them it goes to, and however long its prompt is, which nobody has counted yet.
  const bool known = std::ranges::all_of(plan_.options, [this](const Option& option) {
    const control::Connection& connection = generation_.snapshot().connections[option.connection];
    std::string_view tier = peek_.service_tier;
    if (option.native) {
      const auto in_head = tier_in_head(exchange_.head().headers, connection.upstream.provider->name);
      if (!in_head.empty()) tier = in_head;
    }
    return price_at(accounting::price_tier(tier), option.model, option.connection).all();
  });
  return known ? nullptr : *by;
}

std::unexpected<ClientError> Call::unpriced(const Scope& by) {
  worker_.metrics().limit_refusal(control::to_string(by.kind), "unpriced").add();
  std::string message = "calls of this kind have no price";
  if (!is_charged_later(match_.operation) && !is_never_metered(match_.operation)) {
    message = "the model '" + std::string(model_) + "' has no price";
    if (!peek_.service_tier.empty()) message += " at the service tier '" + std::string(peek_.service_tier) + "'";
  }
  message +=
      " here, and the " + std::string(control::to_string(by.kind)) + " '" + by.name +
      "' refuses what has none (unpriced = \"refuse\"); use another, or ask the gateway's operator to give it one "
      "in [[prices]]";
  return std::unexpected(ClientError{.kind = ErrorKind::permission, .message = arena_.copy(message)});
}

std::unexpected<ClientError> Call::over_limit(const admission::Denial& denial) {
  count_denial(denial);
  const Scope& scope = *admission_.scopes[denial.scope];
  // Of an assignment the client knows the alias; the key's name before it is its own.
  std::string message = "the " + std::string(control::to_string(scope.kind)) + " '" + scope.name + "' may use " +
                        limit_text(scope, denial.dimension);
  ClientError error{.kind = ErrorKind::rate_limited};
  if (denial.dimension == Dimension::budget) {
    error.kind = ErrorKind::quota_exceeded;
    const bool none = scope.compiled().budget <= 0;
    message += none ? ", so it may make no call that could cost anything"
                    : "; what is left of the budget is less than this request may cost";
    if (none) {
      error.message = arena_.copy(message);
      return std::unexpected(error);
    }
  }
  if (denial.retry_after == admission::cell::kForever) {
    message += ", which is less than this request needs; shorten it or lower its limit of output tokens";
  } else {
    error.retry_after =
        denial.dimension == Dimension::concurrency ? kConcurrencyRetry : base::Duration(denial.retry_after);
  }
  error.message = arena_.copy(message);
  return std::unexpected(error);
}

void Call::add_governance_headers(http::Headers& headers) {
  warn_of_tags(headers);
  if (admission_.scope_count == 0) return;
  const int64_t now = worker_.loop().now().time_since_epoch().count();
  admission::Allowance requests;
  admission::Allowance tokens;
  for (size_t i = 0; i < admission_.scope_count; ++i) {
    const admission::Governed governed{&admission_.scopes[i]->compiled(), admission_.scopes[i]->meter.get()};
    admission::tighten_requests(requests, governed, now);
    admission::tighten_tokens(tokens, governed, now);
  }
  if (requests.limit == 0 && tokens.limit == 0) return;
  write_limit_headers(match_.dialect, requests, tokens, worker_.loop().wall_now(), arena_, headers);
}

// What the provider said, and for what it did not get to say or does not say at all, an estimate.
chat::Usage Call::used(bool& estimated) const {
  chat::Usage usage = reading_.said().value_or(chat::Usage{});
  const CallOutcome how = outcome();
  const bool sent = times_.before.count() > 0;
  if (!sent || how == CallOutcome::failed) return usage;
  if (is_charged_later(match_.operation) || (!generates(match_.operation) && !reading_.unreadable)) return usage;
  const bool whole = how == CallOutcome::completed;
  const uint64_t text = reading_.text ? reading_.text->bytes() : reading_.text_bytes;
  // A document tells its usage with its text; without text it may have none to tell.
  const bool said = !reading_.unreadable && !streams() && text == 0;
  // One that tells the answer's tokens and not the prompt's is no free prompt.
  const bool halved = usage.output && !usage.total_input();
  if (whole && !halved && (said || usage.output)) return usage;
  if (!usage.total_input()) {
    estimated = true;
    usage.input = admission_.estimated_input != 0 ? admission_.estimated_input : estimate_input();
  }
  const uint64_t seen = estimate_generated_tokens(text);
  if (!streams()) {
    if (!whole || usage.output || !generates(match_.operation)) return usage;
    estimated = true;
    // Compressed, its length tells little: what was reserved for it.
    usage.output = reading_.unreadable ? estimate_output() : seen;
    return usage;
  }
  // Some say at the start what they have generated so far.
  if (!usage.output || seen > *usage.output) {
    estimated = true;
    usage.output = seen;
  }
  return usage;
}

// Nobody is charged for numbers that no call can reach.
void Call::cap_counts(accounting::LedgerRecord& record) {
  record.capped = accounting::cap(record.usage);
  record.capped = accounting::cap(record.media) || record.capped;
  if (!record.capped) return;
  worker_.log().warn("a provider says that a call used more tokens than can be; they are counted as the most",
                     {{"request_id", id_.view()},
                      {"connection", attempt_->connection->name},
                      {"counted", uint64_t{accounting::kTokensMax}}});
}

void Call::account() {
  if (accounted_ || !admitted_) return;
  accounted_ = true;
  note_maker();
  if (!attempt_) {
    // No instance could be asked: nothing was used.
    cost_ = 0;
    return admission_.reservation.settle({.tokens = tokens_before_, .nano_dollars = cost_before_},
                                         moment_of(worker_.loop()));
  }
  accounting::LedgerRecord record;
  record.outcome = outcome();
  record.usage = used(record.estimated);
  if (reading_.usage) record.media = reading_.usage->media();
  if (!reading_.usage && reading_.converted_media) record.media = reading_.converted_media->media();
  cap_counts(record);
  if (record.estimated) estimated_usage_ = record.usage;
  const bool later = is_charged_later(match_.operation);
  const bool makes_unpriced = later && !is_batch(match_.operation) && makes(exchange_.head().method_text, match_.tail);
  if (!charge_batches(record.outcome)) {
    cost_.reset();
  } else if (is_free(match_.operation) || (later && !makes_unpriced) ||
             (!record.usage.known() && record.outcome == CallOutcome::failed)) {
    cost_ = 0;
  } else if (later) {
    cost_.reset();
  } else {
    cost_ = cost_of_call(record);
  }
  record.priced = cost_.has_value();
  record.nano_dollars = cost_.value_or(0);
  if (admission_.reservation.held()) {
    admission_.reservation.settle({.tokens = base::add_saturating(all_tokens(record.usage), tokens_before_),
                                   .nano_dollars = base::add_saturating(record.nano_dollars, cost_before_)},
                                  moment_of(worker_.loop()));
  }
  if (worker_.ledger() != nullptr) write_ledger(record);
}

// An attempt that will not be the call's last, but that its provider will charge: a record of its own, and the rest
// with the call's. `text_bytes`: what it sent before it broke off.
chat::Usage Call::charge_attempt(CallOutcome outcome, uint64_t text_bytes) {
  if (is_free(match_.operation) || is_charged_later(match_.operation)) return {};
  accounting::LedgerRecord record;
  record.outcome = outcome;
  record.estimated = true;
  record.usage = reading_.said().value_or(chat::Usage{});
  if (!record.usage.total_input()) record.usage.input = estimate_input();
  record.usage.output = std::max(record.usage.output.value_or(0), estimate_generated_tokens(text_bytes));
  cap_counts(record);
  const auto prices = price_of(attempt_->model, attempt_->connection_index);
  if (const auto* price = prices.at(record.usage.total_input().value_or(0))) {
    record.nano_dollars = accounting::cost_of(*price, record.usage);
    record.priced = true;
    series().count_cost(static_cast<uint64_t>(record.nano_dollars));
  }
  series().count_tokens(telemetry::TokenType::input, record.usage.input.value_or(0));
  series().count_tokens(telemetry::TokenType::output, *record.usage.output);
  tokens_before_ = base::add_saturating(tokens_before_, all_tokens(record.usage));
  cost_before_ = base::add_saturating(cost_before_, record.nano_dollars);
  reading_.text_bytes = 0;
  if (worker_.ledger() != nullptr) write_ledger(record);
  return record.usage;
}

}  // namespace llmgw::gateway
