// Histograms of durations with fixed log-linear buckets: four to an octave, so a bucket is at most a quarter as wide
// as its lower bound and an estimated quantile is off by less than that. An index is a division by a constant, a
// bit scan and two shifts; there is no search and no branch. Bounds are inclusive above ("le" of Prometheus is
// exact) and every octave starts at a power of two of microseconds. The sum is exact, in nanoseconds.
// Layouts are constants; HistogramData is a plain value. Any thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace llmgw::telemetry {

struct HistogramLayout {
  static constexpr uint32_t kBucketsPerOctave = 4;
  static constexpr uint64_t kTickNs = 125;        // a quarter of the 1 µs octave is two of them
  static constexpr uint32_t kTicksExponent = 3;   // ticks in a microsecond, as a power of two
  static constexpr uint32_t kSubBucketShift = 2;  // log2 of kBucketsPerOctave

  uint32_t first_exponent;  // the first bound is 2^first_exponent µs; what is shorter shares bucket 0
  uint32_t last_exponent;   // the last finite bound is 2^last_exponent µs; what is longer goes to +Inf
  uint32_t exposed_step;    // every n-th bound is exposed: fewer lines, the same exact counts

  constexpr uint32_t bound_count() const { return (last_exponent - first_exponent) * kBucketsPerOctave + 1; }
  // The finite buckets and +Inf.
  constexpr uint32_t bucket_count() const { return bound_count() + 1; }
  // What a worker keeps: the buckets, then the sum's low and high word.
  constexpr uint32_t cell_count() const { return bucket_count() + 2; }

  constexpr uint32_t index(uint64_t ns) const {
    const uint32_t first = first_exponent + kTicksExponent;
    const uint64_t ticks = std::max((ns - (ns != 0)) / kTickNs, (uint64_t{1} << first) - 1);
    const uint32_t exponent = static_cast<uint32_t>(std::bit_width(ticks)) - 1;
    const uint64_t sub_bucket = (ticks >> (exponent - kSubBucketShift)) & (kBucketsPerOctave - 1);
    const uint64_t octave = static_cast<uint64_t>(exponent) + 1 - first;  // 0: below the first bound
    return static_cast<uint32_t>(std::min<uint64_t>((octave << kSubBucketShift) + sub_bucket - 3, bucket_count() - 1));
  }

  // The inclusive upper bound of a finite bucket.
  constexpr uint64_t bound_ns(uint32_t bucket) const {
    const uint32_t exponent = first_exponent + kTicksExponent + bucket / kBucketsPerOctave;
    const uint64_t quarters = kBucketsPerOctave + bucket % kBucketsPerOctave;
    return (quarters << (exponent - kSubBucketShift)) * kTickNs;
  }
};

// The gateway's own added time: 1 µs to 1.05 s, exposed twice an octave.
inline constexpr HistogramLayout kAddedTimeLayout{.first_exponent = 0, .last_exponent = 20, .exposed_step = 2};
// Requests and their upstream part: 1.02 ms to 18 minutes, exposed once an octave.
inline constexpr HistogramLayout kRequestTimeLayout{.first_exponent = 10, .last_exponent = 30, .exposed_step = 4};
// Gaps inside a stream: 128 µs to 16.8 s, exposed once an octave.
inline constexpr HistogramLayout kTokenGapLayout{.first_exponent = 7, .last_exponent = 24, .exposed_step = 4};

inline constexpr uint32_t kBucketsMax = 82;  // of the layouts above
static_assert(kAddedTimeLayout.bucket_count() <= kBucketsMax && kRequestTimeLayout.bucket_count() <= kBucketsMax &&
              kTokenGapLayout.bucket_count() <= kBucketsMax);
static_assert((kAddedTimeLayout.bound_count() - 1) % kAddedTimeLayout.exposed_step == 0);
static_assert((kRequestTimeLayout.bound_count() - 1) % kRequestTimeLayout.exposed_step == 0);
static_assert((kTokenGapLayout.bound_count() - 1) % kTokenGapLayout.exposed_step == 0);

// A histogram's contents at one moment, summed over workers.
struct HistogramData {
  const HistogramLayout* layout = nullptr;
  std::array<uint64_t, kBucketsMax> buckets{};
  unsigned __int128 sum_ns = 0;

  uint64_t count() const;
  double sum_seconds() const;
  void record(base::Duration duration);
  // Both must have the same layout, or this one none yet.
  void add(const HistogramData& other);
  // Linear inside the bucket; the last finite bound for what lies above it; nothing when empty. 0 <= quantile <= 1.
  std::optional<base::Duration> quantile(double quantile) const;
};

}  // namespace llmgw::telemetry
