// The text of one choice of an answer as far as it is said, and where citations stand in it. One answer, one thread.
//
// Positions of citations are kept as the provider counts them; they mean something else in every API, and only the text
// tells how they go together:
// - Google counts bytes of UTF-8 (ai.google.dev/api/generate-content, Segment and CitationSource, 2026) from the start
//   of all the text a candidate shows: recorded answers never say a partIndex, also where the text is the fifth part.
// - OpenAI counts characters, which are code points: recorded spans are those that a slice of a Python str gives.
//   Chat counts them from the start of the message, Responses from the start of the content part.
// - Cohere counts code points from the start of the message.
// - Anthropic and Bedrock say no positions: a citation stands for the part it belongs to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/dialect.h"

namespace llmgw::dialects {

// Code points in UTF-8 text.
uint64_t count_characters(std::string_view text);

// Where a citation stands, as the client's API counts; `end` is behind the last one.
struct CitedPlace {
  uint64_t start = 0;
  uint64_t end = 0;
  std::string_view text = {};  // what stands there, as far as it is kept; lives until more is said
  bool known = false;          // false: the provider did not say it, or nobody can tell; it is the whole part
};

class SaidText {
 public:
  // What is kept to find places in; more than the longest answers have. What is said behind it is counted only.
  static constexpr size_t kKeptBytesMax = size_t{1} << 20;

  // What is said from here on is another part.
  void start_part();
  void add(std::string_view text);
  // `start` and `end` as `origin` counts; no start is its zero. They are of the part that is open.
  CitedPlace place(std::optional<uint64_t> start, std::optional<uint64_t> end, chat::Dialect origin,
                   chat::Dialect client);

 private:
  enum class Unit : uint8_t { bytes, characters, characters_of_part };
  static Unit unit_of(chat::Dialect dialect);

  CitedPlace whole_part(Unit unit) const;
  CitedPlace unseen_place(uint64_t start, uint64_t end, Unit from, Unit to) const;
  std::optional<size_t> byte_at(uint64_t position, Unit unit);
  uint64_t position_at(size_t byte, Unit unit);
  void mark();

  std::string text_;  // the first kKeptBytesMax
  uint64_t bytes_ = 0;
  uint64_t characters_ = 0;
  uint64_t part_bytes_ = 0;       // before the part
  uint64_t part_characters_ = 0;  // the same
  std::vector<uint64_t> marks_;   // characters before every so many bytes, as far as somebody asked
};

}  // namespace llmgw::dialects
