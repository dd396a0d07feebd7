// A credential in memory. It has no formatter, no stream operator and no implicit conversion, so it cannot reach a
// log, an error or an answer by accident; its bytes are wiped when it dies. Not shared between threads unless const.
#pragma once

#include <ostream>
#include <string>
#include <string_view>

namespace llmgw::base {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view value) : value_(value) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { wipe(); }

  bool empty() const { return value_.empty(); }
  size_t size() const { return value_.size(); }

  // The bytes themselves: only for writing them to the wire, hashing or comparing them.
  std::string_view reveal() const { return value_; }

  friend std::ostream& operator<<(std::ostream&, const Secret&) = delete;

 private:
  void wipe() noexcept;
  std::string value_;
};

// Compares in time that depends only on the lengths.
bool constant_time_equal(std::string_view a, std::string_view b);

}  // namespace llmgw::base
