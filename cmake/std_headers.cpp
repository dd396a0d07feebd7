// A target needs a source; what counts is the header that is compiled before it (Llmgw.cmake).
