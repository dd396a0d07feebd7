// Nothing is lost silently: what a request has that the writer of the target's dialect does not write becomes a warning
// with its path in the client's request, or a refusal where the meaning would be another. One thread.
#pragma once

#include <string_view>

#include "chat/request.h"
#include "chat/target.h"
#include "dialects/codec.h"

namespace llmgw::dialects {

// Which of a client's words on how to reason are behind what is sent.
struct Reasoned {
  bool effort = true;
  bool budget = true;
  bool said = false;  // the writer warns of the whole itself: where there are both, each is to be named
};
inline constexpr Reasoned kNotReasoned{.effort = false, .budget = false, .said = true};

// What the target has a place for.
struct Keeps {
  chat::Dialect dialect;     // its own JSON goes back as it stood
  bool names = false;        // of the users and assistants who speak
  bool detail = false;       // of images: how closely to look
  bool titles = true;        // of documents that are no text
  bool contexts = false;     // of documents: what they are about, where they are from
  bool cited_docs = false;   // documents are cited in the answer
  bool thoughts = true;      // shows them where it is asked to
  bool store = false;        // keeps the answer where it is asked to
  bool doc_ids = false;      // of documents: what the client calls them
  bool media_names = false;  // of images, audio and video
  bool formats = false;      // what an answer's schema is for
  bool phases = false;       // of the assistant's messages
  bool hides = false;        // thinks unseen where it is asked to
  Reasoned reasoned = {};
};

// Warns of details of messages and parts, and of members that the reader did not read.
void warn_of_losses(const chat::Request& request, const Keeps& keeps, WriteContext& context);

// A top-level member that the target's API does not have: a warning, or a refusal if the answer would be to another
// question (the prompt's cached half), or none (speech, pictures).
Outcome<void> leave_extra(const chat::Extra& extra, std::string_view reason, WriteContext& context);

// That a tool cannot be strict, if the client asked for it.
void warn_not_strict(const chat::Request& request, const chat::Tool& tool, size_t index, std::string_view reason,
                     WriteContext& context);

// Who the client's user is, for APIs with one place for it; warns where the client gave two names.
std::string_view one_user(const chat::Request& request, WriteContext& context);
// The field it stands in, for warnings.
std::string_view user_field(const chat::Request& request);

// A document's text under its title, for APIs that take it as any text.
std::string_view titled(std::string_view title, std::string_view text, base::Arena& arena);

// Where a part with media stands in the client's request: for refusals.
std::string_view media_path(const chat::Part& part);
// Where a tool stands there, its schema, and its name.
std::string_view tool_path(const chat::Tool& tool, size_t index, base::Arena& arena);
std::string_view schema_path(const chat::Request& request, const chat::Tool& tool, size_t index, base::Arena& arena);
std::string_view tool_name_path(const chat::Request& request, const chat::Tool& tool, size_t index, base::Arena& arena);

// Azure and Vertex are other doors to the same formats.
bool same_format(chat::Dialect left, chat::Dialect right);

}  // namespace llmgw::dialects
