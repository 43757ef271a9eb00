#include "data/unique_integers.h"

#include <fmt/format.h>

#include <cmath>
#include <set>
#include <utility>

#include "ogee/libtorch.h"
#include "data/parts.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

// ways[r][n]: how many sequences of r values of a given set of `different` have those n that did not come before. The
// numbers stay below different^length, which the attributes' ranges keep finite.
std::vector<std::vector<double>> completions(std::int64_t length, std::int64_t different) {
  const auto rows = static_cast<std::size_t>(length), sets = static_cast<std::size_t>(different);
  std::vector<std::vector<double>> ways(rows + 1, std::vector<double>(sets + 1, 0));
  ways[0][0] = 1;
  for (std::size_t r = 1; r <= rows; ++r)
    for (std::size_t n = 0; n <= sets; ++n)
      ways[r][n] =
          static_cast<double>(sets - n) * ways[r - 1][n] + (n > 0 ? static_cast<double>(n) * ways[r - 1][n - 1] : 0.0);
  return ways;
}

// One of all sequences with so many different values, each as likely as any other.
std::string draw_with(const UniqueIntegers& task, std::int64_t different, Draw& draw) {
  // The values seen come first, then those to come, then those that will not.
  std::string order;
  for (std::int64_t i = 0; i < task.values; ++i) order += static_cast<char>(i);
  for (std::int64_t i = 0; i < task.values; ++i)
    std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(draw.from_to(i, task.values - 1))]);
  const auto ways = completions(task.length, different);
  std::string sequence;
  std::int64_t seen = 0;
  for (auto left = static_cast<std::size_t>(task.length); left > 0; --left) {
    const auto to_come = static_cast<std::size_t>(different - seen);
    const double fresh =
        to_come == 0 ? 0 : static_cast<double>(to_come) * ways[left - 1][to_come - 1] / ways[left][to_come];
    // `order` is shuffled: the next of those to come is any of them.
    if (draw.uniform() < fresh)
      sequence += order[static_cast<std::size_t>(seen++)];
    else
      sequence += order[static_cast<std::size_t>(draw.below(seen))];
  }
  return sequence;
}

// One number for each value, one of them marked, standardised: mean 0 and variance 1 over them all.
Part part_from(const UniqueIntegers& task, const std::vector<std::string>& sequences) {
  const auto count = static_cast<std::int64_t>(sequences.size());
  const double spread = std::sqrt(static_cast<double>(task.values - 1));
  at::Tensor values = torch::empty({count, task.length, 1}, torch::kLong), y = torch::empty({count}, torch::kLong);
  auto* value = values.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < count; ++i) {
    const std::string& sequence = sequences[static_cast<std::size_t>(i)];
    for (const char c : sequence) *value++ = c;
    y.data_ptr<std::int64_t>()[i] = count_unique(sequence) - 1;
  }
  at::Tensor x = torch::full({count, task.length, task.values}, -1 / spread);
  x.scatter_(2, values, spread);
  return {x, y};
}

}  // namespace

std::string draw_integers(const UniqueIntegers& task, Draw& draw) {
  if (task.balanced) return draw_with(task, draw.from_to(1, task.most()), draw);
  std::string sequence;
  for (std::int64_t i = 0; i < task.length; ++i) sequence += static_cast<char>(draw.below(task.values));
  return sequence;
}

std::int64_t count_unique(const std::string& sequence) {
  return static_cast<std::int64_t>(std::set<char>(sequence.begin(), sequence.end()).size());
}

Dataset load_unique_integers(const Request& request) {
  Attributes attributes("--data", request.data);
  UniqueIntegers task;
  task.length = attributes.take("length", task.length, 2, 128);
  task.values = attributes.take("values", task.values, 2, 64);
  task.balanced = attributes.take("balanced", 0, 0, 1) == 1;
  const Sizes sizes = take_sizes(attributes, request, 20000);
  attributes.finish();
  Draw draw(sizes.seed);
  const auto parts = draw_parts(sizes, request.data, [&] { return draw_integers(task, draw); });
  Dataset set;
  set.name = request.data;
  set.shape = {task.length, task.values};
  for (std::int64_t i = 1; i <= task.most(); ++i) set.classes.push_back(std::to_string(i));
  set.train = part_from(task, parts[0]);
  set.validation = part_from(task, parts[1]);
  set.test = part_from(task, parts[2]);
  set.difficulty = set.train.y;
  set.notes.push_back(
      fmt::format("drawn: sequences of {} values of {}, and how many different ones they have; {}", task.length,
                  task.values, task.balanced ? "all counts are equally likely" : "all sequences are equally likely"));
  describe_classes(set);
  seal(set);
  return set;
}

}  // namespace ogee::data
