// Noise of noisy activations in every model that there is: it is drawn in training, by every unit, and not at
// evaluation.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "ogee/libtorch.h"
#include "drawn.h"
#include "models/names.h"
#include "models/network.h"
#include "ogee/ogee.h"

namespace ogee::models::noise_test {
namespace {

std::vector<data::Dataset> every_kind(const Folder& folder) {
  return {loaded("optdigits", 20),
          drawn_series(),
          loaded("programs(length=1,train=20,validation=5,test=5)"),
          loaded("copy(bits=3,longest=3,train=20,validation=5,test=5)"),
          drawn_translation(folder),
          loaded("shapes(train=40,validation=2,test=2)")};
}

// By name alone, and with the attributes that change which units there are.
std::vector<std::string> every_model() {
  std::vector<std::string> all = names();
  for (const char* more : {"resnet(batch_norm=1)", "lstm(gates=all)", "gru(gates=all)", "ntm(controller=feedforward)",
                           "ntm(gates=all)", "attention(gates=all)", "attention(cell=lstm,gates=all)",
                           "captioner(gates=all)", "captioner(cell=gru,gates=all)"})
    all.emplace_back(more);
  return all;
}

Settings settings_of(const std::string& model, const std::string& activation) {
  Settings settings;
  settings.model = model;
  settings.activation = activation;
  settings.width = 6;
  settings.attention.dropout = 0;  // other noise than the units'
  return settings;
}

// The first data set that the model fits.
const data::Dataset* fitting(const std::string& model, const std::vector<data::Dataset>& sets) {
  for (const data::Dataset& set : sets) {
    try {
      resolve(settings_of(model, "tanh"), set);
      return &set;
    } catch (const Error&) {
    }
  }
  return nullptr;
}

bool twice_the_same(Network& network, const at::Tensor& x) { return network.forward(x).equal(network.forward(x)); }

TEST(Noise, IsDrawnInTrainingAndNotAtEvaluationByEveryModel) {
  const Folder folder;
  const std::vector<data::Dataset> sets = every_kind(folder);
  ASSERT_GE(names().size(), 9u);
  for (const std::string& model : every_model()) {
    const data::Dataset* data = fitting(model, sets);
    ASSERT_TRUE(data) << model << " fits none of the data sets here: add one that it does";
    const at::Tensor x = data->train.x.narrow(0, 0, 6);
    // Around the output, and around the input.
    for (const char* noisy : {"nan(base=tanh)", "nani(base=tanh)"}) {
      SCOPED_TRACE(model + " with " + noisy);
      const auto network = build(settings_of(model, noisy), *data, 1);
      ASSERT_FALSE(network->layers.empty());
      network->train();
      EXPECT_FALSE(twice_the_same(*network, x)) << "in training";
      network->eval();
      EXPECT_TRUE(twice_the_same(*network, x)) << "at evaluation";
      // One unit alone, as a schedule would leave it.
      network->train();
      for (auto& layer : network->layers) layer.unit->set("c", 0);
      EXPECT_TRUE(twice_the_same(*network, x)) << "without any noise";
      for (std::size_t i = 0; i < network->layers.size(); ++i) {
        network->layers[i].unit->set("c", 1);
        EXPECT_FALSE(twice_the_same(*network, x)) << "layer " << i << " alone";
        network->layers[i].unit->set("c", 0);
      }
    }
    const auto quiet = build(settings_of(model, "tanh"), *data, 1);
    quiet->train();
    EXPECT_TRUE(twice_the_same(*quiet, x)) << model << " draws noise that is none of its units'";
  }
}

}  // namespace
}  // namespace ogee::models::noise_test
