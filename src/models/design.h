// Networks that are not of our own making.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ogee::models {

class Network;

// A network of the user's own, in place of one of ours. Used from several threads at once.
class Design {
 public:
  virtual ~Design() = default;
  // Of all that a network is made from, to tell changed designs from the same.
  virtual std::string fingerprint() const = 0;
  // What a comparison of these activations should say of it.
  virtual std::vector<std::string> notes(const std::vector<std::string>& activations) const = 0;
  // Whether an example's answer in training depends on the others of its batch.
  virtual bool normalises_batches() const { return false; }
  // Throws Error, in a line, where the design cannot use the activation.
  virtual void check(const std::string& activation) const = 0;
  virtual std::shared_ptr<Network> build(const std::string& activation, std::uint64_t seed) const = 0;
};

}  // namespace ogee::models
