// PNG and JPEG files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ogee::data {

struct Picture {
  std::size_t channels = 0, height = 0, width = 0;  // 1 channel (grey) or 3 (red, green, blue)
  std::vector<std::uint8_t> pixels;                 // row by row, a pixel's channels together
};

// Told apart by their first bytes. Palettes become colours, 16 bits 8; what is transparent lies on black. `name` names
// the file in errors. Throws Error on what is neither, damaged, cut short or of more than 2^26 pixels.
Picture parse_picture(std::string_view bytes, const std::string& name);

}  // namespace ogee::data
