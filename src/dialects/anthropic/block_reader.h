// Reads Anthropic's content blocks (types ContentBlockParam and ContentBlock of anthropic-sdk-python 0.121) into parts.
// What only Anthropic understands (server tools and their results, containers, compaction, ...) becomes an opaque part.
// One thread; views point into the document and the context's arena.
#pragma once

#include <cstdint>
#include <string_view>

#include "chat/list.h"
#include "chat/message.h"
#include "chat/request.h"
#include "dialects/codec.h"
#include "json/tree.h"

namespace llmgw::dialects::anthropic {

class BlockReader {
 public:
  // Tool results have blocks in them, those have none: a tool result inside one stays opaque.
  static constexpr int kDepthMax = 2;

  // Of a client's blocks a signature may be one of ours, tagged; a provider's are its own.
  BlockReader(const ReadContext& context, bool client) : context_(context), client_(client) {}

  // A text, an array of blocks, or nothing. `path` names it in errors.
  Outcome<void> read(json::Value content, std::string_view path, chat::List<chat::Part>& parts, int depth = 1);
  // One block of an answer; it must be an object.
  void read_block(json::Value block, chat::List<chat::Part>& parts);

 private:
  struct Members;

  Outcome<void> block(json::Value value, std::string_view path, size_t index, chat::List<chat::Part>& parts, int depth);
  void collect(json::Value value, Members& members);
  void thinking(const Members& members, chat::List<chat::Part>& parts);
  void tool_use(const Members& members, chat::Part& part);
  bool media(const Members& members, json::Value raw, std::string_view path, chat::Part& part);
  void search_result(const Members& members, json::Value raw, std::string_view path, chat::Part& part);
  void push(chat::Part part, chat::List<chat::Part>& parts);
  const chat::Signature* signature(std::string_view text);

  const ReadContext& context_;
  const bool client_;
  const chat::Signature* pending_ = nullptr;  // of the part that comes next
};

// {"type":"ephemeral","ttl":"1h"} and the like.
chat::CacheMark read_cache_mark(json::Value value);

}  // namespace llmgw::dialects::anthropic
