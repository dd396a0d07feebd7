#include <cstdlib>
#include <iostream>

#include "app/commands.h"
#include "app/process/successor.h"
#include "app/service/config_path.h"
#include "app/service/process_setup.h"
#include "app/service/service.h"
#include "control/address.h"

namespace llmgw::app {
namespace {

std::optional<ServiceOptions> service_options(const ServeArguments& arguments) {
  const auto config = choose_config_path(arguments.config, real_path_environment());
  if (!config) {
    std::cerr << "llm-gateway: " << config.error() << "\n";
    return std::nullopt;
  }
  if (config->why != "--config") {
    std::cerr << "llm-gateway: configuration: " << config->path << " (" << config->why << ")\n";
  }
  ServiceOptions options{.config_path = config->path};
  options.executable = process::executable_path().value_or("");
  options.successor_arguments = {options.executable, "serve", "--config", config->path};
  for (const std::string& text : arguments.listen) {
    const auto address = control::parse_listen_address(text);
    if (!address) {
      std::cerr << "llm-gateway: --listen " << text << ": " << address.error() << "\n";
      return std::nullopt;
    }
    options.listen.push_back(*address);
    options.successor_arguments.insert(options.successor_arguments.end(), {"--listen", text});
  }
  return options;
}

// "log: PATH", and where what is no line of the log goes if that is another file.
std::string where_it_writes(const std::string& log_output, const std::string& standard_output) {
  if (log_output == "stdout" || log_output == "stderr") return "log: " + standard_output;
  return "log: " + log_output + "; standard output: " + standard_output;
}

int start_daemon(ServiceOptions options, const ServeArguments& arguments) {
  process::DaemonOptions daemon{.log_path = arguments.log_file};
  const auto places = data_places_of(options.config_path);
  if (!places) {
    std::cerr << places.error();
    return kExitUsage;
  }
  if (daemon.log_path.empty()) {
    if (const std::string problem = make_data_dir(places->data_dir); !problem.empty()) {
      std::cerr << "llm-gateway: " << problem << "\n";
      return kExitFailed;
    }
    daemon.log_path = places->data_dir + "/llm-gateway.log";
  }
  auto split = process::daemonize(daemon);
  if (!split) {
    std::cerr << "llm-gateway: cannot go to the background: " << base::to_string(split.error().code) << " ("
              << split.error().context << ")\n";
    return kExitFailed;
  }
  if (split->in_daemon) return serve(std::move(options), &split->reporter);
  if (split->outcome.exit_status == 0) {
    std::cout << "started, pid " << split->outcome.daemon << "; "
              << where_it_writes(places->log_output, daemon.log_path) << "\n";
  } else {
    std::cerr << "llm-gateway: " << split->outcome.message << (split->outcome.message.ends_with('\n') ? "" : "\n");
  }
  return split->outcome.exit_status;
}

}  // namespace

int run_serve(const ServeArguments& arguments) {
  auto options = service_options(arguments);
  if (!options) return kExitUsage;
  return serve(std::move(*options), nullptr);
}

int run_start(const ServeArguments& arguments) {
  auto options = service_options(arguments);
  if (!options) return kExitUsage;
  options->take_over = true;
  if (arguments.daemon) return start_daemon(std::move(*options), arguments);
  return serve(std::move(*options), nullptr);
}

}  // namespace llmgw::app
