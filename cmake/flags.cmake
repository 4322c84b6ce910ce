# One interface target carries the language, the warnings, the sanitizers and the hardening.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")
# asserts guard against our own mistakes only, and stay
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

add_library(predictd_flags INTERFACE)
target_include_directories(predictd_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(predictd_flags INTERFACE _GNU_SOURCE
  PREDICTD_VERSION="${PROJECT_VERSION}")
target_compile_options(predictd_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion
  -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wvla -Wundef
  -Wcast-qual -Wwrite-strings -Wformat=2 -Wpointer-arith -Wnull-dereference
  -fno-omit-frame-pointer -fno-math-errno
  -include ${CMAKE_SOURCE_DIR}/base/banned.h)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  # gcc cannot see that an error's code is never ERR_NONE, and so takes what is
  # written only on success for uninitialized; clang's analyzer checks it.
  target_compile_options(predictd_flags INTERFACE -Wimplicit-fallthrough=5
    -Wno-maybe-uninitialized)
else()
  target_compile_options(predictd_flags INTERFACE -Wimplicit-fallthrough
    -Wno-gnu-zero-variadic-macro-arguments)
endif()
if(PREDICTD_WERROR)
  target_compile_options(predictd_flags INTERFACE -Werror)
endif()
if(PREDICTD_SANITIZE)
  target_compile_options(predictd_flags INTERFACE -fsanitize=${PREDICTD_SANITIZE}
    -fno-sanitize-recover=all)
  string(REPLACE "fuzzer-no-link," "" PREDICTD_LINK_SANITIZE "${PREDICTD_SANITIZE}")
  target_link_options(predictd_flags INTERFACE -fsanitize=${PREDICTD_LINK_SANITIZE})
endif()
if(PREDICTD_HARDEN)
  target_compile_options(predictd_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
    -fstack-protector-strong -fstack-clash-protection -fcf-protection)
  target_link_options(predictd_flags INTERFACE -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack)
endif()

# predictd_library(NAME USES lower folders SOURCES files by hand LINKS outside libraries)
function(predictd_library name)
  cmake_parse_arguments(LIB "" "" "USES;SOURCES;LINKS" ${ARGN})
  add_library(${name} STATIC ${LIB_SOURCES})
  target_link_libraries(${name} PUBLIC predictd_flags ${LIB_USES} PRIVATE ${LIB_LINKS})
endfunction()
