// One request on its way through the gateway: endpoint, key, body, model, upstream, answer, settlement. Lives in its
// handler's coroutine; one thread. The steps stand in the order a request takes them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "chat/error.h"
#include "chat/token_estimate.h"
#include "dialects/stream_boundary.h"
#include "gateway/call/answer_reading.h"
#include "gateway/call/attempt.h"
#include "gateway/call/call_admission.h"
#include "gateway/call/call_plan.h"
#include "gateway/call/call_times.h"
#include "gateway/call/error_filter.h"
#include "gateway/call/error_type.h"
#include "gateway/conversion/conversion.h"
#include "gateway/conversion/media_memory.h"
#include "gateway/conversion/transcoder.h"
#include "gateway/entrance/endpoints.h"
#include "gateway/entrance/peek.h"
#include "gateway/failover/hold_back.h"
#include "gateway/governance/tags.h"
#include "gateway/responses/responses_state.h"
#include "gateway/worker.h"
#include "http/client.h"
#include "http/content_coding.h"
#include "http/exchange.h"
#include "json/splice.h"
#include "providers/sigv4.h"
#include "providers/surface.h"
#include "routing/load/lease.h"
#include "routing/policy/policy.h"
#include "routing/prefix/block_hash.h"
#include "routing/queue/waiting_lines.h"
#include "telemetry/request_id.h"

namespace llmgw::gateway {

struct AnswerEnding;
struct Beginning;
struct HoldWindow;
struct LiveEvents;
struct PumpResult;
class PlainView;

using dialects::Outcome;

// Tells how a call was routed, to whoever sends x-llm-gateway-debug.
inline constexpr std::string_view kRouteHeader = "x-llm-gateway-route";
// A caller's way to pick among connections where no model says it: files, batches.
inline constexpr std::string_view kConnectionHeader = "x-llm-gateway-connection";

class Call {
 public:
  // A mirror's answer is nobody's, and no limit is its; one in the background has a client that may ask for it later.
  enum class Kind : uint8_t { ordinary, mirror, background };
  Call(Worker& worker, http::ServerExchange& exchange, Kind kind = Kind::ordinary);
  // One that has been let in already.
  Call(Worker& worker, http::ServerExchange& exchange, CallAdmission admission);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call();

  // Answers the request, whatever it is, and settles it.
  net::Task<void> run();

 private:
  using Option = CallPlan::Option;

  // call.cpp: the steps
  net::Task<void> dispatch();
  net::Task<void> proxy();
  Outcome<void> authenticate();
  Outcome<void> authenticate_key();
  Outcome<void> check_standing() const;
  int64_t wall_seconds() const;  // since 1970
  net::Task<Outcome<void>> read_body();
  Outcome<void> inspect_body();
  Outcome<void> find_model_outside_body();
  Outcome<uint32_t> find_without_model() const;
  Outcome<Attempt> address(const control::Model* model, uint32_t connection);
  bool native(const control::Connection& connection, std::string_view model) const;
  chat::ClientError unknown_model() const;
  providers::Surface surface() const;
  std::string_view canonical_path();
  void settle();
  void settle_upstream(telemetry::AccessRecord& record, telemetry::RequestSeries& counters);
  // The client has left, or the drain is over: breaks the answer off. Where nothing of one has gone out yet at the end
  // of a drain, the client will be told so by run().
  void give_up();
  bool drained_unanswered() const;
  // Why the answer did not reach its client whole, as error_type has it; empty: it did, or the upstream is to blame.
  std::string_view cut_off() const;

  // call_body.cpp: what an upstream of the client's own API gets
  Outcome<json::Pieces> edit_body(const providers::UpstreamTarget& target, std::string_view& warnings);
  Outcome<void> fit_body(Attempt& attempt, std::string_view model);
  Outcome<std::string_view> unrouted_body();
  Outcome<std::string_view> plain_body(std::string_view model);
  Outcome<json::Pieces> wrap_body(std::string_view body, const providers::BodyEnvelope& envelope,
                                  std::string_view& warnings);
  std::string_view form_field(std::string_view name, std::string_view value);
  json::Edit version_edit(std::string_view body, const providers::BodyEnvelope& envelope);
  bool add_betas(http::Headers& headers, std::string_view betas);
  bool add_hops(http::Headers& headers, const providers::Upstream& upstream);

