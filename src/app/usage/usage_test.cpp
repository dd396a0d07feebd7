#include "app/usage/usage.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace llmgw::app {
namespace {

struct Program {
  CLI::App app{"A program", "prog"};
  std::string format;
  std::string name;
  std::string which;
  double seconds = 0;
  std::vector<double> rates;
  uint64_t count = 0;

  Program() {
    app.require_subcommand(1);
    CLI::App* const key = app.add_subcommand("vkey", "Keys");
    key->require_subcommand(1);
    CLI::App* const add = key->add_subcommand("add", "Make one");
    add->add_option("--name", name, "Its name")->required()->type_name("NAME");
    CLI::App* const show = key->add_subcommand("show", "Show one");
    show->add_option("id,--vkey-id", which, "Its id or its name")->required()->type_name("ID|NAME");
    CLI::App* const report = app.add_subcommand("report", "Sums");
    expect_one_of(report->add_option("--format", format, "As what"), {"table", "csv", "json"});
    expect_number(report->add_option("--timeout", seconds, "How long"), 0, 60);
    expect_whole(report->add_option("--limit", count, "How many"), 1, 999);
    expect_whole(report->add_option("--seed", count, "Of what is random"), 0);
    expect_above_zero(report->add_option("--speed", seconds, "How fast"));
    expect_numbers(report->add_option("--rates", rates, "How fast, in turn"), 0);
  }

