// Feed-forward blocks that skip what the activation set to zero, beside LibTorch's dense ones, in one run.
//
//   ninja -C build/release bench_sparse && build/release/bench/bench_sparse [--json]
//   ./dev docs sparse                                                  # a selection of it, as docs/sparse.md
//   LD_PRELOAD=libopenblas.so.0 build/release/bench/bench_sparse      # where LibTorch's BLAS is the reference one
//
// Each call takes other weights and other active units, out of half a gigabyte of weights or more, as a network's
// layers do, so that little of what it reads is still in a cache. The floor is the bytes of the rows that must be read,
// by the bandwidth of reading measured in the same run. Exit status 1 if a goal is not met.
//
// Every line is printed when it is measured, with --json to the standard error stream. Ctrl-C ends the run with what
// there is by then, as text or JSON; a second one ends it at once.
#include <fmt/core.h>

#include <torch/version.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "bench/speed/machine.h"
#include "kernels/sparse/cost.h"
#include "ogee/torch_sparse.h"
#include "run.h"
#include "timing.h"
#include "torch/recurrent/products.h"

namespace ogee::bench {
namespace {

using Json = nlohmann::ordered_json;
using sparse::Active;

struct Options : Common {
  Options() : Common{2048, 8192, 7} {}
  std::vector<std::int64_t> tokens = {1, 2, 4, 8, 32};
  std::vector<double> sparsity = {50, 75, 90, 95, 98};
  std::vector<std::string> dtypes = {"f32", "bf16"}, units = {"relu", "squared_relu", "reglu", "drelu_glu"};
  std::vector<int> threads = {1, 2};
  std::vector<std::int64_t> training = {8, 64, 512};
  bool costs = false;
};

// So many bytes of weights in turn, and so many calls a round.
constexpr std::int64_t ring_bytes = std::int64_t{512} << 20;
constexpr std::size_t calls = 16;

// A time is "no slower" within what two measurements of the same thing differ by here.
constexpr double noise = 1.05;

struct Goals {
  Json list = Json::array();
  bool all = true;
  void add(const Json& row, const std::string& goal, double got, double want, bool at_least) {
    const bool met = at_least ? got >= want : got <= want;
    all = all && met;
    list.push_back({{"goal", goal}, {"where", row}, {"got", got}, {"wanted", want}, {"met", met}});
  }
};

template <class W>
sparse::Options on_torch(const Parallel& parallel) {
  return {&parallel, static_cast<std::size_t>(at::get_num_threads())};
}
const Parallel& torch_threads() {
  static const Parallel parallel = [](std::size_t count, const std::function<void(std::size_t)>& task) {
    at::parallel_for(0, static_cast<std::int64_t>(count), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) task(static_cast<std::size_t>(i));
    });
  };
  return parallel;
}

template <class W>
std::span<const W> span_of(const at::Tensor& t) {
  return {static_cast<const W*>(t.data_ptr()), static_cast<std::size_t>(t.numel())};
}
std::span<float> writable(const at::Tensor& t) { return {t.data_ptr<float>(), static_cast<std::size_t>(t.numel())}; }

template <class W>
constexpr at::ScalarType scalar = std::is_same_v<W, float> ? at::kFloat : at::kBFloat16;
template <class W>
constexpr Type type = std::is_same_v<W, float> ? Type::float32 : Type::bfloat16;

// The second product as the module takes it, choice included: h [tokens, hidden], weights [hidden, dim], and as
// nn::Linear holds them, of which bfloat16's module keeps a copy. `skipped`: whether it skipped zeros.
template <class W>
at::Tensor second_product(const at::Tensor& h, const at::Tensor& weights, const at::Tensor& linear, bool& skipped) {
  const auto tokens = static_cast<std::size_t>(h.size(0)), hidden = static_cast<std::size_t>(h.size(1));
  const auto dim = static_cast<std::size_t>(weights.size(1));
  const at::Tensor wide = h.to(at::kFloat);
  const Active active = Active::nonzero<float>(span_of<float>(wide), tokens, hidden);
  const sparse::Costs& costs = sparse::default_costs(type<W>);
  const bool in_place = !std::is_same_v<W, bfloat16> && sparse::in_place_pays(tokens);
  skipped = sparse::sparse_cost(costs, type<W>, active, dim, 1, 0, 0) <
            (in_place ? sparse::in_place_cost(type<W>, tokens, hidden, dim)
                      : sparse::dense_cost(costs, tokens, hidden, dim, 1));
  if (!skipped && in_place) {
    const at::Tensor y = at::empty({h.size(0), weights.size(1)}, h.options());
    torch_call::recurrent::multiply_into(y, h, torch_call::recurrent::from_memory<float>(weights));
    return y;
  }
  if (!skipped) return std::is_same_v<W, bfloat16> ? at::linear(h, linear) : at::mm(h, weights);
  const at::Tensor y = at::empty({h.size(0), weights.size(1)}, at::kFloat);
  sparse::rows_sum<W>(active, active.gather<float>(span_of<float>(wide)), span_of<W>(weights), dim, {}, writable(y),
                      on_torch<W>(torch_threads()));
  return y.to(h.scalar_type());
}

