// The parameters of a URL's query. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace llmgw::admin {

// A parameter that a path takes.
struct Parameter {
  enum class Kind : uint8_t { text, number, flag };
  std::string_view name;
  Kind kind = Kind::text;
  uint64_t least = 0;  // of a number
  uint64_t most = UINT64_MAX;
};

// What is wrong with a query of a path that takes these, as a sentence: a parameter that is none of them, is there
// twice, or has a value that it cannot have. Nothing: it may be read.
std::optional<std::string> query_problem(std::string_view query, std::span<const Parameter> known);

class Query {
 public:
  explicit Query(std::string_view query) : query_(query) {}
  // Decoded; empty where it is not given, or broken.
  std::string text(std::string_view name) const;
  std::optional<uint64_t> number(std::string_view name) const;
  bool flag(std::string_view name) const { return text(name) == "true"; }

 private:
  std::string_view query_;
};

}  // namespace llmgw::admin
