#include "control/config_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config_text.h"
#include "control/snapshot.h"
#include "control/test_support.h"

namespace llmgw::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(Config, DefaultsAndValues) {
  const auto config = TestWorld{}.load(kSmallConfig);
  ASSERT_TRUE(config);
  EXPECT_THAT(config->server.listen, ElementsAre("127.0.0.1:0"));
  EXPECT_EQ(config->server.max_body_bytes.bytes, 10u << 20);
  EXPECT_EQ(config->server.header_timeout, std::chrono::seconds(15));
  EXPECT_EQ(config->server.acceptor, AcceptorMode::reuseport);
  EXPECT_EQ(config->log.level, LogLevel::info);
  EXPECT_TRUE(config->log.access);
  EXPECT_EQ(config->upstream.http2, Http2Mode::automatic);
  EXPECT_EQ(config->connections[0].priority, 1u);
  EXPECT_FALSE(config->keys[0].models);
}

TEST(Config, RelativePathsStartAtTheConfigurationsDirectory) {
  TestWorld world;
  for (const char* file : {"chain.pem", "key.pem", "clients.pem", "tls/ca.pem", "tls/own.pem", "tls/own.key"}) {
    world.files[std::string("/etc/llmgw/") + file] = "pem";
  }
  const std::string text = std::string(kSmallConfig) + R"(
[server.tls]
certificate = "chain.pem"
key = "/etc/llmgw/key.pem"
client_ca = "clients.pem"
[upstream.tls]
ca_file = "tls/ca.pem"
[log]
output = "access.log"
[[connections]]
name = "second"
provider = "vllm"
endpoint = "https://vllm"
tls = { client_certificate = "tls/own.pem", client_key = "tls/own.key" }
)";
  const auto config = world.load(text);
  ASSERT_TRUE(config) << format_errors(config.error(), "t");
  EXPECT_EQ(config->server_tls.certificate, "/etc/llmgw/chain.pem");
  EXPECT_EQ(config->server_tls.key, "/etc/llmgw/key.pem");
  EXPECT_EQ(config->server_tls.client_ca, "/etc/llmgw/clients.pem");
  EXPECT_EQ(config->upstream_tls.ca_file, "/etc/llmgw/tls/ca.pem");
  EXPECT_EQ(config->connections[1].tls.client_certificate, "/etc/llmgw/tls/own.pem");
  EXPECT_EQ(config->connections[1].tls.client_key, "/etc/llmgw/tls/own.key");
  EXPECT_EQ(config->log.output, "/etc/llmgw/access.log");
  EXPECT_EQ(config->server.data_dir, "/var/lib/llm-gateway");
  for (const char* word : {"stdout", "stderr", "off"}) {
    EXPECT_EQ(world.load(std::string(kSmallConfig) + "[log]\noutput = \"" + word + "\"\n")->log.output, word);
  }
}

TEST(Config, PortsTheKernelPicksDiffer) {
  EXPECT_EQ(
      TestWorld{}.errors("[server]\nlisten = [\"a:0\", \"a:0\"]\nadmin_listen = \"a:0\"\nallow_anonymous = true\n"),
      "");
}

TEST(Config, EveryNotationOfAValue) {
  const auto config = TestWorld{}.load(R"(
[server]
listen = ["*:1", "[::1]:2"]
workers = 4
max_body_bytes = 2048
max_head_bytes = "8KiB"
header_timeout = "250ms"
drain_timeout = "2m"
allow_anonymous = true
acceptor = "shared"
[server.tls]
min_version = "1.3"
[log]
level = "warn"
[[keys]]
name = "k"
key = "12345678"
models = "gpt-*"
tps = 1.5
[[keys]]
name = "l"
key = "abcdefgh"
tps = 2
)");
  ASSERT_TRUE(config) << format_errors(config.error(), "t");
  EXPECT_THAT(config->server.listen, ElementsAre("*:1", "[::1]:2"));
  EXPECT_EQ(config->server.workers, 4u);
  EXPECT_EQ(config->server.max_body_bytes.bytes, 2048u);
  EXPECT_EQ(config->server.max_head_bytes.bytes, 8192u);
  EXPECT_EQ(config->server.header_timeout, std::chrono::milliseconds(250));
  EXPECT_EQ(config->server.drain_timeout, std::chrono::minutes(2));
  EXPECT_EQ(config->server.acceptor, AcceptorMode::shared);
  EXPECT_EQ(config->server_tls.min_version, TlsVersion::tls13);
  EXPECT_EQ(config->log.level, LogLevel::warn);
  EXPECT_THAT(*config->keys[0].models, ElementsAre("gpt-*"));
  EXPECT_EQ(config->keys[0].tps, 1.5);
  EXPECT_EQ(config->keys[1].tps, 2.0);
}

