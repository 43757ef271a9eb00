// Products of chosen rows against double sums, with bounds from the number of terms.
#include "ogee/sparse.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <tuple>

namespace ogee::sparse {
namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();

double widened(float w) { return static_cast<double>(w); }
double widened(double w) { return w; }
double widened(bfloat16 w) {
  const std::uint32_t bits = std::uint32_t{w.bits} << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return static_cast<double>(value);
}
template <class W>
W narrowed(double v) {
  if constexpr (std::is_same_v<W, bfloat16>) {
    const float wide = static_cast<float>(v);
    bfloat16 narrow;
    convert(std::span<const float>(&wide, 1), std::span<bfloat16>(&narrow, 1));
    return narrow;
  } else {
    return static_cast<W>(v);
  }
}

// Random arrays; zeros with the given probability. `skew` elements lie before, so that spans are not aligned.
template <class T>
struct Array {
  Array(std::size_t n, std::mt19937& random, double zeros = 0, std::size_t skew_ = 1) : all(n + skew_), skew(skew_) {
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> uniform;
    for (T& v : all) v = narrowed<T>(uniform(random) < zeros ? 0.0 : normal(random));
  }
  std::span<T> span() { return std::span(all).subspan(skew); }
  std::span<const T> in() const { return std::span<const T>(all).subspan(skew); }
  std::vector<T> all;
  std::size_t skew;
};

// n terms whose magnitudes add up to `magnitude`, and one rounding more of the result in another type.
template <class A>
double bound(std::size_t n, double magnitude) {
  const double e = static_cast<double>(std::numeric_limits<A>::epsilon()) / 2 * static_cast<double>(n + 1);
  return e / (1 - e) * magnitude + static_cast<double>(std::numeric_limits<A>::min());
}

struct Shape {
  std::size_t tokens, units, dim;
  double zeros;
};
const Shape shapes[] = {{1, 64, 32, 0.9},    {1, 1, 1, 0},       {1, 517, 257, 0.5}, {2, 300, 33, 0.75},
                        {3, 77, 130, 0},     {8, 512, 96, 0.9},  {8, 129, 1023, 1},  {5, 40, 7, 0.5},
                        {17, 260, 300, 0.9}, {40, 90, 515, 0.5}, {300, 70, 70, 0.8}, {2, 5, 0, 0.5},
                        {0, 8, 16, 0},       {4, 0, 16, 0},      {33, 64, 64, 0.99}};

template <class W>
class Sparse : public ::testing::Test {
 public:
  ~Sparse() override { use_target(""); }
};
using Types = ::testing::Types<float, double, bfloat16>;
TYPED_TEST_SUITE(Sparse, Types);

TYPED_TEST(Sparse, ProductsAgreeWithDoubles) {
  using W = TypeParam;
  using A = Wide<W>;
  const Parallel two = on_threads(2);
  for (const std::string& target : targets()) {
    use_target(target);
    for (const Shape& s : shapes) {
      for (const bool threads : {false, true}) {
        SCOPED_TRACE(::testing::Message() << target << " " << s.tokens << "x" << s.units << "x" << s.dim << ", zeros "
                                          << s.zeros << (threads ? ", two threads" : ""));
        std::mt19937 random(5);
        const Array<W> w(s.units * s.dim, random, 0, 3);
        const Array<A> h(s.tokens * s.units, random, s.zeros), x(s.tokens * s.dim, random), bias(s.dim, random),
            unit_bias(s.units, random);
        const Options options{threads ? &two : nullptr, threads ? std::size_t{2} : std::size_t{1}};
        const Active active = Active::nonzero<A>(h.in(), s.tokens, s.units);
        const std::vector<A> values = active.gather<A>(h.in());
        Array<A> y(s.tokens * s.dim, random), pairs(active.pairs(), random);
        rows_sum<W>(active, values, w.in(), s.dim, bias.in(), y.span(), options);
        rows_dot<W>(active, x.in(), w.in(), s.dim, unit_bias.in(), pairs.span(), options);
        Array<W> dw(s.units * s.dim, random);
        rows_outer<W>(active, values, x.in(), s.dim, dw.span(), options);

        std::vector<double> want(s.units * s.dim, 0), size(s.units * s.dim, 0), count(s.units, 0);
        for (std::size_t t = 0; t < s.tokens; ++t) {
          for (std::size_t c = 0; c < s.dim; ++c) {
            double sum = static_cast<double>(bias.in()[c]), magnitude = std::abs(sum);
            for (const std::uint32_t u : active.of(t)) {
              const double term = static_cast<double>(h.in()[t * s.units + u]) * widened(w.in()[u * s.dim + c]);
              sum += term;
              magnitude += std::abs(term);
              const double outer =
                  static_cast<double>(h.in()[t * s.units + u]) * static_cast<double>(x.in()[t * s.dim + c]);
              want[u * s.dim + c] += outer;
              size[u * s.dim + c] += std::abs(outer);
            }
            ASSERT_NEAR(static_cast<double>(y.in()[t * s.dim + c]), sum, bound<A>(active.of(t).size(), magnitude));
          }
          for (std::size_t k = 0; k < active.of(t).size(); ++k) {
            const std::uint32_t u = active.of(t)[k];
            ++count[u];
            double sum = static_cast<double>(unit_bias.in()[u]), magnitude = std::abs(sum);
            for (std::size_t c = 0; c < s.dim; ++c) {
              const double term = static_cast<double>(x.in()[t * s.dim + c]) * widened(w.in()[u * s.dim + c]);
              sum += term;
              magnitude += std::abs(term);
            }
            ASSERT_NEAR(static_cast<double>(pairs.in()[active.first(t) + k]), sum, bound<A>(s.dim, magnitude));
          }
        }
        for (std::size_t i = 0; i < want.size(); ++i) {
          double allowed = bound<A>(static_cast<std::size_t>(count[i / s.dim]), size[i]);
          if (std::is_same_v<W, bfloat16>) allowed += (std::abs(want[i]) + allowed) / 256;  // rounded to 8 bits
          ASSERT_NEAR(widened(dw.in()[i]), want[i], allowed);
        }
      }
    }
  }
}

// A token's sum has the same bits in any company, on any threads and on every target.
TYPED_TEST(Sparse, SumsAreTheSameBitsAnywhere) {
  using W = TypeParam;
  using A = Wide<W>;
  constexpr std::size_t tokens = 37, units = 700, dim = 301;
  std::mt19937 random(6);
  const Array<W> w(units * dim, random);
  const Array<A> h(tokens * units, random, 0.8);
  const Active active = Active::nonzero<A>(h.in(), tokens, units);
  const std::vector<A> values = active.gather<A>(h.in());
  std::vector<A> first(tokens * dim), other(tokens * dim);
  rows_sum<W>(active, values, w.in(), dim, {}, first);
  const Parallel two = on_threads(2);
  for (const std::string& target : targets()) {
    use_target(target);
    rows_sum<W>(active, values, w.in(), dim, {}, other, {&two, 2});
    EXPECT_EQ(first, other) << target;
    for (const std::size_t together : {1, 4}) {
      for (std::size_t t = 0; t + together <= tokens; t += together) {
        const Active few = Active::nonzero<A>(h.in().subspan(t * units, together * units), together, units);
        std::vector<A> part(together * dim);
        rows_sum<W>(few, few.gather<A>(h.in().subspan(t * units, together * units)), w.in(), dim, {}, part);
        ASSERT_TRUE(std::equal(part.begin(), part.end(), first.begin() + static_cast<std::ptrdiff_t>(t * dim)))
            << target << ", token " << t << " of " << together;
      }
    }
  }
}

TYPED_TEST(Sparse, SkippedRowsMayHoldAnything) {
  using W = TypeParam;
  using A = Wide<W>;
  constexpr std::size_t units = 100, dim = 37;
  std::mt19937 random(7);
  for (const std::size_t tokens : {1, 3, 20}) {
    Array<W> w(units * dim, random);
    Array<A> h(tokens * units, random, 0.5);
    // Units 0, 3, 6... hold infinities and NaN; the last token alone uses them.
    for (std::size_t u = 0; u < units; u += 3) {
      for (std::size_t c = 0; c < dim; ++c) w.span()[u * dim + c] = narrowed<W>(c % 2 == 0 ? infinite : std::nan(""));
      for (std::size_t t = 0; t < tokens; ++t) h.span()[t * units + u] = t + 1 == tokens ? A{1} : A{-0.0};
    }
    const Active active = Active::nonzero<A>(h.in(), tokens, units);
    std::vector<A> y(tokens * dim);
    rows_sum<W>(active, active.gather<A>(h.in()), w.in(), dim, {}, y);
    for (std::size_t i = 0; i < y.size(); ++i) {
      EXPECT_EQ(std::isfinite(y[i]), i / dim + 1 < tokens) << tokens << " tokens, element " << i;
    }
  }
}

TEST(Active, ANaNIsActive) {
  const float nan = std::nanf("");
  const float inf = std::numeric_limits<float>::infinity();
  const float z[] = {0.f, -0.f, 1.f, -1.f, nan, -nan, inf, -inf, 1e-45f, -1e-45f};
  const Active positive = Active::positive<float>(z, 1, 10), nonzero = Active::nonzero<float>(z, 2, 5);
  EXPECT_EQ(std::vector<std::uint32_t>(positive.of(0).begin(), positive.of(0).end()),
            (std::vector<std::uint32_t>{2, 4, 5, 6, 8}));
  EXPECT_EQ(std::vector<std::uint32_t>(nonzero.of(0).begin(), nonzero.of(0).end()),
            (std::vector<std::uint32_t>{2, 3, 4}));
  EXPECT_EQ(nonzero.of(1).size(), 5u);
  EXPECT_EQ(nonzero.rows(), 5u);
  EXPECT_EQ(Active::positive<float>(z, 2, 5).rows(), 5u);  // 2 and 4; 0, 1 and 3
}

TEST(Active, GatherScatterTransposed) {
  const double h[] = {1, 0, 2, 0, 0, 0, 0, 3, 4, 0, 5, 6};
  const Active a = Active::nonzero<double>(h, 3, 4);
  const std::vector<double> values = a.gather<double>(h);
  EXPECT_EQ(values, (std::vector<double>{1, 2, 3, 4, 5, 6}));
  std::vector<double> back(12, 9);
  a.scatter<double>(values, back);
  EXPECT_TRUE(std::equal(back.begin(), back.end(), h));
  std::vector<std::size_t> from;
  const Active t = a.transposed(from);
  EXPECT_EQ(t.tokens(), 4u);
  EXPECT_EQ(t.units(), 3u);
  EXPECT_EQ(t.rows(), 3u);
  EXPECT_EQ(from, (std::vector<std::size_t>{0, 3, 1, 4, 2, 5}));
  const Active less = a.only(std::vector<std::uint8_t>{0, 1, 1, 0, 0, 1});
  EXPECT_EQ(less.gather<double>(h), (std::vector<double>{2, 3, 6}));
  EXPECT_EQ(less.rows(), 2u);
}

TEST(Active, SaysWhichSizeIsWrong) {
  const std::vector<float> h(7, 1.f);
  const auto message = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const Error& e) {
      return e.what();
    }
    return "nothing was thrown";
  };
  EXPECT_EQ(message([&] { Active::nonzero<float>(h, 2, 4); }), "sparse: the activation has 7 elements; expected 8");
  const Active a = Active::nonzero<float>(h, 1, 7);
  std::vector<float> y(3);
  EXPECT_EQ(message([&] { rows_sum<float>(a, h, h, 3, {}, y); }), "sparse: weights has 7 elements; expected 21");
  EXPECT_NE(message([] { unit_named("gelu"); }).find("there are relu, squared_relu, reglu and drelu_glu"),
            std::string::npos);
}

