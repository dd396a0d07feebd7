// What is wrong with a command line, said so that the next try is right: what was written, what was expected, the
// nearest name, and which --help has more. Main thread only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

// NOLINTNEXTLINE(readability-identifier-naming): CLI11's own name
namespace CLI {
class App;
class Option;
class ParseError;
}  // namespace CLI

namespace llmgw::app {

// A word where a subcommand must stand and that is none; "--help" behind it would show the wrong help. Empty: fine.
std::string unknown_subcommand(const CLI::App& app, int argc, const char* const* argv);

// `error` is what `app` threw; not a call for help.
std::string explain_usage(const CLI::App& app, const CLI::ParseError& error);

// What an option takes, in its help and in the message when it is given something else. Each returns `option`.
CLI::Option* expect_one_of(CLI::Option* option, const std::vector<std::string>& words);
// One of these, or anything else that whoever is asked knows: they are offered, and not checked.
CLI::Option* offer(CLI::Option* option, const std::vector<std::string>& words);
// What expect_one_of() and offer() were given; empty: anything.
std::vector<std::string> words_of(CLI::Option& option);
CLI::Option* expect_whole(CLI::Option* option, uint64_t least, uint64_t most = UINT64_MAX);
CLI::Option* expect_number(CLI::Option* option, double least, double most = 1e15);
// For an option that holds several: "100,50", "100 50", or the option repeated.
CLI::Option* expect_numbers(CLI::Option* option, double least);
CLI::Option* expect_above_zero(CLI::Option* option);

}  // namespace llmgw::app
