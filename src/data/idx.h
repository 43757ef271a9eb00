// The IDX format of MNIST and its relatives: a magic number, big-endian sizes, bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ogee::data {

struct IdxImages {
  std::size_t count = 0, height = 0, width = 0;
  std::vector<std::uint8_t> pixels;  // count * height * width
};

IdxImages read_idx_images(const std::string& path);
std::vector<std::uint8_t> read_idx_labels(const std::string& path);

struct IdxPair {
  IdxImages images;
  std::vector<std::uint8_t> labels;
};
// STEM-images-idx3-ubyte and STEM-labels-idx1-ubyte; the files may end in .gz or not.
IdxPair read_idx_pair(const std::string& folder, const std::string& stem);
// The stems of the image files in a folder, in alphabetical order.
std::vector<std::string> idx_stems(const std::string& folder);

}  // namespace ogee::data
