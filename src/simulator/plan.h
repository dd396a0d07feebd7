// The whole answer, decided before the first token: a request, a seed and the simulator's settings always give the
// same one. What is left to time is only when each token comes. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "simulator/chat_request.h"

namespace llmgw::simulator {

enum class AnswerMode : uint8_t {
  words,    // Latin words
  unicode,  // characters of two, three and four bytes
  echo,     // the text of the last user message
};

struct AnswerOptions {
  AnswerMode mode = AnswerMode::words;
  uint64_t seed = 1;
  size_t tokens_min = 32;  // of the text of an answer that is not cut short
  size_t tokens_max = 96;
};

enum class Finish : uint8_t { stop, stop_sequence, length, tool_calls, content_filter };

enum class PartKind : uint8_t { reasoning, text, tool_call };

struct Part {
  PartKind kind = PartKind::text;
  std::string name;  // of the tool
  std::string id;    // of the call: 24 letters and digits, without any API's prefix
  std::string text;  // of a tool call: the arguments, a JSON object (cut short if the answer was)
};

struct Choice {
  std::vector<Part> parts;
  size_t tokens = 0;  // of all parts
  Finish finish = Finish::stop;
  std::string stop_sequence;  // with Finish::stop_sequence: the one that matched
};

struct Plan {
  std::vector<Choice> choices;  // of prompt 0 first, then of prompt 1 ...
  size_t prompt_tokens = 0;     // of all prompts
  size_t steps = 0;             // decode steps: the tokens of the longest choice
};

// What one request asks of the answer beyond its API (header x-simulate, faults.h).
struct AnswerOverrides {
  std::optional<size_t> tokens;
  std::optional<Finish> finish;  // content_filter or length
};

Plan make_plan(const ChatRequest& request, const AnswerOptions& options, const AnswerOverrides& overrides = {});

// What has been counted so far, or in all.
struct UsageCount {
  size_t prompt = 0;
  size_t cached = 0;  // of the prompt
  size_t output = 0;  // reasoning included
  size_t reasoning = 0;
};
UsageCount usage_of(const Plan& plan, size_t cached_tokens);

// The context, or the engine's memory, is full after `steps`: the answer ends there, by length.
void cut_short(Plan& plan, size_t steps);

// Walks over a choice token by token.
class ChoiceCursor {
 public:
  explicit ChoiceCursor(const Choice& choice) : choice_(&choice) {}

  struct Piece {
    size_t part = 0;
    std::string_view text;
    bool begins_part = false;
    bool ends_part = false;
  };
  // The next token; empty after the last.
  std::optional<Piece> next();

 private:
  const Choice* choice_;
  size_t part_ = 0;
  size_t offset_ = 0;
};

// `count` letters and digits from the seed, for ids.
std::string make_id(uint64_t seed, size_t count);

}  // namespace llmgw::simulator
