// What batches used, read out of the answers that tell it while those pass: OpenAI's batch objects, one or a list of
// them, which have the sum of a finished batch and its model (batches since September 2025), and Anthropic's results,
// a line of JSON for each request of a batch. Bytes in, in whatever cuts; a document or a line is held until it is
// whole, which calls of these kinds alone pay for. One answer, one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "accounting/answer_details.h"
#include "accounting/media_tokens.h"
#include "base/arena.h"
#include "chat/usage.h"
#include "json/tree.h"

namespace llmgw::accounting {

// What a finished batch used, or one of its requests. Texts are valid while it is being told.
struct BatchUse {
  std::string_view batch;  // the provider's id of it; empty: the answer does not say
  std::string_view model;  // as the provider calls it; empty: it does not say
  chat::Usage usage;       // all unknown: the provider does not say
  MediaTokens media;
  uint64_t requests = 1;                   // that were answered, as far as is known
  const AnswerDetails* details = nullptr;  // of one request's answer, where that is at hand
};

class BatchReader {
 public:
  // A list of a hundred batches has some 300 KiB; an answer of the longest kind that any model gives, with its
  // characters escaped, some 2 MiB.
  static constexpr size_t kDocumentBytesMax = size_t{16} << 20;

  enum class Answer : uint8_t {
    objects,  // a batch, or a list of them: OpenAI's
    results,  // Anthropic's lines
  };
  using Tell = std::function<void(const BatchUse&)>;

  // `tell` hears of every batch that has ended, or of every request that was answered, while feed() and finish() run.
  BatchReader(Answer answer, Tell tell) : answer_(answer), tell_(std::move(tell)) {}

  void feed(std::string_view bytes);
  // The answer is there to its end.
  void finish();
  // The id of the one batch that the answer is, finished or not; empty: it is a list, results or something else.
  const std::string& id() const { return id_; }
  // Some of it was no JSON, or longer than can be held: what it told is not known. Stays set.
  bool unreadable() const { return unreadable_; }

 private:
  void hold(std::string_view bytes);
  void take_held();
  void read(std::string_view document);
  void read_object(json::Value batch, base::Arena& arena);
  void read_result(json::Value line, base::Arena& arena);

  Answer answer_;
  Tell tell_;
  json::Parser parser_;
  std::string id_;
  std::string held_;       // the document or line at hand, as far as it has come
  bool too_long_ = false;  // it is not held any more
  bool unreadable_ = false;
};

}  // namespace llmgw::accounting
