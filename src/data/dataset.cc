#include "data/dataset.h"

#include <fmt/format.h>
#include <torch/torch.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "data/bytes.h"
#include "data/embedded.h"
#include "data/idx.h"
#include "data/split.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

constexpr std::uint64_t split_seed = 20160301;
constexpr double imbalance_worth_a_note = 1.5;

at::Tensor as_tensor(const std::vector<std::int64_t>& indices) { return torch::tensor(indices, torch::kLong); }

Part take(const at::Tensor& x, const at::Tensor& y, const std::vector<std::int64_t>& indices) {
  const at::Tensor chosen = as_tensor(indices);
  return {x.index_select(0, chosen), y.index_select(0, chosen)};
}

// Fitted on training data only. Pixels of an image share one scale: their differences are the picture.
void standardise(Dataset& set) {
  const at::Tensor& x = set.train.x;
  const at::Tensor mean = set.images() ? x.mean() : x.mean(0);
  at::Tensor deviation = set.images() ? x.std(false) : x.std(0, false);
  const at::Tensor constant = deviation < 1e-12 * (1 + mean.abs());
  if (const auto count = constant.sum().item<std::int64_t>(); count > 0)
    set.notes.push_back(
        fmt::format("{} feature{} constant in training: of no use", count, count == 1 ? " is" : "s are"));
  deviation = torch::where(constant, torch::ones_like(deviation), deviation);
  for (Part* part : {&set.train, &set.validation, &set.test}) part->x = (part->x - mean) / deviation;
}

void standardise_target(Dataset& set) {
  const double mean = set.train.y.mean().item<double>();
  set.target_deviation = set.train.y.std(false).item<double>();
  if (!(set.target_deviation > 0)) throw Error(set.name + ": the target is constant in the training part");
  for (Part* part : {&set.train, &set.validation, &set.test})
    part->y = ((part->y - mean) / set.target_deviation).to(torch::kFloat);
}

void describe_classes(Dataset& set) {
  const at::Tensor counts = torch::bincount(set.train.y, {}, set.outputs());
  const auto largest = counts.argmax().item<std::int64_t>(), smallest = counts.argmin().item<std::int64_t>();
  const auto most = counts[largest].item<std::int64_t>(), least = counts[smallest].item<std::int64_t>();
  if (static_cast<double>(most) > imbalance_worth_a_note * static_cast<double>(least))
    set.notes.push_back(fmt::format("classes are unbalanced: {} examples of '{}', {} of '{}'", most,
                                    set.classes[static_cast<std::size_t>(largest)], least,
                                    set.classes[static_cast<std::size_t>(smallest)]));
  set.baseline = set.test.y.ne(largest).to(torch::kDouble).mean().item<double>();
}

void finish(Dataset& set) {
  if (set.train.size() == 0 || set.validation.size() == 0 || set.test.size() == 0)
    throw Error(fmt::format("{}: too few examples: {} to train, {} to validate, {} to test", set.name, set.train.size(),
                            set.validation.size(), set.test.size()));
  standardise(set);
  if (set.goal == Goal::classification) {
    describe_classes(set);
  } else {
    standardise_target(set);
    set.baseline = set.target_deviation * set.test.y.square().mean().sqrt().item<double>();
  }
  uLong sum = crc32(0, nullptr, 0);
  for (const Part* part : {&set.train, &set.validation, &set.test})
    for (const at::Tensor& tensor : {part->x.contiguous(), part->y.contiguous()})
      sum = crc32_z(sum, static_cast<const Bytef*>(tensor.data_ptr()), tensor.nbytes());
  set.fingerprint = fmt::format("{:08x}", sum);
}

