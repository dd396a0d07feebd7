// Writes parts as Converse's content blocks. One thread.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "chat/message.h"
#include "chat/request.h"
#include "chat/target.h"
#include "dialects/codec.h"
#include "json/writer.h"

namespace llmgw::dialects::bedrock {

// Converse has no points inside of a tool's result: the last mark there stands behind it.
chat::CacheMark mark_of(const chat::Part& part);

// Bedrock's bound on cache points in a request.
inline constexpr size_t kCachePointsMax = 4;

// Refuses what the model cannot be shown: addresses on the web, files of other providers, formats Bedrock does not
// know. `path` is the client's name of the part.
Outcome<void> check_media(const chat::Part& part, chat::Dialect from, const chat::Target& target, std::string_view path,
                          base::Arena& arena);

class BlockWriter {
 public:
  BlockWriter(json::Writer& writer, const chat::Request& request, const chat::Target& target, WriteContext& context)
      : writer_(writer), request_(request), target_(target), context_(context) {}

  // Cache marks that are still to be left out, for there are more than the bound.
  void skip_marks(size_t count) { skipped_ = count; }
  // False for what has no block: nothing is written then.
  static bool has_block(const chat::Part& part);
  // A part for which check_media held, and its cache point.
  void write(const chat::Part& part);
  // {"cachePoint"} if the target takes it.
  void cache_point(chat::CacheMark mark);

 private:
  void text(const chat::Part& part);
  void thinking(const chat::Part& part);
  void tool_use(const chat::Part& part);
  void tool_result(const chat::Part& part);
  void result_text(const chat::Part& part, const chat::Part& result);
  void media(const chat::Part& part, std::string_view kind, std::string_view format);
  void document(const chat::Part& part);
  void search_result(const chat::Part& part);
  std::string document_name(std::string_view name);

  json::Writer& writer_;
  const chat::Request& request_;
  const chat::Target& target_;
  WriteContext& context_;
  size_t skipped_ = 0;
  std::set<std::string> document_names_;  // of this request: they must differ
};

}  // namespace llmgw::dialects::bedrock
