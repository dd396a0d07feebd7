// Shell completion, written from the command line's own description. Main thread only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace llmgw::app {

struct OptionDescription {
  std::vector<std::string> names;  // "--format", "-f"; none: an argument without a name
  std::vector<std::string> words;  // what it may be given; none: anything
  bool takes_value = false;        // the word behind it is its own; not of an argument, nor of a flag
};

struct CommandDescription {
  std::string name;  // "config init"; empty: the program itself
  std::string help;
  std::vector<OptionDescription> options;
  std::vector<std::string> subcommands;  // their last words
};

// The script for "bash", "zsh" or "fish"; empty for another shell. Pure.
std::string completion_script(std::string_view shell, const std::vector<CommandDescription>& commands);

}  // namespace llmgw::app
