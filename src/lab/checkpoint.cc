#include "lab/checkpoint.h"

#include <fmt/format.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "ogee/libtorch.h"
#include "data/bytes.h"
#include "lab/laboratory.h"
#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

constexpr const char* what = "ogee checkpoint 1";

std::string type_of(const at::Tensor& tensor) { return std::string(c10::toString(tensor.scalar_type())); }

}  // namespace

nlohmann::ordered_json pack(const at::Tensor& tensor) {
  const at::Tensor here = tensor.detach().cpu().contiguous();
  const auto* from = static_cast<const std::uint8_t*>(here.data_ptr());
  return {{"type", type_of(here)},
          {"shape", here.sizes().vec()},
          {"numbers", nlohmann::ordered_json::binary(std::vector<std::uint8_t>(from, from + here.nbytes()))}};
}

void unpack(const nlohmann::ordered_json& json, const at::Tensor& tensor) {
  const auto& numbers = json.at("numbers").get_binary();
  if (json.at("type") != type_of(tensor) || json.at("shape").get<std::vector<std::int64_t>>() != tensor.sizes().vec() ||
      numbers.size() != tensor.nbytes())
    throw Error("a tensor of another shape or type");
  const torch::NoGradGuard no_gradients;
  const at::Tensor here = torch::empty(tensor.sizes(), tensor.options().device(torch::kCPU).requires_grad(false));
  if (!numbers.empty()) std::memcpy(here.data_ptr(), numbers.data(), numbers.size());
  tensor.detach().copy_(here);
}

at::Tensor unpacked(const nlohmann::ordered_json& json) {
  const at::Tensor tensor = torch::empty(json.at("shape").get<std::vector<std::int64_t>>(), torch::kFloat);
  unpack(json, tensor);
  return tensor;
}

void write_checkpoint(const std::string& path, const std::string& bytes) {
  write_atomically(path, fmt::format("{} {} {}\n", what, bytes.size(), data::checksum(bytes)) + bytes);
}

std::string read_checkpoint(const std::string& path) {
  if (!std::filesystem::exists(path)) return "";
  std::ifstream file(path, std::ios::binary);
  std::string first;
  std::getline(file, first);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (!first.starts_with(what)) throw Error(fmt::format("{}: no checkpoint of this version", path));
  if (first != fmt::format("{} {} {}", what, bytes.size(), data::checksum(bytes)))
    throw Error(fmt::format("{}: cut short or changed: its checksum is wrong", path));
  return bytes;
}

}  // namespace ogee::lab
