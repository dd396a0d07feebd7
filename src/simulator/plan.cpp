#include "simulator/plan.h"

#include <algorithm>

#include "base/rng.h"
#include "simulator/schema.h"

namespace llmgw::simulator {

namespace {

constexpr size_t kIdLength = 24;         // what OpenAI and Anthropic put behind their prefixes
constexpr size_t kReasoningTokens = 24;  // of a model that thinks
constexpr std::string_view kPlainJsonSchema =
    R"({"type":"object","properties":{"answer":{"type":"string"},"number":{"type":"integer"}}})";

class Planner {
 public:
  Planner(const ChatRequest& request, const AnswerOptions& options, const AnswerOverrides& overrides)
      : request_(request), options_(options), overrides_(overrides) {}

  Choice choice(const Conversation& prompt, std::string_view echoed, uint64_t index) {
    prompt_ = &prompt;
    seed_ = prompt.hash() ^ (options_.seed * 0x9E3779B97F4A7C15ULL) ^ (index << 32U);
    choice_ = {};
    if (!echoed.empty()) choice_.parts.push_back({PartKind::text, {}, {}, std::string(echoed)});
    if (request_.reasoning && prompt.beginning().empty()) {
      choice_.parts.push_back(
          {PartKind::reasoning, {}, {}, make_text(kReasoningTokens, seed_ + 1, Vocabulary::words, true)});
    }
    if (!call_tools()) say_text();
    const bool cut = limit_tokens(choice_, request_.max_tokens.value_or(SIZE_MAX));
    if (cut || overrides_.finish) end_early(choice_, overrides_.finish.value_or(Finish::length));
    return std::move(choice_);
  }

  // What the request was told to end in stays its end, wherever that is.
  static void end_early(Choice& choice, Finish finish) {
    if (choice.finish != Finish::content_filter) choice.finish = finish;
    choice.stop_sequence.clear();
  }

  // Keeps the first `limit` tokens. True if there were more.
  static bool limit_tokens(Choice& choice, size_t limit) {
    choice.tokens = 0;
    for (size_t i = 0; i < choice.parts.size(); ++i) {
      Part& part = choice.parts[i];
      const size_t tokens = count_tokens(part.text);
      if (choice.tokens + tokens <= limit) {
        choice.tokens += tokens;
        continue;
      }
      part.text = std::string(first_tokens(part.text, limit - choice.tokens));
      choice.tokens = limit;
      choice.parts.resize(part.text.empty() ? i : i + 1);
      return true;
    }
    return false;
  }

 private:
  bool wanted(const ToolDefinition& tool) const {
    if (request_.allowed_tools.empty()) return true;
    return std::find(request_.allowed_tools.begin(), request_.allowed_tools.end(), tool.name) !=
           request_.allowed_tools.end();
  }

  void call(const ToolDefinition& tool) {
    const uint64_t seed = hash_text(tool.name, seed_) + choice_.parts.size();
    choice_.parts.push_back(
        {PartKind::tool_call, tool.name, make_id(seed, kIdLength), example_for_schema(tool.schema, seed)});
    choice_.finish = Finish::tool_calls;
  }

  // Required: the first allowed tool. Automatic: every tool whose name the user wrote, unless a result has just come.
  bool call_tools() {
    if (request_.tool_mode == ToolMode::none || request_.tools.empty()) return false;
    if (request_.tool_mode == ToolMode::automatic && prompt_->ends_with_tool_result()) return false;
    const std::string& said = prompt_->last_user_text();
    for (const ToolDefinition& tool : request_.tools) {
      if (tool.name.empty() || !wanted(tool) || !said.contains(tool.name)) continue;
      call(tool);
      if (!request_.parallel_tools) return true;
    }
    if (choice_.finish == Finish::tool_calls) return true;
    if (request_.tool_mode != ToolMode::required) return false;
    const auto first = std::find_if(request_.tools.begin(), request_.tools.end(),
                                    [this](const ToolDefinition& tool) { return wanted(tool); });
    call(first == request_.tools.end() ? request_.tools.front() : *first);
    return true;
  }

