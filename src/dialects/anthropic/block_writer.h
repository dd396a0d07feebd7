// Writes parts as Anthropic's content blocks. One thread.
#pragma once

#include <string_view>

#include "chat/message.h"
#include "chat/request.h"
#include "chat/target.h"
#include "dialects/codec.h"
#include "json/writer.h"

namespace llmgw::dialects::anthropic {

// Anthropic's bound on cache_control marks in a request.
inline constexpr size_t kCacheMarksMax = 4;

// Which marks are sent: all but the first few of the messages', if there are more than the bound.
struct CacheMarks {
  bool enabled = false;
  size_t skipped = 0;  // marks in messages that are still to be left out

  bool take(chat::CacheMark mark) {
    if (!enabled || mark == chat::CacheMark::none) return false;
    if (skipped == 0) return true;
    --skipped;
    return false;
  }
};

void write_cache_mark(json::Writer& writer, chat::CacheMark mark);

// Refuses what Claude cannot be shown: audio, video, files of another provider, formats it does not read. `path` is the
// client's name of the part.
Outcome<void> check_media(const chat::Part& part, chat::Dialect from, const chat::Target& target, std::string_view path,
                          base::Arena& arena);

class BlockWriter {
 public:
  BlockWriter(json::Writer& writer, const chat::Request& request, CacheMarks& marks, WriteContext& context)
      : writer_(writer), request_(request), marks_(marks), context_(context) {}

  // False for what has no block: nothing is written then.
  static bool has_block(const chat::Part& part);
  // Parts for which check_media held.
  void write(const chat::Part& part);

 private:
  void quotes(const chat::Part& part);
  void thinking(const chat::Part& part);
  void tool_use(const chat::Part& part);
  void tool_result(const chat::Part& part);
  void image(const chat::Part& part);
  void document(const chat::Part& part);
  void search_result(const chat::Part& part);
  void source(const chat::Media& media, std::string_view media_type);
  void text_source(std::string_view text);
  void end(const chat::Part& part);

  json::Writer& writer_;
  const chat::Request& request_;
  CacheMarks& marks_;
  WriteContext& context_;
};

}  // namespace llmgw::dialects::anthropic
