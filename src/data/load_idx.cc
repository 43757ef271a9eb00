// Folders of IDX files: the parts are called as those of MNIST, or there is one pair of files only, to be split.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <initializer_list>
#include <optional>

#include "ogee/libtorch.h"
#include "data/idx.h"
#include "data/loaders.h"
#include "data/parts.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

std::optional<std::string> stem_of(const std::vector<std::string>& stems, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (std::find(stems.begin(), stems.end(), name) != stems.end()) return name;
  return std::nullopt;
}

// The one pair of a folder that is a part by itself.
IdxPair read_only_pair(const std::string& folder) {
  const auto stems = idx_stems(folder);
  if (stems.size() != 1)
    throw Error(fmt::format("{}: {} files *-images-idx3-ubyte, expected one", folder, stems.size()));
  return read_idx_pair(folder, stems[0]);
}

}  // namespace

bool is_idx_folder(const std::string& folder) { return !idx_stems(folder).empty(); }

Dataset load_idx(const Request& request) {
  const std::string& folder = request.data;
  const auto stems = idx_stems(folder);
  std::optional<std::string> first = stem_of(stems, {"train"});
  if (!first && stems.size() == 1) first = stems[0];
  if (!first && !stems.empty())
    throw Error(fmt::format("{}: image files {}: which is to train on? Call it train-images-idx3-ubyte", folder,
                            fmt::join(stems, ", ")));
  const IdxPair training = read_idx_pair(folder, first.value_or("train"));
  std::optional<IdxPair> validation, test;
  if (!request.validation.empty())
    validation = read_only_pair(request.validation);
  else if (const auto stem = stem_of(stems, {"validation", "valid", "val"}))
    validation = read_idx_pair(folder, *stem);
  if (!request.test.empty())
    test = read_only_pair(request.test);
  else if (const auto stem = stem_of(stems, {"t10k", "test"}))
    test = read_idx_pair(folder, *stem);

  const auto height = static_cast<std::int64_t>(training.images.height);
  const auto width = static_cast<std::int64_t>(training.images.width);
  Dataset set;
  set.name = folder;
  set.shape = {1, height, width};
  const std::uint8_t largest = *std::max_element(training.labels.begin(), training.labels.end());
  if (largest == 0) throw Error(folder + ": one class only: every training label is 0");
  for (int i = 0; i <= largest; ++i) set.classes.push_back(std::to_string(i));
  const auto tensors = [&](const IdxPair& pair, const char* what) -> Part {
    if (pair.images.height != training.images.height || pair.images.width != training.images.width)
      throw Error(fmt::format("{}: {} images of {}x{}, training images of {}x{}", folder, what, pair.images.height,
                              pair.images.width, height, width));
    if (*std::max_element(pair.labels.begin(), pair.labels.end()) > largest)
      throw Error(fmt::format("{}: the {} labels have classes that the training labels lack", folder, what));
    return {torch::tensor(at::ArrayRef<std::uint8_t>(pair.images.pixels), torch::kByte)
                .reshape({-1, 1, height, width})
                .to(torch::kFloat),
            torch::tensor(at::ArrayRef<std::uint8_t>(pair.labels), torch::kByte).to(torch::kLong)};
  };
  Examples examples{tensors(training, "training"), {}, {}};
  if (validation) examples.validation = tensors(*validation, "validation");
  if (test) examples.test = tensors(*test, "test");
  divide(set, examples, request, {0.1, 0.1}, Scale::all);
  return set;
}

}  // namespace ogee::data
