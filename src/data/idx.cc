#include "data/idx.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "data/bytes.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

constexpr std::uint32_t images_magic = 0x803, labels_magic = 0x801;

std::uint32_t big_endian(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(bytes[at + i]);
  return value;
}

// The sizes after the magic number, once it and the length of the file have been found right.
std::vector<std::size_t> check_header(const std::string& path, const std::string& bytes, std::uint32_t magic,
                                      std::size_t dimensions, const char* what) {
  const std::size_t header = 4 + 4 * dimensions;
  if (bytes.size() < header)
    throw Error(fmt::format("{}: truncated: {} bytes, the header alone has {}", path, bytes.size(), header));
  const std::uint32_t found = big_endian(bytes, 0);
  if (found != magic)
    throw Error(fmt::format("{}: magic number 0x{:08x}, expected 0x{:08x} (IDX {})", path, found, magic, what));
  std::vector<std::size_t> sizes;
  std::uint64_t total = 1;
  for (std::size_t i = 0; i < dimensions; ++i) {
    sizes.push_back(big_endian(bytes, 4 + 4 * i));
    if (sizes.back() == 0) throw Error(fmt::format("{}: dimension {} is 0", path, i + 1));
    // Caps the product below what could overflow; no file of this size is ever valid.
    if (total < (std::uint64_t{1} << 48)) total *= sizes.back();
  }
  if (bytes.size() - header != total)
    throw Error(fmt::format("{}: {}: expected {} bytes after the header, found {}", path,
                            bytes.size() - header < total ? "truncated" : "too long", total, bytes.size() - header));
  return sizes;
}

std::string find_file(const std::string& folder, const std::string& name) {
  for (const char* ending : {".gz", ""}) {
    std::string path = (std::filesystem::path(folder) / (name + ending)).string();
    if (std::filesystem::exists(path)) return path;
  }
  throw Error(fmt::format("{}/{}.gz: no such file (nor without .gz)", folder, name));
}

}  // namespace

IdxImages read_idx_images(const std::string& path) {
  const std::string bytes = read_bytes(path);
  const auto sizes = check_header(path, bytes, images_magic, 3, "images");
  return {sizes[0], sizes[1], sizes[2], {bytes.begin() + 16, bytes.end()}};
}

std::vector<std::uint8_t> read_idx_labels(const std::string& path) {
  const std::string bytes = read_bytes(path);
  check_header(path, bytes, labels_magic, 1, "labels");
  return {bytes.begin() + 8, bytes.end()};
}

IdxPair read_idx_pair(const std::string& folder, const std::string& stem) {
  const std::string image_path = find_file(folder, stem + "-images-idx3-ubyte");
  const std::string label_path = find_file(folder, stem + "-labels-idx1-ubyte");
  IdxPair pair{read_idx_images(image_path), read_idx_labels(label_path)};
  if (pair.images.count != pair.labels.size())
    throw Error(fmt::format("{}: {} labels for the {} images of {}", label_path, pair.labels.size(), pair.images.count,
                            image_path));
  return pair;
}

std::vector<std::string> idx_stems(const std::string& folder) {
  std::set<std::string> stems;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const auto end = name.find("-images-idx3-ubyte");
    if (end != std::string::npos) stems.insert(name.substr(0, end));
  }
  if (error) throw Error(fmt::format("{}: cannot list this folder: {}", folder, error.message()));
  return {stems.begin(), stems.end()};
}

}  // namespace ogee::data
