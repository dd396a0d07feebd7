// The Responses API's memory, for providers that have none: see responses_state.h.
#include "base/text.h"
#include "dialects/models_list.h"
#include "gateway/call/call.h"
#include "gateway/responses/background.h"
#include "gateway/responses/response_makers.h"
#include "gateway/responses/responses_state.h"
#include "json/tree.h"
#include "net/io.h"

namespace llmgw::gateway {

using chat::ClientError;
using chat::ErrorKind;
using net::Task;
namespace state = dialects::openai_responses;

// What lives as long as the call: its parser is not the worker's, since it is in use while others run.
struct Call::Memory {
  Memory(store::ResponsesStore& store, Worker& worker, base::Arena& arena, const control::Principal& principal,
         std::string_view request_id, net::Wait wait, int64_t lost_after_seconds)
      : state({.store = store,
               .loop = worker.loop(),
               .parser = parser,
               .arena = arena,
               .owner = arena.copy(memory_owner(principal)),
               .request_id = request_id,
               .wait = wait,
               .lost_after_seconds = lost_after_seconds,
               .former = former_memory_owner(principal)}) {}
  json::Parser parser;
  ResponsesState state;
  StateTurn turn;
};

void Call::MemoryDeleter::operator()(Memory* memory) const {
  delete memory;
}

namespace {

// A disk that takes longer is not one to wait for.
constexpr base::Duration kStoreTimeout = std::chrono::seconds(5);
// To find out who made what a provider keeps: a database that is slower holds no call up that needs nothing else of it.
constexpr base::Duration kMakerTimeout = std::chrono::milliseconds(500);
// How often a stream that is read out of the store looks for more.
constexpr base::Duration kLookInterval = std::chrono::milliseconds(100);
// Behind the longest time a request may take: what is not stored by then never will be.
constexpr base::Duration kLostAfter = std::chrono::minutes(2);

// The Response object at the end of a stream: of its last event that has one.
std::string_view final_response(std::string_view output, chat::Framing framing, json::Parser& parser,
                                base::Arena& arena) {
  if (framing == chat::Framing::json) return output;
  constexpr std::string_view kData = "\ndata: ";
  const size_t at = output.rfind(kData);
  if (at == std::string_view::npos) return {};
  std::string_view data = output.substr(at + kData.size());
  data = data.substr(0, data.find('\n'));
  const auto event = json::parse_tree(parser, data, arena);
  return event ? (*event)["response"].raw() : std::string_view{};
}

// "responses/resp_1/input_items": resp_1, as it is escaped there. Empty: it has none.
std::string_view id_in(std::string_view tail) {
  const std::string_view id = tail.substr(std::min(tail.find('/'), tail.size() - 1) + 1);
  return id.substr(0, id.find('/'));
}

bool wants_events(std::string_view query) {
  const auto stream = dialects::query_value(query, "stream", "stream");
  return stream && *stream == "true";
}

}  // namespace

bool Call::asks_memory() const {
  switch (match_.operation) {
    case Operation::responses_get:
    case Operation::responses_delete:
    case Operation::responses_cancel:
    case Operation::responses_input_items:
    case Operation::conversations: return true;
    default: return false;
  }
}

Call::MemoryPointer Call::open_memory() {
  store::ResponsesStore* const store = worker_.shared().responses.get();
  if (store == nullptr) return {};
  const base::Duration longest = generation_.snapshot().server.request_timeout + kLostAfter;
  return MemoryPointer(new Memory(*store, worker_, arena_, *principal_, id_.view(), until(kStoreTimeout),
                                  std::chrono::duration_cast<std::chrono::seconds>(longest).count()));
}

// True if it was answered. What the gateway does not know may be known to a provider with a memory of its own.
Task<bool> Call::answer_from_memory() {
  const auto memory = open_memory();
  // What was made here no provider knows.
  const bool elsewhere = !state::is_minted(id_in(match_.tail)) && find_without_model().has_value();
  if (memory == nullptr) {
    if (elsewhere) co_return false;
    co_await refuse({.kind = ErrorKind::internal, .message = "the gateway's store of responses cannot be opened"});
    co_return true;
  }
  // A new conversation is the gateway's, so that every model can go on in it, but for who names a provider's: what is
  // wrong with it no other is asked.
  const bool creates = match_.operation == Operation::conversations && match_.tail == "conversations";
  if (creates && elsewhere && !exchange_.head().headers.value(kConnectionHeader).empty()) co_return false;
  if (match_.operation == Operation::responses_get && wants_events(exchange_.head().query)) {
    co_return co_await answer_events(memory->state, elsewhere);
  }
  auto answered = co_await memory->state.answer(match_.operation, exchange_.head().method_text, match_.tail,
                                                exchange_.head().query, {body_.data(), body_.size()});
  if (!answered) {
    if (elsewhere && !creates) co_return false;
    co_await refuse(answered.error());
    co_return true;
  }
  co_await answer(200, "application/json", *answered, {});
  co_return true;
}

// True if it was answered.
Task<bool> Call::answer_events(ResponsesState& memory, bool elsewhere) {
  const auto id = base::percent_decode(match_.tail.substr(match_.tail.find('/') + 1));
  const auto after = dialects::query_value(exchange_.head().query, "starting_after", "starting_after");
  const auto number = after ? base::parse_decimal(*after) : std::nullopt;
  if (!id || !after || (!after->empty() && !number)) {
    co_await refuse({.kind = ErrorKind::invalid_request,
                     .message = "starting_after must be the sequence_number of an event",
                     .param = "starting_after"});
    co_return true;
  }
  uint64_t next = number ? *number + 1 : 0;
  auto read = co_await memory.read_events(*id, next);
  if (!read && elsewhere && read.error().kind == ErrorKind::not_found) co_return false;
  if (!read) {
    co_await refuse(read.error());
    co_return true;
  }
  co_await stream_from_memory(memory, *id, next, std::move(*read));
  co_return true;
}

// Before a request for a response is sent anywhere: a provider with a memory of its own knows nothing of what the
// gateway keeps. That is told by the ids, so what a provider keeps passes without a look into the store.
Task<Outcome<void>> Call::find_memory() {
  const bool creates = match_.operation == Operation::responses_create;
  if (!creates && match_.operation != Operation::responses_input_tokens) co_return Outcome<void>{};
  const std::string_view body(body_.data(), body_.size());
  // Thoughts of another provider's models came through here, and so does what follows.
  const bool ours = state::builds_on_minted(body, worker_.parser()) || has_tagged_signatures();
  if (!ours) co_return Outcome<void>{};
  auto recalled = co_await recall();
  if (!recalled) co_return std::unexpected(recalled.error());
  builds_on_memory_ = true;
  co_return Outcome<void>{};
}

// Before a request for a response is converted: what it builds on becomes part of it.
Task<Outcome<std::string_view>> Call::recall() {
  const std::string_view body(body_.data(), body_.size());
  if (memory_ != nullptr) co_return memory_->turn.body.empty() ? body : std::string_view(memory_->turn.body);
  memory_ = open_memory();
  if (memory_ == nullptr) co_return body;
  auto turn = co_await memory_->state.begin(body);
  if (!turn) {
    memory_.reset();
    co_return std::unexpected(turn.error());
  }
  memory_->turn = std::move(*turn);
  co_return memory_->turn.body.empty() ? body : std::string_view(memory_->turn.body);
}

// What a provider keeps is the credential's there, which many keys may share. Which of them made it is known here, of
// what was made through a gateway with this database: for all the others it is not there. What nobody is known to have
// made goes on to the provider.
Task<Outcome<void>> Call::check_maker() {
  if (asks_memory()) {
    const auto id = base::percent_decode(id_in(match_.tail));
    if (!id || !co_await made_by_another(*id)) co_return Outcome<void>{};
    const bool conversation = match_.operation == Operation::conversations;
    co_return std::unexpected(conversation ? state::missing_conversation(*id, arena_)
                                           : state::missing_response(*id, arena_));
  }
  if (match_.dialect != chat::Dialect::openai_responses || builds_on_memory_) co_return Outcome<void>{};
  if (const std::string_view id = peek_.previous_response_id; co_await made_by_another(id)) {
    ClientError error = state::missing_previous_response(id, arena_);
    error.message = arena_.copy("Previous response with id '" + std::string(id) + "' not found.");
    co_return std::unexpected(error);
  }
  if (co_await made_by_another(peek_.conversation)) {
    co_return std::unexpected(state::missing_conversation(peek_.conversation, arena_));
  }
  co_return Outcome<void>{};
}

Task<bool> Call::made_by_another(std::string_view id) {
  if (id.empty() || state::is_minted(id)) co_return false;
  ResponseMakers& makers = worker_.shared().responses.makers();
  const store::Maker::Mark mark = mark_of(id);
  auto maker = makers.find(mark);
  store::ResponsesStore* const store = maker ? nullptr : worker_.shared().responses.get();
  if (store != nullptr) {
    const auto found = co_await store->call(worker_.loop(), until(kMakerTimeout),
                                            [mark](store::Responses& responses) { return responses.maker_of(mark); });
    if (found) {
      makers.remember({.id = mark, .owner = *found});
      maker = *found;
    }
  }
  co_return maker && *maker != mark_of(memory_owner(*principal_));
}

// Whether the answer, if it comes from a provider as it is, is something that it keeps from now on.
bool Call::makes_kept_object() const {
  if (match_.operation == Operation::responses_create) return peek_.stored;
  return match_.operation == Operation::conversations && match_.tail == "conversations" &&
         exchange_.head().method_text == "POST";
}

// Before the last byte goes out: the next call may ask for it at once.
void Call::note_maker() {
  const bool as_it_came = conversion_ == nullptr || read_along_;
  if (kind_ == Kind::mirror || !as_it_came || !makes_kept_object()) return;
  const std::string_view id = reading_.response_id();
  if (id.empty()) return;
  SharedResponses& shared = worker_.shared().responses;
  if (!shared.makers().note(id, memory_owner(*principal_), shared.get())) {
    worker_.log().warn("which keys made what providers keep is not saved: the database is away",
                       {{"request_id", id_.view()}});
  }
}

// Of what recall() gave, where the client has it.
chat::List<chat::Spelling> Call::places_in_memory() {
  return memory_ == nullptr ? chat::List<chat::Spelling>() : places_in_request(memory_->turn, arena_);
}

// What the request was built on, as the answer repeats it.
void Call::tell_memory(chat::Request& request) {
  request.previous_response_id = arena_.copy(memory_->turn.request.previous_response_id);
  request.conversation = arena_.copy(memory_->turn.request.conversation_id);
}

// Before the last byte goes out: the next call may build on this one at once. A database that takes its time is not
// waited for: then it is kept when that answers.
Task<void> Call::remember(std::string_view output) {
  if (memory_ == nullptr) co_return;
  const std::string_view response = final_response(output, framing(), memory_->parser, arena_);
  if (response.empty()) co_return;
  memory_->state.set_wait(until(kStoreTimeout));  // the answer may have taken longer
  auto kept = co_await memory_->state.keep(std::move(memory_->turn), response);
  if (!kept) {
    worker_.log().warn("response not kept", {{"request_id", id_.view()}, {"error", kept.error().message}});
  }
}

std::string_view Call::background_refusal() const {
  return memory_ != nullptr && !memory_->turn.request.store ? "a response in the background has to be stored"
                                                            : std::string_view{};
}

// The client is answered, and the request goes on without it. What is wrong with it has been said before.
Task<void> Call::start_background() {
  if (const std::string_view wrong = background_refusal(); !wrong.empty()) {
    co_return co_await refuse({.kind = ErrorKind::invalid_request, .message = wrong, .param = "background"});
  }
  if (memory_ == nullptr) {
    co_return co_await refuse(
        {.kind = ErrorKind::internal, .message = "the gateway's store of responses cannot be opened"});
  }
  if (worker_.background().active() >= Worker::kBackgroundMax) {
    co_return co_await refuse(
        {.kind = ErrorKind::overloaded, .message = "too many responses are made in the background at once"});
  }
  std::array<uint64_t, 3> random{};
  for (uint64_t& number : random) number = worker_.loop().rng().next();
  StateTurn& turn = memory_->turn;
  auto run = std::make_unique<BackgroundRun>(BackgroundRun{
      .exchange = {},
      .response = {.id = state::minted_id("resp_",
                                          base::hex({reinterpret_cast<const uint8_t*>(random.data()), sizeof random})),
                   .previous_response_id = turn.request.previous_response_id,
                   .conversation_id = turn.request.conversation_id,
                   .created_at = wall_seconds()},
      .owner = memory_owner(*principal_),
      .pending = {},
      .admission = {}});
  run->pending = state::pending_response(conversion_->request(), run->response);
  const std::string_view asked = turn.body.empty() ? std::string_view(body_.data(), body_.size()) : turn.body;
  run->exchange = std::make_unique<DetachedExchange>(exchange_, std::string(exchange_.head().path),
                                                     state::foreground_request(asked, streams(), memory_->parser));
  const std::shared_ptr<LiveEvents> live = streams() ? std::make_shared<LiveEvents>(worker_.loop()) : nullptr;
  if (live != nullptr) {
    run->events = std::make_unique<BackgroundEvents>(run->response, run->pending);
    run->live = live;
    run->exchange->stream_to(*run->events, *live);
    run->events->open(live->text);
    run->stored_bytes = live->text.size();
    run->stored_next = run->events->next();
  }
  auto kept = co_await memory_->state.keep(std::move(turn), run->pending, live != nullptr ? live->text : std::string());
  memory_.reset();
  if (!kept) co_return co_await refuse(kept.error());
  const std::string pending = run->pending;
  attempt_.reset();  // it is the other call's
  run->admission.emplace(std::move(admission_));
  admitted_ = false;
  handed_over_ = true;
  worker_.background().spawn(run_in_background(worker_, *worker_.shared().responses.get(), std::move(run)));
  if (live != nullptr) co_return co_await relay_background(*live);
  http::Headers headers;
  const std::string warnings = conversion_->warnings().header();
  if (!warnings.empty()) headers.append(kWarningsHeader, warnings);
  co_await answer(200, "application/json", pending, headers);
}

// The head of a stream of events that is not a provider's.
base::Result<void> Call::start_events() {
  http::Headers headers;
  headers.append(http::HeaderId::content_type, content_type_of(chat::Framing::sse));
  headers.append(http::HeaderId::x_request_id, id_.view());
  headers.append("cache-control", "no-cache");
  const std::string warnings = conversion_ != nullptr ? conversion_->warnings().header() : std::string();
  if (!warnings.empty()) headers.append(kWarningsHeader, warnings);
  status_ = 200;
  return exchange_.start({.status = 200, .headers = &headers, .framing = http::Framing::until_close});
}

// For as long as the client stays. What comes is not waited for: memory is the run's own.
Task<void> Call::relay_background(LiveEvents& live) {
  if (!start_events()) co_return exchange_.abort();
  size_t sent = 0;
  for (;;) {
    // The text may move while it is written.
    const std::string piece = live.text.substr(sent);
    const bool over = live.over;
    sent += piece.size();
    if (over || !piece.empty()) {
      const iovec buffer = net::buffer_of(piece);
      if (!co_await exchange_.write({&buffer, 1}, over)) co_return exchange_.abort();
    }
    if (over) co_return;
    while (live.text.size() == sent && !live.over) {
      (void)co_await live.changed.wait({base::kNever, &exchange_.cancellation()});
      if (exchange_.cancellation().cancelled()) co_return exchange_.abort();
    }
  }
}

// GET with stream=true: the events of a response in the background, from whichever worker or process makes it.
Task<void> Call::stream_from_memory(ResponsesState& memory, std::string id, uint64_t next,
                                    ResponsesState::Events events) {
  if (!start_events()) co_return exchange_.abort();
  if (events.text.empty() && !events.over) co_await exchange_.flush();
  for (;;) {
    if (!events.text.empty() || events.over) {
      const iovec buffer = net::buffer_of(events.text);
      if (!co_await exchange_.write({&buffer, 1}, events.over)) co_return exchange_.abort();
    }
    if (events.over) co_return;
    if (events.text.empty() && !co_await net::sleep_for(worker_.loop(), kLookInterval, &exchange_.cancellation())) {
      co_return exchange_.abort();
    }
    memory.set_wait(until(kStoreTimeout));
    auto read = co_await memory.read_events(id, next);
    // Deleted, or the store has failed: what the client has is not the whole.
    if (!read) co_return exchange_.abort();
    events = std::move(*read);
  }
}

}  // namespace llmgw::gateway
