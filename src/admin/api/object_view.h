// Objects as answers show them: no secret, no hash of one. Pure but for the names of what an object refers to, which
// are looked up in the store.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "admin/api/object_api.h"

namespace llmgw::admin {

// As JSON, with which keys from before a rotation are still good at `now_ms`. `key`: of an object that has just been
// given one; empty: none.
std::string show_object(const ApiContext& context, const control::ObjectKind& kind, const store::Object& object,
                        int64_t now_ms, std::string_view key = {});

// Why objects of one kind are not used: the file has one of the same name, which hides it, or they were left out of
// what is in force.
class ProblemFinder {
 public:
  ProblemFinder(const ApiContext& context, const control::ObjectKind& kind);
  // `shown`: an object of the store as show_object() has it. One that is not used gets a `problem`.
  std::string mark(std::string shown, const store::Object& object) const;

 private:
  const control::ObjectKind& kind_;
  const Unused* unused_;
  std::set<std::string> identities_;  // of the file's
};

// An object of the configuration file, which nobody can change here. Its id is "file:" and a number from 1.
struct FileObject {
  std::string id;
  std::string name;
  std::string json;
};
std::vector<FileObject> show_file_objects(const control::Config& file, const control::ObjectKind& kind);
// Whether one of them has that name.
bool file_has(const control::Config& file, const control::ObjectKind& kind, std::string_view name);

// "2026-11-21T17:10:24.120Z" (RFC 3339).
std::string format_time_ms(int64_t ms);

std::string etag_of(const store::Object& object);

}  // namespace llmgw::admin
