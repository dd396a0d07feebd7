// Proof that a model's reasoning is its own: thinking signatures (Anthropic, Bedrock), thought signatures (Gemini),
// encrypted reasoning (OpenAI). Opaque, byte for byte, and good only at the provider that minted it.
//
// A client echoes what it was given, so a signature travels inside the client's own dialect: as it is where client and
// minter speak the same dialect, else with a tag in front that says who minted it, for which model, and on what kind of
// part it stood. So it comes home after a restart and through another replica. Format (ours, version 1):
//   "lgw1:" minter ":" place ":" model-length ":" id-length ":" model id data
// Pure; any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/arena.h"
#include "chat/dialect.h"

namespace llmgw::chat {

enum class Minter : uint8_t { none, anthropic, bedrock, gemini, vertex, vertex_claude, openai, azure, other };

std::string_view to_string(Minter minter);

// What kind of part the signature stood on, where the client's dialect had to move it to a thinking part of its own.
enum class SignaturePlace : uint8_t {
  thinking,   // on reasoning itself
  next_part,  // on the part that follows (Gemini signs function calls and texts)
  own_part,   // on an empty text part of its own (Gemini ends streams with one)
};

struct Signature {
  Minter minter = Minter::none;
  SignaturePlace place = SignaturePlace::thinking;
  std::string_view model = {};  // the provider's name of the model that minted it; empty if unknown
  std::string_view id = {};     // OpenAI's id of the reasoning item
  std::string_view data = {};   // the signature, byte for byte

  bool present() const { return !data.empty() || !id.empty(); }
};

inline constexpr std::string_view kSignatureTag = "lgw1:";

// The tagged text, in the arena.
std::string_view wrap_signature(const Signature& signature, base::Arena& arena);
// Reads a tagged text. Text without a tag, or with a broken one, was minted by `native` and stands for itself.
Signature unwrap_signature(std::string_view text, Minter native);
// The same for dialects whose signatures must be base64 (Gemini: bytes; clients re-encode them, also as base64url).
std::string_view wrap_signature_base64(const Signature& signature, base::Arena& arena);
Signature unwrap_signature_base64(std::string_view text, Minter native, base::Arena& arena);

// Who mints what a client of that dialect holds without a tag.
Minter native_minter(Dialect dialect);

// Whether a signature may go to this provider and model. A signature of unknown model is taken for one of this model.
bool may_return(const Signature& signature, Minter minter, std::string_view model);

}  // namespace llmgw::chat