// A whole block against doubles.
TYPED_TEST(Sparse, Blocks) {
  using W = TypeParam;
  using A = Wide<W>;
  constexpr std::size_t tokens = 3, dim = 45, units = 130;
  for (const Unit unit : {Unit::relu, Unit::squared_relu, Unit::reglu, Unit::drelu_glu}) {
    std::mt19937 random(8);
    const Array<W> in(units * dim, random), up(units * dim, random), down(units * dim, random);
    const Array<A> x(tokens * dim, random), bias_in(units, random), bias_up(units, random), bias_out(dim, random);
    std::vector<A> y(tokens * dim);
    feed_forward<W>(unit, {in.in(), up.in(), down.in(), bias_in.in(), bias_up.in(), bias_out.in()}, x.in(), tokens, dim,
                    units, y);
    for (std::size_t t = 0; t < tokens; ++t) {
      std::vector<double> sum(dim), size(dim);
      for (std::size_t c = 0; c < dim; ++c) sum[c] = static_cast<double>(bias_out.in()[c]);
      for (std::size_t u = 0; u < units; ++u) {
        double g = static_cast<double>(bias_in.in()[u]), b = static_cast<double>(bias_up.in()[u]);
        for (std::size_t c = 0; c < dim; ++c) {
          g += static_cast<double>(x.in()[t * dim + c]) * widened(in.in()[u * dim + c]);
          b += static_cast<double>(x.in()[t * dim + c]) * widened(up.in()[u * dim + c]);
        }
        double h = std::max(g, 0.0);
        if (unit == Unit::squared_relu) h *= h;
        if (unit == Unit::reglu) h *= b;
        if (unit == Unit::drelu_glu) h *= std::max(b, 0.0);
        for (std::size_t c = 0; c < dim; ++c) {
          const double term = h * widened(down.in()[u * dim + c]);
          sum[c] += term;
          size[c] += std::abs(term) + std::abs(widened(down.in()[u * dim + c])) * 30;  // and the error of h
        }
      }
      for (std::size_t c = 0; c < dim; ++c) {
        EXPECT_NEAR(static_cast<double>(y[t * dim + c]), sum[c], bound<A>(2 * dim + units, 4 * size[c]))
            << name_of(unit);
      }
    }
  }
}

TEST(SparseCosts, DenseAndSparseMeet) {
  const Costs& costs = default_costs(Type::float32);
  const Active few = Active::nonzero<float>(std::vector<float>(8192, 0.f), 1, 8192), all = Active::all(64, 8192);
  EXPECT_LT(sparse_cost(costs, Type::float32, few, 2048, 1, 0, 0), dense_cost(costs, 1, 8192, 2048, 1));
  EXPECT_GT(sparse_cost(costs, Type::float32, all, 2048, 1, 0, 0), dense_cost(costs, 64, 8192, 2048, 1));
  EXPECT_EQ(dense_cost(costs, 0, 8192, 2048, 1), 0);
  for (std::size_t t = 1; t < 3000; ++t) {
    // Between the measured batches the estimate lies between theirs, without a jump.
    const double here = dense_cost(costs, t, 1, 1, 1), next = dense_cost(costs, t + 1, 1, 1, 1);
    EXPECT_LT(std::abs(next - here), 1.5 * costs.dense[10]) << t;
  }
}

}  // namespace
}  // namespace ogee::sparse
