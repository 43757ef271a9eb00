#include "data/parts.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <unordered_set>

#include "ogee/libtorch.h"
#include "data/bytes.h"
#include "data/split.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

constexpr std::uint64_t split_seed = 20160301;
constexpr double imbalance_worth_a_note = 3;
constexpr std::int64_t chunk = 1024;  // examples made contiguous at a time: windows of a series overlap

Part take(const Part& part, const std::vector<std::int64_t>& indices) {
  const at::Tensor chosen = torch::tensor(indices, torch::kLong);
  return {part.x.index_select(0, chosen), part.y.index_select(0, chosen)};
}

void standardise_target(Dataset& set) {
  const double mean = set.train.y.mean().item<double>();
  set.target_deviation = set.train.y.std(false).item<double>();
  if (!(set.target_deviation > 0)) throw Error(set.name + ": the target is constant in the training part");
  for (Part* part : {&set.train, &set.validation, &set.test})
    part->y = ((part->y - mean) / set.target_deviation).to(torch::kFloat);
}

// A class that nothing was learned of makes a test part that measures something else.
void check_classes(const Dataset& set, const Part& trained, const Part& part, const char* what) {
  if (part.size() == 0) return;
  const at::Tensor absent =
      torch::bincount(trained.y, {}, set.outputs()).eq(0).logical_and(torch::bincount(part.y, {}, set.outputs()).gt(0));
  if (absent.any().item<bool>())
    throw Error(
        fmt::format("{}: the {} part has examples of class '{}', the training part none", set.name, what,
                    set.classes[static_cast<std::size_t>(absent.to(torch::kByte).argmax().item<std::int64_t>())]));
}

// Of the bytes of every example's x.
std::vector<std::uint64_t> hashes(const at::Tensor& x) {
  std::vector<std::uint64_t> result;
  for (std::int64_t from = 0; from < x.size(0); from += chunk) {
    const at::Tensor rows = x.narrow(0, from, std::min(chunk, x.size(0) - from)).contiguous();
    const std::size_t bytes = rows.nbytes() / static_cast<std::size_t>(rows.size(0));
    const char* at = static_cast<const char*>(rows.data_ptr());
    for (std::int64_t i = 0; i < rows.size(0); ++i, at += bytes) {
      std::uint64_t hash = 0xcbf29ce484222325;
      for (std::size_t j = 0; j < bytes; j += 4) {  // all element types have a multiple of 4 bytes
        std::uint32_t word;
        std::memcpy(&word, at + j, 4);
        hash = std::rotl((hash ^ word) * 0x9e3779b97f4a7c15, 29);
      }
      result.push_back(hash);
    }
  }
  return result;
}

void note_leaks(Dataset& set) {
  const std::vector<std::uint64_t> trained = hashes(set.train.x);
  const std::unordered_set<std::uint64_t> seen(trained.begin(), trained.end());
  for (const auto& [part, name] : {std::pair(&set.validation, "validation"), std::pair(&set.test, "test")}) {
    std::size_t count = 0;
    for (const std::uint64_t hash : hashes(part->x)) count += seen.contains(hash);
    if (count > 0)
      set.notes.push_back(fmt::format("{} of the {} {} examples {} also among the training examples", count,
                                      part->size(), name, count == 1 ? "is" : "are"));
  }
}

}  // namespace

void describe_classes(Dataset& set) {
  const at::Tensor counts = torch::bincount(set.train.y, {}, set.outputs());
  const auto largest = counts.argmax().item<std::int64_t>(), smallest = counts.argmin().item<std::int64_t>();
  const auto most = counts[largest].item<std::int64_t>(), least = counts[smallest].item<std::int64_t>();
  const auto name = [&](std::int64_t index) { return set.classes[static_cast<std::size_t>(index)]; };
  if (static_cast<double>(most) > imbalance_worth_a_note * static_cast<double>(least))
    set.notes.push_back(fmt::format(
        "classes are unbalanced{}: {} training examples of '{}', {} of '{}'",
        least > 0 ? fmt::format(", {:.3g} to 1", static_cast<double>(most) / static_cast<double>(least)) : "", most,
        name(largest), least, name(smallest)));
  set.baseline = set.test.y.ne(largest).to(torch::kDouble).mean().item<double>();
}

Shares shares_of(const Request& request, bool validation_given, bool test_given, Shares usual) {
  const auto one = [](double share, bool given, double otherwise, const char* name) {
    if (share < 0 || share >= 1 || share != share)
      throw Error(fmt::format("{}_share = {}: expected more than 0 and less than 1", name, share));
    if (given && share > 0)
      throw Error(fmt::format("{0}_share = {1}: the {0} part is given, nothing is split off for it", name, share));
    return given ? 0 : share > 0 ? share : otherwise;
  };
  const Shares shares{one(request.validation_share, validation_given, usual.validation, "validation"),
                      one(request.test_share, test_given, usual.test, "test")};
  if (shares.validation + shares.test >= 1)
    throw Error(fmt::format("validation_share and test_share: {} and {} leave nothing to train on", shares.validation,
                            shares.test));
  return shares;
}

