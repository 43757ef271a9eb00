// NumPy's files: .npy, one array; .npz, a zip of them.
#pragma once

#include <torch/types.h>

#include <map>
#include <string>
#include <string_view>

namespace ogee::data {

// One array, formats 1 to 3: bool, integers of 1 to 8 bytes and floats of 2, 4 and 8, of either byte order, in C or
// Fortran order. As a contiguous tensor of its own type; unsigned integers of 2, 4 and 8 bytes, which tensors have not,
// as the next larger signed one. `name` names it in errors. Throws Error, also on what is left over after the data.
at::Tensor parse_npy(std::string_view bytes, const std::string& name);
at::Tensor read_npy(const std::string& path);

// All arrays by name, without ".npy". Throws Error, on a damaged archive too.
std::map<std::string, at::Tensor> parse_npz(std::string_view bytes, const std::string& path);
std::map<std::string, at::Tensor> read_npz(const std::string& path);

}  // namespace ogee::data