void say(const Options& o, const std::string& line) {
  std::FILE* out = o.json ? stderr : stdout;
  fmt::print(out, "{}\n", line);
  std::fflush(out);
}

template <class W>
void products(const Options& o, double bandwidth, const Json& place, Json& rows, Goals& goals) {
  std::vector<at::Tensor> linear, weights;  // as nn::Linear holds them, and transposed
  const auto copies = std::clamp<std::int64_t>(ring_bytes / (o.dim * o.hidden * static_cast<std::int64_t>(sizeof(W))),
                                               1, static_cast<std::int64_t>(calls));
  for (std::int64_t i = 0; i < copies; ++i) {
    linear.push_back((at::rand({o.dim, o.hidden}) - 0.5).to(scalar<W>));
    weights.push_back(linear.back().t().contiguous());
  }
  for (const std::int64_t tokens : o.tokens) {
    for (const double percent : o.sparsity) {
      std::vector<at::Tensor> h;
      double active_rows = 0;
      for (std::size_t i = 0; i < calls; ++i) {
        h.push_back((at::rand({tokens, o.hidden}) * at::rand({tokens, o.hidden}).ge(percent / 100)).to(scalar<W>));
        active_rows += h.back().ne(0).any(0).sum().template item<double>() / static_cast<double>(calls);
      }
      at::Tensor ours, theirs;
      bool skipped = false;
      const std::vector<double> t =
          in_turn({[&](std::size_t i) {
                     ours = second_product<W>(h[i], weights[i % weights.size()], linear[i % linear.size()], skipped);
                   },
                   [&](std::size_t i) { theirs = at::linear(h[i], linear[i % linear.size()]); }},
                  calls, o.rounds);
      const double error = (ours - theirs).to(at::kFloat).abs().max().template item<float>() /
                           std::max(1e-6f, theirs.to(at::kFloat).abs().max().template item<float>());
      const double floor = active_rows * static_cast<double>(o.dim) * sizeof(W) / bandwidth;
      Json row = place;
      row.update({{"what", "second product"}, {"tokens", tokens}, {"sparsity", percent}});
      const Json where = row;
      row.update({{"us", t[0] * 1e6},
                  {"libtorch_us", t[1] * 1e6},
                  {"floor_us", floor * 1e6},
                  {"over_floor", t[0] / floor},
                  {"speedup", t[1] / t[0]},
                  {"sparse_path", skipped},
                  {"relative_difference", error}});
      rows.push_back(row);
      say(o, fmt::format("second product  {:>4} threads {} tokens {:>4} zeros {:>2} %: {:>9.1f} us, LibTorch {:>9.1f} "
                         "({:5.2f}x), floor {:>8.1f} ({:4.2f}){}",
                         place["dtype"].get<std::string>(), at::get_num_threads(), tokens, percent, t[0] * 1e6,
                         t[1] * 1e6, t[1] / t[0], floor * 1e6, t[0] / floor, skipped ? "" : "  dense"));
      if (tokens == 1 && percent == 90)
        goals.add(where, "one token: at least 5x the dense product", t[1] / t[0], 5, true);
      if (tokens >= 2 && tokens <= 8) goals.add(where, "within 1.3 of the floor", t[0] / floor, 1.3, false);
      goals.add(where, "no slower than dense", t[0] / t[1], noise, false);
      goals.add(where, "the same numbers", error, std::is_same_v<W, float> ? 1e-4 : 0.02, false);
    }
  }
}

