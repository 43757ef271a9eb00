// Which targets have float32 forms looked up in tables: those with fused multiply-adds and vectors of a known size.
// To be asked where HWY_TARGET is one.
#pragma once

#define OGEE_AVX512_TARGET (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3)
#define OGEE_QUICK_TARGET ((HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2) || HWY_TARGET == HWY_NEON)
