// What a text is made of, as far as tokenizers tell things apart: one pass, no dictionary. Pure; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace llmgw::chat {

struct TextCounts {
  uint64_t words = 0;         // runs of letters that are not capitals throughout
  uint64_t long_letters = 0;  // their letters beyond the seventh, behind each hump anew
  uint64_t humps = 0;         // capitals behind small letters, as in camelCase
  uint64_t capitals = 0;      // words of at least three letters, all of them capital
  uint64_t capital_letters = 0;
  uint64_t digits = 0;  // groups of up to three
  uint64_t digit_chars = 0;
  uint64_t spaced_digits = 0;  // numbers behind a blank
  uint64_t marks = 0;          // runs of punctuation
  uint64_t more_marks = 0;     // their characters beyond the first
  uint64_t joints = 0;         // single marks that join a word to what is before it: get_name, it's
  uint64_t lines = 0;          // runs of line ends not behind a mark
  uint64_t mark_lines = 0;     // runs of line ends right behind a mark: some tokenizers join the two
  uint64_t indents = 0;        // runs of several blanks
  uint64_t letters = 0;        // of other alphabets; accents among plain ones count twice
  uint64_t wide = 0;           // Chinese, Japanese, Korean
  uint64_t symbols = 0;        // everything else: emoji, arrows, box drawing

  void add(std::string_view text);
  // JSON: the white space between its tokens does not count, since nobody passes it on.
  void add_json(std::string_view json);
};

// Tokens for each of them.
struct TextWeights {
  double word = 0, long_letter = 0, hump = 0, capital = 0, capital_letter = 0, digits = 0, digit_char = 0,
         spaced_digits = 0, mark = 0, more_marks = 0, joint = 0, line = 0, mark_line = 0, indent = 0, letter = 0,
         wide = 0, symbol = 0;
};
double weigh(const TextCounts& text, const TextWeights& weights);

}  // namespace llmgw::chat
