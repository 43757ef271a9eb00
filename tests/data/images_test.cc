// Pictures, and folders of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "ogee/libtorch.h"
#include "data/dataset.h"
#include "data/idx.h"
#include "data/picture.h"
#include "files.h"

namespace ogee::data::images_test {
namespace {

using testing::HasSubstr;
using Shape = std::vector<std::int64_t>;

std::uint8_t ramp(std::size_t i, std::size_t j, std::size_t k) {
  return static_cast<std::uint8_t>(10 * i + 3 * j + 50 * k);
}

TEST(Picture, PngIsReadExactly) {
  for (const std::size_t channels : {1, 3}) {
    const Picture picture = parse_picture(png_bytes(4, 6, channels, ramp), "a.png");
    EXPECT_EQ(picture.channels, channels);
    EXPECT_EQ(picture.height, 4u);
    EXPECT_EQ(picture.width, 6u);
    ASSERT_EQ(picture.pixels.size(), 24 * channels);
    EXPECT_EQ(picture.pixels[(2 * 6 + 5) * channels], ramp(2, 5, 0));
    EXPECT_EQ(picture.pixels.back(), ramp(3, 5, channels - 1));
  }
}

TEST(Picture, TransparencyLiesOnBlack) {
  const Picture picture = parse_picture(
      png_bytes(2, 2, 4, [](auto, std::size_t j, std::size_t k) -> std::uint8_t { return k < 3 ? 200 : 255 * j; }),
      "a.png");
  EXPECT_EQ(picture.channels, 3u);
  EXPECT_EQ(picture.pixels[0], 0);
  EXPECT_EQ(picture.pixels[3], 200);
}

TEST(Picture, JpegIsReadNearly) {
  for (const std::size_t channels : {1, 3}) {
    const Picture picture =
        parse_picture(jpeg_bytes(16, 16, channels, [](auto i, auto, auto) { return 10 * i + 20; }), "a.jpg");
    EXPECT_EQ(picture.channels, channels);
    ASSERT_EQ(picture.pixels.size(), 256 * channels);
    EXPECT_NEAR(picture.pixels[channels * 16 * 9], 110, 6);
  }
}

TEST(Picture, DamageIsAnError) {
  const auto error = [](const std::string& bytes) { return error_of([&] { parse_picture(bytes, "a.png"); }); };
  const std::string png = png_bytes(20, 20, 3, ramp), jpeg = jpeg_bytes(20, 20, 3, ramp);
  EXPECT_THAT(error(png.substr(0, png.size() - 20)), HasSubstr("a.png: damaged PNG"));
  EXPECT_THAT(error(jpeg.substr(0, jpeg.size() - 60)), HasSubstr("a.png: damaged JPEG"));
  EXPECT_THAT(error("GIF89a"), HasSubstr("neither PNG nor JPEG"));
  EXPECT_THAT(error(""), HasSubstr("neither PNG nor JPEG"));
}

class Images : public testing::Test {
 protected:
  void fill(const std::string& under, int count, std::size_t channels = 1, std::size_t side = 8) {
    for (int i = 0; i < count; ++i)
      for (const int bright : {0, 1})
        folder_.write(under + (bright ? "day/" : "night/") + std::to_string(i) + (i % 2 ? ".png" : ".JPG"),
                      (i % 2 ? png_bytes : jpeg_bytes)(side, side, channels, [&](auto a, auto b, auto) -> std::uint8_t {
                        return static_cast<std::uint8_t>((bright ? 180 : 20) + 2 * i + (a * b + a) % 7);
                      }));
  }
  std::string error(std::int64_t size = 0) const {
    Request request{folder_.path()};
    request.size = size;
    return error_of([&] { load(request); });
  }
  const Folder folder_;
};

TEST_F(Images, ClassesAreFolders) {
  fill("", 20);
  folder_.write("day/.hidden", "x");
  folder_.write("day/notes.txt", "x");
  folder_.write("night/broken.png", "x");
  const Dataset set = load({folder_.path()});
  EXPECT_EQ(set.classes, (std::vector<std::string>{"day", "night"}));
  EXPECT_EQ(set.shape, (Shape{1, 8, 8}));
  EXPECT_EQ(set.train.size() + set.validation.size() + set.test.size(), 40);
  EXPECT_NEAR(set.train.x.mean().item<double>(), 0, 1e-5);
  EXPECT_TRUE(set.train.y.eq(0).equal(set.train.x.mean({1, 2, 3}).gt(0)));
  EXPECT_TRUE(has_note(set.notes, "1 broken picture left out, the first: " + folder_.path("night/broken.png")));
  EXPECT_TRUE(has_note(set.notes, "1 file without the ending .png, .jpg or .jpeg ignored"));
}

TEST_F(Images, PartsAreFoldersToo) {
  fill("train/", 15, 3);
  fill("test/", 5, 1);  // grey ones are shown as colours
  const Dataset set = load({folder_.path()});
  EXPECT_EQ(set.shape, (Shape{3, 8, 8}));
  EXPECT_EQ(set.test.size(), 10);
  EXPECT_EQ(set.test.x.size(1), 3);
  EXPECT_EQ(set.train.size() + set.validation.size(), 30);
}

TEST_F(Images, SizesMustAgreeOrBeGiven) {
  fill("", 10);
  folder_.write("day/wide.png", png_bytes(8, 12, 1, ramp));
  EXPECT_THAT(error(), HasSubstr("8x12 pixels"));
  EXPECT_THAT(error(), HasSubstr("give a size to resize them all to"));
  Request request{folder_.path()};
  request.size = 5;
  EXPECT_EQ(load(request).shape, (Shape{1, 5, 5}));
}

TEST_F(Images, FoldersThatAreNone) {
  EXPECT_THAT(error(), HasSubstr("no folders"));
  folder_.write("day/a.png", png_bytes(8, 8, 1, ramp));
  EXPECT_THAT(error(), HasSubstr("one folder only, day"));
  folder_.write("night/readme", "x");
  EXPECT_THAT(error(), HasSubstr("night: no PNG or JPEG files in this folder"));
  folder_.write("night/a.png", "x");
  EXPECT_THAT(error(), HasSubstr("night: no readable picture in this folder; "));
  EXPECT_THAT(error(), HasSubstr("night/a.png: neither PNG nor JPEG"));
}

TEST_F(Images, AClassOfTheTestPartOnly) {
  fill("train/", 10);
  fill("test/", 5);
  folder_.write("test/dusk/a.png", png_bytes(8, 8, 1, ramp));
  EXPECT_THAT(error(), HasSubstr("dusk: a class that is not among the training images"));
}

// The same pictures as IDX and as PNG files make the same data set.
TEST(ImagesReal, FashionMnistAsFolders) {
  const char* root = std::getenv("OGEE_DATA");
  if (!root || !std::filesystem::exists(std::filesystem::path(root) / "fashion-mnist"))
    GTEST_SKIP() << "no fashion-mnist under OGEE_DATA";
  const IdxPair pair = read_idx_pair((std::filesystem::path(root) / "fashion-mnist").string(), "t10k");
  const Folder folder;
  constexpr std::size_t count = 500;
  for (std::size_t n = 0; n < count; ++n)
    folder.write(std::to_string(pair.labels[n]) + "/" + std::to_string(1000 + n) + ".png",
                 png_bytes(28, 28, 1, [&](std::size_t i, std::size_t j, std::size_t) {
                   return pair.images.pixels[(n * 28 + i) * 28 + j];
                 }));
  const Dataset set = load({folder.path()});
  EXPECT_EQ(set.shape, (Shape{1, 28, 28}));
  EXPECT_EQ(set.classes.size(), 10u);
  EXPECT_EQ(set.train.size() + set.validation.size() + set.test.size(), static_cast<std::int64_t>(count));
  // Standardised pixels differ from the stored ones by a scale and a shift, the same for all.
  const auto darkest = *std::min_element(pair.images.pixels.begin(), pair.images.pixels.end());
  EXPECT_EQ(darkest, 0);
  const double step = (set.train.x.max() - set.train.x.min()).item<double>() / 255;
  const at::Tensor levels = (set.train.x - set.train.x.min()) / step;
  EXPECT_TRUE((levels - levels.round()).abs().lt(1e-2).all().item<bool>());
}

}  // namespace
}  // namespace ogee::data::images_test
