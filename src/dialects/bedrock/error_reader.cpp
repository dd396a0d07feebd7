#include "dialects/bedrock/functions.h"
#include "dialects/bedrock/meaning.h"

namespace llmgw::dialects::bedrock {

chat::ClientError read_error(int status, std::string_view body, std::string_view error_type,
                             const ReadContext& context) {
  return error_of(body, error_type, status, context, context.arena);
}

}  // namespace llmgw::dialects::bedrock
