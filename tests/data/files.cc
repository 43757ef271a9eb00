#include "files.h"

#include <png.h>
#include <turbojpeg.h>
#include <unistd.h>
#include <zip.h>

#include <algorithm>

namespace ogee::data {
namespace {

std::vector<std::uint8_t> pixels_of(std::size_t height, std::size_t width, std::size_t channels, const Pixel& pixel) {
  std::vector<std::uint8_t> pixels;
  for (std::size_t i = 0; i < height; ++i)
    for (std::size_t j = 0; j < width; ++j)
      for (std::size_t k = 0; k < channels; ++k) pixels.push_back(pixel(i, j, k));
  return pixels;
}

}  // namespace

bool has_note(const std::vector<std::string>& notes, const std::string& part) {
  return std::any_of(notes.begin(), notes.end(),
                     [&](const std::string& note) { return note.find(part) != std::string::npos; });
}

std::string npy_bytes(const std::string& descr, const std::string& shape, const std::string& data,
                      const std::string& fortran, int version) {
  const std::string header =
      "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }      \n";
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(version);
  bytes += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) bytes += static_cast<char>(header.size() >> 8 * i);
  return bytes + header + data;
}

std::string zip_bytes(const std::map<std::string, std::string>& files) {
  Folder folder;
  const std::string path = folder.path("made.zip");
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE, nullptr);
  for (const auto& [name, content] : files)
    zip_file_add(archive, name.c_str(), zip_source_buffer(archive, content.data(), content.size(), 0), 0);
  EXPECT_EQ(zip_close(archive), 0);
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string png_bytes(std::size_t height, std::size_t width, std::size_t channels, const Pixel& pixel) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
  const auto pixels = pixels_of(height, width, channels, pixel);
  png_alloc_size_t size = 0;
  EXPECT_TRUE(png_image_write_to_memory(&image, nullptr, &size, 0, pixels.data(), 0, nullptr));
  std::string bytes(size, '\0');
  EXPECT_TRUE(png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels.data(), 0, nullptr));
  return bytes;
}

std::string jpeg_bytes(std::size_t height, std::size_t width, std::size_t channels, const Pixel& pixel) {
  const auto pixels = pixels_of(height, width, channels, pixel);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  const tjhandle handle = tjInitCompress();
  EXPECT_EQ(tjCompress2(handle, pixels.data(), static_cast<int>(width), 0, static_cast<int>(height),
                        channels == 1 ? TJPF_GRAY : TJPF_RGB, &buffer, &size, channels == 1 ? TJSAMP_GRAY : TJSAMP_444,
                        95, 0),
            0);
  std::string bytes(reinterpret_cast<char*>(buffer), size);
  tjFree(buffer);
  tjDestroy(handle);
  return bytes;
}

}  // namespace ogee::data
