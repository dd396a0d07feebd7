#include "admin/engines/engine_registry.h"

#include <gtest/gtest.h>

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

TEST(EngineRegistry, SaysWhatIsWrongWithAnOffer) {
  const auto fault = [](std::string_view body) { return read_engine_offer(body).error().substr(0, 9); };
  EXPECT_EQ(fault("[]"), "the body ");
  EXPECT_EQ(read_engine_offer("{\"name\":").error(), "the body is not JSON: incomplete JSON");
  EXPECT_EQ(read_engine_offer(R"({"name":"e","endpoint":"http://e","models":["a"],"wieght":3})").error(),
            "wieght: unknown field; did you mean 'weight'?");
  EXPECT_EQ(fault("{}"), "name: a t");
  EXPECT_EQ(fault(R"({"name":"e"})"), "endpoint:");
  EXPECT_EQ(fault(R"({"name":"e","endpoint":"http://e"})"), "models: t");
  EXPECT_EQ(fault(R"({"name":"e","endpoint":"http://e","models":[1]})"), "models: a");
  EXPECT_EQ(fault(R"({"name":"e","endpoint":"http://e","models":["a"],"lifetime":"0s"})"), "lifetime:");
  EXPECT_EQ(fault(R"({"name":"e","endpoint":"http://e","models":["a"],"api_key":"x"})"), "api_key: ");
}

}  // namespace
}  // namespace llmgw::admin
