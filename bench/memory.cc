// What is kept for backward, in bytes an element, by every function and module, beside LibTorch's operator or the
// expression composed of LibTorch's operators; and the peak memory and time of the gated feed-forward block.
//
//   ninja -C build/release bench_memory && build/release/bench/bench_memory --markdown >docs/memory.md
//
// Exit status 1 where Ogee's graph keeps more than LibTorch's, alone, beside inputs and results, or between two linear
// layers, or where the gated block misses its goal.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <torch/version.h>

#include <nlohmann/json.hpp>

#include "bench/peers/composed.h"
#include "bench/speed/machine.h"
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
at::Tensor from_definition(const Activation& activation, const std::vector<at::Tensor>& inputs, bool training) {
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

// What a LibTorch user has instead: LibTorch's operator, or else the formula that one writes with its operators, or
// else the definition as Ogee composes it of them.
struct Theirs {
  const char* kind;
  Forward forward;
  bool packed = false;  // takes both inputs as the halves of one tensor's last dimension
};
Theirs theirs_of(const Activation& activation) {
  const Spec& spec = activation.spec();
  if (spec.name == "glu") return {"operator", [](const std::vector<at::Tensor>& x) { return at::glu(x[0], -1); }, true};
  const auto peer = libtorch_operators().find(spec.name);
  if (peer != libtorch_operators().end()) return {"operator", peer->second};
  if (const ComposedFormula formula = composed_formula(activation)) {
    std::vector<at::Tensor> parameters;
    for (const double value : activation.parameters()) parameters.push_back(at::full({1}, value));
    return {"composed", [formula, parameters](const std::vector<at::Tensor>& x) { return formula(x, parameters); }};
  }
  const bool training = spec.noise != Noise::none;
  return {"definition", [=](const std::vector<at::Tensor>& x) { return from_definition(activation, x, training); }};
}

// Bytes a hidden element held between two linear layers, as long as their input and result live.
double between_layers(const Forward& f, std::size_t inputs, bool packed) {
  constexpr std::int64_t tokens = 256, dim = 64, hidden = 256;
  const auto halves = static_cast<std::int64_t>(inputs);
  const at::Tensor first = at::randn({halves * hidden, dim}).requires_grad_();
  const at::Tensor second = at::randn({dim, hidden}).requires_grad_();
  const Kept kept = kept_by(
      [&](const std::vector<at::Tensor>& x) {
        const at::Tensor h = at::linear(x[0], first);
        return at::linear(f(inputs == 1 || packed ? std::vector<at::Tensor>{h} : h.chunk(2, -1)), second);
      },
      {at::randn({tokens, dim}).requires_grad_()});
  return static_cast<double>(kept.extra) / static_cast<double>(tokens * hidden);
}

Json functions_table() {
  Json rows = Json::array();
  constexpr std::int64_t n = 65536;
  for (const Function* f : functions()) {
    const Activation activation(*f);
    const Spec& spec = activation.spec();
    std::vector<at::Tensor> leaves;
    for (std::size_t k = 0; k < spec.inputs; ++k) leaves.push_back(at::randn({n}).requires_grad_());
    ApplyOptions how, packed;
    how.training = spec.noise != Noise::none;
    ApplyOptions with_mask = how;
    with_mask.save = Save::mask;
    const auto with = [&](const ApplyOptions& options) -> Forward {
      return [activation, options](const std::vector<at::Tensor>& x) {
        return x.size() == 2 ? apply(activation, x[0], x[1], {}, options) : apply(activation, x[0], {}, options);
      };
    };
    // Both inputs of a gated function come from one linear layer.
    packed = how;
    if (spec.inputs == 2) packed.layout = Layout::gate_first;
    const Theirs peer = theirs_of(activation);
    const std::vector<at::Tensor> packed_leaf = {at::randn({n, 2}).requires_grad_()};
    const Kept ours = kept_by(with(how), leaves);
    const Kept masked = spec.inputs == 1 ? kept_by(with(with_mask), leaves) : ours;
    const Kept theirs = kept_by(peer.forward, peer.packed ? packed_leaf : leaves);
    const double between = between_layers(with(packed), spec.inputs, true);
    const double each = static_cast<double>(n);
    rows.push_back({{"name", spec.name},
                    {"family", family_of(*f)},
                    {"inputs", spec.inputs},
                    {"graph", static_cast<double>(ours.graph) / each},
                    {"extra", static_cast<double>(ours.extra) / each},
                    {"between", between},
                    {"masked_graph", static_cast<double>(masked.graph) / each},
                    {"masked_between", spec.inputs == 1 ? between_layers(with(with_mask), spec.inputs, true) : between},
                    {"peer", peer.kind},
                    {"peer_graph", static_cast<double>(theirs.graph) / each},
                    {"peer_extra", static_cast<double>(theirs.extra) / each},
                    {"peer_between", between_layers(peer.forward, spec.inputs, peer.packed)}});
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

std::string figure(double value) { return fmt::format("{:.4g}", value); }

// Where a mask leaves less.
std::string masked(const Json& row, const char* with, const char* without) {
  const double left = row[with].get<double>();
  return left < row[without].get<double>() ? figure(left) : "";
}

void functions_markdown(const Json& rows) {
  fmt::print(
      "| function | kept | extra | with a mask | between layers | with a mask | LibTorch | kept | extra | between "
      "layers "
      "|\n|---|---|---|---|---|---|---|---|---|---|\n");
  for (const Json& r : rows) {
    fmt::print("| `{}` | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", r["name"].get<std::string>(),
               figure(r["graph"]), figure(r["extra"]), masked(r, "masked_graph", "graph"), figure(r["between"]),
               masked(r, "masked_between", "between"), r["peer"].get<std::string>(), figure(r["peer_graph"]),
               figure(r["peer_extra"]), figure(r["peer_between"]));
  }
}

void modules_markdown(const Json& rows) {
  fmt::print("| module, bytes per | kept | extra | LibTorch | kept | extra |\n|---|---|---|---|---|---|\n");
  for (const Json& r : rows) {
    fmt::print("| {}, {} | {} | {} | {} | {} | {} |\n", r["name"].get<std::string>(), r["per"].get<std::string>(),
               figure(r["graph"]), figure(r["extra"]), r["peer"].get<std::string>(), figure(r["peer_graph"]),
               figure(r["peer_extra"]));
  }
}

void text(const Json& rows) {
  for (const Json& r : rows) {
    std::string name = r["name"].get<std::string>();
    if (r.contains("per")) name += ", " + r["per"].get<std::string>();
    fmt::print("{:<62} kept {:>6} extra {:>6}", name, figure(r["graph"]), figure(r["extra"]));
    if (r.contains("between"))
      fmt::print(" mask {:>6} between {:>6} mask {:>6}", masked(r, "masked_graph", "graph"), figure(r["between"]),
                 masked(r, "masked_between", "between"));
    fmt::print(" {:<10} kept {:>6} extra {:>6}", r["peer"].get<std::string>(), figure(r["peer_graph"]),
               figure(r["peer_extra"]));
    if (r.contains("between")) fmt::print(" between {:>6}", figure(r["peer_between"]));
    fmt::print("\n");
  }
}

// The rows in which ours is larger, as text: "relu 8 (4)"; of a noisy function's the key is 16 bytes, whatever the
// size.
std::vector<std::string> larger(const Json& rows, const char* ours, const char* theirs) {
  std::vector<std::string> found;
  for (const Json& r : rows) {
    if (!r.contains(ours) || r[ours].get<double>() <= r[theirs].get<double>() + 0.01) continue;
    found.push_back(fmt::format("{} {} ({})", r["name"].get<std::string>(), figure(r[ours]), figure(r[theirs])));
  }
  return found;
}
std::string listed(const std::vector<std::string>& names) {
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

struct Larger {
  std::vector<std::string> kept, extra, between;
  bool none() const { return kept.empty() && extra.empty() && between.empty(); }
};

void introduction(const Larger& larger) {
  fmt::print(
      "# Memory kept for backward\n\n"
      "Written by `./dev docs memory` (`bench_memory --markdown`), LibTorch {}, float32. The test `torch.Memory` holds "
      "Ogee's\nfigures in the first two columns; LibTorch's are as measured when this was written.\n\n",
      TORCH_VERSION);
  fmt::print("| | |\n|---|---|\n");
  for (const auto& [key, value] : describe_machine()) fmt::print("| {} | {} |\n", key, value);
  fmt::print(
      "\n**Kept** is what the graph alone keeps alive, in bytes an element: inputs and results count where they are "
      "saved.\n**Extra** is what is held beside inputs and results while those live anyway. Every storage counts once. "
      "Noisy functions\nrun in training; their key is 16 bytes a call, whatever the size. Learned parameters are "
      "constants here, on both sides.\n"
      "**With a mask** is what `Save::mask` leaves of it where it leaves less: one bit an element.\n"
      "**Between layers** is what is held between two linear layers, in bytes a hidden element, while only the first "
      "one's input\nand the second one's result live; a gated function's two inputs are the halves of the first one's "
      "result.\n"
      "**LibTorch**'s side is its own *operator* where the name stands for one (glu's takes the two inputs as halves), "
      "else the\nformula a user writes, *composed* of its operators (`bench/peers/composed.cc`), else the *definition* "
      "of Ogee's put together\nfrom them, which may keep more than a formula written by hand.\n\n");
  fmt::print(
      "Ogee's graph keeps the inputs. Between two linear layers nobody else needs them, while the result is kept by "
      "the "
      "layer behind\nanyway: where LibTorch takes the slope from the result (relu, tanh, sigmoid), it holds half of "
      "what Ogee does. Ogee does not,\nas a slope found from a rounded result has lost the tails' digits: where tanh "
      "or "
      "sigmoid has come to 1 in float32 it would\nbe 0. Where slopes take two values, as relu's, `Save::mask` holds "
      "one bit instead of the input, and `apply_` writes over the\ninput; for tanh and sigmoid there is no such "
      "way.\n\n"
      "More than LibTorch's, in brackets:\n\n- kept by the graph alone: {}\n- held beside inputs and results: {}\n"
      "- held between two linear layers: {}\n\n",
      listed(larger.kept), listed(larger.extra), listed(larger.between));
}

int bench(const Options& o) {
  const Json functions_rows = functions_table(), modules_rows = modules_table(), peak = gated_peak(o);
  Larger all{larger(functions_rows, "graph", "peer_graph"), larger(functions_rows, "extra", "peer_extra"),
             larger(functions_rows, "between", "peer_between")};
  for (std::string& name : larger(modules_rows, "graph", "peer_graph")) all.kept.push_back(std::move(name));
  for (std::string& name : larger(modules_rows, "extra", "peer_extra")) all.extra.push_back(std::move(name));
  const bool good = peak["met"].get<bool>() && all.none();
  if (o.json) {
    Json machine = Json::object();
    for (const auto& [key, value] : describe_machine()) machine[key] = value;
    fmt::print("{}\n",
               Json{{"machine", machine},
                    {"functions", functions_rows},
                    {"modules", modules_rows},
                    {"gated_block", peak},
                    {"more_than_libtorch", {{"kept", all.kept}, {"extra", all.extra}, {"between", all.between}}}}
                   .dump(1));
    return good ? 0 : 1;
  }
  if (o.markdown) {
    introduction(all);
    functions_markdown(functions_rows);
    fmt::print("\n## Modules\n\n");
    modules_markdown(modules_rows);
    fmt::print("\n## The gated feed-forward block\n");
  } else {
    text(functions_rows);
    fmt::print("\n");
    text(modules_rows);
    fmt::print("\nmore than LibTorch's is kept: {}; held beside inputs and results: {}; held between two layers: {}\n",
               listed(all.kept), listed(all.extra), listed(all.between));
  }
  const double mega = 1 << 20;
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
