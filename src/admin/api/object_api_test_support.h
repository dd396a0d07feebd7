// For tests of the admin API's objects. One thread.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "admin/api/object_api.h"
#include "control/config_loader.h"
#include "control/objects/store_access.h"
#include "control/reload.h"
#include "store/sql/test_databases.h"

namespace llmgw::admin {

using control::SectionId;
using http::Method;
using testing::HasSubstr;

inline constexpr const char* kConnection = R"({"name":"c","provider":"openai","api_key":"canary-credential"})";

// A store, and what the API answers to its owner.
class ObjectApiTest : public store::BothDatabases {
 protected:
  ObjectApiTest()
      : environment_(control::real_environment("/etc/llm-gateway/test.toml")),
        file_(*control::load_config("[server]\nlisten = \"127.0.0.1:0\"\n", environment_)),
        store_(*store::ObjectStore::open(std::move(*database_.open()))) {
    const base::Secret master(std::string(store::Vault::kKeyBytes, 'm'));
    vault_ = std::make_shared<const store::Vault>(*store::Vault::create({&master, 1}));
    EXPECT_TRUE(control::prepare_store(store_, *vault_, 1));
    secrets_ = *control::open_secrets(vault_, store_.load_all()->objects);
  }

  ApiAnswer call(Method method, const std::string& path, const std::string& body = "") {
    const size_t mark = path.find('?');
    return handle_objects({store_, file_, secrets_, environment_, nullptr, unused_ ? &*unused_ : nullptr},
                          {.method = method,
                           .path = std::string(kApiRoot) + path.substr(0, mark),
                           .query = mark == std::string::npos ? "" : path.substr(mark + 1),
                           .body = body,
                           .if_match = if_match_,
                           .actor = actor_,
                           .now_ms = ++now_ms_});
  }
  std::shared_ptr<const control::Snapshot> snapshot() {
    const control::StoredObjects stored{.revision = 1, .objects = store_.load_all()->objects, .secrets = secrets_};
    auto merged = control::merge_snapshot(file_, &stored, environment_, {.version = 1, .hash_key = {1, 2}});
    EXPECT_TRUE(merged);
    for (const control::ObjectNote& note : merged->notes) EXPECT_TRUE(note.doubt) << note.problem;
    return merged->snapshot;
  }

  control::Environment environment_;
  control::Config file_;
  store::ObjectStore store_;
  std::shared_ptr<const store::Vault> vault_;
  control::ObjectSecrets secrets_;
  std::string if_match_;                                   // of the calls to come
  std::optional<Unused> unused_;                           // likewise
  Actor actor_{.name = "test", .role = AdminRole::owner};  // likewise
  int64_t now_ms_ = 1'763'740'000'000;
};

}  // namespace llmgw::admin
