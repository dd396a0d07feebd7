#include "accounting/ledger_record.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "base/saturating.h"

namespace llmgw::accounting {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kHeadBytes = 88;
// Every record has those before; an older one may end behind any of the others.
constexpr auto kTextsAlways = static_cast<size_t>(LedgerText::media);

enum Flag : uint8_t { kPriced = 1, kEstimated = 2, kStreamed = 4, kCapped = 8 };

constexpr std::array<std::optional<uint64_t> chat::Usage::*, 6> kCounts = {
    &chat::Usage::input,          &chat::Usage::cache_read, &chat::Usage::cache_write,
    &chat::Usage::cache_write_1h, &chat::Usage::output,     &chat::Usage::reasoning};
constexpr std::array<uint64_t MediaTokens::*, 4> kMedia = {&MediaTokens::audio_input, &MediaTokens::image_input,
                                                           &MediaTokens::audio_output, &MediaTokens::image_output};
constexpr uint64_t kUnknown = UINT64_MAX;

// The machine's own order is the disk's: the program is for little-endian machines.
static_assert(std::endian::native == std::endian::little);

class Put {
 public:
  explicit Put(std::span<char> to) : to_(to) {}
  template <class T>
  void number(T value) {
    assert(at_ + sizeof value <= to_.size());
    std::memcpy(to_.data() + at_, &value, sizeof value);
    at_ += sizeof value;
  }
  void text(std::string_view value) {
    size_t size = value.size();
    if (size > kLedgerTextBytesMax) {
      size = kLedgerTextBytesMax;
      while (size > 0 && (static_cast<uint8_t>(value[size]) & 0xC0) == 0x80) --size;
    }
    number(static_cast<uint16_t>(size));
    if (size > 0) std::memcpy(to_.data() + at_, value.data(), size);
    at_ += size;
  }
  size_t size() const { return at_; }

 private:
  std::span<char> to_;
  size_t at_ = 0;
};

class Take {
 public:
  explicit Take(std::string_view from) : left_(from) {}
  template <class T>
  T number() {
    T value{};
    left_.copy(reinterpret_cast<char*>(&value), sizeof value);
    left_.remove_prefix(sizeof value);
    return value;
  }
  bool text(std::string_view& value) {
    if (left_.size() < 2) return false;
    const auto size = number<uint16_t>();
    if (left_.size() < size) return false;
    value = left_.substr(0, size);
    left_.remove_prefix(size);
    return true;
  }

 private:
  std::string_view left_;
};

}  // namespace

std::string_view to_string(CallOutcome outcome) {
  static constexpr std::array<std::string_view, 4> kNames = {"completed", "failed", "cut", "cancelled"};
  return kNames[static_cast<size_t>(outcome)];
}

std::string_view to_string(LedgerText text) {
  static constexpr std::array<std::string_view, kLedgerTexts> kNames = {"id",
                                                                        "key",
                                                                        "user",
                                                                        "team",
                                                                        "organization",
                                                                        "model",
                                                                        "asked_model",
                                                                        "upstream_model",
                                                                        "provider",
                                                                        "connection",
                                                                        "operation",
                                                                        "end_user",
                                                                        "tags",
                                                                        "charged",
                                                                        "media",
                                                                        "key_id",
                                                                        "user_id",
                                                                        "team_id",
                                                                        "organization_id",
                                                                        "batch",
                                                                        "made_batch"};
  return kNames[static_cast<size_t>(text)];
}

bool cap(chat::Usage& usage, uint64_t calls) {
  const uint64_t most = base::multiply_saturating(kTokensMax, calls);
  bool capped = false;
  for (const auto count : kCounts) {
    if ((usage.*count).value_or(0) <= most) continue;
    usage.*count = most;
    capped = true;
  }
  return capped;
}

bool cap(MediaTokens& media, uint64_t calls) {
  const uint64_t most = base::multiply_saturating(kTokensMax, calls);
  bool capped = false;
  for (const auto count : kMedia) {
    capped = capped || media.*count > most;
    media.*count = std::min(media.*count, most);
  }
  return capped;
}

// Ids are the provider's. A batch of several models has a record for each.
std::string batch_key(const LedgerRecord& record) {
  const std::string_view batch = record.text(LedgerText::batch);
  if (batch.empty()) return {};
  std::string key(record.text(LedgerText::provider));
  key.append(" ").append(batch).append(" ").append(record.text(LedgerText::upstream_model));
  return key;
}

size_t encode(const LedgerRecord& record, std::span<char> to) {
  Put put(to);
  put.number(kVersion);
  put.number(static_cast<uint8_t>(record.outcome));
  put.number(static_cast<uint8_t>((record.priced ? kPriced : 0) | (record.estimated ? kEstimated : 0) |
                                  (record.streamed ? kStreamed : 0) | (record.capped ? kCapped : 0)));
  put.number(record.retries);
  put.number(record.status);
  put.number(record.upstream_status);
  put.number(record.time);
  put.number(record.duration);
  put.number(record.nano_dollars);
  for (const auto count : kCounts) put.number((record.usage.*count).value_or(kUnknown));
  put.number(uint64_t{0});  // for what comes next
  assert(put.size() == kHeadBytes);
  for (const std::string_view text : std::span(record.texts).first(kTextsAlways)) put.text(text);
  put.number(static_cast<uint16_t>(record.media.any() ? kMedia.size() * sizeof(uint64_t) : 0));
  for (const auto count : kMedia) {
    if (record.media.any()) put.number(record.media.*count);
  }
  for (const std::string_view text : std::span(record.texts).subspan(kTextsAlways + 1)) put.text(text);
  return put.size();
}

std::optional<LedgerRecord> decode(std::string_view from) {
  if (from.size() < kHeadBytes) return std::nullopt;
  Take take(from);
  LedgerRecord record;
  if (take.number<uint8_t>() < kVersion) return std::nullopt;
  const auto outcome = take.number<uint8_t>();
  if (outcome > static_cast<uint8_t>(CallOutcome::cancelled)) return std::nullopt;
  record.outcome = static_cast<CallOutcome>(outcome);
  const auto flags = take.number<uint8_t>();
  record.priced = (flags & kPriced) != 0;
  record.estimated = (flags & kEstimated) != 0;
  record.streamed = (flags & kStreamed) != 0;
  record.capped = (flags & kCapped) != 0;
  record.retries = take.number<uint8_t>();
  record.status = take.number<uint16_t>();
  record.upstream_status = take.number<uint16_t>();
  record.time = take.number<int64_t>();
  record.duration = take.number<int64_t>();
  record.nano_dollars = take.number<int64_t>();
  for (const auto count : kCounts) {
    if (const auto value = take.number<uint64_t>(); value != kUnknown) record.usage.*count = value;
  }
  take.number<uint64_t>();
  for (std::string_view& text : std::span(record.texts).first(kTextsAlways)) {
    if (!take.text(text)) return std::nullopt;
  }
  std::string_view& media = record.text(LedgerText::media);
  if (take.text(media) && media.size() == kMedia.size() * sizeof(uint64_t)) {
    Take counts(media);
    for (const auto count : kMedia) record.media.*count = counts.number<uint64_t>();
  }
  for (std::string_view& text : std::span(record.texts).subspan(kTextsAlways + 1)) {
    if (!take.text(text)) break;
  }
  return record;
}

}  // namespace llmgw::accounting