// Makes the gate leave the given share of units inactive, for x ~ N(0,1): weights are uniform in +-1/sqrt(dim).
void set_sparsity(nn::SparseFeedForward& m, double percent) {
  const torch::NoGradGuard no_grad;
  double low = -6, high = 6;  // the quantile of N(0,1)
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(-middle / std::sqrt(2.0)) < percent / 100 ? low : high) = middle;
  }
  m->bias_in.fill_(-low / std::sqrt(3.0));
}

struct Dense {
  torch::Tensor in, up, out, bias_in, bias_up, bias_out;
  sparse::Unit unit;
  explicit Dense(const nn::SparseFeedForward& m)
      : in(m->weight_in),
        up(m->weight_up),
        out(m->weight_out.detach().t().contiguous().requires_grad_()),
        bias_in(m->bias_in),
        bias_up(m->bias_up),
        bias_out(m->bias_out),
        unit(m->unit) {}
  torch::Tensor operator()(const torch::Tensor& x) const {
    torch::Tensor h = torch::relu(at::linear(x, in, bias_in));
    if (unit == sparse::Unit::squared_relu) h = h.square();
    if (unit == sparse::Unit::reglu) h = h * at::linear(x, up, bias_up);
    if (unit == sparse::Unit::drelu_glu) h = h * torch::relu(at::linear(x, up, bias_up));
    return at::linear(h, out, bias_out);
  }
};

void blocks(const Options& o, double bandwidth, at::ScalarType scalar_type, const Json& place, Json& rows,
            Goals& goals) {
  for (const std::string& unit : o.units) {
    const bool gated = sparse::is_gated(sparse::unit_named(unit));
    std::vector<nn::SparseFeedForward> ring;
    std::vector<Dense> dense;
    std::int64_t bytes = 0;
    while (bytes < ring_bytes && ring.size() < calls) {
      ring.emplace_back(nn::SparseFeedForwardOptions(o.dim).hidden(o.hidden).unit(unit).bias(true));
      ring.back()->to(scalar_type);
      dense.emplace_back(ring.back());
      bytes += (gated ? 3 : 2) * ring.back()->weight_in.numel() * ring.back()->weight_in.element_size();
    }
    for (const double percent : o.sparsity) {
      for (nn::SparseFeedForward& m : ring) set_sparsity(m, percent);
      const nn::SparseFeedForward& m = ring.back();
      const auto measure = [&](std::int64_t tokens, bool training) {
        const torch::Tensor x = torch::randn({tokens, o.dim}).to(scalar_type).requires_grad_(training);
        const torch::AutoGradMode grad(training);
        const auto run = [&](const auto& f) {
          torch::Tensor y = f(x);
          if (training) y.sum().backward();
          return y.detach();
        };
        torch::Tensor ours, theirs;
        const Numbered run_ours = [&](std::size_t i) {
          ours = run([&](const torch::Tensor& in) { return ring[i]->forward(in); });
        };
        const Numbered run_theirs = [&](std::size_t i) { theirs = run(dense[i]); };
        const std::vector<double> t = in_turn({run_ours, run_theirs}, ring.size(), training ? 3 : o.rounds);
        const float error =
            (ours - theirs).to(at::kFloat).abs().max().item<float>() / theirs.to(at::kFloat).abs().max().item<float>();
        Json row = place;
        row.update({{"what", training ? "block, forward and backward" : "block"},
                    {"unit", unit},
                    {"tokens", tokens},
                    {"sparsity", percent}});
        const Json where = row;
        row.update({{"us", t[0] * 1e6},
                    {"libtorch_us", t[1] * 1e6},
                    {"speedup", t[1] / t[0]},
                    {"sparse_path", m->was_sparse()},
                    {"measured_sparsity", 100 * m->sparsity()},
                    {"relative_difference", error}});
        if (!training) {
          // The first matrix as a whole, and the active rows of the others.
          const at::Tensor gate = at::linear(x, m->weight_in, m->bias_in).gt(0).any(0);
          const double share = gate.to(at::kDouble).mean().item<double>();
          const double floor = (1 + share * (gated ? 2 : 1)) * static_cast<double>(o.dim * o.hidden) *
                               static_cast<double>(m->weight_in.element_size()) / bandwidth;
          row["floor_us"] = floor * 1e6;
          row["over_floor"] = t[0] / floor;
        }
        rows.push_back(row);
        say(o,
            fmt::format("{:<28} {:<12} {:>4} threads {} tokens {:>4} zeros {:>2} %: {:>9.1f} us, LibTorch {:>9.1f} "
                        "({:5.2f}x){}",
                        row["what"].get<std::string>(), unit, place["dtype"].get<std::string>(), at::get_num_threads(),
                        tokens, percent, t[0] * 1e6, t[1] * 1e6, t[1] / t[0], m->was_sparse() ? "" : "  dense"));
        if (!training && gated && tokens == 1 && percent == 90) {
          goals.add(where, "one token, gated: at least 2x the dense block", t[1] / t[0], 2, true);
        }
        goals.add(where, "no slower than dense", t[0] / t[1], noise, false);
        goals.add(where, "the same numbers", static_cast<double>(error), scalar_type == at::kFloat ? 1e-3 : 0.05,
                  false);
      };
      for (const std::int64_t tokens : o.tokens) measure(tokens, false);
      if (percent >= 90) {
        for (const std::int64_t tokens : o.training) measure(tokens, true);
      }
    }
  }
}

