// Pictures and captions: in Flickr8k's layout, as features, and drawn.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "ogee/libtorch.h"
#include "data/captions.h"
#include "data/dataset.h"
#include "data/shapes.h"
#include "data/subwords.h"
#include "drawn.h"
#include "files.h"

namespace ogee::data::captions_test {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Six pictures, 4 pixels high and 6 wide, each grey but for the first pixel; captions in no order.
const char* const words[] = {"a", "red", "dog", "runs", "home", "today"};
std::string caption(int picture, int k) {
  return std::string(words[k]) + " " + words[(picture + k) % 6] + " dog " +
         std::string(static_cast<std::size_t>(picture) + 1, 'a');
}
void write_lists(const Folder& folder) {
  std::string captions;
  for (const int k : {0, 1, 2})
    for (const int picture : {3, 0, 1, 5, 4, 2})
      captions += "p" + std::to_string(picture) + ".png#" + std::to_string(k) + "\t" + caption(picture, k) + "\n";
  folder.write("captions.txt", captions + "\nunused.png#0\tnobody looks here\n");
  folder.write("train.txt", "p0.png\np4.png \n\np2.png\n");
  folder.write("valid.txt", "p3.png\n");
  folder.write("test.txt", "p5.png\r\np1.png\r\n");
}
std::string lists(const Folder& folder) {
  return ",captions=" + folder.path("captions.txt") + ",train=" + folder.path("train.txt") +
         ",validation=" + folder.path("valid.txt") + ",test=" + folder.path("test.txt") + ",pieces=64)";
}
std::string with_images(const Folder& folder, const std::string& more = "") {
  write_lists(folder);
  for (int picture = 0; picture < 6; ++picture)
    folder.write("images/p" + std::to_string(picture) + ".png",
                 png_bytes(4, 6, 3, [&](std::size_t row, std::size_t column, std::size_t channel) {
                   return static_cast<std::uint8_t>(row + column == 0 ? 10 * picture + static_cast<int>(channel) : 100);
                 }));
  return "captions(images=" + folder.path("images") + more + lists(folder);
}

void check_rows(const Dataset& set, const Part& part, const std::vector<int>& pictures, std::int64_t first) {
  ASSERT_EQ(part.size(), 3 * static_cast<std::int64_t>(pictures.size()));
  for (std::int64_t i = 0; i < part.size(); ++i) {
    const int picture = pictures[static_cast<std::size_t>(i / 3)], k = static_cast<int>(i % 3);
    const std::int64_t number = first + i / 3;
    EXPECT_EQ(part.x[i][0].item<std::int64_t>(), number);
    EXPECT_EQ(part.x[i][1].item<std::int64_t>(), Subwords::begin);
    const at::Tensor said = part.x[i].slice(0, 2).contiguous(), asked = part.y[i].slice(0, 1).contiguous();
    EXPECT_EQ(set.subwords[1]->decode(said.data_ptr<std::int64_t>(), said.numel()), caption(picture, k));
    EXPECT_EQ(set.subwords[1]->decode(asked.data_ptr<std::int64_t>(), asked.numel()), caption(picture, k));
    // A picture is judged once, by all that is said of it.
    EXPECT_EQ(part.y[i][0].item<std::int64_t>(), k == 0 ? number : not_asked_token);
    EXPECT_EQ(set.references[static_cast<std::size_t>(number)],
              (std::vector<std::string>{caption(picture, 0), caption(picture, 1), caption(picture, 2)}));
    EXPECT_EQ(said.ne(Subwords::padding).sum().item<std::int64_t>() + 1, asked.ge(0).sum().item<std::int64_t>());
  }
}

TEST(Captions, AreReadFromAFolderOfPictures) {
  const Folder folder;
  const Dataset set = loaded(with_images(folder));
  EXPECT_EQ(set.goal, Goal::captions);
  check_rows(set, set.train, {0, 4, 2}, 0);
  check_rows(set, set.validation, {3}, 3);
  check_rows(set, set.test, {5, 1}, 4);
  ASSERT_EQ(set.pictures.all.sizes(), at::IntArrayRef({6, 3, 4, 6}));
  const int order[] = {0, 4, 2, 3, 5, 1};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(set.pictures.all[i][2][0][0].item<int>(), 10 * order[i] + 2);
  // By the pictures of training alone.
  const at::Tensor trained = set.pictures.of(torch::arange(3));
  EXPECT_NEAR(trained.mean().item<double>(), 0, 1e-5);
  EXPECT_NEAR(trained.square().mean().item<double>(), 1, 1e-5);
  EXPECT_EQ(trained.scalar_type(), torch::kFloat);
  const Dataset again = loaded(with_images(folder));
  EXPECT_EQ(again.fingerprint, set.fingerprint);
  folder.write("images/p1.png", png_bytes(4, 6, 3, [](std::size_t, std::size_t, std::size_t) { return 7; }));
  EXPECT_NE(loaded("captions(images=" + folder.path("images") + lists(folder)).fingerprint, set.fingerprint);
  // So many captions, not pictures.
  const Dataset few = loaded(with_images(folder), 4);
  EXPECT_EQ(few.train.size(), 4);
  EXPECT_EQ(few.test.size(), 6);
}

TEST(Captions, ResizePictures) {
  const Folder folder;
  const std::string data = with_images(folder, ",size=8");
  folder.write("images/p0.png", png_bytes(9, 5, 1, [](std::size_t, std::size_t, std::size_t) { return 50; }));
  const Dataset set = loaded(data);
  ASSERT_EQ(set.pictures.all.sizes(), at::IntArrayRef({6, 3, 8, 8}));
  EXPECT_TRUE(set.pictures.all[0].eq(50).all().item<bool>());  // grey among coloured ones
}

// features[p][place][channel] = 100 p + 10 place + channel, for the rows of `names`.
std::string with_features(const Folder& folder, bool square, const std::string& names = "p5 p4 p3 p2 p1 p0") {
  write_lists(folder);
  std::string lines;
  std::vector<float> numbers;
  std::istringstream all(names);
  std::size_t rows = 0;
  for (std::string name; all >> name; ++rows) {
    lines += name + ".png\n";
    const int p = name[1] - '0';
    for (int i = 0; i < 8; ++i) {
      const int place = square ? i % 4 : i / 2, channel = square ? i / 4 : i % 2;
      numbers.push_back(static_cast<float>(100 * p + 10 * place + channel));
    }
  }
  const std::string count = std::to_string(rows);
  folder.write("f.npy", npy_of("<f4", square ? "(" + count + ", 2, 2, 2)" : "(" + count + ", 4, 2)", numbers));
  folder.write("names.txt", lines);
  return "captions(features=" + folder.path("f.npy") + ",names=" + folder.path("names.txt") + lists(folder);
}

TEST(Captions, AreReadWithFeatures) {
  for (const bool square : {false, true}) {
    const Folder folder;
    const Dataset set = loaded(with_features(folder, square));
    check_rows(set, set.train, {0, 4, 2}, 0);
    ASSERT_EQ(set.pictures.all.sizes(), at::IntArrayRef({6, 4, 2}));
    const int order[] = {0, 4, 2, 3, 5, 1};
    for (int i = 0; i < 6; ++i)
      for (int place = 0; place < 4; ++place)
        EXPECT_EQ(set.pictures.all[i][place][1].item<float>(), static_cast<float>(100 * order[i] + 10 * place + 1));
  }
}

TEST(Captions, SayWhatIsWrongAndWhere) {
  const Folder folder;
  const std::string data = with_images(folder);
  const auto refused = [&](const std::string& name, const std::string& text) {
    write_lists(folder);
    folder.write(name, text);
    return error_of([&] { loaded(data); });
  };
  EXPECT_TRUE(has(refused("captions.txt", "p0.png#0\ta\np1.png no tab\n"),
                  "captions.txt:2: 'p1.png no tab': expected picture#number, a tab and the caption"));
  EXPECT_TRUE(has(refused("captions.txt", "p0.png#0\ta\n#1\tb\n"), "captions.txt:2: '#1"));
  EXPECT_TRUE(has(refused("captions.txt", "p0.png#0\t \n"), "captions.txt:1: p0.png#0 has a blank caption"));
  EXPECT_TRUE(has(refused("captions.txt", "p0.png#0\ta\xff\n"), "captions.txt"));
  EXPECT_TRUE(has(refused("test.txt", "p1.png\np9.png\n"), "test.txt:2: p9.png has no captions in "));
  EXPECT_TRUE(has(refused("test.txt", "p1.png\np1.png\n"), "test.txt:2: p1.png stands there twice, in line 1 before"));
  EXPECT_TRUE(has(refused("test.txt", "p3.png\n"), "test.txt:1: p3.png is also in "));
  EXPECT_TRUE(has(refused("test.txt", "\n"), "test.txt: no names; expected a picture's name in each line"));
  write_lists(folder);
  folder.write("images/p5.png", png_bytes(3, 3, 3, [](std::size_t, std::size_t, std::size_t) { return 1; }));
  EXPECT_TRUE(has(error_of([&] { loaded(data); }), "p5.png: 3x3 pixels, p0.png has 4x6: give a size"));
  folder.write("images/p5.png", "no picture at all");
  EXPECT_TRUE(has(error_of([&] { loaded(data); }), "images/p5.png"));
  std::filesystem::remove(folder.path("images/p5.png"));
  EXPECT_TRUE(has(error_of([&] { loaded(data); }), "test.txt:1: no such picture: "));

  const std::string all = lists(folder);
  EXPECT_TRUE(has(error_of([&] { loaded("captions(size=3" + all); }), "it has neither images nor features; expected"));
  EXPECT_TRUE(
      has(error_of([&] { loaded("captions(features=f.npy" + all); }), "features without names; expected names="));
  EXPECT_TRUE(has(error_of([&] { loaded("captions(images=a,names=b" + all); }), "names are those of features"));
  EXPECT_TRUE(
      has(error_of([&] { loaded("captions(images=nowhere" + all); }), "images=nowhere: no such file or folder"));
  EXPECT_TRUE(has(error_of([&] { loaded("captions(images=a)"); }), "it has no captions; expected captions=..."));
  EXPECT_TRUE(has(error_of([&] { loaded("captions(images=a,beam=5" + all); }), "captions has no attribute 'beam'"));
  EXPECT_EQ(missing_of_captions("captions(images=nowhere" + all), "nowhere");
  EXPECT_EQ(missing_of_captions("captions(images=" + folder.path("images") + all), "");
}

TEST(Captions, FeaturesThatDoNotFitAreRefused) {
  const auto refused = [](const std::function<std::string(const Folder&)>& spoilt) {
    const Folder folder;
    const std::string data = spoilt(folder);
    return error_of([&] { loaded(data); });
  };
  EXPECT_TRUE(has(refused([](const Folder& f) { return with_features(f, false, "p5 p4 p3 p2 p1"); }),
                  "train.txt:1: p0.png has no features: it is not in "));
  EXPECT_TRUE(has(refused([](const Folder& f) {
                    const std::string data = with_features(f, false);
                    f.write("names.txt", "p0.png\np1.png\n");
                    return data;
                  }),
                  "names.txt: 2 names, but "));
  EXPECT_TRUE(has(refused([](const Folder& f) {
                    const std::string data = with_features(f, false);
                    f.write("f.npy", npy_of("<f4", "(6, 2)", std::vector<float>(12)));
                    return data;
                  }),
                  "f.npy: an array of shape [6, 2]; expected [pictures, places, numbers]"));
  EXPECT_TRUE(has(refused([](const Folder& f) {
                    const std::string data = with_features(f, false);
                    std::vector<float> numbers(12);
                    numbers[3] = NAN;
                    f.write("f.npy", npy_of("<f4", "(6, 1, 2)", numbers));
                    return data;
                  }),
                  "f.npy: row 2, of p4.png, has numbers that are not finite"));
}

// Flickr8k's own captions and parts, with numbers in the place of features, which nobody has.
TEST(Captions, Flickr8kIsReadAsItIs) {
  const char* const root = std::getenv("OGEE_DATA");
  if (!root || !std::filesystem::exists(std::string(root) + "/flickr8k")) GTEST_SKIP() << "needs $OGEE_DATA/flickr8k";
  const Folder folder;
  std::string names;
  std::vector<float> numbers;
  for (const char* part : {"dev", "test", "train"}) {
    std::ifstream list(std::string(root) + "/flickr8k/Flickr_8k." + part + "Images.txt");
    for (std::string name; list >> name; numbers.push_back(static_cast<float>(numbers.size()))) names += name + "\n";
  }
  ASSERT_EQ(numbers.size(), 8000u);
  folder.write("names.txt", names);
  folder.write("f.npy", npy_of("<f4", "(8000, 1, 1)", numbers));
  const Dataset set =
      loaded("captions(features=" + folder.path("f.npy") + ",names=" + folder.path("names.txt") +
             ",captions=flickr8k/Flickr8k.token.txt,train=flickr8k/Flickr_8k.trainImages.txt,validation="
             "flickr8k/Flickr_8k.devImages.txt,test=flickr8k/Flickr_8k.testImages.txt,pieces=2000)");
  EXPECT_EQ(set.train.size(), 30000);
  EXPECT_EQ(set.validation.size(), 5000);
  EXPECT_EQ(set.test.size(), 5000);
  EXPECT_EQ(set.outputs(), 2000);
  EXPECT_EQ(set.pictures.all[0].item<float>(), 2000);  // the first of training's names
  for (const auto& its : set.references) EXPECT_EQ(its.size(), 5u);
}

// What is said of drawn pictures is what they show, seen by the pixels alone: the colours that are named are those that
// there are, and the middles of their pixels lie to one another as the caption has it.
TEST(Shapes, CaptionsSayWhatThePicturesShow) {
  const Dataset set = loaded("shapes(train=150,validation=5,test=10,captions=4)");
  EXPECT_EQ(set.goal, Goal::captions);
  ASSERT_EQ(set.pictures.all.sizes(), at::IntArrayRef({165, 3, 32, 32}));
  EXPECT_EQ(set.train.size(), 600);
  const std::map<std::string, std::vector<double>> colours{{"red", {220, 40, 40}},     {"green", {40, 170, 60}},
                                                           {"blue", {50, 80, 220}},    {"yellow", {230, 210, 50}},
                                                           {"purple", {150, 60, 190}}, {"white", {235, 235, 235}}};
  int one = 0, two = 0, related = 0;
  std::set<std::string> said;
  for (std::int64_t i = 0; i < 165; ++i) {
    // The middle of each colour's pixels.
    std::map<std::string, std::pair<double, double>> seen;
    for (const auto& [name, colour] : colours) {
      const at::Tensor rgb = torch::tensor(colour, torch::kDouble).view({3, 1, 1});
      const at::Tensor own = (set.pictures.all[i].to(torch::kDouble) - rgb).abs().amax(0).le(20).nonzero();
      if (own.size(0) < 9) continue;
      const at::Tensor middle = own.to(torch::kDouble).mean(0);
      seen[name] = {middle[1].item<double>(), middle[0].item<double>()};
    }
    (seen.size() == 1 ? one : two)++;
    ASSERT_LE(seen.size(), 2u);
    for (const std::string& caption : set.references[static_cast<std::size_t>(i)]) {
      said.insert(caption);
      std::vector<std::string> named;
      std::istringstream words(caption);
      for (std::string word; words >> word;)
        if (colours.contains(word)) named.push_back(word);
      ASSERT_EQ(named.size(), seen.size()) << caption;
      for (const std::string& name : named) EXPECT_TRUE(seen.contains(name)) << caption;
      const auto [x, y] = seen[named[0]];
      if (seen.size() == 1) {
        if (has(caption, "left")) {
          EXPECT_LT(x, 12) << caption;
        }
        if (has(caption, "right")) {
          EXPECT_GT(x, 19) << caption;
        }
        if (has(caption, "top") || has(caption, "upper")) {
          EXPECT_LT(y, 13) << caption;
        }
        if (has(caption, "bottom") || has(caption, "lower")) {
          EXPECT_GT(y, 19) << caption;
        }
        continue;
      }
      const auto [other_x, other_y] = seen[named[1]];
      if (has(caption, "left of")) {
        EXPECT_LT(x, other_x) << caption;
      }
      if (has(caption, "right of")) {
        EXPECT_GT(x, other_x) << caption;
      }
      if (has(caption, "above") || has(caption, "over")) {
        EXPECT_LT(y, other_y) << caption;
      }
      if (has(caption, "below") || has(caption, "under")) {
        EXPECT_GT(y, other_y) << caption;
      }
      related += !has(caption, " and ");
    }
  }
  EXPECT_GT(one, 30);
  EXPECT_GT(two, 60);
  EXPECT_GT(related, 200);
  EXPECT_GT(said.size(), 400u);
}

TEST(Shapes, AreTheSameBySeed) {
  const std::string small = "shapes(train=30,validation=5,test=10";
  const Dataset set = loaded(small + ")"), again = loaded(small + ")"), other = loaded(small + ",seed=2)");
  EXPECT_EQ(set.fingerprint, again.fingerprint);
  EXPECT_EQ(set.references, again.references);
  EXPECT_NE(set.fingerprint, other.fingerprint);
  // Fewer to train on leave the other parts as they are.
  const Dataset few = loaded(small + ")", 12);
  EXPECT_EQ(few.train.size(), 12);
  EXPECT_TRUE(std::equal(few.references.end() - 15, few.references.end(), set.references.end() - 15));
  EXPECT_TRUE(few.pictures.all.slice(0, 3).equal(set.pictures.all.slice(0, 30)));
  EXPECT_TRUE(has(error_of([] { loaded("shapes(size=3)"); }), "size is 3, expected 24 to 256"));
}

TEST(Shapes, ScenesAreReadAsTheyWereDrawn) {
  Draw draw(5);
  const Shapes task;
  for (int i = 0; i < 50; ++i) {
    const std::string scene = draw_scene(task, draw);
    std::string text;
    for (const Shape& s : shapes_of(scene)) {
      for (const std::int64_t number : {s.kind, s.colour, s.big, s.x}) text += std::to_string(number) + " ";
      text += std::to_string(s.y) + ";";
    }
    EXPECT_EQ(text, scene);
  }
}

}  // namespace
}  // namespace ogee::data::captions_test
