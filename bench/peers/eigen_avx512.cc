// Eigen with AVX-512: compiled with flags of its own, called only where the processor has them.
#define Eigen ogee_eigen_avx512
#include <Eigen/Core>
#include <unsupported/Eigen/SpecialFunctions>

#include "bench/peers/eigen_loops.h"

namespace ogee::bench {
namespace {
#include "bench/peers/eigen_loops-inl.h"
}  // namespace

NamedLoops eigen_avx512() { return all_loops; }

}  // namespace ogee::bench
