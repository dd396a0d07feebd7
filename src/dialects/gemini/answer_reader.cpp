#include <string>

#include "chat/turns.h"
#include "dialects/gemini/envelope.h"
#include "dialects/gemini/error_body.h"
#include "dialects/gemini/functions.h"
#include "dialects/gemini/parts.h"

namespace llmgw::dialects::gemini {
namespace {

using chat::Part;
using chat::PartKind;
using json::Value;

// More candidates than OpenAI's bound on n are no answer.
constexpr size_t kCandidatesMax = 128;

class AnswerReader {
 public:
  explicit AnswerReader(const ReadContext& context)
      : context_(context),
        service_(context.minter == chat::Minter::vertex ? Service::vertex : Service::ai_studio),
        parts_{.context = context,
               .origin = service_ == Service::vertex ? chat::Dialect::vertex : chat::Dialect::gemini} {}

  void read(const Envelope& envelope, chat::Answer& answer) {
    answer.id = envelope.id.string(context_.arena);
    answer.model = envelope.model.string(context_.arena);
    answer.created = read_time(envelope.create_time.string(context_.arena));
    TokenCounts counts;
    counts.merge(envelope.usage);
    answer.usage = counts.usage();
    for (const Value candidate : envelope.candidates.elements()) {
      if (answer.choices.size() == kCandidatesMax) break;
      read_candidate(candidate, answer);
    }
    if (answer.choices.empty()) {
      const bool blocked = is_blocked(envelope.prompt_feedback, service_, context_.arena);
      answer.choices.push(context_.arena, blocked ? blocked_choice(envelope.prompt_feedback, service_, context_.arena)
                                                  : chat::Choice());
    }
  }

 private:
  void read_candidate(Value value, chat::Answer& answer) {
    const CandidateMembers candidate = candidate_of(value, context_.arena);
    chat::Choice choice;
    choice.index = static_cast<uint32_t>(candidate.index.unsigned_integer().value_or(answer.choices.size()));
    read_finish(candidate, service_, context_.arena, choice);
    bool calls = false;
    for (const Value element : candidate.parts().elements()) {
      bool skip = false;
      Part part = parts_.read(element, skip);
      if (skip || (part.kind == PartKind::text && part.text.empty() && !part.has_signature())) continue;
      if (part.kind == PartKind::tool_call) {
        if (context_.is_format_tool(part.name)) {
          part.kind = PartKind::text;
          part.id = {};
          part.name = chat::kFormatToolName;
        } else {
          calls = true;
          if (part.id.empty()) part.id = chat::mint_tool_id(context_.id_seed, calls_++, context_.arena);
        }
      }
      choice.parts.push(context_.arena, part);
    }
    if (calls && (choice.finish == chat::Finish::stop || choice.finish == chat::Finish::unknown))
      choice.finish = chat::Finish::tool;
    choice.logprobs = read_logprobs(candidate.logprobs, context_.arena);
    attach_citations(candidate, choice);
    answer.choices.push(context_.arena, choice);
  }

  void attach_citations(const CandidateMembers& candidate, chat::Choice& choice) {
    const std::string_view citations = read_citations(candidate, context_.arena);
    if (citations.empty()) return;
    for (size_t i = choice.parts.size(); i > 0; --i) {
      Part& part = choice.parts[i - 1];
      if (part.kind != PartKind::text || part.text.empty()) continue;
      part.citations = citations;
      part.origin = parts_.origin;
      return;
    }
  }

  const ReadContext& context_;
  Service service_;
  PartReader parts_;
  uint32_t calls_ = 0;
};

}  // namespace

Outcome<void> read_answer(std::string_view body, const ReadContext& context, chat::Answer& answer) {
  const auto failed = [](std::string_view message) {
    return std::unexpected(chat::ClientError{.kind = chat::ErrorKind::upstream_failed, .message = message});
  };
  const auto root = json::parse_tree(context.parser, body, context.arena);
  if (!root) return failed("The provider's answer is no JSON.");
  const Value object = root->is_array() ? root->first_element() : *root;
  const Envelope envelope = envelope_of(object, context.arena);
  if (envelope.error.is_object()) return std::unexpected(read_error_value(envelope.error, context.arena));
  if (!envelope.is_answer()) return failed("The provider's answer has no candidates.");
  AnswerReader(context).read(envelope, answer);
  return {};
}

}  // namespace llmgw::dialects::gemini
