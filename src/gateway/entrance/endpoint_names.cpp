// What people read: names of operations, and what a 404 says.
#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "gateway/entrance/endpoint_rows.h"
#include "gateway/entrance/endpoints.h"

namespace llmgw::gateway {

std::string not_found_message(std::string_view method, std::string_view path) {
  constexpr size_t kNearMax = 3;
  constexpr size_t kEchoBytesMax = 128;     // enough to recognise one's own path
  constexpr size_t kComparedBytesMax = 64;  // bounds the cost of a distance
  std::string message = "There is no endpoint ";
  message.append(method.substr(0, 16)).append(" ").append(path.substr(0, kEchoBytesMax)).append(".");

  std::vector<std::string> known = {"/v1beta/models",
                                    "/v1beta/models/{model}:generateContent",
                                    "/v1beta/models/{model}:streamGenerateContent",
                                    "/health",
                                    "/ready",
                                    "/metrics"};
  for (const endpoint_table::Row& row : endpoint_table::kRows) {
    std::string tail(row.pattern);
    if (const size_t hole = tail.find("{}"); hole != std::string::npos) tail.insert(hole + 1, "id");
    if (tail.ends_with("/**")) tail.resize(tail.size() - 3);
    known.push_back((row.surfaces == endpoint_table::kCohere ? "/v2/" : "/v1/") + tail);
  }
  std::vector<std::string_view> near;
  const auto add = [&near](std::string_view candidate) {
    if (near.size() < kNearMax && std::find(near.begin(), near.end(), candidate) == near.end())
      near.push_back(candidate);
  };
  // A forgotten or doubled root, or a slash too much: the tail is right.
  std::string_view bare = path;
  while (bare.size() > 1 && bare.back() == '/') bare.remove_suffix(1);
  for (const auto& candidate : known) {
    if (bare.size() > 3 && (candidate.ends_with(bare) || bare.ends_with(candidate))) add(candidate);
  }
  std::vector<std::string_view> comparable;
  for (const auto& candidate : known) {
    const size_t difference = std::max(candidate.size(), bare.size()) - std::min(candidate.size(), bare.size());
    if (bare.size() <= kComparedBytesMax && difference <= 8) comparable.push_back(candidate);
  }
  while (near.size() < kNearMax) {
    const std::string_view best = base::closest(bare, comparable);
    if (best.empty()) break;
    add(best);
    std::erase(comparable, best);
  }
  if (near.empty()) return message + " The paths begin with /v1/, /v1beta/, /v2/, /openai/ or /model/.";
  message += " Near it: ";
  for (size_t i = 0; i < near.size(); ++i) message.append(i == 0 ? "" : ", ").append(near[i]);
  return message + ".";
}

std::string_view to_string(Operation operation) {
  switch (operation) {
#define LLMGW_NAME(name) \
  case Operation::name: return #name
    LLMGW_NAME(chat);
    LLMGW_NAME(completions);
    LLMGW_NAME(embeddings);
    LLMGW_NAME(responses_create);
    LLMGW_NAME(responses_get);
    LLMGW_NAME(responses_delete);
    LLMGW_NAME(responses_cancel);
    LLMGW_NAME(responses_input_items);
    LLMGW_NAME(responses_input_tokens);
    LLMGW_NAME(responses_compact);
    LLMGW_NAME(conversations);
    LLMGW_NAME(rerank);
    LLMGW_NAME(moderations);
    LLMGW_NAME(images);
    LLMGW_NAME(audio_speech);
    LLMGW_NAME(audio_transcription);
    LLMGW_NAME(files);
    LLMGW_NAME(batches);
    LLMGW_NAME(fine_tuning);
    LLMGW_NAME(uploads);
    LLMGW_NAME(vector_stores);
    LLMGW_NAME(realtime);
    LLMGW_NAME(realtime_secrets);
    LLMGW_NAME(models_list);
    LLMGW_NAME(models_get);
    LLMGW_NAME(messages);
    LLMGW_NAME(count_tokens);
    LLMGW_NAME(message_batches);
    LLMGW_NAME(generate_content);
    LLMGW_NAME(stream_generate_content);
    LLMGW_NAME(embed_content);
    LLMGW_NAME(batch_embed_contents);
    LLMGW_NAME(converse);
    LLMGW_NAME(converse_stream);
    LLMGW_NAME(invoke);
    LLMGW_NAME(invoke_stream);
    LLMGW_NAME(health);
    LLMGW_NAME(ready);
    LLMGW_NAME(metrics);
#undef LLMGW_NAME
  }
  return "unknown";
}

}  // namespace llmgw::gateway
