#include "bench/speed/goals.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "bench/speed/child.h"
#include "bench/speed/copies.h"
#include "bench/speed/judgement.h"
#include "bench/speed/measure.h"
#include "bench/speed/ours.h"
#include "bench/speed/progress.h"
#include "bench/speed/report.h"
#include "bench/speed/small.h"

namespace ogee::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t in_cache = std::size_t{1} << 16, pairs = std::size_t{1} << 22,
                      beyond_cache = std::size_t{1} << 24;

// More than one transcendental function in the formula as it is written.
bool several_transcendentals(std::string_view name) {
  static const std::set<std::string_view> several = {"softplus", "log_sigmoid", "mish",  "phish",
                                                     "serf",     "tanh_exp",    "elish", "logish"};
  return several.contains(name);
}

// What memory itself costs a gated pair: copies of the same streams, forward's two in and one out, backward's three in
// and two out, each by ordinary and by streaming stores, in all combinations.
std::vector<std::function<void()>> pair_copies(const Case& c) {
  const std::size_t bytes = c.elements * bytes_of(c.type);
  std::vector<std::function<void()>> result;
  for (Stores first : {Stores::ordinary, Stores::streaming}) {
    for (Stores second : {Stores::ordinary, Stores::streaming}) {
      result.emplace_back([c, bytes, first, second] {
        add(c.input[0], c.input[1], c.y, bytes, first, c.threads);
        add_twice(c.input[0], c.input[1], c.dy, c.dx[0], c.dx[1], bytes, second, c.threads);
      });
    }
  }
  return result;
}

// Our time over that of the fastest of these floors, as each one's median over rounds has it.
double over_fastest(const std::function<void()>& ours, const std::vector<std::function<void()>>& floors) {
  std::vector<std::function<void()>> works = {ours};
  works.insert(works.end(), floors.begin(), floors.end());
  const std::vector<Timing> timings = time_in_turn(works, {.seconds = 0, .rounds = 11});
  double least = timings[1].ratio;
  for (std::size_t k = 2; k < timings.size(); ++k) least = std::min(least, timings[k].ratio);
  return 1 / least;
}

class Goals {
 public:
  explicit Goals(const GoalsOptions& options) : options_(options) {}

  std::vector<Goal> all() {
    std::vector<std::function<Goal()>> goals = {
        [this] { return forward_in_cache(); }, [this] { return forward_beyond(); }, [this] { return backward(); },
        [this] { return training(); },         [this] { return gated(); },          [this] { return noisy(); },
        [this] { return learned(); },          [this] { return half_width(); },     [this] { return small(); },
        [this] { return two_threads(); }};
    std::vector<Goal> result;
    for (std::size_t k = 0; k < goals.size(); ++k) {
      stage_ = fmt::format("goal {} of {}", k + 1, goals.size());
      result.push_back(goals[k]());
    }
    progress_.done();
    return result;
  }
  // Where our own kernels were found to be out of tolerance: no speed makes good for that.
  Json wrong() const {
    Json lines = Json::array();
    for (const auto& [key, m] : kept_) {
      if (!m.wrong.empty()) lines.push_back(fmt::format("{} {}: {}", m.function, name_of(m.direction), m.wrong));
    }
    return lines;
  }
  Json measurements() const {
    Json rows = Json::array();
    for (const auto& [key, m] : kept_) rows.push_back(to_json(m));
    return rows;
  }

 private:
  enum class Kind { plain, gated, noisy };
  static Kind kind_of(const Spec& spec) {
    return spec.noise != Noise::none ? Kind::noisy : spec.inputs == 2 ? Kind::gated : Kind::plain;
  }

  Budget budget(std::size_t elements) const {
    // Beyond the cache one call is long enough to be a turn of its own.
    return elements > in_cache * 4 ? Budget{.seconds = 0, .rounds = 5}
                                   : Budget{.seconds = options_.seconds, .rounds = 9};
  }
  const Measurement& measure(const Activation& activation, Direction direction, std::size_t elements, bool with_peers) {
    const Key key{activation.text(), direction, elements, with_peers};
    if (const auto found = kept_.find(key); found != kept_.end()) return found->second;
    progress_.say(fmt::format("{}: {} {}, {} elements", stage_, activation.text(), name_of(direction), elements));
    Request request;
    request.direction = direction;
    request.elements = elements;
    request.with_peers = with_peers;
    request.budget = budget(elements);
    return kept_.emplace(key, bench_.measure(activation, request)).first->second;
  }
  template <class Use>
  void each(Kind kind, const Use& use) const {
    for (const Function* f : functions()) {
      if (kind_of(spec_of(*f)) == kind) use(Activation(*f));
    }
    // The function as the elementary libraries have it.
    if (kind == Kind::plain) use(Activation("sine(omega=1)"));
  }

