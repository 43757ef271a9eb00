// Topics of anything that has keywords: a network sees half of them, passes them through overlap-aware units and tells
// the other half; then the largest weights of each unit are its topic.
//
//   topics FILE [UNITS [EPOCHS [OVERLAP]]]
//
// A line of FILE is an item: its name, then its keywords, separated by commas. OVERLAP: ruzicka (the default), tanimoto
// or l1_tanimoto.
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "ogee/torch_overlap.h"

int main(int argc, char** argv) try {
  const long units = argc > 2 ? std::atol(argv[2]) : 10, epochs = argc > 3 ? std::atol(argv[3]) : 300;
  if (argc < 2 || units < 1 || epochs < 1) throw std::runtime_error("usage: topics FILE [UNITS [EPOCHS [OVERLAP]]]");
  std::ifstream file(argv[1]);
  if (!file) throw std::runtime_error(std::string(argv[1]) + ": cannot be read");
  std::map<std::string, long> numbers;
  std::vector<std::string> keywords;
  std::vector<std::int64_t> row_of, column_of;  // of each keyword of each item
  std::int64_t items = 0;
  for (std::string line, cell; std::getline(file, line); ++items) {
    std::istringstream cells(line);
    std::set<long> item;
    for (std::getline(cells, cell, ','); std::getline(cells >> std::ws, cell, ',');) {
      const auto [keyword, is_new] = numbers.emplace(cell, numbers.size());
      if (is_new) keywords.push_back(cell);
      item.insert(keyword->second);
    }
    row_of.insert(row_of.end(), item.size(), items);
    column_of.insert(column_of.end(), item.begin(), item.end());
  }
  if (keywords.size() < 2) throw std::runtime_error(std::string(argv[1]) + ": no lines NAME,KEYWORD,KEYWORD...");
  const auto count = static_cast<std::int64_t>(keywords.size());
  const torch::Tensor rows = torch::tensor(row_of), columns = torch::tensor(column_of);

  torch::manual_seed(1);
  ogee::nn::OverlapLinearOptions options(count, units);
  ogee::nn::OverlapLinear topics(options.overlap(argc > 4 ? argv[4] : "ruzicka"));
  torch::nn::Linear scores(units, count);
  torch::optim::Adam optimiser(torch::nn::Sequential(topics, scores)->parameters(), 0.02);
  for (long epoch = 1; epoch <= epochs; ++epoch) {
    const torch::Tensor seen = torch::rand(columns.numel()) < 0.5;  // what is left of the sparse rows, in CSR layout
    const torch::Tensor begin =
        torch::cat({torch::zeros(1, torch::kLong), rows.index({seen}).bincount({}, items).cumsum(0)});
    const torch::Tensor z =
        ogee::overlap_linear_of_rows(begin, columns.index({seen}), torch::ones(begin[-1].item<long>()), topics->weight,
                                     topics->bias, topics->options.overlap());
    const torch::Tensor logs = scores(z).log_softmax(1);
    const torch::Tensor loss = -logs.view(-1).index({(rows * count + columns).index({~seen})}).mean();
    optimiser.zero_grad();
    loss.backward();
    optimiser.step();
    if (epoch == epochs)
      std::printf("%ld items, %ld keywords, loss %.3f\n", long(items), long(count), loss.item<double>());
  }
  const torch::Tensor top = std::get<1>(topics->weight.topk(std::min<std::int64_t>(6, count), 0));
  for (long unit = 0; unit < units; ++unit)
    for (long i = 0; i < top.size(0); ++i)
      std::printf("%s%s", keywords[top[i][unit].item<long>()].c_str(), i + 1 < top.size(0) ? " | " : "\n");
} catch (const c10::Error& error) {
  std::fprintf(stderr, "%s\n", error.what_without_backtrace());
  return 2;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 2;
}
