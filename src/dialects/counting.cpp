#include "dialects/counting.h"

#include <array>

#include "base/base64.h"
#include "base/text.h"
#include "dialects/anthropic/codec.h"
#include "dialects/anthropic/host_body.h"
#include "dialects/bedrock/codec.h"
#include "dialects/gemini/codec.h"
#include "dialects/openai_responses/codec.h"
#include "dialects/request_gates.h"
#include "json/tree.h"

namespace llmgw::dialects {
namespace {

// A prompt of InvokeModel is Claude's own body, as a blob.
Outcome<void> read_bedrock(std::string_view body, const ReadContext& context, chat::Request& request) {
  const auto root = json::parse_tree(context.parser, body, context.arena);
  if (!root) return invalid(context.arena, "", root.error().context);
  const json::Value input = (*root)["input"];
  if (const json::Value converse = input["converse"]; converse.is_object()) {
    return bedrock::codec().read_request(context.arena.copy(converse.raw()), context, request);
  }
  const std::string_view blob = input["invokeModel"]["body"].string(context.arena);
  if (blob.empty()) {
    return invalid(context.arena, "input", "Expected input.converse or input.invokeModel.body.");
  }
  const auto bytes = context.arena.bytes(blob.size());
  const auto size = base::base64_decode(blob, bytes.data());
  if (!size) return invalid(context.arena, "input.invokeModel.body", "Expected base64.");
  ReadContext inner = context;
  inner.minter = chat::native_minter(chat::Dialect::anthropic);
  request.from = chat::Dialect::anthropic;
  std::string plain;
  chat::List<std::string_view> betas;
  TRY_VOID(
      anthropic::write_plain_body(std::string_view(bytes.data(), *size), request.model, false, context, plain, betas));
  return anthropic::codec().read_request(context.arena.copy(plain), inner, request);
}

constexpr Counting kAnthropic{
    .read_request = [](std::string_view body, const ReadContext& context, chat::Request& request) -> Outcome<void> {
      return anthropic::codec().read_request(body, context, request);
    },
    .write_request = anthropic::write_count_request,
    .read_count = anthropic::read_token_count,
    .write_count = anthropic::write_token_count};
constexpr Counting kGemini{.read_request = gemini::read_count_request,
                           .write_request = gemini::write_count_request,
                           .read_count = gemini::read_token_count,
                           .write_count = gemini::write_token_count};
constexpr Counting kResponses{
    .read_request = [](std::string_view body, const ReadContext& context, chat::Request& request) -> Outcome<void> {
      return openai_responses::codec().read_request(body, context, request);
    },
    .write_request = openai_responses::write_count_request,
    .read_count = openai_responses::read_token_count,
    .write_count = openai_responses::write_token_count};
constexpr Counting kBedrock{.read_request = read_bedrock,
                            .write_request = bedrock::write_count_request,
                            .read_count = bedrock::read_token_count,
                            .write_count = bedrock::write_token_count};

}  // namespace

const Counting* find_counting(chat::Dialect dialect) {
  switch (dialect) {
    case chat::Dialect::anthropic: return &kAnthropic;
    case chat::Dialect::gemini:
    case chat::Dialect::vertex: return &kGemini;
    case chat::Dialect::openai_responses: return &kResponses;
    case chat::Dialect::bedrock: return &kBedrock;
    default: return nullptr;
  }
}

bool refuses_to_count(int status, std::string_view message) {
  constexpr int kBadRequest = 400;
  constexpr int kNotFound = 404;
  constexpr std::array kNoSuchApi = {405, 501};
  for (const int each : kNoSuchApi) {
    if (status == each) return true;
  }
  const auto says = [message](std::string_view words) { return message.find(words) != std::string_view::npos; };
  // That there is no such model is another matter.
  if (status == kNotFound) return !says("model") && !says("deployment");
  // Bedrock: "The provided model doesn't support counting tokens.", and, of models that it does serve but not count
  // for, "The provided model identifier is invalid."
  return status == kBadRequest && (message.find("counting tokens") != std::string_view::npos ||
                                   message.find("count tokens") != std::string_view::npos ||
                                   message.find("CountTokens") != std::string_view::npos ||
                                   message.find("model identifier is invalid") != std::string_view::npos);
}

}  // namespace llmgw::dialects
