#include "admin/engines/engine_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>

#include "admin/engines/engine_api.h"
#include "admin/engines/engine_check.h"
#include "control/config_loader.h"
#include "control/reload.h"

namespace llmgw::admin {
namespace {

base::Instant at(int64_t seconds) {
  return base::Instant(std::chrono::seconds(1000 + seconds));
}

EngineOffer offer(std::string_view name, std::string_view more = "") {
  auto read = read_engine_offer("{\"name\":\"" + std::string(name) +
                                "\",\"endpoint\":\"http://10.0.0.1:8000/v1\",\"models\":[\"a\",{\"name\":\"b\","
                                "\"remote\":\"B\"}],\"lifetime\":\"10s\"" +
                                std::string(more) + "}");
  EXPECT_TRUE(read) << read.error();
  return read.value_or(EngineOffer{});
}

TEST(EngineRegistry, IsThereAsLongAsItIsHeardOf) {
  EngineRegistry registry;
  int changes = 0;
  registry.on_change([&] { ++changes; });
  const auto made = registry.put(offer("e"), at(0));
  ASSERT_TRUE(made && made->is_new);
  EXPECT_EQ(changes, 1);
  EXPECT_EQ(registry.heartbeat("e", made->token, at(9)), EngineRegistry::Heard::yes);
  EXPECT_EQ(registry.heartbeat("e", "eng-other", at(9)), EngineRegistry::Heard::wrong_token);
  EXPECT_TRUE(registry.expire(at(18)).empty());
  EXPECT_EQ(changes, 1);  // being heard of is no news
  EXPECT_EQ(registry.expire(at(19)), (std::vector<std::string>{"e"}));
  EXPECT_EQ(changes, 2);
  EXPECT_EQ(registry.heartbeat("e", made->token, at(20)), EngineRegistry::Heard::unknown);
  EXPECT_TRUE(registry.objects().empty());
}

// Whatever it sends instead, it is told which token is meant.
TEST(EngineRegistry, AHeartbeatWithAnotherTokenIsToldWhichOneItTakes) {
  EngineRegistry registry;
  const std::string token = registry.put(offer("e"), at(0))->token;
  // admin.engine_token, an administrator's key, and neither.
  for (const auto& [may_register, role] : {std::pair(true, ""), std::pair(true, "owner"), std::pair(false, "")}) {
    EngineCall call{.method = http::Method::post,
                    .path = "/admin/v1/engines/e/heartbeat",
                    .body = {},
                    .token = "another one",
                    .may_register = may_register,
                    .role = role};
    const ApiAnswer answer = answer_engines(registry, call, at(1));
    EXPECT_EQ(answer.status, 401);
    EXPECT_NE(answer.body.find("send the token that the registration of 'e' returned"), std::string::npos)
        << answer.body;
    call.token = token;
    EXPECT_EQ(answer_engines(registry, call, at(1)).status, 200);
  }
}

TEST(EngineRegistry, TheSameAgainKeepsItsTokenAndAnotherOfferIsNews) {
  EngineRegistry registry;
  int changes = 0;
  registry.on_change([&] { ++changes; });
  const auto made = registry.put(offer("e"), at(0));
  const auto again = registry.put(offer("e"), at(1));
  EXPECT_EQ(made->token, again->token);
  EXPECT_FALSE(again->is_new);
  EXPECT_EQ(changes, 1);
  registry.put(offer("e", ",\"weight\":3"), at(2));
  EXPECT_EQ(changes, 2);
  const std::string_view wrong = "eng-0";
  EXPECT_EQ(registry.remove("e", &wrong), EngineRegistry::Heard::wrong_token);
  EXPECT_EQ(registry.remove("e", nullptr), EngineRegistry::Heard::yes);
  EXPECT_EQ(changes, 3);
}

TEST(EngineRegistry, BecomesAConnectionAndItsModels) {
  EngineRegistry registry;
  registry.put(offer("e", ",\"metrics_path\":\"/metrics\""), at(0));
  const auto objects = registry.objects();
  ASSERT_EQ(objects.size(), 3U);
  EXPECT_EQ(objects[0].kind, "connection");
  EXPECT_NE(objects[0].document.find("\"provider\":\"vllm\""), std::string::npos);
  EXPECT_NE(objects[0].document.find("\"metrics_path\":\"/metrics\""), std::string::npos);
  EXPECT_EQ(objects[0].document.find("lifetime"), std::string::npos);
  EXPECT_EQ(objects[1].name, "a");
  EXPECT_EQ(objects[2].document, "{\"name\":\"b\",\"connection\":\"e\",\"remote\":\"B\"}");
}

class EngineCheck : public testing::Test {
 protected:
  EngineCheck()
      : environment_(control::real_environment("/etc/llm-gateway/test.toml")),
        file_(*control::load_config("[server]\nallow_anonymous = true\n[[connections]]\nname = \"cloud\"\n"
                                    "provider = \"openai\"\napi_key = \"k\"\n",
                                    environment_)),
        stored_{.objects = {{.id = "conn_other",
                             .kind = "connection",
                             .name = "of-the-store",
                             .natural_key = "of-the-store",
                             .document = R"({"name":"of-the-store","provider":"vllm","endpoint":"http://s"})",
                             .version = 1}},
                .secrets = control::secrets_of_none()} {}

  std::string refusal(std::string_view fields) {
    const auto offer = read_engine_offer("{\"models\":[\"m\"]," + std::string(fields) + "}");
    if (!offer) return "unread " + offer.error();
    const auto refused = refuse_engine(*offer, {.file = file_, .stored = &stored_, .environment = environment_});
    return refused ? std::to_string(refused->status) + " " + refused->body : "";
  }

