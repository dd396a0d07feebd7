#include "app/service/service.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "app/process/control_client.h"
#include "app/process/test_support.h"
#include "app/service/config_path.h"
#include "telemetry/format_checkers.h"

namespace llmgw::app {
namespace {

using process::TemporaryDirectory;

PathEnvironment environment_with(std::map<std::string, std::string> variables, std::vector<std::string> files) {
  return {.variable = [variables](const char* name) { return variables.contains(name) ? variables.at(name) : ""; },
          .exists = [files](const std::string& path) { return std::ranges::find(files, path) != files.end(); },
          .writable = [files](const std::string& path) { return std::ranges::find(files, path) != files.end(); },
          .working_directory = "/somewhere"};
}

TEST(ConfigPath, TakesTheFirstThatIsNamedOrThere) {
  const std::vector<std::string> both{"/somewhere/llm-gateway.toml", kSystemConfig};
  const auto path = [](const std::string& option, const PathEnvironment& environment) {
    return choose_config_path(option, environment)->path;
  };
  EXPECT_EQ(path("/a.toml", environment_with({{kConfigVariable, "/b.toml"}}, both)), "/a.toml");
  EXPECT_EQ(path("a.toml", environment_with({}, both)), "/somewhere/a.toml");
  EXPECT_EQ(path("", environment_with({{kConfigVariable, "b.toml"}}, both)), "/somewhere/b.toml");
  EXPECT_EQ(path("", environment_with({}, both)), both[0]);
  EXPECT_EQ(path("", environment_with({}, {kSystemConfig})), kSystemConfig);
  const auto none = choose_config_path("", environment_with({}, {}));
  ASSERT_FALSE(none);
  for (const char* hint : {"--config", kConfigVariable, kLocalConfig, kSystemConfig, "config init"}) {
    EXPECT_NE(none.error().find(hint), std::string::npos) << hint;
  }
}

TEST(DataDir, IsFoundWithoutSecretsAndInFaultyFiles) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("gateway.toml");
  const auto found = [&](std::string_view text) {
    std::ofstream(path) << text;
    return data_dir_of(path);
  };
  const std::string connection =
      "[[connections]]\nname = \"a\"\nprovider = \"openai\"\napi_key = \"env:NOT_SET_FOR_THIS_TEST\"\n";
  EXPECT_EQ(found("[server]\ndata_dir = \"/data\"\nallow_anonymous = true\n" + connection), "/data");
  EXPECT_EQ(found("[server]\ndata_dir = \"/data\"\nnonsense = 1\n"), "/data");
  EXPECT_EQ(found("[server]\ndata_dir = \"data\"\nnonsense = 1\n"), directory.file("data"));
  EXPECT_EQ(found("nonsense = 1\n"), "/var/lib/llm-gateway");
  const auto broken = found("[server\ndata_dir = \"/data\"\n");
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().find(path + ":1:"), std::string::npos) << broken.error();
}

TEST(DataDir, IsLikelyTheOneALineOfABrokenFileNames) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("gateway.toml");
  const auto likely = [&](std::string_view text) {
    std::ofstream(path) << text;
    EXPECT_FALSE(data_dir_of(path)) << text;
    return likely_data_dir(path);
  };
  EXPECT_EQ(likely("[server\n  data_dir = \"/data\"  # data_dir\n"), "/data");
  EXPECT_EQ(likely("[server]\n# data_dir = \"/old\"\ndata_dir = 'data'\nlisten = \"\n"), directory.file("data"));
  EXPECT_EQ(likely("server.data_dir = \"/data\"\r\n[\n"), "/data");
  EXPECT_EQ(likely("server = { data_dir = \"/data\" }\n[\n"), "/data");
  EXPECT_EQ(likely("[server]\nlisten = \"\n"), "/var/lib/llm-gateway");
  // Not to be guessed: another gateway could be stopped.
  EXPECT_EQ(likely("[server]\ndata_dir = \"/data\n"), std::nullopt);
  EXPECT_EQ(likely("[server]\ndata_dir = \"/a\"\ndata_dir = \"/b\"\n[\n"), std::nullopt);
  EXPECT_EQ(likely_data_dir(directory.file("none")), std::nullopt);
}

