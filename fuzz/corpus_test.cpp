// What the fuzzers have found, and what they began with: every input of every corpus once, in each build of the tests.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

// NOLINTBEGIN(cppcoreguidelines-macro-usage): targets.inc is a list for them
#define TARGET(name) extern "C" int run_##name(const uint8_t* data, size_t size);
#include "targets.inc"
#undef TARGET

namespace {

using RunOne = int (*)(const uint8_t* data, size_t size);

struct Target {
  std::string name;  // of the corpus, behind it "_fuzz"
  RunOne run;
};

void PrintTo(const Target& target, std::ostream* out) {
  *out << target.name;
}

#define TARGET(name) {#name, run_##name},
const Target kTargets[] = {
#include "targets.inc"
};
#undef TARGET
// NOLINTEND(cppcoreguidelines-macro-usage)

std::string corpus_of(const Target& target) {
  constexpr size_t kSuffix = sizeof("_fuzz") - 1;
  return "fuzz/corpus/" + target.name.substr(0, target.name.size() - kSuffix);
}

// A target ends the process where something is wrong: then it is told at which input.
std::string at_hand;

void tell(int signal) {
  (void)!write(STDERR_FILENO, at_hand.data(), at_hand.size());
  std::signal(signal, SIG_DFL);
  (void)std::raise(signal);
}

class Corpus : public testing::TestWithParam<Target> {
 protected:
  Corpus() {
    for (const int signal : {SIGABRT, SIGILL, SIGTRAP}) std::signal(signal, tell);
  }
};

TEST_P(Corpus, IsTaken) {
  size_t inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(corpus_of(GetParam()))) {
    at_hand = entry.path().string() + "\n";
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string input{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(GetParam().run(reinterpret_cast<const uint8_t*>(input.data()), input.size()), 0) << at_hand;
    ++inputs;
  }
  EXPECT_GT(inputs, 0U);
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Corpus, testing::ValuesIn(kTargets), [](const auto& each) { return each.param.name; });

}  // namespace