  // call_route.cpp: where it goes; call_attempts.cpp: one attempt after the other
  Outcome<void> plan();
  Outcome<void> plan_group(std::string_view model, const routing::Group& group);
  bool must_be_read(const control::Model& model);
  bool has_tagged_signatures();
  bool has_unsigned_thoughts();
  bool may_have_thoughts() const;
  Outcome<void> plan_without_model();
  void take_options(std::span<const Option> options);
  bool plan_fallback();
  net::Task<void> try_instances();
  net::Task<bool> try_next();
  std::optional<routing::Choice> choose_instance();
  Outcome<bool> take_instance(const routing::Choice& choice);
  uint32_t prompt_tokens() const;  // a guess, of the body's bytes
  Outcome<void> aim(uint32_t option);
  std::optional<routing::Choice> choose(const control::Route& route);
  uint32_t learnt_speed() const;
  void log_decision();
  void describe_choice(const routing::Choice& choice, const control::Route& route,
                       std::span<const routing::Score> lines);
  bool wants_explanation() const;
  bool find_own_headers() const;
  void read_prompt(const control::Route& route);
  uint64_t session(const control::Route& route) const;
  // What the connection and the route say; and the client, too.
  control::CallTimeouts operators_timeouts(const control::Connection& connection) const;
  control::CallTimeouts timeouts_of(const control::Connection& connection) const;
  void set_timeouts();
  const control::Route& route() const;
  bool could_retry() const;
  void count_failed_attempt();
  void note_discarded();
  HoldWindow hold_window() const;
  bool suspect() const;
  bool may_retry(const chat::ClientError& failure);
  routing::RetryBudget& retry_budget() const;
  std::optional<base::Duration> before_next_round();
  chat::ClientError refused_by_all() const;
  bool may_fall_back(const control::Route& route) const;
  bool may_ask_other_model() const;
  std::optional<control::Resolution> find_fallback(std::string_view model) const;
  bool ask_other_model(const chat::ClientError& refusal);
  bool watches_filter() const;
  bool ask_other_after_filter(const chat::Usage& used);
  routing::PolicyKind policy_for(const control::Route& route) const;
  void note_failure(bool whole_instance);
  void note_unanswered(const base::Error& error, std::string_view waited_for);
  void note_broken(const base::Error& error);
  bool was_hurried(const base::Error& error, std::string_view waited_for) const;
  bool hurried(std::string_view limit) const;  // the caller shortened it below the operator's
  void note_success();
  void pin_answer();
  void note_cached();
  void note_speed();
  void note_status(const http::ResponseHead& head);
  void end_attempt();
  routing::InstanceState* instance_state() const;
  routing::InstanceState* model_state() const;

  // call_queue.cpp: its share of an instance's load, and the wait for it
  net::Task<Outcome<bool>> next_attempt();
  bool take_free_instance();
  // Of an instance's load: it may go at once; it waits; another call was quicker.
  enum class Share : uint8_t { taken, waits, gone };
  Share take_share(const routing::Choice& choice);
  void abandon_probe(uint32_t candidate);
  net::Task<Outcome<bool>> wait_in_line(routing::Choice& choice);
  chat::ClientError refused_in_line(const routing::AdmissionQueue::Refused& refused);
  void went(const routing::Turn& turn, routing::Choice& choice);
  bool still_fit(uint32_t candidate) const;
  bool fall_back_from_line(const chat::ClientError& refused);
  // How long the call may wait for that candidate; without one, for any of them.
  base::Instant queue_deadline(std::optional<uint32_t> candidate = {}) const;
  chat::ClientError too_late();
  int32_t priority() const;
  void charge_share();
  void settle_share();
  telemetry::InstanceSeries& instance_series(uint32_t candidate);
  void note_computed(base::Instant arrived, bool streams);
  void leave_instance();

