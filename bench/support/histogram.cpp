#include "bench/support/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace llmgw::bench {

int Histogram::index_of(uint64_t value) {
  const auto width = static_cast<int>(std::bit_width(value));
  if (width <= kSubBucketBits) return static_cast<int>(value);
  // The leading bit picks the group, the seven bits after it the bucket within.
  const int shift = width - 1 - kSubBucketBits;
  const int group = shift + 1;
  return group * kSubBuckets + static_cast<int>((value >> shift) & (kSubBuckets - 1));
}

int64_t Histogram::upper_bound_of(int index) {
  const int group = index / kSubBuckets;
  const int64_t sub = index % kSubBuckets;
  if (group == 0) return sub;
  const int shift = group - 1;
  return ((sub + kSubBuckets + 1) << shift) - 1;
}

void Histogram::record(int64_t value_ns) {
  const int64_t value = std::clamp<int64_t>(value_ns, 0, (int64_t{1} << kValueBits) - 1);
  ++buckets_[static_cast<size_t>(index_of(static_cast<uint64_t>(value)))];
  ++count_;
  sum_ += static_cast<double>(value);
  max_ = std::max(max_, value);
}

int64_t Histogram::percentile(double fraction) const {
  if (count_ == 0) return 0;
  const auto rank = std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(fraction * static_cast<double>(count_))));
  uint64_t seen = 0;
  for (int index = 0; index < kBuckets; ++index) {
    seen += buckets_[static_cast<size_t>(index)];
    if (seen >= rank) return std::min(upper_bound_of(index), max_);
  }
  return max_;
}

}  // namespace llmgw::bench
