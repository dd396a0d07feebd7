#include "control/config_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>

#include "control/settings.h"
#include "control/test_support.h"

namespace llmgw::control {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Settings, EveryDefaultAndExampleIsValid) {
  const TestWorld world{.variables = {{"OPENAI_API_KEY", "some-value"},
                                      {"AWS_ACCESS_KEY_ID", "some-value"},
                                      {"AWS_SECRET_ACCESS_KEY", "some-value"},
                                      {"METRICS_KEY", "some-value"},
                                      {"FRONTEND_KEY", "some-value"},
                                      {"ADMIN_KEY", "some-value"},
                                      {"ENGINE_TOKEN", "some-value-of-16-bytes"},
                                      {"OIDC_CLIENT_SECRET", "some-value"},
                                      {"DATABASE_URL", "sqlite"},
                                      {"LLM_GATEWAY_MASTER_KEY", std::string(64, '0')}},
                        .files = {{"/run/secrets/token", "some-value"}}};
  const auto environment = world.environment();
  for (const auto& table : section_tables()) {
    std::set<std::string_view> keys;
    EXPECT_EQ(&section_table(table.id), &table);
    for (const auto& setting : table.settings) {
      const std::string name = std::string(table.name) + "." + std::string(setting.key);
      EXPECT_TRUE(keys.insert(setting.key).second) << name;
      EXPECT_TRUE(setting.help.ends_with('.')) << name;
      EXPECT_FALSE(setting.fallback.empty() && setting.example.empty()) << name;
      EXPECT_FALSE(setting.required && !setting.fallback.empty()) << name;
      for (const auto text : {setting.fallback, setting.example}) {
        if (text.empty()) continue;
        const auto document = parse_toml("value = " + std::string(text));
        ASSERT_TRUE(document) << name;
        ConfigErrors errors;
        std::vector<std::string> files;
        Origin origin{};
        EXPECT_TRUE(ValueReader(environment, errors, files).read(setting, name, document->members[0].value, origin))
            << format_errors(errors, name);
      }
    }
  }
}

TEST(Settings, DefaultsAreInTheirMembers) {
  const auto server = default_section<ServerSettings>(SectionId::server);
  for (const auto& setting : section_table(SectionId::server).settings) {
    const auto rendered = setting.render(&server);
    if (setting.type == SettingType::list) continue;  // "a" and ["a"] are the same
    EXPECT_EQ(rendered, setting.fallback) << setting.key;
  }
}

TEST(ShowConfig, SaysWhereValuesComeFrom) {
  const TestWorld world{.variables = {{"UP", "canary-env"}, {"DIR", "/data"}}, .files = {{"/run/k", "canary-file"}}};
  const auto config = world.load(R"([server]
data_dir = "env:DIR"
[upstream]
proxy = "http://user:canary-proxy@proxy:1"
[[connections]]
name = "c"
provider = "openai"
api_key = "env:UP"
headers = { X-A = "canary-header" }
tls = { verify = false }
[[models]]
name = "m"
connection = "c"
[[keys]]
name = "k"
key = "file:/run/k"
[[keys]]
name = "l"
key = "canary-literal"
)");
  ASSERT_TRUE(config) << format_errors(config.error(), "t");
  const auto text = show_config(*config, "c.toml");
  for (const auto* line : {
           "\n[server]\nlisten = [\"127.0.0.1:8080\"]  # default\n",
           "\ndata_dir = \"/data\"  # c.toml:2, from env:DIR\n",
           "\nproxy = \"http://***@proxy:1\"  # c.toml:4\n",
           "\nprovider = \"openai\"  # c.toml:7\napi_key = \"(secret, from env:UP)\"  # c.toml:8\n",
           "\nheaders = { \"x-a\" = \"(secret)\" }  # c.toml:9\n",
           "\n[connections.tls]\nverify = false  # c.toml:10\n",
           "\n[[models]]\nname = \"m\"  # c.toml:12\nconnection = \"c\"  # c.toml:13\ncreated = 0  # default\n",
           "\nkey = \"(secret, from file:/run/k)\"  # c.toml:16\n",
           "\nkey = \"(secret, written in the file)\"  # c.toml:19\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("canary")));
  EXPECT_TRUE(parse_toml(text)) << "what is shown is TOML itself";
}

TEST(StarterConfig, IsValidAsItIs) {
  const auto text = starter_config("sk-gw-0123456789", "");
  const auto config = TestWorld{}.load(text);
  ASSERT_TRUE(config) << format_errors(config.error(), "starter");
  EXPECT_EQ(config->keys[0].key.reveal(), "sk-gw-0123456789");
  EXPECT_EQ(config->models[0].name, "*");
  for (const auto& table : section_tables()) {
    if (table.repeated || table.id == SectionId::connection_tls) continue;
    EXPECT_THAT(text, HasSubstr("\n[" + std::string(table.name) + "]\n"));
    for (const auto& setting : table.settings) EXPECT_THAT(text, HasSubstr("\n#" + std::string(setting.key) + " = "));
  }
}

TEST(StarterConfig, NamesADataDirectory) {
  const auto text = starter_config("sk-gw-0123456789", "/people/a \"b\"/state");
  const auto config = TestWorld{}.load(text);
  ASSERT_TRUE(config) << format_errors(config.error(), "starter");
  EXPECT_EQ(config->server.data_dir, "/people/a \"b\"/state");
  EXPECT_THAT(text, Not(HasSubstr("#data_dir")));
}

TEST(Manual, ReferenceIsTheGeneratedText) {
  const auto manual = read("docs/configuration.md");
  ASSERT_FALSE(manual.empty()) << "run from the source directory";
  const std::string begin = "<!-- generated by `llm-gateway config reference` -->\n\n";
  const std::string end = "\n<!-- end -->\n";
  const size_t from = manual.find(begin);
  const size_t to = manual.find(end);
  ASSERT_TRUE(from != std::string::npos && to != std::string::npos);
  EXPECT_TRUE(manual.substr(from + begin.size(), to - from - begin.size()) == settings_reference())
      << "put the output of `llm-gateway config reference` between the two marks";
}

TEST(Manual, ExamplesAreValid) {
  const TestWorld world{.variables = {{"OPENAI_API_KEY", "value-of-it"},
                                      {"AZURE_API_KEY", "value-of-it"},
                                      {"ANTHROPIC_API_KEY", "value-of-it"},
                                      {"GEMINI_API_KEY", "value-of-it"},
                                      {"AWS_ACCESS_KEY_ID", "value-of-it"},
                                      {"AWS_SECRET_ACCESS_KEY", "value-of-it"},
                                      {"COHERE_API_KEY", "value-of-it"},
                                      {"FRONTEND_KEY", "frontend-key"},
                                      {"METRICS_KEY", "metrics-key"},
                                      {"RESEARCH_KEY", "research-key"}},
                        .files = {{"/run/secrets/batch-key", "batch-key-1\n"},
                                  {"/etc/llm-gateway/tls/cert.pem", "x"},
                                  {"/etc/llm-gateway/tls/key.pem", "x"}}};
  for (const auto* name : {"minimal", "providers", "production"}) {
    const auto text = read("docs/examples/" + std::string(name) + ".toml");
    ASSERT_FALSE(text.empty()) << name;
    EXPECT_EQ(world.errors(text), "") << name;
  }
}

}  // namespace
}  // namespace llmgw::control
