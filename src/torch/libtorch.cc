// Compiled for its precompiled header (src/CMakeLists.txt), and to see that the header stands alone.
#include "ogee/libtorch.h"
