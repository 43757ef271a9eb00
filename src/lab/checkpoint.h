// A run's state as bytes, and as a file that is whole or is recognised as damaged.
#pragma once

#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ogee::lab {

// A tensor's shape, type and numbers; from any device.
nlohmann::ordered_json pack(const at::Tensor& tensor);
// Writes the numbers into `tensor`, which must be of that shape and type. Throws Error if it is not.
void unpack(const nlohmann::ordered_json& json, const at::Tensor& tensor);
// A tensor of float32 of the shape that was packed, on the CPU. Throws Error if it was of another type.
at::Tensor unpacked(const nlohmann::ordered_json& json);

// Replaces the file in one step. The first line says what it is, how long, and its CRC-32. Throws Error.
void write_checkpoint(const std::string& path, const std::string& bytes);
// What was written; "" where there is no file. Throws Error on a file that is cut short or changed.
std::string read_checkpoint(const std::string& path);

}  // namespace ogee::lab
