#include "control/reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "base/temporary_directory.h"
#include "control/file_watcher.h"
#include "control/test_support.h"

namespace llmgw::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using namespace std::chrono_literals;

Config config_of(std::string_view text) {
  auto config = TestWorld{}.load(text);
  EXPECT_TRUE(config);
  return config ? std::move(*config) : Config{};
}

std::string with(std::string_view more) {
  return std::string(kSmallConfig) + std::string(more);
}

std::string replaced(std::string_view from, std::string_view to) {
  std::string text(kSmallConfig);
  text.replace(text.find(from), from.size(), to);
  return text;
}

TEST(Diff, SaysWhatChanged) {
  struct Case {
    std::string after;
    const char* summary;
  };
  const Case cases[] = {
      {std::string(kSmallConfig), "nothing changed"},
      {"# a comment\n" + std::string(kSmallConfig), "nothing changed"},
      {with("[[models]]\nname = \"a\"\nconnection = \"openai-main\"\n"), "1 model added"},
      {with("[[keys]]\nname = \"a\"\nkey = \"abcdefgh\"\n[[keys]]\nname = \"b\"\nkey = \"bbcdefgh\"\n"),
       "2 keys added"},
      {replaced("name = \"gpt-4o\"", "name = \"gpt-5\""), "1 model added, 1 model removed"},
      {replaced("name = \"gpt-4o\"", "name = \"gpt-4o\"\nremote = \"r\""), "1 model changed"},
      {replaced("sk-upstream-secret", "sk-another-secret"), "1 connection changed"},
      {replaced("client-key-1", "client-key-2"), "1 key changed"},
      {with("[connections]\n").replace(with("").size(), std::string::npos, "[log]\nlevel = \"warn\"\n"),
       "log.level changed"},
      {replaced("provider = \"openai\"", "provider = \"openai\"\ntls.verify = false"), "1 connection changed"},
  };
  const Config before = config_of(kSmallConfig);
  for (const auto& each : cases) {
    const auto diff = diff_configs(before, config_of(each.after));
    EXPECT_EQ(diff.summary, each.summary);
    EXPECT_EQ(diff.empty, std::string_view(each.summary) == "nothing changed");
    EXPECT_THAT(restart_required(before, config_of(each.after)), IsEmpty());
  }
}

TEST(Diff, NamesWhatNeedsARestart) {
  const TestWorld world{.variables = {}, .files = {{"/pem", "a certificate or a key"}}};
  const Config before = config_of(kSmallConfig);
  const auto after = world.load(replaced("\"127.0.0.1:0\"", "\"127.0.0.1:9\"\nworkers = 2\nidle_timeout = \"5s\"") +
                                "[log]\noutput = \"stderr\"\n[server.tls]\ncertificate = \"/pem\"\nkey = \"/pem\"\n");
  ASSERT_TRUE(after) << format_errors(after.error(), "f");
  EXPECT_THAT(diff_configs(before, *after).summary,
              StartsWith("server.listen changed, server.workers changed, server.idle_timeout changed"));
  EXPECT_THAT(restart_required(before, *after),
              ElementsAre("server.listen", "server.workers", "log.output", "server.tls"));
}

TEST(Diff, SeesAnotherOrder) {
  const std::string_view one = "[[models]]\nname = \"a\"\nconnection = \"openai-main\"\n";
  const std::string_view two = "[[models]]\nname = \"b\"\nconnection = \"openai-main\"\n";
  const auto diff = diff_configs(config_of(with(std::string(one) + std::string(two))),
                                 config_of(with(std::string(two) + std::string(one))));
  EXPECT_EQ(diff.summary, "models reordered");
}

