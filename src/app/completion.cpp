#include "app/completion.h"

namespace llmgw::app {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// Words that are no options name the command; what may follow is looked up by it. Without a match: files.
std::string bash_script(const std::vector<CommandDescription>& commands) {
  std::string out =
      "_llm_gateway() {\n"
      "  local word=\"${COMP_WORDS[COMP_CWORD]}\" command=\"\" candidates=\"\" i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    [[ \"${COMP_WORDS[i]}\" == -* ]] && break\n"
      "    command=\"${command:+$command }${COMP_WORDS[i]}\"\n"
      "  done\n"
      "  case \"$command\" in\n";
  for (const CommandDescription& command : commands) {
    out += "    '" + command.name + "') candidates=\"" + joined(command.subcommands);
    if (!command.subcommands.empty() && !command.options.empty()) out += " ";
    out += joined(command.options) + "\" ;;\n";
  }
  out +=
      "  esac\n"
      "  mapfile -t COMPREPLY < <(compgen -W \"$candidates\" -- \"$word\")\n"
      "}\n"
      "complete -o default -F _llm_gateway llm-gateway\n";
  return out;
}

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "\\'" : std::string(1, c);
  return out + "'";
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
    for (const std::string& option : command.options) {
      out += last.empty() ? "complete -c llm-gateway -n '__fish_use_subcommand"
                          : "complete -c llm-gateway -n '__fish_seen_subcommand_from ";
      out.append(last).append("' -l ").append(option.substr(2)).append("\n");
    }
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
