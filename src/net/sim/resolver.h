// The simulated DNS: names the test has set, with delay and failures. Literal addresses and localhost need no setting.
// Belongs to its world's thread; what it draws follows from the seed and the order of questions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "net/resolver.h"

namespace llmgw::net::sim {

class SimResolver : public Resolver {
 public:
  SimResolver(Loop& loop, uint64_t seed) : loop_(loop), rng_(seed) {}

  // name_not_found until set(); the failure after fail().
  Task<base::Result<Resolution>> resolve(std::string host, uint16_t port, Wait wait) override;

  // A port of 0 becomes that of the question.
  void set(const std::string& name, std::vector<Address> addresses);
  void fail(const std::string& name, base::ErrorCode code);
  // Every question takes a time drawn from here, or until its deadline.
  void set_delay(base::Duration delay_min, base::Duration delay_max);
  uint64_t questions() const { return questions_; }

 private:
  struct Record {
    std::vector<Address> addresses;
    std::optional<base::ErrorCode> failure;
  };
  Loop& loop_;
  base::Rng rng_;
  std::map<std::string, Record> records_;
  base::Duration delay_min_{};
  base::Duration delay_max_{};
  uint64_t questions_ = 0;
};

}  // namespace llmgw::net::sim
