#include "data/captions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "ogee/libtorch.h"
#include "data/bytes.h"
#include "data/generated.h"
#include "data/loaders.h"
#include "data/npy.h"
#include "data/sentences.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

namespace files = std::filesystem;

constexpr const char* part_names[] = {"train", "validation", "test"};

struct Files {
  std::string images, features, names, captions;
  std::array<std::string, 3> parts;
  std::int64_t size, pieces, longest;
};

Files files_of(const std::string& data) {
  Attributes attributes("--data", data);
  Files all;
  all.captions = attributes.take_text("captions");
  for (std::size_t i = 0; i < 3; ++i) all.parts[i] = attributes.take_text(part_names[i]);
  all.images = attributes.take_text("images", "");
  all.features = attributes.take_text("features", "");
  all.names = attributes.take_text("names", "");
  all.size = attributes.take("size", 0, 0, 4096);
  all.pieces = attributes.take("pieces", 5000, 32, 1 << 20);
  all.longest = attributes.take("longest", 60, 2, 1024);
  attributes.finish();
  if (all.images.empty() == all.features.empty())
    throw Error(fmt::format("--data {}: it has {}; expected images=FOLDER, or features=FILE.npy and names=FILE", data,
                            all.images.empty() ? "neither images nor features" : "both images and features"));
  if (all.features.empty() != all.names.empty())
    throw Error(fmt::format("--data {}: {}", data,
                            all.names.empty()
                                ? "features without names; expected names=FILE, the pictures' names by row"
                                : "names are those of features, and images have their own"));
  if (all.size > 0 && all.images.empty())
    throw Error(fmt::format("--data {}: size is for images, and features are taken as they are", data));
  return all;
}

std::string found_text(const char* what, const std::string& path) {
  const std::string found = found_file(path);
  if (found.empty()) throw Error(fmt::format("--data captions: {}={}: {}", what, path, not_found(path)));
  return found;
}
std::string found_other(const char* what, const std::string& path) {
  const std::string found = found_path(path);
  if (found.empty())
    throw Error(fmt::format("--data captions: {}={}: no such file or folder, there or under OGEE_DATA", what, path));
  return found;
}

// A name in its line, without spaces around it; blank lines are nothing.
struct Named {
  std::string name;
  std::size_t line;
};
std::vector<Named> names_of(const std::string& path) {
  std::vector<Named> all;
  const std::vector<std::string> lines = lines_of(path);
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (blank(lines[i])) continue;
    const std::size_t from = lines[i].find_first_not_of(" \t"), to = lines[i].find_last_not_of(" \t");
    Named named{lines[i].substr(from, to - from + 1), i + 1};
    if (const auto [before, fresh] = seen.emplace(named.name, named.line); !fresh)
      throw Error(
          fmt::format("{}:{}: {} stands there twice, in line {} before", path, named.line, named.name, before->second));
    all.push_back(std::move(named));
  }
  if (all.empty()) throw Error(fmt::format("{}: no names; expected a picture's name in each line", path));
  return all;
}

// By the picture's name, in the order of the file.
std::map<std::string, std::vector<std::string>> read_captions(const std::string& path) {
  std::map<std::string, std::vector<std::string>> all;
  const std::vector<std::string> lines = lines_of(path);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    if (blank(line)) continue;
    const std::size_t tab = line.find('\t'), mark = line.substr(0, tab).rfind('#');
    if (tab == std::string::npos || mark == std::string::npos || mark == 0)
      throw Error(fmt::format("{}:{}: '{}': expected picture#number, a tab and the caption", path, i + 1,
                              line.size() > 60 ? line.substr(0, 57) + "..." : line));
    std::string text = line.substr(tab + 1);
    if (blank(text)) throw Error(fmt::format("{}:{}: {} has a blank caption", path, i + 1, line.substr(0, tab)));
    all[line.substr(0, mark)].push_back(std::move(text));
  }
  if (all.empty()) throw Error(fmt::format("{}: no captions", path));
  return all;
}

// One of a list's pictures, and where it is named.
struct Wanted {
  std::string name, where;
};

