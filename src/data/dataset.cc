#include "data/dataset.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "data/captions.h"
#include "data/generated.h"
#include "data/loaders.h"
#include "data/sentences.h"
#include "data/translation.h"
#include "ogee/libtorch.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

struct Format {
  const char* name;
  Dataset (*load)(const Request&);
  bool target, context, horizon, tokens, size;  // which of these it knows
};
constexpr Format formats[] = {
    {"csv", load_csv, true, false, false, false, false},    {"idx", load_idx, false, false, false, false, false},
    {"npy", load_arrays, true, false, false, false, false}, {"images", load_images, false, false, false, false, true},
    {"text", load_text, false, true, false, true, false},   {"series", load_series, true, true, true, false, false}};
constexpr const char* kind_names = "csv, idx, npy, images, text or series";

std::string kind_by_name(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return is_idx_folder(path) ? "idx" : "images";
  const auto ends = [&](const char* ending) {
    return path.ends_with(ending) || path.ends_with(std::string(ending) + ".gz");
  };
  if (ends(".csv")) return "csv";
  if (path.ends_with(".npy") || path.ends_with(".npz")) return "npy";
  if (ends(".txt")) return "text";
  throw Error(fmt::format("--data {}: the name does not tell its kind: give it as {}", path, kind_names));
}

// As given if it is there, else under $OGEE_DATA.
std::string find_path(const std::string& path, const char* what) {
  if (std::string found = found_path(path); !found.empty()) return found;
  const char* root = std::getenv("OGEE_DATA");
  if (!root || !*root || path.empty() || path.starts_with('/'))
    throw Error(fmt::format("--{} {}: no such file or folder", what, path));
  throw Error(fmt::format("--{} {}: no such file or folder, nor {}", what, path,
                          (std::filesystem::path(root) / path).string()));
}

// A fashion-mnist beside the program is not what the name means.
std::string find_known(const std::string& name) {
  const char* root = std::getenv("OGEE_DATA");
  if (!root || !*root)
    throw Error(
        fmt::format("{}: OGEE_DATA is unset: set it to the folder that holds {}/train-images-idx3-ubyte.gz "
                    "and its companions",
                    name, name));
  std::string folder = (std::filesystem::path(root) / name).string();
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored))
    throw Error(fmt::format("{}: no such folder (OGEE_DATA={})", folder, root));
  return folder;
}

void check_fits(const Request& request, const Format& kind, const std::string& data) {
  const auto refuse = [&](bool given, bool known, const char* name) {
    if (given && !known)
      throw Error(fmt::format("--{}: {} is of the kind {}, which has no {}", name, data, kind.name, name));
  };
  refuse(!request.target.empty(), kind.target, "target");
  refuse(request.context != 0, kind.context, "context");
  refuse(request.horizon != 0, kind.horizon, "horizon");
  refuse(!request.tokens.empty(), kind.tokens, "tokens");
  refuse(request.size != 0, kind.size, "size");
  const auto range = [](std::int64_t value, std::int64_t most, const char* name) {
    if (value < 0 || value > most)
      throw Error(fmt::format("--{} {}: out of range, expected 1 to {}", name, value, most));
  };
  range(request.context, 65536, "context");
  range(request.horizon, 65536, "horizon");
  range(request.size, 4096, "size");
  if (request.train_limit < 0)
    throw Error(fmt::format("--train-limit {}: out of range, expected 1 or more", request.train_limit));
  if (!request.tokens.empty() && request.tokens != "characters" && request.tokens != "words")
    throw Error(fmt::format("--tokens {}: expected characters or words", request.tokens));
}

}  // namespace

Part Levels::last() const {
  const std::int64_t from = train.size() - sizes.back();
  return {train.x.narrow(0, from, sizes.back()), train.y.narrow(0, from, sizes.back())};
}

at::Tensor Pictures::of(const at::Tensor& numbers) const {
  return all.index_select(0, numbers).to(torch::kFloat).sub_(mean).div_(deviation);
}

Dataset load(const Request& request) {
  Request found = request;
  if (!found.validation.empty()) found.validation = find_path(found.validation, "validation");
  if (!found.test.empty()) found.test = find_path(found.test, "test");
  Dataset set;
  if (request.data == "optdigits") {
    constexpr Format digits{"digits", load_optdigits, false, false, false, false, false};
    check_fits(request, digits, request.data);
    if (!request.kind.empty() || !request.validation.empty() || !request.test.empty())
      throw Error("--data optdigits: built in: it takes neither kind nor parts of its own");
    set = load_optdigits(found);
  } else if (is_generated(request.data)) {
    constexpr Format generated{"generated data", load_generated, false, false, false, false, false};
    check_fits(request, generated, request.data);
    set = load_generated(found);
  } else if (is_translation(request.data)) {
    constexpr Format translation{"translation", load_translation, false, false, false, false, false};
    check_fits(request, translation, request.data);
    set = load_translation(found);
  } else if (is_captions(request.data)) {
    constexpr Format captions{"captions", load_captions, false, false, false, false, false};
    check_fits(request, captions, request.data);
    set = load_captions(found);
  } else {
    const bool known = request.data == "mnist" || request.data == "fashion-mnist";
    found.data = known ? find_known(request.data) : find_path(request.data, "data");
    const std::string name = !request.kind.empty() ? request.kind : known ? "idx" : kind_by_name(found.data);
    const Format* kind = nullptr;
    for (const Format& each : formats)
      if (name == each.name) kind = &each;
    if (!kind) throw Error(fmt::format("--kind {}: expected {}", name, kind_names));
    check_fits(request, *kind, request.data);
    set = kind->load(found);
  }
  set.name = request.data;
  return set;
}

}  // namespace ogee::data
