// What is kept for backward, in bytes an element, by every function and module, beside LibTorch's operator or the
// expression composed of LibTorch's operators; and the peak memory and time of the gated feed-forward block.
//
//   ninja -C build/release bench_memory && build/release/bench/bench_memory --markdown >docs/memory.md
//
// Exit status 1 where Ogee keeps more than LibTorch, or the gated block misses its goal.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "memory_peers.h"
#include "ogee/torch_sparse.h"
#include "run.h"
#include "timing.h"
#include "torch/call.h"

namespace ogee::bench {
namespace {

using Json = nlohmann::ordered_json;

struct Options : Common {
  Options() : Common{1024, 2736, 5} {}
  std::int64_t tokens = 4096;
  int threads = 1;
  bool markdown = false;
};

// The definition out of LibTorch's operators, each recorded by autograd.
at::Tensor composed(const Activation& activation, const std::vector<at::Tensor>& inputs, bool training) {
  c10::optional<at::Tensor> b, key;
  if (inputs.size() == 2) b = inputs[1];
  if (training) key = at::ones({2}, at::kLong);
  const std::span<const double> values = activation.parameters();
  return torch_call::composed_forward(torch_call::Request{torch_call::entry_of(activation.function()),
                                                          inputs[0],
                                                          b,
                                                          {},
                                                          {},
                                                          {values.data(), values.size()},
                                                          1,
                                                          Layout::two,
                                                          -1,
                                                          training,
                                                          key,
                                                          {},
                                                          true});
}

Json functions_table() {
  Json rows = Json::array();
  constexpr std::int64_t n = 65536;
  for (const Function* f : functions()) {
    const Activation activation(*f);
    const Spec& spec = activation.spec();
    const bool training = spec.noise != Noise::none;
    std::vector<at::Tensor> leaves;
    for (std::size_t k = 0; k < spec.inputs; ++k) leaves.push_back(at::randn({n}).requires_grad_());
    ApplyOptions how;
    how.training = training;
    const Kept ours = kept_by(
        [&](const std::vector<at::Tensor>& x) {
          return x.size() == 2 ? apply(activation, x[0], x[1], {}, how) : apply(activation, x[0], {}, how);
        },
        leaves);
    how.save = Save::mask;
    const bool one = spec.inputs == 1;
    const Kept masked =
        one ? kept_by([&](const std::vector<at::Tensor>& x) { return apply(activation, x[0], {}, how); }, leaves)
            : ours;
    const auto peer = libtorch_operators().find(spec.name);
    const bool has = peer != libtorch_operators().end();
    const Kept theirs =
        has ? kept_by(peer->second, leaves)
            : kept_by([&](const std::vector<at::Tensor>& x) { return composed(activation, x, training); }, leaves);
    const double each = static_cast<double>(n);
    rows.push_back({{"name", spec.name},
                    {"family", family_of(*f)},
                    {"inputs", spec.inputs},
                    {"graph", static_cast<double>(ours.graph) / each},
                    {"extra", static_cast<double>(ours.extra) / each},
                    {"masked_graph", static_cast<double>(masked.graph) / each},
                    {"peer", has ? "operator" : "composed"},
                    {"peer_graph", static_cast<double>(theirs.graph) / each},
                    {"peer_extra", static_cast<double>(theirs.extra) / each}});
  }
  return rows;
}

at::Tensor composed_gated(const nn::GatedFeedForward& m, const at::Tensor& x) {
  const std::vector<at::Tensor> halves = at::linear(x, m->weight_in).chunk(2, -1);
  return at::linear(at::silu(halves[0]) * halves[1], m->weight_out);
}

// Bytes a token and hidden unit (or element of x, for the last two).
Json modules_table() {
  Json rows = Json::array();
  constexpr std::int64_t tokens = 512, dim = 64, hidden = 256;
  const std::vector<at::Tensor> leaves = {at::randn({tokens, dim}).requires_grad_()};
  const auto add = [&](const char* name, const char* per, const Forward& ours, const char* peer, const Forward& theirs,
                       double elements, double own = 0) {
    const Kept a = kept_by(ours, leaves), b = kept_by(theirs, leaves);
    rows.push_back({{"name", name},
                    {"per", per},
                    {"graph", static_cast<double>(a.graph) / elements + own},
                    {"extra", static_cast<double>(a.extra) / elements + own},
                    {"peer", peer},
                    {"peer_graph", static_cast<double>(b.graph) / elements},
                    {"peer_extra", static_cast<double>(b.extra) / elements}});
  };
  using In = std::vector<at::Tensor>;
  nn::GatedFeedForward gated(nn::GatedFeedForwardOptions(dim).hidden(hidden));
  add(
      "GatedFeedForward (swiglu)", "token and hidden unit", [&](const In& x) { return gated->forward(x[0]); },
      "linear, chunk, silu, product, linear", [&](const In& x) { return composed_gated(gated, x[0]); },
      static_cast<double>(tokens * hidden));
  for (const char* unit : {"relu", "reglu"}) {
    nn::SparseFeedForward m(
        nn::SparseFeedForwardOptions(dim).hidden(hidden).unit(unit).bias(true).path(nn::SparsePath::sparse));
    {
      const torch::NoGradGuard no_grad;
      m->bias_in.fill_(-0.74);  // nine units in ten inactive
      m->forward(leaves[0]);
    }
    // The active units' numbers and pre-activations lie outside LibTorch's allocator.
    const double own = (1 - m->sparsity()) * (m->weight_up.defined() ? 12 : 8);
    add(
        unit == std::string("relu") ? "SparseFeedForward (relu, 90 % zeros)" : "SparseFeedForward (reglu, 90 % zeros)",
        "token and hidden unit", [m](const In& x) mutable { return m->forward(x[0]); },
        "linear, relu, [product,] linear",
        [m](const In& x) {
          at::Tensor h = at::relu(at::linear(x[0], m->weight_in, m->bias_in));
          if (m->weight_up.defined()) h = h * at::linear(x[0], m->weight_up, m->bias_up);
          return at::matmul(h, m->weight_out) + m->bias_out;
        },
        static_cast<double>(tokens * hidden), own);
  }
  nn::ConcatenatedRelu crelu;
  add(
      "ConcatenatedRelu", "element of x", [&](const In& x) { return crelu->forward(x[0]); }, "cat of two relus",
      [](const In& x) {
        return at::cat({at::relu(x[0]), at::relu(x[0].neg())}, 1);
      },
      static_cast<double>(tokens * dim));
  nn::Maxout maxout(dim, dim, 3);
  add(
      "Maxout (3 pieces)", "element of y", [&](const In& x) { return maxout->forward(x[0]); }, "linear, max",
      [&](const In& x) {
        return std::get<0>(
            at::linear(x[0], maxout->linear->weight, maxout->linear->bias).view({tokens, dim, 3}).max(-1));
      },
      static_cast<double>(tokens * dim));
  return rows;
}

Json gated_peak(const Options& o) {
  at::set_num_threads(o.threads);
  torch::manual_seed(1);
  nn::GatedFeedForward m(nn::GatedFeedForwardOptions(o.dim).hidden(o.hidden));
  const at::Tensor x = at::randn({o.tokens, o.dim}).requires_grad_(), dy = at::randn({o.tokens, o.dim});
  std::vector<at::Tensor> leaves = m->parameters();
  leaves.push_back(x);
  const auto run = [&](bool ours) {
    return torch::autograd::grad({ours ? m->forward(x) : composed_gated(m, x)}, leaves, {dy});
  };
  const auto peak = [&](bool ours) {
    const BytesGuard bytes;
    run(ours);
    return bytes.peak();
  };
  const auto got = run(true), want = run(false);
  double difference = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    difference =
        std::max(difference, (got[i] - want[i]).abs().max().item<double>() / want[i].abs().max().item<double>());
  }
  const std::int64_t ours = peak(true), theirs = peak(false);
  std::vector<double> a, b;
  for (int round = 0; round < o.rounds; ++round) {
    a.push_back(seconds_of([&] { run(true); }));
    b.push_back(seconds_of([&] { run(false); }));
  }
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  const double less = 1 - static_cast<double>(ours) / static_cast<double>(theirs);
  const double slower = a[a.size() / 2] / b[b.size() / 2];
  return {{"dim", o.dim},
          {"hidden", o.hidden},
          {"tokens", o.tokens},
          {"threads", o.threads},
          {"blas", blas_in_use()},
          {"peak_bytes", ours},
          {"composed_peak_bytes", theirs},
          {"less", less},
          {"milliseconds", 1e3 * a[a.size() / 2]},
          {"composed_milliseconds", 1e3 * b[b.size() / 2]},
          {"gradients_relative_difference", difference},
          {"met", less >= 0.3 && slower <= 1.02 && difference < 1e-4}};
}

void table(const Json& rows, bool markdown, bool modules) {
  if (markdown) {
    const std::string mask = modules ? "" : " with a mask |";
    fmt::print("| {} | kept | extra |{} LibTorch | kept | extra |\n|---|---|---|{}---|---|---|\n",
               modules ? "module, bytes per" : "function", mask, modules ? "" : "---|");
  }
  for (const Json& r : rows) {
    std::string name = r["name"].get<std::string>(), mask;
    if (markdown && !modules) name = "`" + name + "`";
    if (modules) {
      name += ", " + r["per"].get<std::string>();
    } else {
      const double masked = r["masked_graph"].get<double>();
      mask = masked < r["graph"].get<double>() ? fmt::format("{:.4g}", masked) : "";
      mask = markdown ? " " + mask + " |" : fmt::format("mask {:>6}", mask);
    }
    const char* line = markdown ? "| {} | {:.4g} | {:.4g} |{} {} | {:.4g} | {:.4g} |\n"
                                : "{:<62} kept {:>6.4g} extra {:>6.4g} {} {:<9} kept {:>6.4g} extra {:>6.4g}\n";
    fmt::print(fmt::runtime(line), name, r["graph"].get<double>(), r["extra"].get<double>(), mask,
               r["peer"].get<std::string>(), r["peer_graph"].get<double>(), r["peer_extra"].get<double>());
  }
}

int bench(const Options& o) {
  const Json functions_rows = functions_table(), modules_rows = modules_table(), peak = gated_peak(o);
  bool good = peak["met"].get<bool>();
  for (const Json* rows : {&functions_rows, &modules_rows}) {
    for (const Json& r : *rows) {
      // The key of a noisy function is 16 bytes, whatever the size.
      if (r["extra"].get<double>() > r["peer_extra"].get<double>() + 0.01) {
        good = false;
        fmt::print(stderr, "{} keeps more than LibTorch's\n", r["name"].get<std::string>());
      }
    }
  }
  if (o.json) {
    fmt::print("{}\n", Json{{"functions", functions_rows}, {"modules", modules_rows}, {"gated_block", peak}}.dump(1));
    return good ? 0 : 1;
  }
  if (o.markdown) {
    fmt::print(
        "# Memory kept for backward\n\n"
        "Written by `bench_memory --markdown` (LibTorch {}, float32); the test `torch.Memory` holds these figures.\n\n"
        "**Kept** is what the graph alone keeps alive, in bytes an element: inputs and results count where they are "
        "saved.\n**Extra** is what is held beside inputs and results while those live anyway. Every storage counts "
        "once. "
        "Noisy functions\nrun in training; their key is 16 bytes a call, whatever the size. LibTorch's side is its own "
        "operator where it has one,\nor the definition composed of its operators.\n"
        "**With a mask** is what `Save::mask` leaves of it where it leaves less: one bit an element.\n\n",
        TORCH_VERSION);
  }
  table(functions_rows, o.markdown, false);
  fmt::print("\n");
  if (o.markdown) fmt::print("## Modules\n\n");
  table(modules_rows, o.markdown, true);
  const double mega = 1 << 20;
  if (o.markdown) fmt::print("\n## The gated feed-forward block\n");
  fmt::print(
      "\nGatedFeedForward (swiglu), d {}, hidden {}, {} tokens, {} thread(s), BLAS {}: forward and backward peak at "
      "{:.1f} MiB,\ncomposed of LibTorch's operators {:.1f} MiB: {:.0f} % less (goal: 30), in {:.0f} ms against {:.0f} "
      "ms; the gradients differ by {:.1e}. {}.\n",
      o.dim, o.hidden, o.tokens, o.threads, peak["blas"].get<std::string>(), peak["peak_bytes"].get<double>() / mega,
      peak["composed_peak_bytes"].get<double>() / mega, 100 * peak["less"].get<double>(),
      peak["milliseconds"].get<double>(), peak["composed_milliseconds"].get<double>(),
      peak["gradients_relative_difference"].get<double>(), peak["met"].get<bool>() ? "Met" : "Not met");
  return good ? 0 : 1;
}

}  // namespace
}  // namespace ogee::bench

int main(int argc, char** argv) {
  ogee::bench::Options o;
  CLI::App app{"Bytes kept for backward, beside LibTorch's, and the peak of the gated feed-forward block.",
               "bench_memory"};
  ogee::bench::add_common(app, o);
  app.add_option("--tokens", o.tokens)->check(CLI::Range(1, 1 << 20))->capture_default_str();
  app.add_option("--threads", o.threads)->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_flag("--markdown", o.markdown, "As docs/memory.md");
  return ogee::bench::run_program(app, argc, argv, [&] { return ogee::bench::bench(o); });
}
