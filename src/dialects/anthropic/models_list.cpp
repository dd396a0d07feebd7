#include "dialects/anthropic/models_list.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/text.h"
#include "json/writer.h"

namespace llmgw::dialects::anthropic {
namespace {

// RFC 3339, to the second, UTC.
std::string timestamp(int64_t seconds_since_1970) {
  constexpr int64_t kYear9999 = 253'402'300'799;  // the last second with four digits of year
  const std::chrono::sys_seconds time(std::chrono::seconds(std::clamp<int64_t>(seconds_since_1970, 0, kYear9999)));
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::string text = "0000-00-00T00:00:00Z";
  const auto put = [&text](size_t end, int64_t value) {
    for (; value > 0; value /= 10) text[--end] = static_cast<char>('0' + value % 10);
  };
  put(4, static_cast<int>(date.year()));
  put(7, static_cast<unsigned>(date.month()));
  put(10, static_cast<unsigned>(date.day()));
  put(13, clock.hours().count());
  put(16, clock.minutes().count());
  put(19, clock.seconds().count());
  return text;
}

void write(json::Writer& w, const ModelInfo& model) {
  w.begin_object().member("type", "model").member("id", model.name).member("display_name", model.name);
  w.member("created_at", timestamp(model.created)).member("lifecycle", "active");  // it is there to be called
  w.member("owned_by", model.owned_by).end_object();
}

}  // namespace

base::Result<std::string> write_models(std::span<const ModelInfo> models, std::string_view query) {
  TRY(limit_text, query_value(query, "limit", "limit"));
  TRY(after, query_value(query, "after_id", "after_id"));
  TRY(before, query_value(query, "before_id", "before_id"));
  const std::optional<uint64_t> limit = limit_text.empty() ? kPageDefault : base::parse_decimal(limit_text);
  if (!limit || *limit < 1 || *limit > kPageMax) {
    return base::fail(base::ErrorCode::invalid_argument, "limit must be a number from 1 to 1000");
  }
  TRY(page, select_page(models, *limit, after, before));
  std::string body;
  json::Writer w(body);
  w.begin_object().key("data").begin_array();
  for (const auto& model : page.models) write(w, model);
  w.end_array().member("has_more", before.empty() ? page.more_after : page.more_before);
  if (page.models.empty()) {
    w.null_member("first_id").null_member("last_id");
  } else {
    w.member("first_id", page.models.front().name).member("last_id", page.models.back().name);
  }
  w.end_object();
  return body;
}

std::string write_model(const ModelInfo& model) {
  std::string body;
  json::Writer w(body);
  write(w, model);
  return body;
}

}  // namespace llmgw::dialects::anthropic
