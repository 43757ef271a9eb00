# What every target of Ogee is compiled with.
add_library(ogee_options INTERFACE)
# Floating point means what it says: contraction into fused multiply-adds is ours to choose, and never fast-math (errno
# alone is nobody's to read).
target_compile_options(ogee_options INTERFACE -ffp-contract=off -fno-math-errno -Wall -Wextra -Wshadow -Wnon-virtual-dtor)
if(OGEE_WARNINGS_AS_ERRORS)
  target_compile_options(ogee_options INTERFACE -Werror)
endif()
if(OGEE_SANITIZE)
  add_compile_options(-fsanitize=${OGEE_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${OGEE_SANITIZE})
endif()
