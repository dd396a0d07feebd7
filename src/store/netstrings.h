// Fields as "<length>:<bytes>" (netstrings without their comma): how this folder writes what it keeps in files of its
// own. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace llmgw::store {

void put_field(std::string& out, std::string_view field);
void put_field(std::string& out, int64_t number);
void put_field(std::string& out, uint64_t number);

// Reads fields in the order they were put. After one that is none, and where a number is too large, it is broken; what
// is asked for then is empty, or 0.
class FieldReader {
 public:
  // What it returns points into `text`.
  explicit FieldReader(std::string_view text) : left_(text) {}
  std::string_view text();
  uint64_t number(uint64_t most = UINT64_MAX);
  bool broken() const { return broken_; }
  // All was read, and all of it was good.
  bool whole() const { return !broken_ && left_.empty(); }

 private:
  std::string_view left_;
  bool broken_ = false;
};

}  // namespace llmgw::store