TEST(Config, References) {
  TestWorld world{.variables = {{"UP", "sk-from-env"}, {"HOST", "https://h"}},
                  .files = {{"/run/key", "sk-client-from-file\r\n\n"}, {"/etc/llmgw/team", "search\n"}}};
  const auto config = world.load(R"(
[[connections]]
name = "env:not-a-reference"
provider = "openai"
endpoint = "env:HOST"
api_key = "env:UP"
headers = { X-Team = "file:team", x-plain = "v" }
[[keys]]
name = "k"
key = "file:/run/key"
)");
  ASSERT_TRUE(config) << format_errors(config.error(), "t");
  const auto& connection = config->connections[0];
  EXPECT_EQ(connection.name, "env:not-a-reference");
  EXPECT_EQ(connection.endpoint, "https://h");
  EXPECT_EQ(connection.api_key.reveal(), "sk-from-env");
  ASSERT_EQ(connection.headers.size(), 2u);
  EXPECT_EQ(connection.headers[0].name, "x-team");
  EXPECT_EQ(connection.headers[0].value.reveal(), "search");
  EXPECT_EQ(config->keys[0].key.reveal(), "sk-client-from-file");
  EXPECT_THAT(config->referenced_files, ElementsAre("/etc/llmgw/team", "/run/key"));
}

struct ErrorCase {
  const char* what;
  std::string text;      // put before kKeys, so its lines count from 1
  std::string expected;  // all lines
};

// A key, so that only the fault under test is reported. Stands after the text.
constexpr std::string_view kKeys = "\n[[keys]]\nname = \"k\"\nkey = \"12345678\"\n";

std::string connection(std::string_view lines) {
  return "[[connections]]\nname = \"c\"\n" + std::string(lines);
}
std::string openai_and(std::string_view lines) {
  return "[[connections]]\nname = \"c\"\nprovider = \"openai\"\napi_key = \"sk-x\"\n" + std::string(lines);
}