  // governance.cpp: limits, budgets, the ledger
  Outcome<void> admit();
  // Its limits, and those of the key's assignment of it where there is one, hold in place of those of the model before;
  // and by its price is reserved. False: one of them refuses.
  bool admit_fallback(const control::Assignment* assignment);
  void cap_counts(accounting::LedgerRecord& record);
  void find_scopes();
  std::array<admission::Governed, admission::kScopesMax> governed_scopes() const;
  admission::Demand demand_by_size();
  void count_denial(const admission::Denial& denial);
  admission::Demand estimate_demand();
  uint64_t estimate_input() const;
  uint64_t estimate_output() const;
  control::PriceTable::Prices price_of(const control::Model* model, uint32_t connection);
  // The same at a tier of the provider's ("flex").
  control::PriceTable::Prices price_at(std::string_view tier, const control::Model* model, uint32_t connection);
  // Of what the provider calls so, which no model of the configuration need be; at "tools" its own tools.
  control::PriceTable::Prices price_of_tier(std::string_view tier, uint32_t connection, std::string_view name);
  std::optional<int64_t> cost_of_call(const accounting::LedgerRecord& record);
  std::optional<int64_t> cost_of_tools(const accounting::AnswerDetails& details, std::string_view of_model);
  // When the answer begins, in the upstream's form: what else of it is needed for its price.
  void look_for_details(chat::Framing framing, const http::Headers& answer);
  void look_for_media(chat::Dialect dialect, chat::Framing framing);
  // Whose setting refuses the call because nobody knows its price; null: none's.
  const control::Scope* refuses_unpriced();
  std::unexpected<chat::ClientError> unpriced(const control::Scope& by);
  std::unexpected<chat::ClientError> over_limit(const admission::Denial& denial);
  // What is left of the limits, and which tags were left out.
  void add_governance_headers(http::Headers& headers);
  struct TagsLeftOut {
    size_t header = 0;
    size_t metadata = 0;
  };
  TagList tags(TagsLeftOut* left_out = nullptr);
  void warn_of_tags(http::Headers& headers);
  // Settles the call with limits and ledger: once, and before the last byte of its answer goes out.
  void account();
  accounting::CallOutcome outcome() const;
  chat::Usage used(bool& estimated) const;
  void write_ledger(const accounting::LedgerRecord& settled);
  // batches.cpp: what finished batches cost
  bool look_for_batches();  // true: the answer tells what batches used, and not what the call did
  BatchCharge& charge_of(std::string_view batch, std::string_view model);
  bool prices_every_batch();
  bool makes_batch() const;
  std::string_view made_batch() const;  // its id, when all of the answer is read
  bool charge_batches(accounting::CallOutcome outcome);
  void write_batch(const BatchCharge& charge);

  // local.cpp: what the gateway answers itself
  net::Task<void> answer_health(bool readiness);
  net::Task<void> answer_metrics();
  net::Task<void> answer_models();

