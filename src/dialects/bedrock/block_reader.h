// Reads Converse's content blocks (service model, shape ContentBlock: a union, one member a block) into parts. What
// only Converse understands becomes an opaque part. One thread; views point into the document and the context's arena.
#pragma once

#include <string_view>

#include "chat/list.h"
#include "chat/message.h"
#include "dialects/codec.h"
#include "json/tree.h"

namespace llmgw::dialects::bedrock {

class BlockReader {
 public:
  // `client`: a signature may be one of ours, tagged; else it is the provider's.
  BlockReader(const ReadContext& context, bool client) : context_(context), client_(client) {}

  // An array of blocks, or nothing. `path` names it in errors.
  Outcome<void> read(json::Value content, std::string_view path, chat::List<chat::Part>& parts);

 private:
  bool block(json::Value value, chat::List<chat::Part>& parts);
  std::string_view path() const;
  chat::Media* media(chat::PartKind kind, json::Value value, json::Value block, chat::Part& part);
  void document(json::Value value, json::Value block, chat::Part& part);
  void tool_use(json::Value value, json::Value block, chat::Part& part);
  void tool_result(json::Value value, chat::Part& part);
  void reasoning(json::Value value, chat::List<chat::Part>& parts);
  void push(chat::Part part, chat::List<chat::Part>& parts);

  const ReadContext& context_;
  const bool client_;
  std::string_view list_;  // the client's: its path, and the block at hand
  size_t index_ = 0;
  const chat::Signature* pending_ = nullptr;  // of the part that comes next
};

// {"type":"default","ttl":"1h"}
chat::CacheMark read_cache_point(json::Value value);
// The texts of an array of {"text"}, joined with line breaks.
std::string_view joined_texts(json::Value blocks, std::string_view separator, base::Arena& arena);

}  // namespace llmgw::dialects::bedrock
