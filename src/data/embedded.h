// What is built into the program, so that it needs no files beside itself.
#pragma once

#include <string_view>

namespace ogee::data {

std::string_view embedded_optdigits();  // a CSV file, gzip

}  // namespace ogee::data