  // attempt.cpp: the call to the upstream and the way back
  net::Task<bool> attempt();  // true: it failed, nothing has gone out, and another attempt may be made
  net::Task<base::Result<void>> send(http::ClientExchange& upstream, const Attempt& attempt, bool converted,
                                     net::Wait wait);
  // What read_head() gave, unless the answer is not the provider's.
  static base::Result<const http::ResponseHead*> providers_own(base::Result<const http::ResponseHead*> head);
  static bool hit_closed_connection(const http::ClientExchange& upstream, const base::Error& error);
  net::Task<base::Result<const http::ResponseHead*>> exchange_heads(std::unique_ptr<http::ClientExchange>& upstream);
  net::Task<bool> relay(http::ClientExchange& upstream, const http::ResponseHead& head);
  net::Task<Beginning> hold_back(http::ClientExchange& upstream, const http::ResponseHead& head, chat::Framing framing);
  net::Task<void> give_up_beginning(const base::Error& error, Beginning& beginning);
  HoldBack::Answer held_answer(const http::ResponseHead& head, chat::Framing framing) const;
  void judge_beginning(const http::ResponseHead& head, chat::Framing framing, HoldBack::State state,
                       Beginning& beginning);
  dialects::ReadContext native_context();
  std::unique_ptr<Transcoder> watch_native(const http::ResponseHead& head, chat::Framing framing);
  // relay.cpp: the answer's way back. `first`: the bytes that have been read of it, null if none have; they must hold
  // until the task waits.
  net::Task<void> relay_body(http::ClientExchange& upstream, const http::ResponseHead& head,
                             const http::BodyBytes* first);
  net::Task<void> relay_event_stream(http::ClientExchange& upstream, const http::ResponseHead& head,
                                     const http::BodyBytes* first);
  net::Task<void> relay_websocket(http::ClientExchange& upstream, const http::ResponseHead& head);
  std::string_view read_along(std::string_view data, PlainView& view);
  AnswerEnding document_ending(const http::ResponseHead& head, const PlainView& view, std::string_view document,
                               bool ended);
  // Before the last bytes of an answer go out, and after.
  void account_ending(const AnswerEnding& ending);
  void note_ending();
  base::Result<void> start_answer(const http::ResponseHead& head);
  void warn_of_failure(const base::Error& error);
  void note_cut(const PumpResult& relayed);
  void warn_of_break(const base::Error& error);
  net::Task<void> break_off(
      const base::Error& error, chat::Framing shape, bool between_events,
      std::string_view message = "the connection to the provider broke before its answer was complete");
  net::Task<void> break_off_malformed(std::string_view data, std::optional<size_t> before, chat::Framing shape);
  void note_out(base::Instant arrived);
  void note_piece(bool streams, base::Instant arrived, base::Instant& last_piece);
  telemetry::RequestSeries& series();
  chat::ClientError timeout_error();
  chat::ClientError upstream_error(const base::Error& error);
  net::Wait until(base::Duration timeout) const;
  // refusal.cpp: what the provider says no with
  // Passes it on in the provider's own words; `held` is what has been read of it.
  net::Task<void> relay_words(http::ClientExchange& upstream, const http::ResponseHead& head, Beginning* held);
  // Error bodies of providers stay below 64 KiB; HTML pages of their proxies too.
  static constexpr size_t kErrorBodyBytesMax = 256 << 10;
  static bool is_words(const http::ResponseHead& head);  // a 200 that may be an error, or a page, all the same
  net::Task<void> relay_document(http::ClientExchange& upstream, const http::ResponseHead& head, Beginning* held);
  net::Task<void> relay_cleaned(http::ClientExchange& upstream, const http::ResponseHead& head, Beginning beginning);
  std::string_view clean_events(ErrorFilter& errors, std::string_view bytes, bool whole);
  // False: what it shows has begun to go out.
  bool clean_messages(MessageFilter& messages, std::string_view& bytes, std::optional<size_t> before_next, bool whole);
  Secrets secrets();
  // The provider's refusal, told in the client's dialect. In metrics and logs it is what it is where it passes as it
  // came: the upstream's status.
  net::Task<void> refuse_as_provider(const chat::ClientError& error);
  // The same of an error that a provider told with a 200: no fault of the client's key.
  static chat::ErrorKind blamed(chat::ErrorKind said);
  // Reads on until that many bytes are there, or all of a shorter answer; as it is coded.
  net::Task<void> read_beginning(http::ClientExchange& upstream, Beginning& beginning, size_t enough);
  static std::string decode_document(std::string coded, std::string_view coding);
  // For the pieces of an answer: those after the first give way to other calls' beginnings.
  net::Wait until_next_piece(base::Duration timeout, base::Instant last_piece) const;

  // failover/hedge.cpp: two instances are asked, and who begins first answers
  struct Leg;
  bool hedges() const;
  net::Task<base::Result<const http::ResponseHead*>> race_heads(std::unique_ptr<http::ClientExchange>& upstream);
  net::Task<bool> prepare_second();
  net::Task<void> run_leg(Leg& leg, net::Signal& changed);
  net::Task<base::Result<void>> open_leg(Leg& leg);
  std::optional<base::Duration> hedge_after() const;
  void park(Leg& leg);
  void unpark(Leg& leg);
  void lose(Leg& leg);

  // failover/mirror.cpp: the call made a second time for nobody
  void start_mirror();

