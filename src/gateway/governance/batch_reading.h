// What an answer tells of finished batches, summed up by batch and model until it is known to have come whole. One
// answer; one thread.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "accounting/batch_reader.h"
#include "accounting/media_tokens.h"
#include "chat/usage.h"
#include "control/price_table.h"

namespace llmgw::gateway {

struct BatchCharge {
  std::string batch;
  std::string model;
  control::PriceTable::Prices prices;
  chat::Usage usage = {};
  accounting::MediaTokens media = {};
  int64_t nano_dollars = 0;
  bool priced = true;      // false: some of it has no price, or nobody knows what it used
  bool estimated = false;  // prompts of some lengths cost more, and a sum does not tell theirs
  bool capped = false;

  // `tools`: what the provider's own tools cost that it used; none: nobody knows.
  void add(const accounting::BatchUse& use, std::optional<int64_t> tools);
};

struct BatchReading {
  // Clients choose the models; of more in one batch than these the rest is told as of one without a name.
  static constexpr size_t kModelsMax = 256;

  BatchReading(accounting::BatchReader::Answer answer, accounting::BatchReader::Tell tell)
      : reader(answer, std::move(tell)) {}
  accounting::BatchReader reader;
  std::vector<BatchCharge> charges = {};
};

}  // namespace llmgw::gateway
