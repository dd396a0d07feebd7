#include "gateway/responses/responses_state.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/text.h"
#include "dialects/models_list.h"
#include "dialects/request_gates.h"
#include "gateway/responses/background_events.h"
#include "json/tree.h"

namespace llmgw::gateway {
namespace {

namespace state = dialects::openai_responses;
using base::ErrorCode;
using chat::ClientError;
using chat::ErrorKind;
using dialects::Outcome;
using state::StateItem;

std::vector<StateItem> to_state(std::vector<store::Item> items) {
  std::vector<StateItem> list;
  list.reserve(items.size());
  for (store::Item& item : items) list.push_back({std::move(item.id), std::move(item.json)});
  return list;
}

std::vector<store::Item> to_store(std::vector<StateItem> items) {
  std::vector<store::Item> list;
  list.reserve(items.size());
  for (StateItem& item : items) list.push_back({std::move(item.id), std::move(item.json)});
  return list;
}

constexpr std::string_view kLost = R"({"error":{"message":"The gateway that made this response has ended."}})";

// What an answer that stops short has said can be gone on from; what has not been said, or was taken back, cannot.
bool can_be_continued(std::string_view status) {
  return status != "queued" && status != "in_progress" && status != "cancelled" && status != "failed";
}

ClientError not_to_be_continued(std::string_view id, std::string_view status, base::Arena& arena) {
  return {.kind = ErrorKind::invalid_request,
          .message = arena.copy("Previous response with id '" + std::string(id) +
                                "' cannot be continued: its status is '" + std::string(status) + "'."),
          .param = "previous_response_id"};
}

// The steps of a path, unescaped: "conversations", "conv_1", "items".
constexpr size_t kStepsMax = 4;
using Steps = std::array<std::string, kStepsMax>;

base::Result<Steps> steps_of(std::string_view tail) {
  Steps steps;
  for (std::string& step : steps) {
    const size_t end = std::min(tail.find('/'), tail.size());
    auto decoded = base::percent_decode(tail.substr(0, end));
    if (!decoded) return base::fail(ErrorCode::invalid_argument, "the path has a broken escape");
    step = std::move(*decoded);
    tail.remove_prefix(std::min(end + 1, tail.size()));
  }
  return steps;
}

base::Result<store::PageQuery> page_of(std::string_view query) {
  store::PageQuery page;
  TRY(after, dialects::query_value(query, "after", "after"));
  TRY(before, dialects::query_value(query, "before", "before"));
  TRY(order, dialects::query_value(query, "order", "order"));
  TRY(limit, dialects::query_value(query, "limit", "limit"));
  page.after = std::move(after);
  page.before = std::move(before);
  page.ascending = order == "asc";
  if (!order.empty() && order != "asc" && order != "desc") {
    return base::fail(ErrorCode::invalid_argument, "order must be asc or desc");
  }
  if (!limit.empty()) {
    const auto number = base::parse_decimal(limit);
    if (!number || *number < 1 || *number > store::Responses::kPageMax) {
      return base::fail(ErrorCode::invalid_argument, "limit must be a number from 1 to 100");
    }
    page.limit = *number;
  }
  return page;
}

// The client's answer waits for it.
constexpr base::Duration kSaveWait = std::chrono::milliseconds(200);

std::unexpected<ClientError> refusal(ErrorKind kind, std::string_view message) {
  return std::unexpected(ClientError{.kind = kind, .message = message});
}

std::unexpected<ClientError> method_refused() {
  return refusal(ErrorKind::method_not_allowed, "this path has no such method");
}

}  // namespace

chat::List<chat::Spelling> places_in_request(const StateTurn& turn, base::Arena& arena) {
  chat::List<chat::Spelling> places;
  if (turn.body.empty()) return places;
  const bool response = !turn.request.previous_response_id.empty();
  const std::string_view memory = response ? "previous_response_id" : "conversation";
  if (turn.before > 0) places.push(arena, {.field = "input[0]", .client = memory});
  places.push(arena, {.field = dialects::indexed("input", turn.before, "", arena),
                      .client = turn.request.text ? "input" : "input[0]"});
  return places;
}

std::string memory_owner(const control::Principal& principal) {
  return principal.id.empty() ? "file\n" + principal.name : principal.id;  // no name has a line break
}

// Of a key of the file nobody knows since when it has its name: what stands under that may be what a key of the store
// kept that had it before.
store::FormerOwner former_memory_owner(const control::Principal& principal) {
  if (principal.named_since == 0) return {};
  return {.name = principal.name, .since = principal.named_since};
}

int64_t ResponsesState::now() const {
  return std::chrono::duration_cast<std::chrono::seconds>(context_.loop.wall_now().time_since_epoch()).count();
}

std::unexpected<ClientError> ResponsesState::failed(const base::Error& error, const ClientError& missing) const {
  switch (error.code) {
    case ErrorCode::not_found: return std::unexpected(missing);
    case ErrorCode::too_large: return refusal(ErrorKind::too_large, "what has to be remembered is too large");
    case ErrorCode::exhausted:
      return refusal(ErrorKind::overloaded, "the gateway's memory of responses is full or busy");
    case ErrorCode::deadline_exceeded:
      return refusal(ErrorKind::overloaded, "the gateway's memory of responses does not answer in time");
    case ErrorCode::refused:
    case ErrorCode::reset:
    case ErrorCode::closed:
      return refusal(ErrorKind::overloaded, "the database with the gateway's memory of responses is away");
    case ErrorCode::already_exists: return refusal(ErrorKind::conflict, "there is one of this id already");
    default: return refusal(ErrorKind::internal, "the gateway's memory of responses has failed");
  }
}

ResponsesState::Answer ResponsesState::answer(Operation operation, std::string_view method, std::string_view tail,
                                              std::string_view query, std::string_view body) {
  if (operation == Operation::conversations) co_return co_await conversations(method, tail, query, body);
  auto steps = steps_of(tail);
  if (!steps) co_return refusal(ErrorKind::invalid_request, steps.error().context);
  co_return co_await response(operation, std::move((*steps)[1]), query);
}

ResponsesState::Answer ResponsesState::response(Operation operation, std::string id, std::string_view query) {
  const auto missing = state::missing_response(id, context_.arena);
  const int64_t time = now();
  if (operation == Operation::responses_delete) {
    const auto removed = co_await call(
        [owner = owner(), id, time](store::Responses& responses) { return responses.remove(owner, id, time); });
    if (!removed) co_return failed(removed.error(), missing);
    co_return state::deleted_response(id);
  }
  if (operation == Operation::responses_input_items) {
    const auto page = page_of(query);
    if (!page) co_return refusal(ErrorKind::invalid_request, page.error().context);
    auto found = co_await call([owner = owner(), id, page = *page, time](store::Responses& responses) {
      return responses.input_items(owner, id, page, time);
    });
    if (!found) co_return failed(found.error(), missing);
    co_return state::item_list(to_state(std::move(found->items)), found->has_more);
  }
  const bool cancels = operation == Operation::responses_cancel;
  const auto found = co_await call([owner = owner(), id, time, cancels](store::Responses& responses) {
    return cancels ? responses.cancel(owner, id, time) : responses.get(owner, id, time);
  });
  if (!found && found.error().code == ErrorCode::invalid_argument) {
    co_return refusal(ErrorKind::invalid_request, "Only responses made in the background can be cancelled.");
  }
  if (!found) co_return failed(found.error(), missing);
  if (found->lost || (found->status == "in_progress" && is_overdue(found->body))) {
    co_return state::failed_response(found->body, kLost, context_.parser);
  }
  co_return found->status == "cancelled" ? state::with_status(found->body, "cancelled", context_.parser) : found->body;
}

bool ResponsesState::is_overdue(std::string_view body) {
  const auto root = json::parse_tree(context_.parser, body, context_.arena);
  return root && (*root)["created_at"].integer().value_or(now()) + context_.lost_after_seconds < now();
}

ResponsesState::Answer ResponsesState::conversations(std::string_view method, std::string_view tail,
                                                     std::string_view query, std::string_view body) {
  auto steps = steps_of(tail);
  if (!steps) co_return refusal(ErrorKind::invalid_request, steps.error().context);
  auto& [root, id, list, item] = *steps;
  if (id.empty()) co_return co_await create_conversation(body);
  if (list.empty()) co_return co_await one_conversation(method, std::move(id), body);
  if (item.empty()) co_return co_await items(method, std::move(id), query, body);
  co_return co_await one_item(method, std::move(id), std::move(item));
}

ResponsesState::Answer ResponsesState::create_conversation(std::string_view body) {
  auto metadata = bodies_.conversation_metadata(body, false);
  if (!metadata) co_return std::unexpected(metadata.error());
  auto items = bodies_.new_items(body, false);
  if (!items) co_return std::unexpected(items.error());
  std::array<uint64_t, 3> random{};
  for (uint64_t& number : random) number = context_.loop.rng().next();
  const auto* const bytes = reinterpret_cast<const uint8_t*>(random.data());
  const store::ConversationRecord record{.id = state::minted_id("conv_", base::hex({bytes, sizeof random})),
                                         .created_at = now(),
                                         .metadata = std::move(*metadata)};
  const auto made =
      co_await call([owner = owner(), record, items = to_store(std::move(*items))](store::Responses& responses) {
        return responses.create_conversation(owner, record, items);
      });
  if (!made) co_return failed(made.error(), {});
  co_return state::conversation_object(record.id, record.created_at, record.metadata);
}

ResponsesState::Answer ResponsesState::one_conversation(std::string_view method, std::string id,
                                                        std::string_view body) {
  const auto missing = state::missing_conversation(id, context_.arena);
  const int64_t time = now();
  if (method == "DELETE") {
    const auto removed = co_await call([owner = owner(), id, time](store::Responses& responses) {
      return responses.remove_conversation(owner, id, time);
    });
    if (!removed) co_return failed(removed.error(), missing);
    co_return state::deleted_conversation(id);
  }
  std::string metadata;
  if (method == "POST") {
    auto read = bodies_.conversation_metadata(body, true);
    if (!read) co_return std::unexpected(read.error());
    metadata = std::move(*read);
  } else if (method != "GET" && method != "HEAD") {
    co_return method_refused();
  }
  using Found = base::Result<store::ConversationRecord>;
  const auto found = co_await call([owner = owner(), id, time, metadata](store::Responses& responses) -> Found {
    if (!metadata.empty()) TRY_VOID(responses.update_conversation(owner, id, metadata, time));
    return responses.conversation(owner, id, time);
  });
  if (!found) co_return failed(found.error(), missing);
  co_return state::conversation_object(found->id, found->created_at, found->metadata);
}

ResponsesState::Answer ResponsesState::items(std::string_view method, std::string id, std::string_view query,
                                             std::string_view body) {
  const auto missing = state::missing_conversation(id, context_.arena);
  const int64_t time = now();
  if (method == "POST") {
    auto added = bodies_.new_items(body, true);
    if (!added) co_return std::unexpected(added.error());
    const auto done = co_await call([owner = owner(), id, time, items = to_store(*added)](store::Responses& responses) {
      return responses.add_items(owner, id, items, time);
    });
    if (!done) co_return failed(done.error(), missing);
    co_return state::item_list(*added, false);
  }
  if (method != "GET" && method != "HEAD") co_return method_refused();
  const auto page = page_of(query);
  if (!page) co_return refusal(ErrorKind::invalid_request, page.error().context);
  auto found = co_await call([owner = owner(), id, page = *page, time](store::Responses& responses) {
    return responses.conversation_items(owner, id, page, time);
  });
  if (!found) co_return failed(found.error(), missing);
  co_return state::item_list(to_state(std::move(found->items)), found->has_more);
}

ResponsesState::Answer ResponsesState::one_item(std::string_view method, std::string id, std::string item_id) {
  const auto missing = state::missing_item(item_id, context_.arena);
  const int64_t time = now();
  if (method == "DELETE") {
    // The answer is the conversation it was in.
    using Found = base::Result<store::ConversationRecord>;
    const auto left = co_await call([owner = owner(), id, item_id, time](store::Responses& responses) -> Found {
      TRY_VOID(responses.remove_item(owner, id, item_id, time));
      return responses.conversation(owner, id, time);
    });
    if (!left) co_return failed(left.error(), missing);
    co_return state::conversation_object(left->id, left->created_at, left->metadata);
  }
  if (method != "GET" && method != "HEAD") co_return method_refused();
  const auto found = co_await call([owner = owner(), id, item_id, time](store::Responses& responses) {
    return responses.conversation_item(owner, id, item_id, time);
  });
  if (!found) co_return failed(found.error(), missing);
  co_return found->json;
}

net::Task<Outcome<StateTurn>> ResponsesState::begin(std::string_view body) {
  auto read = bodies_.read(body);
  if (!read) co_return std::unexpected(read.error());
  StateTurn turn{.request = std::move(*read), .body = {}, .input = {}};
  const state::StateRequest& asked = turn.request;
  const int64_t time = now();
  std::vector<StateItem> known;
  for (const std::string& id : asked.references) {
    auto item = co_await call(
        [owner = owner(), id, time](store::Responses& responses) { return responses.find_item(owner, id, time); });
    if (!item) co_return failed(item.error(), state::missing_item(id, context_.arena));
    known.push_back({std::move(item->id), std::move(item->json)});
  }
  std::vector<StateItem> before;
  const bool continues = !asked.previous_response_id.empty() || !asked.conversation_id.empty();
  if (continues) {
    const bool response = !asked.previous_response_id.empty();
    const std::string id = response ? asked.previous_response_id : asked.conversation_id;
    struct Before {
      store::ResponseContext context = {};
      std::string unfinished = {};  // the status of a response that nobody can go on from
    };
    using Found = base::Result<Before>;
    auto found = co_await call([owner = owner(), id, response, time](store::Responses& responses) -> Found {
      if (!response) {
        TRY(items, responses.context_of_conversation(owner, id, time));
        return Before{.context = {.items = std::move(items), .missing = {}}};
      }
      const auto last = responses.get(owner, id, time);
      if (last && !can_be_continued(last->status)) return Before{.unfinished = last->lost ? "failed" : last->status};
      TRY(context, responses.context_of_response(owner, id, time));
      return Before{.context = std::move(context)};
    });
    if (!found) {
      co_return failed(found.error(), response ? state::missing_previous_response(id, context_.arena)
                                               : state::conversation_elsewhere(id, context_.arena));
    }
    if (!found->unfinished.empty()) {
      co_return std::unexpected(not_to_be_continued(id, found->unfinished, context_.arena));
    }
    if (!found->context.missing.empty()) {
      co_return std::unexpected(state::broken_chain(id, found->context.missing, context_.arena));
    }
    before = to_state(std::move(found->context.items));
  }
  if (continues || !known.empty()) {
    auto alone = bodies_.stand_alone(body, before, known);
    if (!alone) co_return std::unexpected(alone.error());
    turn.body = std::move(*alone);
    turn.before = before.size();
  }
  if (asked.store || !asked.conversation_id.empty()) {
    auto input = bodies_.input_items(body, known);
    if (!input) co_return std::unexpected(input.error());
    turn.input = std::move(*input);
  }
  co_return turn;
}

net::Task<Outcome<ResponsesState::Events>> ResponsesState::read_events(std::string id, uint64_t& next) {
  const auto missing = state::missing_response(id, context_.arena);
  const auto page = co_await call([owner = owner(), id, from = next, time = now()](store::Responses& responses) {
    return responses.events(owner, id, from, time);
  });
  if (!page) co_return failed(page.error(), missing);
  if (!page->streamed) {
    co_return std::unexpected(ClientError{
        .kind = ErrorKind::invalid_request,
        .message = "This response cannot be streamed: it was not created with background=true and stream=true.",
        .param = "stream"});
  }
  Events read;
  for (const store::EventBatch& batch : page->batches) {
    const std::string_view text = events_from(batch.events, batch.first, next);
    next += count_events(text);
    read.text += text;
  }
  if (!read.text.empty()) co_return read;
  const bool unfinished = page->status == "in_progress";
  const bool lost = page->lost || (unfinished && is_overdue(page->body));
  read.over = !unfinished || lost;
  if (page->status == "cancelled") {
    append_end(read.text, next, false, state::with_status(page->body, "cancelled", context_.parser));
  } else if (lost) {
    append_end(read.text, next, true, state::failed_response(page->body, kLost, context_.parser));
  }
  co_return read;
}

net::Task<Outcome<void>> ResponsesState::keep(StateTurn turn, std::string_view response, std::string events) {
  const state::StateRequest& asked = turn.request;
  if (!asked.store && asked.conversation_id.empty()) co_return Outcome<void>{};
  store::ResponseRecord record{.id = {},
                               .previous_id = asked.previous_response_id,
                               .conversation_id = asked.conversation_id,
                               .status = {},
                               .background = asked.background,
                               .body = std::string(response),
                               .input = to_store(std::move(turn.input)),
                               .output = to_store(bodies_.output_items(response)),
                               .events = std::move(events)};
  if (!asked.store) {
    // The turn is the conversation's; the response is nobody's to fetch.
    std::vector<store::Item> items = std::move(record.input);
    std::ranges::move(record.output, std::back_inserter(items));
    const auto added =
        co_await call([owner = owner(), id = asked.conversation_id, items = std::move(items), time = now()](
                          store::Responses& responses) { return responses.add_items(owner, id, items, time); });
    if (!added) co_return failed(added.error(), state::missing_conversation(asked.conversation_id, context_.arena));
    co_return Outcome<void>{};
  }
  const auto root = json::parse_tree(context_.parser, response, context_.arena);
  if (!root) co_return refusal(ErrorKind::internal, "a response that is to be kept is not JSON");
  record.id = (*root)["id"].string(context_.arena);
  record.status = (*root)["status"].string(context_.arena);
  auto saved = base::Result<bool>(true);
  if (asked.background) {
    // Somebody is going to ask for it, so it is there or it is refused.
    const auto now_or_never =
        co_await call([owner = owner(), record = std::move(record), time = now()](store::Responses& responses) {
          return responses.save(owner, record, time);
        });
    if (!now_or_never) saved = std::unexpected(now_or_never.error());
  } else {
    net::Wait wait = context_.wait;
    wait.deadline = std::min(wait.deadline, context_.loop.now() + kSaveWait);
    saved = co_await context_.store.save(context_.loop, wait,
                                         {.owner = owner(), .now = now(), .record = std::move(record)});
    // It is carried out all the same.
    if (!saved && saved.error().code == ErrorCode::deadline_exceeded) saved = false;
  }
  if (!saved) co_return failed(saved.error(), state::missing_conversation(asked.conversation_id, context_.arena));
  co_return Outcome<void>{};
}

}  // namespace llmgw::gateway
