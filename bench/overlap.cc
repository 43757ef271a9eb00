// How fast overlap-aware units are on sparse rows, beside the same composed out of LibTorch's operators on dense ones
// and beside plain rectified units. All that compute the same are compared before they are timed.
//
//   cmake --build build/release --target bench_overlap && build/release/bench/bench_overlap
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "ogee/torch_overlap.h"
#include "run.h"
#include "timing.h"

namespace ogee::bench {
namespace {

struct Options {
  std::int64_t rows = 64, features = 700, units = 50, per_row = 6;
  std::string overlap = "ruzicka";
  int threads = 1, rounds = 7;
  bool json = false;
};

// Rows of `per_row` features each, all with the value 1.
struct Rows {
  at::Tensor begin, columns, values, dense;
};
Rows make_rows(const Options& o) {
  Rows rows;
  const at::Tensor order = torch::rand({o.rows, o.features}).argsort(std::int64_t{1}, false).narrow(1, 0, o.per_row);
  rows.columns = std::get<0>(order.sort(1)).reshape({-1}).contiguous();
  rows.begin = torch::arange(0, (o.rows + 1) * o.per_row, o.per_row, torch::kLong);
  rows.values = torch::ones({o.rows * o.per_row});
  rows.dense = torch::zeros({o.rows, o.features});
  rows.dense.scatter_(1, order, 1);
  return rows;
}

int run(const Options& o) {
  at::set_num_threads(o.threads);
  torch::manual_seed(1);
  const Rows rows = make_rows(o);
  at::Tensor weight = torch::rand({o.features, o.units}).mul_(0.1).requires_grad_();
  const at::Tensor g = torch::randn({o.rows, o.units});
  struct Way {
    const char* name;
    std::function<at::Tensor()> call;
    bool overlap;
  };
  const std::vector<Way> ways = {
      {"overlap, sparse rows",
       [&] { return overlap_linear_of_rows(rows.begin, rows.columns, rows.values, weight, {}, o.overlap); }, true},
      {"overlap, dense rows", [&] { return overlap_linear(rows.dense, weight, {}, o.overlap); }, true},
      {"overlap composed, dense rows", [&] { return compose_overlap_linear(rows.dense, weight, {}, o.overlap); }, true},
      {"relu, sparse rows (embedding_bag)",
       [&] {
         return std::get<0>(at::embedding_bag(weight, rows.columns, rows.begin, false, 0, false, {}, true)).relu();
       },
       false},
      {"relu, dense rows (matmul)", [&] { return rows.dense.matmul(weight).relu(); }, false},
  };
  const auto gradient = [&](const Way& way) {
    weight.mutable_grad().reset();
    way.call().backward(g);
    return weight.grad().clone();
  };
  std::vector<Numbered> works;
  for (const Way& way : ways) {
    const Way& same = ways[way.overlap ? 0 : 3];
    if (!torch::allclose(way.call(), same.call(), 1e-4, 1e-6) ||
        !torch::allclose(gradient(way), gradient(same), 1e-3, 1e-5)) {
      throw std::runtime_error(fmt::format("{} and {} disagree", way.name, same.name));
    }
    works.push_back([&way](std::size_t) {
      const torch::NoGradGuard no_gradients;
      way.call();
    });
    works.push_back([&](std::size_t) {
      weight.mutable_grad().reset();
      way.call().backward(g);
    });
  }
  const std::vector<double> seconds = in_turn(works, 5, o.rounds);
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < ways.size(); ++i) {
    list.push_back({{"way", ways[i].name},
                    {"forward_microseconds", 1e6 * seconds[2 * i]},
                    {"with_backward_microseconds", 1e6 * seconds[2 * i + 1]}});
  }
  if (o.json) {
    fmt::print("{}\n", nlohmann::ordered_json{{"blas", blas_in_use()}, {"ways", list}}.dump(1));
    return 0;
  }
  fmt::print("{} rows of {} out of {} features, {} units, {}, {} threads; BLAS: {}; microseconds\n", o.rows, o.per_row,
             o.features, o.units, o.overlap, o.threads, blas_in_use());
  fmt::print("{:<34} {:>10} {:>15}\n", "", "forward", "with backward");
  for (std::size_t i = 0; i < ways.size(); ++i)
    fmt::print("{:<34} {:>10.0f} {:>15.0f}\n", ways[i].name, 1e6 * seconds[2 * i], 1e6 * seconds[2 * i + 1]);
  return 0;
}

}  // namespace
}  // namespace ogee::bench

int main(int argc, char** argv) {
  ogee::bench::Options o;
  CLI::App app("Times overlap-aware units", "bench_overlap");
  app.add_option("--rows", o.rows)->check(CLI::Range(1, 1 << 20))->capture_default_str();
  app.add_option("--features", o.features)->check(CLI::Range(1, 1 << 20))->capture_default_str();
  app.add_option("--units", o.units)->check(CLI::Range(1, 1 << 16))->capture_default_str();
  app.add_option("--per-row", o.per_row, "Features that a row has")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--overlap", o.overlap)
      ->check(CLI::IsMember({"ruzicka", "tanimoto", "l1_tanimoto"}))
      ->capture_default_str();
  app.add_option("--threads", o.threads)->check(CLI::Range(1, 256))->capture_default_str();
  app.add_option("--rounds", o.rounds)->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_flag("--json", o.json, "Everything as JSON");
  return ogee::bench::run_program(app, argc, argv, [&] {
    if (o.per_row > o.features) throw CLI::ValidationError("--per-row", "expected at most --features");
    const ogee::bench::Interruptible interruptible;
    try {
      return ogee::bench::run(o);
    } catch (const ogee::bench::Interrupted&) {
      return ogee::bench::status_interrupted;
    }
  });
}
