#include "app/object_commands.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "app/objects/object_client.h"
#include "app/objects/object_text.h"
#include "app/remote.h"
#include "app/service/service.h"
#include "app/usage/usage.h"
#include "base/text.h"
#include "base/time.h"
#include "control/units.h"
#include "json/writer.h"
#include "providers/provider.h"

namespace llmgw::app {
namespace {

using control::ObjectKind;
using Run = std::function<int()>;

constexpr base::Duration kHealthTimeout = std::chrono::seconds(5);

struct Arguments {
  StoreTarget target;
  bool json = false;
  std::string which;  // id or name
  FieldTexts fields;
  std::vector<std::string> unset;
  std::string filter;
  std::string overlap;
  std::string if_match;
  bool cascade = false;
  bool open = false;
  size_t limit = 0;
};
using Shared = std::shared_ptr<Arguments>;

int fail(const std::string& message, int status = kExitFailed) {
  std::cerr << "llm-gateway: " << message << (message.ends_with('\n') ? "" : "\n");
  return status;
}

// The client, or the answer's body; or the exit status after what is wrong has been said.
std::expected<std::unique_ptr<ObjectClient>, int> open(const Arguments& arguments) {
  auto client = open_client(arguments.target);
  if (client) return std::move(*client);
  return std::unexpected(fail(client.error().message, client.error().unreachable ? kExitFailed : kExitUsage));
}

std::expected<std::string, int> call_by(ObjectClient& client, const Arguments& arguments, std::string_view method,
                                        const std::string& path, const std::string& body = {}) {
  auto answer = client.call(method, path, body, arguments.if_match);
  if (!answer) return std::unexpected(fail(answer.error()));
  if (answer->status >= 400) {
    return std::unexpected(fail(error_message(answer->body), answer->status == 400 ? kExitUsage : kExitFailed));
  }
  return std::move(answer->body);
}

std::expected<std::string, int> call(const Arguments& arguments, std::string_view method, const std::string& path,
                                     const std::string& body = {}) {
  const auto client = open(arguments);
  return client ? call_by(**client, arguments, method, path, body) : std::unexpected(client.error());
}

std::string path_of(const ObjectKind& kind, const std::string& which = {}) {
  return std::string(kind.plural) + (which.empty() ? "" : "/" + base::percent_encode(which));
}

int print_object(const Arguments& arguments, const std::expected<std::string, int>& body) {
  if (!body) return body.error();
  std::cout << (arguments.json ? *body + "\n" : show_lines(*body));
  return kExitOk;
}

int print_key(const ObjectKind& kind, const Arguments& arguments, const std::expected<std::string, int>& body) {
  const int status = print_object(arguments, body);
  if (status != kExitOk || arguments.json) return status;
  std::cout << "Keep the key: it is shown this once, and stored only as a hash.\n";
  const std::string expires = member_text(*body, "expires");
  const auto end = control::parse_timestamp(expires);
  if (end && base::real_wall_now() >= base::WallTime(std::chrono::seconds(end->seconds))) {
    std::cout << "It expired at " << expires
              << ", and calls with it are refused until it gets another end: llm-gateway " << kind.command << " update "
              << member_text(*body, "name") << " --expires WHEN\n";
  }
  return status;
}

int run_add(const ObjectKind& kind, const Arguments& arguments) {
  const auto fields = fields_to_json(kind, arguments.fields, {});
  if (!fields) return fail(fields.error(), kExitUsage);
  const auto body = call(arguments, "POST", path_of(kind), *fields);
  return kind.has_key() ? print_key(kind, arguments, body) : print_object(arguments, body);
}

int run_list(const ObjectKind& kind, const Arguments& arguments) {
  const auto client = open(arguments);
  if (!client) return client.error();
  std::vector<std::string> objects;
  std::string after;
  do {
    std::string path = path_of(kind) + "?limit=1000&after=" + base::percent_encode(after);
    if (!arguments.filter.empty()) path += "&name=" + base::percent_encode(arguments.filter);
    const auto body = call_by(**client, arguments, "GET", path);
    if (!body) return body.error();
    auto page = read_page(*body);
    if (!page) return fail(page.error());
    objects.insert(objects.end(), page->objects.begin(), page->objects.end());
    after = page->next;
  } while (!after.empty());
  if (!arguments.json) {
    std::cout << show_table(kind, objects);
    return kExitOk;
  }
  std::cout << "[";
  for (size_t i = 0; i < objects.size(); ++i) std::cout << (i == 0 ? "\n" : ",\n") << objects[i];
  std::cout << "\n]\n";
  return kExitOk;
}

int run_update(const ObjectKind& kind, const Arguments& arguments) {
  const auto fields = fields_to_json(kind, arguments.fields, arguments.unset);
  if (!fields) return fail(fields.error(), kExitUsage);
  if (*fields == "{}") return fail("nothing to change: give at least one field, or --unset FIELD", kExitUsage);
  return print_object(arguments, call(arguments, "PATCH", path_of(kind, arguments.which), *fields));
}

int run_remove(const ObjectKind& kind, const Arguments& arguments) {
  std::string query;
  if (arguments.cascade) query = "?cascade=true";
  if (arguments.open) query += query.empty() ? "?open=true" : "&open=true";
  const auto body = call(arguments, "DELETE", path_of(kind, arguments.which) + query);
  if (!body) return body.error();
  if (arguments.json) {
    std::cout << *body << "\n";
  } else {
    std::cout << "removed: " << member_text(*body, "removed") << "\n";
    const std::string closed = member_text(*body, "closed_keys");
    if (!closed.empty()) {
      std::cout << "no assignment is left to " << closed << ", which may call nothing now; add one, or let it call "
                << "every model: llm-gateway vkey update NAME --unset models\n";
    }
    const std::string left = member_text(*body, "routes_left");
    if (!left.empty()) std::cout << "goes on for its other models: route " << left << "\n";
    const std::string longer = member_text(*body, "prices_left");
    if (!longer.empty()) std::cout << "is left, for longer prompts: price " << longer << "\n";
    const std::string users = member_text(*body, "users_left");
    if (!users.empty()) std::cout << "stays in other teams: user " << users << "\n";
  }
  return kExitOk;
}

int run_rotate(const ObjectKind& kind, const Arguments& arguments) {
  std::string body;
  json::Writer writer(body);
  writer.begin_object();
  if (!arguments.overlap.empty()) writer.member("overlap", arguments.overlap);
  writer.end_object();
  const auto rotated = call(arguments, "POST", path_of(kind, arguments.which) + "/rotate", body);
  const int status = print_key(kind, arguments, rotated);
  if (status != kExitOk || arguments.json) return status;
  const std::string before = member_text(*rotated, "previous_keys");
  std::cout << (before.empty() ? "The key before is good no more.\n"
                               : "Still good: " + before + ". To end it at once: rotate with --overlap 0s.\n");
  return status;
}

int run_block(const ObjectKind& kind, const Arguments& arguments, bool blocked) {
  const std::string body = blocked ? "{\"blocked\":true}" : "{\"blocked\":false}";
  return print_object(arguments, call(arguments, "PATCH", path_of(kind, arguments.which), body));
}

int run_audit(const Arguments& arguments) {
  const auto body = call(arguments, "GET", "audit?limit=" + std::to_string(arguments.limit));
  if (!body) return body.error();
  if (arguments.json) {
    std::cout << *body << "\n";
    return kExitOk;
  }
  const auto page = read_page(*body);
  if (!page) return fail(page.error());
  std::cout << show_audit(page->objects);
  return kExitOk;
}

int run_connection_test(const Arguments& arguments) {
  const ObjectKind& kind = *control::find_kind("connection");
  std::string body;
  json::Writer writer(body);
  writer.begin_object();
  if (!arguments.filter.empty()) writer.member("model", arguments.filter);
  writer.end_object();
  const auto result = call(arguments, "POST", path_of(kind, arguments.which) + "/test", body);
  if (!result) return result.error();
  const bool well = member_text(*result, "ok") == "true";
  const std::string what = member_text(*result, "connection") + " answered " + member_text(*result, "status") +
                           " for " + member_text(*result, "model") + " in " + member_text(*result, "milliseconds") +
                           " ms";
  if (arguments.json) {
    std::cout << *result << "\n";
  } else {
    (well ? std::cout : std::cerr) << what << (well ? "" : ": " + error_message(member_text(*result, "answer")))
                                   << "\n";
    if (member_text(*result, "recorded") == "false") {
      std::cerr << "llm-gateway: the call could not be recorded in the ledger\n";
    }
  }
  return well ? kExitOk : kExitFailed;
}

// What only a running gateway knows: asked over HTTP, or by the control socket of the one on this machine.
int run_connection_health(const Arguments& arguments) {
  std::string body;
  if (arguments.target.url.empty()) {
    auto answer = ask_running({.config = arguments.target.config, .data_dir = {}}, "health", kHealthTimeout);
    if (!answer) return answer.error();
    body = std::move(*answer);
  } else {
    auto answer = call(arguments, "GET", "health");
    if (!answer) return answer.error();
    body = std::move(*answer);
  }
  std::cout << (arguments.json ? body + "\n" : show_health(body));
  return kExitOk;
}

// Where a command goes is what its own line says, and only where that says nothing, what the environment does: a
// variable exported hours ago must not send elsewhere what names its configuration.
void take_url_of_environment(StoreTarget& target) {
  if (!target.url.empty() || !target.config.empty()) return;
  if (const char* const url = std::getenv("LLM_GATEWAY_URL")) target.url = url;
}

void add_target(CLI::App& command, const Shared& arguments) {
  auto* const config =
      command
          .add_option("--config,-c", arguments->target.config,
                      "The gateway's configuration, for its store, whatever $LLM_GATEWAY_URL says; without it "
                      "$LLM_GATEWAY_CONFIG, ./llm-gateway.toml, /etc/llm-gateway/llm-gateway.toml")
          ->type_name("FILE");
  command
      .add_option("--url", arguments->target.url,
                  "Instead: the address of a gateway's admin API; without it and --config, $LLM_GATEWAY_URL")
      ->excludes(config)
      ->type_name("URL");
  command.add_option("--admin-key", arguments->target.admin_key, "For --url: env:NAME, file:PATH or the key")
      ->envname("LLM_GATEWAY_ADMIN_KEY")
      ->type_name("KEY");
  command.add_option("--ca-file", arguments->target.ca_file, "For --url: authorities to trust")->type_name("FILE");
  command.add_flag("--json,-j", arguments->json, "Print JSON");
}

// What shells offer for a field. Whether it may be something else says whoever keeps the store.
std::vector<std::string> words_for(const control::Setting& setting) {
  std::vector<std::string> words(setting.choices.begin(), setting.choices.end());
  if (setting.key != "provider") return words;
  for (const providers::ProviderInfo* const each : providers::all_providers()) words.emplace_back(each->name);
  return words;
}

void add_fields(CLI::App& command, const ObjectKind& kind, const Shared& arguments) {
  for (const FieldOption& field : field_options(kind)) {
    auto* option = command.add_option(field.options, arguments->fields[field.path], std::string(field.setting->help));
    option->group("Fields");
    switch (field.setting->type) {
      // A flag alone means true.
      case control::SettingType::boolean: option->expected(0, 1)->default_str("true")->type_name("[true|false]"); break;
      case control::SettingType::list: option->expected(1)->take_all()->type_name("LIST"); break;
      case control::SettingType::header_table: option->expected(1)->take_all()->type_name("'NAME: VALUE'"); break;
      case control::SettingType::secret: option->expected(1)->type_name("env:NAME|file:PATH|-|VALUE"); break;
      default: option->expected(1)->type_name("VALUE"); break;
    }
    if (auto words = words_for(*field.setting); !words.empty()) offer(option, words);
  }
}

// An option of the noun's own on the command line, where a subcommand would not see it and go to another store, say.
std::string given_option(CLI::App& noun) {
  const auto given = noun.get_options([](const CLI::Option* option) {
    const bool environment = !option->get_envname().empty() && std::getenv(option->get_envname().c_str()) != nullptr;
    return option->count() != 0 && !environment;
  });
  return given.empty() ? std::string() : given.front()->get_name();
}

int misplaced_option(const CLI::App& noun, const std::string& option) {
  const std::string sub = noun.get_subcommands().front()->get_name();
  std::cerr << "llm-gateway: write " << option << " behind the subcommand: " << noun.get_name() << " " << sub << " "
            << option << "\n";
  return kExitUsage;
}

CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& help, const Shared& arguments,
                      Run& run, std::function<int()> action) {
  CLI::App* const command = parent.add_subcommand(name, help);
  add_target(*command, arguments);
  command->callback([&run, arguments, action = std::move(action)] {
    take_url_of_environment(arguments->target);
    run = action;
  });
  return command;
}

CLI::App* add_which(CLI::App* command, const ObjectKind& kind, const Shared& arguments) {
  command->add_option("id," + std::string(kind.id_option), arguments->which, "Its id or its name")
      ->required()
      ->type_name("ID|NAME");
  return command;
}

void add_key_commands(CLI::App& noun, const ObjectKind& kind, Run& run) {
  const auto with = [&](const std::string& name, const std::string& help, auto action) {
    const auto arguments = std::make_shared<Arguments>();
    return std::pair(arguments, add_which(add_command(noun, name, help, arguments, run,
                                                      [arguments, action] { return action(*arguments); }),
                                          kind, arguments));
  };
  auto [arguments, rotate] =
      with("rotate", "Give it another key", [&kind](const Arguments& each) { return run_rotate(kind, each); });
  rotate->add_option("--overlap", arguments->overlap, "How long the keys before stay good; 0s: not at all")
      ->default_str("24h")
      ->type_name("DURATION");
  with("block", "Refuse the key until it is unblocked",
       [&kind](const Arguments& each) { return run_block(kind, each, true); });
  with("unblock", "Take a block back", [&kind](const Arguments& each) { return run_block(kind, each, false); });
}

void add_connection_commands(CLI::App& noun, const ObjectKind& kind, Run& run) {
  auto arguments = std::make_shared<Arguments>();
  add_command(noun, "health", "State, load and queue of each, as the running gateway knows them", arguments, run,
              [arguments] { return run_connection_health(*arguments); });
  arguments = std::make_shared<Arguments>();
  CLI::App* test = add_which(add_command(noun, "test", "Make a real call through it, of a few tokens", arguments, run,
                                         [arguments] { return run_connection_test(*arguments); }),
                             kind, arguments);
  test->add_option("--model", arguments->filter, "A model the provider has; without it the first that is on it")
      ->type_name("NAME");
}

void add_kind(CLI::App& app, const ObjectKind& kind, Run& run) {
  const std::string noun_name(kind.command);
  CLI::App* const noun = app.add_subcommand(noun_name, "Make, list and change: " + std::string(kind.help));
  const auto fresh = [] { return std::make_shared<Arguments>(); };
  auto arguments = fresh();
  CLI::App* add =
      add_command(*noun, "add", "Make one", arguments, run, [&kind, arguments] { return run_add(kind, *arguments); });
  add_fields(*add, kind, arguments);
  if (kind.section == control::SectionId::assignment) {
    // `assign --vkey-id ... --model-id ...` is `assign add`.
    noun->require_subcommand(0, 1);
    auto direct = fresh();
    add_target(*noun, direct);
    add_fields(*noun, kind, direct);
    noun->footer(
        "\nWithout a subcommand: assigns a model to a key, as `assign add` does.\nExample:\n"
        "  llm-gateway assign --vkey-id frontend --model-id gpt-4-turbo --alias gpt4 --tps 10");
    noun->callback([noun, direct, &kind, &run] {
      if (noun->get_subcommands().empty()) {
        take_url_of_environment(direct->target);
        run = [direct, &kind] { return run_add(kind, *direct); };
        return;
      }
      if (const std::string name = given_option(*noun); !name.empty()) {
        run = [name, noun] { return misplaced_option(*noun, name); };
      }
    });
  } else {
    noun->require_subcommand(1);
  }
  arguments = fresh();
  CLI::App* list = add_command(*noun, "list", "List them", arguments, run,
                               [&kind, arguments] { return run_list(kind, *arguments); });
  list->add_option("--name", arguments->filter, "Only those of that name")->type_name("NAME");
  arguments = fresh();
  add_which(add_command(*noun, "show", "Show one, without its secrets", arguments, run,
                        [&kind, arguments] {
                          return print_object(*arguments, call(*arguments, "GET", path_of(kind, arguments->which)));
                        }),
            kind, arguments);
  arguments = fresh();
  CLI::App* update = add_command(*noun, "update", "Change what is given, leave the rest", arguments, run,
                                 [&kind, arguments] { return run_update(kind, *arguments); });
  add_which(update, kind, arguments);
  add_fields(*update, kind, arguments);
  update->add_option("--unset", arguments->unset, "A field to go back to its default; may be repeated")
      ->type_name("FIELD");
  update->add_option("--if-match", arguments->if_match, "Only if its ETag is still this one")->type_name("ETAG");
  arguments = fresh();
  CLI::App* remove = add_command(*noun, "remove", "Remove one", arguments, run,
                                 [&kind, arguments] { return run_remove(kind, *arguments); });
  add_which(remove, kind, arguments);
  remove->add_flag("--cascade", arguments->cascade, "And everything that cannot be without it");
  if (kind.section == control::SectionId::assignment) {
    remove->add_flag("--open", arguments->open, "Its key may call every model if this was the last; else none");
  } else if (kind.section == control::SectionId::key) {
    remove->add_flag("--open", arguments->open,
                     "The configuration file's key of that name may call every model, if its assignments go with this");
  }
  if (kind.has_key()) add_key_commands(*noun, kind, run);
  if (kind.section == control::SectionId::connection) add_connection_commands(*noun, kind, run);
}

}  // namespace

void add_object_commands(CLI::App& app, std::function<int()>& run) {
  for (const ObjectKind& kind : control::object_kinds()) add_kind(app, kind, run);
  auto arguments = std::make_shared<Arguments>();
  arguments->limit = 50;
  CLI::App* audit = add_command(app, "audit", "What was changed in the store, and who was refused; newest first",
                                arguments, run, [arguments] { return run_audit(*arguments); });
  constexpr uint64_t kAuditEntriesMax = 999;  // of one page
  expect_whole(audit->add_option("--limit", arguments->limit, "So many entries, at most 999"), 1, kAuditEntriesMax)
      ->capture_default_str();
  CLI::App* secrets = app.add_subcommand("secrets", "The master key that seals credentials in the store");
  secrets->require_subcommand(1);
  arguments = std::make_shared<Arguments>();
  add_command(*secrets, "rotate", "Seal everything under a new master key", arguments, run,
              [arguments] { return print_object(*arguments, call(*arguments, "POST", "secrets/rotate")); })
      ->footer(
          "\nWith store.master_key in the configuration: write the new key in front of the old one there, separated "
          "by a comma, restart every gateway on the store (a reload does not take it), rotate, remove the old one, and "
          "restart them again.");
}

}  // namespace llmgw::app
