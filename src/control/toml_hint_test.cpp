#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/toml_tree.h"

namespace llmgw::control {
namespace {

struct Case {
  std::string_view text;
  uint32_t line;
  std::string_view hint;  // the message's end
};

constexpr std::string_view kQuotes =
    "; text, and a time or size with its unit, stands in quotes, as in \"info\", \"30s\" or \"64KiB\"";
constexpr std::string_view kComment = "; a comment begins with #";
constexpr std::string_view kSectionName =
    "; a section's name stands in brackets, as in [server], and its settings below as key = value";
constexpr std::string_view kBoolean = "; write true or false";
constexpr std::string_view kDoubleBrackets = "; write two brackets on both sides, as in [[models]]";
constexpr std::string_view kClosingQuote = "; the closing quote is missing";

const Case kCases[] = {
    {"[server]\nlisten = 127.0.0.1:8080\n", 2, kQuotes},
    {"[server]\nlisten = localhost:8080\n", 2, kQuotes},
    {"[log]\nlevel = info\n", 2, kQuotes},
    {"[log]\noutput = ./x\n", 2, kQuotes},
    {"[server]\nidle_timeout = 30s\n", 2, kQuotes},
    {"[server]\nmax_body_bytes = 64KiB\n", 2, kQuotes},
    {"[server]\nmax_body_bytes = 64 KiB\n", 2,
     "; a time or size with its unit stands in quotes, as in \"30s\" or \"64KiB\""},
    {"[[keys]]\nkey = env:KEY\n", 2, kQuotes},
    {"[[keys]]\nmodels = [gpt-4o]\n", 2, kQuotes},
    {"[[keys]]\nmodels = [\n  \"a\",\n  gpt-4o,\n]\n", 4, kQuotes},
    {"[log]\naccess = True\n", 2, kBoolean},
    {"[log]\naccess = yes\n", 2, kBoolean},
    {"[log]\naccess = FALSE # off\r\n", 2, kBoolean},
    {"[log]\noutput = None\n", 2, "; there is no such value: remove the line"},
    {"[log]\noutput = null\n", 2, "; there is no such value: remove the line"},
    {"[log]\noutput = \u201cstdout\u201d\n", 2, "; write straight quotes: \""},
    {"[[prices]]\ninput = .5\n", 2, "; a number has digits on both sides of its point"},
    {"[[prices]]\ninput = 5.\n", 2, "; a number has digits on both sides of its point"},
    {"[server]\nworkers = 01\n", 2, "leading zeroes are prohibited"},
    {"[server]\nlisten: \"a:1\"\n", 2, "; write = instead of :"},
    {"server:\n  listen: a\n", 1, kSectionName},
    {"server:\n\tlisten: a\n", 1, kSectionName},
    {"- name: a\n", 1, "; what there are several of begins with [[models]] each, and has key = value below"},
    {"[server]\nworkers := 1\n", 2, "; write = instead of :"},
    {"[server]\nworkers == 1\n", 2, "; write one = between key and value"},
    {"[server]\nworkers => 1\n", 2, "; write one = between key and value"},
    {"[]\nworkers = 1\n", 1, "; a section has a name, as in [server]"},
    {"[[keys]]\nmodels = (\"a\")\n", 2, "; a list stands in brackets, as in [\"a\", \"b\"]"},
    {"[server]\nmax_body_bytes = 10,000\n", 2, "; a number has no commas: write 10000 or 10_000"},
    {"[server]\nlisten = \"a:1\";\n", 2, "; nothing ends a line: remove the ;"},
    {"[server]\nlisten = \"a:1\" // here\n", 2, kComment},
    {"[server]\nlisten = \"a:1\" ; here\n", 2, kComment},
    {"; comment\n", 1, kComment},
    {"/* comment */\n", 1, kComment},
    {"-- comment\n", 1, kComment},
    {"<<<<<<< HEAD\n[server]\n", 1,
     "; that is what an unfinished merge leaves: choose what holds and remove the marks"},
    {"[server]\nworkers\u00a0= 1\n", 2,
     "; that is no ordinary space (a no-break space, copied from a page?): write one"},
    {"[[connections]]\nheaders = { \"a\" = \"b\", }\n", 2, "; remove the comma before the }"},
    {"[server]\nlisten = 127.0.0.1\n", 2, kQuotes},
    {"export A=1\n", 1, "; write key = value (a key with spaces or other characters is quoted)"},
    {"[server]\nlisten \"a:1\"\n", 2, "; write key = value (a key with spaces or other characters is quoted)"},
    {"[server]\nlisten =\n", 2, "; write a value after the =, or remove the line"},
    {"[server\nworkers = 1\n", 1, "; close the section's name with ], as in [server]"},
    {"[[models]\nname = \"a\"\n", 1, kDoubleBrackets},
    {"[models]]\nname = \"a\"\n", 1, kDoubleBrackets},
    {"[server]\nworkers = 1\nworkers = 2\n", 3,
     "; a key stands once in its section: remove this one or the other (line 2)"},
    {"[server]\nworkers = 1\n[server]\nhttp2 = true\n", 3,
     "; a section stands once: put its settings where it stands already (line 1)"},
    {"[models]\nname = \"a\"\n[[models]]\nname = \"b\"\n", 3,
     "; what there are several of has two brackets everywhere, as in [[models]]"},
    {"[server]\nlisten = \"a:1\nworkers = 1\n", 2, kClosingQuote},
    {"[server]\r\nlisten = \"a:1\r\nworkers = 1\r\n", 2, kClosingQuote},
    {"[server]\nlisten = 'a:1\nworkers = 1\n", 2, kClosingQuote},
    {"[server]\nlisten = \"\u00fc\u00e4\nworkers = 1\n", 2, kClosingQuote},
    {"[log]\noutput = \"a\x01z\"\n", 2, "; write such a character as an escape in double quotes, as in \"\\u0001\""},
    {"[log]\noutput = \"C:\\var\"\n", 2,
     "; in double quotes write \\\\ for a backslash, or put the text in single quotes"},
    {"[server]\nlisten = [\"a:1\", \"b:1\"\nworkers = 1\n", 3,
     "; separate the items of a list by commas and close it with ] (line 2)"},
    {"[server]\nworkers = 1\nlisten = [\n  \"a:1\",\n[log]\n", 5,
     "; the list above is not closed: write ] behind its last item (line 3)"},
    {"[[keys]]\nmodels = [\"a\" \"b\"]\n", 2, "; separate the items of a list by commas and close it with ]"},
    {"[server]\nlisten = \"a:1\", \"b:1\"\n", 2, "; put several values in brackets, as in [\"a\", \"b\"]"},
    {"[server]\nworkers = 1 http2 = true\n", 2, "; write one setting on a line"},
    {"[[connections]]\nheaders = { \"a\" = \"b\"\n", 2, "; close the table with } on the same line"},
    {"// comment\n", 1, kComment},
    {"{\"server\": {}}\n", 1, "; a line is [section], key = value or # comment"},
    {"[log]\noutput = \"a\xff\xfe\"\n", 2, "; save the file as UTF-8"},
};

TEST(TomlHint, SaysWhatToWrite) {
  for (const Case& each : kCases) {
    const auto tree = parse_toml(each.text);
    ASSERT_FALSE(tree) << each.text;
    EXPECT_EQ(tree.error().at.line, each.line) << each.text;
    EXPECT_THAT(tree.error().message, testing::EndsWith(std::string(each.hint))) << each.text;
  }
}

TEST(TomlHint, RepeatsNoValue) {
  for (const char* text : {"[[keys]]\nkey = sk-abcdefgh\n", "[[keys]]\nkey = \"sk-abcdefgh\nname = \"a\"\n",
                           "[[keys]]\nkey: sk-abcdefgh\n", "[[keys]]\nkey = 1sk-abcdefgh\n"}) {
    const auto tree = parse_toml(text);
    ASSERT_FALSE(tree) << text;
    EXPECT_THAT(tree.error().message, testing::Not(testing::HasSubstr("abc")));
  }
}

}  // namespace
}  // namespace llmgw::control
