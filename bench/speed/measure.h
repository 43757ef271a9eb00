// One measurement: ours, the peers and the copies, validated, then timed in turn.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/speed/arrays.h"
#include "bench/speed/peers.h"
#include "bench/speed/timing.h"

namespace ogee::bench {

struct PeerResult {
  std::string name;
  bool composed = false;
  bool qualified = false;
  std::string reason;  // why disqualified
  double ulp = 0;      // its largest error seen
  double ns = 0;       // an element, in the fastest round; timed only if qualified
  double ratio = 0;    // the median over rounds of its time over ours
};

// y = x and y = a + b by ordinary and by streaming stores: ns an element in the fastest round, and the median over
// rounds of our time over that of the faster one: ours, too, may choose how it stores.
struct Copies {
  double copy, copy_streaming, add, add_streaming;
  double over_copy, over_add;
};

struct Measurement {
  std::string function;
  std::string family;
  Direction direction;
  Type type;
  std::size_t elements;
  int threads;
  double ns;
  double bytes;               // an element: what the direction must read and write at least
  std::optional<double> ulp;  // our own largest error seen, where it could be checked
  std::string wrong;          // where our own result is out of tolerance
  Copies copies;
  std::vector<PeerResult> peers;

  // Of the qualified ones, that with the smallest ratio; null if there is none. `own`: not the composed expressions.
  const PeerResult* best(bool own = false) const;
};

struct Request {
  Direction direction = Direction::forward;
  Type type = Type::float32;
  std::size_t elements = 65536;
  int threads = 1;
  bool with_peers = true;
  Budget budget;
};

// Keeps the arrays of the types asked for, as large as they had to be.
class Bench {
 public:
  Bench() = default;
  // Other peers than all_peers(), for tests.
  explicit Bench(const Peers* peers) : peers_(peers) {}

  Measurement measure(const Activation& activation, const Request& request);
  const Arrays& arrays(Type type, std::size_t elements);

 private:
  const Peers* peers_ = nullptr;
  std::map<Type, std::unique_ptr<Arrays>> arrays_;
};

}  // namespace ogee::bench
