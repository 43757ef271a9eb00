// Small pictures of one or two coloured shapes, and captions of them from a grammar: a task that shows whether a
// network looks where it should, at the cost of seconds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/generated.h"

namespace ogee::data {

// "shapes(size=32, captions=5, pieces=200)": pictures of size x size pixels.
struct Shapes {
  std::int64_t size = 32;     // pixels
  std::int64_t captions = 5;  // of each picture
};

// One shape of a picture: a circle, square, triangle or cross of one of six colours, small or big.
struct Shape {
  std::int64_t kind, colour, big;
  std::int64_t x, y;  // of its middle, pixels from the left and the top
};

// What a picture shows: one or two shapes, two of different colours that do not touch. As text: so that equal ones are
// equal.
std::string draw_scene(const Shapes& task, Draw& draw);
std::vector<Shape> shapes_of(std::string_view scene);
// Red, green, blue, plane by plane; the ground is dark, and every pixel a little lighter or darker than it should be.
void render(const Shapes& task, std::string_view scene, Draw& draw, std::uint8_t* pixels);
// What may be said of it: kinds, colours and sizes with synonyms, and where a shape is in the picture, or, of two, how
// the one lies to the other along the axis on which they are further apart.
std::string draw_caption(const Shapes& task, std::string_view scene, Draw& draw);

}  // namespace ogee::data