TEST(PlanReload, AllOrNothing) {
  const Config running = config_of(kSmallConfig);
  const TestWorld world;
  const auto good = plan_reload(running, with("[[keys]]\nname = \"a\"\nkey = \"abcdefgh\"\n"), world.environment(),
                                {.version = 2, .hash_key = {1, 2}, .created_default = 0});
  ASSERT_TRUE(good);
  EXPECT_EQ(good->snapshot->version, 2u);
  EXPECT_NE(good->snapshot->authenticate("abcdefgh"), nullptr);
  EXPECT_EQ(good->diff.summary, "1 key added");
  const auto bad = plan_reload(running, with("[[keys]]\nname = \"a\"\n"), world.environment(), {});
  ASSERT_FALSE(bad);
  EXPECT_THAT(format_errors(bad.error(), "f"), HasSubstr("keys: needs key, for example key = "));
}

class Files : public testing::Test {
 protected:
  std::string path(std::string_view name) const { return directory_ + "/" + std::string(name); }
  void write(std::string_view name, std::string_view text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }
  // What the watcher says after the debounce, starting from now_.
  bool noticed(FileWatcher& watcher) {
    now_ += 1s;
    watcher.on_readable(now_);
    if (watcher.deadline() == base::kNever) return false;
    EXPECT_FALSE(watcher.changed(now_));
    now_ = watcher.deadline();
    return watcher.changed(now_);
  }

  base::TemporaryDirectory temporary_;
  const std::string directory_ = temporary_.path();
  base::Instant now_{};
};

TEST_F(Files, ReloaderKeepsTheOldOnABadFile) {
  write("config.toml", kSmallConfig);
  Reloader reloader(path("config.toml"), 1234);
  ASSERT_TRUE(reloader.load());
  const auto first = reloader.snapshot();
  EXPECT_EQ(first->models[0].created, 1234);
  write("config.toml", "[server]\nbogus = 1\n");
  const auto refused = reloader.reload();
  ASSERT_FALSE(refused);
  EXPECT_EQ(reloader.snapshot(), first);
  write("config.toml", with("[[keys]]\nname = \"a\"\nkey = \"file:secret\"\n"));
  write("secret", "from-a-file\n");
  const auto diff = reloader.reload();
  ASSERT_TRUE(diff) << format_errors(diff.error(), "f");
  EXPECT_EQ(diff->summary, "1 key added");
  EXPECT_EQ(reloader.snapshot()->version, 2u);
  EXPECT_NE(reloader.snapshot()->authenticate("from-a-file"), nullptr);
  EXPECT_THAT(reloader.watched_files(), ElementsAre(path("config.toml"), path("secret")));
  std::filesystem::remove(path("config.toml"));
  const auto gone = reloader.reload();
  ASSERT_FALSE(gone);
  EXPECT_THAT(
      format_errors(gone.error(), "f"),
      HasSubstr("the file cannot be read: No such file or directory; `llm-gateway config init` writes a first one"));
}

// What a broken pipeline leaves behind.
TEST_F(Files, ReloaderDoesNotTakeEverythingAwayUnasked) {
  const std::string store = "[store]\nurl = \"sqlite\"\n";
  const auto without = [&](std::string_view from, std::string_view to) {
    std::string text = store + std::string(kSmallConfig);
    return text.erase(text.find(from), text.find(to) - text.find(from));
  };
  struct Case {
    std::string text;
    const char* why;
  };
  const Case cases[] = {
      {"", "the file is empty, and what is in force was not"},
      {"# a comment\n\n", "the file is empty, and what is in force was not"},
      {store, "this would take away the last connection, the last model, the last key, and no call could be served"},
      {without("[[models]]", "[[keys]]"), "the last model"},
      {store + "[server]\n" +
           std::string(kSmallConfig.substr(kSmallConfig.find("[[connections]]"),
                                           kSmallConfig.find("[[keys]]") - kSmallConfig.find("[[connections]]"))),
       "the last key"},
  };
  for (const Case& each : cases) {
    write("config.toml", store + std::string(kSmallConfig));
    Reloader reloader(path("config.toml"), 0);
    ASSERT_TRUE(reloader.load());
    const auto first = reloader.snapshot();
    write("config.toml", each.text);
    const auto refused = reloader.reload();
    ASSERT_FALSE(refused) << each.text;
    EXPECT_THAT(format_errors(refused.error(), "f"), HasSubstr(each.why));
    EXPECT_THAT(format_errors(refused.error(), "f"), HasSubstr("if that is meant: `llm-gateway reload --force`"));
    EXPECT_EQ(reloader.snapshot(), first);
    EXPECT_EQ(reloader.file()->models.size(), 1u);
    const auto forced = reloader.reload(Reloader::Emptying::allowed);
    ASSERT_TRUE(forced) << format_errors(forced.error(), "f");
    EXPECT_NE(forced->shrunk, "");
    // What is not there cannot be taken away.
    EXPECT_TRUE(reloader.reload());
  }
}

