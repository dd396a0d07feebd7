// What makes an instance the same after a reload: not its place in the file. Pure; any thread.
#pragma once

#include <string>

#include "control/snapshot.h"

namespace llmgw::gateway {

inline std::string instance_identity(const control::Connection& connection) {
  const auto& endpoint = connection.upstream.endpoint;
  return connection.name + '\n' + endpoint.authority + '\n' + endpoint.unix_path;
}
// Of a model there.
inline std::string model_identity(const control::Snapshot& snapshot, const control::Model& model) {
  return snapshot.connections[model.connection].name + '\n' + model.name + '\n' + model.remote + "\nmodel";
}

}  // namespace llmgw::gateway