Dataset from_table(const Table& table, const Request& request, std::vector<std::int64_t> shape) {
  Dataset set;
  set.name = request.data;
  set.goal = table.goal;
  set.classes = table.classes;
  set.notes = table.notes;
  set.shape = std::move(shape);
  std::vector<std::int64_t> sizes = set.shape;
  sizes.insert(sizes.begin(), static_cast<std::int64_t>(table.rows));
  const at::Tensor x = torch::tensor(table.features).reshape(sizes);
  const at::Tensor y = table.goal == Goal::classification ? torch::tensor(table.labels).to(torch::kLong)
                                                          : torch::tensor(table.values, torch::kDouble);
  Indices parts = split(table.rows, table.labels, 0.2, 0.2, split_seed);
  if (request.train_limit > 0)
    parts.train = limit(parts.train, table.labels, static_cast<std::size_t>(request.train_limit), split_seed);
  set.train = take(x, y, parts.train);
  set.validation = take(x, y, parts.validation);
  set.test = take(x, y, parts.test);
  finish(set);
  return set;
}

Dataset from_idx(const Request& request) {
  const char* root = std::getenv("OGEE_DATA");
  if (!root || !*root)
    throw Error(
        fmt::format("{}: OGEE_DATA is unset: set it to the folder that holds {}/train-images-idx3-ubyte.gz "
                    "and its companions",
                    request.data, request.data));
  const std::string folder = (std::filesystem::path(root) / request.data).string();
  if (!std::filesystem::is_directory(folder))
    throw Error(fmt::format("{}: no such folder (OGEE_DATA={})", folder, root));
  const IdxPair training = read_idx_pair(folder, "train"), testing = read_idx_pair(folder, "t10k");
  const auto height = static_cast<std::int64_t>(training.images.height);
  const auto width = static_cast<std::int64_t>(training.images.width);
  if (testing.images.height != training.images.height || testing.images.width != training.images.width)
    throw Error(fmt::format("{}: test images of {}x{}, training images of {}x{}", folder, testing.images.height,
                            testing.images.width, height, width));
  Dataset set;
  set.name = request.data;
  set.shape = {1, height, width};
  const std::uint8_t largest = *std::max_element(training.labels.begin(), training.labels.end());
  if (largest == 0) throw Error(folder + ": one class only: every training label is 0");
  if (*std::max_element(testing.labels.begin(), testing.labels.end()) > largest)
    throw Error(folder + ": the test labels have classes that the training labels lack");
  for (int i = 0; i <= largest; ++i) set.classes.push_back(std::to_string(i));
  const auto tensors = [&](const IdxPair& pair) -> Part {
    return {torch::tensor(at::ArrayRef<std::uint8_t>(pair.images.pixels), torch::kByte)
                .reshape({-1, 1, height, width})
                .to(torch::kFloat),
            torch::tensor(at::ArrayRef<std::uint8_t>(pair.labels), torch::kByte).to(torch::kLong)};
  };
  const Part all = tensors(training);
  const std::vector<int> labels(training.labels.begin(), training.labels.end());
  Indices parts = split(labels.size(), labels, 0.1, 0, split_seed);
  if (request.train_limit > 0)
    parts.train = limit(parts.train, labels, static_cast<std::size_t>(request.train_limit), split_seed);
  set.train = take(all.x, all.y, parts.train);
  set.validation = take(all.x, all.y, parts.validation);
  set.test = tensors(testing);
  finish(set);
  return set;
}

}  // namespace

Dataset load(const Request& request) {
  const auto ends = [&](const char* ending) { return request.data.ends_with(ending); };
  const bool csv = ends(".csv") || ends(".csv.gz");
  if (!csv && !request.target.empty())
    throw Error(fmt::format("--target {}: only CSV files have a target to choose", request.target));
  if (request.data == "optdigits") {
    Table table = parse_csv(unpack(embedded_optdigits(), "optdigits"), "optdigits");
    table.notes.clear();  // nothing had to be found out
    return from_table(table, request, {1, 8, 8});
  }
  if (request.data == "mnist" || request.data == "fashion-mnist") return from_idx(request);
  if (!csv)
    throw Error(fmt::format("--data {}: expected optdigits, mnist, fashion-mnist or a file ending in .csv or .csv.gz",
                            request.data));
  const Table table = read_csv(request.data, request.target);
  return from_table(table, request, {static_cast<std::int64_t>(table.columns)});
}

}  // namespace ogee::data
