// An LSTM whose five activations may be noisy learns to tell, after twelve numbers, which came first. The noise starts
// large and is annealed (Gulcehre et al. 2016, 1603.00391).
//   remember [KIND [STEPS]]        KIND: plain, nan or nah
#include <torch/torch.h>

#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>

#include "ogee/torch_recurrent.h"

int main(int argc, char** argv) try {
  const std::string kind = argc > 1 ? argv[1] : "nan";
  const long steps = argc > 2 ? std::atol(argv[2]) : 200, length = 12, values = 6, units = 32;
  if ((kind != "plain" && kind != "nan" && kind != "nah") || steps < 1)
    throw std::invalid_argument("usage: remember [plain|nan|nah [STEPS]]");
  torch::manual_seed(1);
  at::set_num_threads(1);
  auto options = ogee::nn::LSTMOptions(values, units);
  if (kind != "plain") options.sigmoid(kind + "_sigmoid").tanh(kind + "_tanh");
  ogee::nn::LSTM lstm(options);
  lstm->layer(0).bias_ih.data().narrow(0, units, units).fill_(2);  // i, f, g, o: forget little at first
  torch::nn::Linear answer(units, values);
  // No weight decay: it would draw the p of all noisy units to 0, where they stay.
  torch::optim::Adam optimiser(torch::nn::Sequential(lstm, answer)->parameters(), 0.01);

  const auto loss_and_share = [&](long batch) {
    const torch::Tensor numbers = torch::randint(values, {length, batch}, torch::kLong);
    const auto [states, last] = lstm->forward(torch::one_hot(numbers, values).to(torch::kFloat));
    const torch::Tensor scores = answer(states[length - 1]), right = scores.argmax(1).eq(numbers[0]);
    return std::pair(torch::nn::functional::cross_entropy(scores, numbers[0]),
                     right.to(torch::kFloat).mean().item<double>());
  };
  for (long step = 0; step < steps; ++step, optimiser.zero_grad()) {
    if (kind != "plain") lstm->set("c", std::max(0.5, 5 / std::sqrt(1 + static_cast<double>(step))));
    const torch::Tensor loss = loss_and_share(64).first;
    loss.backward();
    torch::nn::utils::clip_grad_norm_(lstm->parameters(), 1.0);
    optimiser.step();
    if ((step + 1) % 50 == 0) std::printf("step %ld: loss %.3f\n", step + 1, loss.item<double>());
  }
  lstm->eval();  // no noise: the same answers every time
  const torch::NoGradGuard no_gradients;
  std::printf("%s: %.1f %% of 1000 new sequences right\n", kind.c_str(), 100 * loss_and_share(1000).second);
} catch (const std::exception& error) {
  const auto* ours = dynamic_cast<const c10::Error*>(&error);
  std::fprintf(stderr, "%s\n", ours ? ours->what_without_backtrace() : error.what());
  return 2;
}
