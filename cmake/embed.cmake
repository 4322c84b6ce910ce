# predictd_embed(target name file): the bytes of a file as `const unsigned char name[]` and `name_len`. A changed file
# configures anew.
function(predictd_embed target name file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "((0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,))" "\\1\n" bytes "${bytes}")
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${name}.c)
  file(CONFIGURE OUTPUT ${out} CONTENT
"#include <stddef.h>
extern const unsigned char ${name}[];
extern const size_t ${name}_len;
const unsigned char ${name}[] = {
${bytes}
};
const size_t ${name}_len = sizeof(${name});
" @ONLY)
  target_sources(${target} PRIVATE ${out})
endfunction()
