// Topics of anything that has keywords: a network sees half of them, passes them through overlap-aware units and tells
// the other half; then the largest weights of each unit are its topic.
//   topics FILE [UNITS [EPOCHS [OVERLAP]]]
//
// A line of FILE: a name, then keywords, all separated by commas. OVERLAP: ruzicka, tanimoto or l1_tanimoto.
#include <torch/torch.h>

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
  if (keywords.size() < 2)
    throw std::runtime_error(std::string(argv[1]) + ": no file of lines NAME,KEYWORD,KEYWORD...");
  const auto count = static_cast<std::int64_t>(keywords.size());
  const auto rows = torch::tensor(row_of), columns = torch::tensor(column_of);
  torch::manual_seed(1);
  const std::string overlap = argc > 4 ? argv[4] : "ruzicka";
  ogee::nn::OverlapLinear topics(ogee::nn::OverlapLinearOptions(count, units).overlap(overlap));
  torch::nn::Linear scores(units, count);
  torch::optim::Adam optimiser(torch::nn::Sequential(topics, scores)->parameters(), 0.02);
  torch::Tensor loss;
  for (long epoch = 0; epoch < epochs; ++epoch, optimiser.step(), optimiser.zero_grad()) {
    const auto seen = torch::rand(columns.numel()) < 0.5;  // what is left of the sparse rows, in CSR layout
    const auto ends = rows.index({seen}).bincount({}, items).cumsum(0), begin = torch::cat({ends.new_zeros(1), ends});
    const auto left = columns.index({seen}), ones = torch::ones(left.numel());
    const auto z = ogee::overlap_linear_of_rows(begin, left, ones, topics->weight, topics->bias, overlap);
    loss = -scores(z).log_softmax(1).view(-1).index({(rows * count + columns).index({~seen})}).mean();
    loss.backward();
  }
  std::printf("%ld items, %ld keywords, loss %.3f\n", long(items), long(count), loss.item<double>());
  const auto top = std::get<1>(topics->weight.topk(std::min<std::int64_t>(6, count), 0));
  for (long unit = 0; unit < units; ++unit)
    for (long i = 0; i < top.size(0); ++i)
      std::printf("%s%s", keywords[top[i][unit].item<long>()].c_str(), i + 1 < top.size(0) ? " | " : "\n");
} catch (const std::exception& error) {
  const auto* ours = dynamic_cast<const c10::Error*>(&error);
  std::fprintf(stderr, "%s\n", ours ? ours->what_without_backtrace() : error.what());
  return 2;
}
