// links: chat json base
// What prompts are counted by takes anything: the first byte says what the rest is: 's' a schema, 'p' a PDF, 'i' an
// image, 'a' a sound, anything else text. Counts and scripts are bounded by what came.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/base64.h"
#include "chat/token_estimate.h"
#include "chat/tokens/media_tokens.h"
#include "chat/tokens/pdf_text.h"
#include "chat/tokens/schema_script.h"
#include "chat/tokens/text_counts.h"

namespace base = llmgw::base;
namespace chat = llmgw::chat;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// References are followed a bounded number of times, and no further from a megabyte on.
constexpr size_t kScriptMax = size_t{64} << 20;
constexpr uint64_t kMediumMax = 1'000'000'000;

void text(std::string_view bytes) {
  chat::TextCounts counts;
  counts.add(bytes);
  require(counts.words + counts.marks + counts.lines + counts.mark_lines + counts.wide + counts.symbols <=
          2 * bytes.size());
  require(counts.letters <= 2 * bytes.size() && counts.long_letters <= bytes.size());
  chat::TextCounts json;
  json.add_json(bytes);
  require(json.words <= bytes.size());
}

void schema(std::string_view bytes) {
  base::Arena arena;
  chat::List<chat::Tool> tools;
  tools.push(arena, {.name = "f", .description = bytes.substr(0, 64), .schema = bytes});
  require(chat::tools_script(tools).size() < kScriptMax);
  require(chat::format_script("f", bytes).size() <= bytes.size() + 64);
  chat::SchemaCounts counts;
  counts.add(bytes);
  require(counts.optional <= counts.members && counts.members <= bytes.size());
}

void medium(chat::PartKind kind, std::string_view bytes) {
  base::Arena arena;
  chat::Media media{.source = chat::MediaSource::base64, .data = base::base64_encode(bytes, arena)};
  const chat::Part part{.kind = kind, .media = &media};
  for (const char* const model : {"gpt-4o", "gpt-5-mini", "claude-sonnet-4-5", "gemini-2.5-flash", "gemini-3-pro",
                                  "nova-pro", "grok-4", "voxtral", "llama-4"}) {
    require(chat::media_tokens(part, chat::token_model(model, chat::Dialect::openai_chat)) < kMediumMax);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::vector<char> bytes(data + 1, data + size);
  const std::string_view rest(bytes.data(), bytes.size());
  switch (data[0]) {
    case 's': schema(rest); break;
    case 'p':
      (void)chat::count_pdf(rest);
      medium(chat::PartKind::document, rest);
      break;
    case 'i': medium(chat::PartKind::image, rest); break;
    case 'a': medium(chat::PartKind::audio, rest); break;
    default: text(rest);
  }
  return 0;
}
