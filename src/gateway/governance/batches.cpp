// What batches cost: told by answers to calls that look at them, when they are finished. See docs/money.md.
#include <algorithm>

#include "admission/meter.h"
#include "base/saturating.h"
#include "control/snapshot.h"
#include "gateway/call/call.h"
#include "gateway/governance/operation_costs.h"

namespace llmgw::gateway {

using accounting::BatchReader;
using accounting::BatchUse;
using accounting::LedgerText;

namespace {

constexpr std::string_view kTier = "batch";

// "messages/batches/ID/results": the ID; empty: it is another path.
std::string_view batch_of_results(std::string_view tail) {
  constexpr std::string_view kBefore = "messages/batches/";
  constexpr std::string_view kBehind = "/results";
  if (!tail.starts_with(kBefore) || !tail.ends_with(kBehind)) return {};
  tail.remove_prefix(kBefore.size());
  return tail.size() > kBehind.size() ? tail.substr(0, tail.size() - kBehind.size()) : std::string_view{};
}

void add(std::optional<uint64_t>& to, const std::optional<uint64_t>& more) {
  if (more) to = base::add_saturating(to.value_or(0), *more);
}

void add(chat::Usage& to, const chat::Usage& more) {
  for (const auto count : {&chat::Usage::input, &chat::Usage::cache_read, &chat::Usage::cache_write,
                           &chat::Usage::cache_write_1h, &chat::Usage::output, &chat::Usage::reasoning}) {
    add(to.*count, more.*count);
  }
}

void add(accounting::MediaTokens& to, const accounting::MediaTokens& more) {
  using accounting::MediaTokens;
  for (const auto count :
       {&MediaTokens::audio_input, &MediaTokens::image_input, &MediaTokens::audio_output, &MediaTokens::image_output}) {
    to.*count = base::add_saturating(to.*count, more.*count);
  }
}

}  // namespace

void BatchCharge::add(const BatchUse& use, std::optional<int64_t> tools) {
  chat::Usage used = use.usage;
  accounting::MediaTokens of_media = use.media;
  capped = accounting::cap(used, use.requests) || capped;
  capped = accounting::cap(of_media, use.requests) || capped;
  gateway::add(usage, used);
  gateway::add(media, of_media);
  const bool alone = use.requests == 1;
  const accounting::Price* const price = prices.at(alone ? used.total_input().value_or(0) : 0);
  // What a request costs in a batch that is made dearer in another way, too (anthropic:regional), nobody knows.
  const bool special = use.details != nullptr && !use.details->tier().empty() && use.details->tier() != kTier;
  if (price == nullptr || special || !used.known() || !tools) {
    priced = false;
    return;
  }
  estimated = estimated || (!alone && prices.at(UINT64_MAX) != price);
  const auto others = static_cast<int64_t>(std::min<uint64_t>(use.requests - 1, INT64_MAX));
  for (const int64_t each :
       {accounting::cost_of(*price, used, of_media), base::multiply_saturating(others, price->request), *tools}) {
    nano_dollars = base::add_saturating(nano_dollars, each);
  }
}

bool Call::makes_batch() const {
  return is_batch(match_.operation) && exchange_.head().method_text == "POST" &&
         (match_.tail == "batches" || match_.tail == "messages/batches");
}

std::string_view Call::made_batch() const {
  return makes_batch() && reading_.batches ? std::string_view(reading_.batches->reader.id()) : std::string_view{};
}

// When the answer begins. That to a call which makes one of Anthropic's batches has its id.
bool Call::look_for_batches() {
  const std::string_view results =
      match_.operation == Operation::message_batches ? batch_of_results(match_.tail) : std::string_view{};
  if (match_.operation != Operation::batches && results.empty() && !makes_batch()) return false;
  const auto answer = results.empty() ? BatchReader::Answer::objects : BatchReader::Answer::results;
  reading_.batches = std::make_unique<BatchReading>(answer, [this, results](const BatchUse& use) {
    const std::string_view batch = use.batch.empty() ? results : use.batch;
    charge_of(batch, use.model).add(use, use.details != nullptr ? cost_of_tools(*use.details, use.model) : 0);
  });
  return true;
}

BatchCharge& Call::charge_of(std::string_view batch, std::string_view model) {
  std::vector<BatchCharge>& charges = reading_.batches->charges;
  const auto find = [&] {
    return std::ranges::find_if(charges,
                                [&](const BatchCharge& each) { return each.batch == batch && each.model == model; });
  };
  auto found = find();
  const auto models = [&] { return std::ranges::count(charges, batch, &BatchCharge::batch); };
  if (found == charges.end() && static_cast<size_t>(models()) >= BatchReading::kModelsMax) {
    model = {};
    found = find();
  }
  if (found != charges.end()) return *found;
  BatchCharge& charge = charges.emplace_back();
  charge.batch = batch;
  charge.model = model;
  if (!model.empty()) charge.prices = price_of_tier(kTier, attempt_->connection_index, model);
  return charge;
}

bool Call::prices_every_batch() {
  if (!is_batch(match_.operation)) return false;
  return std::ranges::all_of(
      plan_.options, [this](const Option& option) { return price_of_tier(kTier, option.connection, "*").all(); });
}

// Before the last bytes of the answer go out: a record of its own for each batch and model, which the ledger counts
// once. False: something was told of which there is no record.
bool Call::charge_batches(accounting::CallOutcome outcome) {
  if (!reading_.batches) return true;
  BatchReading& reading = *reading_.batches;
  // Of half an answer nobody knows what the rest would have told: whoever looks again gets all of it.
  if (outcome != accounting::CallOutcome::completed) return reading.charges.empty();
  reading.reader.finish();
  const bool unreadable = reading.reader.unreadable() || reading_.unreadable;
  bool whole = !unreadable;
  if (unreadable) {
    worker_.log().warn("an answer about batches cannot be read; what it tells of their use is unpriced",
                       {{"request_id", id_.view()}, {"connection", attempt_->connection->name}});
    if (const auto batch = batch_of_results(match_.tail); !batch.empty()) {
      charge_of(batch, {}).priced = false;
      whole = true;
    }
  }
  for (const BatchCharge& charge : reading.charges) write_batch(charge);
  return whole;
}

void Call::write_batch(const BatchCharge& charge) {
  accounting::LedgerRecord record;
  record.usage = charge.usage;
  record.media = charge.media;
  record.priced = charge.priced;
  record.nano_dollars = charge.priced ? charge.nano_dollars : 0;
  record.estimated = charge.estimated;
  record.capped = charge.capped;
  record.text(LedgerText::batch) = charge.batch;
  record.text(LedgerText::model) = charge.model;
  record.text(LedgerText::upstream_model) = charge.model;
  record.text(LedgerText::provider) = attempt_->connection->upstream.provider->name;
  if (!worker_.shared().charged_batches.add(accounting::batch_key(record))) return;
  telemetry::RequestSeries& counters = series();
  if (charge.priced) {
    counters.count_cost(static_cast<uint64_t>(charge.nano_dollars));
  } else {
    counters.count_unpriced();
  }
  counters.count_tokens(telemetry::TokenType::input, charge.usage.input.value_or(0));
  counters.count_tokens(telemetry::TokenType::cache_read, charge.usage.cache_read.value_or(0));
  counters.count_tokens(telemetry::TokenType::cache_write, charge.usage.cache_write.value_or(0));
  counters.count_tokens(telemetry::TokenType::output, charge.usage.output.value_or(0));
  counters.count_tokens(telemetry::TokenType::reasoning, charge.usage.reasoning.value_or(0));
  if (worker_.ledger() != nullptr) return write_ledger(record);
  // The ledger tells its budgets when it knows that nobody has been charged yet; without one it is known here alone.
  for (size_t i = 0; i < admission_.scope_count; ++i) {
    if (admission_.scopes[i]->compiled().has_budget) {
      admission::charge(*admission_.scopes[i]->meter, record.nano_dollars);
    }
  }
}

}  // namespace llmgw::gateway
