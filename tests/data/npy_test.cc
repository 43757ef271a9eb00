// NumPy's arrays: every type and order, headers that are wrong, and the data sets made of them.
#include "ogee/libtorch.h"
#include "data/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "data/dataset.h"
#include "files.h"

namespace ogee::data::npy_test {
namespace {

using testing::HasSubstr;
using Shape = std::vector<std::int64_t>;

std::string parse_error(const std::string& bytes) {
  return error_of([&] { parse_npy(bytes, "a.npy"); });
}

TEST(Npy, EveryTypeOfNumber) {
  const auto check = [](const std::string& bytes, at::ScalarType type, std::vector<double> expected) {
    const at::Tensor array = parse_npy(bytes, "a.npy");
    EXPECT_EQ(array.scalar_type(), type);
    EXPECT_TRUE(array.to(torch::kDouble).equal(torch::tensor(expected, torch::kDouble))) << array;
  };
  check(npy_of<float>("<f4", "(3,)", {1.5f, -2, 0}), torch::kFloat, {1.5, -2, 0});
  check(npy_of<double>("<f8", "(2,)", {1e300, -2}), torch::kDouble, {1e300, -2});
  check(npy_of<std::uint16_t>("<f2", "(2,)", {0x3c00, 0xc000}), torch::kHalf, {1, -2});
  check(npy_of<std::uint8_t>("|b1", "(3,)", {0, 1, 7}), torch::kBool, {0, 1, 1});
  check(npy_of<std::int8_t>("|i1", "(2,)", {-128, 127}), torch::kChar, {-128, 127});
  check(npy_of<std::uint8_t>("|u1", "(2,)", {0, 255}), torch::kByte, {0, 255});
  check(npy_of<std::int16_t>("<i2", "(2,)", {-300, 300}), torch::kShort, {-300, 300});
  check(npy_of<std::uint16_t>("<u2", "(1,)", {65535}), torch::kInt, {65535});
  check(npy_of<std::int32_t>("<i4", "(1,)", {-70000}), torch::kInt, {-70000});
  check(npy_of<std::uint32_t>("<u4", "(1,)", {4000000000u}), torch::kLong, {4e9});
  check(npy_of<std::int64_t>("<i8", "(1,)", {-5000000000}), torch::kLong, {-5e9});
  check(npy_of<std::uint64_t>("<u8", "(1,)", {5000000000}), torch::kLong, {5e9});
  EXPECT_THAT(parse_error(npy_of<std::uint64_t>("<u8", "(1,)", {~std::uint64_t{0}})), HasSubstr("element 0"));
}

TEST(Npy, BigEndianAndFortranOrderAndLaterVersions) {
  EXPECT_EQ(parse_npy(npy_bytes(">i4", "(2,)", {"\0\0\1\2\xff\xff\xff\xff", 8}), "a").to(torch::kLong)[0].item<int>(),
            258);
  EXPECT_EQ(parse_npy(npy_bytes(">f8", "(1,)", {"\x3f\xf8\0\0\0\0\0\0", 8}), "a").item<double>(), 1.5);
  const at::Tensor fortran =
      parse_npy(npy_bytes("<i2", "(2, 3)", bytes_of<std::int16_t>({1, 4, 2, 5, 3, 6}), "True"), "a");
  EXPECT_TRUE(fortran.to(torch::kLong).equal(torch::arange(1, 7).reshape({2, 3})));
  EXPECT_TRUE(fortran.is_contiguous());
  for (const int version : {2, 3})
    EXPECT_EQ(parse_npy(npy_bytes("|u1", "(2,)", "ab", "False", version), "a")[1].item<int>(), 'b');
  EXPECT_EQ(parse_npy(npy_bytes("|u1", "()", "a"), "a").dim(), 0);
  EXPECT_EQ(parse_npy(npy_bytes("|u1", "(0, 3)", ""), "a").sizes(), (Shape{0, 3}));
  EXPECT_EQ(parse_npy(npy_bytes("|u1", "(2L, 1L)", "ab"), "a").sizes(), (Shape{2, 1}));
}

TEST(Npy, BadHeadersAreNamed) {
  const std::string good = npy_bytes("<f4", "(2,)", std::string(8, '\0'));
  EXPECT_THAT(parse_error(""), HasSubstr("a.npy: no NPY file"));
  EXPECT_THAT(parse_error("PK\x03\x04 something else"), HasSubstr("no NPY file"));
  EXPECT_THAT(parse_error(good.substr(0, 8)), HasSubstr("truncated"));
  EXPECT_THAT(parse_error(good.substr(0, 30)), HasSubstr("truncated: a header of"));
  EXPECT_THAT(parse_error(good.substr(0, good.size() - 1)),
              HasSubstr("truncated: shape (2) of '<f4' takes 8 bytes, 7 are there"));
  EXPECT_THAT(parse_error(good + "x"), HasSubstr("too long"));
  EXPECT_THAT(parse_error(npy_bytes("<f4", "(2,)", "", "False", 4)), HasSubstr("NPY format 4.0, expected 1 to 3"));
  EXPECT_THAT(parse_error(npy_bytes("<c8", "(1,)", std::string(8, '\0'))), HasSubstr("type '<c8'"));
  EXPECT_THAT(parse_error(npy_bytes("<U5", "(1,)", std::string(20, '\0'))), HasSubstr("type '<U5'"));
  EXPECT_THAT(parse_error(npy_bytes("|O", "(1,)", "x")), HasSubstr("type '|O'"));
  EXPECT_THAT(parse_error(npy_bytes("<f16", "(1,)", std::string(16, '\0'))), HasSubstr("type '<f16'"));
  EXPECT_THAT(parse_error(npy_bytes("<f4", "(-2,)", "")), HasSubstr("a dimension is no number"));
  EXPECT_THAT(parse_error(npy_bytes("<f4", "(4611686018427387904, 4611686018427387904)", "")),
              HasSubstr("too many bytes"));
  EXPECT_THAT(parse_error(npy_bytes("<f4", "(2,)", std::string(8, '\0'), "Maybe")),
              HasSubstr("neither True nor False"));
  const auto header = [](const std::string& text) {
    std::string bytes("\x93NUMPY\x01\0", 8);
    bytes += static_cast<char>(text.size());
    bytes += '\0';
    return parse_error(bytes + text);
  };
  EXPECT_THAT(header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}"),
              HasSubstr("an array of records"));
  EXPECT_THAT(header("{'descr': '<f4', 'shape': (0,)}"), HasSubstr("fortran_order or shape is missing"));
  EXPECT_THAT(header("{'descr': '<f4', 'descr': '<f4'}"), HasSubstr("an unexpected key 'descr'"));
  EXPECT_THAT(header("{'descr': '<f4'"), HasSubstr("bad NPY header"));
  EXPECT_THAT(header("{} more"), HasSubstr("more text after the dictionary"));
}

TEST(Npz, ArraysByName) {
  const std::string bytes = zip_bytes({{"x.npy", npy_of<float>("<f4", "(2,)", {1, 2})},
                                       {"y.npy", npy_of<std::int64_t>("<i8", "(2,)", {3, 4})},
                                       {"readme.txt", "no array"}});
  const auto arrays = parse_npz(bytes, "a.npz");
  ASSERT_EQ(arrays.size(), 2u);
  EXPECT_EQ(arrays.at("x")[1].item<float>(), 2);
  EXPECT_EQ(arrays.at("y")[0].item<int>(), 3);
  EXPECT_THAT(error_of([&] { parse_npz(bytes.substr(0, bytes.size() / 2), "a.npz"); }),
              HasSubstr("a.npz: no NPZ file, or a damaged one"));
  EXPECT_THAT(error_of([&] { parse_npz(zip_bytes({{"a.txt", "b"}}), "a.npz"); }), HasSubstr("no arrays"));
  EXPECT_THAT(error_of([&] {
                parse_npz(zip_bytes({{"x.npy", "b"}}), "a.npz");
              }),
              HasSubstr("a.npz:x.npy: no NPY file"));
}

// 60 examples of two classes.
std::vector<float> features(std::size_t count, float shift = 0) {
  std::vector<float> x;
  for (std::size_t i = 0; i < count; ++i) {
    x.push_back(static_cast<float>(i % 2) + shift);
    x.push_back(std::sin(static_cast<float>(i)) + shift);
  }
  return x;
}
std::vector<std::int64_t> classes(std::size_t count) {
  std::vector<std::int64_t> y;
  for (std::size_t i = 0; i < count; ++i) y.push_back(i % 2 ? 7 : -1);
  return y;
}

TEST(Arrays, AnArrayBesideAnother) {
  const Folder folder;
  const std::string path = folder.write("some_x.npy", npy_of("<f4", "(60, 2)", features(60)));
  EXPECT_THAT(error_of([&] { load({path}); }), HasSubstr("no some_y.npy beside it"));
  folder.write("some_y.npy", npy_of("<i8", "(60, 1)", classes(60)));
  const Dataset set = load({path});
  EXPECT_EQ(set.goal, Goal::classification);
  EXPECT_EQ(set.classes, (std::vector<std::string>{"-1", "7"}));
  EXPECT_EQ(set.train.size(), 36);
  EXPECT_EQ(set.shape, (Shape{2}));
  EXPECT_TRUE(set.test.y.eq(1).equal(set.test.x.select(1, 0).gt(0)));
  // The same answers under another name.
  folder.write("labels.npy", npy_of("<i8", "(60,)", classes(60)));
  EXPECT_EQ(load({path, "labels.npy"}).fingerprint, set.fingerprint);
}

TEST(Arrays, AnArchiveWithItsOwnParts) {
  const Folder folder;
  const std::string path = folder.write("a.npz", zip_bytes({{"x_train.npy", npy_of("<f4", "(60, 2)", features(60))},
                                                            {"y_train.npy", npy_of("<i8", "(60,)", classes(60))},
                                                            {"x_test.npy", npy_of("<f4", "(20, 2)", features(20, 100))},
                                                            {"y_test.npy", npy_of("<i8", "(20,)", classes(20))}}));
  const Dataset set = load({path});
  EXPECT_EQ(set.test.size(), 20);
  EXPECT_EQ(set.train.size() + set.validation.size(), 60);
  // Standardised as the training part is: far off.
  EXPECT_GT(set.test.x.min().item<double>(), 50);
}

TEST(Arrays, PicturesSequencesAndRegression) {
  const Folder folder;
  std::vector<std::uint8_t> pixels(40 * 4 * 5 * 3);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 37 % 251);
  std::vector<double> values;
  for (int i = 0; i < 40; ++i) values.push_back(0.5 * i);
  const std::string y = npy_of("<f8", "(40,)", values);
  const auto made = [&](const std::string& shape) {
    return load({folder.write("a.npz", zip_bytes({{"x.npy", npy_of("|u1", shape, pixels)}, {"y.npy", y}}))});
  };
  const Dataset last = made("(40, 5, 4, 3)");
  EXPECT_EQ(last.goal, Goal::regression);
  EXPECT_EQ(last.shape, (Shape{3, 5, 4}));
  EXPECT_TRUE(has_note(last.notes, "last dimension taken for channels"));
  EXPECT_EQ(made("(40, 3, 4, 5)").shape, (Shape{3, 4, 5}));
  EXPECT_EQ(made("(40, 4, 15)").shape, (Shape{1, 4, 15}));
}

