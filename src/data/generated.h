// Data sets that are drawn, not read: a name with attributes, "unique_integers(length=26, values=11)". The same text
// gives the same examples, with every standard library.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "data/attributes.h"
#include "data/dataset.h"

namespace ogee::data {

// Whether the data are of a generated kind, whatever their attributes.
bool is_generated(const std::string& data);

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}
  std::int64_t below(std::int64_t count) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(count));
  }
  // Both ends included.
  std::int64_t from_to(std::int64_t low, std::int64_t high) { return low + below(high - low + 1); }
  double uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }  // [0, 1)

 private:
  std::mt19937_64 random_;
};

// How many examples of each part; the training part's within the request's limit.
struct Sizes {
  std::array<std::int64_t, 3> parts;  // training, validation, test
  std::uint64_t seed;
};
// The attributes train, validation, test and seed.
Sizes take_sizes(Attributes& attributes, const Request& request, std::int64_t usual_train,
                 std::int64_t usual_validation = 2000, std::int64_t usual_test = 5000);

// The part that an example belongs to: a third of all texts each, so that no two parts can share one.
std::size_t part_of(std::string_view example);
// Draws until every part is full. Throws Error where that takes too long: there are hardly any different examples.
std::array<std::vector<std::string>, 3> draw_parts(const Sizes& sizes, const std::string& data,
                                                   const std::function<std::string()>& draw);

// One function for each kind, one file each.
Dataset load_unique_integers(const Request& request);
Dataset load_programs(const Request& request);
Dataset load_copy(const Request& request);
Dataset load_associative_recall(const Request& request);
Dataset load_shapes(const Request& request);

Dataset load_generated(const Request& request);

}  // namespace ogee::data