  // Against the best peer of each function that another library has; the composed expressions beside that.
  void against_peers(Direction direction, Figures& own, Figures& composed) {
    for (Kind kind : {Kind::plain, Kind::gated, Kind::noisy}) {
      each(kind, [&](const Activation& f) {
        const Measurement& m = measure(f, direction, in_cache, true);
        if (const PeerResult* peer = m.best(true)) {
          own.add(fmt::format("{} ({})", f.text(), peer->name), peer->ratio);
        } else if (const PeerResult* other = m.best()) {
          composed.add(f.text(), other->ratio);
        }
      });
    }
  }

  Goal forward_in_cache() {
    Figures own, composed;
    against_peers(Direction::forward, own, composed);
    Part beside = own.mean_at_least("faster than the best peer of each function, times", 2);
    beside.detail += fmt::format("; functions with a composed expression alone: {:.1f}, the least {:.2f}",
                                 composed.geometric(), composed.least());
    return {"forward, in cache", {beside, own.every_at_least("none slower than any peer", 1)}};
  }

  Goal forward_beyond() {
    Figures one, all;
    each(Kind::plain, [&](const Activation& f) {
      const double ratio = measure(f, Direction::forward, beyond_cache, false).copies.over_copy;
      if (!several_transcendentals(f.spec().name)) one.add(f.text(), ratio);
      all.add(f.text(), ratio);
    });
    return {"forward, 16M elements",
            {one.every_at_most("functions of at most one transcendental, times a plain copy", 1.1),
             all.every_at_most("all functions of one input, times a plain copy", 1.5)}};
  }

  Goal backward() {
    Figures copies, own, composed;
    each(Kind::plain, [&](const Activation& f) {
      copies.add(f.text(), measure(f, Direction::backward, beyond_cache, false).copies.over_add);
    });
    against_peers(Direction::backward, own, composed);
    Part beside = own.mean_at_least("in cache, faster than the best peer of each function, times", 2);
    beside.detail += fmt::format("; the least {:.2f}; functions with a composed expression alone: {:.1f}", own.least(),
                                 composed.geometric());
    return {"backward", {copies.every_at_most("16M elements, times a copy of three streams", 1.2), beside}};
  }

  Goal training() {
    Figures all, hard;
    for (const char* name : {"prelu", "rrelu", "swiglu", "gtu", "xsilu", "nah_tanh", "mish", "tanh"}) {
      const Measurement& m = measure(Activation(name), Direction::training, pairs, true);
      const PeerResult* peer = m.best();
      if (peer == nullptr) continue;
      const std::string_view f = name;
      all.add(name, peer->ratio);
      if (f == "prelu" || f == "rrelu" || f == "mish" || f == "nah_tanh") hard.add(name, peer->ratio);
    }
    Part mean = all.mean_at_least("faster than LibTorch's own or composed form, times", 4);
    mean.detail = all.list();
    return {
        "forward + backward through autograd, 4M elements",
        {mean, hard.every_at_least("prelu, rrelu, mish, NAH faster, times", 8), all.every_at_least("none slower", 1)}};
  }

