#include "app/usage/usage.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "base/did_you_mean.h"
#include "base/text.h"

namespace llmgw::app {
namespace {

// What other programs call the same.
constexpr std::pair<std::string_view, std::string_view> kOtherWords[] = {
    {"create", "add"},       {"new", "add"},           {"delete", "remove"},
    {"rm", "remove"},        {"del", "remove"},        {"ls", "list"},
    {"get", "show"},         {"describe", "show"},     {"set", "update"},
    {"edit", "update"},      {"change", "update"},     {"key", "vkey"},
    {"keys", "vkey"},        {"api-key", "vkey"},      {"organization", "org"},
    {"organisation", "org"}, {"assignment", "assign"}, {"provider", "connection"},
    {"run", "serve"},        {"restart", "upgrade"},   {"help", "--help"},
};

std::vector<const CLI::App*> subcommands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::string in_quotes(std::string_view text) {
  return "'" + std::string(text) + "'";
}

std::string path_of(const CLI::App& app) {
  const CLI::App* const parent = app.get_parent();
  return (parent == nullptr ? "" : path_of(*parent) + " ") + app.get_name();
}

std::string see_help(const CLI::App& app, std::string_view what) {
  return "`" + path_of(app) + " --help` " + std::string(what);
}

std::string suggestion(std::string_view word, const std::vector<std::string>& names) {
  for (const auto& [other, ours] : kOtherWords) {
    const bool is_known = ours.starts_with("-") || std::ranges::find(names, ours) != names.end();
    if (other == word && is_known) return "; did you mean " + in_quotes(ours) + "?";
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  return base::did_you_mean(word, views);
}

std::string no_such_subcommand(const CLI::App& app, std::string_view word) {
  std::vector<std::string> names;
  for (const CLI::App* each : subcommands_of(app)) names.push_back(each->get_name());
  std::string text =
      (app.get_parent() == nullptr ? "there is no command " : in_quotes(app.get_name()) + " has no command ") +
      in_quotes(word) + suggestion(word, names);
  if (app.get_parent() != nullptr) {
    text += " (there are ";
    for (const std::string& name : names) text.append(name == names.front() ? "" : ", ").append(name);
    text += ")";
  }
  return text + "\n" + see_help(app, app.get_parent() == nullptr ? "lists them" : "says what they do");
}

// From the program down to the subcommand that was given.
std::vector<const CLI::App*> given_commands(const CLI::App& app) {
  std::vector<const CLI::App*> chain = {&app};
  while (!chain.back()->get_subcommands().empty()) chain.push_back(chain.back()->get_subcommands().front());
  return chain;
}

std::string explain_extra(const std::vector<const CLI::App*>& chain) {
  const CLI::App* at = chain.back();
  for (const CLI::App* each : chain) {
    if (each->remaining_size() > 0) at = each;
  }
  const auto extras = at->remaining();
  const auto option = std::ranges::find_if(extras, [](const std::string& text) { return text.starts_with("-"); });
  if (option == extras.end()) {
    const std::string word = extras.empty() ? "" : extras.front();
    return in_quotes(at->get_name()) + " takes no argument " + in_quotes(word) + "\n" +
           see_help(*at, "lists what it takes");
  }
  const std::string name = option->substr(0, option->find('='));
  std::vector<std::string> names;
  for (const CLI::Option* each : at->get_options()) {
    for (const std::string& word : each->get_lnames()) names.push_back("--" + word);
  }
  std::string text = in_quotes(path_of(*at)) + " has no option " + in_quotes(name) + suggestion(name, names);
  if (!subcommands_of(*at).empty()) text += "; options stand behind the last word of a command";
  return text + "\n" + see_help(*at, "lists them");
}

std::string explain_missing(const CLI::App& at, const std::string& message) {
  const std::string name = message.substr(0, message.find(' '));
  for (const CLI::Option* option : at.get_options()) {
    if (option->get_name() != name) continue;
    const std::string value = option->get_type_name();
    const std::string form = option->get_positional() ? value : name + " " + value;
    return in_quotes(at.get_name()) + " needs " + form + ": " + option->get_description() + "\n" +
           see_help(at, "has an example or says more");
  }
  std::string names;
  for (const CLI::App* each : subcommands_of(at)) names += (names.empty() ? "" : ", ") + each->get_name();
  if (names.empty()) return message + "\n" + see_help(at, "says more");
  return (at.get_parent() == nullptr ? std::string("expected a command")
                                     : in_quotes(at.get_name()) + " expects a command") +
         ": " + names + "\n" + see_help(at, "says what they do");
}

// Between words in the name of the check that knows them, which CLI11 shows nobody.
constexpr std::string_view kBetweenWords = "|";

std::string join(const std::vector<std::string>& words, std::string_view between) {
  std::string all;
  for (const std::string& word : words) all.append(all.empty() ? "" : between).append(word);
  return all;
}

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.15g", value);
  return text;
}

std::string range_text(const std::string& what, const std::string& least, const std::optional<std::string>& most) {
  return "expected " + what + (most ? " from " + least + " to " + *most : " of at least " + least);
}

// `words`: what words_of() gives back.
void check_with(CLI::Option* option, std::function<std::string(std::string&)> check,
                const std::vector<std::string>& words = {}) {
  // Without a description: the help has the type's name.
  option->check(CLI::Validator(std::move(check), "", join(words, kBetweenWords)));
}

}  // namespace

std::string unknown_subcommand(const CLI::App& app, int argc, const char* const* argv) {
  const CLI::App* at = &app;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.starts_with("-") || subcommands_of(*at).empty()) return {};
    const auto commands = subcommands_of(*at);
    const auto next = std::ranges::find_if(commands, [&](const CLI::App* each) { return each->get_name() == word; });
    if (next == commands.end()) return no_such_subcommand(*at, word);
    at = *next;
  }
  return {};
}

