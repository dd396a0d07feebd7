// A new directory of the process's own (mode 0700), removed with all that is in it. One thread.
#pragma once

#include <string>

namespace llmgw::base {

class TemporaryDirectory {
 public:
  // In the system's directory for such. path() is empty if none can be made.
  TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace llmgw::base
