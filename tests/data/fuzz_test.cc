// Every reader on thousands of damaged files: each loads or raises Error, and nothing else happens.
#include <gtest/gtest.h>

#include <random>

#include "ogee/libtorch.h"
#include "data/csv.h"
#include "data/dataset.h"
#include "data/npy.h"
#include "data/picture.h"
#include "data/tokens.h"
#include "files.h"

namespace ogee::data::fuzz_test {
namespace {

// One to four of: a bit flipped, a byte replaced by one that matters, a piece cut out, doubled or moved, the end lost.
std::string damaged(std::string bytes, std::mt19937_64& random) {
  const auto below = [&](std::size_t most) {
    return static_cast<std::size_t>(random() % std::max<std::size_t>(most, 1));
  };
  static constexpr std::string_view telling("\0\xff\x7f\x80'\"(){},:;\n\r\t 0159-.<>|fiuL", 31);
  for (std::size_t changes = 1 + below(4); changes > 0 && !bytes.empty(); --changes) {
    const std::size_t at = below(bytes.size()), length = 1 + below(std::min<std::size_t>(bytes.size() - at, 40));
    switch (below(6)) {
      case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8))); break;
      case 1: bytes[at] = telling[below(telling.size())]; break;
      case 2: bytes.erase(at, length); break;
      case 3: bytes.insert(below(bytes.size()), bytes.substr(at, length)); break;
      case 4: bytes.resize(at); break;
      case 5: bytes.replace(below(bytes.size()), length, bytes.substr(at, length)); break;
    }
  }
  return bytes;
}

// `read` gets damaged files; some must load (the damage was harmless) and some not, or nothing was tested.
template <class Read>
void fuzz(const std::string& good, int rounds, Read read) {
  std::mt19937_64 random(20261121);
  ASSERT_NO_THROW(read(good));
  int loaded = 0, refused = 0;
  for (int i = 0; i < rounds; ++i) {
    const std::string bytes = damaged(good, random);
    try {
      read(bytes);
      ++loaded;
    } catch (const Error& error) {
      ++refused;
      const std::string_view words = error.what();
      EXPECT_FALSE(words.empty());
      EXPECT_LT(words.size(), 2000u);
    }
  }
  EXPECT_GT(loaded, 0);
  EXPECT_GT(refused, 0);
}

TEST(Fuzz, Npy) {
  const std::string data(48, '\x3f');
  for (const char* descr : {"<f4", ">i4", "<u4"})
    fuzz(npy_bytes(descr, "(3, 4)", data, "True"), 5000, [](const std::string& bytes) { parse_npy(bytes, "a.npy"); });
}

TEST(Fuzz, Npz) {
  const std::string good = zip_bytes(
      {{"x.npy", npy_bytes("<f4", "(3, 4)", std::string(48, '\x3f'))}, {"y.npy", npy_bytes("|u1", "(3,)", "abc")}});
  fuzz(good, 5000, [](const std::string& bytes) { parse_npz(bytes, "a.npz"); });
}

TEST(Fuzz, Png) {
  const std::string good = png_bytes(9, 7, 3, [](auto i, auto j, auto k) -> std::uint8_t { return i * j + 90 * k; });
  fuzz(good, 5000, [](const std::string& bytes) { parse_picture(bytes, "a.png"); });
}

TEST(Fuzz, Jpeg) {
  const std::string good = jpeg_bytes(9, 7, 3, [](auto i, auto j, auto k) -> std::uint8_t { return i * j + 90 * k; });
  fuzz(good, 5000, [](const std::string& bytes) { parse_picture(bytes, "a.jpg"); });
}

TEST(Fuzz, Csv) {
  std::string good = "a,\"b;\"\"c\",k\r\n";
  for (int i = 0; i < 40; ++i)
    good += std::to_string(i) + ",\"" + std::to_string(i % 7) + "\"," + (i % 2 ? "x" : "y") + "\n";
  fuzz(good, 5000, [](const std::string& bytes) { parse_csv(bytes, "a.csv"); });
}

TEST(Fuzz, Words) {
  std::string good;
  for (int i = 0; i < 30; ++i) good += i % 3 ? "na\xc3\xafve cat " : "dog \xe2\x82\xac\n";
  fuzz(good, 5000, [](const std::string& bytes) { split_words(bytes, "a.txt"); });
}

// Whole data sets, from the file to its parts.
class FuzzLoad : public testing::Test {
 protected:
  void load_damaged(const std::string& name, const std::string& good, Request request) {
    request.data = folder_.path(name);
    fuzz(good, 1000, [&](const std::string& bytes) {
      folder_.write(name, bytes);
      const Dataset set = load(request);
      EXPECT_GT(set.train.size(), 0);
      EXPECT_TRUE(torch::isfinite(set.train.x.to(torch::kFloat)).all().item<bool>());
    });
  }
  const Folder folder_;
};

TEST_F(FuzzLoad, Series) {
  std::string good = "date,a,b\n";
  for (int i = 0; i < 60; ++i)
    good += "step " + std::to_string(i) + "," + std::to_string(i * 7 % 11) + ".5," + std::to_string(i) + "\n";
  Request request;
  request.kind = "series";
  request.context = 4;
  request.horizon = 2;
  load_damaged("a.csv", good, request);
}

TEST_F(FuzzLoad, Text) {
  std::string good;
  for (int i = 0; i < 300; ++i) good += static_cast<char>('a' + i * i % 13);
  Request request;
  request.context = 2;
  load_damaged("a.txt", good, request);
}

TEST_F(FuzzLoad, Table) {
  Request request;
  request.target = "c";
  std::string good = "a,b,c\n";
  for (int i = 0; i < 60; ++i)
    good += std::to_string(i) + ",1." + std::to_string(i * 7 % 11) + "," + std::to_string(i % 3) + "\n";
  load_damaged("a.csv", good, request);
}

TEST_F(FuzzLoad, Arrays) {
  std::vector<float> x(80);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 7 % 23);
  folder_.write("y.npy", npy_bytes("|u1", "(40,)", std::string(20, '\1') + std::string(20, '\2')));
  load_damaged("x.npy", npy_of("<f4", "(40, 2)", x), {});
}

TEST_F(FuzzLoad, Idx) {
  std::string images("\0\0\x08\x03\0\0\0\x28\0\0\0\x02\0\0\0\x02", 16), labels("\0\0\x08\x01\0\0\0\x28", 8);
  for (int i = 0; i < 40; ++i) {
    images += std::string(4, static_cast<char>(i * 5));
    labels += static_cast<char>(i % 2);
  }
  folder_.write("set/train-images-idx3-ubyte", images);
  Request request{folder_.path("set")};
  fuzz(labels, 1000, [&](const std::string& bytes) {
    folder_.write("set/train-labels-idx1-ubyte", bytes);
    load(request);
  });
  folder_.write("set/train-labels-idx1-ubyte", labels);
  fuzz(images, 1000, [&](const std::string& bytes) {
    folder_.write("set/train-images-idx3-ubyte", bytes);
    load(request);
  });
}

}  // namespace
}  // namespace ogee::data::fuzz_test
