#include "dialects/gemini/words.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"

namespace llmgw::dialects::gemini {
namespace {

using chat::Effort;
using chat::Finish;

constexpr int kNoNumber = -1;

// The rest is to be asked for with a token that comes with it, for which the neutral answer has no place: what came is
// cut.
constexpr std::string_view kContinuation = "CONTINUATION";

struct FinishRow {
  std::string_view word;
  Finish finish;
  int ai_studio;
  int vertex;
};

// The first row of a finish is the word we answer with.
constexpr auto kFinishes = std::to_array<FinishRow>({
    {"STOP", Finish::stop, 1, 1},
    {"MAX_TOKENS", Finish::length, 2, 2},
    {"SAFETY", Finish::filter, 3, 3},
    {"RECITATION", Finish::filter, 4, 4},
    {"OTHER", Finish::unknown, 5, 5},
    {"LANGUAGE", Finish::filter, 6, kNoNumber},
    {"BLOCKLIST", Finish::filter, 7, 6},
    {"PROHIBITED_CONTENT", Finish::filter, 8, 7},
    {"SPII", Finish::filter, 9, 8},
    {"MALFORMED_FUNCTION_CALL", Finish::malformed_tool, 10, 9},
    {"MODEL_ARMOR", Finish::filter, kNoNumber, 10},
    {"IMAGE_SAFETY", Finish::filter, 11, 11},
    {"UNEXPECTED_TOOL_CALL", Finish::malformed_tool, 12, 15},
    {"TOO_MANY_TOOL_CALLS", Finish::malformed_tool, 13, kNoNumber},
    {"IMAGE_PROHIBITED_CONTENT", Finish::filter, 14, 12},
    {"IMAGE_OTHER", Finish::unknown, 15, 14},
    {"NO_IMAGE", Finish::unknown, 16, 16},
    {"IMAGE_RECITATION", Finish::filter, 17, 13},
    {"MISSING_THOUGHT_SIGNATURE", Finish::malformed_tool, 18, kNoNumber},
    {"MALFORMED_RESPONSE", Finish::malformed_tool, 19, kNoNumber},
    {"ESCALATION", Finish::filter, kNoNumber, kNoNumber},
    {"PUP_LIMITED_DISABLED", Finish::filter, kNoNumber, kNoNumber},  // the prohibited use policy
    {kContinuation, Finish::length, kNoNumber, kNoNumber},
});

struct BlockRow {
  std::string_view word;
  int ai_studio;
  int vertex;
};

constexpr auto kBlocks = std::to_array<BlockRow>({
    {"SAFETY", 1, 1},
    {"OTHER", 2, 2},
    {"BLOCKLIST", 3, 3},
    {"PROHIBITED_CONTENT", 4, 4},
    {"MODEL_ARMOR", kNoNumber, 5},
    {"IMAGE_SAFETY", 5, 6},
    {"JAILBREAK", kNoNumber, 7},
});

template <class Rows>
std::string_view word_of(json::Value value, const Rows& rows, Service service, base::Arena& arena) {
  if (value.is_string()) {
    const std::string_view word = value.string(arena);
    return word.ends_with("_UNSPECIFIED") ? std::string_view() : word;
  }
  const auto number = value.unsigned_integer();
  if (!number || *number == 0) return {};
  for (const auto& row : rows)
    if ((service == Service::vertex ? row.vertex : row.ai_studio) == static_cast<int>(*number)) return row.word;
  return "OTHER";
}

template <class Rows>
void write_word(json::Writer& w, std::string_view word, const Rows& rows, Service service, bool as_number) {
  if (!as_number) {
    w.value(word);
    return;
  }
  constexpr int kOther = 5;
  int number = kOther;
  for (const auto& row : rows) {
    if (row.word != word) continue;
    const int own = service == Service::vertex ? row.vertex : row.ai_studio;
    if (own != kNoNumber) number = own;
  }
  w.value(number);
}

}  // namespace

std::string_view finish_word(json::Value reason, Service service, base::Arena& arena) {
  return word_of(reason, kFinishes, service, arena);
}

std::string_view block_word(json::Value reason, Service service, base::Arena& arena) {
  return word_of(reason, kBlocks, service, arena);
}

Finish finish_of(std::string_view word) {
  const auto* const row = std::ranges::find(kFinishes, word, &FinishRow::word);
  return row == kFinishes.end() ? Finish::unknown : row->finish;
}

std::string_view finish_word_for(Finish finish, std::string_view native) {
  if (finish == Finish::tool || finish == Finish::pause) finish = Finish::stop;
  if (finish == Finish::refusal) finish = Finish::filter;
  const auto* const own = std::ranges::find(kFinishes, native, &FinishRow::word);
  const bool lacks_token = native == kContinuation;
  if (own != kFinishes.end() && own->finish == finish && !lacks_token) return own->word;
  if (finish == Finish::unknown) return "STOP";
  return std::ranges::find(kFinishes, finish, &FinishRow::finish)->word;
}

void write_finish(json::Writer& w, std::string_view word, Service service, bool as_number) {
  write_word(w, word, kFinishes, service, as_number);
}

void write_block(json::Writer& w, std::string_view word, Service service, bool as_number) {
  write_word(w, word, kBlocks, service, as_number);
}

CallingMode calling_mode(json::Value mode, base::Arena& arena) {
  struct Row {
    std::string_view word;
    CallingMode mode;
  };
  // In the order of their numbers, from 1.
  constexpr auto kModes = std::to_array<Row>({{"AUTO", CallingMode::automatic},
                                              {"ANY", CallingMode::any},
                                              {"NONE", CallingMode::none},
                                              {"VALIDATED", CallingMode::validated}});
  if (const auto number = mode.unsigned_integer()) {
    return *number >= 1 && *number <= kModes.size() ? kModes[*number - 1].mode : CallingMode::unset;
  }
  const std::string_view word = mode.string(arena);
  for (const Row& row : kModes)
    if (base::equals_ignoring_case(word, row.word)) return row.mode;
  return CallingMode::unset;
}

Effort effort_of_level(json::Value level, base::Arena& arena) {
  constexpr auto kLevels = std::to_array<Effort>({Effort::low, Effort::high, Effort::medium, Effort::minimal});
  if (const auto number = level.unsigned_integer()) {
    return *number >= 1 && *number <= kLevels.size() ? kLevels[*number - 1] : Effort::unset;
  }
  const std::string_view word = level.string(arena);
  for (const Effort effort : kLevels)
    if (base::equals_ignoring_case(word, chat::to_string(effort))) return effort;
  return Effort::unset;
}

std::string_view level_of_effort(Effort effort) {
  switch (effort) {
    case Effort::unset:
    case Effort::none:
    case Effort::minimal: return "MINIMAL";
    case Effort::low: return "LOW";
    case Effort::medium: return "MEDIUM";
    default: return "HIGH";
  }
}

}  // namespace llmgw::dialects::gemini
