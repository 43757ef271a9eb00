#include "data/generated.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>

#include "ogee/ogee.h"

namespace ogee::data {
namespace {

struct Kind {
  const char* name;
  Dataset (*load)(const Request&);
};
constexpr Kind kinds[] = {{"unique_integers", load_unique_integers},
                          {"programs", load_programs},
                          {"copy", load_copy},
                          {"associative_recall", load_associative_recall},
                          {"shapes", load_shapes}};

std::string name_of(const std::string& data) { return data.substr(0, data.find('(')); }

const Kind* kind_of(const std::string& data) {
  const std::string name = name_of(data);
  for (const Kind& kind : kinds)
    if (name == kind.name) return &kind;
  return nullptr;
}

}  // namespace

bool is_generated(const std::string& data) { return kind_of(data) != nullptr; }

Sizes take_sizes(Attributes& attributes, const Request& request, std::int64_t usual_train,
                 std::int64_t usual_validation, std::int64_t usual_test) {
  constexpr std::int64_t most = 10'000'000;
  Sizes sizes{};
  sizes.parts[0] = attributes.take("train", usual_train, 1, most);
  sizes.parts[1] = attributes.take("validation", usual_validation, 1, most);
  sizes.parts[2] = attributes.take("test", usual_test, 1, most);
  sizes.seed = static_cast<std::uint64_t>(attributes.take("seed", 1, 0, std::int64_t{1} << 62));
  if (request.train_limit > 0) sizes.parts[0] = std::min(sizes.parts[0], request.train_limit);
  return sizes;
}

std::size_t part_of(std::string_view example) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : example) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  // Its low bits alone depend on little of a text.
  return static_cast<std::size_t>((hash ^ (hash >> 32)) % 3);
}

std::array<std::vector<std::string>, 3> draw_parts(const Sizes& sizes, const std::string& data,
                                                   const std::function<std::string()>& draw) {
  std::array<std::vector<std::string>, 3> parts;
  std::int64_t left = std::accumulate(sizes.parts.begin(), sizes.parts.end(), std::int64_t{0});
  // A part of a third is full after three draws an example, but for bad luck.
  for (std::int64_t draws = 10000 + 30 * left; left > 0; --draws) {
    if (draws == 0)
      throw Error(fmt::format("--data {}: there are too few different examples to fill {}, {} and {} of them", data,
                              sizes.parts[0], sizes.parts[1], sizes.parts[2]));
    std::string example = draw();
    const std::size_t part = part_of(example);
    if (static_cast<std::int64_t>(parts[part].size()) == sizes.parts[part]) continue;
    parts[part].push_back(std::move(example));
    --left;
  }
  return parts;
}

Dataset load_generated(const Request& request) {
  if (!request.kind.empty() || !request.validation.empty() || !request.test.empty() || request.validation_share > 0 ||
      request.test_share > 0)
    throw Error(
        fmt::format("--data {}: it is drawn: it takes neither kind nor parts nor shares, but attributes "
                    "train, validation and test",
                    request.data));
  return kind_of(request.data)->load(request);
}

}  // namespace ogee::data
