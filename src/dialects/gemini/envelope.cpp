#include "dialects/gemini/envelope.h"

#include <array>
#include <charconv>
#include <chrono>

#include "base/saturating.h"
#include "dialects/grounding.h"
#include "json/array.h"

namespace llmgw::dialects::gemini {
namespace {

using json::Value;

void take(std::optional<uint64_t>& to, Value value) {
  if (const auto count = value.unsigned_integer()) to = count;
}

bool read_number(std::string_view text, size_t at, size_t length, int& value) {
  if (at + length > text.size()) return false;
  const auto result = std::from_chars(text.data() + at, text.data() + at + length, value);
  return result.ec == std::errc{} && result.ptr == text.data() + at + length;
}

}  // namespace

Envelope envelope_of(Value root, base::Arena& arena) {
  Envelope envelope;
  for (const json::Member member : root.members()) {
    const std::string_view key = member.key(arena);
    if (key == "candidates") {
      envelope.candidates = member.value;
    } else if (key == "promptFeedback" || key == "prompt_feedback") {
      envelope.prompt_feedback = member.value;
    } else if (key == "usageMetadata" || key == "usage_metadata") {
      envelope.usage = member.value;
    } else if (key == "modelVersion" || key == "model_version") {
      envelope.model = member.value;
    } else if (key == "responseId" || key == "response_id") {
      envelope.id = member.value;
    } else if (key == "createTime" || key == "create_time") {
      envelope.create_time = member.value;
    } else if (key == "error") {
      envelope.error = member.value;
    }
  }
  return envelope;
}

CandidateMembers candidate_of(Value candidate, base::Arena& arena) {
  CandidateMembers members;
  for (const json::Member member : candidate.members()) {
    const std::string_view key = member.key(arena);
    if (key == "content") {
      members.content = member.value;
    } else if (key == "finishReason" || key == "finish_reason") {
      members.finish = member.value;
    } else if (key == "finishMessage" || key == "finish_message") {
      members.message = member.value;
    } else if (key == "index") {
      members.index = member.value;
    } else if (key == "logprobsResult" || key == "logprobs_result") {
      members.logprobs = member.value;
    } else if (key == "groundingMetadata" || key == "grounding_metadata") {
      members.grounding = member.value;
    } else if (key == "citationMetadata" || key == "citation_metadata") {
      members.citation = member.value;
    } else if (key == "urlContextMetadata" || key == "url_context_metadata") {
      members.url_context = member.value;
    }
  }
  return members;
}

void TokenCounts::merge(Value usage) {
  for (const json::Member member : usage.members()) {
    const std::string_view key = member.escaped_key;
    if (key == "promptTokenCount" || key == "prompt_token_count") {
      take(prompt, member.value);
    } else if (key == "toolUsePromptTokenCount" || key == "tool_use_prompt_token_count") {
      take(tool_use, member.value);
    } else if (key == "cachedContentTokenCount" || key == "cached_content_token_count") {
      take(cached, member.value);
    } else if (key == "candidatesTokenCount" || key == "candidates_token_count") {
      take(candidates, member.value);
    } else if (key == "thoughtsTokenCount" || key == "thoughts_token_count") {
      take(thoughts, member.value);
    } else if (key == "totalTokenCount" || key == "total_token_count") {
      take(total, member.value);
    }
  }
}

chat::Usage TokenCounts::usage() const {
  chat::Usage result;
  if (prompt || tool_use) {
    const uint64_t all = base::add_saturating(prompt.value_or(0), tool_use.value_or(0));
    // The prompt includes what came from the cache.
    if (cached) result.cache_read = std::min(*cached, all);
    result.input = all - result.cache_read.value_or(0);
  }
  // A count of zero is left out: an answer that was cut while the model thought has no candidatesTokenCount.
  if (candidates || thoughts || (prompt && total)) {
    result.output = base::add_saturating(candidates.value_or(0), thoughts.value_or(0));
  }
  result.reasoning = thoughts;
  return result;
}

int64_t read_time(std::string_view text) {
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  if (!read_number(text, 0, 4, year) || !read_number(text, 5, 2, month) || !read_number(text, 8, 2, day) ||
      !read_number(text, 11, 2, hour) || !read_number(text, 14, 2, minute) || !read_number(text, 17, 2, second)) {
    return 0;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || year < 1970) return 0;
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  return ((static_cast<int64_t>(days) * 24 + hour) * 60 + minute) * 60 + second;
}

std::string write_time(int64_t seconds) {
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(time - days);
  const auto digits = [](int64_t value, size_t width) {
    std::string text = std::to_string(value);
    return std::string(width > text.size() ? width - text.size() : 0, '0') + text;
  };
  return digits(static_cast<int>(date.year()), 4) + "-" + digits(static_cast<unsigned>(date.month()), 2) + "-" +
         digits(static_cast<unsigned>(date.day()), 2) + "T" + digits(clock.hours().count(), 2) + ":" +
         digits(clock.minutes().count(), 2) + ":" + digits(clock.seconds().count(), 2) + "Z";
}

bool is_blocked(Value feedback, Service service, base::Arena& arena) {
  if (!feedback.is_object()) return false;
  return !block_word(feedback.any_of("blockReason", "block_reason"), service, arena).empty() ||
         feedback.any_of("blockReasonMessage", "block_reason_message").is_string();
}

chat::Choice blocked_choice(Value feedback, Service service, base::Arena& arena) {
  std::string_view word = block_word(feedback.any_of("blockReason", "block_reason"), service, arena);
  if (word.empty()) word = "OTHER";
  chat::Choice choice{.finish = chat::Finish::filter};
  choice.native_finish = arena.concat(kPromptBlocked, word);
  choice.explanation = feedback.any_of("blockReasonMessage", "block_reason_message").string(arena);
  return choice;
}

bool read_finish(const CandidateMembers& candidate, Service service, base::Arena& arena, chat::Choice& choice) {
  const std::string_view word = finish_word(candidate.finish, service, arena);
  if (word.empty()) return false;
  choice.finish = finish_of(word);
  choice.native_finish = word;
  // "Model generated function call(s)." explains nothing.
  if (choice.finish != chat::Finish::stop) choice.explanation = candidate.message.string(arena);
  return true;
}

std::string_view read_citations(const CandidateMembers& candidate, base::Arena& arena) {
  std::string text;
  json::Writer w(text);
  const auto add = [&](std::string_view name, Value value) {
    if (!value.is_object() || value.empty()) return;
    if (text.empty()) w.begin_array();
    w.begin_object().raw_member(name, value.raw()).end_object();
  };
  add("groundingMetadata", candidate.grounding);
  add("citationMetadata", candidate.citation);
  add("urlContextMetadata", candidate.url_context);
  if (text.empty()) return {};
  w.end_array();
  return arena.copy(text);
}

namespace {

// A citation of another API's as Google has it: addresses, and places in documents.
void write_source(json::Writer& w, Value citation, chat::Dialect origin, SaidText& said, base::Arena& arena) {
  const Value nested = citation["url_citation"];
  const Value from = nested.is_object() ? nested : citation;
  const auto web = read_web_citation(citation, arena);
  const std::string_view uri = web ? web->url : from.any_of("url", "uri", "source").string(arena);
  std::string_view title = from.any_of("title", "document_title", "filename").string(arena);
  if (title.empty()) title = web ? web->title : from["sources"].first_element()["document"]["title"].string(arena);
  w.begin_object();
  const auto start = from.any_of("start_index", "start").unsigned_integer();
  const auto end = from.any_of("end_index", "end").unsigned_integer();
  const CitedPlace place = said.place(start, end, origin, chat::Dialect::gemini);
  if (place.known) w.member("startIndex", place.start).member("endIndex", place.end);
  if (!uri.empty()) w.member("uri", uri);
  if (!title.empty()) w.member("title", title);
  w.end_object();
}

}  // namespace

void Citations::add(std::string_view citations, chat::Dialect origin, SaidText& said, json::Parser& parser,
                    base::Arena& arena) {
  if (citations.size() <= 2) return;
  if (is_gemini(origin)) return json::append_elements(own_, citations);
  const auto root = json::parse_tree(parser, citations, arena);
  if (!root) return;
  for (const Value element : root->elements()) {
    if (!element.is_object()) continue;
    if (!sources_.empty()) sources_ += ',';
    json::Writer w(sources_);
    write_source(w, element, origin, said, arena);
  }
}

void Citations::write(json::Writer& w, Service service, json::Parser& parser, base::Arena& arena) const {
  if (!sources_.empty()) {
    w.key("citationMetadata").begin_object().key(service == Service::vertex ? "citations" : "citationSources");
    w.begin_array().raw(sources_).end_array().end_object();
    return;
  }
  if (own_.empty()) return;
  const auto root = json::parse_tree(parser, own_, arena);
  if (!root) return;
  constexpr std::array<std::string_view, 3> kNames{"groundingMetadata", "citationMetadata", "urlContextMetadata"};
  for (const std::string_view name : kNames) {
    Value last;
    for (const Value element : root->elements())
      if (element[name].is_object()) last = element[name];
    if (last.present()) w.raw_member(name, last.raw());
  }
}

namespace {

void read_token(json::Writer& w, Value token, base::Arena& arena) {
  w.member("token", token["token"].string(arena));
  const Value logprob = token.any_of("logProbability", "log_probability");
  w.raw_member("logprob", logprob.is_number() ? logprob.raw() : std::string_view("0"));
  w.null_member("bytes");
}

void write_token(json::Writer& w, Value token, base::Arena& arena) {
  w.begin_object().member("token", token["token"].string(arena));
  const Value logprob = token["logprob"];
  if (logprob.is_number()) w.raw_member("logProbability", logprob.raw());
  w.end_object();
}

}  // namespace

std::string_view read_logprobs(Value result, base::Arena& arena) {
  if (!result.is_object()) return {};
  const Value chosen = result.any_of("chosenCandidates", "chosen_candidates");
  const Value top = result.any_of("topCandidates", "top_candidates");
  if (!chosen.is_array() || chosen.empty()) return {};
  auto tops = top.elements();
  auto next = tops.begin();
  const auto last = tops.end();
  std::string text;
  json::Writer w(text);
  w.begin_array();
  for (const Value token : chosen.elements()) {
    w.begin_object();
    read_token(w, token, arena);
    w.key("top_logprobs").begin_array();
    if (top.is_array() && next != last) {
      for (const Value other : (*next)["candidates"].elements()) {
        w.begin_object();
        read_token(w, other, arena);
        w.end_object();
      }
      ++next;
    }
    w.end_array().end_object();
  }
  w.end_array();
  return arena.copy(text);
}

void write_logprobs(json::Writer& w, std::string_view tokens, json::Parser& parser, base::Arena& arena) {
  if (tokens.empty()) return;
  const auto root = json::parse_tree(parser, tokens, arena);
  if (!root || !root->is_array() || root->empty()) return;
  w.key("logprobsResult").begin_object().key("topCandidates").begin_array();
  for (const Value token : root->elements()) {
    w.begin_object().key("candidates").begin_array();
    for (const Value other : token["top_logprobs"].elements()) write_token(w, other, arena);
    w.end_array().end_object();
  }
  w.end_array().key("chosenCandidates").begin_array();
  for (const Value token : root->elements()) write_token(w, token, arena);
  w.end_array().end_object();
}

}  // namespace llmgw::dialects::gemini
