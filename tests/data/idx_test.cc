// The IDX reader on files made here, and on the real ones where $OGEE_DATA has them.
#include "data/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>

#include "data/dataset.h"
#include "ogee/ogee.h"

namespace ogee::data::idx_test {
namespace {

using testing::HasSubstr;

class Idx : public testing::Test {
 protected:
  Idx() {
    folder_ = std::filesystem::temp_directory_path() /
              (std::string("ogee_idx_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  ~Idx() override { std::filesystem::remove_all(folder_); }

  static std::string word(std::uint32_t value) {
    return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
            static_cast<char>(value)};
  }
  std::string write(const std::string& name, const std::string& bytes) const {
    const std::string path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  std::string images(std::uint32_t count, std::size_t bytes, std::uint32_t magic = 0x803) const {
    return write("train-images-idx3-ubyte", word(magic) + word(count) + word(2) + word(3) + std::string(bytes, 7));
  }
  std::string labels(std::uint32_t count) const {
    return write("train-labels-idx1-ubyte", word(0x801) + word(count) + std::string(count, 1));
  }
  template <class Call>
  static std::string error_of(Call call) {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  std::filesystem::path folder_;
};

TEST_F(Idx, ReadsWhatWasWritten) {
  images(4, 24);
  labels(4);
  const IdxPair pair = read_idx_pair(folder_.string(), "train");
  EXPECT_EQ(pair.images.count, 4u);
  EXPECT_EQ(pair.images.height, 2u);
  EXPECT_EQ(pair.images.width, 3u);
  EXPECT_EQ(pair.images.pixels.size(), 24u);
  EXPECT_EQ(pair.labels.size(), 4u);
}

TEST_F(Idx, BadFilesAreNamed) {
  const auto read = [](const std::string& path) { return error_of([&] { read_idx_images(path); }); };
  EXPECT_THAT(read(images(4, 20)), HasSubstr("truncated: expected 24 bytes after the header, found 20"));
  EXPECT_THAT(read(images(4, 30)), HasSubstr("too long: expected 24 bytes after the header, found 30"));
  EXPECT_THAT(read(images(4, 24, 0x801)), HasSubstr("magic number 0x00000801, expected 0x00000803"));
  EXPECT_THAT(read(images(0xffffffff, 24)), HasSubstr("truncated"));
  EXPECT_THAT(read(images(0, 0)), HasSubstr("dimension 1 is 0"));
  EXPECT_THAT(read(write("short", "ab")), HasSubstr("truncated: 2 bytes, the header alone has 16"));
  EXPECT_THAT(read((folder_ / "absent").string()), HasSubstr("no such file"));
}

TEST_F(Idx, CountsMustAgree) {
  images(4, 24);
  labels(3);
  EXPECT_THAT(error_of([&] { read_idx_pair(folder_.string(), "train"); }), HasSubstr("3 labels for the 4 images"));
}

TEST_F(Idx, MissingFolders) {
  const char* kept = std::getenv("OGEE_DATA");
  const std::string before = kept ? kept : "";
  unsetenv("OGEE_DATA");
  EXPECT_THAT(error_of([] { load({"mnist", "", 0}); }), HasSubstr("OGEE_DATA is unset"));
  setenv("OGEE_DATA", folder_.c_str(), 1);
  EXPECT_THAT(error_of([] { load({"mnist", "", 0}); }), HasSubstr("no such folder"));
  std::filesystem::create_directories(folder_ / "mnist");
  EXPECT_THAT(error_of([] { load({"mnist", "", 0}); }), HasSubstr("train-images-idx3-ubyte.gz: no such file"));
  if (kept)
    setenv("OGEE_DATA", before.c_str(), 1);
  else
    unsetenv("OGEE_DATA");
}

TEST(IdxReal, FashionMnist) {
  const char* root = std::getenv("OGEE_DATA");
  if (!root) GTEST_SKIP() << "OGEE_DATA is unset";
  if (!std::filesystem::exists(std::filesystem::path(root) / "fashion-mnist"))
    GTEST_SKIP() << "no fashion-mnist under OGEE_DATA";
  const Dataset set = load({"fashion-mnist", "", 0});
  EXPECT_EQ(set.train.size(), 54000);
  EXPECT_EQ(set.validation.size(), 6000);
  EXPECT_EQ(set.test.size(), 10000);
  EXPECT_EQ(set.shape, (std::vector<std::int64_t>{1, 28, 28}));
  EXPECT_NEAR(set.baseline, 0.9, 1e-9);
  EXPECT_NEAR(set.train.x.mean().item<double>(), 0, 1e-3);
}

}  // namespace
}  // namespace ogee::data::idx_test