Standard fit_standard(const at::Tensor& x, Scale scale, std::vector<std::string>& notes) {
  std::vector<std::int64_t> over{0};
  for (std::int64_t i = 1; i < x.dim(); ++i)
    if (scale == Scale::all || (scale == Scale::column && i + 1 < x.dim())) over.push_back(i);
  Standard standard;
  if (scale == Scale::all) {  // not over listed dimensions: that would sum in another order
    standard.mean = x.mean();
    standard.deviation = x.std(false);
  } else {
    standard.mean = x.mean(over);
    standard.deviation = x.std(over, false);
  }
  const at::Tensor constant = standard.deviation < 1e-12 * (1 + standard.mean.abs());
  if (const auto count = constant.sum().item<std::int64_t>(); count > 0)
    notes.push_back(fmt::format("{} feature{} constant in training: of no use", count, count == 1 ? " is" : "s are"));
  standard.deviation = torch::where(constant, torch::ones_like(standard.deviation), standard.deviation);
  return standard;
}

Part limited(const Part& part, std::int64_t limit) {
  if (limit <= 0 || limit >= part.size()) return part;
  std::vector<std::int64_t> all(static_cast<std::size_t>(part.size()));
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  return take(part, data::limit(all, {}, static_cast<std::size_t>(limit), split_seed));
}

void divide(Dataset& set, Examples examples, const Request& request, Shares usual, Scale scale) {
  const bool validation_given = examples.validation.size() > 0, test_given = examples.test.size() > 0;
  const Shares shares = shares_of(request, validation_given, test_given, usual);
  const bool classes = set.goal == Goal::classification;
  std::vector<int> labels;
  if (classes) {
    const at::Tensor y = examples.all.y.to(torch::kInt).contiguous();
    labels.assign(y.data_ptr<int>(), y.data_ptr<int>() + y.numel());
  }
  Indices parts =
      split(static_cast<std::size_t>(examples.all.size()), labels, shares.validation, shares.test, split_seed);
  if (classes) {
    const Part trained = take(examples.all, parts.train);
    check_classes(set, trained, examples.validation, "validation");
    check_classes(set, trained, examples.test, "test");
  }
  if (request.train_limit > 0)
    parts.train = limit(parts.train, labels, static_cast<std::size_t>(request.train_limit), split_seed);
  set.train = take(examples.all, parts.train);
  set.validation = validation_given ? examples.validation : take(examples.all, parts.validation);
  set.test = test_given ? examples.test : take(examples.all, parts.test);
  if (set.train.size() > 0) {
    const Standard standard = fit_standard(set.train.x, scale, set.notes);
    for (Part* part : {&set.train, &set.validation, &set.test}) part->x = standard.apply(part->x);
    if (!classes) {
      standardise_target(set);
      set.baseline = set.target_deviation * set.test.y.square().mean().sqrt().item<double>();
    } else {
      describe_classes(set);
    }
  }
  seal(set);
}

void seal(Dataset& set) {
  if (set.train.size() == 0 || set.validation.size() == 0 || set.test.size() == 0)
    throw Error(fmt::format("{}: too few examples: {} to train, {} to validate, {} to test", set.name, set.train.size(),
                            set.validation.size(), set.test.size()));
  note_leaks(set);
  Checksum sum;
  if (set.pictures.all.defined())
    for (std::int64_t i = 0; i < set.pictures.all.size(0); ++i) {
      const at::Tensor picture = set.pictures.all[i].contiguous();
      sum.add(picture.data_ptr(), picture.nbytes());
    }
  std::vector<const Part*> parts{&set.train, &set.validation, &set.test};
  if (!set.levels.names.empty()) parts.push_back(&set.levels.train);
  for (const Part& part : set.levels.validation) parts.push_back(&part);
  for (const Part* part : parts)
    for (const at::Tensor& tensor : {part->x, part->y})
      for (std::int64_t from = 0; from < tensor.size(0); from += chunk) {
        const at::Tensor rows = tensor.narrow(0, from, std::min(chunk, tensor.size(0) - from)).contiguous();
        sum.add(rows.data_ptr(), rows.nbytes());
      }
  for (const std::int64_t size : set.levels.sizes) sum.add(&size, sizeof size);
  set.fingerprint = sum.text();
}

}  // namespace ogee::data
