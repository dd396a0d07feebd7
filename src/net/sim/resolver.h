// The simulated DNS: names the test has set, with delay and failures. Belongs to its world's thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "net/resolver.h"

namespace llmgw::net::sim {

class World;

class SimResolver : public Resolver {
 public:
  explicit SimResolver(World& world) : world_(world) {}

  // Literal addresses and localhost need no setting; other names are name_not_found until they have one.
  Task<base::Result<Resolution>> resolve(std::string host, uint16_t port, Wait wait) override;

  // `addresses` without or with a port; a port of 0 becomes that of the question.
  void set(const std::string& name, std::vector<Address> addresses);
  void fail(const std::string& name, base::ErrorCode code);
  void set_delay(base::Duration delay_min, base::Duration delay_max);
  uint64_t queries() const { return queries_; }

 private:
  struct Record {
    std::vector<Address> addresses;
    std::optional<base::ErrorCode> failure;
  };
  World& world_;
  std::map<std::string, Record> records_;
  base::Duration delay_min_{};
  base::Duration delay_max_{};
  uint64_t queries_ = 0;
};

}  // namespace llmgw::net::sim
