#include "data/picture.h"

#include <fmt/format.h>
#include <png.h>
#include <turbojpeg.h>

#include <memory>

#include "ogee/ogee.h"

namespace ogee::data {
namespace {

constexpr std::size_t most_pixels = std::size_t{1} << 26;

void check_size(std::size_t height, std::size_t width, const std::string& name) {
  if (height == 0 || width == 0 || height > most_pixels / width)
    throw Error(fmt::format("{}: {}x{} pixels, expected 1 to 2^26", name, height, width));
}

Picture parse_png(std::string_view bytes, const std::string& name) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  struct Free {
    png_image& image;
    ~Free() { png_image_free(&image); }
  } const free{image};
  const auto check = [&](int done) {
    // A warning is about what the picture does not need.
    if (!done || PNG_IMAGE_FAILED(image)) throw Error(fmt::format("{}: damaged PNG: {}", name, image.message));
  };
  check(png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()));
  check_size(image.height, image.width, name);
  const bool colour = (image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  Picture picture{colour ? 3u : 1u, image.height, image.width, {}};
  picture.pixels.resize(PNG_IMAGE_SIZE(image));
  const png_color black{0, 0, 0};
  check(png_image_finish_read(&image, &black, picture.pixels.data(), 0, nullptr));
  return picture;
}

struct Destroy {
  void operator()(void* handle) const { tjDestroy(handle); }
};

Picture parse_jpeg(std::string_view bytes, const std::string& name) {
  const std::unique_ptr<void, Destroy> handle(tjInitDecompress());
  if (!handle) throw Error(fmt::format("{}: cannot start reading JPEG: {}", name, tjGetErrorStr2(nullptr)));
  const auto check = [&](int status) {
    // Warnings count: they are about data that are missing or were made up.
    if (status != 0) throw Error(fmt::format("{}: damaged JPEG: {}", name, tjGetErrorStr2(handle.get())));
  };
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  int width = 0, height = 0, sampling = 0, colours = 0;
  check(tjDecompressHeader3(handle.get(), data, bytes.size(), &width, &height, &sampling, &colours));
  check_size(static_cast<std::size_t>(height), static_cast<std::size_t>(width), name);
  if (colours == TJCS_CMYK || colours == TJCS_YCCK)
    throw Error(fmt::format("{}: a JPEG of inks (CMYK); grey or red, green, blue is needed", name));
  const bool colour = colours != TJCS_GRAY;
  Picture picture{colour ? 3u : 1u, static_cast<std::size_t>(height), static_cast<std::size_t>(width), {}};
  picture.pixels.resize(picture.channels * picture.height * picture.width);
  check(tjDecompress2(handle.get(), data, bytes.size(), picture.pixels.data(), width, 0, height,
                      colour ? TJPF_RGB : TJPF_GRAY, TJFLAG_ACCURATEDCT));
  return picture;
}

}  // namespace

Picture parse_picture(std::string_view bytes, const std::string& name) {
  if (bytes.starts_with("\x89PNG")) return parse_png(bytes, name);
  if (bytes.starts_with("\xff\xd8")) return parse_jpeg(bytes, name);
  throw Error(fmt::format("{}: neither PNG nor JPEG", name));
}

}  // namespace ogee::data
