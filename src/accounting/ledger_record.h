// What a call used and cost, as one record of the ledger. Pure; any thread.
//
// On disk all numbers are little-endian. A record is a head of 88 bytes, fixed in the order of encode(), and then
// its texts, each with its length in 16 bits before it. A reader of a later version takes what it knows and skips texts
// beyond; what is shorter than a version's head is not a record.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "accounting/media_tokens.h"
#include "chat/usage.h"

namespace llmgw::accounting {

enum class CallOutcome : uint8_t {
  completed,  // the client was given the whole answer
  failed,     // the provider, or the way to it, failed: the client was told
  cut,        // the provider's answer broke off inside
  cancelled,  // the client left before the end
};
std::string_view to_string(CallOutcome outcome);

// Every text of a record, in their order on disk.
enum class LedgerText : uint8_t {
  id,   // of the request, as in X-Request-ID
  key,  // names of the configuration, from here...
  user,
  team,
  organization,
  model,           // ... the configured one; it may be a pattern
  asked_model,     // as the client wrote it: a name or an alias
  upstream_model,  // as it was asked for at the provider
  provider,
  connection,
  operation,  // "chat", "messages", ...
  end_user,   // who the client says it is for: `user` or `metadata.user_id` of the body
  tags,       // of the key and of the request, separated by commas
  charged,    // no text: the identities of the scopes whose budgets paid, 8 bytes each
  media,      // no text, and written by encode(): the counts of MediaTokens, 8 bytes each; records of 2026 may lack it
  key_id,     // of objects of the store, from here...; empty: of the file, or in a record of 2026
  user_id,
  team_id,
  organization_id,  // ... to here
  batch,            // the provider's id of the batch that the record charges; empty: it is of a call. See batch_key()
  made_batch,       // that of the batch that the call made, whose owner will pay for it
};
inline constexpr size_t kLedgerTexts = 21;
// "id", "key", ...: columns of exports.
std::string_view to_string(LedgerText text);

struct LedgerRecord {
  int64_t time = 0;      // when the call ended: nanoseconds since 1970
  int64_t duration = 0;  // nanoseconds
  uint16_t status = 0;
  uint16_t upstream_status = 0;  // 0: there was no answer
  CallOutcome outcome = CallOutcome::completed;
  bool priced = false;     // false: nobody knows what it cost, and `nano_dollars` is 0
  bool estimated = false;  // the provider did not say what was used, or could not any more
  bool streamed = false;
  bool capped = false;  // the provider said that more was used than can be: see kTokensMax
  uint8_t retries = 0;
  chat::Usage usage;
  MediaTokens media = {};
  int64_t nano_dollars = 0;
  std::array<std::string_view, kLedgerTexts> texts;

  std::string_view& text(LedgerText which) { return texts[static_cast<size_t>(which)]; }
  std::string_view text(LedgerText which) const { return texts[static_cast<size_t>(which)]; }
};

// Whose a call was: what the owner was called then, and its id, which no other one ever has.
struct LedgerOwner {
  LedgerText name;
  LedgerText id;
};
inline constexpr std::array<LedgerOwner, 4> kLedgerOwners = {{{LedgerText::organization, LedgerText::organization_id},
                                                              {LedgerText::team, LedgerText::team_id},
                                                              {LedgerText::user, LedgerText::user_id},
                                                              {LedgerText::key, LedgerText::key_id}}};

// No call uses more tokens of a kind: a hundred times the longest prompt that any provider takes. What a provider says
// beyond is a mistake of its; it counts as so many, so that it cannot fill up sums that are everybody's.
inline constexpr uint64_t kTokensMax = 1'000'000'000;
// Whether any was above. `calls`: that were made of them, where it is the sum of several.
bool cap(chat::Usage& usage, uint64_t calls = 1);
bool cap(MediaTokens& media, uint64_t calls = 1);

// What a record charges of a batch, whoever looks at it and however often: the same for all of its records, and for
// no others. Empty: it is of no batch.
std::string batch_key(const LedgerRecord& record);

// Longer texts are cut at a character of UTF-8: names of the configuration are shorter, and nobody else's text may fill
// the disk.
inline constexpr size_t kLedgerTextBytesMax = 512;
inline constexpr size_t kLedgerRecordBytesMax = 128 + kLedgerTexts * (2 + kLedgerTextBytesMax);

// Writes into `to`, which holds kLedgerRecordBytesMax bytes. How many it took. No allocation.
size_t encode(const LedgerRecord& record, std::span<char> to);
// Texts of the result point into `from`. Empty: not a record.
std::optional<LedgerRecord> decode(std::string_view from);

}  // namespace llmgw::accounting
