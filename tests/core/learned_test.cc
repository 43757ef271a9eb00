// The gradients of the learned parameters, asked for alone, are those that come when all are asked for; and a parameter
// that is the same for all elements gets the sum of what its elements would get.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "kernels.h"

namespace ogee::test {
namespace {

class Learned : public testing::TestWithParam<const Function*> {
 public:
  const Function& function() const { return *GetParam(); }
  const Spec& spec() const { return spec_of(function()); }

  // What backward gives: dx of every input, and the gradients.
  template <class T>
  struct Backward {
    std::vector<std::vector<T>> dx;
    std::vector<std::vector<double>> dp;
  };

  template <class T>
  Backward<T> backward_of(std::size_t n, std::size_t channels, std::size_t inner, bool learned_only) const {
    std::mt19937 random(1);
    std::normal_distribution<double> normal(0, 2);
    std::vector<std::vector<T>> x(spec().inputs, std::vector<T>(n));
    std::vector<T> dy(n);
    for (auto& column : x) {
      for (T& v : column) v = static_cast<T>(normal(random));
    }
    for (T& v : dy) v = static_cast<T>(normal(random));
    std::vector<std::vector<double>> values;
    Backward<T> result;
    result.dx.assign(spec().inputs, std::vector<T>(n));
    Call call;
    call.function = &function();
    call.type = sizeof(T) == 8 ? Type::float64 : Type::float32;
    call.length = n;
    call.channels = channels;
    call.inner = inner;
    call.mode = Mode::training;
    call.noise = {5, 6};
    call.dy = {dy.data()};
    for (std::size_t k = 0; k < spec().inputs; ++k) {
      call.input[k] = {x[k].data()};
      call.dx[k] = {result.dx[k].data()};
    }
    for (const Parameter& p : spec().parameters) {
      auto& value = values.emplace_back();
      for (std::size_t c = 0; c < channels; ++c) {
        value.push_back(p.value + (p.role == Role::learned ? 0.1 * static_cast<double>(c) : 0.0));
      }
      result.dp.emplace_back(channels, 0.0);
    }
    for (std::size_t k = 0; k < values.size(); ++k) {
      call.parameter[k] = {values[k].data(), channels > 1};
      if (!learned_only || spec().parameters[k].role == Role::learned) call.dp[k] = result.dp[k].data();
    }
    backward(call);
    return result;
  }

  template <class T>
  void expect_learned_alone_are_the_same(double tolerance) const {
    struct Shape {
      std::size_t n, channels, inner;
    };
    for (const Shape shape : {Shape{1000, 1, 1}, Shape{7, 1, 1}, Shape{900, 3, 300}, Shape{902, 11, 1}}) {
      const auto all = backward_of<T>(shape.n, shape.channels, shape.inner, false);
      const auto alone = backward_of<T>(shape.n, shape.channels, shape.inner, true);
      for (std::size_t k = 0; k < all.dx.size(); ++k) {
        for (std::size_t i = 0; i < shape.n; ++i) {
          const double size = std::max(1.0, std::fabs(double{all.dx[k][i]}));
          ASSERT_NEAR(alone.dx[k][i], all.dx[k][i], tolerance * size) << "input " << k << " at " << i;
        }
      }
      for (std::size_t k = 0; k < all.dp.size(); ++k) {
        if (spec().parameters[k].role != Role::learned) continue;
        for (std::size_t c = 0; c < shape.channels; ++c) {
          const double size = std::max(100.0, std::fabs(all.dp[k][c]));
          ASSERT_NEAR(alone.dp[k][c], all.dp[k][c], tolerance * size) << spec().parameters[k].name << ", channel " << c;
        }
      }
    }
  }
};

TEST_P(Learned, AloneAreThoseOfAll) {
  for (const std::string& target : targets()) {
    SCOPED_TRACE(target);
    const OnTarget on(target);
    expect_learned_alone_are_the_same<double>(1e-12);
    expect_learned_alone_are_the_same<float>(4e-6);
  }
}

std::vector<const Function*> with_learned_parameters() {
  std::vector<const Function*> list;
  for (const Function* f : functions()) {
    for (const Parameter& p : spec_of(*f).parameters) {
      if (p.role == Role::learned) {
        list.push_back(f);
        break;
      }
    }
  }
  return list;
}
INSTANTIATE_TEST_SUITE_P(Catalogue, Learned, testing::ValuesIn(with_learned_parameters()),
                         [](const auto& info) { return std::string(spec_of(*info.param).name); });

}  // namespace
}  // namespace ogee::test