at::Tensor read_pictures(const std::string& folder, std::int64_t size, const std::vector<Wanted>& wanted) {
  std::vector<at::Tensor> all;
  bool colour = false;
  for (const auto& [name, where] : wanted) {
    const std::string path = (files::path(folder) / name).string();
    std::error_code ignored;
    if (!files::is_regular_file(path, ignored)) throw Error(fmt::format("{}: no such picture: {}", where, path));
    Picture picture = parse_picture(read_bytes(path), path);
    all.push_back(to_tensor(picture, size));
    colour = colour || all.back().size(0) == 3;
    if (all.back().sizes().slice(1) != all[0].sizes().slice(1))
      throw Error(fmt::format("{}: {}x{} pixels, {} has {}x{}: give a size to resize them all to", path, picture.height,
                              picture.width, wanted[0].name, all[0].size(1), all[0].size(2)));
  }
  for (at::Tensor& each : all)
    if (colour && each.size(0) == 1) each = each.expand({3, -1, -1});
  return at::stack(all);
}

at::Tensor read_features(const std::string& path, const std::string& names_path, const std::vector<Wanted>& wanted) {
  at::Tensor features = read_npy(path);
  if ((features.dim() != 3 && features.dim() != 4) || features.numel() == 0)
    throw Error(
        fmt::format("{}: an array of shape [{}]; expected [pictures, places, numbers] or "
                    "[pictures, channels, height, width]",
                    path, fmt::join(features.sizes(), ", ")));
  const std::vector<Named> names = names_of(names_path);
  if (static_cast<std::int64_t>(names.size()) != features.size(0))
    throw Error(fmt::format("{}: {} names, but {} has {} rows; expected a name for a row", names_path, names.size(),
                            path, features.size(0)));
  std::map<std::string, std::int64_t> rows;
  for (const Named& each : names) rows.emplace(each.name, static_cast<std::int64_t>(rows.size()));
  std::vector<std::int64_t> chosen;
  for (const auto& [name, where] : wanted) {
    const auto row = rows.find(name);
    if (row == rows.end()) throw Error(fmt::format("{}: {} has no features: it is not in {}", where, name, names_path));
    chosen.push_back(row->second);
    if (at::isFloatingType(features.scalar_type()) && !features[row->second].isfinite().all().item<bool>())
      throw Error(fmt::format("{}: row {}, of {}, has numbers that are not finite", path, row->second + 1, name));
  }
  if (features.dim() == 4) features = features.flatten(2).transpose(1, 2);
  return features.index_select(0, torch::tensor(chosen, torch::kLong)).contiguous();
}

}  // namespace

bool is_captions(const std::string& data) { return data.substr(0, data.find('(')) == "captions"; }

std::string missing_of_captions(const std::string& data) {
  const Files all = files_of(data);
  for (const std::string& path : {all.images, all.features})
    if (!path.empty() && found_path(path).empty()) return path;
  for (const std::string& path : {all.names, all.captions, all.parts[0], all.parts[1], all.parts[2]})
    if (!path.empty() && found_file(path).empty()) return path;
  return "";
}

Dataset load_captions(const Request& request) {
  refuse_parts(request);
  const Files all = files_of(request.data);
  const std::string captions_path = found_text("captions", all.captions);
  const auto captions = read_captions(captions_path);
  std::vector<Wanted> wanted;
  std::map<std::string, std::string> listed;
  Captioned given;
  for (std::size_t part = 0; part < 3; ++part) {
    const std::string path = found_text(part_names[part], all.parts[part]);
    for (const Named& each : names_of(path)) {
      const std::string where = fmt::format("{}:{}", path, each.line);
      if (const auto [before, fresh] = listed.emplace(each.name, where); !fresh)
        throw Error(fmt::format("{}: {} is also in {}; expected parts that share no picture", where, each.name,
                                before->second));
      const auto its = captions.find(each.name);
      if (its == captions.end())
        throw Error(fmt::format("{}: {} has no captions in {}", where, each.name, captions_path));
      // What nobody trains on is not read.
      if (part == 0 && request.train_limit > 0 &&
          static_cast<std::int64_t>(given.captions[0].size()) >= request.train_limit)
        continue;
      given.captions[part].push_back(its->second);
      wanted.push_back({each.name, where});
    }
  }
  given.pictures = all.images.empty()
                       ? read_features(found_other("features", all.features), found_text("names", all.names), wanted)
                       : read_pictures(found_other("images", all.images), all.size, wanted);
  return captioned(request.data, std::move(given), all.pieces, all.longest, request.train_limit, captions_path);
}

}  // namespace ogee::data
