// The half of Responses that keeps conversations.
#include "store/responses.h"

namespace llmgw::store {

using base::ErrorCode;
using base::Result;

Result<void> Responses::create_conversation(std::string_view owner, const ConversationRecord& record,
                                            const std::vector<Item>& items) {
  TRY(transaction, SqlTransaction::begin(*session_));
  TRY(count, session_->query("SELECT COUNT(*) FROM conversations WHERE owner = $1", {owner}));
  if (static_cast<size_t>(count.integer(0, 0)) >= limits_.conversations_per_owner) {
    return base::fail(ErrorCode::exhausted, "conversations of a key");
  }
  TRY(made, session_->query("INSERT INTO conversations(owner, id, created_at, expires_at, metadata) "
                            "VALUES($1, $2, $3, $4, $5) RETURNING key",
                            {owner, std::string_view(record.id), record.created_at,
                             record.created_at + limits_.retention_seconds, std::string_view(record.metadata)}));
  TRY_VOID(append_items(made.integer(0, 0), items));
  return transaction.commit();
}

Result<ConversationRecord> Responses::conversation(std::string_view owner, std::string_view id, int64_t now) {
  TRY(rows, session_->query("SELECT id, created_at, metadata FROM conversations "
                            "WHERE owner = $1 AND id = $2 AND expires_at > $3",
                            {owner, id, now}));
  if (rows.empty()) return base::fail(ErrorCode::not_found, "conversation");
  return ConversationRecord{
      .id = std::move(rows.text(0, 0)), .created_at = rows.integer(0, 1), .metadata = std::move(rows.text(0, 2))};
}

Result<void> Responses::update_conversation(std::string_view owner, std::string_view id, std::string_view metadata,
                                            int64_t now) {
  TRY(done, session_->query("UPDATE conversations SET metadata = $1, expires_at = $2 "
                            "WHERE owner = $3 AND id = $4 AND expires_at > $5",
                            {metadata, now + limits_.retention_seconds, owner, id, now}));
  if (done.changed == 0) return base::fail(ErrorCode::not_found, "conversation");
  return {};
}

Result<void> Responses::remove_conversation(std::string_view owner, std::string_view id, int64_t now) {
  TRY(gone,
      session_->query("DELETE FROM conversations WHERE owner = $1 AND id = $2 AND expires_at > $3", {owner, id, now}));
  if (gone.changed == 0) return base::fail(ErrorCode::not_found, "conversation");
  return {};
}

Result<void> Responses::add_items(std::string_view owner, std::string_view id, const std::vector<Item>& items,
                                  int64_t now) {
  TRY(transaction, SqlTransaction::begin(*session_));
  TRY(key, conversation_key(owner, id, now));
  TRY_VOID(append_items(key, items));
  TRY_VOID(touch("conversations", key, now));
  return transaction.commit();
}

Result<std::vector<Item>> Responses::context_of_conversation(std::string_view owner, std::string_view id, int64_t now) {
  TRY(key, conversation_key(owner, id, now));
  std::vector<Item> items;
  size_t bytes = 0;
  TRY_VOID(collect("SELECT id, body FROM conversation_items WHERE parent = $1 ORDER BY key", {key}, items, bytes));
  return items;
}

Result<ItemPage> Responses::conversation_items(std::string_view owner, std::string_view id, const PageQuery& query,
                                               int64_t now) {
  TRY(key, conversation_key(owner, id, now));
  return page("conversation_items WHERE parent = $1", key, query);
}

Result<Item> Responses::conversation_item(std::string_view owner, std::string_view id, std::string_view item_id,
                                          int64_t now) {
  TRY(key, conversation_key(owner, id, now));
  TRY(rows, session_->query("SELECT id, body FROM conversation_items WHERE parent = $1 AND id = $2", {key, item_id}));
  if (rows.empty()) return base::fail(ErrorCode::not_found, "item");
  return Item{.id = std::move(rows.text(0, 0)), .json = std::move(rows.text(0, 1))};
}

Result<void> Responses::remove_item(std::string_view owner, std::string_view id, std::string_view item_id,
                                    int64_t now) {
  TRY(key, conversation_key(owner, id, now));
  TRY(gone, session_->query("DELETE FROM conversation_items WHERE parent = $1 AND id = $2", {key, item_id}));
  if (gone.changed == 0) return base::fail(ErrorCode::not_found, "item");
  return {};
}

}  // namespace llmgw::store
