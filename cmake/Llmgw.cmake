# One library a folder of src/: sources are found by name, what it may use is listed where it is declared.
#   foo.cpp        part of the library
#   foo_test.cpp   part of <folder>_test (GoogleTest)
#   foo_bench.cpp  part of <folder>_bench (Google Benchmark; of release code, built when asked for)

add_library(llmgw_flags INTERFACE)
target_include_directories(llmgw_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_definitions(llmgw_flags INTERFACE LLMGW_VERSION="${PROJECT_VERSION}")
target_compile_options(llmgw_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
  -Woverloaded-virtual -Wconversion -Wno-sign-conversion -Werror -fno-omit-frame-pointer>
  -fstack-protector-strong)
target_link_options(llmgw_flags INTERFACE -fuse-ld=lld)
if(LLMGW_SANITIZE)
  target_compile_options(llmgw_flags INTERFACE -fsanitize=${LLMGW_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(llmgw_flags INTERFACE -fsanitize=${LLMGW_SANITIZE})
  target_compile_definitions(llmgw_flags INTERFACE LLMGW_SANITIZED=1)
  if(NOT LLMGW_SANITIZE MATCHES "thread")
    target_compile_definitions(llmgw_flags INTERFACE _GLIBCXX_ASSERTIONS=1)
  endif()
endif()
if(LLMGW_PROFILE)
  # Functions of one file are named by it alone: a profile must fit wherever the sources lie.
  target_compile_options(llmgw_flags INTERFACE "SHELL:-mllvm -static-func-full-module-prefix=false")
endif()
if(LLMGW_PROFILE STREQUAL "generate")
  target_compile_options(llmgw_flags INTERFACE -fprofile-generate -fprofile-update=atomic)
  target_link_options(llmgw_flags INTERFACE -fprofile-generate)
elseif(LLMGW_PROFILE STREQUAL "use")
  # A profile need not be of today's code, but all objects must be of one profile: its digest stands in every command
  # line, so that another profile compiles everything anew.
  set(profile ${CMAKE_SOURCE_DIR}/bench/release.profdata)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${profile})
  file(SHA256 ${profile} profile_digest)
  target_compile_definitions(llmgw_flags INTERFACE LLMGW_PROFILE_DIGEST="${profile_digest}")
  target_compile_options(llmgw_flags INTERFACE -fprofile-use=${profile}
    -Wno-profile-instr-out-of-date -Wno-profile-instr-unprofiled -Wno-backend-plugin)
endif()
if(LLMGW_FUZZ)
  target_compile_options(llmgw_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# What half of all files include is read once for all of them. Not so in releases: there each file has to include what
# it uses, and is compiled as it stands.
if(NOT CMAKE_BUILD_TYPE STREQUAL "Release")
  add_library(std_headers OBJECT ${CMAKE_CURRENT_LIST_DIR}/std_headers.cpp)
  target_link_libraries(std_headers PUBLIC llmgw_flags)
  # Without a time in it ccache can keep what is compiled after it.
  target_compile_options(std_headers PUBLIC "SHELL:-Xclang -fno-pch-timestamp")
  target_precompile_headers(std_headers PRIVATE <algorithm> <array> <charconv> <chrono> <cstdint> <cstring> <expected>
    <functional> <map> <memory> <optional> <span> <string> <string_view> <unordered_map> <utility> <vector>)
endif()

# Tests are compiled the cheap way: not optimised, and with GoogleTest read once for all of them. The folders they
# test are optimised as the preset says.
if(LLMGW_TESTS)
  add_library(test_headers OBJECT ${CMAKE_CURRENT_LIST_DIR}/test_headers.cpp)
  target_link_libraries(test_headers PUBLIC llmgw_flags GTest::gtest GTest::gmock)
  target_compile_options(test_headers PUBLIC -O0 "SHELL:-Xclang -fno-pch-timestamp")
  target_precompile_headers(test_headers PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
  set_target_properties(test_headers PROPERTIES POSITION_INDEPENDENT_CODE OFF)
endif()

# llmgw_library(<folder> USES <folders it may include> LIBRARIES <third-party targets of its .cpp files>
#   TEST_LIBRARIES <those its tests compare it with>)
function(llmgw_library folder)
  cmake_parse_arguments(arg "" "" "USES;LIBRARIES;TEST_LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cpp)
  set(tests ${sources})
  set(benches ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "_(test|bench)\\.cpp$")
  if(sources)
    add_library(${folder} STATIC ${sources})
    target_link_libraries(${folder} PUBLIC llmgw_flags ${arg_USES} PRIVATE ${arg_LIBRARIES})
    if(TARGET std_headers)
      target_compile_options(${folder} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
      target_precompile_headers(${folder} REUSE_FROM std_headers)
    endif()
  else()
    add_library(${folder} INTERFACE)
    target_link_libraries(${folder} INTERFACE llmgw_flags ${arg_USES})
  endif()
  if(LLMGW_TESTS AND tests)
    add_executable(${folder}_test ${tests})
    target_link_libraries(${folder}_test PRIVATE ${folder} ${arg_LIBRARIES} ${arg_TEST_LIBRARIES}
      test_headers GTest::gtest_main)
    target_precompile_headers(${folder}_test REUSE_FROM test_headers)
    set_target_properties(${folder}_test PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    add_test(NAME ${folder} COMMAND ${folder}_test --gtest_brief=1 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    list(LENGTH tests files)
    set_tests_properties(${folder} PROPERTIES COST ${files})  # the longest first
  endif()
  if(benchmark_FOUND AND benches)
    add_executable(${folder}_bench EXCLUDE_FROM_ALL ${benches})
    target_link_libraries(${folder}_bench PRIVATE ${folder} ${arg_LIBRARIES}
      benchmark::benchmark benchmark::benchmark_main)
  endif()
endfunction()
