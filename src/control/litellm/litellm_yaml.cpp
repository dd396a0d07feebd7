#include "control/litellm/litellm_yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "control/litellm/litellm_text.h"

namespace llmgw::control {
namespace {

// What aliases make of a small file may be very large, or without an end. So many nodes for a byte of it are more than
// any file needs that somebody has written.
constexpr size_t kNodesForByte = 8;
constexpr size_t kNodesAlways = 10'000;
constexpr size_t kNodesMax = 1'000'000;
constexpr size_t kDepthMax = 100;
constexpr size_t kIncludesMax = 100;

using Entries = std::vector<std::pair<YAML::Node, YAML::Node>>;

// A plain scalar's tag is "?", that of one in quotes "!".
bool is_merge_key(const YAML::Node& key) {
  if (!key.IsScalar()) return false;
  return (key.Scalar() == "<<" && key.Tag() == "?") || key.Tag() == "tag:yaml.org,2002:merge";
}

class Resolver {
 public:
  explicit Resolver(size_t bytes) : nodes_max_(std::min(kNodesMax, kNodesAlways + kNodesForByte * bytes)) {}

  YAML::Node resolve(const YAML::Node& node, size_t depth = 0) {
    count(node, depth);
    if (node.IsMap()) return resolve_map(node, depth);
    if (!node.IsSequence()) return copy(node);
    YAML::Node list(YAML::NodeType::Sequence);
    for (const auto& each : node) list.push_back(resolve(each, depth + 1));
    return list;
  }

 private:
  // Of its own memory: what is put together of nodes of one document would each time take in all of that.
  static YAML::Node copy(const YAML::Node& node) {
    if (!node.IsScalar()) return {};
    YAML::Node scalar(node.Scalar());
    scalar.SetTag(node.Tag());
    return scalar;
  }

  void count(const YAML::Node& node, size_t depth) {
    if (++nodes_ > nodes_max_ || depth > kDepthMax) {
      throw YAML::ParserException(node.Mark(), "aliases make this too large, or it is too deep");
    }
  }

  // What is merged stands before what the mapping says itself, since the last of a key counts.
  void collect(const YAML::Node& map, Entries& entries, size_t depth) {
    count(map, depth);
    for (const auto& each : map) {
      if (is_merge_key(each.first)) merge(each.second, entries, depth + 1);
    }
    for (const auto& each : map) {
      if (!is_merge_key(each.first)) entries.emplace_back(each.first, each.second);
    }
  }

  void merge(const YAML::Node& value, Entries& entries, size_t depth) {
    if (value.IsMap()) return collect(value, entries, depth);
    if (!value.IsSequence()) {
      throw YAML::ParserException(value.Mark(), "expected a mapping or a list of mappings to merge");
    }
    // Of several the first has the word.
    for (size_t i = value.size(); i-- > 0;) {
      if (!value[i].IsMap()) throw YAML::ParserException(value[i].Mark(), "expected a mapping to merge");
      collect(value[i], entries, depth);
    }
  }

  YAML::Node resolve_map(const YAML::Node& map, size_t depth) {
    Entries entries;
    collect(map, entries, depth);
    std::map<std::string, YAML::Node> last;
    for (const auto& [key, value] : entries) last.insert_or_assign(scalar(key), value);
    YAML::Node out(YAML::NodeType::Map);
    for (const auto& [key, value] : entries) {
      const auto found = last.find(scalar(key));
      if (found == last.end()) continue;
      out.force_insert(resolve(key, depth + 1), resolve(found->second, depth + 1));
      last.erase(found);
    }
    return out;
  }

  const size_t nodes_max_;
  size_t nodes_ = 0;
};

// Of the document as it was read: what is made of it has no places.
ModelPlaces places_of_models(const YAML::Node& root, const std::string& file) {
  ModelPlaces places;
  if (!root.IsMap()) return places;
  for (const auto& member : root) {
    if (scalar(member.first) != "model_list") continue;
    places.clear();
    if (!member.second.IsSequence()) continue;
    for (const auto& each : member.second) {
      // Where nothing is written the place is that of what comes next.
      const std::string line = each.IsNull() ? "" : "line " + std::to_string(each.Mark().line + 1);
      places.push_back((file.empty() || line.empty() ? "" : file + ", ") + line);
    }
  }
  return places;
}

// Behind the first `size`, of which some may have none.
void append_places(ModelPlaces& places, size_t size, const ModelPlaces& more) {
  places.resize(size);
  places.insert(places.end(), more.begin(), more.end());
}

void append_names(const YAML::Node& include, std::vector<std::string>& names) {
  if (include.IsScalar()) names.push_back(include.Scalar());
  if (!include.IsSequence() && !include.IsScalar()) {
    throw YAML::ParserException(include.Mark(), "include: expected a file or a list of files");
  }
  for (const auto& each : include) names.push_back(scalar(each));
}

}  // namespace

YAML::Node load_as_pyyaml(std::string_view text, ModelPlaces& places, const std::string& file) {
  const YAML::Node document = YAML::Load(std::string(text));
  places = places_of_models(document, file);
  return Resolver(text.size()).resolve(document);
}

void take_in_included_files(YAML::Node& root, ModelPlaces& places, const ReadIncluded& read) {
  std::vector<std::string> names;
  if (const YAML::Node include = root["include"]) append_names(include, names);
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string name = names[i];
    const auto fail = [&](const std::string& why) {
      throw YAML::RepresentationException(YAML::Mark::null_mark(), "include: " + name + ": " + why);
    };
    if (i == kIncludesMax) fail("more than " + std::to_string(kIncludesMax) + " files, or they include each other");
    if (!read) fail("included files are not read here");
    const auto text = read(name);
    if (!text) fail(text.error());
    if (text->size() > kImportBytesMax) fail("the file is larger than 4 MiB");
    YAML::Node file;
    ModelPlaces of_file;
    try {
      file = load_as_pyyaml(*text, of_file, name);
    } catch (const YAML::Exception& error) {
      fail(error.what());
    }
    if (!file.IsMap()) fail("expected a mapping, as model_list is in");
    for (const auto& member : file) {
      const std::string section = scalar(member.first);
      const YAML::Node value = member.second;
      if (section == "include") {
        append_names(value, names);
      } else if (YAML::Node known = root[section]; value.IsSequence() && known && known.IsSequence()) {
        if (section == "model_list") append_places(places, known.size(), of_file);
        for (const auto& each : value) known.push_back(each);
      } else {
        if (section == "model_list") places = of_file;
        root[section] = value;
      }
    }
  }
  root.remove("include");
}

}  // namespace llmgw::control
