#include "simulator/arguments.h"

#include <gtest/gtest.h>

namespace llmgw::simulator {
namespace {

TEST(Arguments, DefaultsAreOneInstance) {
  const auto options = read_arguments({});
  ASSERT_TRUE(options) << options.error();
  ASSERT_EQ(options->instances.size(), 1u);
  EXPECT_EQ(options->instances[0].listen, "127.0.0.1:8081");
  EXPECT_EQ(options->instances[0].options.name, "simulator");
  EXPECT_EQ(options->instances[0].options.engine.kv_blocks, 16'384u);
}

TEST(Arguments, AFleetCountsPortsAndTakesSpeedsInTurn) {
  SimulateArguments arguments;
  arguments.listen = {"127.0.0.1:9000"};
  arguments.instances = 3;
  arguments.decode_speed = {100, 10};
  const auto options = read_arguments(arguments);
  ASSERT_TRUE(options) << options.error();
  ASSERT_EQ(options->instances.size(), 3u);
  EXPECT_EQ(options->instances[2].listen, "127.0.0.1:9002");
  EXPECT_EQ(options->instances[1].options.name, "simulator-2");
  EXPECT_EQ(options->instances[1].options.engine.decode_tokens_per_second, 10);
  EXPECT_EQ(options->instances[2].options.engine.decode_tokens_per_second, 100);
}

TEST(Arguments, SayWhatIsWrong) {
  const auto message = [](auto change) {
    SimulateArguments arguments;
    change(arguments);
    const auto options = read_arguments(arguments);
    return options ? std::string("accepted") : options.error();
  };
  using A = SimulateArguments;
  EXPECT_EQ(message([](A& a) { a.answers = "song"; }), "--answers takes words, unicode or echo");
  EXPECT_EQ(message([](A& a) { a.tokens_min = 97; }), "--tokens-min is larger than --tokens-max");
  EXPECT_EQ(message([](A& a) { a.faults = {"explode"}; }), "--fault 'explode': unknown fault 'explode'");
  EXPECT_EQ(message([](A& a) { a.listen = {"nowhere"}; }), "--listen nowhere: not HOST:PORT with a numeric host");
  EXPECT_EQ(message([](A& a) { a.decode_speed = {-1}; }), "--decode-speed takes tokens a second, 0 for no limit");
  EXPECT_EQ(message([](A& a) { a.kv_blocks = 0; }), "--kv-blocks takes 1 to 16777216");
  EXPECT_EQ(message([](A& a) { a.block_tokens = 0; }), "--block-tokens takes 1 to 4096");
  EXPECT_EQ(message([](A& a) { a.running_max = 0; }), "--running-max takes 1 to 65536");
  EXPECT_EQ(message([](A& a) { a.listen = {"127.0.0.1:65535"}, a.instances = 2; }),
            "--instances goes beyond port 65535");
  EXPECT_EQ(message([](A& a) { a.listen = {"127.0.0.1:1", "127.0.0.1:2"}, a.instances = 2; }),
            "--instances goes with one --listen; give either");
  EXPECT_EQ(message([](A& a) { a.tokens_min = a.tokens_max = 5; }), "accepted");
}

}  // namespace
}  // namespace llmgw::simulator
