#include "dialects/anthropic/host_body.h"

#include "dialects/anthropic/betas.h"
#include "dialects/anthropic/error.h"
#include "dialects/request_gates.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::anthropic {
namespace {

Outcome<json::Value> parse(std::string_view body, const ReadContext& context) {
  const auto root = json::parse_tree(context.parser, body, context.arena);
  if (!root || !root->is_object()) return invalid(context.arena, "", "The body must be a JSON object.");
  return *root;
}

}  // namespace

Outcome<void> write_host_body(std::string_view body, Host host, std::span<const std::string_view> betas,
                              const ReadContext& context, std::string& out) {
  TRY(root, parse(body, context));
  if (!root["thread"].is_unset()) {
    return std::unexpected(chat::ClientError{
        .kind = chat::ErrorKind::unsupported, .message = kNoThreads, .param = "thread", .code = kThreadUnsupported});
  }
  Betas all;
  for (const std::string_view beta : betas) add_beta(beta, context.arena, all);
  add_betas(root["anthropic_beta"], context.arena, all);
  json::Writer writer(out);
  writer.begin_object().member("anthropic_version", host == Host::vertex ? "vertex-2023-10-16" : "bedrock-2023-05-31");
  for (const json::Member member : root.members()) {
    if (member.is("anthropic_version") || member.is("anthropic_beta") || member.is("model")) continue;
    if (host == Host::bedrock && member.is("stream")) continue;
    writer.raw_member(member.key(context.arena), member.value.raw());
  }
  if (host == Host::bedrock && !all.empty()) {
    writer.raw_member("anthropic_beta", betas_member(all, context.arena));
  }
  writer.end_object();
  return {};
}

Outcome<void> write_plain_body(std::string_view body, std::string_view model, bool stream, const ReadContext& context,
                               std::string& out, chat::List<std::string_view>& betas) {
  TRY(root, parse(body, context));
  json::Writer writer(out);
  writer.begin_object().member("model", model);
  for (const json::Member member : root.members()) {
    if (member.is("anthropic_beta")) add_betas(member.value, context.arena, betas);
    if (member.is("anthropic_version") || member.is("anthropic_beta") || member.is("model")) continue;
    if (stream && member.is("stream")) continue;
    writer.raw_member(member.key(context.arena), member.value.raw());
  }
  if (stream) writer.member("stream", true);
  writer.end_object();
  return {};
}

}  // namespace llmgw::dialects::anthropic
