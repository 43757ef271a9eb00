// Products and sums over rows, against double precision, and the same bits from every target.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "hwy/aligned_allocator.h"
#include "kernels.h"
#include "kernels/dense/products.h"
#include "kernels/dense/rows.h"

namespace ogee::test {
namespace {

using kernels::dense::Panels;
using kernels::dense::Product;

std::ptrdiff_t stride(std::size_t x) { return static_cast<std::ptrdiff_t>(x); }
template <class T>
T element(std::size_t i, std::size_t j) {
  return static_cast<T>((i * 31 + j * 7 + 1) % 17) / T{8} - T{1};
}

// Every height of a block and every end of a panel, several stretches of k, transposed factors, and where sums start.
template <class T>
void check_product(std::size_t m, std::size_t n, std::size_t k, bool turned, bool packed, double tolerance,
                   bool from_memory = false) {
  SCOPED_TRACE(testing::Message() << m << " " << n << " " << k << " " << turned << " " << packed << " " << from_memory);
  std::vector<T> a(m * k), b(k * n), c(m * (n + 3), T{1}), row(n, T{2});
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < k; ++j) a[turned ? j * m + i : i * k + j] = element<T>(i, j);
  const bool b_turned = turned && packed;
  for (std::size_t i = 0; i < k; ++i)
    for (std::size_t j = 0; j < n; ++j) b[b_turned ? j * k + i : i * n + j] = element<T>(j, i);
  const auto memory = hwy::AllocateAligned<T>(Panels<T>::room(k, n) + 1);
  const auto panels =
      packed ? Panels<T>::packed(memory.get(), {b.data(), b_turned ? 1 : stride(n), b_turned ? stride(k) : 1}, k, n)
      : from_memory ? Panels<T>::from_memory(b.data(), stride(n), k, n)
                    : Panels<T>::in_place(b.data(), stride(n), k, n);
  Product<T> product{
      m, {a.data(), turned ? 1 : stride(k), turned ? stride(m) : 1}, &panels, c.data(), stride(n + 3), row.data(), 0};
  multiply(product);  // 2 + ab
  product.start = c.data();
  product.start_stride = product.c_stride;
  multiply(product, 0, panels.panels() / 2);  // 2 + 2ab, in two parts
  multiply(product, panels.panels() / 2, panels.panels());
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::size_t l = 0; l < k; ++l)
        sum += static_cast<double>(element<T>(i, l)) * static_cast<double>(element<T>(j, l));
      ASSERT_NEAR(c[i * (n + 3) + j], 2 + 2 * sum, tolerance);
    }
    for (std::size_t j = n; j < n + 3; ++j) ASSERT_EQ(c[i * (n + 3) + j], T{1}) << "beyond the end of a row";
  }
}
TEST(Dense, ProductsAreRight) {
  for (const std::string& target : targets()) {
    SCOPED_TRACE(target);
    const OnTarget on(target);
    for (const std::size_t m : {0, 1, 5, 12, 13})
      for (const std::size_t n : {1, 16, 33, 70})
        for (const std::size_t k : {0, 1, 17, 270})
          for (const bool turned : {false, true})
            for (const bool packed : {false, true}) {
              check_product<double>(m, n, k, turned, packed, 1e-11);
              check_product<float>(m, n, k, turned, packed, 1e-3);
              if (packed) continue;
              check_product<double>(m, n, k, turned, packed, 1e-11, true);
              check_product<float>(m, n, k, turned, packed, 1e-3, true);
            }
    check_product<float>(100, 33, 17, false, false, 1e-3);
    check_product<float>(100, 33, 70, false, false, 1e-3, true);
  }
}

std::vector<float> numbers(std::size_t count, std::size_t seed) {
  std::vector<float> x(count);
  for (std::size_t i = 0; i < count; ++i) x[i] = 0.3F + std::sin(static_cast<float>(i * 7 + seed));
  return x;
}

TEST(Dense, SumsOverRowsAreRightAndTheSameEverywhere) {
  constexpr std::size_t rows = 9;
  for (const std::size_t columns : {1, 3, 16, 21, 64, 130}) {
    SCOPED_TRACE(columns);
    const std::vector<float> x = numbers(rows * columns, 1), dy = numbers(rows * columns, 2);
    std::vector<float> first;
    for (const std::string& target : targets()) {
      SCOPED_TRACE(target);
      const OnTarget on(target);
      std::vector<float> sum(columns), factor(rows), y(x.size()), dx(x.size());
      kernels::dense::column_sums(rows, columns, x.data(), stride(columns), sum.data());
      kernels::dense::over_root_mean_square(rows, columns, 1e-6F, x.data(), y.data(), factor.data());
      kernels::dense::over_root_mean_square_backward(rows, columns, x.data(), factor.data(), dy.data(), dx.data());
      for (std::size_t j = 0; j < columns; ++j) {
        double want = 0;
        for (std::size_t i = 0; i < rows; ++i) want += x[i * columns + j];
        EXPECT_NEAR(sum[j], want, 1e-5);
      }
      for (std::size_t i = 0; i < rows; ++i) {
        const float* const row = x.data() + i * columns;
        const float* const by = dy.data() + i * columns;
        double square = 0, along = 0;
        for (std::size_t j = 0; j < columns; ++j) {
          square += static_cast<double>(row[j]) * row[j];
          along += static_cast<double>(row[j]) * by[j];
        }
        const auto n = static_cast<double>(columns);
        const double f = 1 / std::sqrt(square / n + 1e-6);
        for (std::size_t j = 0; j < columns; ++j) {
          EXPECT_NEAR(y[i * columns + j], row[j] * f, 1e-5 * f);
          EXPECT_NEAR(dx[i * columns + j], by[j] * f - row[j] * f * f * f * along / n, 1e-4 * f);
        }
      }
      std::vector<float> all = sum;
      for (const auto& part : {factor, y, dx}) all.insert(all.end(), part.begin(), part.end());
      if (first.empty()) first = all;
      EXPECT_EQ(all, first);
    }
  }
}