TEST(StarterDataDir, IsOneThisUserCanWrite) {
  const auto chosen = [](std::map<std::string, std::string> variables, std::vector<std::string> files) {
    return starter_data_dir(environment_with(std::move(variables), std::move(files)));
  };
  EXPECT_EQ(chosen({{"HOME", "/people/a"}}, {"/var/lib/llm-gateway"}), "");
  EXPECT_EQ(chosen({{"HOME", "/people/a"}}, {"/var/lib"}), "") << "it can be made";
  EXPECT_EQ(chosen({{"HOME", "/people/a"}}, {}), "/people/a/.local/state/llm-gateway");
  EXPECT_EQ(chosen({{"HOME", "/people/a"}, {"XDG_STATE_HOME", "/state"}}, {}), "/state/llm-gateway");
  EXPECT_EQ(chosen({{"HOME", "/people/a"}, {"XDG_STATE_HOME", "relative"}}, {}), "/people/a/.local/state/llm-gateway");
  EXPECT_EQ(chosen({}, {}), "data");
  // There, but another user's.
  PathEnvironment foreign = environment_with({{"HOME", "/people/a"}}, {"/var/lib/llm-gateway"});
  foreign.writable = [](const std::string&) { return false; };
  EXPECT_EQ(starter_data_dir(foreign), "/people/a/.local/state/llm-gateway");
}

