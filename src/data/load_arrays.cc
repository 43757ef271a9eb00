// NumPy arrays x and y: two .npy files beside each other, or one .npz.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <initializer_list>
#include <optional>

#include "ogee/libtorch.h"
#include "data/loaders.h"
#include "data/npy.h"
#include "data/parts.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

namespace fs = std::filesystem;

// Whole numbers in an array of floats are classes if there are at most this many, as in a CSV file.
constexpr std::size_t most_float_classes = 20;
// Integers are classes if each has that many examples on average.
constexpr std::size_t fewest_per_class = 5;
constexpr std::int64_t fewest_examples = 20;

struct Pair {
  at::Tensor x, y;
  std::string x_name, y_name;  // in errors
};

struct Found {
  Pair all;
  std::optional<Pair> validation, test;
};

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// features_x.npy -> features_y.npy, X.npy -> y.npy or Y.npy
std::string companion(const std::string& path) {
  const fs::path file(path);
  const std::string stem = file.stem().string();
  if (!stem.ends_with('x') && !stem.ends_with('X'))
    throw Error(
        fmt::format("{}: where are the answers? Call the files x.npy and y.npy (or ..._x.npy and ..._y.npy), or "
                    "give the answers' file as the target",
                    path));
  for (const char* letter : {"y", "Y"}) {
    const fs::path other = file.parent_path() / (stem.substr(0, stem.size() - 1) + letter + ".npy");
    if (is_there(other)) return other.string();
  }
  throw Error(fmt::format("{}: no {}y.npy beside it, nor a target that names the answers' file", path,
                          stem.substr(0, stem.size() - 1)));
}

Pair from_npy(const std::string& path, const std::string& target) {
  std::string answers = target.empty() ? companion(path) : target;
  if (!target.empty() && !is_there(answers)) answers = (fs::path(path).parent_path() / target).string();
  return {read_npy(path), read_npy(answers), path, answers};
}

using Arrays = std::map<std::string, at::Tensor>;

std::optional<Pair> from_npz(const Arrays& arrays, const std::string& path, const std::string& target,
                             std::initializer_list<const char*> endings) {
  const auto find = [&](std::initializer_list<const char*> letters, const char* ending) {
    for (const char* letter : letters)
      if (const auto found = arrays.find(std::string(letter) + ending); found != arrays.end()) return found;
    return arrays.end();
  };
  for (const char* ending : endings) {
    const auto x = find({"x", "X"}, ending);
    const auto y = !target.empty() ? arrays.find(target) : find({"y", "Y"}, ending);
    if (x != arrays.end() && y != arrays.end())
      return Pair{x->second, y->second, path + ":" + x->first, path + ":" + y->first};
  }
  return std::nullopt;
}

std::vector<std::string> names_of(const Arrays& arrays) {
  std::vector<std::string> names;
  for (const auto& [name, array] : arrays) names.push_back(name);
  return names;
}

Pair need_npz(const std::string& path, const std::string& target, std::initializer_list<const char*> endings) {
  const Arrays arrays = read_npz(path);
  auto pair = from_npz(arrays, path, target, endings);
  if (!pair)
    throw Error(fmt::format("{}: no arrays x and {}; it has {}", path, target.empty() ? "y" : target,
                            fmt::join(names_of(arrays), ", ")));
  return std::move(*pair);
}

Found find_arrays(const Request& request) {
  Found found;
  const auto part = [&](const std::string& path, std::initializer_list<const char*> endings) {
    return path.ends_with(".npz") ? need_npz(path, request.target, endings) : from_npy(path, request.target);
  };
  found.all = part(request.data, {"", "_train"});
  if (request.data.ends_with(".npz") && request.target.empty() && found.all.x_name.ends_with("_train")) {
    const Arrays arrays = read_npz(request.data);
    found.validation = from_npz(arrays, request.data, "", {"_validation", "_valid", "_val"});
    found.test = from_npz(arrays, request.data, "", {"_test"});
  }
  if (!request.validation.empty()) found.validation = part(request.validation, {"", "_validation", "_valid", "_val"});
  if (!request.test.empty()) found.test = part(request.test, {"", "_test"});
  return found;
}

std::string place_of(const at::Tensor& x, std::int64_t flat) {
  std::vector<std::int64_t> place;
  for (std::int64_t i = x.dim() - 1; i >= 0; --i) {
    place.push_back(flat % x.size(i));
    flat /= x.size(i);
  }
  std::reverse(place.begin(), place.end());
  return fmt::format("element [{}]", fmt::join(place, ", "));
}

// float32, and finite.
at::Tensor numbers(const at::Tensor& array, const std::string& name) {
  const at::Tensor x = array.to(torch::kFloat);
  const at::Tensor bad = torch::isfinite(x).logical_not();
  if (bad.any().item<bool>()) {
    const auto first = bad.flatten().to(torch::kByte).argmax().item<std::int64_t>();
    throw Error(fmt::format("{}: {} is {}, not a finite float32 number", name, place_of(array, first),
                            array.flatten()[first].item<double>()));
  }
  return x;
}