const ErrorCase kErrorCases[] = {
    {"syntax", "[server\n",
     "test.toml:1:8: not TOML: Error while parsing table header: expected ']', saw '\\n'; close the section's name "
     "with ], as in [server]\n"},
    {"key that needs quotes", "[log]\n[a]\n[=]\n[keys]\n",
     "test.toml:3:1: not TOML: a key has only letters of ASCII, digits, '-' and '_', or is quoted\n"},
    {"unknown section", "[servr]\n", "test.toml:1:2: unknown section 'servr'; did you mean 'server'?\n"},
    {"unknown section, nothing near", "[zzzzzzzz]\n", "test.toml:1:2: unknown section 'zzzzzzzz'\n"},
    {"key outside of a section", "listen = \"a:1\"\n",
     "test.toml:1:1: key 'listen' stands outside of a section; put it under [server]\n"},
    {"unknown key", "[server]\nlissten = \"a:1\"\n",
     "test.toml:2:1: server: unknown key 'lissten'; did you mean 'listen'?\n"},
    {"unknown key in a sub-table", "[server.tls]\ncert = \"x\"\n", "test.toml:2:1: server.tls: unknown key 'cert'\n"},
    {"section as a value", "server = 1\n",
     "test.toml:1:1: server: expected a table, found an integer; write [server]\n"},
    {"single section repeated", "[[server]]\n",
     "test.toml:1:3: server: expected a table, found an array; write [server]\n"},
    {"repeated section single", "[models]\nname = \"m\"\n",
     "test.toml:1:2: models: expected an array of tables, found a table; write [[models]]\n"},
    {"entries that are no tables", "models = [1]\n",
     "test.toml:1:11: models: expected a table, found an integer; write [[models]]\n"},
    {"integer as a string", "[server]\nworkers = \"4\"\n",
     "test.toml:2:11: server.workers: expected a whole number without quotes, found a string\n"},
    {"integer out of bounds", "[server]\nworkers = 257\n",
     "test.toml:2:11: server.workers: out of range; write something from 0 to 256\n"},
    {"negative integer", "[server]\nworkers = -1\n",
     "test.toml:2:11: server.workers: out of range; write something from 0 to 256\n"},
    {"boolean", "[log]\naccess = \"yes\"\n",
     "test.toml:2:10: log.access: expected true or false without quotes, found a string\n"},
    {"duration as a number", "[server]\nidle_timeout = 30\n",
     "test.toml:2:16: server.idle_timeout: expected a duration in quotes such as \"30s\", found an integer\n"},
    {"duration without unit", "[server]\nidle_timeout = \"30\"\n",
     "test.toml:2:16: server.idle_timeout: not a duration; write a whole number with ms, s, m, h or d, such as "
     "\"30s\"\n"},
    {"duration out of bounds", "[server]\nheader_timeout = \"2h\"\n",
     "test.toml:2:18: server.header_timeout: out of range; write something from 100ms to 1h\n"},
    {"duration that overflows", "[server]\nheader_timeout = \"99999999999d\"\n",
     "test.toml:2:18: server.header_timeout: not a duration; write a whole number with ms, s, m, h or d, such as "
     "\"30s\"\n"},
    {"size", "[server]\nmax_body_bytes = \"10 megs\"\n",
     "test.toml:2:18: server.max_body_bytes: not a size; write a number of bytes, or one with KiB, MiB or GiB, such as "
     "\"10MiB\"\n"},
    {"size out of bounds", "[server]\nmax_head_bytes = \"2MiB\"\n",
     "test.toml:2:18: server.max_head_bytes: out of range; write something from 1KiB to 1MiB\n"},
    {"size of a wrong type", "[server]\nmax_body_bytes = true\n",
     "test.toml:2:18: server.max_body_bytes: expected a number of bytes or a size in quotes such as \"10MiB\", found a "
     "boolean\n"},
    {"choice", "[log]\nlevel = \"wran\"\n",
     "test.toml:2:9: log.level: no such choice; write \"trace\", \"debug\", \"info\", \"warn\" or \"error\" (did you "
     "mean "
     "\"warn\"?)\n"},
    {"choice of a wrong type", "[log]\nlevel = 1\n",
     "test.toml:2:9: log.level: expected \"trace\", \"debug\", \"info\", \"warn\" or \"error\", found an integer\n"},
    {"string of a wrong type", "[server]\ndata_dir = 2020-01-01\n",
     "test.toml:2:12: server.data_dir: expected a string in quotes, found a date or time\n"},
    {"empty string", "[server]\ndata_dir = \"\"\n",
     "test.toml:2:12: server.data_dir: is empty; remove the line or write a value\n"},
    {"control character", "[server]\ndata_dir = \"a\\nb\"\n",
     "test.toml:2:12: server.data_dir: has a control character (a line break?)\n"},
    {"list of a wrong type", "[server]\nlisten = 8080\n",
     "test.toml:2:10: server.listen: expected a string in quotes or a list of them, found an integer\n"},
    {"list entry of a wrong type", "[server]\nlisten = [8080]\n",
     "test.toml:2:11: server.listen: expected a string in quotes or a list of them, found an integer\n"},
    {"list too short", "[server]\nlisten = []\n", "test.toml:2:10: server.listen: has 0 entries; write 1 to 16\n"},
    {"number", "[[keys]]\nname = \"j\"\nkey = \"abcdefgh\"\ntps = \"1\"\n",
     "test.toml:4:7: keys.tps: expected a number without quotes, found a string\n"},
    {"number out of bounds", "[[keys]]\nname = \"j\"\nkey = \"abcdefgh\"\ntps = nan\n",
     "test.toml:4:7: keys.tps: out of range; write something from 0 to 1000000\n"},
    {"environment variable not set", openai_and("").replace(openai_and("").find("sk-x"), 4, "env:NOT_SET"),
     "test.toml:4:11: connections.api_key: environment variable NOT_SET is not set; set it where the "
     "gateway is started, or write the value, or a file: with it\n"},
    {"environment variable empty", openai_and("").replace(openai_and("").find("sk-x"), 4, "env:EMPTY"),
     "test.toml:4:11: connections.api_key: environment variable EMPTY is empty; set it where the "
     "gateway is started, or write the value, or a file: with it\n"},
    {"variable of a shell", openai_and("").replace(openai_and("").find("sk-x"), 4, "${API_KEY}"),
     "test.toml:4:11: connections.api_key: a variable of the environment is written as in \"env:API_KEY\", without $ "
     "and braces\n"},
    {"variable of a shell without braces", openai_and("").replace(openai_and("").find("sk-x"), 4, "$API_KEY"),
     "test.toml:4:11: connections.api_key: a variable of the environment is written as in \"env:API_KEY\", without $ "
     "and braces\n"},
    {"no environment variable", openai_and("").replace(openai_and("").find("sk-x"), 4, "env:a-b"),
     "test.toml:4:11: connections.api_key: after env: stands the name of an environment variable, as in "
     "\"env:API_KEY\"\n"},
    {"file not there", openai_and("").replace(openai_and("").find("sk-x"), 4, "file:no/such"),
     "test.toml:4:11: connections.api_key: file /etc/llmgw/no/such cannot be read: No such file or directory\n"},
    {"file empty", openai_and("").replace(openai_and("").find("sk-x"), 4, "file:/blank"),
     "test.toml:4:11: connections.api_key: file /blank is empty\n"},
    {"file without a name", openai_and("").replace(openai_and("").find("sk-x"), 4, "file:"),
     "test.toml:4:11: connections.api_key: after file: stands a path, as in \"file:/run/secrets/api-key\"\n"},
    {"secret of several lines", openai_and("").replace(openai_and("").find("sk-x"), 4, "file:/two-lines"),
     "test.toml:4:11: connections.api_key: has a control character (a line break?)\n"},
    {"secret that is not ASCII", openai_and("").replace(openai_and("").find("sk-x"), 4, "schlüssel"),
     "test.toml:4:11: connections.api_key: has a character that is not visible ASCII and cannot stand in a header\n"},
    {"secret of a wrong type", connection("provider = \"openai\"\napi_key = 12345\n"),
     "test.toml:4:11: connections.api_key: expected a string in quotes, best as \"env:NAME\" or \"file:PATH\", found "
     "an "
     "integer\n"},
    {"key too short", "[[keys]]\nname = \"j\"\nkey = \"1234567\"\n",
     "test.toml:3:7: keys.key: is shorter than 8 characters\n"},
    {"key with a space", "[[keys]]\nname = \"j\"\nkey = \"1234 5678\"\n",
     "test.toml:3:1: keys.key: has a space; no client can send that\n"},
    {"too long", "[[keys]]\nname = \"" + std::string(101, 'n') + "\"\nkey = \"abcdefgh\"\n",
     "test.toml:2:8: keys.name: is longer than 100 bytes\n"},
    {"headers of a wrong type", openai_and("headers = \"x\"\n"),
     "test.toml:5:11: connections.headers: expected a table such as { Name = \"value\" }, found a string\n"},
    {"header names", openai_and("headers = { \"a b\" = \"x\", \"ok\" = \"y\", Host = \"z\" }\n"),
     "test.toml:5:13: connections.headers: a header's name has only letters, digits and '-'\n"
     "test.toml:5:38: connections.headers: header host is written by the gateway itself; remove it\n"},
    {"header of the gateway", openai_and("headers = { Host = \"x\" }\n"),
     "test.toml:5:13: connections.headers: header host is written by the gateway itself; remove it\n"},
    {"header twice", openai_and("headers = { a-b = \"x\", A-B = \"y\" }\n"),
     "test.toml:5:24: connections.headers: header a-b is given twice\n"},
    {"header and credential", openai_and("headers = { Authorization = \"x\" }\n"),
     "test.toml:5:1: connections.headers: headers sets 'authorization', which the connection's credential sets "
     "already\n"},
    {"required key", "[[connections]]\nname = \"c\"\n",
     "test.toml:1:1: connections: needs provider, for example provider = \"openai\"\n"},
    {"listen address", "[server]\nlisten = \"8080\"\n",
     "test.toml:2:1: server.listen: not an address; write \"host:port\", \"[ipv6]:port\", \"*:port\" or "
     "\"unix:/path\"\n"},
    {"listen port", "[server]\nlisten = \"a:65536\"\n",
     "test.toml:2:1: server.listen: the port must be a number from 0 to 65535\n"},
    {"listen twice", "[server]\nlisten = [\"a:1\", \"a:1\"]\n",
     "test.toml:2:1: server.listen: the same address is listed twice\n"},
    {"listen socket", "[server]\nlisten = \"unix:x\"\n",
     "test.toml:2:1: server.listen: a unix socket needs an absolute path of at most 107 bytes, as in "
     "\"unix:/run/llm-gateway.sock\"\n"},
    {"admin on the same address", "[server]\nlisten = \"a:1\"\nadmin_listen = \"a:1\"\n",
     "test.toml:3:1: server.admin_listen: is also in listen; choose another port, or leave it out\n"},
    {"trusted proxies", "[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"ten\"]\n",
     "test.toml:2:1: server.trusted_proxies: not an address or network; write \"10.0.0.0/8\", \"fd00::/8\" or a single "
     "address\n"},
    {"trusted proxies' prefix", "[server]\ntrusted_proxies = [\"10.0.0.0/33\"]\n",
     "test.toml:2:1: server.trusted_proxies: the network's prefix must be a number from 0 to 32\n"},
    {"certificate without key", "[server.tls]\ncertificate = \"/pem\"\n",
     "test.toml:2:1: server.tls.certificate: needs key beside it\n"},
    {"client_ca alone", "[server.tls]\nclient_ca = \"/pem\"\n",
     "test.toml:2:1: server.tls.client_ca: needs certificate and key beside it\n"},
    {"certificate not there", "[server.tls]\ncertificate = \"/none\"\nkey = \"/pem\"\n",
     "test.toml:2:1: server.tls.certificate: file /none cannot be read: No such file or directory\n"},
    {"metrics without key", "[metrics]\npublic = false\n",
     "test.toml:2:1: metrics.public: metrics that are not public need key = \"env:METRICS_KEY\"\n"},
    {"proxy", "[upstream]\nproxy = \"proxy:3128\"\n",
     "test.toml:2:1: upstream.proxy: not a proxy; write \"environment\", \"none\" or "
     "\"http://[user:password@]host:port\"\n"},
    {"ttl", "[upstream]\ndns_ttl_min = \"10m\"\n", "test.toml:2:1: upstream.dns_ttl_min: is longer than dns_ttl_max\n"},
    {"upstream tls pair", "[upstream.tls]\nclient_key = \"/pem\"\n",
     "test.toml:2:1: upstream.tls.client_key: needs client_certificate beside it\n"},
    {"connection tls", openai_and("tls = { ca_file = \"/none\" }\n"),
     "test.toml:5:9: connections.tls.ca_file: file /none cannot be read: No such file or directory\n"},
    {"tls of a wrong type", openai_and("tls = true\n"),
     "test.toml:5:1: connections.tls: expected a table, found a boolean; write [connections.tls]\n"},
    {"provider", connection("provider = \"opnai\"\n"),
     "test.toml:3:1: connections.provider: no such provider; did you mean \"openai\"? (there are openai, "
     "openai-compatible, bedrock-mantle, cerebras, deepseek, fireworks, groq, llamacpp, mistral, moonshot, nvidia, "
     "ollama, openrouter, sglang, together, vllm, xai, azure, anthropic, google, vertex, bedrock, cohere)\n"},
    {"half of AWS's credential", connection("provider = \"bedrock\"\nregion = \"r\"\naccess_key_id = \"AKID\"\n"),
     "test.toml:1:1: connections.secret_access_key: access_key_id and secret_access_key belong together; give both\n"},
    {"region", connection("provider = \"bedrock\"\napi_key = \"k\"\n"),
     "test.toml:1:1: connections.region: provider 'bedrock' needs region = \"...\", or an endpoint of its own\n"},
    {"AWS's keys elsewhere", openai_and("session_token = \"t\"\n"),
     "test.toml:5:1: connections.session_token: is only for bedrock; remove it, or correct provider\n"},
    {"vendor", openai_and("vendor = \"vlm\"\n"),
     "test.toml:5:1: connections.vendor: is unknown; write the name of a provider of OpenAI's API\n"},
    {"a token in the place of a key", connection("provider = \"google\"\napi_key = \"ya29.a\"\n"),
     "test.toml:4:1: connections.api_key: holds an OAuth access token; write it as access_token = \"...\" instead\n"},
    {"credential", connection("provider = \"anthropic\"\n"),
     "test.toml:1:1: connections.api_key: provider 'anthropic' needs a credential; add api_key = \"env:NAME\" or "
     "\"file:PATH\"\n"},
    {"endpoint missing", connection("provider = \"vllm\"\n"),
     "test.toml:1:1: connections.endpoint: provider 'vllm' needs endpoint = \"https://...\" (it has no address of its "
     "own)\n"},
    {"endpoint", connection("provider = \"vllm\"\nendpoint = \"engine:8000\"\n"),
     "test.toml:4:1: connections.endpoint: the endpoint must start with \"https://\", \"http://\" or \"unix:/\"\n"},
    {"key of another provider", openai_and("location = \"eu\"\n"),
     "test.toml:5:1: connections.location: is only for vertex; remove it, or correct provider\n"},
    {"service account", connection("provider = \"vertex\"\nservice_account_file = \"/pem\"\n"),
     "test.toml:4:1: connections.service_account_file: the credentials file is not a JSON object\n"},
    {"service account that is not there", connection("provider = \"vertex\"\nservice_account_file = \"/none\"\n"),
     "test.toml:4:1: connections.service_account_file: file /none cannot be read: No such file or directory\n"},
    {"service account elsewhere",
     connection("provider = \"vllm\"\nendpoint = \"http://e\"\nservice_account_file = \"/pem\"\n"),
     "test.toml:5:1: connections.service_account_file: is only for vertex; remove it, or correct provider\n"},
    {"connection twice", openai_and("") + openai_and(""),
     "test.toml:6:1: connections.name: 'c' is already the name of the connection on line 1\n"},
    {"session by a header that cannot be",
     openai_and("[[models]]\nname = \"m\"\nconnection = \"c\"\n[[routes]]\nmodels = [\"m\"]\nsession = "
                "\"header:a b\"\n"),
     "test.toml:10:1: routes.session: 'header:a b' is no kind of session; write none, key, user, conversation or "
     "header:NAME, with the name of a header\n"},
    {"connection of a model", openai_and("[[models]]\nname = \"m\"\nconnection = \"d\"\n"),
     "test.toml:7:1: models.connection: there is no connection 'd'; did you mean 'c'?\n"},
    {"connection of a model, nothing near", "[[models]]\nname = \"m\"\nconnection = \"d\"\n",
     "test.toml:3:1: models.connection: there is no connection 'd'; add a [[connections]] entry of that name\n"},
    {"model twice",
     openai_and("[[models]]\nname = \"m\"\nconnection = \"c\"\n[[models]]\nname = \"m\"\nconnection = \"c\"\n"),
     "test.toml:9:1: models.name: 'm' is already served by this connection on line 5; name another connection or "
     "remove "
     "one of the two\n"},
    {"deployment elsewhere", openai_and("[[models]]\nname = \"m\"\nconnection = \"c\"\ndeployment = \"d\"\n"),
     "test.toml:8:1: models.deployment: is only for azure connections; use remote\n"},
    {"key name twice", "[[keys]]\nname = \"k\"\nkey = \"abcdefgh\"\n",
     "test.toml:6:1: keys.name: 'k' is already the name of the key on line 1\n"},
    {"same key twice", "[[keys]]\nname = \"j\"\nkey = \"12345678\"\n",
     "test.toml:7:1: keys.key: is the same key as on line 1; every entry needs its own\n"},
};

