// What is around the candidates of an answer or a chunk, and what stands beside their content. Pure; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "chat/answer.h"
#include "dialects/codec.h"
#include "dialects/gemini/words.h"
#include "dialects/said_text.h"
#include "json/tree.h"

namespace llmgw::dialects::gemini {

struct Envelope {
  json::Value candidates, prompt_feedback, usage, model, id, create_time, error;
  // Something of an answer is in it.
  bool is_answer() const { return candidates.is_array() || prompt_feedback.is_object() || usage.is_object(); }
};
Envelope envelope_of(json::Value root, base::Arena& arena);

struct CandidateMembers {
  json::Value content, finish, message, index, logprobs, grounding, citation, url_context;
  json::Value parts() const { return content["parts"]; }
};
CandidateMembers candidate_of(json::Value candidate, base::Arena& arena);

// Google's own counts. Chunks of a stream say some of them each; what one leaves out stands as it was.
struct TokenCounts {
  std::optional<uint64_t> prompt, tool_use, cached, candidates, thoughts, total;

  void merge(json::Value usage);
  chat::Usage usage() const;
};
// Seconds since 1970 of an RFC 3339 time in UTC; 0 if it is none.
int64_t read_time(std::string_view text);
std::string write_time(int64_t seconds);

// A prompt that was refused: the choice that stands for it.
bool is_blocked(json::Value prompt_feedback, Service service, base::Arena& arena);
chat::Choice blocked_choice(json::Value prompt_feedback, Service service, base::Arena& arena);

// The neutral finish, from finishReason and finishMessage. Nothing is set where the reason says nothing.
bool read_finish(const CandidateMembers& candidate, Service service, base::Arena& arena, chat::Choice& choice);

// groundingMetadata, citationMetadata and urlContextMetadata as one array of objects with one of these members each;
// empty if there are none.
std::string_view read_citations(const CandidateMembers& candidate, base::Arena& arena);
// Parts whose text counts in the positions of citations.
inline bool is_shown(chat::PartKind kind) {
  return kind == chat::PartKind::text || kind == chat::PartKind::refusal;
}

// Those of a candidate written as they are said, part by part: of Google's own the members above, of other dialects'
// citationMetadata.
class Citations {
 public:
  // A part's, as an array in the shape of `origin`. `said`: the candidate's text up to the end of the part. The
  // parser's last document is gone.
  void add(std::string_view citations, chat::Dialect origin, SaidText& said, json::Parser& parser, base::Arena& arena);
  // The same.
  void write(json::Writer& w, Service service, json::Parser& parser, base::Arena& arena) const;

 private:
  std::string own_;      // an array of Google's
  std::string sources_;  // elements of citationMetadata
};

// logprobsResult as OpenAI's array of tokens, and back.
std::string_view read_logprobs(json::Value result, base::Arena& arena);
void write_logprobs(json::Writer& w, std::string_view tokens, json::Parser& parser, base::Arena& arena);

}  // namespace llmgw::dialects::gemini
