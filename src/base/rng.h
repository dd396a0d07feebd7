// A seeded pseudo-random generator: xoshiro256++ 1.0 (Blackman and Vigna, 2019, public domain description at
// prng.di.unimi.it), seeded by splitmix64. Deterministic for a seed; not for keys or tokens. One thread.
#pragma once

#include <array>
#include <cstdint>

namespace llmgw::base {

class Rng {
 public:
  explicit Rng(uint64_t seed);
  uint64_t next();
  // Uniform in [0, bound); bound > 0. The bias of at most bound/2^64 is accepted.
  uint64_t below(uint64_t bound);
  // Uniform in [0, 1).
  double uniform();
  bool chance(double probability) { return uniform() < probability; }

 private:
  std::array<uint64_t, 4> state_;
};

// Bytes from the operating system, for seeds, ids and keys.
uint64_t system_random();

}  // namespace llmgw::base
