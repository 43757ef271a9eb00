#include "data/shapes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "ogee/libtorch.h"
#include "data/captions.h"

namespace ogee::data {
namespace {

using Words = std::vector<const char*>;

const Words kinds[] = {{"circle", "disc"}, {"square", "box"}, {"triangle"}, {"cross"}};
constexpr const char* colours[] = {"red", "green", "blue", "yellow", "purple", "white"};
constexpr std::uint8_t rgb[][3] = {{220, 40, 40},  {40, 170, 60},  {50, 80, 220},
                                   {230, 210, 50}, {150, 60, 190}, {235, 235, 235}};
const Words sizes[] = {{"small", "little", "tiny"}, {"big", "large"}};

const char* one_of(const Words& words, Draw& draw) {
  return words[static_cast<std::size_t>(draw.below(static_cast<std::int64_t>(words.size())))];
}

// From its middle to its edge.
std::int64_t radius(const Shapes& task, const Shape& shape) {
  return std::lround(static_cast<double>(task.size) * (shape.big != 0 ? 0.18 : 0.09));
}

bool covers(const Shape& shape, std::int64_t r, std::int64_t dx, std::int64_t dy) {
  if (std::abs(dx) > r || std::abs(dy) > r) return false;
  switch (shape.kind) {
    case 0: return dx * dx + dy * dy <= r * r;
    case 1: return true;
    case 2: return 2 * std::abs(dx) <= r + dy;  // its tip above
    default: return 3 * std::min(std::abs(dx), std::abs(dy)) <= r;
  }
}

std::string named(const Shape& shape, Draw& draw) {
  const std::string size = draw.below(2) == 0 ? std::string() : one_of(sizes[shape.big], draw) + std::string(" ");
  return "a " + size + colours[shape.colour] + " " + one_of(kinds[shape.kind], draw);
}

// 0, 1 or 2: the third of the picture.
std::int64_t third(std::int64_t at, std::int64_t size) { return std::min<std::int64_t>(2, 3 * at / size); }

std::string place(const Shapes& task, const Shape& shape, Draw& draw) {
  const std::int64_t column = third(shape.x, task.size), row = third(shape.y, task.size);
  const std::string side = column == 0 ? "left" : "right";
  if (row == 1 && column == 1) return std::string("in the ") + one_of({"middle", "centre"}, draw);
  if (row == 1) return "on the " + side + one_of({"", " side"}, draw);
  const std::string end = row == 0 ? one_of({"top", "upper"}, draw) : one_of({"bottom", "lower"}, draw);
  if (column != 1) return std::string("in the ") + end + " " + side + one_of({"", " corner"}, draw);
  return row == 0 ? "at the top" : "at the bottom";
}

// How a lies to b.
std::string relation(const Shape& a, const Shape& b, Draw& draw) {
  const std::int64_t dx = a.x - b.x, dy = a.y - b.y;
  if (std::abs(dx) >= std::abs(dy))
    return std::string(one_of({"", "to the "}, draw)) + (dx < 0 ? "left of" : "right of");
  return dy < 0 ? one_of({"above", "over"}, draw) : one_of({"below", "under"}, draw);
}

}  // namespace

std::string draw_scene(const Shapes& task, Draw& draw) {
  const auto draw_shape = [&] {
    Shape shape{draw.below(4), draw.below(6), draw.below(2), 0, 0};
    const std::int64_t r = radius(task, shape);
    shape.x = draw.from_to(r, task.size - 1 - r);
    shape.y = draw.from_to(r, task.size - 1 - r);
    return shape;
  };
  const auto apart = [&](const Shape& a, const Shape& b) {
    const std::int64_t distance = std::max(std::abs(a.x - b.x), std::abs(a.y - b.y));
    return a.colour != b.colour && distance > radius(task, a) + radius(task, b) + 1 &&
           std::abs(a.x - b.x) != std::abs(a.y - b.y);
  };
  std::vector<Shape> all;
  while (true) {
    all = {draw_shape()};
    if (draw.below(3) == 0) break;
    all.push_back(draw_shape());
    if (apart(all[0], all[1])) break;
  }
  std::string scene;
  for (const Shape& s : all) scene += fmt::format("{} {} {} {} {};", s.kind, s.colour, s.big, s.x, s.y);
  return scene;
}

std::vector<Shape> shapes_of(std::string_view scene) {
  std::vector<Shape> all;
  std::int64_t number = 0;
  std::vector<std::int64_t> numbers;
  for (const char c : scene) {
    if (c >= '0' && c <= '9') {
      number = 10 * number + (c - '0');
      continue;
    }
    numbers.push_back(std::exchange(number, 0));
    if (c != ';') continue;
    all.push_back({numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]});
    numbers.clear();
  }
  return all;
}

