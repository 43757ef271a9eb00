// Files made for a test, and the words of the errors that reading them raises.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "folder.h"
#include "ogee/ogee.h"

namespace ogee::data {

// What Error says; empty if there is none.
template <class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool has_note(const std::vector<std::string>& notes, const std::string& part);

// The bytes of a .npy file: a header of `version` that says `descr` and `shape`, then the data.
std::string npy_bytes(const std::string& descr, const std::string& shape, const std::string& data,
                      const std::string& fortran = "False", int version = 1);
template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}
template <class T>
std::string npy_of(const std::string& descr, const std::string& shape, const std::vector<T>& values) {
  return npy_bytes(descr, shape, bytes_of(values));
}
// The bytes of a zip archive.
std::string zip_bytes(const std::map<std::string, std::string>& files);

// A picture of `channels` (1 or 3; png: or 4, with transparency), pixels from a function of (row, column, channel).
using Pixel = std::function<std::uint8_t(std::size_t, std::size_t, std::size_t)>;
std::string png_bytes(std::size_t height, std::size_t width, std::size_t channels, const Pixel& pixel);
std::string jpeg_bytes(std::size_t height, std::size_t width, std::size_t channels, const Pixel& pixel);

}  // namespace ogee::data