TEST(Diff, SaysWhatLostMoreThanHalf) {
  const std::string models =
      "[[models]]\nname = \"b\"\nconnection = \"openai-main\"\n[[models]]\nname = \"c\"\nconnection = "
      "\"openai-main\"\n";
  EXPECT_EQ(diff_configs(config_of(with(models)), config_of(kSmallConfig)).shrunk, "2 of 3 models");
  EXPECT_EQ(diff_configs(config_of(kSmallConfig), config_of(with(models))).shrunk, "");
  EXPECT_EQ(diff_configs(config_of(kSmallConfig), Config{}).shrunk, "1 of 1 connection, 1 of 1 model, 1 of 1 key");
  const Config half = config_of(with("[[models]]\nname = \"b\"\nconnection = \"openai-main\"\n"));
  EXPECT_EQ(diff_configs(half, config_of(kSmallConfig)).shrunk, "");
}

// What was read last is not what the process runs with.
TEST_F(Files, ReloaderComparesWithTheStart) {
  write("config.toml", kSmallConfig);
  Reloader reloader(path("config.toml"), 0);
  ASSERT_TRUE(reloader.load());
  write("config.toml", replaced("\"127.0.0.1:0\"", "\"127.0.0.1:9\""));
  for (const char* summary : {"server.listen changed", "nothing changed"}) {
    const auto diff = reloader.reload();
    ASSERT_TRUE(diff);
    EXPECT_EQ(diff->summary, summary);
    EXPECT_THAT(reloader.restart_required(), ElementsAre("server.listen"));
  }
  write("config.toml", kSmallConfig);
  ASSERT_TRUE(reloader.reload());
  EXPECT_THAT(reloader.restart_required(), IsEmpty());
}

TEST_F(Files, ReloaderNamesRenewedCertificates) {
  const std::string more = "[server.tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";
  write("cert.pem", "a certificate");
  write("key.pem", "a key");
  write("config.toml", with(more));
  Reloader reloader(path("config.toml"), 0);
  const auto summary = [&] {
    const auto diff = reloader.reload();
    return diff ? diff->summary + (diff->empty ? " (empty)" : "") : format_errors(diff.error(), "f");
  };
  ASSERT_TRUE(reloader.load());
  EXPECT_EQ(summary(), "nothing changed (empty)");
  write("cert.pem", "its successor");
  EXPECT_EQ(summary(), path("cert.pem") + " changed");
  EXPECT_EQ(summary(), "nothing changed (empty)");
  write("cert.pem", "a third");
  write("key.pem", "its key");
  write("config.toml", with(more + "[log]\nlevel = \"warn\"\n"));
  EXPECT_EQ(summary(), "log.level changed, " + path("cert.pem") + " changed, " + path("key.pem") + " changed");
}

// Or connections that were made with the old ones would go on being used.
TEST_F(Files, ConnectionsAreOthersOnceTheirFilesAre) {
  write("ca.pem", "an authority");
  write("config.toml", replaced("provider = \"openai\"", "provider = \"openai\"\ntls.ca_file = \"ca.pem\""));
  Reloader reloader(path("config.toml"), 0);
  ASSERT_TRUE(reloader.load());
  const auto version = [&] { return reloader.snapshot()->connections.front().tls.files_version; };
  const uint64_t first = version();
  EXPECT_NE(first, 0u);
  ASSERT_TRUE(reloader.reload());
  EXPECT_EQ(version(), first);
  write("ca.pem", "another");
  ASSERT_TRUE(reloader.apply_engines({}));
  EXPECT_EQ(version(), first) << "files are looked at when the configuration is";
  EXPECT_EQ(reloader.reload()->summary, path("ca.pem") + " changed");
  EXPECT_EQ(version(), first + 1);
  write("config.toml", kSmallConfig);
  ASSERT_TRUE(reloader.reload());
  EXPECT_EQ(version(), 0u) << "one without files has no version";
}