TEST(Dense, CrossEntropyIsRightAndTheSameEverywhere) {
  for (const std::size_t rows : {1, 16, 37}) {
    for (const std::size_t columns : {1, 2, 10, 65}) {
      SCOPED_TRACE(testing::Message() << rows << " " << columns);
      std::vector<float> x = numbers(rows * columns, 3), first;
      for (float& value : x) value *= 30;
      std::vector<std::int64_t> y(rows);
      for (std::size_t i = 0; i < rows; ++i) y[i] = static_cast<std::int64_t>(i * 7 % columns);
      for (const std::string& target : targets()) {
        SCOPED_TRACE(target);
        const OnTarget on(target);
        std::vector<float> dx(x.size());
        const double loss = kernels::dense::cross_entropy(rows, columns, x.data(), y.data(), dx.data());
        double want = 0;
        for (std::size_t i = 0; i < rows; ++i) {
          const float* const row = x.data() + i * columns;
          double total = 0;
          for (std::size_t j = 0; j < columns; ++j) total += std::exp(static_cast<double>(row[j]));
          const auto answer = static_cast<std::size_t>(y[i]);
          want += std::log(total) - row[answer];
          for (std::size_t j = 0; j < columns; ++j) {
            const double by = std::exp(static_cast<double>(row[j])) / total - (j == answer ? 1 : 0);
            EXPECT_NEAR(dx[i * columns + j], by / static_cast<double>(rows), 1e-6 / static_cast<double>(rows));
          }
        }
        EXPECT_NEAR(loss, want / static_cast<double>(rows), 1e-5);
        dx.push_back(static_cast<float>(loss));
        if (first.empty()) first = dx;
        EXPECT_EQ(dx, first);
      }
      x[0] = std::numeric_limits<float>::quiet_NaN();
      std::vector<float> dx(x.size());
      EXPECT_TRUE(std::isnan(kernels::dense::cross_entropy(rows, columns, x.data(), y.data(), dx.data())));
    }
  }
}

// A vocabulary's rows, some of which are not asked for; in place, and without a gradient.
TEST(Dense, CrossEntropyOfLongRowsIsRight) {
  constexpr std::size_t rows = 5;
  for (const std::size_t columns : {1, 15, 16, 17, 700, 1003}) {
    SCOPED_TRACE(columns);
    std::vector<float> x = numbers(rows * columns, columns), first;
    x[columns] = 90;        // its power alone would be infinite
    x[columns - 1] = -200;  // and this one's 0
    std::vector<std::int64_t> y(rows);
    for (std::size_t i = 0; i < rows; ++i) y[i] = static_cast<std::int64_t>(i * 7 % columns);
    y[2] = -100;
    for (const std::string& target : targets()) {
      SCOPED_TRACE(target);
      const OnTarget on(target);
      std::vector<float> dx(x.size(), 3), in_place = x;
      const double loss = kernels::dense::long_cross_entropy(rows, columns, x.data(), y.data(), dx.data());
      double want = 0;
      for (std::size_t i = 0; i < rows; ++i) {
        const float* const row = x.data() + i * columns;
        double total = 0;
        for (std::size_t j = 0; j < columns; ++j) total += std::exp(static_cast<double>(row[j]) - 90);
        if (y[i] >= 0) want += std::log(total) + 90 - row[static_cast<std::size_t>(y[i])];
        for (std::size_t j = 0; j < columns; ++j) {
          const double by = std::exp(static_cast<double>(row[j]) - 90) / total - (static_cast<std::int64_t>(j) == y[i]);
          EXPECT_NEAR(dx[i * columns + j], y[i] < 0 ? 0 : by / 4, 1e-6);
        }
      }
      EXPECT_NEAR(loss, want / 4, 1e-5);
      EXPECT_EQ(kernels::dense::long_cross_entropy(rows, columns, x.data(), y.data(), nullptr), loss);
      EXPECT_EQ(kernels::dense::long_cross_entropy(rows, columns, in_place.data(), y.data(), in_place.data()), loss);
      EXPECT_EQ(in_place, dx);
      dx.push_back(static_cast<float>(loss));
      if (first.empty()) first = dx;
      EXPECT_EQ(dx, first);
    }
    x[3 * columns] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(kernels::dense::long_cross_entropy(rows, columns, x.data(), y.data(), nullptr)));
    std::fill(y.begin(), y.end(), -1);
    EXPECT_TRUE(std::isnan(kernels::dense::long_cross_entropy(rows, columns, x.data(), y.data(), nullptr)));
  }
}

}  // namespace
}  // namespace ogee::test