void check_pair(Pair& pair) {
  if (pair.x.dim() == 0 || pair.x.dim() > 4)
    throw Error(
        fmt::format("{}: {} dimensions, expected (examples, features), (examples, rows, columns) or (examples, "
                    "channels, height, width)",
                    pair.x_name, pair.x.dim()));
  if (pair.x.dim() == 1) pair.x = pair.x.unsqueeze(1);
  if (pair.y.dim() == 2 && pair.y.size(1) == 1) pair.y = pair.y.squeeze(1);
  if (pair.y.dim() != 1)
    throw Error(fmt::format("{}: shape ({}), expected one answer for each example", pair.y_name,
                            fmt::join(pair.y.sizes(), ", ")));
  if (pair.x.size(0) != pair.y.size(0))
    throw Error(fmt::format("{}: {} answers for the {} examples of {}", pair.y_name, pair.y.size(0), pair.x.size(0),
                            pair.x_name));
  if (pair.x.numel() == 0) throw Error(fmt::format("{}: an empty array", pair.x_name));
}

// Decides between classes and values, over all parts at once, and numbers the classes.
void read_answers(Dataset& set, const std::vector<Pair*>& pairs) {
  std::vector<at::Tensor> exact;
  bool whole_type = true;
  for (const Pair* pair : pairs) {
    numbers(pair->y, pair->y_name);  // or there is an error
    exact.push_back(pair->y.to(torch::kDouble));
    whole_type = whole_type && !pair->y.is_floating_point();
  }
  const at::Tensor y = torch::cat(exact);
  const at::Tensor distinct = std::get<0>(at::_unique(y));
  const auto count = static_cast<std::size_t>(distinct.numel());
  if (count == 1) throw Error(fmt::format("{}: every answer is {}", pairs[0]->y_name, y[0].item<double>()));
  const bool whole = y.eq(y.floor()).all().item<bool>();
  const bool classes = whole && (whole_type ? count * fewest_per_class <= static_cast<std::size_t>(y.numel())
                                            : count <= most_float_classes);
  set.goal = classes ? Goal::classification : Goal::regression;
  set.notes.push_back(fmt::format("{}: {} distinct {}: {}", pairs[0]->y_name, count,
                                  whole_type ? "integers"
                                  : whole    ? "whole numbers"
                                             : "numbers",
                                  classes ? "classification" : "regression"));
  if (classes)
    for (std::size_t i = 0; i < count; ++i)
      set.classes.push_back(fmt::format("{}", distinct[static_cast<std::int64_t>(i)].item<double>()));
  for (Pair* pair : pairs) {
    pair->y = pair->y.to(torch::kDouble);
    if (classes) pair->y = torch::searchsorted(distinct, pair->y).to(torch::kLong);
  }
}

// [n, features] as they are; [n, rows, columns] as pictures of one channel, whose rows are a sequence's steps;
// [n, height, width, channels] with the channels in front.
void read_examples(Dataset& set, const std::vector<Pair*>& pairs) {
  const at::Tensor& first = pairs[0]->x;
  const auto is_channels = [](std::int64_t size) { return size == 1 || size == 3 || size == 4; };
  const bool channels_last = first.dim() == 4 && is_channels(first.size(3)) && !is_channels(first.size(1));
  if (channels_last) set.notes.push_back(fmt::format("{}: the last dimension taken for channels", pairs[0]->x_name));
  for (Pair* pair : pairs) {
    if (pair->x.dim() != first.dim() || pair->x.sizes().slice(1) != first.sizes().slice(1))
      throw Error(fmt::format("{}: examples of ({}), those of {} of ({})", pair->x_name,
                              fmt::join(pair->x.sizes().slice(1), ", "), pairs[0]->x_name,
                              fmt::join(first.sizes().slice(1), ", ")));
  }
  for (Pair* pair : pairs) {
    at::Tensor x = numbers(pair->x, pair->x_name);
    if (x.dim() == 3) x = x.unsqueeze(1);
    pair->x = channels_last ? x.permute({0, 3, 1, 2}).contiguous() : x;
  }
  set.shape = pairs[0]->x.sizes().slice(1).vec();
}

}  // namespace

Dataset load_arrays(const Request& request) {
  Found found = find_arrays(request);
  std::vector<Pair*> pairs{&found.all};
  for (auto* part : {&found.validation, &found.test})
    if (*part) pairs.push_back(&**part);
  for (Pair* pair : pairs) check_pair(*pair);
  if (found.all.x.size(0) < fewest_examples)
    throw Error(
        fmt::format("{}: {} examples, at least {} are needed", found.all.x_name, found.all.x.size(0), fewest_examples));
  const bool bytes = found.all.x.scalar_type() == torch::kByte;
  const bool sequence = found.all.x.dim() == 3;
  Dataset set;
  set.name = request.data;
  read_answers(set, pairs);
  read_examples(set, pairs);
  const auto as_part = [](const std::optional<Pair>& pair) { return pair ? Part{pair->x, pair->y} : Part{}; };
  const Scale scale = !set.images() ? Scale::feature : bytes || !sequence ? Scale::all : Scale::column;
  divide(set, {{found.all.x, found.all.y}, as_part(found.validation), as_part(found.test)}, request, {0.2, 0.2}, scale);
  return set;
}

}  // namespace ogee::data
