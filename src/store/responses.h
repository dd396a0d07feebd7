// What the Responses API remembers, in SQLite or PostgreSQL: responses with the items that went in and came out, and
// conversations. Everything belongs to an owner (a virtual key's lasting identity); nobody sees another's. Items and
// objects are JSON texts that nothing here looks into, but for claim(). Blocking, one thread; ResponsesStore
// (responses_store.h) is how workers reach it.
//
// Every call is one transaction: killed at any moment, a process leaves all of it or nothing. Times are seconds since
// 1970 and passed in.
//
// What is not used for the retention time is forgotten. To go on from a response, or in a conversation, is to use it
// and all it builds on.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/sql/session.h"

namespace llmgw::store {

struct Item {
  std::string id;
  std::string json;
};

struct ResponseRecord {
  std::string id;
  std::string previous_id = {};      // previous_response_id; empty if none
  std::string conversation_id = {};  // empty if none: its items become the conversation's, too
  std::string status = {};           // "completed", "in_progress", ...
  bool background = false;
  std::string body = {};  // the Response object
  std::vector<Item> input = {};
  std::vector<Item> output = {};
  // Of one that is streamed from the background: its newest events, numbered from `first_event`.
  uint64_t first_event = 0;
  std::string events = {};
};

struct EventBatch {
  uint64_t first = 0;  // the number of its first event
  std::string events;
};
struct EventPage {
  std::string status;  // of the response
  std::string body;
  bool streamed = false;  // there are events at all
  bool lost = false;      // see ResponseState
  std::vector<EventBatch> batches;
};

struct ResponseState {
  std::string status;
  bool background = false;
  std::string body;
  // It is going on in the background for all anybody has said, but whoever makes it was not heard of (keep_alive) for
  // kSilenceMax.
  bool lost = false;
};

// What a request builds on that continues a response: oldest first.
struct ResponseContext {
  std::vector<Item> items;
  // The response, or the conversation of one, further back that is gone: then there are no items. Empty: all is there.
  std::string missing;
};

struct ConversationRecord {
  std::string id;
  int64_t created_at = 0;
  std::string metadata = {};  // JSON
};

// A page of items. `after` and `before` are ids of items, empty if not given; without either it starts at the first in
// the order.
struct PageQuery {
  std::string after = {};
  std::string before = {};
  size_t limit = 20;
  bool ascending = false;
};
struct ItemPage {
  std::vector<Item> items;
  bool has_more = false;
};

// Whose rows of earlier versions are, which knew an owner by a key's name alone.
struct FormerOwner {
  std::string name;   // empty: nobody's
  int64_t since = 0;  // seconds: what is older was another's, who had the name before
};

// Which key made what a provider keeps, both as hashes (response_makers.h of the gateway): who reads the database can
// fetch nothing with them.
struct Maker {
  using Mark = std::array<int64_t, 2>;
  Mark id;
  Mark owner;
  bool operator==(const Maker&) const = default;
};

struct ResponsesLimits {
  int64_t retention_seconds = int64_t{30} * 24 * 3600;  // OpenAI's own
  size_t responses_per_owner = 100'000;                 // beyond, the oldest go
  size_t conversations_per_owner = 10'000;              // beyond, no new ones
  size_t items_per_conversation = 10'000;
  size_t context_bytes = size_t{64} << 20;  // what one request may build on: far above any model's window
  size_t record_bytes = size_t{64} << 20;   // of one response, all items
  size_t makers = 1'000'000;                // all owners' together; beyond, the oldest are forgotten
};

class Responses {
 public:
  static constexpr size_t kChainMax = 4096;    // responses a request builds on, one on the other
  static constexpr size_t kPageMax = 100;      // the API's own bound on `limit`
  static constexpr size_t kEventPageMax = 64;  // batches read in one go: some seconds of a stream
  static constexpr size_t kSweepMax = 256;     // forgotten in one go, so that nobody waits long for it
  // Seconds of silence behind which a response was lost with its gateway: signs come every ten, so that a database that
  // answers no more for most of a minute costs none of them its life.
  static constexpr int64_t kSilenceMax = 60;
  // Nothing is lost for a program that has the database for fewer seconds: where that was away, who makes a response
  // could not be heard of either, and is now.
  static constexpr int64_t kListenMin = 10;

  // Makes the tables where there are none. unsupported: a newer program made them.
  static base::Result<Responses> open(std::unique_ptr<SqlSession> session, const ResponsesLimits& limits);