// Prints the line of src/kernels/sparse/cost.cc for this machine.
template <class W>
void costs(const Options& o, const char* name) {
  at::set_num_threads(1);
  const auto hidden = static_cast<std::size_t>(o.hidden), dim = static_cast<std::size_t>(o.dim);
  const double weights = static_cast<double>(o.hidden) * static_cast<double>(o.dim);
  std::vector<at::Tensor> w, linear;
  for (std::size_t i = 0; i < 6; ++i) {
    w.push_back((at::rand({o.hidden, o.dim}) - 0.5).to(scalar<W>));
    linear.push_back(w.back().t().contiguous());
  }
  const at::Tensor x = at::rand({64, o.dim}), y = at::empty({64, o.dim}), dw = at::empty_like(w[0]);
  std::vector<float> out(64 * hidden);
  using Product = std::function<void(const Active&, const std::vector<float>&, const at::Tensor&)>;
  const Product sum = [&](const Active& a, const std::vector<float>& v, const at::Tensor& of) {
    sparse::rows_sum<W>(a, v, span_of<W>(of), dim, {}, writable(y).first(a.tokens() * dim));
  };
  const Product dot = [&](const Active& a, const std::vector<float>&, const at::Tensor& of) {
    sparse::rows_dot<W>(a, span_of<float>(x).first(a.tokens() * dim), span_of<W>(of), dim, {},
                        std::span(out).first(a.pairs()));
  };
  const Product outer = [&](const Active& a, const std::vector<float>& v, const at::Tensor&) {
    sparse::rows_outer<W>(a, v, span_of<float>(x).first(a.tokens() * dim), dim,
                          {static_cast<W*>(dw.data_ptr()), static_cast<std::size_t>(dw.numel())});
  };
  // Nanoseconds, and how many rows and multiplications that was for.
  struct Timed {
    double ns, rows, multiplications;
  };
  const auto timed = [&](std::int64_t tokens, double zeros, const Product& product) {
    const at::Tensor h = at::rand({tokens, o.hidden}) * at::rand({tokens, o.hidden}).ge(zeros);
    const Active active = Active::nonzero<float>(span_of<float>(h), static_cast<std::size_t>(tokens), hidden);
    const std::vector<float> values = active.gather<float>(span_of<float>(h));
    const double seconds = in_turn({[&](std::size_t i) { product(active, values, w[i]); }}, w.size(), o.rounds)[0];
    return Timed{1e9 * seconds, static_cast<double>(active.rows()),
                 static_cast<double>(active.pairs()) * static_cast<double>(o.dim)};
  };
  const Timed one = timed(1, 0.5, sum);
  const double row = one.ns / one.rows;
  const auto each = [&](std::int64_t tokens, double zeros, const Product& product) {
    const Timed t = timed(tokens, zeros, product);
    return std::max(0.0, (t.ns - row * t.rows) / t.multiplications);
  };
  fmt::print("  static constexpr Costs {}{{5000, {:.4f}, {:.4f}, {:.4f}, {:.4f}, {:.4f}, {:.4f},\n  {{", name,
             row / static_cast<double>(o.dim) / sizeof(W), std::max(each(8, 0.75, sum), each(8, 0.75, dot)),
             std::max(each(32, 0.95, sum), each(32, 0.98, sum)), each(64, 0.9, sum), each(64, 0.9, dot),
             each(64, 0.9, outer));
  for (int k = 0; k <= 10; ++k) {
    const at::Tensor h = at::rand({1 << k, o.hidden}).to(scalar<W>);
    const Numbered ours = [&](std::size_t i) { at::mm(h, w[i]); };
    const Numbered layer = [&](std::size_t i) { at::linear(h, linear[i]); };
    const std::vector<double> t = in_turn({ours, layer}, k > 6 ? 1 : w.size(), k > 6 ? 3 : o.rounds);
    fmt::print("{}{:.4g}", k == 0 ? "" : ", ", std::min(t[0], t[1]) * 1e9 / weights);
  }
  fmt::print("}}}};\n");
}