TEST(Config, Errors) {
  const TestWorld world{.variables = {{"EMPTY", ""}},
                        .files = {{"/blank", "\n"}, {"/two-lines", "a\nb\n"}, {"/pem", "x"}}};
  for (const auto& each : kErrorCases) {
    SCOPED_TRACE(each.what);
    EXPECT_EQ(world.errors(each.text + std::string(kKeys)), each.expected);
  }
}

TEST(Config, AnonymousMustBeSaid) {
  EXPECT_EQ(TestWorld{}.errors("[store]\nurl = \"none\"\n"),
            "test.toml:1:1: there are no [[keys]] and no store, so no client could call: add one, or write "
            "allow_anonymous = true under [server] to serve everybody who can connect\n");
  EXPECT_EQ(TestWorld{}.errors(""), "") << "keys may come into the store";
  EXPECT_EQ(TestWorld{}.errors("[server]\nallow_anonymous = true\n"), "");
}

TEST(Config, CollectsSortedAndBounded) {
  const auto errors =
      TestWorld{}.errors("[server]\nworkers = \"x\"\nbogus = 1\n[log]\nlevel = 3\n[store]\nurl = \"none\"\n");
  EXPECT_THAT(errors, testing::StartsWith("test.toml:1:2: there are no [[keys]]"));
  EXPECT_THAT(errors, HasSubstr("\ntest.toml:2:11: server.workers"));
  EXPECT_THAT(errors, HasSubstr("\ntest.toml:3:1: server: unknown key 'bogus'\n"));
  EXPECT_THAT(errors, HasSubstr("\ntest.toml:5:9: log.level"));
  std::string many = "[server]\nallow_anonymous = true\n";
  for (int i = 0; i < 60; ++i) many += "zz" + std::to_string(i) + " = 1\n";
  const auto config = TestWorld{}.load(many);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().all().size(), ConfigErrors::kErrorsMax);
  EXPECT_THAT(format_errors(config.error(), "f"), testing::EndsWith("\nand 10 more\n"));
}

