// The parameters in front of layers: their gradients, and how they move, from small samples.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "monitor/layer_state.h"

namespace ogee::monitor {

class Weight {
 public:
  Weight(const at::Tensor& tensor, std::string name);

  const std::string& name() const { return name_; }
  void rename(std::string name) { name_ = std::move(name); }
  bool alive() const { return !tensor_.expired(); }
  at::Tensor tensor() const;  // undefined if it is gone
  std::int64_t rows() const { return rows_; }
  std::int64_t fan_in() const { return fan_in_; }

  // Backward passes in which a gradient came, and the hook that counts them.
  std::int64_t backward_passes = 0;
  std::int64_t hook = -1;

  // Where the weights are now; two in a row make an update.
  void read();
  // A window begins. `at_once`: they are still where they were read last, and not read again.
  void begin(bool at_once);
  void gradient(const at::Tensor& gradient);
  // The window's numbers; the next one starts from where the weights are.
  WeightNumbers close();

 private:
  c10::weak_intrusive_ptr<c10::TensorImpl, at::UndefinedTensorImpl> tensor_;
  std::string name_;
  std::int64_t rows_ = 0, fan_in_ = 0;
  std::vector<float> now_, before_, update_;  // padded with zeros
  bool read_ahead_ = false;
  double weight_ = not_measured, ratio_sum_ = 0, ratio_n_ = 0, cosine_sum_ = 0, cosine_n_ = 0;
  Sums gradient_;
  double one_sign_sum_ = 0, one_sign_n_ = 0, row_length_ = 0;
};

// What a layer is called after its weight: "encoder.0.linear1" for "encoder.0.linear1.weight".
std::string without_weight(std::string name);

}  // namespace ogee::monitor