TEST(Debounce, WaitsForQuietButNotForever) {
  Debounce debounce;
  base::Instant now{};
  EXPECT_EQ(debounce.deadline(), base::kNever);
  EXPECT_FALSE(debounce.expired(now));
  debounce.on_event(now);
  EXPECT_EQ(debounce.deadline(), now + Debounce::kQuiet);
  debounce.on_event(now + 150ms);
  EXPECT_FALSE(debounce.expired(now + 200ms));
  EXPECT_TRUE(debounce.expired(now + 350ms));
  EXPECT_FALSE(debounce.expired(now + 350ms));
  EXPECT_EQ(debounce.deadline(), base::kNever);
  for (auto at = 0ms; at <= 5s; at += 100ms) {
    debounce.on_event(now + at);
    if (debounce.expired(now + at)) {
      EXPECT_EQ(at, Debounce::kLongest);
      return;
    }
  }
  FAIL() << "never expired";
}

TEST_F(Files, WatcherSeesWritesRenamesAndRemovals) {
  write("config.toml", "1");
  FileWatcher watcher;
  ASSERT_TRUE(watcher.watch({path("config.toml")}));
  EXPECT_FALSE(noticed(watcher));
  write("other.toml", "x");
  EXPECT_FALSE(noticed(watcher));
  write("config.toml", "22");
  EXPECT_TRUE(noticed(watcher));
  write("config.toml.new", "3");
  std::filesystem::rename(path("config.toml.new"), path("config.toml"));
  EXPECT_TRUE(noticed(watcher));
  EXPECT_FALSE(noticed(watcher));
  std::filesystem::remove(path("config.toml"));
  EXPECT_TRUE(noticed(watcher));
  write("config.toml", "4");
  EXPECT_TRUE(noticed(watcher));
}

TEST_F(Files, WatcherFollowsKubernetesLinkSwaps) {
  const auto publish = [&](const std::string& version, std::string_view text) {
    std::filesystem::create_directory(path(version));
    write(version + "/config.toml", text);
    std::filesystem::create_directory_symlink(version, path("..data_tmp"));
    std::filesystem::rename(path("..data_tmp"), path("..data"));
  };
  publish("..v1", "1");
  std::filesystem::create_symlink("..data/config.toml", path("config.toml"));
  FileWatcher watcher;
  ASSERT_TRUE(watcher.watch({path("config.toml")}));
  publish("..v2", "22");
  EXPECT_TRUE(noticed(watcher));
  std::filesystem::remove_all(path("..v1"));
  noticed(watcher);
  publish("..v3", "333");
  EXPECT_TRUE(noticed(watcher));
  write("..v3/config.toml", "4444");
  EXPECT_TRUE(noticed(watcher));
}

TEST_F(Files, WatcherFollowsALinkToAnotherDirectory) {
  std::filesystem::create_directory(path("elsewhere"));
  write("elsewhere/real.toml", "1");
  std::filesystem::create_symlink(path("elsewhere/real.toml"), path("config.toml"));
  FileWatcher watcher;
  ASSERT_TRUE(watcher.watch({path("config.toml")}));
  write("elsewhere/real.toml", "22");
  EXPECT_TRUE(noticed(watcher));
}

TEST_F(Files, WatcherStartsOver) {
  write("a", "1");
  write("b", "1");
  FileWatcher watcher;
  ASSERT_TRUE(watcher.watch({path("a")}));
  ASSERT_TRUE(watcher.watch({path("b")}));
  write("a", "22");
  EXPECT_FALSE(noticed(watcher));
  write("b", "22");
  EXPECT_TRUE(noticed(watcher));
  EXPECT_FALSE(watcher.watch({path("no/such/directory/x")}));
}

}  // namespace
}  // namespace llmgw::control
