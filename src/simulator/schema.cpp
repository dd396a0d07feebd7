#include "simulator/schema.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <functional>
#include <set>

#include "base/rng.h"
#include "base/text.h"
#include "json/writer.h"
#include "simulator/json_tree.h"
#include "simulator/tokenize.h"

namespace llmgw::simulator {

namespace bj = boost::json;

namespace {

constexpr size_t kOptionalDepthMax = 4;  // deeper, only what is required: keeps recursive schemas small
constexpr size_t kDepthMax = 32;         // deeper, null: a schema that requires itself has no finite value
constexpr size_t kStringWords = 2;
constexpr size_t kArrayItemsMax = 64;  // of minItems and the like: an example, not a load test
constexpr size_t kStringBytesMax = 4096;
constexpr size_t kExampleBytesMax = 65'536;  // then null: a schema can double itself at every level

class Example {
 public:
  Example(const bj::value& root, uint64_t seed, std::string& out) : root_(root), rng_(seed), out_(out), w_(out) {}

  void value(const bj::value& schema, size_t depth) {
    const bj::object* object = schema.if_object();
    if (depth > kDepthMax || out_.size() > kExampleBytesMax) return void(w_.null());
    if (object == nullptr) return anything(depth);
    if (const bj::object* target = referenced(*object)) return value(*target, depth + 1);
    if (const bj::value* only = object->if_contains("const")) return void(w_.raw(bj::serialize(*only)));
    if (const bj::array* choices = member_array(*object, "enum"); choices != nullptr && !choices->empty()) {
      return void(w_.raw(bj::serialize((*choices)[rng_.below(choices->size())])));
    }
    if (const bj::array* any = member_array(*object, "anyOf", "any_of"); any != nullptr && !any->empty()) {
      return alternative(*any, depth);
    }
    if (const bj::array* one = member_array(*object, "oneOf", "one_of"); one != nullptr && !one->empty()) {
      return alternative(*one, depth);
    }
    if (const bj::array* all = member_array(*object, "allOf"); all != nullptr && !all->empty()) {
      return value(merged(*object, *all), depth + 1);
    }
    typed(*object, type_of(*object), depth);
  }

 private:
  void anything(size_t depth) { typed({}, depth == 0 ? "object" : "string", depth); }

  const bj::object* referenced(const bj::object& schema) const {
    const std::string_view pointer = member_text(schema, "$ref");
    if (!pointer.starts_with('#')) return nullptr;
    boost::system::error_code failed;
    const bj::value* target = root_.find_pointer(bj::string_view(pointer.data() + 1, pointer.size() - 1), failed);
    return target == nullptr || failed ? nullptr : target->if_object();
  }

  void alternative(const bj::array& choices, size_t depth) {
    // Deep down the null of an optional value ends a recursion; elsewhere the first that is not null says more.
    const bj::value* chosen = &choices[0];
    for (const bj::value& choice : choices) {
      const bool is_null = choice.is_object() && member_text(choice.get_object(), "type") == "null";
      if (is_null == (depth > kOptionalDepthMax)) {
        chosen = &choice;
        break;
      }
    }
    value(*chosen, depth + 1);
  }

  bj::value merged(const bj::object& base, const bj::array& parts) const {
    bj::object result = base;
    result.erase("allOf");
    for (const bj::value& part : parts) {
      const bj::object* object = part.if_object();
      if (object != nullptr) {
        if (const bj::object* target = referenced(*object)) object = target;
      }
      if (object != nullptr) merge(result, *object);
    }
    return result;
  }

  static void merge(bj::object& result, const bj::object& part) {
    for (const auto& [key, content] : part) {
      bj::value* present = result.if_contains(key);
      if (key == "properties" && present != nullptr && present->is_object() && content.is_object()) {
        for (const auto& property : content.get_object()) present->get_object().insert(property);
      } else if (key == "required" && present != nullptr && present->is_array() && content.is_array()) {
        for (const bj::value& name : content.get_array()) present->get_array().push_back(name);
      } else {
        result.insert_or_assign(key, content);
      }
    }
  }

  static std::string type_of(const bj::object& schema) {
    std::string type(member_text(schema, "type"));
    if (const bj::array* types = member_array(schema, "type")) {
      for (const bj::value& each : *types) {
        if (each.is_string() && (type.empty() || type == "null")) type = std::string(each.get_string());
      }
    }
    std::transform(type.begin(), type.end(), type.begin(), [](char c) { return base::to_lower(c); });
    if (!type.empty() && type != "type_unspecified") return type;
    if (member_object(schema, "properties") != nullptr) return "object";
    if (member(schema, "items") != nullptr || member(schema, "prefixItems") != nullptr) return "array";
    return "string";
  }

  void typed(const bj::object& schema, std::string_view type, size_t depth) {
    if (type == "object") return object(schema, depth);
    if (type == "array") return array(schema, depth);
    if (type == "integer") return integer(schema);
    if (type == "number") return number(schema);
    if (type == "boolean") return void(w_.value(rng_.chance(0.5)));
    if (type == "null") return void(w_.null());
    string(schema);
  }