TEST(Arrays, WhatDoesNotFitIsNamed) {
  const Folder folder;
  const auto error = [&](const std::string& x, const std::string& y, const std::string& target = "") {
    const std::string path = folder.write("a.npz", zip_bytes({{"x.npy", x}, {"y.npy", y}}));
    return error_of([&] { load({path, target}); });
  };
  const std::string x = npy_of("<f4", "(60, 2)", features(60)), y = npy_of("<i8", "(60,)", classes(60));
  EXPECT_EQ(error(x, y), "");
  EXPECT_THAT(error(x, npy_of("<i8", "(59,)", classes(59))), HasSubstr("a.npz:y: 59 answers for the 60 examples of"));
  EXPECT_THAT(error(x, npy_of("<i8", "(30, 2)", classes(60))), HasSubstr("shape (30, 2), expected one answer"));
  EXPECT_THAT(error(x, y, "labels"), HasSubstr("no arrays x and labels; it has x, y"));
  EXPECT_THAT(error(x, npy_of("<i8", "(60,)", std::vector<std::int64_t>(60, 3))), HasSubstr("every answer is 3"));
  std::vector<float> bad = features(60);
  bad[2 * 17 + 1] = NAN;
  EXPECT_THAT(error(npy_of("<f4", "(60, 2)", bad), y), HasSubstr("a.npz:x: element [17, 1] is nan"));
  EXPECT_THAT(error(npy_of("<f4", "(1, 1, 1, 60, 2)", features(60)), y), HasSubstr("5 dimensions"));
  EXPECT_THAT(error(npy_of("<f4", "(2, 2)", features(2)), npy_of("<i8", "(2,)", classes(2))),
              HasSubstr("2 examples, at least 20"));
}

}  // namespace
}  // namespace ogee::data::npy_test