  std::string explain(std::vector<const char*> words) {
    words.insert(words.begin(), "prog");
    const int count_of = static_cast<int>(words.size());
    if (std::string unknown = unknown_subcommand(app, count_of, words.data()); !unknown.empty()) return unknown;
    try {
      app.parse(count_of, words.data());
    } catch (const CLI::ParseError& error) {
      return error.get_exit_code() == 0 ? "help" : explain_usage(app, error);
    }
    return "fine";
  }
};

std::string explain(const std::vector<const char*>& words) {
  return Program().explain(words);
}

TEST(Usage, NamesTheNearestCommandBeforeItShowsAHelp) {
  EXPECT_EQ(explain({"vky", "add", "--help"}),
            "there is no command 'vky'; did you mean 'vkey'?\n`prog --help` lists them");
  EXPECT_EQ(explain({"vkey", "delete", "x"}),
            "'vkey' has no command 'delete' (there are add, show)\n`prog vkey --help` says what they do");
  EXPECT_EQ(explain({"vkey", "create"}),
            "'vkey' has no command 'create'; did you mean 'add'? (there are add, show)\n"
            "`prog vkey --help` says what they do");
  EXPECT_EQ(explain({"keys", "add"}), "there is no command 'keys'; did you mean 'vkey'?\n`prog --help` lists them");
  EXPECT_EQ(explain({"help"}), "there is no command 'help'; did you mean '--help'?\n`prog --help` lists them");
  EXPECT_EQ(explain({"vkey", "add", "--help"}), "help");
}

TEST(Usage, SaysWhatIsMissing) {
  EXPECT_EQ(explain({}), "expected a command: vkey, report\n`prog --help` says what they do");
  EXPECT_EQ(explain({"vkey"}), "'vkey' expects a command: add, show\n`prog vkey --help` says what they do");
  EXPECT_EQ(explain({"vkey", "add"}),
            "'add' needs --name NAME: Its name\n`prog vkey add --help` has an example or says more");
  EXPECT_EQ(explain({"vkey", "show"}),
            "'show' needs ID|NAME: Its id or its name\n`prog vkey show --help` has an example or says more");
  EXPECT_EQ(explain({"vkey", "add", "--name"}),
            "--name: expected one NAME behind it\n`prog vkey add --help` says more");
}

TEST(Usage, TakesSeveralNumbersInEveryForm) {
  const std::vector<std::vector<const char*>> forms = {{"report", "--rates", "8000,2.5"},
                                                       {"report", "--rates=8000,2.5"},
                                                       {"report", "--rates", "8000", "2.5"},
                                                       {"report", "--rates", "8000", "--rates", "2.5"}};
  for (const auto& form : forms) {
    Program program;
    EXPECT_EQ(program.explain(form), "fine") << form[1];
    EXPECT_EQ(program.rates, (std::vector<double>{8000, 2.5})) << form[1];
  }
  EXPECT_EQ(explain({"report", "--rates", "100,x"}),
            "--rates: expected a number of at least 0, not 'x'\n`prog report --help` says more");
  EXPECT_NE(explain({"report", "--rates", ","}), "fine");
}

TEST(Usage, NamesTheNearestOption) {
  EXPECT_EQ(explain({"vkey", "add", "--nmae", "x", "--name", "y"}),
            "'prog vkey add' has no option '--nmae'; did you mean '--name'?\n`prog vkey add --help` lists them");
  EXPECT_EQ(explain({"vkey", "add", "--colour=red", "--name", "y"}),
            "'prog vkey add' has no option '--colour'\n`prog vkey add --help` lists them");
  EXPECT_EQ(explain({"vkey", "show", "a", "b"}),
            "'show' takes no argument 'b'\n`prog vkey show --help` lists what it takes");
  EXPECT_EQ(explain({"--config", "x", "report"}),
            "'prog' has no option '--config'; options stand behind the last word of a command\n"
            "`prog --help` lists them");
}

TEST(Usage, SaysWhatAnOptionTakes) {
  const std::string more = "\n`prog report --help` says more";
  EXPECT_EQ(explain({"report", "--format", "xml"}), "--format: 'xml' is none of table, csv, json" + more);
  EXPECT_EQ(explain({"report", "--format", "jsn"}),
            "--format: 'jsn' is none of table, csv, json; did you mean 'json'?" + more);
  EXPECT_EQ(explain({"report", "--timeout", "x"}), "--timeout: expected a number from 0 to 60, not 'x'" + more);
  EXPECT_EQ(explain({"report", "--timeout", "nan"}), "--timeout: expected a number from 0 to 60, not 'nan'" + more);
  EXPECT_EQ(explain({"report", "--limit", "0"}), "--limit: expected a whole number from 1 to 999, not '0'" + more);
  EXPECT_EQ(explain({"report", "--limit", "1.5"}), "--limit: expected a whole number from 1 to 999, not '1.5'" + more);
  EXPECT_EQ(explain({"report", "--seed", "-1"}), "--seed: expected a whole number of at least 0, not '-1'" + more);
  EXPECT_EQ(explain({"report", "--speed", "0"}), "--speed: expected a number above 0, not '0'" + more);
  EXPECT_EQ(explain({"report", "--format", "csv", "--limit", "3", "--timeout", "0.5"}), "fine");
}

TEST(Usage, OptionsKnowTheWordsTheyTake) {
  Program program;
  CLI::App& report = *program.app.get_subcommand("report");
  EXPECT_EQ(words_of(*report.get_option("--format")), (std::vector<std::string>{"table", "csv", "json"}));
  EXPECT_TRUE(words_of(*report.get_option("--limit")).empty());
  CLI::App other;
  std::string role;
  CLI::Option* const offered = offer(other.add_option("--role", role), {"owner", "viewer"});
  EXPECT_EQ(words_of(*offered), (std::vector<std::string>{"owner", "viewer"}));
  other.parse("--role someone-else");
  EXPECT_EQ(role, "someone-else") << "offered, not asked for";
}

TEST(Usage, TheHelpHasTheChoices) {
  Program program;
  const std::string help = program.app.get_subcommand("report")->help();
  EXPECT_NE(help.find("--format table|csv|json"), std::string::npos) << help;
  EXPECT_NE(help.find("--limit NUMBER "), std::string::npos) << help;
}

}  // namespace
}  // namespace llmgw::app
