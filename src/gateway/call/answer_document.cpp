#include "gateway/call/answer_document.h"

#include <algorithm>
#include <array>

#include "gateway/call/error_filter.h"
#include "gateway/call/stream_ending.h"
#include "gateway/conversion/conversion.h"

namespace llmgw::gateway {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::string_view without_blanks(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

// An object or list of JSON with something in it.
bool has_members(std::string_view json) {
  const size_t first = json.find_first_not_of(kBlanks, 1);
  return first != std::string_view::npos && json[first] != '}' && json[first] != ']';
}

// What Google streams may come as a list, and some engines' lists of ranks or vectors do.
bool may_be_list(const AskedFor& asked) {
  const bool google = asked.dialect == chat::Dialect::gemini || asked.dialect == chat::Dialect::vertex;
  return !generates(asked.operation) || google;
}

// The beginnings that no object of files, jobs and the like has.
bool begins_with_error(std::string_view json) {
  constexpr size_t kBeginning = 48;
  constexpr std::array<std::string_view, 4> kSigns{"{\"error\"", "{ \"error\"", "\"type\":\"error\"",
                                                   "\"type\": \"error\""};
  const std::string_view beginning = json.substr(0, kBeginning);
  return std::ranges::any_of(kSigns, [&](std::string_view sign) { return beginning.find(sign) != beginning.npos; });
}

}  // namespace

DocumentType document_type(std::string_view content_type) {
  const auto names = [content_type](std::string_view word) {
    return content_type.find(word) != std::string_view::npos;
  };
  const bool lines = names("ndjson") || names("jsonl") || names("json-");
  if (names("json")) return lines ? DocumentType::other : DocumentType::json;
  return content_type.empty() || content_type.starts_with("text/") ? DocumentType::text : DocumentType::other;
}

bool is_json(std::string_view text, json::Parser& parser) {
  const auto document = parser.parse(text);
  if (!document) return false;
  json::Reader reader(*document);
  reader.skip();
  return reader.finish().has_value();
}

bool mentions_error(std::string_view json) {
  return says_error_name(json) || json.find("\"response.failed\"") != std::string_view::npos;
}

bool may_be_answer(std::string_view document, DocumentType type, const AskedFor& asked, json::Parser& parser) {
  const std::string_view text = without_blanks(document);
  const bool own = is_own_answer(asked.operation);
  const bool wants_json = answers_json(asked.operation) && type != DocumentType::other;
  if (text.empty()) return !own || !(wants_json || type == DocumentType::json);
  if (asked.stream && is_event_field(text)) return true;
  const bool json = text.front() == '{' || text.front() == '[';
  if (wants_json && (!json || !has_members(text) || (text.front() == '[' && !may_be_list(asked)))) return false;
  // A transcript may begin with a bracket, and sound with any byte.
  if (!json || !(wants_json || type == DocumentType::json)) return true;
  if (!is_json(text, parser)) return false;
  if (!own) return !begins_with_error(text);
  return !mentions_error(text) || !error_in_document(asked.dialect, text, parser);
}

}  // namespace llmgw::gateway
