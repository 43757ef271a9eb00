// What studies of small networks share: arms with settings of their own, and the data.
#pragma once

#include <torch/types.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace ogee::models {
class Network;
}
namespace ogee::lab {
class Table;
}

namespace ogee::claims {

// An activation, and what is set for this arm alone: "sigmoid; gain=1, bias=5".
struct Arm {
  std::string activation;
  std::map<std::string, double> set;

  double get(const char* key, double otherwise) const {
    const auto found = set.find(key);
    return found == set.end() ? otherwise : found->second;
  }
};
// Takes the key `arms`, whose default `names` has. `known`: the settings that an arm may have. Throws Error.
std::map<std::string, Arm> take_arms(lab::Table& table, std::vector<std::string>& names,
                                     const std::vector<std::string>& known);

// Data that is loaded when it is first needed: a claim can be listed without.
class Source {
 public:
  // Takes `data` (the names and paths that data::load knows) and `train_limit`.
  void take(lab::Table& table);
  const std::string& name() const { return request_.data; }
  std::int64_t limit() const { return request_.train_limit; }
  // What tells these data from others of the same name; "" where they cannot be had.
  std::string fingerprint() const;
  // Why it cannot be had, or "".
  std::string missing() const;
  // From any thread.
  const data::Dataset& get() const;

 private:
  data::Request request_;
  mutable std::mutex mutex_;
  mutable std::unique_ptr<const data::Dataset> data_;
};

// The weights of the hidden layers of an mlp, then those of its output: the matrices that examples pass, in order.
std::vector<at::Tensor> weights_of(const models::Network& network);
// The hidden layers' alone.
std::vector<at::Tensor> biases_of(const models::Network& network);

}  // namespace ogee::claims
