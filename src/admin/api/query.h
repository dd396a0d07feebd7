// The parameters of a URL's query. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace llmgw::admin {

class Query {
 public:
  explicit Query(std::string_view query) : query_(query) {}
  // Decoded; empty where it is not given, or broken.
  std::string text(std::string_view name) const;
  std::optional<uint64_t> number(std::string_view name) const;

 private:
  std::string_view query_;
};

}  // namespace llmgw::admin
