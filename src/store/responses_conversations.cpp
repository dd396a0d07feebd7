// The half of Responses that keeps conversations.
#include "store/responses.h"

namespace llmgw::store {

using base::ErrorCode;
using base::Result;

Result<void> Responses::create_conversation(std::string_view owner, const ConversationRecord& record,
                                            const std::vector<Item>& items) {
  TRY(transaction, Transaction::begin(database_));
  TRY(count, database_.prepare("SELECT COUNT(*) FROM conversations WHERE owner = ?1"));
  TRY_VOID(count.bind(1, owner).step());
  if (static_cast<size_t>(count.integer(0)) >= limits_.conversations_per_owner) {
    return base::fail(ErrorCode::exhausted, "conversations of a key");
  }
  TRY_VOID(database_.run(
      "INSERT INTO conversations(owner, id, created_at, expires_at, metadata) VALUES(?1, ?2, ?3, ?4, ?5)", owner,
      record.id, record.created_at, record.created_at + limits_.retention_seconds, record.metadata));
  TRY_VOID(append_items(database_.last_key(), items));
  return transaction.commit();
}

Result<ConversationRecord> Responses::conversation(std::string_view owner, std::string_view id, int64_t now) {
  TRY(statement, database_.prepare("SELECT id, created_at, metadata FROM conversations "
                                   "WHERE owner = ?1 AND id = ?2 AND expires_at > ?3"));
  TRY(found, statement.bind(1, owner).bind(2, id).bind(3, now).step());
  if (!found) return base::fail(ErrorCode::not_found, "conversation");
  return ConversationRecord{.id = std::string(statement.text(0)),
                            .created_at = statement.integer(1),
                            .metadata = std::string(statement.text(2))};
}

Result<void> Responses::update_conversation(std::string_view owner, std::string_view id, std::string_view metadata,
                                            int64_t now) {
  TRY(changed, database_.run("UPDATE conversations SET metadata = ?1, expires_at = ?2 "
                             "WHERE owner = ?3 AND id = ?4 AND expires_at > ?5",
                             metadata, now + limits_.retention_seconds, owner, id, now));
  if (changed == 0) return base::fail(ErrorCode::not_found, "conversation");
  return {};
}

Result<void> Responses::remove_conversation(std::string_view owner, std::string_view id, int64_t now) {
  TRY(changed,
      database_.run("DELETE FROM conversations WHERE owner = ?1 AND id = ?2 AND expires_at > ?3", owner, id, now));
  if (changed == 0) return base::fail(ErrorCode::not_found, "conversation");
  return {};
}

Result<void> Responses::add_items(std::string_view owner, std::string_view id, const std::vector<Item>& items,
                                  int64_t now) {
  TRY(transaction, Transaction::begin(database_));
  TRY(key, conversation_key(owner, id, now));
  TRY_VOID(append_items(key, items));
  TRY_VOID(touch("conversations", key, now));
  return transaction.commit();
}

Result<std::vector<Item>> Responses::context_of_conversation(std::string_view owner, std::string_view id, int64_t now) {
  TRY(key, conversation_key(owner, id, now));
  TRY(statement, database_.prepare("SELECT id, body FROM conversation_items WHERE parent = ?1 ORDER BY key"));
  statement.bind(1, key);
  std::vector<Item> items;
  size_t bytes = 0;
  TRY_VOID(collect(statement, items, bytes));
  return items;
}

Result<ItemPage> Responses::conversation_items(std::string_view owner, std::string_view id, const PageQuery& query,
                                               int64_t now) {
  TRY(key, conversation_key(owner, id, now));
  return page("conversation_items WHERE parent = ?1", key, query);
}

Result<Item> Responses::conversation_item(std::string_view owner, std::string_view id, std::string_view item_id,
                                          int64_t now) {
  TRY(key, conversation_key(owner, id, now));
  TRY(statement, database_.prepare("SELECT id, body FROM conversation_items WHERE parent = ?1 AND id = ?2"));
  TRY(found, statement.bind(1, key).bind(2, item_id).step());
  if (!found) return base::fail(ErrorCode::not_found, "item");
  return Item{.id = std::string(statement.text(0)), .json = std::string(statement.text(1))};
}

Result<void> Responses::remove_item(std::string_view owner, std::string_view id, std::string_view item_id,
                                    int64_t now) {
  TRY(key, conversation_key(owner, id, now));
  TRY(changed, database_.run("DELETE FROM conversation_items WHERE parent = ?1 AND id = ?2", key, item_id));
  if (changed == 0) return base::fail(ErrorCode::not_found, "item");
  return {};
}

}  // namespace llmgw::store
