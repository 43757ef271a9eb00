// All that a dispatch file needs before the definitions: the number types and the row kernels, for the current target.
// No include guard: every target passes through (the files below guard themselves per target).
#include "hwy/highway.h"

#define OGEE_SIMD
#define OGEE_WORLD HWY_NAMESPACE
#define OGEE_FN HWY_INLINE
#include "lanes/simd-inl.h"
#include "lanes/piecewise-inl.h"
#include "lanes/dual-inl.h"
#include "kernels/kernel_table-inl.h"