std::string explain_usage(const CLI::App& app, const CLI::ParseError& error) {
  const auto chain = given_commands(app);
  const CLI::App& at = *chain.back();
  const std::string message = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) return explain_extra(chain);
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) return explain_missing(at, message);
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    const std::string name = message.substr(0, message.find(':'));
    for (const CLI::Option* option : at.get_options()) {
      if (option->get_name() != name) continue;
      const std::string value = option->get_type_name();
      return name + ": " + (value.empty() ? "takes no value" : "expected one " + value + " behind it") + "\n" +
             see_help(at, "says more");
    }
  }
  return message + "\n" + see_help(at, "says more");
}

CLI::Option* expect_one_of(CLI::Option* option, const std::vector<std::string>& words) {
  const std::string all = join(words, "|");
  constexpr size_t kTypeNameMax = 40;  // longer ones would tear the help's columns
  option->type_name(all.size() <= kTypeNameMax ? all : "NAME");
  const std::string listed = join(words, ", ");
  if (all.size() > kTypeNameMax) option->description(option->get_description() + ": " + listed);
  const auto check = [words, listed](std::string& text) -> std::string {
    if (std::ranges::find(words, text) != words.end()) return {};
    return in_quotes(text) + " is none of " + listed + suggestion(text, words);
  };
  check_with(option, check, words);
  return option;
}

CLI::Option* offer(CLI::Option* option, const std::vector<std::string>& words) {
  check_with(option, [](std::string&) { return std::string(); }, words);
  return option;
}

std::vector<std::string> words_of(CLI::Option& option) {
  std::string left;
  try {
    left = option.get_validator(0)->get_name();
  } catch (const CLI::OptionNotFound&) {
    return {};
  }
  std::vector<std::string> words;
  while (!left.empty()) {
    const size_t end = std::min(left.find(kBetweenWords), left.size());
    words.push_back(left.substr(0, end));
    left.erase(0, end + kBetweenWords.size());
  }
  return words;
}

CLI::Option* expect_whole(CLI::Option* option, uint64_t least, uint64_t most) {
  option->type_name("NUMBER");
  const auto top = most == UINT64_MAX ? std::nullopt : std::optional(std::to_string(most));
  check_with(option, [=](std::string& text) -> std::string {
    const auto value = base::parse_decimal(text);
    if (value && *value >= least && *value <= most) return {};
    return range_text("a whole number", std::to_string(least), top) + ", not " + in_quotes(text);
  });
  return option;
}

namespace {

CLI::Option* expect_double(CLI::Option* option, double least, double most, bool above) {
  option->type_name("NUMBER");
  check_with(option, [=](std::string& text) -> std::string {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
    if (whole && value <= most && (above ? value > least : value >= least)) return {};
    if (above) return "expected a number above " + number_text(least) + ", not " + in_quotes(text);
    const auto top = most >= 1e15 ? std::nullopt : std::optional(number_text(most));
    return range_text("a number", number_text(least), top) + ", not " + in_quotes(text);
  });
  return option;
}

}  // namespace

CLI::Option* expect_number(CLI::Option* option, double least, double most) {
  return expect_double(option, least, most, false);
}

CLI::Option* expect_numbers(CLI::Option* option, double least) {
  return expect_number(option, least)->delimiter(',');
}

CLI::Option* expect_above_zero(CLI::Option* option) {
  return expect_double(option, 0, std::numeric_limits<double>::max(), true);
}

}  // namespace llmgw::app