  // convert.cpp: the same for a provider of another protocol
  Outcome<Attempt> address_converted(const control::Model& model, const ConvertedApi& api);
  net::Task<Outcome<void>> read_converted();
  net::Task<Outcome<void>> write_converted();
  net::Task<Outcome<void>> fetch_media();
  std::unexpected<chat::ClientError> refused_media(const RemoteMedia& remote, std::string_view message,
                                                   std::string_view code = {}) const;
  Transcoder::Sides sides(const http::ResponseHead& head);
  bool feed_converted(const base::Result<http::BodyBytes>& bytes, Transcoder& transcoder,
                      http::ContentDecoder* decoder);
  void warn_of_answer(const Transcoder& transcoder);
  struct Relay;
  net::Task<base::Result<http::BodyBytes>> next_converted(Relay& relay);
  bool still_holds(Relay& relay) const;
  net::Task<bool> begin_or_end(Relay& relay, const http::ResponseHead& head);
  // failover/continuation.cpp: a broken stream is finished by another instance
  bool reads_along(const control::Connection& connection, const ConvertedApi& api) const;
  bool may_continue(const Relay& relay) const;
  net::Task<bool> continue_elsewhere(Relay& relay);
  net::Task<bool> aim_continuation(std::string_view beginning, uint64_t said);
  net::Task<bool> open_continuation(Relay& relay, const chat::Usage& used);
  void write_beginning(std::string_view beginning, uint64_t said);  // `said`: tokens that the client has already
  void exclude_those_that_cannot_continue(bool said_something);
  chat::Usage charge_attempt(accounting::CallOutcome outcome, uint64_t text_bytes);
  net::Task<bool> relay_converted(std::unique_ptr<http::ClientExchange>& upstream, const http::ResponseHead& head);
  net::Task<std::string> read_document(http::ClientExchange& upstream, const http::ResponseHead& head);
  chat::ClientError refusal_of(const http::ResponseHead& head, std::string_view body);
  net::Task<bool> relay_refusal(http::ClientExchange& upstream, const http::ResponseHead& head);
  base::Result<void> start_converted(const http::ResponseHead& head, std::optional<uint64_t> size);
  net::Task<void> tell_failure(const chat::ClientError& error, Transcoder& transcoder, const http::ResponseHead& head,
                               bool begun);
  // count.cpp: how many tokens a prompt has, asked of a provider of another protocol or estimated
  net::Task<void> answer_estimate();
  net::Task<void> answer_count(uint64_t input_tokens);
  net::Task<void> relay_count(http::ClientExchange& upstream, const http::ResponseHead& head);
  net::Task<void> relay_count_refusal(http::ClientExchange& upstream, const http::ResponseHead& head);
  // invoke.cpp: Claude's stream out of InvokeModel's frames
  bool unwraps(const http::ResponseHead& head) const;
  net::Task<void> relay_unwrapped(http::ClientExchange& upstream, const http::ResponseHead& head,
                                  const http::BodyBytes* first);
  // call_responses.cpp: the memory of the Responses API
  struct Memory;
  struct MemoryDeleter {
    void operator()(Memory* memory) const;
  };
  using MemoryPointer = std::unique_ptr<Memory, MemoryDeleter>;
  bool asks_memory() const;
  MemoryPointer open_memory();
  net::Task<bool> answer_from_memory();
  net::Task<Outcome<void>> find_memory();
  net::Task<Outcome<std::string_view>> recall();
  net::Task<Outcome<void>> check_maker();
  net::Task<bool> made_by_another(std::string_view id);
  bool makes_kept_object() const;
  void note_maker();
  net::Task<void> remember(std::string_view output);
  net::Task<void> start_background();
  std::string_view background_refusal() const;
  net::Task<void> relay_background(LiveEvents& events);
  base::Result<void> start_events();
  net::Task<bool> answer_events(ResponsesState& memory, bool elsewhere);
  net::Task<void> stream_from_memory(ResponsesState& memory, std::string id, uint64_t next,
                                     ResponsesState::Events events);
  chat::List<chat::Spelling> places_in_memory();
  void tell_memory(chat::Request& request);

  bool streams() const { return match_.streams || peek_.stream.value_or(false); }

  // credentials.cpp: signatures and tokens
  Outcome<void> authenticate_signed();
  Outcome<void> verify_signature();
  std::unexpected<chat::ClientError> signature_refused(std::string_view exception, std::string_view message) const;
  net::Task<base::Result<void>> add_credentials(http::Headers& headers, const Attempt& attempt, bool converted);
  base::Result<void> sign(const providers::AwsSigning& aws, http::Headers& headers, const Attempt& attempt,
                          bool converted);
  bool replace_token();

