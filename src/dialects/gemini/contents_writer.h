// The conversation of a request, as Gemini wants it. Internal; one request, one thread.
#pragma once

#include "chat/turns.h"
#include "dialects/codec.h"
#include "json/writer.h"

namespace llmgw::dialects::gemini {

class ContentsWriter {
 public:
  ContentsWriter(const chat::Request& request, const chat::Target& target, WriteContext& context, json::Writer& writer)
      : request_(request), target_(target), context_(context), w_(writer) {}

  chat::Conversation arrange();
  // The member "contents".
  Outcome<void> write(const chat::Conversation& conversation);
  // A text of the system instruction, or of a turn.
  void write_text(std::string_view text);

 private:
  Outcome<void> write_turn(const chat::Turn& turn);
  Outcome<void> write_part(const chat::Part& part);
  Outcome<void> check_address(const chat::Media& media, std::string_view field);
  Outcome<void> write_media(const chat::Part& part);
  void write_call(const chat::Part& part);
  Outcome<void> write_result(const chat::Part& part);
  std::string_view response_of(const chat::Part& part);
  void write_signature(const chat::Part& part);
  bool takes_back(const chat::Part& part) const;

  const chat::Request& request_;
  const chat::Target& target_;
  WriteContext& context_;
  json::Writer& w_;
  bool first_call_ = true;                    // no call of this turn has been written
  const chat::Signature* pending_ = nullptr;  // of the part that follows
};

}  // namespace llmgw::dialects::gemini
