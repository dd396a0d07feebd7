// What the gateway reads of an attempt's answer while that passes through: what was used, and what else its price and
// an error of the gateway's own need. One answer; one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "accounting/answer_details.h"
#include "accounting/text_scanner.h"
#include "accounting/usage_scanner.h"
#include "chat/usage.h"
#include "dialects/openai/response_cursor.h"
#include "gateway/entrance/conversation.h"
#include "gateway/governance/batch_reading.h"

namespace llmgw::gateway {

struct AnswerReading {
  std::optional<accounting::UsageScanner> usage;
  std::optional<chat::Usage> converted_usage;  // of an answer that is read and written anew
  bool unreadable = false;                     // some of it: in a coding the gateway does not know
  // What the model said in a stream, to estimate tokens from: a scanner where bytes pass through.
  std::optional<accounting::TextScanner> text;
  uint64_t text_bytes = 0;
  std::optional<accounting::AnswerDetails> details;         // where the request may have made it dearer or cheaper
  std::optional<accounting::UsageScanner> converted_media;  // of a converted answer: sound and pictures cost apart
  std::optional<dialects::openai::ResponseCursor> cursor;   // of a stream of the Responses API
  bool wants_id = false;                                    // of a document of that API, by its first bytes
  std::string document_id;
  std::unique_ptr<BatchReading> batches;  // of what tells it of finished batches

  // The next bytes of the answer, as they were before any coding.
  void feed(std::string_view plain) {
    if (usage) usage->feed(plain);
    if (text) text->feed(plain);
    if (details) details->feed(plain);
    if (cursor) cursor->feed(plain);
    if (wants_id && !plain.empty()) {
      document_id = response_id_in(plain);
      wants_id = false;
    }
    if (batches) batches->reader.feed(plain);
  }
  // The id of an answer of the Responses API, once it has come; empty: nobody asked for it, or it has none.
  std::string_view response_id() const { return cursor ? cursor->id() : std::string_view(document_id); }
  // A stream of events has had one that cannot be JSON.
  bool malformed() const { return usage && usage->malformed(); }
  // The model has said something, or what it used.
  bool said_anything() const { return (usage && usage->seen()) || (text && text->bytes() != 0); }
  // What the provider says was used, as far as it has said so; nothing: nobody has looked for it.
  std::optional<chat::Usage> said() const {
    if (usage) return usage->usage();
    return converted_usage;
  }

  // Before the next attempt's answer.
  void begin_anew() {
    usage.reset();
    converted_usage.reset();
    unreadable = false;
    text.reset();
    text_bytes = 0;
    details.reset();
    converted_media.reset();
    cursor.reset();
    wants_id = false;
    document_id.clear();
    batches.reset();
  }
};

}  // namespace llmgw::gateway
