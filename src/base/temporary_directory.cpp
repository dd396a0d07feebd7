#include "base/temporary_directory.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace llmgw::base {

TemporaryDirectory::TemporaryDirectory() {
  std::error_code failed;
  std::string name = std::filesystem::temp_directory_path(failed) / "llm-gateway-XXXXXX";
  if (!failed && mkdtemp(name.data()) != nullptr) path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace llmgw::base
