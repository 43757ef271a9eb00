// A folder with a folder of pictures for each class; or with such folders called train, validation and test.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <initializer_list>
#include <optional>

#include "ogee/libtorch.h"
#include "data/bytes.h"
#include "data/loaders.h"
#include "data/parts.h"
#include "data/picture.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (!entry.path().filename().string().starts_with('.')) paths.push_back(entry.path());
  if (error) throw Error(fmt::format("{}: cannot list this folder: {}", folder.string(), error.message()));
  std::sort(paths.begin(), paths.end());  // the system's order differs from machine to machine
  return paths;
}

// Not where that cannot be found out.
bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::vector<fs::path> folders(const fs::path& folder) {
  std::vector<fs::path> paths = entries(folder);
  std::erase_if(paths, [](const fs::path& path) { return !is_folder(path); });
  return paths;
}

bool is_picture(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

}  // namespace

at::Tensor to_tensor(Picture& picture, std::int64_t size) {
  const auto height = static_cast<std::int64_t>(picture.height), width = static_cast<std::int64_t>(picture.width);
  const auto channels = static_cast<std::int64_t>(picture.channels);
  at::Tensor image = torch::from_blob(picture.pixels.data(), {height, width, channels}, torch::kByte);
  image = image.permute({2, 0, 1});
  if (size > 0 && (height != size || width != size))
    image = at::_upsample_bilinear2d_aa(image.unsqueeze(0).to(torch::kFloat), {size, size}, /*align_corners=*/false)
                .squeeze(0)
                .round()
                .clamp(0, 255)
                .to(torch::kByte);
  return image.clone(at::MemoryFormat::Contiguous);
}

namespace {

class Reader {
 public:
  explicit Reader(std::int64_t size) : size_(size) {}

  // Classes are numbered in alphabetical order by the first folder that is read.
  Part read(const fs::path& folder) {
    const std::vector<fs::path> class_folders = folders(folder);
    const bool first = classes_.empty();
    if (first) {
      for (const fs::path& each : class_folders) classes_.push_back(each.filename().string());
      if (classes_.size() < 2)
        throw Error(fmt::format("{}: {}; expected one for each of two or more classes", folder.string(),
                                classes_.empty() ? "no folders" : fmt::format("one folder only, {}", classes_[0])));
    }
    std::vector<at::Tensor> images;
    std::vector<std::int64_t> labels;
    for (const fs::path& each : class_folders) {
      const auto found = std::find(classes_.begin(), classes_.end(), each.filename().string());
      if (found == classes_.end())
        throw Error(fmt::format("{}: a class that is not among the training images", each.string()));
      const std::size_t before = images.size();
      read_class(each, images);
      if (images.size() == before)
        throw Error(last_failure_.empty()
                        ? fmt::format("{}: no PNG or JPEG files in this folder", each.string())
                        : fmt::format("{}: no readable picture in this folder; {}", each.string(), last_failure_));
      labels.resize(images.size(), found - classes_.begin());
    }
    if (images.empty()) throw Error(fmt::format("{}: no folders of classes", folder.string()));
    for (at::Tensor& image : images)
      if (colour_ && image.size(0) == 1) image = image.expand({3, -1, -1});
    return {torch::stack(images), torch::tensor(labels, torch::kLong)};
  }

  std::vector<std::string> notes() const {
    std::vector<std::string> notes;
    if (!failed_.empty())
      notes.push_back(fmt::format("{} broken picture{} left out, the first: {}", failed_.size(),
                                  failed_.size() == 1 ? "" : "s", failed_[0]));
    if (ignored_ > 0)
      notes.push_back(
          fmt::format("{} file{} without the ending .png, .jpg or .jpeg ignored", ignored_, ignored_ == 1 ? "" : "s"));
    if (colour_ && grey_ > 0) notes.push_back(fmt::format("{} grey pictures among the coloured ones", grey_));
    return notes;
  }
  const std::vector<std::string>& classes() const { return classes_; }
  bool colour() const { return colour_; }

 private:
  void read_class(const fs::path& folder, std::vector<at::Tensor>& images) {
    last_failure_.clear();
    for (const fs::path& path : entries(folder)) {
      if (!is_picture(path)) {
        ++ignored_;
        continue;
      }
      Picture picture;
      try {
        picture = parse_picture(read_bytes(path.string()), path.string());
      } catch (const Error& error) {
        failed_.push_back(error.what());
        last_failure_ = error.what();
        continue;
      }
      if (size_ == 0) check_size(picture, path.string());
      colour_ = colour_ || picture.channels == 3;
      grey_ += picture.channels == 1;
      images.push_back(to_tensor(picture, size_));
    }
  }

  void check_size(const Picture& picture, const std::string& path) {
    if (first_path_.empty()) {
      first_path_ = path;
      height_ = picture.height;
      width_ = picture.width;
    } else if (picture.height != height_ || picture.width != width_) {
      throw Error(fmt::format("{}: {}x{} pixels, {} has {}x{}: give a size to resize them all to", path, picture.height,
                              picture.width, first_path_, height_, width_));
    }
  }

  const std::int64_t size_;
  std::vector<std::string> classes_, failed_;
  std::string first_path_, last_failure_;
  std::size_t height_ = 0, width_ = 0, ignored_ = 0, grey_ = 0;
  bool colour_ = false;
};

std::optional<fs::path> subfolder(const fs::path& folder, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (is_folder(folder / name) && !folders(folder / name).empty()) return folder / name;
  return std::nullopt;
}

}  // namespace

Dataset load_images(const Request& request) {
  fs::path training = request.data;
  if (!is_folder(training)) throw Error(fmt::format("{}: no folder", request.data));
  std::optional<fs::path> validation, test;
  if (const auto inside = subfolder(training, {"train"})) {
    validation = subfolder(training, {"validation", "valid", "val"});
    test = subfolder(training, {"test"});
    training = *inside;
  }
  if (!request.validation.empty()) validation = request.validation;
  if (!request.test.empty()) test = request.test;

  Reader reader(request.size);
  Examples examples{reader.read(training), {}, {}};
  if (validation) examples.validation = reader.read(*validation);
  if (test) examples.test = reader.read(*test);
  for (Part* part : {&examples.all, &examples.validation, &examples.test}) {
    if (!part->x.defined()) continue;
    if (reader.colour() && part->x.size(1) == 1) part->x = part->x.expand({-1, 3, -1, -1});  // a part without colours
    part->x = part->x.to(torch::kFloat);
  }
  Dataset set;
  set.name = request.data;
  set.shape = examples.all.x.sizes().slice(1).vec();
  set.classes = reader.classes();
  set.notes = reader.notes();
  divide(set, examples, request, {0.2, 0.2}, Scale::all);
  return set;
}

}  // namespace ogee::data