TEST(HumanDuration, ShowsTheTwoLargestUnits) {
  using std::chrono::nanoseconds;
  const auto text = [](int64_t ns) { return human_duration(nanoseconds(ns)); };
  EXPECT_EQ(text(0), "0 s");
  EXPECT_EQ(text(900), "0 s");
  EXPECT_EQ(text(1'500), "1 us");
  EXPECT_EQ(text(12'000'000), "12 ms");
  EXPECT_EQ(text(1'999'000'000), "1 s");
  EXPECT_EQ(text(62'000'000'000), "1 min 2 s");
  EXPECT_EQ(text(3'600'000'000'000), "1 h");
  EXPECT_EQ(text(90'000'000'000'000), "1 days 1 h");
}

TEST(Status, IsOneObjectAndReadable) {
  StatusReport report;
  report.pid = 12;
  report.version = "1.2.3";
  report.state = "serving";
  report.uptime = std::chrono::hours(5);
  report.config = "/etc/a \"quoted\".toml";
  report.listen = {"127.0.0.1:1", "unix:/x"};
  report.tls = true;
  report.last_reload_error = "gateway.toml:3:1: wrong\n";
  report.restart_required = {"server.listen", "server.workers"};
  report.missing = "no model";
  report.predecessors = {{.pid = 7, .note = {}},
                         {.pid = 9, .note = process::DrainNote{.since = 60, .until = 1860, .in_flight = 1}}};
  report.log_trouble = "/var/log/x: No such file";
  report.added_p50 = std::chrono::microseconds(40);
  report.added_p99 = std::chrono::microseconds(900);
  const auto text = render_status(write_status(report));
  ASSERT_TRUE(text) << text.error();
  for (const char* part :
       {"pid 12", "1.2.3", "5 h", "listen (TLS)    127.0.0.1:1", "listen          unix:/x", "/etc/a \"quoted\".toml",
        "p50 40 us", "p99 900 us", "gateway.toml:3:1: wrong", "server.listen, server.workers",
        "serves nothing  there is no model", "replaced        pid 7, finishes what it has begun\n",
        "replaced        pid 9, finishes what it has begun: 1 call in flight, since 1970-01-01T00:01:00Z, "
        "until 1970-01-01T00:31:00Z at the latest\n",
        "log not reopened /var/log/x: No such file"}) {
    EXPECT_NE(text->find(part), std::string::npos) << part << " in\n" << *text;
  }
  const auto earlier = render_status(R"({"pid":1,"predecessors":[7]})");
  EXPECT_TRUE(earlier && earlier->contains("pid 7, finishes what it has begun\n")) << earlier.value_or("");
  EXPECT_FALSE(render_status("{}"));
  EXPECT_FALSE(render_status("nonsense"));
  EXPECT_FALSE(render_status(write_answer({.ok = true, .message = "x"})));
}

TEST(Status, SaysWhetherItServes) {
  StatusReport report;
  report.state = "serving";
  EXPECT_TRUE(is_serving(write_status(report)));
  report.state = "draining";
  EXPECT_FALSE(is_serving(write_status(report)));
  EXPECT_FALSE(is_serving("{}"));
  EXPECT_FALSE(is_serving("nonsense"));
}

TEST(Answer, SurvivesTheWayThere) {
  const auto good = read_answer(write_answer({.ok = true, .message = "two\n\"lines\""}));
  ASSERT_TRUE(good);
  EXPECT_TRUE(good->ok);
  EXPECT_EQ(good->message, "two\n\"lines\"");
  const auto bad = read_answer(write_answer({.ok = false, .message = "no"}));
  ASSERT_TRUE(bad);
  EXPECT_FALSE(bad->ok);
  EXPECT_EQ(bad->message, "no");
  EXPECT_FALSE(read_answer(""));
  EXPECT_FALSE(read_answer("[1]"));
}

// A service on a thread of its own, as main would run it.
class ServiceTest : public ::testing::Test {
 protected:
  static constexpr base::Duration kLimit = std::chrono::seconds(20);

  void write_config(std::string_view model, std::string_view server = "") {
    std::ofstream(config())
        << "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"localhost:0\"\nworkers = 1\n"
           "watch_config = false\nallow_anonymous = true\ndata_dir = \""
        << directory_.file("data") << "\"\n"
        << server << "[log]\noutput = \"" << directory_.file("log")
        << "\"\n[[connections]]\nname = \"c\"\nprovider = \"openai\"\napi_key = \"sk-secret-value\"\n"
        << "[[models]]\nname = \"" << model << "\"\nconnection = \"c\"\n";
  }
  std::string config() const { return directory_.file("gateway.toml"); }

  void start(base::Duration successor_trial = std::chrono::seconds(1)) {
    service_ = std::make_unique<Service>(ServiceOptions{.config_path = config(), .successor_trial = successor_trial});
    const auto started = service_->start();
    ASSERT_TRUE(started) << started.error().message;
    thread_ = std::thread([this] { exit_status_ = service_->run(); });
  }
  std::string command(std::string_view name) {
    auto answer = process::control_call(directory_.file("data"), name, kLimit);
    return answer ? *answer : std::string(base::to_string(answer.error().code));
  }
  int finish() {
    EXPECT_NE(command("stop").find("stopping"), std::string::npos);
    thread_.join();
    service_.reset();
    return exit_status_;
  }
  ~ServiceTest() override {
    if (thread_.joinable()) {
      command("stop");
      thread_.join();
    }
  }
  std::string get(const std::string& address, std::string_view path) {
    const auto to = *net::Address::parse(address);
    const process::FileDescriptor client(socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(client.get(), to.data(), to.size()), 0);
    const std::string request = "GET " + std::string(path) + " HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    EXPECT_EQ(write(client.get(), request.data(), request.size()), static_cast<ssize_t>(request.size()));
    std::string answer;
    std::array<char, 16 * 1024> buffer;
    for (ssize_t count = 0; (count = read(client.get(), buffer.data(), buffer.size())) > 0;) {
      answer.append(buffer.data(), static_cast<size_t>(count));
    }
    return answer;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Service> service_;
  std::thread thread_;
  int exit_status_ = -1;
};

TEST_F(ServiceTest, ServesObeysAndEnds) {
  write_config("first");
  start();
  const std::string listen = service_->gateway().addresses().front();
  const std::string admin = service_->admin_address();
  EXPECT_NE(get(listen, "/v1/models").find("\"first\""), std::string::npos);
  EXPECT_NE(get(admin, "/health").find("{\"status\":\"ok\"}"), std::string::npos);
  EXPECT_NE(get(admin, "/ready").find("{\"status\":\"ready\"}"), std::string::npos);
  EXPECT_TRUE(get(admin, "/v1/models").starts_with("HTTP/1.1 404"));
  // The first is the file's, the second has the store's objects, too.
  EXPECT_NE(command("status").find("\"snapshot\":2"), std::string::npos);

  write_config("second");
  EXPECT_NE(command("reload").find("\"ok\":true"), std::string::npos);
  EXPECT_NE(get(listen, "/v1/models").find("\"second\""), std::string::npos);
  EXPECT_NE(command("status").find("\"snapshot\":3"), std::string::npos);

  const std::string metrics = get(admin, "/metrics");
  telemetry::ExpositionText parsed;
  const auto complaint = telemetry::check_exposition(metrics.substr(metrics.find("\r\n\r\n") + 4), parsed);
  EXPECT_FALSE(complaint) << *complaint;
  EXPECT_NE(metrics.find("llm_gateway_info{version=\"" LLMGW_VERSION "\"} 1"), std::string::npos);
  EXPECT_EQ(finish(), kExitOk);
  EXPECT_FALSE(std::filesystem::exists(directory_.file("data/llm-gateway.pid")));
  EXPECT_EQ(process::read_file(directory_.file("log")).find("sk-secret-value"), std::string::npos);
}

TEST_F(ServiceTest, AFaultyFileChangesNothing) {
  write_config("good");
  start();
  write_config("better", "nonsense = 1\n");
  const std::string answer = command("reload");
  EXPECT_NE(answer.find("\"ok\":false"), std::string::npos);
  EXPECT_NE(answer.find("nonsense"), std::string::npos);
  EXPECT_NE(get(service_->gateway().addresses().front(), "/v1/models").find("\"good\""), std::string::npos);
  EXPECT_NE(command("status").find("nonsense"), std::string::npos);
  EXPECT_EQ(finish(), kExitOk);
}

TEST_F(ServiceTest, ACertificateThatCannotBeReadStopsTheReloadAndIsForgotten) {
  write_config("good");
  start();
  std::ofstream(directory_.file("pem")) << "no certificate\n";
  write_config("better", "[server.tls]\ncertificate = \"" + directory_.file("pem") + "\"\nkey = \"" +
                             directory_.file("pem") + "\"\n");
  EXPECT_NE(command("reload").find("server.tls"), std::string::npos);
  EXPECT_NE(get(service_->gateway().addresses().front(), "/v1/models").find("\"good\""), std::string::npos);
  // What is compared with is the configuration in force, not the one that failed.
  write_config("better");
  EXPECT_NE(command("reload").find("1 model added, 1 model removed\\nmore"), std::string::npos);
  EXPECT_EQ(finish(), kExitOk);
}

TEST_F(ServiceTest, ALogThatCannotBeWrittenStopsTheReloadThatNamesIt) {
  write_config("good");
  start();
  std::string file = process::read_file(config());
  const std::string good = file;
  const size_t output = file.find("output = ");
  ASSERT_NE(output, std::string::npos) << file;
  file.replace(output, file.find('\n', output) - output, "output = \"" + directory_.file("nowhere/log") + "\"");
  std::ofstream(config()) << file;
  const std::string answer = command("reload");
  EXPECT_NE(answer.find("log.output: " + directory_.file("nowhere/log") + " cannot be written: there is no directory"),
            std::string::npos)
      << answer;
  std::ofstream(config()) << good;
  EXPECT_NE(command("reload").find("\"ok\":true"), std::string::npos);
  EXPECT_EQ(finish(), kExitOk);
}

// Both commands name it for as long as the process runs without it, and no longer.
TEST_F(ServiceTest, WhatNeedsARestartIsComparedWithTheStart) {
  write_config("m");
  start();
  EXPECT_NE(command("status").find("\"restart_required\":[]"), std::string::npos);
  write_config("m", "listen_backlog = 100\n");
  EXPECT_NE(command("reload").find(": server.listen_backlog changed\\nin force only after"), std::string::npos);
  const std::string again = command("reload");
  EXPECT_NE(again.find("nothing changed; read before: server.listen_backlog changed, at "), std::string::npos) << again;
  EXPECT_NE(again.find("restart: server.listen_backlog\""), std::string::npos) << again;
  EXPECT_NE(command("status").find("\"restart_required\":[\"server.listen_backlog\"]"), std::string::npos);
  write_config("m");
  EXPECT_EQ(command("reload").find("in force only after"), std::string::npos);
  EXPECT_NE(command("status").find("\"restart_required\":[]"), std::string::npos);
  EXPECT_EQ(finish(), kExitOk);
}

// The successor would look for its predecessor in a directory that has none.
TEST_F(ServiceTest, AnUpgradeDoesNotChangeTheDataDirectory) {
  write_config("m");
  start();
  std::string file;
  {
    std::ifstream in(config());
    file.assign(std::istreambuf_iterator<char>(in), {});
  }
  const std::string other = directory_.file("other-data");
  file.replace(file.find("data_dir = "), file.find('\n', file.find("data_dir = ")) - file.find("data_dir = "),
               "data_dir = \"" + other + "\"");
  std::ofstream(config()) << file;
  EXPECT_NE(command("reload").find("only after a stop and a start: server.data_dir\""), std::string::npos);
  const std::string answer = command("upgrade");
  EXPECT_NE(answer.find("\"ok\":false"), std::string::npos);
  EXPECT_NE(answer.find("an upgrade keeps the data directory"), std::string::npos) << answer;
  EXPECT_EQ(finish(), kExitOk);
}

TEST_F(ServiceTest, DoubtsAreToldAndServed) {
  write_config("good");
  std::ofstream(config(), std::ios::app) << "[[keys]]\nname = \"k\"\nkey = \"12345678\"\nmodels = [\"god\"]\n";
  start();
  const std::string answer = command("reload");
  EXPECT_NE(answer.find("\"ok\":true"), std::string::npos) << answer;
  EXPECT_NE(answer.find("keys.models: there is no model 'god'; did you mean 'good'?\""), std::string::npos) << answer;
  EXPECT_EQ(finish(), kExitOk);
  const std::string log = process::read_file(directory_.file("log"));
  EXPECT_NE(log.find("there is no model 'god'"), std::string::npos) << log;
}

// The file watch and SIGHUP go the way of the plain command.
TEST_F(ServiceTest, AnEmptiedFileIsTakenOnPurposeOnly) {
  write_config("good");
  start();
  std::ofstream(config()) << "# nothing\n";
  const std::string refused = command("reload");
  EXPECT_NE(refused.find("\"ok\":false"), std::string::npos) << refused;
  EXPECT_NE(refused.find("the file is empty"), std::string::npos) << refused;
  EXPECT_NE(refused.find("llm-gateway reload --force"), std::string::npos) << refused;
  EXPECT_NE(get(service_->gateway().addresses().front(), "/v1/models").find("\"good\""), std::string::npos);
  const std::string status = command("status");
  EXPECT_NE(status.find("the file is empty"), std::string::npos) << status;
  EXPECT_NE(status.find("\"missing\":null"), std::string::npos) << status;
  const std::string metrics = get(service_->admin_address(), "/metrics");
  EXPECT_NE(metrics.find("llm_gateway_config_reloads_total{result=\"failure\"} 1"), std::string::npos);
  const std::string forced = command("reload force");
  EXPECT_NE(forced.find("\"ok\":true"), std::string::npos) << forced;
  EXPECT_NE(forced.find("more than half of a kind was removed: 1 of 1 connection, 1 of 1 model"), std::string::npos)
      << forced;
  EXPECT_NE(forced.find("no call can be served: there is no connection, no model, no key"), std::string::npos)
      << forced;
  EXPECT_NE(command("status").find("\"missing\":\"no connection, no model, no key\""), std::string::npos);
  EXPECT_EQ(finish(), kExitOk);
  const std::string log = process::read_file(directory_.file("log"));
  EXPECT_NE(log.find("more than half of a kind was removed"), std::string::npos) << log;
  EXPECT_NE(log.find("no call can be served by this configuration"), std::string::npos) << log;
}

// It crashes at its first calls, or hangs. The old one has not stopped, and another one may take its place.
TEST_F(ServiceTest, ASuccessorThatDiesOnTrialChangesNothing) {
  write_config("m");
  start(std::chrono::hours(1));
  for (int i = 0; i < 2; ++i) {
    // The one before may not have been missed yet.
    auto takeover = process::Takeover::request(directory_.file("data"), kLimit);
    for (; !takeover; takeover = process::Takeover::request(directory_.file("data"), kLimit)) {
      ASSERT_EQ(takeover.error().code, base::ErrorCode::permission);
    }
    EXPECT_EQ(takeover->announce_ready(std::chrono::milliseconds(100)).error().code,
              base::ErrorCode::deadline_exceeded);
  }
  EXPECT_NE(command("status").find("\"state\":\"serving\""), std::string::npos);
  EXPECT_NE(get(service_->gateway().addresses().front(), "/ready").find("200 OK"), std::string::npos);
  EXPECT_NE(get(service_->admin_address(), "/ready").find("200 OK"), std::string::npos);
  EXPECT_EQ(finish(), kExitOk);
  const std::string log = process::read_file(directory_.file("log"));
  EXPECT_EQ(log.find("handed over"), std::string::npos) << log;
  EXPECT_NE(log.find("a new process serves beside this one"), std::string::npos) << log;
  EXPECT_NE(log.find("ended while it served beside this one; this one goes on"), std::string::npos) << log;
}

TEST_F(ServiceTest, SecondOneIsRefused) {
  write_config("m");
  start();
  Service second(ServiceOptions{.config_path = config()});
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().exit_status, kExitFailed);
  EXPECT_NE(started.error().message.find("pid " + std::to_string(getpid())), std::string::npos);
  EXPECT_NE(get(service_->gateway().addresses().front(), "/ready").find("200 OK"), std::string::npos);
}

TEST_F(ServiceTest, MetricsMayWantAKey) {
  write_config("m");
  std::ofstream(config(), std::ios::app) << "[metrics]\npublic = false\nkey = \"metrics-key-1\"\n";
  start();
  EXPECT_TRUE(get(service_->admin_address(), "/metrics").starts_with("HTTP/1.1 401"));
  EXPECT_TRUE(get(service_->admin_address(),
                  "/metrics HTTP/1.1\r\nauthorization: Bearer metrics-key-1\r\nx-ignored: x\r\nx-rest:")
                  .starts_with("HTTP/1.1 200"));
}

}  // namespace
}  // namespace llmgw::app
