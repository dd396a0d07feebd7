#include "chat/tokens/schema_script.h"

#include "base/arena.h"
#include "json/tree.h"

namespace llmgw::chat {
namespace {

// References may lead in circles, and a few of them to very much; what is beyond is not counted.
constexpr int kReferencesDeep = 4;
constexpr int kReferencesMax = 1000;
constexpr int kDeep = 64;
constexpr size_t kScriptMax = 1 << 20;
// Looked through for a name that does not stand where its property stands.
constexpr size_t kRequiredSeen = 64;

class Script {
 public:
  explicit Script(std::string& out) : out_(out) {}

  void function(const Tool& tool) {
    comment(tool.description);
    out_.append("type ").append(tool.name).append(" = (");
    json::Parser parser;
    const auto root = json::parse_tree(parser, tool.schema, arena_);
    if (root && !(*root)["properties"].empty()) {
      definitions_ = (*root)["$defs"].present() ? (*root)["$defs"] : (*root)["definitions"];
      out_ += "_: ";
      object(*root);
    }
    out_ += ") => any;\n\n";
  }

 private:
  void comment(std::string_view text) {
    if (text.empty()) return;
    out_ += "// ";
    for (const char c : text) {
      out_ += c;
      if (c == '\n') out_ += "// ";
    }
    out_ += '\n';
  }

  void type(const json::Value& schema) {
    if (out_.size() > kScriptMax || deep_ >= kDeep) return;
    ++deep_;
    any_type(schema);
    --deep_;
  }

  void any_type(const json::Value& schema) {
    if (schema["$ref"].is_string()) return reference(schema["$ref"].string(arena_));
    if (schema["enum"].is_array()) {
      return joined(schema["enum"], [this](const json::Value& value) { out_ += value.raw(); });
    }
    if (schema["const"].present()) {
      out_ += schema["const"].raw();
      return;
    }
    for (const char* const choice : {"anyOf", "oneOf"}) {
      if (schema[choice].is_array()) return joined(schema[choice], [this](const json::Value& one) { type(one); });
    }
    if (schema["type"].is_array()) {
      return joined(schema["type"], [&](const json::Value& one) { named(schema, one.string(arena_)); });
    }
    named(schema, schema["type"].string(arena_));
  }

  void named(const json::Value& schema, std::string_view type) {
    if (type == "object" || schema["properties"].is_object()) {
      schema["properties"].empty() ? void(out_ += "object") : object(schema);
    } else if (type == "array") {
      this->type(schema["items"]);
      out_ += "[]";
    } else {
      out_ += type == "integer" ? "number" : type.empty() ? "any" : type;
    }
  }

  template <class Write>
  void joined(const json::Value& values, Write write) {
    bool first = true;
    for (const json::Value value : values.elements()) {
      if (!first) out_ += " | ";
      first = false;
      write(value);
    }
  }

  void object(const json::Value& schema) {
    out_ += "{\n";
    const json::Value required = schema["required"];
    auto expected = required.elements().begin();
    const auto end = required.elements().end();
    for (const json::Member member : schema["properties"].members()) {
      comment(member.value["description"].string(arena_));
      const std::string_view key = member.key(arena_);
      out_ += key;
      if (expected != end && (*expected).string(arena_) == key) {
        ++expected;
      } else if (!lists(required, key)) {
        out_ += '?';
      }
      out_ += ": ";
      type(member.value);
      if (member.value["default"].present()) out_.append(", // default: ").append(member.value["default"].raw());
      out_ += ",\n";
    }
    out_ += '}';
  }

  bool lists(const json::Value& required, std::string_view key) {
    size_t seen = 0;
    for (const json::Value name : required.elements()) {
      if (name.string(arena_) == key) return true;
      if (++seen == kRequiredSeen) break;
    }
    return false;
  }

  void reference(std::string_view path) {
    if (references_deep_ >= kReferencesDeep || ++references_ > kReferencesMax) return;
    ++references_deep_;
    type(definitions_[path.substr(path.rfind('/') + 1)]);
    --references_deep_;
  }

  std::string& out_;
  base::Arena arena_;
  json::Value definitions_;
  int deep_ = 0;
  int references_deep_ = 0;
  int references_ = 0;
};

// As it is, but for what only strict decoding needs.
void append_bare(std::string& out, const json::Value& value, bool names) {
  if (!value.is_object() && !value.is_array()) {
    out += value.raw();
    return;
  }
  bool first = true;
  const auto comma = [&] {
    if (!first) out += ',';
    first = false;
  };
  if (value.is_array()) {
    out += '[';
    for (const json::Value element : value.elements()) {
      comma();
      append_bare(out, element, false);
    }
    out += ']';
    return;
  }
  out += '{';
  for (const json::Member member : value.members()) {
    if (!names && (member.is("required") || member.is("additionalProperties"))) continue;
    comma();
    out.append("\"").append(member.escaped_key).append("\":");
    append_bare(out, member.value, !names && (member.is("properties") || member.is("$defs")));
  }
  out += '}';
}

}  // namespace

std::string tools_script(const List<Tool>& tools) {
  std::string out = "# Tools\n\n## functions\n\nnamespace functions {\n\n";
  for (const Tool& tool : tools) {
    if (tool.kind != ToolKind::opaque) Script(out).function(tool);
  }
  return out + "} // namespace functions";
}

std::string format_script(std::string_view name, std::string_view schema) {
  std::string out = "# Response Formats\n\n## ";
  out.append(name).append("\n\n");
  json::Parser parser;
  base::Arena arena;
  if (const auto root = json::parse_tree(parser, schema, arena)) append_bare(out, *root, false);
  return out;
}

}  // namespace llmgw::chat
