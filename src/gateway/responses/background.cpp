#include "gateway/responses/background.h"

#include "gateway/call/call.h"
#include "json/tree.h"
#include "net/io.h"

namespace llmgw::gateway {

namespace state = dialects::openai_responses;
using base::ErrorCode;
using http::Header;
using net::Task;

namespace {

// How often a response looks whether its client has cancelled it: what a cancelled one may cost more.
constexpr base::Duration kCancelPoll = std::chrono::seconds(1);
// How often it says that somebody still makes it: often enough for store::Responses::kSilenceMax.
constexpr base::Duration kSignOfLife = std::chrono::seconds(10);
// How far behind a stream what can be read again may be: a transaction each.
constexpr base::Duration kStoreEvents = std::chrono::milliseconds(100);
// A disk that takes longer has failed.
constexpr base::Duration kStoreTimeout = std::chrono::seconds(30);

int64_t seconds_now(net::Loop& loop) {
  return std::chrono::duration_cast<std::chrono::seconds>(loop.wall_now().time_since_epoch()).count();
}

net::Wait store_wait(net::Loop& loop) {
  return {loop.now() + kStoreTimeout, nullptr};
}

// What has come since the last time, for the store.
store::EventBatch new_events(BackgroundRun& run) {
  store::EventBatch batch{.first = run.stored_next, .events = run.live->text.substr(run.stored_bytes)};
  run.stored_bytes = run.live->text.size();
  run.stored_next = run.events->next();
  return batch;
}

// Who comes back to a stream reads what is in the store.
Task<void> store_events(Worker& worker, store::ResponsesStore& store, BackgroundRun& run) {
  net::Loop& loop = run.exchange->loop();
  while (co_await net::sleep_for(loop, kStoreEvents)) {
    if (run.live->text.size() == run.stored_bytes) continue;
    auto batch = new_events(run);
    const auto kept = co_await store.call(
        loop, store_wait(loop),
        [owner = run.owner, id = run.response.id, batch = std::move(batch),
         now = seconds_now(loop)](store::Responses& responses) { return responses.add_events(owner, id, batch, now); });
    if (kept) continue;
    if (kept.error().code != ErrorCode::already_exists) {
      worker.log().warn("events not kept", {{"response", run.response.id}, {"error", kept.error()}});
      // A stream with a gap would lie.
      run.exchange->cancellation().cancel(ErrorCode::internal);
    }
    co_return;
  }
}

// A cancelled response, or one whose record is gone, ends its call; others are said to be alive.
Task<void> watch(const Worker& worker, store::ResponsesStore& store, BackgroundRun& run) {
  net::Loop& loop = run.exchange->loop();
  auto next_sign = loop.now() + kSignOfLife;  // it was stored just now
  while (co_await net::sleep_for(loop, kCancelPoll)) {
    if (worker.background_stopped()) run.exchange->cancellation().cancel();
    const bool sign = loop.now() >= next_sign;
    const auto found = co_await store.call(
        loop, store_wait(loop),
        [owner = run.owner, id = run.response.id, now = seconds_now(loop), sign](store::Responses& responses) {
          return sign ? responses.keep_alive(owner, id, now) : responses.get(owner, id, now);
        });
    // Where the database is away, the next look says it.
    if (found && sign) next_sign = loop.now() + kSignOfLife;
    const bool gone = !found && found.error().code == ErrorCode::not_found;
    if (found && found->status == "cancelled") run.cancelled = true;
    if (gone || run.cancelled) run.exchange->cancellation().cancel(ErrorCode::closed);
  }
}

store::ResponseRecord record_of(BackgroundRun& run, json::Parser& parser) {
  store::ResponseRecord record{.id = run.response.id,
                               .previous_id = run.response.previous_response_id,
                               .conversation_id = run.response.conversation_id,
                               .background = true};
  const bool good = run.exchange->status() == 200 && run.exchange->ended();
  if (run.live != nullptr) {
    run.events->close(run.exchange->answer(), run.cancelled, run.live->text);
    record.body = run.events->final_response();
    auto [first, events] = new_events(run);
    record.first_event = first;
    record.events = std::move(events);
  } else if (good) {
    record.body = state::finished_response(run.exchange->answer(), run.response, parser);
  }
  if (record.body.empty()) {
    record.body = state::failed_response(run.pending, good ? std::string_view{} : run.exchange->answer(), parser);
  }
  base::Arena arena;
  state::StateBodies bodies(parser, arena, run.response.id);
  for (state::StateItem& item : bodies.output_items(record.body)) {
    record.output.push_back({std::move(item.id), std::move(item.json)});
  }
  if (const auto root = json::parse_tree(parser, record.body, arena)) record.status = (*root)["status"].string(arena);
  return record;
}

}  // namespace

DetachedExchange::DetachedExchange(const http::ServerExchange& asked, std::string target, std::string body,
                                   Answer answer)
    : loop_(asked.loop()),
      peer_(asked.peer()),
      over_tls_(asked.over_tls()),
      started_at_(asked.loop().now()),
      target_(std::move(target)),
      body_(std::move(body)),
      keeps_(answer) {
  const std::string_view whole = target_;
  const size_t question = whole.find('?');
  head_.method = http::Method::post;
  head_.method_text = "POST";
  head_.target = whole;
  head_.path = whole.substr(0, question);
  if (question != std::string_view::npos) head_.query = whole.substr(question + 1);
  head_.framing = http::Framing::content_length;
  head_.content_length = body_.size();
  for (const Header& header : asked.head().headers) {
    head_.headers.append(header.id, arena_.copy(header.name), arena_.copy(header.value));
  }
}

Task<base::Result<std::span<char>>> DetachedExchange::read_body(uint64_t bytes_max) {
  if (body_.size() > bytes_max) co_return base::fail(ErrorCode::too_large, "the request body");
  co_return std::span<char>(body_.data(), body_.size());
}

base::Result<void> DetachedExchange::start(const http::ResponseStart& response) {
  status_ = response.status;
  return {};
}

Task<base::Result<void>> DetachedExchange::write(std::span<const iovec> data, bool end) {
  if (aborted_ || cancellation_.cancelled())
    co_return base::fail(ErrorCode::cancelled, "the response in the background");
  const bool streams = live_ != nullptr && status_ == 200;
  for (const iovec& piece : data) {
    bytes_written_ += piece.iov_len;
    if (keeps_ == Answer::dropped) continue;
    if (bytes_written_ > kAnswerBytesMax) {
      cancellation_.cancel(ErrorCode::too_large);
      co_return base::fail(ErrorCode::too_large, "the response in the background");
    }
    const std::string_view bytes(static_cast<const char*>(piece.iov_base), piece.iov_len);
    streams ? events_->feed(bytes, live_->text) : static_cast<void>(answer_.append(bytes));
  }
  if (streams) live_->changed.notify();
  ended_ = end;
  co_return base::Result<void>{};
}

Task<base::Result<void>> DetachedExchange::flush() {
  co_return base::Result<void>{};
}

Task<base::Result<http::RawConnection>> DetachedExchange::take_over(const http::ResponseStart*) {
  co_return base::fail(ErrorCode::unsupported, "there is no connection");
}

Task<void> run_in_background(Worker& worker, store::ResponsesStore& store, std::unique_ptr<BackgroundRun> run) {
  net::Loop& loop = worker.loop();
  {
    net::TaskGroup helpers;
    helpers.spawn(watch(worker, store, *run));
    if (run->live != nullptr) helpers.spawn(store_events(worker, store, *run));
    Call call(worker, *run->exchange, std::move(*run->admission));
    co_await call.run();
  }
  json::Parser parser;
  auto record = record_of(*run, parser);
  const auto kept = co_await store.save(loop, store_wait(loop),
                                        {.kind = store::SpooledSave::Kind::complete,
                                         .owner = run->owner,
                                         .now = seconds_now(loop),
                                         .record = std::move(record)});
  // A response that was cancelled or deleted meanwhile stays so.
  const bool over =
      !kept && (kept.error().code == ErrorCode::already_exists || kept.error().code == ErrorCode::not_found);
  if (!kept && !over) {
    worker.log().warn("response not kept", {{"response", run->response.id}, {"error", kept.error()}});
  }
  if (run->live == nullptr) co_return;
  run->live->over = true;
  run->live->changed.notify();
}

}  // namespace llmgw::gateway
