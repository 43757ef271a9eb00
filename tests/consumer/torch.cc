#include <iostream>

#include "ogee/torch.h"

int main() {
  auto x = torch::tensor({-1.0f, 0.0f, 2.0f}).requires_grad_();
  ogee::nn::Activation leaky("leaky_relu(slope=0.5)");
  leaky->forward(x).sum().backward();
  std::cout << x.grad() << "\n";
  return x.grad()[0].item<float>() == 0.5f ? 0 : 1;
}