void render(const Shapes& task, std::string_view scene, Draw& draw, std::uint8_t* pixels) {
  const std::int64_t ground = draw.from_to(20, 60);
  const std::vector<Shape> all = shapes_of(scene);
  for (std::int64_t y = 0; y < task.size; ++y)
    for (std::int64_t x = 0; x < task.size; ++x) {
      const std::int64_t more = draw.from_to(-15, 15);
      std::int64_t colour[3] = {ground, ground, ground};
      for (const Shape& shape : all)
        if (covers(shape, radius(task, shape), x - shape.x, y - shape.y))
          std::copy(rgb[shape.colour], rgb[shape.colour] + 3, colour);
      for (std::int64_t c = 0; c < 3; ++c)
        pixels[(c * task.size + y) * task.size + x] =
            static_cast<std::uint8_t>(std::clamp<std::int64_t>(colour[c] + more, 0, 255));
    }
}

std::string draw_caption(const Shapes& task, std::string_view scene, Draw& draw) {
  const std::vector<Shape> all = shapes_of(scene);
  if (all.size() == 1) {
    const std::string what = named(all[0], draw), where = place(task, all[0], draw);
    switch (draw.below(3)) {
      case 0: return what + " " + where;
      case 1: return "there is " + what + " " + where;
      default: return what + " is " + where;
    }
  }
  const bool turned = draw.below(2) == 0;
  const Shape &a = all[turned ? 1 : 0], &b = all[turned ? 0 : 1];
  const std::string first = named(a, draw), second = named(b, draw);
  if (draw.below(6) == 0) return first + " and " + second;
  const std::string how = relation(a, b, draw);
  switch (draw.below(3)) {
    case 0: return first + " " + how + " " + second;
    case 1: return "there is " + first + " " + how + " " + second;
    default: return first + " is " + how + " " + second;
  }
}

Dataset load_shapes(const Request& request) {
  Attributes attributes("--data", request.data);
  Shapes task;
  task.size = attributes.take("size", task.size, 24, 256);
  task.captions = attributes.take("captions", task.captions, 1, 20);
  const std::int64_t pieces = attributes.take("pieces", 200, 32, 1000);
  Sizes count = take_sizes(attributes, request, 2000, 200, 500);
  attributes.finish();
  if (request.train_limit > 0)
    count.parts[0] = std::min(count.parts[0], (request.train_limit + task.captions - 1) / task.captions);
  Draw draw(count.seed);
  const auto scenes = draw_parts(count, request.data, [&] { return draw_scene(task, draw); });
  Captioned given;
  const std::int64_t all = count.parts[0] + count.parts[1] + count.parts[2];
  given.pictures = torch::empty({all, 3, task.size, task.size}, torch::kByte);
  auto* pixels = given.pictures.data_ptr<std::uint8_t>();
  for (std::size_t part = 0; part < 3; ++part) {
    Draw own(3 * count.seed + part + 1);  // fewer of one part do not change another
    for (const std::string& scene : scenes[part]) {
      render(task, scene, own, pixels);
      pixels += 3 * task.size * task.size;
      given.captions[part].emplace_back();
      for (std::int64_t k = 0; k < task.captions; ++k)
        given.captions[part].back().push_back(draw_caption(task, scene, own));
    }
  }
  return captioned(
      request.data, std::move(given), pieces, 60, request.train_limit, request.data,
      {fmt::format("drawn: pictures of {0}x{0} pixels with one or two coloured shapes, and {1} captions of "
                   "each by a grammar with synonyms",
                   task.size, task.captions)});
}

}  // namespace ogee::data