  control::Environment environment_;
  control::Config file_;
  control::StoredObjects stored_;
};

TEST_F(EngineCheck, RefusesWhatCouldNeverServe) {
  using testing::HasSubstr;
  EXPECT_EQ(refusal(R"("name":"e","endpoint":"http://10.0.0.1:8000/v1","priority":2,"probe_path":"/health")"), "");
  EXPECT_EQ(refusal(R"("name":"e","endpoint":"http://e","tls":{"verify":false})"), "");
  EXPECT_THAT(refusal(R"("name":"e","endpoint":"http://e","provider":"vlm")"),
              HasSubstr("400 {\"error\":{\"message\":\"provider: no such provider; did you mean \\\"vllm\\\"?"));
  EXPECT_THAT(refusal(R"("name":"e","endpoint":"10.0.0.1:8000/v1")"),
              HasSubstr("400 {\"error\":{\"message\":\"endpoint"));
  EXPECT_THAT(refusal(R"("name":"e","endpoint":"http://e","weight":-1)"), HasSubstr("\"weight"));
  EXPECT_THAT(refusal(R"("name":"e","endpoint":"http://e","weight":"many")"), HasSubstr("\"weight"));
  EXPECT_THAT(refusal(R"("name":"e","endpoint":"http://e","provider":"anthropic")"), HasSubstr("400 "));
  EXPECT_THAT(refusal(R"("name":"e","endpoint":"https://e","tls":{"ca_file":"/does/not/exist"})"),
              HasSubstr("/does/not/exist"));
  EXPECT_THAT(refusal(R"("name":"e","endpoint":"https://e","tls":{"ca_file":"/etc/hostname"})"), HasSubstr("tls: "));
}

TEST_F(EngineCheck, RefusesAModelThatIsThereTwice) {
  const auto offer = read_engine_offer(R"({"name":"e","endpoint":"http://e","models":["a","a"]})");
  const auto refused = refuse_engine(*offer, {.file = file_, .environment = environment_});
  ASSERT_TRUE(refused);
  EXPECT_THAT(refused->body, testing::HasSubstr("models: 'a': there is another of the same name"));
}

TEST_F(EngineCheck, TakesNobodysName) {
  using testing::HasSubstr;
  EXPECT_THAT(refusal(R"("name":"cloud","endpoint":"http://e")"), HasSubstr("409 "));
  EXPECT_THAT(refusal(R"("name":"of-the-store","endpoint":"http://e")"), HasSubstr("409 "));
  EXPECT_THAT(refusal(R"("name":"conn_123456789012345678901","endpoint":"http://e")"), HasSubstr("400 "));
}

// The name may be another's only after it was registered.
TEST_F(EngineCheck, ModelsNeverComeToStandOnSomebodyElsesConnection) {
  for (const std::string name : {"cloud", "of-the-store"}) {
    const auto offer = read_engine_offer("{\"name\":\"" + name + "\",\"endpoint\":\"http://e\",\"models\":[\"m\"]}");
    control::StoredObjects all = stored_;
    std::ranges::move(engine_objects(*offer), std::back_inserter(all.objects));
    const auto merged = control::merge_snapshot(file_, &all, environment_, {.hash_key = {1, 2}});
    ASSERT_TRUE(merged);
    EXPECT_TRUE(merged->snapshot->models.empty());
    EXPECT_EQ(merged->snapshot->connections.size(), 2U);
    EXPECT_EQ(merged->notes.size(), 2U);  // of the connection, and of its model
  }
}

TEST(EngineRegistry, SaysWhatIsWrongWithAnOffer) {
  const auto fault = [](std::string_view body) { return read_engine_offer(body).error().substr(0, 9); };
  EXPECT_EQ(fault("[]"), "the body ");
  EXPECT_EQ(read_engine_offer("{\"name\":").error(), "the body is not JSON: incomplete JSON");
  EXPECT_EQ(read_engine_offer(R"({"name":"e","endpoint":"http://e","models":["a"],"wieght":3})").error(),
            "wieght: unknown field; did you mean 'weight'?");
  EXPECT_EQ(fault("{}"), "name: a t");
  for (const char* name : {"../x", "..", "a/./b", "/a", "a/", "a//b", "."}) {
    EXPECT_EQ(fault("{\"name\":\"" + std::string(name) + "\"}"), "name: it ") << name;
  }
  EXPECT_EQ(fault(R"({"name":"team/e..1 %?"})"), "endpoint:");
  EXPECT_EQ(fault(R"({"name":"e"})"), "endpoint:");
  EXPECT_EQ(fault(R"({"name":"e","endpoint":"http://e"})"), "models: t");
  EXPECT_EQ(fault(R"({"name":"e","endpoint":"http://e","models":[1]})"), "models: a");
  EXPECT_EQ(fault(R"({"name":"e","endpoint":"http://e","models":["a"],"lifetime":"0s"})"), "lifetime:");
  EXPECT_EQ(fault(R"({"name":"e","endpoint":"http://e","models":["a"],"api_key":"x"})"), "api_key: ");
  EXPECT_EQ(fault(R"({"name":"e","endpoint":"http://e","models":["a"],"service_account_file":"/x"})"), "service_a");
  EXPECT_EQ(fault(R"({"name":"e","endpoint":"http://e","models":["a"],"tls":{"client_key":"/x"}})"), "tls.clien");
}

}  // namespace
}  // namespace llmgw::admin