  Goal gated() {
    Figures floor, autograd, composed;
    const Arrays& memory = bench_.arrays(Type::float32, beyond_cache);
    for (const char* name : {"swiglu", "geglu", "gtu", "xswiglu"}) {
      const Activation f(name);
      progress_.say(fmt::format("{}: {} and its floor", stage_, name));
      const Case forward = memory.make(f, Direction::forward, pairs, 1);
      const Case backward = memory.make(f, Direction::backward, pairs, 1);
      const Case pair = memory.make(f, Direction::training, pairs, 1);
      const Work first = our_work(forward), second = our_work(backward), recorded = our_work(pair);
      const auto spans = [&] {
        first.run();
        second.run();
      };
      floor.add(name, over_fastest(spans, pair_copies(pair)));
      autograd.add(name, over_fastest(recorded.run, pair_copies(pair)));
      measure(f, Direction::training, pairs, true);
      const Measurement& m = measure(f, Direction::training, in_cache, true);
      if (const PeerResult* peer = m.best()) composed.add(name, peer->ratio);
    }
    Part spans = floor.every_at_most("4M, over spans: forward and backward, times their floor", 1.2);
    Part through = autograd.every_at_most("4M, through autograd (its results are new memory), times their floor", 1.2);
    return {"gated pairs", {spans, through, composed.every_at_least("in cache, faster than composed, times", 3)}};
  }

  Goal noisy() {
    Figures copies, composed;
    each(Kind::noisy, [&](const Activation& f) {
      copies.add(f.text(), measure(f, Direction::forward, beyond_cache, false).copies.over_copy);
      const Measurement& m = measure(f, Direction::training, pairs, true);
      if (const PeerResult* peer = m.best()) composed.add(f.text(), peer->ratio);
    });
    progress_.say(stage_ + ": the generator");
    Figures generator;
    const Activation any("relu");
    const Case room = bench_.arrays(Type::float32, beyond_cache).make(any, Direction::forward, beyond_cache, 1);
    auto* out = static_cast<float*>(room.y);
    const auto timings = time_in_turn(
        {[&] { our_noise(Noise::normal, out, beyond_cache); }, libtorch_noise(Noise::normal, out, beyond_cache)},
        {.seconds = 0, .rounds = 5});
    generator.add("normal", timings[1].ratio);
    Part numbers = generator.every_at_least("16M normal deviates, faster than LibTorch's normal_, times", 8);
    const double scale = 1e9 / static_cast<double>(beyond_cache);
    numbers.detail =
        fmt::format("{:.3f} ns a deviate, LibTorch {:.3f}", timings[0].seconds * scale, timings[1].seconds * scale);
    return {"noisy functions",
            {copies.every_at_most("16M, forward, times a copy", 3.5), numbers,
             composed.every_at_least("4M, forward + backward, faster than LibTorch's own or composed form, times", 8)}};
  }

  Goal learned() {
    Figures cached, beyond;
    for (const Function* f : functions()) {
      const Spec& spec = spec_of(*f);
      const bool any = std::any_of(spec.parameters.begin(), spec.parameters.end(),
                                   [](const Parameter& p) { return p.role == Role::learned; });
      if (!any || kind_of(spec) != Kind::plain) continue;
      const Activation activation(*f);
      for (std::size_t n : {in_cache, beyond_cache}) {
        progress_.say(fmt::format("{}: {}'s parameters, {} elements", stage_, spec.name, n));
        const Case c = bench_.arrays(Type::float32, beyond_cache).make(activation, Direction::backward, n, 1);
        const auto timings = time_in_turn({our_work(c).run, our_backward_of_all(c).run}, budget(n));
        (n == in_cache ? cached : beyond).add(activation.text(), (timings[1].ratio - 1) * 100);
      }
    }
    return {"learned",
            {cached.every_at_most("in cache, parameters' gradients add to backward, percent", 30),
             beyond.every_at_most("16M elements, parameters' gradients add to backward, percent", 30)}};
  }

  Goal half_width() {
    Figures forward, backward;
    for (Kind kind : {Kind::plain, Kind::gated}) {
      each(kind, [&](const Activation& f) {
        for (Direction direction : {Direction::forward, Direction::backward}) {
          progress_.say(fmt::format("{}: {} {} in bf16", stage_, f.text(), name_of(direction)));
          const Case narrow = bench_.arrays(Type::bfloat16, beyond_cache).make(f, direction, beyond_cache, 1);
          const Case wide = bench_.arrays(Type::float32, beyond_cache).make(f, direction, beyond_cache, 1);
          const auto timings = time_in_turn({our_work(narrow).run, our_work(wide).run}, {.seconds = 0, .rounds = 5});
          (direction == Direction::forward ? forward : backward).add(f.text(), timings[1].ratio);
        }
      });
    }
    Part first = forward.every_at_least("16M, forward, elements a second over float32's", 1.6);
    Part second = backward.every_at_least("16M, backward, elements a second over float32's", 1.6);
    first.detail = fmt::format("geometric mean {:.2f}; {}", forward.geometric(), first.detail);
    second.detail = fmt::format("geometric mean {:.2f}; {}", backward.geometric(), second.detail);
    return {"bf16", {first, second}};
  }