void measure(const Options& o, Json& rows, Json& bandwidths, Goals& goals) {
  Memory memory;
  for (const int threads : o.threads) {
    at::set_num_threads(threads);
    const double bandwidth = memory.bandwidth();
    bandwidths.push_back({{"threads", threads}, {"bytes_per_second", bandwidth}});
    say(o, fmt::format("{} thread(s): reading {:.1f} GB/s", threads, bandwidth / 1e9));
    for (const std::string& dtype : o.dtypes) {
      const Json place = {{"dtype", dtype}, {"threads", threads}, {"dim", o.dim}, {"hidden", o.hidden}};
      if (dtype == "f32") {
        products<float>(o, bandwidth, place, rows, goals);
      } else {
        products<bfloat16>(o, bandwidth, place, rows, goals);
      }
      blocks(o, bandwidth, dtype == "f32" ? at::kFloat : at::kBFloat16, place, rows, goals);
    }
  }
}

void print_goals(const Goals& goals) {
  std::map<std::string, std::pair<int, int>> tally;
  for (const Json& g : goals.list) {
    auto& [met, of] = tally[g["goal"].get<std::string>()];
    met += g["met"].get<bool>() ? 1 : 0;
    ++of;
  }
  for (const auto& [goal, counts] : tally) {
    fmt::print("{:<48} {}: {} of {}\n", goal, counts.first == counts.second ? "met" : "NOT met", counts.first,
               counts.second);
  }
  for (const Json& g : goals.list) {
    if (!g["met"].get<bool>()) {
      fmt::print("not met: {}: {:.3f} (wanted {}) {}\n", g["goal"].get<std::string>(), g["got"].get<double>(),
                 g["wanted"].get<double>(), g["where"].dump());
    }
  }
}

int bench(const Options& o) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  if (o.costs) {
    costs<float>(o, "single");
    costs<bfloat16>(o, "half");
    return 0;
  }
  Json rows = Json::array(), bandwidths = Json::array();
  Goals goals;
  bool interrupted = false;
  say(o, "BLAS: " + blas_in_use());
  {
    const Interruptible interruptible;
    try {
      measure(o, rows, bandwidths, goals);
    } catch (const Interrupted&) {
      interrupted = true;
      say(o, "interrupted");
    }
  }
  if (o.json) {
    Json machine = Json::object();
    for (const auto& [key, value] : describe_machine()) machine[key] = value;
    machine["LibTorch"] = TORCH_VERSION;
    machine["BLAS"] = blas_in_use();
    const Json all = {{"machine", machine},
                      {"bandwidth", bandwidths},
                      {"rows", rows},
                      {"goals", goals.list},
                      {"interrupted", interrupted}};
    fmt::print("{}\n", all.dump(1));
  } else {
    print_goals(goals);
  }
  if (interrupted) return status_interrupted;
  return goals.all ? 0 : 1;
}

}  // namespace
}  // namespace ogee::bench

int main(int argc, char** argv) {
  ogee::bench::Options o;
  CLI::App app{"Feed-forward blocks that skip zeros, beside LibTorch's dense ones.", "bench_sparse"};
  ogee::bench::add_common(app, o);
  app.add_option("--tokens", o.tokens, "Batches")->check(CLI::Range(1, 1 << 20));
  app.add_option("--training", o.training, "Batches of forward and backward")->check(CLI::Range(1, 1 << 20));
  app.add_option("--sparsity", o.sparsity, "Per cent of zeros")->check(CLI::Range(0.0, 100.0));
  app.add_option("--dtype", o.dtypes)->check(CLI::IsMember({"f32", "bf16"}));
  app.add_option("--unit", o.units)->check(CLI::IsMember({"relu", "squared_relu", "reglu", "drelu_glu"}));
  app.add_option("--threads", o.threads)->check(CLI::Range(1, 1024));
  app.add_flag("--costs", o.costs, "Measure the cost model's constants instead");
  return ogee::bench::run_program(app, argc, argv, [&] { return ogee::bench::bench(o); });
}
