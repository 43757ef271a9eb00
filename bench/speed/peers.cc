#include "bench/speed/peers.h"

#include <string>
#include <utility>

namespace ogee::bench {
namespace {

class NotBuilt final : public Peer {
 public:
  NotBuilt(std::string name, std::string package) : name_(std::move(name)), package_(std::move(package)) {}
  std::string name() const override { return name_; }
  std::string version() const override { return {}; }
  std::string absent() const override { return "this program was built without it (" + package_ + ")"; }
  std::optional<Work> prepare(const Case&) const override { return std::nullopt; }

 private:
  std::string name_, package_;
};

Peers make_peers() {
  Peers peers;
  add_libtorch(peers);
  add_composed(peers);
#if OGEE_PEER_ONEDNN2
  add_onednn2(peers);
#else
  peers.push_back(std::make_unique<NotBuilt>("oneDNN 2", "libdnnl-dev"));
#endif
  add_onednn3(peers);
#if OGEE_PEER_SLEEF
  add_sleef(peers);
#else
  peers.push_back(std::make_unique<NotBuilt>("SLEEF", "libsleef-dev, on x86-64"));
#endif
  add_mkl(peers);
#if OGEE_PEER_EIGEN
  add_eigen(peers);
#else
  peers.push_back(std::make_unique<NotBuilt>("Eigen", "libeigen3-dev, on x86-64"));
#endif
  return peers;
}

}  // namespace

const Peers& all_peers() {
  static const Peers peers = make_peers();
  return peers;
}

Width peers_width() {
  const std::string target = ogee::target();
  if (target.starts_with("AVX3")) return Width::avx512;
  if (target == "AVX2") return Width::avx2;
  return Width::none;
}

}  // namespace ogee::bench