  void say_text() {
    std::string text = text_of_answer();
    for (const std::string& stop : request_.stop) {
      const size_t at = stop.empty() ? std::string::npos : text.find(stop);
      if (at == std::string::npos) continue;
      text.resize(at);
      choice_.finish = Finish::stop_sequence;
      choice_.stop_sequence = stop;
    }
    if (text.starts_with(prompt_->beginning())) text.erase(0, prompt_->beginning().size());
    if (!text.empty()) choice_.parts.push_back({PartKind::text, {}, {}, std::move(text)});
  }

  std::string text_of_answer() const {
    if (request_.json_mode == JsonMode::schema) return example_for_schema(request_.json_schema, seed_);
    if (request_.json_mode == JsonMode::object) return example_for_schema(kPlainJsonSchema, seed_);
    if (options_.mode == AnswerMode::echo && !overrides_.tokens) return prompt_->last_user_text();
    const Vocabulary vocabulary = options_.mode == AnswerMode::unicode ? Vocabulary::unicode : Vocabulary::words;
    base::Rng rng(seed_);
    const size_t most = std::max(options_.tokens_min, options_.tokens_max);
    const size_t natural = options_.tokens_min + static_cast<size_t>(rng.below(most - options_.tokens_min + 1));
    return make_text(overrides_.tokens.value_or(natural), seed_, vocabulary, true);
  }

  const ChatRequest& request_;
  const AnswerOptions& options_;
  const AnswerOverrides& overrides_;
  const Conversation* prompt_ = nullptr;
  uint64_t seed_ = 0;
  Choice choice_;
};

void count_steps(Plan& plan) {
  plan.steps = 0;
  for (const Choice& choice : plan.choices) plan.steps = std::max(plan.steps, choice.tokens);
}

}  // namespace

Plan make_plan(const ChatRequest& request, const AnswerOptions& options, const AnswerOverrides& overrides) {
  Plan plan;
  Planner planner(request, options, overrides);
  for (size_t p = 0; p <= request.more_prompts.size(); ++p) {
    const Conversation& prompt = p == 0 ? request.conversation : request.more_prompts[p - 1];
    const std::string_view echoed = p < request.echoed_prompts.size() ? request.echoed_prompts[p] : std::string_view{};
    plan.prompt_tokens += prompt.tokens().count();
    for (size_t i = 0; i < request.choices; ++i) plan.choices.push_back(planner.choice(prompt, echoed, i));
  }
  count_steps(plan);
  return plan;
}

UsageCount usage_of(const Plan& plan, size_t cached_tokens) {
  UsageCount usage{.prompt = plan.prompt_tokens, .cached = std::min(cached_tokens, plan.prompt_tokens)};
  for (const Choice& choice : plan.choices) {
    usage.output += choice.tokens;
    for (const Part& part : choice.parts) {
      if (part.kind == PartKind::reasoning) usage.reasoning += count_tokens(part.text);
    }
  }
  return usage;
}

void cut_short(Plan& plan, size_t steps) {
  for (Choice& choice : plan.choices) {
    if (Planner::limit_tokens(choice, steps)) Planner::end_early(choice, Finish::length);
  }
  count_steps(plan);
}

std::optional<ChoiceCursor::Piece> ChoiceCursor::next() {
  if (part_ == choice_->parts.size()) return std::nullopt;
  const std::string& text = choice_->parts[part_].text;
  const size_t end = token_end(text, offset_);
  Piece piece{.part = part_,
              .text = std::string_view(text).substr(offset_, end - offset_),
              .begins_part = offset_ == 0,
              .ends_part = end == text.size()};
  offset_ = end;
  if (piece.ends_part) {
    ++part_;
    offset_ = 0;
  }
  return piece;
}

std::string make_id(uint64_t seed, size_t count) {
  constexpr std::string_view kLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  base::Rng rng(seed);
  std::string id(count, '0');
  for (char& c : id) c = kLetters[rng.below(kLetters.size())];
  return id;
}

}  // namespace llmgw::simulator
