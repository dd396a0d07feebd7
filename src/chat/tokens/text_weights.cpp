// Written by tools/fit_token_weights: see there.
#include "chat/tokens/token_weights.h"

namespace llmgw::chat {
namespace {

constexpr TextWeights kOpenaiText{.word = 1.01,
                                  .long_letter = 0.0514,
                                  .hump = 1.05,
                                  .capital = 0.477,
                                  .capital_letter = 0.191,
                                  .digits = 1.28,
                                  .digit_char = -0.0959,
                                  .spaced_digits = 0.85,
                                  .mark = 0.973,
                                  .more_marks = 0.0694,
                                  .joint = -0.933,
                                  .line = 1.16,
                                  .mark_line = -0.185,
                                  .indent = 0.947,
                                  .letter = 0.12,
                                  .wide = 0.762,
                                  .symbol = 1.53};
constexpr TextWeights kClaudeText{.word = 0.981,
                                  .long_letter = 0.26,
                                  .hump = 1.41,
                                  .capital = 0.467,
                                  .capital_letter = 0.276,
                                  .digits = 0.519,
                                  .digit_char = 0.259,
                                  .spaced_digits = 0.87,
                                  .mark = 1.2,
                                  .more_marks = 0.398,
                                  .joint = -0.629,
                                  .line = 0.816,
                                  .mark_line = 0.263,
                                  .indent = 0.777,
                                  .letter = 0.259,
                                  .wide = 1.2,
                                  .symbol = 1.42};
constexpr TextWeights kGeminiText{.word = 0.975,
                                  .long_letter = 0.0663,
                                  .hump = 0.979,
                                  .capital = 0.385,
                                  .capital_letter = 0.256,
                                  .digits = 0.0244,
                                  .digit_char = 0.995,
                                  .spaced_digits = 0.936,
                                  .mark = 0.99,
                                  .more_marks = 0.207,
                                  .joint = -0.056,
                                  .line = 1.06,
                                  .mark_line = 1.02,
                                  .indent = 0.763,
                                  .letter = 0.12,
                                  .wide = 0.65,
                                  .symbol = 1.57};
constexpr TextWeights kOtherText{.word = 0.983,
                                 .long_letter = 0.058,
                                 .hump = 0.905,
                                 .capital = 0.447,
                                 .capital_letter = 0.285,
                                 .digits = 1.07,
                                 .digit_char = 0.0197,
                                 .spaced_digits = 1.06,
                                 .mark = 0.956,
                                 .more_marks = 0.197,
                                 .joint = -0.497,
                                 .line = 0.675,
                                 .mark_line = 0.154,
                                 .indent = 0.796,
                                 .letter = 0.13,
                                 .wide = 0.8,
                                 .symbol = 1.36};

}  // namespace

const TextWeights& text_weights(TokenVendor vendor) {
  switch (vendor) {
    case TokenVendor::openai: return kOpenaiText;
    case TokenVendor::claude: return kClaudeText;
    case TokenVendor::gemini: return kGeminiText;
    case TokenVendor::other: return kOtherText;
  }
  return kOtherText;
}

}  // namespace llmgw::chat
