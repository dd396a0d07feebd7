// Which refused sign-ins are written to the audit log one by one, so that nobody fills the database and nobody hides
// another's: so many a second of each place they come from, and of all together. The others are counted, and their sums
// are written. Pure; one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "net/address.h"

namespace llmgw::admin {

class Refusals {
 public:
  static constexpr uint32_t kPerSecond = 5;      // of one place
  static constexpr uint32_t kAllPerSecond = 50;  // of all; ten places may use it up, and are each in the sums
  static constexpr size_t kSumsAtOnce = 50;      // the other sums wait for the next time, and grow
  static constexpr size_t kPlacesMax = 1024;     // more at one time are counted as one, kOtherPlaces
  static constexpr const char* kOtherPlaces = "";

  struct Sum {
    std::string place;
    uint64_t count = 0;
  };

  // Whether this one is to be written; else it is counted. `second`: since 1970, as all here; never goes back far.
  bool note(std::string_view place, int64_t second);
  // What was noted and could not be written, or a sum.
  void put_back(const Sum& sum) { at(sum.place).unwritten += sum.count; }
  // What is to be written now, an entry a place, and is not counted any more.
  std::vector<Sum> take_sums(int64_t second);
  // All of it, when there will be no other time.
  std::vector<Sum> take_all();

 private:
  struct Place {
    int64_t second = 0;  // in which `written` were
    uint32_t written = 0;
    uint64_t unwritten = 0;
  };
  using Places = std::map<std::string, Place, std::less<>>;
  Place& at(std::string_view place);
  static bool fits(Place& place, int64_t second, uint32_t most);

  Places places_;
  Place all_;
  std::string last_;  // the place whose sum was taken last
};

// Where a client is, as one place: an address of IPv4, the /64 of one of IPv6, of which one client may have all.
std::string place_of(const net::Address& peer);

}  // namespace llmgw::admin