  Goal small() {
    progress_.say(stage_ + ": small inputs");
    small_ = measure_small({}, options_.seconds);
    Figures spans, calls, pair;
    for (const SmallResult& r : small_) {
      for (const SmallCall& call : r.calls) {
        const std::string name = fmt::format("{} {} {}", r.function, name_of(r.direction), call.elements);
        if (!std::isnan(call.overhead_ns)) spans.add(name, call.overhead_ns);
        if (!std::isnan(call.libtorch_ratio)) {
          (r.direction == Direction::training ? pair : calls).add(name, call.libtorch_ratio);
        }
      }
    }
    return {"small inputs, 64 to 1,024 elements",
            {spans.every_at_most("over spans, ns a call above the arithmetic", 40),
             calls.every_at_least("through LibTorch, LibTorch's own operator's time over ours", 1),
             pair.every_at_least("through autograd, forward + backward, LibTorch's time over ours", 1)}};
  }

  Goal two_threads() {
    Figures forward, backward;
    for (Kind kind : {Kind::plain, Kind::gated, Kind::noisy}) {
      each(kind, [&](const Activation& f) {
        for (Direction direction : {Direction::forward, Direction::backward}) {
          progress_.say(fmt::format("{}: {} {} on two threads", stage_, f.text(), name_of(direction)));
          const Arrays& memory = bench_.arrays(Type::float32, beyond_cache);
          const Case one = memory.make(f, direction, in_cache, 1), two = memory.make(f, direction, in_cache, 2);
          const auto timings =
              time_in_turn({our_work(two).run, our_work(one).run}, {.seconds = options_.seconds / 2, .rounds = 5});
          (direction == Direction::forward ? forward : backward).add(f.text(), timings[1].ratio);
        }
      });
    }
    Part first = forward.every_at_least("in cache, forward, times one thread's speed", 1.8);
    Part second = backward.every_at_least("in cache, backward, times one thread's speed", 1.8);
    first.detail = fmt::format("geometric mean {:.2f}; {}", forward.geometric(), first.detail);
    second.detail = fmt::format("geometric mean {:.2f}; {}", backward.geometric(), second.detail);
    return {"two threads", {first, second}};
  }

  using Key = std::tuple<std::string, Direction, std::size_t, bool>;

  GoalsOptions options_;
  Bench bench_;
  Progress progress_;
  std::string stage_;
  std::map<Key, Measurement> kept_;

 public:
  std::vector<SmallResult> small_;
};

}  // namespace

int run_goals(const GoalsOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  Goals goals(options);
  Json report = {{"machine", machine_json()}, {"target", target()}};
  report["goals"] = to_json(goals.all());
  report["wrong"] = goals.wrong();
  report["small"] = small_json(goals.small_);
  report["measurements"] = goals.measurements();
  // The same list at AVX2, by a process whose libraries have not yet looked at the processor.
  const std::vector<std::string> known = targets();
  const bool again = options.target.empty() && target() != "AVX2" && std::count(known.begin(), known.end(), "AVX2") > 0;
  if (again)
    report["at_avx2"] = Json::parse(output_of_self(
        {"bench", "--goals", "--json", "--target", "AVX2", "--seconds", fmt::format("{}", options.seconds)}));
  report["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const bool met = all_met(report) && (!again || all_met(report["at_avx2"]));
  if (options.json) {
    fmt::print("{}\n", report.dump(1));
  } else {
    fmt::print("{}{}", machine_text(), text_of(report));
    if (again) {
      fmt::print("\nThe same list at AVX2, peers restricted likewise: {}\n{}",
                 all_met(report["at_avx2"]) ? "met" : "not met", text_of(report["at_avx2"]));
    }
    fmt::print("\n{:.0f} seconds\n", report["seconds"].get<double>());
  }
  return met ? 0 : 1;
}

}  // namespace ogee::bench
