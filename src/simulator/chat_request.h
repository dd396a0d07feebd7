// What the simulator understands of a request for generated text, whichever API it came in. Pure data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "simulator/api_error.h"
#include "simulator/surface.h"
#include "simulator/tokenize.h"

namespace llmgw::simulator {

// What an image, a sound or a document costs in the simulator, whatever its size.
inline constexpr size_t kImageTokens = 256;
inline constexpr size_t kAudioTokens = 128;
inline constexpr size_t kDocumentTokens = 512;

inline constexpr size_t kChoicesMax = 128;  // what OpenAI allows
inline constexpr size_t kPromptsMax = 256;  // of one call of the old completions API
inline constexpr size_t kStopsMax = 64;
inline constexpr size_t kToolsMax = 1024;
inline constexpr size_t kTopLogprobsMax = 20;

enum class Role : uint8_t { system, user, assistant, tool };

// Counts and hashes a conversation as it is read, and keeps what the answer depends on.
class Conversation {
 public:
  explicit Conversation(size_t block_tokens = 16) : tokens_(block_tokens) {}

  void begin_message(Role role);
  void text(std::string_view text);
  void media(std::string_view content, size_t tokens);
  void tool_call(std::string_view name, std::string_view arguments);
  void tool_result(std::string_view text);
  void tool_definition(std::string_view name, std::string_view schema);
  // The mark after which the answer stands.
  void end();
  // After end(): the answer begins so. It goes on as it would have, had it begun so by itself.
  void answer_begins(std::string_view text);

  const PromptTokens& tokens() const { return tokens_; }
  const std::string& last_user_text() const { return last_user_text_; }
  bool ends_with_tool_result() const { return ends_with_tool_result_; }
  // What the answer depends on: all but its own beginning.
  uint64_t hash() const { return beginning_.empty() ? tokens_.hash() : hash_; }
  const std::string& beginning() const { return beginning_; }

 private:
  PromptTokens tokens_;
  std::string last_user_text_;
  Role role_ = Role::system;
  bool ends_with_tool_result_ = false;
  uint64_t hash_ = 0;
  std::string beginning_;
};

struct ToolDefinition {
  std::string name;
  std::string schema;  // JSON text
};

enum class ToolMode : uint8_t { none, automatic, required };
enum class JsonMode : uint8_t { text, object, schema };

struct ChatRequest {
  std::string model;
  bool stream = false;
  bool include_usage = false;       // OpenAI's stream_options
  bool include_obfuscation = true;  // OpenAI's stream_options, Responses
  Conversation conversation;
  std::optional<size_t> max_tokens;
  size_t choices = 1;
  std::vector<std::string> stop;
  std::vector<ToolDefinition> tools;
  ToolMode tool_mode = ToolMode::automatic;
  std::vector<std::string> allowed_tools;  // with `required`: one of these; empty: any
  bool parallel_tools = true;
  JsonMode json_mode = JsonMode::text;
  std::string json_schema;
  bool logprobs = false;
  size_t top_logprobs = 0;
  bool reasoning = false;        // the model thinks before it answers
  bool reasoning_shown = false;  // and the answer shows what
  bool cache_marks = false;      // Anthropic's cache_control somewhere
  // The old completions API: prompts beyond the first, and whether each is repeated in front of its answer.
  std::vector<Conversation> more_prompts;
  std::vector<std::string> echoed_prompts;
  // Responses: what the answer repeats of the request, as members of a JSON object ("name", JSON text), in order.
  std::vector<std::pair<std::string, std::string>> repeated;
  std::string previous_response_id;
};

// The readers. `block_tokens` is the engine's; errors are those the API itself would give.
struct ReadOptions {
  size_t block_tokens = 16;
  size_t output_tokens_max = 131'072;
};
Answered<ChatRequest> read_openai_chat(std::string_view body, const ReadOptions& options);
Answered<ChatRequest> read_openai_completions(std::string_view body, const ReadOptions& options);
// `history` is the conversation of the previous response, if the request names one that is known.
Answered<ChatRequest> read_openai_responses(std::string_view body, const ReadOptions& options,
                                            const Conversation* history);
// The previous_response_id of a body, so that `history` can be looked up first; empty if there is none.
std::string read_previous_response_id(std::string_view body);
// For count_tokens, max_tokens may be missing.
Answered<ChatRequest> read_anthropic(std::string_view body, const ReadOptions& options, bool count_only);
// For countTokens the request may stand in generateContentRequest.
Answered<ChatRequest> read_gemini(std::string_view body, const ReadOptions& options, bool count_only);

}  // namespace llmgw::simulator
