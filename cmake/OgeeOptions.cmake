# What every target of Ogee is compiled with.
add_library(ogee_options INTERFACE)
# Floating point means what it says: contraction into fused multiply-adds is ours to choose, and never fast-math (errno
# alone is nobody's to read).
target_compile_options(ogee_options INTERFACE -ffp-contract=off -fno-math-errno -Wall -Wextra -Wnon-virtual-dtor
                                              $<$<NOT:$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>>:-Wshadow>)
if(OGEE_WARNINGS_AS_ERRORS)
  target_compile_options(ogee_options INTERFACE -Werror)
endif()
if(OGEE_SANITIZE)
  add_compile_options(-fsanitize=${OGEE_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${OGEE_SANITIZE})
endif()

# ogee_unity(target FILE ...): compiles the target's files eight at a time, but for those named. What LibTorch's headers
# cost is paid once a compiler, not once a file. Files share an anonymous namespace then, so names in it must differ
# (tests put theirs into one of their file's name), or rather be shared; a name of one file may shadow another file's.
function(ogee_unity target)
  if(OGEE_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
endfunction()