  void object(const bj::object& schema, size_t depth) {
    std::set<std::string, std::less<>> required;
    if (const bj::array* names = member_array(schema, "required")) {
      for (const bj::value& name : *names) {
        if (name.is_string()) required.emplace(name.get_string());
      }
    }
    w_.begin_object();
    if (const bj::object* properties = member_object(schema, "properties")) {
      for (const auto& [key, property] : *properties) {
        const std::string name(key);
        const bool needed = required.erase(name) != 0;
        if (!needed && depth >= kOptionalDepthMax) continue;
        w_.key(name);
        value(property, depth + 1);
      }
    }
    for (const std::string& name : required) w_.member(name, "sol");
    w_.end_object();
  }

  void array(const bj::object& schema, size_t depth) {
    const size_t least =
        static_cast<size_t>(std::clamp(number_of(schema, "minItems", "min_items", 0), 0.0, double(kArrayItemsMax)));
    size_t items = std::max<size_t>(least, depth >= kOptionalDepthMax ? 0 : 1);
    if (member_number(schema, "maxItems", "max_items") == 0.0) items = 0;
    w_.begin_array();
    size_t written = 0;
    if (const bj::array* prefix = member_array(schema, "prefixItems")) {
      for (const bj::value& each : *prefix) {
        value(each, depth + 1);
        ++written;
      }
    }
    const bj::value* each = member(schema, "items");
    for (; written < items; ++written) {
      if (each == nullptr) {
        w_.value("sol");
      } else {
        value(*each, depth + 1);
      }
    }
    w_.end_array();
  }

  static double number_of(const bj::object& schema, std::string_view name, std::string_view other, double otherwise) {
    // Gemini's protojson writes 64-bit integers as strings.
    const std::string_view text = member_text(schema, name, other);
    if (const auto digits = base::parse_decimal(text)) return double(*digits);
    return member_number(schema, name, other).value_or(otherwise);
  }

  struct Range {
    double low, high, step;
  };
  static Range range(const bj::object& schema, double smallest_step) {
    const double step = std::max(member_number(schema, "multipleOf").value_or(smallest_step), smallest_step);
    double low = member_number(schema, "minimum").value_or(-HUGE_VAL);
    double high = member_number(schema, "maximum").value_or(HUGE_VAL);
    if (const auto above = member_number(schema, "exclusiveMinimum")) low = std::max(low, *above + smallest_step);
    if (const auto below = member_number(schema, "exclusiveMaximum")) high = std::min(high, *below - smallest_step);
    return {low, high, step};
  }

  // A multiple of the step in the range, near 1 to 20 where the range allows it.
  double pick(const Range& range) {
    double wanted = double(1 + rng_.below(20));
    if (wanted < range.low || wanted > range.high) wanted = std::isfinite(range.low) ? range.low : range.high;
    double multiple = std::ceil(wanted / range.step) * range.step;
    if (multiple > range.high) multiple = std::floor(range.high / range.step) * range.step;
    return multiple;
  }

  void integer(const bj::object& schema) {
    constexpr double kIntegerMax = 9e15;  // exact as a double
    w_.value(static_cast<int64_t>(std::clamp(pick(range(schema, 1)), -kIntegerMax, kIntegerMax)));
  }

  void number(const bj::object& schema) {
    Range wanted = range(schema, 1e-6);
    if (!member(schema, "multipleOf")) wanted.step = wanted.high - wanted.low >= 1 ? 0.5 : wanted.step;
    w_.value(pick(wanted));
  }

  void string(const bj::object& schema) {
    const std::string_view format = member_text(schema, "format");
    if (format == "date-time") return void(w_.value("2026-01-02T03:04:05Z"));
    if (format == "date") return void(w_.value("2026-01-02"));
    if (format == "time") return void(w_.value("03:04:05Z"));
    if (format == "duration") return void(w_.value("PT1H"));
    if (format == "email") return void(w_.value("simulator@example.com"));
    if (format == "hostname") return void(w_.value("simulator.example.com"));
    if (format == "ipv4") return void(w_.value("192.0.2.1"));
    if (format == "ipv6") return void(w_.value("2001:db8::1"));
    if (format == "uuid") return void(w_.value("00000000-0000-4000-8000-000000000001"));
    if (format == "uri") return void(w_.value("https://simulator.example.com/"));
    std::string text = make_text(kStringWords, rng_.next(), Vocabulary::words, false);
    text.pop_back();
    const double least = std::clamp(number_of(schema, "minLength", "min_length", 0), 0.0, double(kStringBytesMax));
    const double most = number_of(schema, "maxLength", "max_length", HUGE_VAL);
    while (double(text.size()) < least) text += 'x';
    if (double(text.size()) > most) text.resize(static_cast<size_t>(std::max(0.0, most)));
    w_.value(std::string_view(text));
  }

  const bj::value& root_;
  base::Rng rng_;
  const std::string& out_;
  json::Writer w_;
};

}  // namespace

std::string example_for_schema(std::string_view schema_json, uint64_t seed) {
  boost::system::error_code failed;
  bj::parse_options options;
  options.max_depth = kJsonDepthMax;
  const bj::value schema = bj::parse(bj::string_view(schema_json.data(), schema_json.size()), failed, {}, options);
  if (failed || !schema.is_object() || schema.get_object().empty()) return "{}";
  std::string out;
  Example(schema, seed, out).value(schema, 0);
  return out;
}

}  // namespace llmgw::simulator
