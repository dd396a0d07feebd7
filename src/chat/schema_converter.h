// Writes a schema as a target's subset has it; the work behind convert_schema(). Internal. One thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "chat/schema_node.h"
#include "chat/target.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::chat::schema {

class Converter {
 public:
  Converter(json::Value root, SchemaSubset subset, base::Arena& arena);

  std::string convert();
  bool changed() const { return changed_; }      // the text differs in more than order
  bool described() const { return described_; }  // a constraint is now words
  bool lost() const { return lost_; }            // something could not be said at all
  bool too_large() const { return too_large_; }
  // Answers that fit the schema and are nothing out of the common cannot be given any more: where that begins.
  const std::string& unsayable() const { return unsayable_; }
  // Members may be null that the schema lets be missing only.
  bool nulls_added() const { return nulls_added_; }

 private:
  // What the schema around a node asks of it.
  struct Outer {
    bool nullable = false;
    json::Value description;
    bool optional = false;  // nullable only because it may be missing
  };

  bool is(SchemaSubset subset) const { return subset_ == subset; }
  // `step`: of the path to here, from the schema around it.
  void write(json::Value schema, const Outer& outer, size_t depth, std::string_view step = {});
  void note_unsayable();
  void write_node(Node& node, Outer outer, size_t depth);
  void infer_types(Node& node) const;
  bool write_union(const Node& node, uint8_t types, const Outer& outer, size_t depth);
  void write_single(const Node& node, uint8_t types, const Outer& outer, size_t depth, uint8_t of_types);
  void write_members(const Node& node, uint8_t types, const Outer& outer, size_t depth);
  void write_item(const Node& node, const Item& item, uint8_t types, const Outer& outer, size_t depth);
  void write_type(uint8_t types, bool nullable);
  void write_enum(const Node& node, bool nullable);
  void write_branches(json::Value branches, bool nullable, size_t depth);
  void write_reference(const Node& node, const Outer& outer);
  void write_properties(const Node& node, size_t depth);
  void write_required(const Node& node);
  void write_additional(const Node& node, size_t depth);
  void write_elements(const Node& node, size_t depth);
  void write_definitions(json::Value definitions, size_t depth);
  void write_all_required(const Node& node);
  std::string notes(const Node& node, uint8_t types);
  bool is_noted(const Node& node, const Item& item, uint8_t types) const;
  bool takes_enum(const Node& node, uint8_t types) const;
  bool takes_constant(const Node& node) const;
  bool is_free_form(const Node& node) const;
  bool is_map(const Node& node) const;

  json::Value root_;
  SchemaSubset subset_;
  base::Arena& arena_;
  Resolver resolver_;
  bool inline_refs_;
  bool rename_definitions_ = false;  // "definitions" to "$defs"
  std::vector<json::Value> active_;
  std::vector<std::string_view> path_;
  std::string unsayable_;
  std::string out_;
  json::Writer w_{out_};
  size_t nodes_ = 0;
  bool changed_ = false;
  bool described_ = false;
  bool lost_ = false;
  bool too_large_ = false;
  bool nulls_added_ = false;
};

}  // namespace llmgw::chat::schema
