#include "accuracy/points.h"

#include <cmath>
#include <limits>
#include <span>

namespace ogee::accuracy {

float widened(Type type, std::uint32_t bits16) {
  const auto narrow = static_cast<std::uint16_t>(bits16);
  float wide = 0;
  if (type == Type::bfloat16) {
    const bfloat16 b{narrow};
    convert(std::span(&b, 1), std::span(&wide, 1));
  } else {
    const float16 h{narrow};
    convert(std::span(&h, 1), std::span(&wide, 1));
  }
  return wide;
}

float narrowed(Type type, float x) {
  if (type == Type::float32) return x;
  if (type == Type::bfloat16) {
    bfloat16 b{};
    convert(std::span(&x, 1), std::span(&b, 1));
    return widened(type, b.bits);
  }
  float16 h{};
  convert(std::span(&x, 1), std::span(&h, 1));
  return widened(type, h.bits);
}

std::vector<float> edges(const Spec& spec, Type type) {
  std::vector<float> result;
  const auto both = [&](float v) {
    result.push_back(v);
    result.push_back(-v);
  };
  for (float v : {0.0f, 1e-45f, 1e-40f, 1.17549421e-38f, 1.17549435e-38f, 3.40282347e38f, INFINITY,
                  std::numeric_limits<float>::quiet_NaN()}) {
    both(v);
  }
  const auto around = [&](double centre) {
    float below = narrowed(type, static_cast<float>(centre)), above = below;
    if (type != Type::float32) return result.push_back(below);
    for (int i = 0; i < 40; ++i) {
      result.push_back(below);
      result.push_back(above);
      below = std::nextafter(below, -INFINITY);
      above = std::nextafter(above, INFINITY);
    }
  };
  for (const Kink& kink : spec.kinks) around(kink.at);
  for (double root : spec.roots) around(root);
  for (double v : {0.5, 0.6931471805599453, 1.0, 1.5, 2.0, 3.0, 6.0, 9.0109, 17.33, 20.0, 80.0, 87.3365, 88.7228,
                   103.2789, 103.9721, 8192.0}) {
    around(v);
    around(-v);
  }
  if (type != Type::float32) {
    for (float& v : result) v = narrowed(type, v);
  }
  return result;
}

}  // namespace ogee::accuracy
