// The command line: every subcommand, its options and its help. What they do is in one file each.
#include <CLI/CLI.hpp>
#include <iostream>
#include <optional>

#include "app/commands.h"
#include "app/completion.h"
#include "app/config_command.h"
#include "app/ledger_command.h"
#include "app/object_commands.h"
#include "app/route_command.h"
#include "app/service/config_path.h"
#include "app/service/process_setup.h"
#include "app/service/service.h"
#include "app/simulate_command.h"
#include "app/usage/usage.h"
#include "simulator/arguments.h"

namespace llmgw::app {
namespace {

constexpr const char* kConfigHelp =
    "The configuration file; without it $LLM_GATEWAY_CONFIG, ./llm-gateway.toml, /etc/llm-gateway/llm-gateway.toml";
constexpr double kStopSeconds = 60;  // twice the default of server.drain_timeout

// The subcommand that was given runs after everything is parsed.
using Run = std::function<int()>;

std::string examples(std::string_view text) {
  return "\nExamples:\n" + std::string(text);
}

void add_target(CLI::App& command, Target& target) {
  command.add_option("--config,-c", target.config, kConfigHelp)->type_name("FILE");
  command.add_option("--data-dir", target.data_dir, "The gateway's server.data_dir, to do without its configuration")
      ->type_name("DIR");
}

void add_serve(CLI::App& app, Run& run) {
  auto arguments = std::make_shared<ServeArguments>();
  const auto add_options = [arguments](CLI::App& command) {
    command.add_option("--config,-c", arguments->config, kConfigHelp)->type_name("FILE");
    command
        .add_option("--listen,-l", arguments->listen,
                    "Where clients connect, instead of server.listen; may be repeated")
        ->type_name("ADDRESS");
  };
  CLI::App* serve = app.add_subcommand("serve", "Run the gateway in the foreground");
  add_options(*serve);
  serve->footer(
      examples("  llm-gateway serve --config gateway.toml\n"
               "  llm-gateway serve --listen 0.0.0.0:8080 --listen unix:/run/llm-gateway/api.sock\n"
               "SIGTERM and Ctrl-C drain: running requests finish, at most for server.drain_timeout. SIGHUP reloads."));
  serve->callback([arguments, &run] { run = [arguments] { return run_serve(*arguments); }; });

  CLI::App* start = app.add_subcommand("start", "Run the gateway; one that runs already hands its sockets over");
  add_options(*start);
  start->add_flag("--daemon,-d", arguments->daemon, "In the background; returns when it serves");
  start
      ->add_option("--log-file", arguments->log_file,
                   "Where a daemon's output goes; llm-gateway.log in the data directory")
      ->type_name("FILE");
  start->footer(
      examples("  llm-gateway start --daemon --config gateway.toml\n"
               "A second start takes the running gateway's place; no connection is refused meanwhile."));
  start->callback([arguments, &run] { run = [arguments] { return run_start(*arguments); }; });
}

void add_remote(CLI::App& app, Run& run) {
  auto target = std::make_shared<Target>();
  CLI::App* stop = app.add_subcommand("stop", "Drain the running gateway and wait until it has ended");
  add_target(*stop, *target);
  auto seconds = std::make_shared<double>(kStopSeconds);
  constexpr double kStopSecondsMax = 86'400;
  expect_number(stop->add_option("--timeout,-t", *seconds, "How many seconds to wait"), 0, kStopSecondsMax)
      ->capture_default_str()
      ->type_name("SECONDS");
  stop->callback([=, &run] {
    run = [=] {
      const std::chrono::duration<double> limit(*seconds);
      return run_stop(*target, std::chrono::duration_cast<llmgw::base::Duration>(limit));
    };
  });

  CLI::App* reload = app.add_subcommand("reload", "Read the configuration again, whole or not at all");
  add_target(*reload, *target);
  auto force = std::make_shared<bool>(false);
  reload->add_flag("--force", *force, "Also a file that is empty, or without the last connection, model or key");
  reload->footer("\nPrints what changed, or every fault; after a fault the old configuration stays in force.");
  reload->callback([=, &run] { run = [=] { return run_reload(*target, *force); }; });

  CLI::App* status = app.add_subcommand("status", "What the running gateway is doing");
  add_target(*status, *target);
  auto json = std::make_shared<bool>(false);
  status->add_flag("--json,-j", *json, "As a JSON object");
  status->callback([=, &run] { run = [=] { return run_status(*target, *json); }; });

  CLI::App* upgrade = app.add_subcommand("upgrade", "Replace the running process by a new one from the program's file");
  add_target(*upgrade, *target);
  auto trial = std::make_shared<double>(std::chrono::duration<double>(kSuccessorTrial).count());
  CLI::Option* const given = upgrade->add_option(
      "--trial", *trial, "How many seconds both serve; if the new process ends within them, the old one goes on");
  expect_number(given, 0, std::chrono::duration<double>(kSuccessorTrialMax).count())
      ->capture_default_str()
      ->type_name("SECONDS");
  upgrade->footer(
      examples("  install -m 755 llm-gateway.new /usr/bin/llm-gateway && llm-gateway upgrade\n"
               "The old process hands its listening sockets over and finishes what it has begun."));
  upgrade->callback([=, &run] {
    run = [=] {
      const std::chrono::duration<double> wanted(*trial);
      const auto both_serve = std::chrono::duration_cast<llmgw::base::Duration>(wanted);
      return run_upgrade(*target, *given ? std::optional(both_serve) : std::nullopt);
    };
  });
}

int with_config(const std::string& option, int (*command)(const std::string&, std::ostream&, std::ostream&)) {
  const auto path = choose_config_path(option, real_path_environment());
  if (!path) {
    std::cerr << "llm-gateway: " << path.error() << "\n";
    return kExitUsage;
  }
  return command(path->path, std::cout, std::cerr) == 0 ? kExitOk : kExitUsage;
}

void add_config(CLI::App& app, Run& run) {
  CLI::App* config = app.add_subcommand("config", "Write, check and show configuration files");
  config->require_subcommand(1);
  auto path = std::make_shared<std::string>();
  const auto add_path = [path](CLI::App* command) {
    command->add_option("--config,-c,file", *path, kConfigHelp)->type_name("FILE");
    return command;
  };
  add_path(config->add_subcommand("init", "Write a first configuration, with every setting explained"))
      ->callback([=, &run] {
        run = [=] {
          const std::string data_dir = starter_data_dir(real_path_environment());
          return run_config_init(path->empty() ? kLocalConfig : *path, data_dir, std::cout, std::cerr);
        };
      });
  add_path(config->add_subcommand("validate", "Print every fault with its place and what to write instead"))
      ->callback([=, &run] { run = [=] { return with_config(*path, &run_config_validate); }; });
  add_path(config->add_subcommand("show", "Print all settings in force and where each comes from; never a secret"))
      ->callback([=, &run] { run = [=] { return with_config(*path, &run_config_show); }; });
  auto output = std::make_shared<std::string>();
  CLI::App* litellm =
      config->add_subcommand("import-litellm", "Turn a configuration of LiteLLM's proxy into one of ours");
  litellm->add_option("file", *path, "LiteLLM's config.yaml")->required()->type_name("FILE");
  litellm->add_option("--output,-o", *output, "Where to write it, instead of standard output")->type_name("FILE");
  litellm->footer(
      "\nWhat has no counterpart is listed on standard error.\nExit status: 0, the configuration is written and can be "
      "served by; 1, it is not written; 2, it is written, and\nwhat has to be added first is said.");
  litellm->callback([=, &run] { run = [=] { return run_import_litellm(*path, *output, std::cout, std::cerr); }; });
  config->add_subcommand("reference", "Print the tables of docs/configuration.md")->callback([&run] {
    run = [] { return run_config_reference(std::cout); };
  });
  config->add_subcommand("compatibility", "Print the tables of docs/compatibility.md")->callback([&run] {
    run = [] { return run_config_compatibility(std::cout); };
  });
}

void add_simulate(CLI::App& app, Run& run) {
  auto arguments = std::make_shared<llmgw::simulator::SimulateArguments>();
  CLI::App* command =
      app.add_subcommand("simulate", "Run an engine simulator that answers as OpenAI, Azure, Anthropic and Gemini do");
  const auto number = [command](const char* name, auto& value, const char* help) {
    CLI::Option* const option = command->add_option(name, value, help)->capture_default_str();
    if constexpr (std::is_integral_v<std::remove_reference_t<decltype(value)>>) {
      expect_whole(option, 0);
    } else {
      expect_numbers(option, 0);
    }
  };
  command->add_option("--listen,-l", arguments->listen, "Where to listen; repeated: an instance each, a fleet")
      ->capture_default_str()
      ->type_name("ADDRESS");
  command->add_option("--model,-m", arguments->models, "A model it has; may be repeated; without: every name");
  command->add_option("--api-key", arguments->api_key, "The key it wants; without: none");
  constexpr uint64_t kInstancesMax = 16'384;
  expect_whole(
      command->add_option("--instances", arguments->instances, "So many instances, on the ports from --listen on"), 1,
      kInstancesMax)
      ->capture_default_str();
  command->add_option("--name", arguments->name, "What it calls itself in x-simulator-instance")->capture_default_str();
  number("--prefill-speed", arguments->prefill_speed,
         "Prompt tokens a second; 0: no time at all; several: over the instances in turn");
  number("--decode-speed", arguments->decode_speed,
         "Output tokens a second of one answer; 0: no time at all; several: in turn");
  number("--running-max", arguments->running_max, "Requests worked on at once");
  number("--waiting-max", arguments->waiting_max, "Requests that may wait for them; more are refused");
  number("--kv-blocks", arguments->kv_blocks, "Blocks of the KV cache");
  number("--block-tokens", arguments->block_tokens, "Tokens a block");
  command->add_flag("--no-prefix-cache", arguments->no_prefix_cache, "Never reuse a prompt's prefix");
  number("--context-tokens", arguments->context_tokens, "Longest prompt and answer together");
  number("--embedding-dimensions", arguments->embedding_dimensions, "Length of embeddings");
  number("--seed", arguments->seed, "Of everything random");
  number("--tokens-min", arguments->tokens_min, "Shortest answer");
  number("--tokens-max", arguments->tokens_max, "Longest answer");
  expect_one_of(command->add_option("--answers", arguments->answers,
                                    "Latin words, characters of many bytes, or the prompt again"),
                {"words", "unicode", "echo"})
      ->capture_default_str();
  command->add_option("--fault", arguments->faults, "A fault rule, see docs/simulator.md; may be repeated")
      ->type_name("RULE");
  command->footer(
      examples("  llm-gateway simulate --listen 127.0.0.1:8081 --decode-speed 50\n"
               "  llm-gateway simulate --fault 'status=503; p=0.1' --fault 'cut=after:5; times=3'"));
  command->callback([=, &run] { run = [=] { return run_simulate(*arguments); }; });
}

void add_route_explain(CLI::App& route, Run& run) {
  auto arguments = std::make_shared<RouteExplainArguments>();
  CLI::App* command = route.add_subcommand(
      "explain", "Which instance a call would go to now, and what the others would cost; asks the running gateway");
  command->add_option("--model,-m", arguments->model, "The model, as a client names it")->required();
  command->add_option("--key,-k", arguments->key, "The name of the key that calls: its aliases and its models");
  command->add_option("--owned-by", arguments->owned_by, "Only instances of that owner");
  expect_one_of(command->add_option("--policy,-p", arguments->policy, "Another policy than the route's"),
                route_policies());
  constexpr uint64_t kPromptTokensMax = UINT32_MAX;
  expect_whole(command->add_option("--prompt-tokens,-t", arguments->prompt_tokens, "Length of the prompt"), 0,
               kPromptTokensMax)
      ->capture_default_str();
  command->add_option("--config,-c", arguments->config, "Configuration file")->type_name("FILE");
  command->add_option("--data-dir", arguments->data_dir, "Of the gateway to ask")->type_name("DIR");
  command->add_flag("--offline", arguments->offline, "By the configuration file alone, as if nothing had happened yet");
  command->add_flag("--json,-j", arguments->json, "As a JSON object");
  command->footer(
      examples("  llm-gateway route explain --model chat\n"
               "  llm-gateway route explain --model chat --key frontend --prompt-tokens 20000"));
  command->callback([=, &run] { run = [=] { return run_route_explain(*arguments, std::cout, std::cerr); }; });
}

void add_route(CLI::App& app, Run& run) {
  // Beside the commands of its objects.
  CLI::App* route = app.get_subcommand("route");
  route->description("How calls find an instance: the routes of the store, and what the router would do");
  add_route_explain(*route, run);
  auto arguments = std::make_shared<RouteSimulateArguments>();
  CLI::App* command = route->add_subcommand(
      "simulate", "Run a trace of calls, or a gateway's log, through the router and a simulated fleet");
  const auto number = [command](const char* name, auto& value, const char* help) {
    CLI::Option* const option = command->add_option(name, value, help)->capture_default_str();
    constexpr bool is_whole = std::is_integral_v<std::remove_reference_t<decltype(value)>>;
    return is_whole ? expect_whole(option, 1) : expect_above_zero(option);
  };
  command->add_option("trace", arguments->trace, "Calls, a JSON object a line; docs/routing.md has the format")
      ->required()
      ->type_name("TRACE");
  constexpr uint64_t kEnginesMax = 16'384;
  expect_whole(number("--instances,-n", arguments->instances, "Engines in the fleet"), 1, kEnginesMax);
  number("--blocks,-b", arguments->blocks, "Blocks of each engine's prefix cache");
  number("--block-tokens", arguments->block_tokens, "Tokens a block");
  number("--speed,-s", arguments->speed, "Calls come so many times as fast as in the trace");
  expect_above_zero(command->add_option("--prefill-speed", arguments->prefill_speed,
                                        "Prompt tokens an engine computes a second; without: what a gateway's log "
                                        "tells of its engines, else 8000"));
  expect_number(
      command->add_option("--decode-speed", arguments->decode_speed, "Output tokens a second; 0: no time at all"), 0)
      ->capture_default_str();
  number("--goal,-g", arguments->goal, "Seconds in which a first token counts as in time");
  expect_one_of(command->add_option("--policy,-p", arguments->policy, "How an instance is chosen"), route_policies())
      ->capture_default_str();
  command->add_flag("--all,-a", arguments->all, "Every policy in turn");
  expect_one_of(command->add_option(
                    "--queue,-q", arguments->queue,
                    "Where calls wait: engine (in the engine, first come first served), or in the gateway, until the "
                    "engine is free, in the order of the setting `queue`"),
                {"engine", "fifo", "priority", "slo", "fair"})
      ->capture_default_str();
  number("--queue-max", arguments->queue_max, "Most calls that wait for one engine; others are refused");
  expect_whole(command->add_option("--max-in-flight", arguments->max_in_flight, "Most calls at an engine; 0: learnt"),
               0, UINT16_MAX)
      ->capture_default_str();
  command->add_flag("--refuse-hopeless", arguments->refuse_hopeless, "slo: refuse at once what cannot be in time");
  command->add_flag("--learn-cache", arguments->learn_cache,
                    "Learn the size of caches from answers instead of the engines' metrics");
  expect_whole(command->add_option("--seed", arguments->seed, "Of everything random"), 0)->capture_default_str();
  command->add_flag("--json,-j", arguments->json, "A JSON object a policy");
  command->footer(examples(
      "  llm-gateway route simulate trace.jsonl --instances 8 --blocks 600 --speed 1.3 --goal 2\n"
      "  llm-gateway route simulate trace.jsonl --all --queue engine\n"
      "  llm-gateway route simulate gateway.log --block-tokens 256 --all      decisions of a gateway's log, at "
      "log.level debug"));
  command->callback([=, &run] { run = [=] { return run_route_simulate(*arguments, std::cout, std::cerr); }; });
}

void describe(CLI::App& command, const std::string& name, std::vector<CommandDescription>& out) {
  CommandDescription entry{.name = name, .help = command.get_description(), .options = {}, .subcommands = {}};
  for (CLI::Option* option : command.get_options([](CLI::Option*) { return true; })) {
    OptionDescription described{.names = {}, .words = words_of(*option)};
    for (const std::string& word : option->get_lnames()) described.names.push_back("--" + word);
    for (const std::string& letter : option->get_snames()) described.names.push_back("-" + letter);
    described.takes_value = !described.names.empty() && option->get_items_expected_min() > 0;
    entry.options.push_back(std::move(described));
  }
  const auto children = command.get_subcommands([](CLI::App*) { return true; });
  for (CLI::App* child : children) entry.subcommands.push_back(child->get_name());
  out.push_back(std::move(entry));
  for (CLI::App* child : children) describe(*child, (name.empty() ? "" : name + " ") + child->get_name(), out);
}

void add_completion(CLI::App& app, Run& run) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("completion", "Print the completion script of a shell");
  expect_one_of(command->add_option("shell", *shell, "Whose"), {"bash", "zsh", "fish"})->required();
  command->footer(
      examples("  llm-gateway completion bash > /etc/bash_completion.d/llm-gateway\n"
               "  source <(llm-gateway completion zsh)        in ~/.zshrc\n"
               "  llm-gateway completion fish > ~/.config/fish/completions/llm-gateway.fish"));
  command->callback([&app, shell, &run] {
    run = [&app, shell] {
      std::vector<CommandDescription> commands;
      describe(app, "", commands);
      std::cout << completion_script(*shell, commands);
      return kExitOk;
    };
  });
}

int refuse_usage(const std::string& text) {
  std::cerr << "llm-gateway: " << text << "\n";
  return kExitUsage;
}

int run_main(int argc, char** argv) {
  CLI::App app("One door to every place that runs language models: clients keep the API they speak.", "llm-gateway");
  app.require_subcommand(1);
  app.set_version_flag("--version,-V", "llm-gateway " LLMGW_VERSION);
  app.footer(
      "\nExit status: 0 done; 1 failed; 2 wrong usage or faulty configuration; 3 no gateway runs.\n"
      "A first configuration: llm-gateway config init. Each subcommand has --help.");
  Run run;
  add_serve(app, run);
  add_remote(app, run);
  add_config(app, run);
  add_ledger_command(app, kConfigHelp, run);
  add_object_commands(app, run);
  add_simulate(app, run);
  add_route(app, run);
  app.add_subcommand("version", "Print the version")->callback([&run] { run = &run_version; });
  add_completion(app, run);
  if (const std::string unknown = unknown_subcommand(app, argc, argv); !unknown.empty()) return refuse_usage(unknown);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version end here too, with status 0.
    if (error.get_exit_code() != 0) return refuse_usage(explain_usage(app, error));
    app.exit(error);
    return kExitOk;
  }
  return run();
}

}  // namespace
}  // namespace llmgw::app

int main(int argc, char** argv) {
  // A reload that is asked for while a gateway starts waits until it can be done.
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "serve" || command == "start") llmgw::app::hold_reload();
  try {
    return llmgw::app::run_main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "llm-gateway: " << error.what() << "\n";
    return llmgw::app::kExitFailed;
  }
}
