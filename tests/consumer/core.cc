#include <cstdio>
#include <vector>

#include "ogee/ogee.h"

int main() {
  const std::vector<float> x{-1, 0, 2};
  std::vector<float> y(x.size());
  ogee::forward<float>(ogee::Activation("leaky_relu(slope=0.5)"), x, y);
  std::printf("%g %g %g\n", y[0], y[1], y[2]);
  return y == std::vector<float>{-0.5f, 0, 2} ? 0 : 1;
}
