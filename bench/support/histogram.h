// Log-linear histogram of durations, as HdrHistogram keeps them: constant relative error, fixed memory, O(1) record.
// One thread. Values are nanoseconds.
#pragma once

#include <array>
#include <cstdint>

namespace llmgw::bench {

class Histogram {
 public:
  // Negative values count as 0 (clocks of two threads can be read in either order within one tick).
  void record(int64_t value_ns);

  uint64_t count() const { return count_; }
  int64_t max() const { return max_; }
  double mean() const { return count_ == 0 ? 0.0 : sum_ / static_cast<double>(count_); }
  // The value below which `fraction` (0..1) of the recorded values lie; at most 0.8 % above the true one, never above
  // max().
  int64_t percentile(double fraction) const;

 private:
  // 128 buckets for each power of two: the relative error is below 1/128.
  static constexpr int kSubBucketBits = 7;
  static constexpr int kSubBuckets = 1 << kSubBucketBits;
  // 2^42 ns is 73 minutes, longer than any run.
  static constexpr int kValueBits = 42;
  static constexpr int kBuckets = (kValueBits - kSubBucketBits + 1) * kSubBuckets;

  static int index_of(uint64_t value);
  static int64_t upper_bound_of(int index);

  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  int64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace llmgw::bench
