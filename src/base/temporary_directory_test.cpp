#include "base/temporary_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace llmgw::base {
namespace {

TEST(TemporaryDirectory, IsPrivateAndGoesWithWhatIsInIt) {
  std::string path;
  {
    const TemporaryDirectory directory;
    const TemporaryDirectory other;
    path = directory.path();
    ASSERT_FALSE(path.empty());
    EXPECT_NE(path, other.path());
    struct stat status{};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700u);
    std::filesystem::create_directory(directory.file("inner"));
    std::ofstream(directory.file("inner/file")) << "text";
    EXPECT_TRUE(std::filesystem::exists(path + "/inner/file"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace llmgw::base