  // answer.cpp: answers of our own
  net::Task<void> answer(uint16_t status, std::string_view content_type, std::string_view body,
                         const http::Headers& headers);
  net::Task<void> refuse(const chat::ClientError& error);
  net::Task<void> refuse_endpoint(const EndpointRefusal& refusal);
  chat::Dialect likely_dialect() const;
  chat::Framing framing() const;

  Worker& worker_;
  http::ServerExchange& exchange_;
  Kind kind_ = Kind::ordinary;
  CallAdmission admission_;
  const GenerationRef& generation_ = admission_.generation;
  base::Arena arena_;
  telemetry::RequestId id_;
  Match match_;
  bool matched_ = false;
  const control::Principal* principal_ = nullptr;
  std::optional<providers::SigV4Claim> claim_;  // the request is signed: to be verified with the body
  std::span<char> body_;
  Peek peek_;
  std::string_view form_boundary_;    // empty: the body is no form
  std::string_view body_model_span_;  // what stands for the model in the body, to be replaced; quoted if JSON
  bool body_is_json_ = false;
  std::string_view body_betas_;  // of an enveloped body, as the header anthropic-beta has them
  std::string_view model_;       // as the client named it
  const control::Assignment* assignment_ = nullptr;
  std::optional<Attempt> attempt_;

  CallPlan plan_;
  std::span<const uint64_t> blocks_;  // of the prompt
  std::span<uint32_t> ages_;          // of the blocks at the instance chosen, before this call
  uint32_t blocks_expected_ = 0;      // to be cached there
  static constexpr uint32_t kBlockTokens = routing::kBlockBytes / chat::kBytesPerToken;  // as far as they are known
  uint32_t fallback_next_ = 0;
  std::string_view budget_model_;  // whose retries these are
  bool prompt_read_ = false;
  bool has_own_headers_ = false;  // x-llm-gateway-...
  bool probe_ = false;
  bool read_along_ = false;                   // the attempt's answer is read, its request is not converted
  bool second_leg_ = false;                   // another instance is being asked already
  bool continuing_ = false;                   // the attempt goes on from what the client has
  std::optional<chat::ClientError> failure_;  // of the attempt before
  routing::Lease lease_;
  uint64_t charged_tokens_ = 0;  // to the key, in the fair order
  CallTimes times_;
  control::CallTimeouts timeouts_{};
  base::Instant deadline_ = base::kNever;
  std::string_view deadline_setting_ = kTotalTimeout;  // whose time is over then
  std::string_view waiting_for_;                       // for the error of a timeout: a name as of the settings
  std::string_view timed_out_;                         // kConnectTimeout and the like
  std::string_view route_text_;                        // of the debug header
  std::string_view passed_over_;                       // fallbacks, for the same
  std::string_view token_;                             // the access token sent to the provider
  bool token_replaced_ = false;
  MemoryPointer memory_;
  // It builds on what the gateway keeps: read and written anew wherever it goes, so that it stands alone there.
  bool builds_on_memory_ = false;
  // What has been looked for in the body: see conversion/tagged_signatures.h.
  std::optional<bool> tagged_signatures_;
  std::optional<bool> unsigned_thoughts_;
  std::unique_ptr<Conversion> conversion_;  // null while client and provider speak the same protocol
  std::optional<HeldMedia> fetched_;        // what was fetched for it

  // For settlement
  std::optional<chat::Usage> estimated_usage_;  // where the provider did not say what was used
  uint16_t status_ = 0;
  uint16_t upstream_status_ = 0;
  uint32_t retries_ = 0;
  uint64_t bytes_in_ = 0;
  uint64_t relayed_out_ = 0;  // of a WebSocket
  std::optional<chat::ErrorKind> error_;
  bool blameless_ = false;     // what went wrong says nothing of the instance
  bool drained_ = false;       // told at the end of a drain that there will be no answer
  bool said_nothing_ = false;  // what has failed did so before anything of an answer came
  AnswerReading reading_;
  bool admitted_ = false;
  bool handed_over_ = false;  // to a call in the background, which counts in its stead
  bool accounted_ = false;
  std::optional<int64_t> cost_;  // nano-dollars; none: unknown
  // Of attempts before the last that were used, too: a stream that another instance finished.
  uint64_t tokens_before_ = 0;
  int64_t cost_before_ = 0;
  telemetry::RequestSeries* series_ = nullptr;
};

}  // namespace llmgw::gateway
