#include "bench/speed/measure.h"

#include <algorithm>

#include "bench/speed/copies.h"
#include "bench/speed/ours.h"
#include "bench/speed/validation.h"

namespace ogee::bench {

const PeerResult* Measurement::best(bool own) const {
  const PeerResult* found = nullptr;
  for (const PeerResult& peer : peers) {
    if (!peer.qualified || (own && peer.composed)) continue;
    if (found == nullptr || peer.ratio < found->ratio) found = &peer;
  }
  return found;
}

const Arrays& Bench::arrays(Type type, std::size_t elements) {
  std::unique_ptr<Arrays>& kept = arrays_[type];
  if (kept == nullptr || kept->capacity() < elements) {
    kept.reset();
    kept = std::make_unique<Arrays>(type, elements);
  }
  return *kept;
}

namespace {

double least_bytes(const Case& c) {
  const double inputs = static_cast<double>(c.spec().inputs), element = static_cast<double>(bytes_of(c.type));
  const double forward = inputs + 1, backward = 2 * inputs + 1;
  switch (c.direction) {
    case Direction::forward: return forward * element;
    case Direction::backward: return backward * element;
    case Direction::training: return (forward + backward) * element;
  }
  return 0;
}

}  // namespace

Measurement Bench::measure(const Activation& activation, const Request& request) {
  const Arrays& memory = arrays(request.type, request.elements);
  const Case c = memory.make(activation, request.direction, request.elements, request.threads);
  Measurement result{.function = activation.text(),
                     .family = std::string(family_of(activation.function())),
                     .direction = request.direction,
                     .type = request.type,
                     .elements = request.elements,
                     .threads = request.threads,
                     .ns = 0,
                     .bytes = least_bytes(c),
                     .ulp = std::nullopt,
                     .wrong = {},
                     .copies = {},
                     .peers = {}};
  std::vector<std::function<void()>> works;
  const Work ours = our_work(c);
  // Alone, ours is only timed. Through autograd the key of our noise is LibTorch's generator's affair.
  std::optional<Validation> validation;
  if (request.with_peers) {
    validation.emplace(c);
    if (activation.spec().noise == Noise::none || ours.noise) {
      const Verdict own = validation->check(memory, ours);
      result.ulp = own.ulp;
      result.wrong = own.reason;
    }
  }
  works.push_back(ours.run);

  const std::size_t bytes = request.elements * bytes_of(request.type);
  const int threads = request.threads;
  works.emplace_back([=] { copy(c.input[0], c.y, bytes, Stores::ordinary, threads); });
  works.emplace_back([=] { copy(c.input[0], c.y, bytes, Stores::streaming, threads); });
  works.emplace_back([=] { add(c.input[0], c.dy, c.dx[0], bytes, Stores::ordinary, threads); });
  works.emplace_back([=] { add(c.input[0], c.dy, c.dx[0], bytes, Stores::streaming, threads); });
  const std::size_t first_peer = works.size();

  std::vector<Work> kept;  // works hold what they write to
  std::vector<std::size_t> timed;
  if (request.with_peers) {
    for (const auto& peer : peers_ != nullptr ? *peers_ : all_peers()) {
      if (!peer->absent().empty()) continue;
      std::optional<Work> work = peer->prepare(c);
      if (!work) continue;
      const Verdict verdict = validation->check(memory, *work);
      result.peers.push_back({.name = peer->name(),
                              .composed = peer->composed(),
                              .qualified = verdict.qualified,
                              .reason = verdict.reason,
                              .ulp = verdict.ulp});
      if (!verdict.qualified) continue;
      timed.push_back(result.peers.size() - 1);
      works.push_back(work->run);
      kept.push_back(std::move(*work));
    }
  }
  Budget budget = request.budget;
  budget.pause = budget.pause || threads > 1;
  const std::vector<Timing> timings = time_in_turn(works, budget);
  const double scale = 1e9 / static_cast<double>(request.elements);
  result.ns = timings[0].seconds * scale;
  result.copies = {timings[1].seconds * scale,
                   timings[2].seconds * scale,
                   timings[3].seconds * scale,
                   timings[4].seconds * scale,
                   1 / std::min(timings[1].ratio, timings[2].ratio),
                   1 / std::min(timings[3].ratio, timings[4].ratio)};
  for (std::size_t k = 0; k < timed.size(); ++k) {
    PeerResult& peer = result.peers[timed[k]];
    peer.ns = timings[first_peer + k].seconds * scale;
    peer.ratio = timings[first_peer + k].ratio;
  }
  return result;
}

}  // namespace ogee::bench
