// Names, attributes, choices, and what is said when they are wrong.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "golden.h"
#include "ogee/ogee.h"

namespace ogee::test {
namespace {

std::string refusal(std::string_view text) {
  try {
    const Activation a(text);
  } catch (const Error& e) {
    return e.what();
  }
  return "accepted";
}

TEST(Names, AreUniqueAndFindTheirFunctions) {
  std::set<std::string_view> seen;
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    EXPECT_TRUE(seen.insert(spec.name).second) << spec.name << " twice";
    EXPECT_EQ(find_function(spec.name), f);
    EXPECT_EQ(Activation(spec.name).text(), spec.name);
    EXPECT_FALSE(spec.formula.empty()) << spec.name;
  }
  for (const Function* f : functions()) {
    for (const Alias& a : spec_of(*f).aliases) {
      EXPECT_TRUE(seen.insert(a.name).second) << a.name << " twice";
      EXPECT_EQ(find_function(a.name), f) << a.name;
    }
  }
}

// The catalogue that was asked for, by the names users know.
TEST(Names, TheCatalogueIsComplete) {
  for (const char* name : {"relu",
                           "leaky_relu",
                           "very_leaky_relu",
                           "relu6",
                           "clipped_relu",
                           "threshold",
                           "squared_relu",
                           "hardtanh",
                           "hard_sigmoid",
                           "hard_sigmoid_onnx",
                           "hard_sigmoid_noisy",
                           "hard_swish",
                           "hard_mish",
                           "softshrink",
                           "hardshrink",
                           "smelu",
                           "step",
                           "sigmoid",
                           "tanh",
                           "log_sigmoid",
                           "softplus",
                           "squareplus",
                           "softsign",
                           "elu",
                           "selu",
                           "celu",
                           "isru",
                           "isrlu",
                           "elish",
                           "hard_elish",
                           "tanhshrink",
                           "arctan",
                           "gaussian",
                           "sqnl",
                           "bipolar_sigmoid",
                           "silu",
                           "swish",
                           "gelu",
                           "gelu_tanh",
                           "gelu_quick",
                           "mish",
                           "phish",
                           "serf",
                           "tanh_exp",
                           "lisht",
                           "gcu",
                           "e_swish",
                           "atlu",
                           "logish",
                           "snake",
                           "sine",
                           "siren",
                           "prelu",
                           "swish_beta",
                           "xatlu",
                           "xgelu",
                           "xsilu",
                           "xielu",
                           "acon_c",
                           "star_relu",
                           "dynamic_tanh",
                           "learned_snake",
                           "aplu",
                           "rational",
                           "b_spline",
                           "glu",
                           "gtu",
                           "bilinear",
                           "reglu",
                           "geglu",
                           "geglu_tanh",
                           "geglu_quick",
                           "swiglu",
                           "swiglu_oai",
                           "drelu_glu",
                           "xatglu",
                           "xgeglu",
                           "xswiglu",
                           "xatglu_second",
                           "xgeglu_second",
                           "xswiglu_second",
                           "channel_limit",
                           "rrelu",
                           "rrelu_inverse",
                           "rrelu_unit",
                           "nan",
                           "nah",
                           "nani",
                           "nanil",
                           "nanis",
                           "nan_fixed",
                           "noisy_relu",
                           "noisy_rectifier",
                           "probact",
                           "gaussian_dropout",
                           "stochastic_binary",
                           "binary_concrete",
                           "hard_concrete"}) {
    EXPECT_NE(find_function(name), nullptr) << name;
  }
}

TEST(Names, AttributesAndChoices) {
  EXPECT_EQ(Activation("very_leaky_relu").parameter("slope"), 1 / 5.5);
  EXPECT_EQ(Activation("leaky_relu( slope = 0.2 )").parameter("slope"), 0.2);
  EXPECT_EQ(Activation("leaky_relu(slope=1/5.5)").parameter("slope"), 1 / 5.5);
  EXPECT_EQ(Activation("leaky_relu(slope=0.2)").text(), "leaky_relu(slope=0.2)");
  EXPECT_EQ(Activation("hard_sigmoid_onnx").text(), "hard_sigmoid(slope=0.2)");
  EXPECT_EQ(Activation("nah(base=tanh, c=0.3)").spec().name, "nah_tanh");
  EXPECT_EQ(Activation("nah(base=tanh, c=0.3)").parameter("c"), 0.3);
  EXPECT_EQ(Activation("nah(c=0.3,base=hardtanh)").text(), "nah_hard_tanh(c=0.3)");
  EXPECT_EQ(Activation("rrelu(law=inverse)").spec().name, "rrelu_inverse");
  EXPECT_EQ(Activation("channel_limit(base=softplus)").spec().name, "channel_limit_softplus");
  EXPECT_EQ(Activation(Activation("elu(alpha=0.5)").text()).parameter("alpha"), 0.5);
}

TEST(Names, RefusalsSuggest) {
  EXPECT_EQ(refusal("gellu"), "unknown activation 'gellu'; did you mean 'gelu'?");
  EXPECT_EQ(refusal("Swiglu"), "unknown activation 'Swiglu'; did you mean 'swiglu'?");
  EXPECT_EQ(refusal("wibblewobble"), "unknown activation 'wibblewobble'");
  EXPECT_EQ(refusal("leaky_relu(slop=0.1)"),
            "leaky_relu has no attribute 'slop'; did you mean 'slope'? (it takes slope)");
  EXPECT_EQ(refusal("relu(slope=0.1)"), "relu has no attribute 'slope'; it takes none");
  EXPECT_EQ(refusal("leaky_relu(slope=abc)"), "'leaky_relu(slope=abc)': slope must be a number, not 'abc'");
  EXPECT_EQ(refusal("leaky_relu(0.1)"), "'leaky_relu(0.1)': expected attribute=value, found '0.1'");
  EXPECT_EQ(refusal("leaky_relu(slope=0.1"), "'leaky_relu(slope=0.1': expected ')' at the end");
  EXPECT_EQ(refusal("softshrink(lambda=-1)"), "softshrink: lambda = -1 is out of range [0, inf]");
  EXPECT_EQ(refusal("elu(alpha=nan)"), "elu: alpha = nan is out of range [-inf, inf]");
  EXPECT_EQ(refusal("nah(base=cosine)"),
            "'nah(base=cosine)': base 'cosine' is none of hard_tanh, hard_sigmoid, tanh, sigmoid");
}

// Every function has its golden file, and no golden file has lost its function.
TEST(Names, GoldenFilesAndFunctionsMatch) {
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(golden_directory())) {
    if (entry.path().extension() == ".golden") files.insert(entry.path().stem());
  }
  for (const Function* f : functions()) {
    EXPECT_EQ(files.erase(std::string(spec_of(*f).name)), 1u) << spec_of(*f).name << " has no golden file";
  }
  for (const std::string& file : files) ADD_FAILURE() << file << ".golden has no function";
}

}  // namespace
}  // namespace ogee::test
