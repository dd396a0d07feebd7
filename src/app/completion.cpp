#include "app/completion.h"

#include <algorithm>

namespace llmgw::app {
namespace {

// zsh runs bash's completion functions. Where its completion has been started already, starting it again would forget
// what other programs have said since.
constexpr std::string_view kZshStart =
    "(( ${+functions[compdef]} )) || { autoload -Uz compinit && compinit; }\n"
    "(( ${+functions[complete]} )) || { autoload -Uz bashcompinit && bashcompinit; }\n";

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

// The commands' names as the alternatives of a case's pattern.
std::string known_commands(const std::vector<CommandDescription>& commands) {
  std::string out;
  for (const CommandDescription& command : commands) {
    if (!command.name.empty()) out += (out.empty() ? "'" : "|'") + command.name + "'";
  }
  return out;
}

// A line of a case: what an option takes goes by its command and its name. Without words: files.
std::string words_of_option(const CommandDescription& command, const OptionDescription& option) {
  if (!option.takes_value) return {};
  std::string out = "    ";
  for (const std::string& name : option.names) {
    out += (&name == &option.names.front() ? "'" : "|'") + command.name + " " + name + "'";
  }
  return out + ") candidates=\"" + joined(option.words) + "\" ;;\n";
}

// The first words name the command, as far as they are one; what may follow is looked up by it, and by the option
// before. Without a match: files. bash takes an option's "=" for a word, zsh does not; zsh has no mapfile.
std::string bash_script(const std::vector<CommandDescription>& commands) {
  std::string out =
      "_llm_gateway() {\n"
      "  local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
      "  local command=\"\" next=\"\" candidates=\"\" prefix=\"\" i\n"
      "  if [[ \"$word\" == \"=\" ]]; then\n"
      "    word=\"\"\n"
      "  elif [[ \"$before\" == \"=\" ]]; then\n"
      "    before=\"${COMP_WORDS[COMP_CWORD-2]}\"\n"
      "  elif [[ \"$word\" == --*=* ]]; then\n"
      "    before=\"${word%%=*}\" prefix=\"${word%%=*}=\" word=\"${word#*=}\"\n"
      "  fi\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    next=\"${command:+$command }${COMP_WORDS[i]}\"\n"
      "    case \"$next\" in\n"
      "      " +
      known_commands(commands) +
      ") command=\"$next\" ;;\n"
      "      *) break ;;\n"
      "    esac\n"
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
      "  COMPREPLY=($(compgen -P \"$prefix\" -W \"$candidates\" -- \"$word\"))\n"
      "}\n"
      "complete -o default -F _llm_gateway llm-gateway\n";
  return out;
}

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "\\'" : std::string(1, c);
  return out + "'";
}

// fish's own __fish_seen_subcommand_from finds a word anywhere: a value "model" would pass for the command. These name
// the command as bash's function does, by the first words.
std::string fish_functions(const std::vector<CommandDescription>& commands) {
  std::string out =
      "function __llm_gateway_command\n"
      "    set -l command ''\n"
      "    for word in (commandline -opc)[2..]\n"
      "        set -l next (string trim -- \"$command $word\")\n"
      "        switch $next\n"
      "            case";
  for (const CommandDescription& command : commands) {
    if (!command.name.empty()) out += " " + quoted(command.name);
  }
  out +=
      "\n"
      "                set command $next\n"
      "            case '*'\n"
      "                break\n"
      "        end\n"
      "    end\n"
      "    echo $command\n"
      "end\n"
      "function __llm_gateway_is\n"
      "    set -l command (__llm_gateway_command)\n"
      "    test \"$command\" = \"$argv\"\n"
      "end\n";
  return out;
}

std::string fish_line(const CommandDescription& command) {
  return "complete -c llm-gateway -n '__llm_gateway_is " + command.name + "'";
}

std::string fish_option(const CommandDescription& command, const OptionDescription& option) {
  if (option.names.empty() && option.words.empty()) return {};
  std::string out = fish_line(command);
  for (const std::string& name : option.names) {
    out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (!option.words.empty()) {
    out.append(option.names.empty() ? " -f" : " -x").append(" -a ").append(quoted(joined(option.words)));
  } else if (option.takes_value) {
    out += " -r";
  }
  return out + "\n";
}

// A command's last word, offered behind the others.
std::string fish_subcommand(const CommandDescription& parent, const CommandDescription& command) {
  const std::string last = command.name.substr(parent.name.empty() ? 0 : parent.name.size() + 1);
  return fish_line(parent) + " -f -a " + last + " -d " + quoted(command.help) + "\n";
}

std::string fish_script(const std::vector<CommandDescription>& commands) {
  std::string out = fish_functions(commands);
  for (const CommandDescription& parent : commands) {
    const std::string before = parent.name.empty() ? "" : parent.name + " ";
    for (const std::string& last : parent.subcommands) {
      const auto command = std::ranges::find(commands, before + last, &CommandDescription::name);
      if (command != commands.end()) out += fish_subcommand(parent, *command);
    }
    for (const OptionDescription& option : parent.options) out += fish_option(parent, option);
  }
  return out;
}

}  // namespace

std::string completion_script(std::string_view shell, const std::vector<CommandDescription>& commands) {
  if (shell == "bash") return bash_script(commands);
  if (shell == "zsh") return std::string(kZshStart) + bash_script(commands);
  if (shell == "fish") return fish_script(commands);
  return {};
}

}  // namespace llmgw::app
