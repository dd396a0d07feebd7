#include "chat/signature.h"

#include <array>
#include <charconv>
#include <cstring>
#include <string>

#include "base/base64.h"

namespace llmgw::chat {
namespace {

struct MinterName {
  Minter minter;
  std::string_view name;
};

constexpr std::array<MinterName, 9> kMinters{{
    {Minter::none, "none"},
    {Minter::anthropic, "anthropic"},
    {Minter::bedrock, "bedrock"},
    {Minter::gemini, "gemini"},
    {Minter::vertex, "vertex"},
    {Minter::vertex_claude, "vertex_claude"},
    {Minter::openai, "openai"},
    {Minter::azure, "azure"},
    {Minter::other, "other"},
}};

// In the order of SignaturePlace.
constexpr std::array<std::string_view, 3> kPlaces{"t", "n", "o"};

// Up to the next colon, which is taken too. False if there is none.
bool take_field(std::string_view& text, std::string_view& field) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  field = text.substr(0, colon);
  text.remove_prefix(colon + 1);
  return true;
}

bool take_length(std::string_view& text, size_t& length) {
  std::string_view field;
  if (!take_field(text, field) || field.empty()) return false;
  const auto result = std::from_chars(field.data(), field.data() + field.size(), length);
  return result.ec == std::errc{} && result.ptr == field.data() + field.size();
}

bool parse_tagged(std::string_view text, Signature& signature) {
  text.remove_prefix(kSignatureTag.size());
  std::string_view minter;
  std::string_view place;
  size_t model_length = 0;
  size_t id_length = 0;
  if (!take_field(text, minter) || !take_field(text, place) || !take_length(text, model_length) ||
      !take_length(text, id_length)) {
    return false;
  }
  if (model_length > text.size() || id_length > text.size() - model_length) return false;
  bool known = false;
  for (const MinterName& entry : kMinters) {
    if (entry.name != minter) continue;
    signature.minter = entry.minter;
    known = true;
  }
  for (size_t i = 0; i < kPlaces.size(); ++i) {
    if (kPlaces[i] == place) signature.place = static_cast<SignaturePlace>(i);
  }
  signature.model = text.substr(0, model_length);
  signature.id = text.substr(model_length, id_length);
  signature.data = text.substr(model_length + id_length);
  return known;
}

}  // namespace

std::string_view to_string(Minter minter) {
  for (const MinterName& entry : kMinters) {
    if (entry.minter == minter) return entry.name;
  }
  return "none";
}

std::string_view wrap_signature(const Signature& signature, base::Arena& arena) {
  std::string text(kSignatureTag);
  text += to_string(signature.minter);
  text += ':';
  text += kPlaces[static_cast<size_t>(signature.place)];
  text += ':';
  text += std::to_string(signature.model.size());
  text += ':';
  text += std::to_string(signature.id.size());
  text += ':';
  text += signature.model;
  text += signature.id;
  text += signature.data;
  return arena.copy(text);
}

Signature unwrap_signature(std::string_view text, Minter native) {
  Signature signature;
  if (text.starts_with(kSignatureTag) && parse_tagged(text, signature)) return signature;
  return {.minter = native, .data = text};
}

std::string_view wrap_signature_base64(const Signature& signature, base::Arena& arena) {
  return base::base64_encode(wrap_signature(signature, arena), arena);
}

Signature unwrap_signature_base64(std::string_view text, Minter native, base::Arena& arena) {
  // The tag's five bytes encode to "bGd3MT" and one character that depends on what follows.
  constexpr std::string_view kTagBase64 = "bGd3MT";
  if (text.starts_with(kTagBase64)) {
    const std::span<char> out = arena.bytes(text.size());
    const auto size = base::base64_decode(text, out.data());
    Signature signature;
    if (size && std::string_view(out.data(), *size).starts_with(kSignatureTag) &&
        parse_tagged({out.data(), *size}, signature)) {
      return signature;
    }
  }
  return {.minter = native, .data = text};
}

Minter native_minter(Dialect dialect) {
  switch (dialect) {
    case Dialect::anthropic: return Minter::anthropic;
    case Dialect::gemini: return Minter::gemini;
    case Dialect::vertex: return Minter::vertex;
    case Dialect::openai_responses: return Minter::openai;
    case Dialect::bedrock: return Minter::bedrock;
    default: return Minter::other;
  }
}

bool may_return(const Signature& signature, Minter minter, std::string_view model) {
  return signature.present() && signature.minter == minter && signature.minter != Minter::none &&
         (signature.model.empty() || signature.model == model);
}

}  // namespace llmgw::chat
