// The memory of the Responses API as clients see it: responses that can be fetched, continued and deleted, and
// conversations, kept by the gateway whoever answers. It joins the bodies (dialects/openai_responses/state.h) with the
// store (store/responses_store.h). One request of one client; one thread.
//
// A call that creates a response takes three steps:
//   begin()  before it is routed: what it builds on is put into its body, which then stands alone;
//   keep()   with the finished Response, before its last byte goes to the client: the next call may come at once.
// For a call that wants nothing remembered and builds on nothing, begin() changes nothing and keep() does nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "control/governance.h"
#include "dialects/codec.h"
#include "dialects/openai_responses/state.h"
#include "gateway/entrance/endpoints.h"
#include "net/task.h"
#include "store/responses_store.h"

namespace llmgw::gateway {

// Whose the memory of a key is: a name can become another key's, so it is an id for keys of the store, and for those of
// the file their name in a namespace that no id is in.
std::string memory_owner(const control::Principal& principal);
// Who it was for versions that went by the name.
store::FormerOwner former_memory_owner(const control::Principal& principal);

struct StateTurn {
  dialects::openai_responses::StateRequest request;
  std::string body;   // stands alone; empty: the client's own goes on as it is
  size_t before = 0;  // items of its input that stand before the client's own
  std::vector<dialects::openai_responses::StateItem> input;
};

// Where the client has the items of the turn's body: those of the memory are what it names by an id, its own are
// counted from the first, or are no items at all but one text. Nothing where the body is the client's.
chat::List<chat::Spelling> places_in_request(const StateTurn& turn, base::Arena& arena);

class ResponsesState {
 public:
  struct Context {
    store::ResponsesStore& store;
    net::Loop& loop;
    json::Parser& parser;
    base::Arena& arena;
    std::string_view owner;       // of all that is read and written; see memory_owner()
    std::string_view request_id;  // seed of ids
    net::Wait wait;
    // A response that has been in progress for longer was lost with the process that made it, also where that is of an
    // earlier version and gives no signs of life (store/responses.h).
    int64_t lost_after_seconds = 24 * 3600;
    // What earlier versions kept for the owner is taken over when it is asked for.
    store::FormerOwner former = {};
  };

  explicit ResponsesState(const Context& context)
      : context_(context), bodies_(context.parser, context.arena, context.request_id) {}

  // The body of the answer (200) to everything about responses and conversations but creating a response. `tail` is the
  // path behind the root: "responses/resp_1/input_items", "conversations".
  net::Task<dialects::Outcome<std::string>> answer(Operation operation, std::string_view method, std::string_view tail,
                                                   std::string_view query, std::string_view body);

  struct Events {
    std::string text;   // as they are sent
    bool over = false;  // there will be no more
  };
  // The events of a response that is streamed from the background, from number `next` on, as far as they have come;
  // `next` moves behind them.
  net::Task<dialects::Outcome<Events>> read_events(std::string id, uint64_t& next);
  // For the calls from now on.
  void set_wait(const net::Wait& wait) { context_.wait = wait; }

  net::Task<dialects::Outcome<StateTurn>> begin(std::string_view body);
  // `response` is the whole Response object as the client gets it.
  // `events`: the first of one that is streamed from the background.
  net::Task<dialects::Outcome<void>> keep(StateTurn turn, std::string_view response, std::string events = {});

 private:
  using Answer = net::Task<dialects::Outcome<std::string>>;

  Answer response(Operation operation, std::string id, std::string_view query);
  Answer conversations(std::string_view method, std::string_view tail, std::string_view query, std::string_view body);
  Answer create_conversation(std::string_view body);
  Answer one_conversation(std::string_view method, std::string id, std::string_view body);
  Answer items(std::string_view method, std::string id, std::string_view query, std::string_view body);
  Answer one_item(std::string_view method, std::string id, std::string item_id);

  template <class Job>
  auto call(Job job) {
    auto with_former = [job = std::move(job), owner = owner(),
                        former = context_.former](store::Responses& responses) mutable {
      auto found = job(responses);
      const bool missing = !found && found.error().code == base::ErrorCode::not_found && !former.name.empty();
      if (missing && responses.claim(owner, former).value_or(false)) return job(responses);
      return found;
    };
    return context_.store.call(context_.loop, context_.wait, std::move(with_former));
  }
  // `missing` where the store has no such thing, else what went wrong in it.
  std::unexpected<chat::ClientError> failed(const base::Error& error, const chat::ClientError& missing) const;
  bool is_overdue(std::string_view body);
  int64_t now() const;
  std::string owner() const { return std::string(context_.owner); }

  Context context_;
  dialects::openai_responses::StateBodies bodies_;
};

}  // namespace llmgw::gateway
