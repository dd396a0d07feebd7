#include "accounting/batch_reader.h"

#include <algorithm>

#include "accounting/usage_scanner.h"
#include "base/text.h"

namespace llmgw::accounting {
namespace {

using chat::Dialect;
using chat::Framing;

bool has_ended(std::string_view status) {
  return status == "completed" || status == "expired" || status == "cancelled" || status == "failed";
}

// The usage of an object, which stands at its top.
void read_usage(std::string_view object, Dialect dialect, BatchUse& use) {
  UsageScanner scanner(dialect, Framing::json);
  scanner.feed(object);
  use.usage = scanner.usage();
  use.media = scanner.media();
}

}  // namespace

void BatchReader::feed(std::string_view bytes) {
  while (answer_ == Answer::results) {
    const size_t end = bytes.find('\n');
    if (end == std::string_view::npos) break;
    if (held_.empty() && !too_long_) {
      read(bytes.substr(0, end));
    } else {
      hold(bytes.substr(0, end));
      take_held();
    }
    bytes.remove_prefix(end + 1);
  }
  hold(bytes);
}

void BatchReader::finish() {
  take_held();
  parser_.shrink();
}

void BatchReader::hold(std::string_view bytes) {
  too_long_ = too_long_ || bytes.size() > kDocumentBytesMax - held_.size();
  if (!too_long_) held_.append(bytes);
}

void BatchReader::take_held() {
  if (too_long_) {
    unreadable_ = true;
  } else {
    read(held_);
  }
  held_.clear();
  too_long_ = false;
}

void BatchReader::read(std::string_view document) {
  if (base::trim(document).empty()) return;
  base::Arena arena;
  const auto root = json::parse_tree(parser_, document, arena);
  if (!root) {
    unreadable_ = true;
  } else if (answer_ == Answer::results) {
    read_result(*root, arena);
  } else if (const json::Value list = (*root)["data"]; list.is_array()) {
    for (const json::Value batch : list.elements()) read_object(batch, arena);
  } else {
    id_ = (*root)["id"].string(arena);
    read_object(*root, arena);
  }
}

void BatchReader::read_object(json::Value batch, base::Arena& arena) {
  if (!has_ended(batch["status"].escaped())) return;
  BatchUse use;
  use.batch = batch["id"].string(arena);
  use.model = batch["model"].string(arena);
  if (use.batch.empty()) return;
  read_usage(batch.raw(), Dialect::openai_rest, use);
  const auto answered = batch["request_counts"]["completed"].unsigned_integer();
  // Of older batches some servers tell noughts.
  const bool nothing = use.usage.total_input().value_or(0) == 0 && use.usage.output.value_or(0) == 0;
  if (nothing && answered.value_or(0) == 0 && batch["output_file_id"].is_unset()) return;
  if (nothing) use.usage = {};
  use.requests = std::max<uint64_t>(1, answered.value_or(0));
  tell_(use);
}

// {"custom_id": ..., "result": {"type": "succeeded", "message": {...}}}. What failed is not charged.
void BatchReader::read_result(json::Value line, base::Arena& arena) {
  const json::Value message = line["result"]["message"];
  if (!message.is_object()) return;
  BatchUse use;
  use.model = message["model"].string(arena);
  read_usage(message.raw(), Dialect::anthropic, use);
  AnswerDetails details(Framing::json);
  details.feed(message.raw());
  use.details = &details;
  tell_(use);
}

}  // namespace llmgw::accounting
