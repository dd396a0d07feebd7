#include "app/completion.h"

#include <algorithm>

namespace llmgw::app {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// What may stand behind a command: its subcommands, its options' long names, and the words of an argument.
std::string next_words(const CommandDescription& command) {
  std::vector<std::string> words = command.subcommands;
  for (const OptionDescription& option : command.options) {
    if (option.names.empty()) words.insert(words.end(), option.words.begin(), option.words.end());
    for (const std::string& name : option.names) {
      if (name.starts_with("--")) words.push_back(name);
    }
  }
  return joined(words);
}

// A line of a case: what an option takes goes by its command and its name.
std::string words_of_option(const CommandDescription& command, const OptionDescription& option) {
  if (option.words.empty() || option.names.empty()) return {};
  std::string out = "    ";
  for (const std::string& name : option.names) {
    out += (&name == &option.names.front() ? "'" : "|'") + command.name + " " + name + "'";
  }
  return out + ") candidates=\"" + joined(option.words) + "\" ;;\n";
}

// Words that are no options name the command; what may follow is looked up by it, and by the option before. Without a
// match: files. bash takes an option's "=" for a word; zsh has no mapfile.
std::string bash_script(const std::vector<CommandDescription>& commands) {
  std::string out =
      "_llm_gateway() {\n"
      "  local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
      "  local command=\"\" candidates=\"\" i\n"
      "  if [[ \"$word\" == \"=\" ]]; then\n"
      "    word=\"\"\n"
      "  elif [[ \"$before\" == \"=\" ]]; then\n"
      "    before=\"${COMP_WORDS[COMP_CWORD-2]}\"\n"
      "  fi\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    [[ \"${COMP_WORDS[i]}\" == -* ]] && break\n"
      "    command=\"${command:+$command }${COMP_WORDS[i]}\"\n"
      "  done\n"
      "  case \"$command\" in\n";
  for (const CommandDescription& command : commands) {
    out += "    '" + command.name + "') candidates=\"" + next_words(command) + "\" ;;\n";
  }
  out +=
      "  esac\n"
      "  case \"$command $before\" in\n";
  for (const CommandDescription& command : commands) {
    for (const OptionDescription& option : command.options) out += words_of_option(command, option);
  }
  out +=
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$candidates\" -- \"$word\"))\n"
      "}\n"
      "complete -o default -F _llm_gateway llm-gateway\n";
  return out;
}

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "\\'" : std::string(1, c);
  return out + "'";
}

// All words of the command's name stand before: others have options of the same name that take something else.
std::string fish_condition(const CommandDescription& command) {
  if (command.name.empty()) return "__fish_use_subcommand";
  std::string out;
  for (size_t at = 0; at < command.name.size();) {
    const size_t end = std::min(command.name.find(' ', at), command.name.size());
    out.append(out.empty() ? "" : "; and ").append("__fish_seen_subcommand_from ");
    out.append(command.name, at, end - at);
    at = end + 1;
  }
  return out;
}

std::string fish_option(const CommandDescription& command, const OptionDescription& option) {
  std::string out = "complete -c llm-gateway -n '" + fish_condition(command) + "'";
  for (const std::string& name : option.names) {
    out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (option.names.empty() && option.words.empty()) return {};
  if (!option.words.empty()) {
    out.append(option.names.empty() ? " -f" : " -x").append(" -a ").append(quoted(joined(option.words)));
  }
  return out + "\n";
}

std::string fish_script(const std::vector<CommandDescription>& commands) {
  std::string out;
  for (const CommandDescription& command : commands) {
    const size_t space = command.name.rfind(' ');
    const std::string parent = space == std::string::npos ? "" : command.name.substr(0, space);
    const std::string last = command.name.substr(space == std::string::npos ? 0 : space + 1);
    if (!last.empty()) {
      const std::string condition = parent.empty() ? "__fish_use_subcommand" : "__fish_seen_subcommand_from " + parent;
      out.append("complete -c llm-gateway -f -n '").append(condition).append("' -a ").append(last);
      out.append(" -d ").append(quoted(command.help)).append("\n");
    }
    for (const OptionDescription& option : command.options) out += fish_option(command, option);
  }
  return out;
}

}  // namespace

std::string completion_script(std::string_view shell, const std::vector<CommandDescription>& commands) {
  if (shell == "bash") return bash_script(commands);
  // zsh runs bash's completion functions.
  if (shell == "zsh") return "autoload -Uz compinit bashcompinit && compinit && bashcompinit\n" + bash_script(commands);
  if (shell == "fish") return fish_script(commands);
  return {};
}

}  // namespace llmgw::app