TEST(Config, TooLarge) {
  EXPECT_EQ(TestWorld{}.errors(std::string(kConfigBytesMax + 1, '#')),
            "test.toml:1:1: the file is larger than 16 MiB\n");
}

// Wherever a secret is written, rightly or wrongly, no output repeats it.
TEST(Config, CanarySecretsNeverAppear) {
  const std::string canary = "canary-0b5cc1";
  const TestWorld world{.variables = {{"CANARY", canary}},
                        .files = {{"/canary", canary + "\n"}, {"/two", canary + "\nx"}}};
  const std::string places[] = {"\"" + canary + "\"",
                                "\"env:CANARY\"",
                                "\"file:/canary\"",
                                "\"file:/two\"",
                                canary,
                                "'" + canary,
                                "\"" + canary,
                                "\"" + canary + "ü\"",
                                "\"" + canary + "\\n\"",
                                "\"" + canary + "\\q\"",
                                "\"" + canary + " x\"",
                                "[\"" + canary + "\"]",
                                "{ a = \"" + canary + "\" }",
                                "\"env:" + canary + " x\"",
                                "\"\"\"" + canary + "\"\"\"",
                                "true" + canary,
                                "0x" + canary,
                                "\"http://u:" + canary + "@host:1\"",
                                "\"https://host/?k=" + canary + "\"",
                                "1979-" + canary,
                                "-" + canary,
                                "\"" + canary + "\" \"" + canary + "\"",
                                canary + " = " + canary};
  const std::string_view settings[] = {
      "[[connections]]\nname = \"c\"\nprovider = \"openai\"\napi_key = ",
      "[[connections]]\nname = \"c\"\nprovider = ",
      "[[connections]]\nname = \"c\"\nprovider = \"vllm\"\nendpoint = ",
      "[[keys]]\nname = \"x\"\nkey = ",
      "[metrics]\nkey = ",
      "[upstream]\nproxy = ",
      "[log]\nlevel = ",
      "[server]\nworkers = ",
      "[server]\nidle_timeout = ",
      "[server]\nlisten = ",
      "[server]\nmax_body_bytes = ",
      "[server]\ntrusted_proxies = ",
      "[[connections]]\nname = \"c\"\nprovider = \"vllm\"\nendpoint = \"http://h\"\nheaders.x-secret = ",
      "[[connections]]\nname = \"c\"\nprovider = \"openai\"\naccess_token = ",
      "[[keys]]\nname = \"y\"\ntps = "};
  size_t accepted = 0;
  for (const auto setting : settings) {
    for (const auto& place : places) {
      const std::string text = std::string(setting) + place + std::string(kKeys);
      const auto config = world.load(text);
      if (!config) {
        EXPECT_THAT(format_errors(config.error(), "f"), Not(HasSubstr(canary))) << text;
        continue;
      }
      ++accepted;
      EXPECT_THAT(show_config(*config, "f"), Not(HasSubstr(canary))) << text;
    }
  }
  EXPECT_GT(accepted, 20u);
}

}  // namespace
}  // namespace llmgw::control