  // already_exists if there is one of that id; too_large. Whose conversation was deleted meanwhile is kept all the
  // same, but cannot be continued.
  base::Result<void> save(std::string_view owner, const ResponseRecord& record, int64_t now);
  // The end of one that was saved unfinished: status, body, output. already_exists: it is over (cancelled).
  base::Result<void> complete(std::string_view owner, const ResponseRecord& record, int64_t now);
  base::Result<ResponseState> get(std::string_view owner, std::string_view id, int64_t now);
  // Its state; of one that is going on in the background, who makes it is heard of.
  base::Result<ResponseState> keep_alive(std::string_view owner, std::string_view id, int64_t now);
  base::Result<void> remove(std::string_view owner, std::string_view id, int64_t now);
  // More events of one that is going on; already_exists: it is over. too_large.
  base::Result<void> add_events(std::string_view owner, std::string_view id, const EventBatch& batch, int64_t now);
  // Those that have the events from number `from` on, a page of them; the first may begin before.
  base::Result<EventPage> events(std::string_view owner, std::string_view id, uint64_t from, int64_t now);
  // Its state from now on: "cancelled" if it was still going on, else as it was. invalid_argument if it never was in
  // the background. The body is not touched.
  base::Result<ResponseState> cancel(std::string_view owner, std::string_view id, int64_t now);
  // not_found also for an unknown `after` or `before`.
  base::Result<ItemPage> input_items(std::string_view owner, std::string_view id, const PageQuery& query, int64_t now);

  // not_found if the response itself is gone.
  base::Result<ResponseContext> context_of_response(std::string_view owner, std::string_view id, int64_t now);
  base::Result<std::vector<Item>> context_of_conversation(std::string_view owner, std::string_view id, int64_t now);
  // One item by its id, wherever it stands (item_reference): the latest of that id.
  base::Result<Item> find_item(std::string_view owner, std::string_view item_id, int64_t now);

  base::Result<void> create_conversation(std::string_view owner, const ConversationRecord& record,
                                         const std::vector<Item>& items);
  base::Result<ConversationRecord> conversation(std::string_view owner, std::string_view id, int64_t now);
  base::Result<void> update_conversation(std::string_view owner, std::string_view id, std::string_view metadata,
                                         int64_t now);
  // Its items go with it; responses that were made in it stay, but cannot be continued.
  base::Result<void> remove_conversation(std::string_view owner, std::string_view id, int64_t now);
  base::Result<void> add_items(std::string_view owner, std::string_view id, const std::vector<Item>& items,
                               int64_t now);
  base::Result<ItemPage> conversation_items(std::string_view owner, std::string_view id, const PageQuery& query,
                                            int64_t now);
  base::Result<Item> conversation_item(std::string_view owner, std::string_view id, std::string_view item_id,
                                       int64_t now);
  base::Result<void> remove_item(std::string_view owner, std::string_view id, std::string_view item_id, int64_t now);

  // What an earlier version kept under the name alone is the owner's from now on. True if there was any.
  base::Result<bool> claim(std::string_view owner, const FormerOwner& former);

  // Who made it first has made it.
  base::Result<void> note_makers(std::span<const Maker> makers);
  // not_found: nobody is known to have.
  base::Result<Maker::Mark> maker_of(const Maker::Mark& id);

  // Forgets up to kSweepMax responses and as many conversations whose time is over, and as many makers
  // that are too many. True if there may be more.
  base::Result<bool> sweep(int64_t now);

  // Nothing more comes of it: open another.
  bool broken() const { return session_->broken(); }

 private:
  struct Link;  // one response of a chain

  Responses(std::unique_ptr<SqlSession> session, const ResponsesLimits& limits)
      : session_(std::move(session)), limits_(limits) {}
  base::Result<void> migrate();
  base::Result<int64_t> response_key(std::string_view owner, std::string_view id, int64_t now);
  base::Result<int64_t> conversation_key(std::string_view owner, std::string_view id, int64_t now);
  base::Result<int64_t> conversation_if_any(std::string_view owner, std::string_view id, int64_t now);
  base::Result<void> insert_items(int64_t response, const std::vector<Item>& items, bool output);
  base::Result<void> insert_events(int64_t response, uint64_t first, std::string_view events);
  base::Result<void> append_items(int64_t conversation, const std::vector<Item>& items);
  base::Result<std::vector<Link>> chain(std::string_view owner, std::string_view id, int64_t now, std::string& missing);
  base::Result<void> touch(std::string_view table, int64_t key, int64_t now);
  base::Result<void> make_room(std::string_view owner);
  base::Result<void> collect(std::string_view sql, std::initializer_list<SqlValue> values, std::vector<Item>& items,
                             size_t& bytes);
  base::Result<ItemPage> page(std::string_view table_and_filter, int64_t key, const PageQuery& query);
  bool is_lost(std::string_view status, int64_t heard_at, int64_t now);

  std::unique_ptr<SqlSession> session_;
  ResponsesLimits limits_;
  int64_t listens_since_ = 0;  // 0: not yet
};

}  // namespace llmgw::store
