// Strides, layouts, odd shapes, meta tensors, autocast, TorchScript and what is said of wrong arguments.
#include <ATen/record_function.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>
#include <torch/jit.h>
#include <torch/script.h>

#include <sstream>

#include "support.h"

namespace ogee::testing::shapes {
namespace {

// The names of the operators that run while it lives, on this thread.
class Recorder {
 public:
  Recorder() {
    names().clear();
    handle_ = at::addThreadLocalCallback(
        at::RecordFunctionCallback([](const at::RecordFunction& f) -> std::unique_ptr<at::ObserverContext> {
          names().emplace_back(f.name());
          return nullptr;
        }).scopes({at::RecordScope::FUNCTION}));
  }
  ~Recorder() { at::removeCallback(handle_); }
  static std::vector<std::string>& names() {
    static thread_local std::vector<std::string> list;
    return list;
  }
  static bool copied() {
    for (const std::string& name : names()) {
      if (name.find("copy") != std::string::npos || name.find("clone") != std::string::npos ||
          name.find("contiguous") != std::string::npos) {
        return true;
      }
    }
    return false;
  }

 private:
  at::CallbackHandle handle_;
};

struct Variant {
  const char* what;
  torch::Tensor x;
  bool dense;  // the result has the very same strides
};

std::vector<Variant> strided(at::ScalarType type) {
  const auto random = [&](at::IntArrayRef sizes) { return inputs_off_kinks(sizes, type); };
  return {{"contiguous", random({4, 6, 5, 3}), true},
          {"transposed", random({6, 4}).t(), true},
          {"channels_last", random({4, 6, 5, 3}).contiguous(at::MemoryFormat::ChannelsLast), true},
          {"permuted", random({3, 4, 6, 5}).permute({1, 2, 3, 0}), true},
          {"half of a chunk", random({4, 12, 5}).chunk(2, 1)[1], false},
          {"half of rows", random({4, 6, 10}).chunk(2, -1)[0], false},
          {"every other", random({4, 12}).slice(1, 0, 12, 2), false},
          {"one column", random({4, 6, 5}).select(2, 1), false},
          {"chunk of channels_last", random({4, 12, 5, 3}).contiguous(at::MemoryFormat::ChannelsLast).chunk(2, 1)[0],
           false},
          {"dimension of size 1", random({4, 1, 5}).transpose(0, 2), true},
          {"a number", random({}), true}};
}

// The gradients of f's sum with weights, by the leaves.
Tensors gradients(const torch::Tensor& y, const Tensors& leaves, const torch::Tensor& dy) {
  return torch::autograd::grad({y}, leaves, {dy}, true);
}

TEST(Strides, AreKeptAndNothingIsCopied) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kHalf}) {
    for (const char* name : {"gelu", "relu6", "prelu"}) {
      for (const Variant& v : strided(type)) {
        SCOPED_TRACE(std::string(name) + ", " + v.what);
        const Activation activation(name);
        Tensors parameters;
        if (activation.spec().parameters.size() == 1 && v.x.dim() > 1) {
          parameters = {torch::rand({v.x.size(1)}, type).requires_grad_()};
        }
        const torch::Tensor x = v.x.detach().requires_grad_();
        torch::Tensor y, dx;
        {
          const Recorder recorder;
          y = apply(activation, x, parameters);
          EXPECT_FALSE(Recorder::copied());
        }
        if (v.dense) {
          EXPECT_EQ(y.strides(), x.strides());
        }
        const torch::Tensor dy = torch::empty_strided(y.sizes(), y.strides(), y.options()).uniform_(0.5, 1.5);
        {
          const Recorder recorder;
          dx = gradients(y, {x}, dy)[0];
          EXPECT_FALSE(Recorder::copied());
        }
        const torch::Tensor plain = x.detach().contiguous().requires_grad_();
        const torch::Tensor want = apply(activation, plain, parameters);
        EXPECT_TRUE(torch::equal(y, want));
        Tensors leaves{x}, plain_leaves{plain};
        leaves.insert(leaves.end(), parameters.begin(), parameters.end());
        plain_leaves.insert(plain_leaves.end(), parameters.begin(), parameters.end());
        const Tensors got_gradients = gradients(y, leaves, dy);
        const Tensors want_gradients = gradients(want, plain_leaves, dy.contiguous());
        EXPECT_TRUE(torch::equal(got_gradients[0], want_gradients[0]));
        EXPECT_TRUE(torch::equal(got_gradients[0], dx));
        if (!parameters.empty()) {
          EXPECT_TRUE(near(got_gradients[1], want_gradients[1], type == at::kHalf ? 1e-3 : 1e-6, 1e-5));
        }
      }
    }
  }
}

// Two inputs, an upstream gradient and directions whose strides all differ.
TEST(Strides, MayDifferBetweenTensors) {
  for (const char* name : {"swiglu", "xswiglu"}) {
    const Activation activation(name);
    const auto variants = strided(at::kDouble);
    const std::vector<torch::Tensor> same_shape{variants[0].x, variants[2].x, variants[8].x,
                                                variants[3].x.slice(0, 0, 4).expand({4, 6, 5, 3})};
    Tensors parameters;
    if (activation.spec().parameters.size() == 1) parameters = {torch::rand({6}, at::kDouble).requires_grad_()};
    for (const torch::Tensor& a : same_shape) {
      for (const torch::Tensor& b : same_shape) {
        for (const torch::Tensor& dy : same_shape) {
          Tensors leaves{a.detach().requires_grad_(), b.detach().requires_grad_()};
          Tensors plain{a.detach().contiguous().requires_grad_(), b.detach().contiguous().requires_grad_()};
          leaves.insert(leaves.end(), parameters.begin(), parameters.end());
          plain.insert(plain.end(), parameters.begin(), parameters.end());
          const auto both = [&](const Tensors& given, const torch::Tensor& upstream) {
            const torch::Tensor y = apply(activation, given[0], given[1], parameters);
            Tensors all = torch::autograd::grad({y}, given, {upstream}, true, true);
            const Tensors second = torch::autograd::grad({all[0].square().sum()}, given, {}, true, false, true);
            all.insert(all.begin(), y);
            for (const torch::Tensor& t : second) all.push_back(t.defined() ? t : torch::zeros({}));
            return all;
          };
          const Tensors got = both(leaves, dy), want = both(plain, dy.contiguous());
          for (std::size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(near(got[i], want[i], 1e-12, 1e-12));
        }
      }
    }
  }
}

// Gaps in three dimensions are more than rows can say: then, and only then, there is a copy.
TEST(Strides, ACopyWhereRowsAreNotEnough) {
  const torch::Tensor wide = torch::randn({6, 8, 10, 4}, at::kDouble);
  const torch::Tensor x =
      wide.slice(0, 0, 6, 2).slice(1, 0, 8, 2).slice(2, 0, 10, 3).slice(3, 0, 4, 2).requires_grad_();
  const torch::Tensor plain = x.detach().contiguous().requires_grad_();
  torch::Tensor y;
  {
    const Recorder recorder;
    y = apply(Activation("gelu"), x);
    EXPECT_TRUE(Recorder::copied());
  }
  const torch::Tensor want = apply(Activation("gelu"), plain);
  EXPECT_TRUE(torch::equal(y, want));
  const torch::Tensor dy = torch::rand_like(y);
  EXPECT_TRUE(torch::equal(gradients(y, {x}, dy)[0], gradients(want, {plain}, dy)[0]));
  ApplyOptions packed;
  packed.layout = Layout::gate_last;
  packed.gate_dim = 1;
  const torch::Tensor z = apply(Activation("swiglu"), x, {}, packed);
  const torch::Tensor z_want = apply(Activation("swiglu"), plain, {}, packed);
  EXPECT_TRUE(torch::equal(z, z_want));
  EXPECT_TRUE(
      torch::equal(gradients(z, {x}, torch::ones_like(z))[0], gradients(z_want, {plain}, torch::ones_like(z))[0]));
}

// An upstream gradient that a sum expands from one number is read where it is.
TEST(Strides, ExpandedGradientsAreNotCopied) {
  const torch::Tensor x = torch::randn({8, 9}).requires_grad_();
  const torch::Tensor y = apply(Activation("silu"), x);
  const Recorder recorder;
  const torch::Tensor dx = torch::autograd::grad({y}, {x}, {torch::ones({}).expand({8, 9})})[0];
  EXPECT_FALSE(Recorder::copied());
  EXPECT_TRUE(near(dx, slope(Activation("silu"), x), 1e-6, 1e-7));
}

TEST(Layouts, PackedInputsEqualTheirHalves) {
  for (const char* name : {"glu", "swiglu", "xswiglu", "swiglu_oai", "channel_limit_gelu"}) {
    const Activation activation(name);
    const bool learned = has_learned(activation.spec());
    for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
      for (const bool last : {false, true}) {
        for (const std::int64_t gate_dim : {0, 1, 2, 3, -1, -4}) {
          for (const Layout layout : {Layout::gate_first, Layout::gate_last, Layout::interleaved}) {
            SCOPED_TRACE(std::string(name) + " along " + std::to_string(gate_dim) + ", layout " +
                         std::to_string(static_cast<int>(layout)) + (last ? ", channels last" : ""));
            torch::Tensor x = inputs_off_kinks({4, 6, 2, 8}, type);
            if (last) x = x.contiguous(at::MemoryFormat::ChannelsLast);
            x.requires_grad_();
            const std::int64_t d = gate_dim < 0 ? gate_dim + 4 : gate_dim, half = x.size(d) / 2;
            torch::Tensor a, b;
            if (layout == Layout::interleaved) {
              a = x.slice(d, 0, 2 * half, 2);
              b = x.slice(d, 1, 2 * half, 2);
            } else {
              a = x.narrow(d, layout == Layout::gate_first ? 0 : half, half);
              b = x.narrow(d, layout == Layout::gate_first ? half : 0, half);
            }
            ApplyOptions options;
            Tensors parameters;
            if (learned) parameters = {torch::rand({a.size(1)}, type).requires_grad_()};
            const torch::Tensor want = apply(activation, a, b, parameters, options);
            options.layout = layout;
            options.gate_dim = gate_dim;
            torch::Tensor got;
            {
              const Recorder recorder;
              got = apply(activation, x, parameters, options);
              EXPECT_FALSE(Recorder::copied());
            }
            EXPECT_TRUE(torch::equal(got, want));
            EXPECT_TRUE(got.is_non_overlapping_and_dense());
            const torch::Tensor dy = torch::rand_like(got);
            Tensors leaves{x};
            leaves.insert(leaves.end(), parameters.begin(), parameters.end());
            const Tensors dx = gradients(got, leaves, dy), dx_want = gradients(want, leaves, dy);
            EXPECT_TRUE(torch::equal(dx[0], dx_want[0]));
            EXPECT_EQ(dx[0].strides(), x.strides());
            if (learned) {
              EXPECT_TRUE(near(dx[1], dx_want[1], type == at::kBFloat16 ? 1e-2 : 1e-5, 1e-5));
            }
          }
        }
      }
    }
  }
}

// Feed-forward networks of several branches pack views of views.
TEST(Layouts, PackedViewsNeedNoCopy) {
  const torch::Tensor wide = torch::randn({5, 7, 32});
  const torch::Tensor x = wide.chunk(2, -1)[1];
  ApplyOptions options;
  options.layout = Layout::gate_first;
  const Recorder recorder;
  const torch::Tensor y = apply(Activation("swiglu"), x, {}, options);
  EXPECT_FALSE(Recorder::copied());
  EXPECT_TRUE(torch::equal(y, apply(Activation("swiglu"), x.contiguous(), {}, options)));
}

TEST(Shapes, EmptyTensors) {
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    SCOPED_TRACE(std::string(spec.name));
    for (const bool training : modes(spec)) {
      const Case c = make_case(*f, {0, 3}, 3, training);
      const torch::Tensor y = c.function()(c.leaves())[0];
      EXPECT_EQ(y.sizes(), at::IntArrayRef({0, 3}));
      for (const torch::Tensor& g : torch::autograd::grad({y.sum()}, c.leaves())) {
        EXPECT_EQ(g.abs().sum().item<double>(), 0);
      }
    }
  }
  ApplyOptions options;
  options.layout = Layout::interleaved;
  EXPECT_EQ(apply(Activation("glu"), torch::empty({3, 0}), {}, options).sizes(), at::IntArrayRef({3, 0}));
}

TEST(Shapes, ChannelDimensions) {
  const torch::Tensor x = torch::randn({2, 3, 4, 5});
  for (std::int64_t dim = -4; dim < 4; ++dim) {
    ApplyOptions options;
    options.channel_dim = dim;
    const torch::Tensor slope = torch::rand({x.size(dim)});
    std::vector<std::int64_t> sizes(4, 1);
    sizes[static_cast<std::size_t>((dim + 4) % 4)] = x.size(dim);
    const torch::Tensor want = torch::where(x > 0, x, x * slope.view(sizes));
    EXPECT_TRUE(torch::equal(apply(Activation("prelu"), x, {slope}, options), want));
    const torch::Tensor last = x.contiguous(at::MemoryFormat::ChannelsLast);
    EXPECT_TRUE(torch::equal(apply(Activation("prelu"), last, {slope}, options), want));
  }
  // A parameter of one value needs no channel dimension; its shape is kept by its gradient.
  const torch::Tensor one = torch::full({1, 1}, 0.5).requires_grad_();
  const torch::Tensor y = apply(Activation("prelu"), torch::full({3}, -2.0), {one});
  EXPECT_TRUE(torch::equal(y, torch::full({3}, -1.0)));
  y.sum().backward();
  EXPECT_EQ(one.grad().sizes(), one.sizes());
  EXPECT_EQ(one.grad().item<float>(), -6);
}

TEST(Shapes, Slope) {
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    if (spec.inputs != 1) continue;
    SCOPED_TRACE(std::string(spec.name));
    const Case c = make_case(*f, {4, 3}, 3, false);
    const torch::Tensor y = apply(c.activation, c.inputs[0], c.parameters);
    const torch::Tensor want = torch::autograd::grad({y.sum()}, {c.inputs[0]})[0];
    const torch::Tensor got = slope(c.activation, c.inputs[0], c.parameters);
    EXPECT_TRUE(torch::equal(got, want));
    EXPECT_FALSE(got.requires_grad());
  }
}

TEST(Meta, ShapesOfEveryFunction) {
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    SCOPED_TRACE(std::string(spec.name));
    for (const bool training : modes(spec)) {
      Case c = make_case(*f, {2, 3, 4, 5}, 3, training);
      for (torch::Tensor& t : c.inputs) t = t.detach().contiguous(at::MemoryFormat::ChannelsLast);
      const Tensors real = c.leaves();
      Tensors meta;
      for (const torch::Tensor& t : real) {
        meta.push_back(torch::empty_strided(t.sizes(), t.strides(), t.options().device(at::kMeta)).requires_grad_());
      }
      const torch::Tensor y = c.function()(meta)[0], want = c.function()(real)[0];
      EXPECT_TRUE(y.is_meta());
      EXPECT_EQ(y.sizes(), want.sizes());
      EXPECT_EQ(y.strides(), want.strides());
      const Tensors first = torch::autograd::grad({y.sum()}, meta, {}, true, true);
      const Tensors second = torch::autograd::grad({first[0].sum()}, {meta[0]}, {}, true, false, true);
      for (std::size_t i = 0; i < meta.size(); ++i) EXPECT_EQ(first[i].sizes(), meta[i].sizes());
      EXPECT_EQ(second[0].sizes(), meta[0].sizes());
    }
  }
}

// Inputs of two types meet in the wider; parameters stay what they are.
TEST(Autocast, PromotesInputsOnly) {
  const torch::Tensor a = torch::randn({3, 4}).to(at::kBFloat16).requires_grad_(), b = torch::randn({3, 4});
  const torch::Tensor alpha = torch::tensor({0.1f}).requires_grad_();
  const auto call = [&] { return apply(Activation("xswiglu"), a, b, {alpha}); };
  EXPECT_NE(message_of(call).find("same type, not BFloat16 and Float"), std::string::npos);
  const AutocastOnCpu autocast;
  const torch::Tensor y = call();
  EXPECT_EQ(y.scalar_type(), at::kFloat);
  y.sum().backward();
  EXPECT_EQ(a.grad().scalar_type(), at::kBFloat16);
  EXPECT_EQ(alpha.grad().scalar_type(), at::kFloat);
  EXPECT_EQ(apply(Activation("gelu"), a).scalar_type(), at::kBFloat16);
}

// Names the operators in scripts compiled from C++, as torch.ops does in Python.
struct OgeeResolver : torch::jit::Resolver {
  std::shared_ptr<torch::jit::SugaredValue> resolveValue(const std::string& name, torch::jit::GraphFunction& function,
                                                         const torch::jit::SourceRange& location) override {
    if (name == "ogee") return std::make_shared<torch::jit::BuiltinModule>("ogee");
    return torch::jit::nativeResolver()->resolveValue(name, function, location);
  }
};
std::shared_ptr<torch::jit::CompilationUnit> script(const char* source) {
  auto unit = std::make_shared<torch::jit::CompilationUnit>();
  unit->define(c10::nullopt, source, std::make_shared<OgeeResolver>(), nullptr);
  return unit;
}

TEST(TorchScript, RoundTrip) {
  torch::jit::Module m("m");
  m.register_parameter("slope", torch::tensor({0.1f, 0.2f, 0.3f}), false);
  m.define(R"(
    def forward(self, x):
        y = ogee.prelu(x, slope=self.slope, channel_dim=1)
        y = ogee.leaky_relu(y, 0.5)
        return ogee.swiglu(y, layout="interleaved", gate_dim=0)
  )",
           std::make_shared<OgeeResolver>());
  const torch::Tensor x = torch::randn({4, 3}).requires_grad_();
  std::stringstream file;
  m.save(file);
  torch::jit::Module loaded = torch::jit::load(file);
  ApplyOptions packed;
  packed.layout = Layout::interleaved;
  packed.gate_dim = 0;
  const torch::Tensor prelu = apply(Activation("prelu"), x, {m.attr("slope").toTensor()});
  const torch::Tensor want = apply(Activation("swiglu"), apply(Activation("leaky_relu(slope=0.5)"), prelu), {}, packed);
  for (int i = 0; i < 3; ++i) {  // profiled, then optimised
    const torch::Tensor got = loaded.forward({x}).toTensor();
    EXPECT_TRUE(torch::equal(got, want));
    EXPECT_TRUE(torch::equal(torch::autograd::grad({got.sum()}, {x})[0],
                             torch::autograd::grad({want.sum()}, {x}, {}, true)[0]));
  }
}

// Two calls that look the same draw different noise, so no pass may make one of them.
TEST(TorchScript, NoisyCallsAreNotMerged) {
  const auto unit = script(R"(
    def f(x):
        return ogee.probact(x, training=True) - ogee.probact(x, training=True)
  )");
  const torch::Tensor x = torch::zeros({100});
  for (int i = 0; i < 3; ++i) {
    EXPECT_GT(unit->run_method("f", x).toTensor().abs().max().item<float>(), 0);
  }
}

TEST(Errors, SayWhatWasExpected) {
  const auto expect = [](const char* part, const std::function<void()>& call) {
    const std::string message = message_of(call);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  const torch::Tensor x = torch::randn({4, 6});
  ApplyOptions packed;
  packed.layout = Layout::gate_first;
  expect("ogee::gelu: takes one input", [&] { apply(Activation("gelu"), x, x); });
  expect("ogee::gelu: takes one input", [&] { apply(Activation("gelu"), x, {}, packed); });
  expect("ogee::gelu: the input must be float32, float64, bfloat16 or float16, not Long",
         [&] { apply(Activation("gelu"), torch::ones({3}, at::kLong)); });
  expect("ogee::gelu: the input is undefined", [&] { apply(Activation("gelu"), torch::Tensor()); });
  expect("ogee::swiglu: takes two inputs: give both, or one tensor", [&] { apply(Activation("swiglu"), x); });
  expect("ogee::swiglu: give either two inputs or a packed layout",
         [&] { apply(Activation("swiglu"), x, x, {}, packed); });
  expect("the same shape, not [4, 6] and [4, 3]", [&] { apply(Activation("swiglu"), x, x.narrow(1, 0, 3)); });
  expect("the same type, not Float and Double", [&] { apply(Activation("swiglu"), x, x.to(at::kDouble)); });
  expect("whose size must be even, but the shape is [4, 5]",
         [&] { apply(Activation("swiglu"), x.narrow(1, 0, 5), {}, packed); });
  packed.gate_dim = 2;
  expect("gate_dim 2 is no dimension of the input, whose shape is [4, 6]",
         [&] { apply(Activation("swiglu"), x, {}, packed); });
  expect("ogee::prelu: slope has 5 values; expected 1 or 6, the size of dimension 1",
         [&] { apply(Activation("prelu"), x, {torch::ones({5})}); });
  expect("channel_dim 1 is no dimension", [&] { apply(Activation("prelu"), x[0], {torch::ones({6})}); });
  expect("slope must be a floating tensor, not Long",
         [&] { apply(Activation("prelu"), x, {torch::ones({6}, at::kLong)}); });
  expect("ogee::gelu: has 0 parameters, but 1 were given", [&] { apply(Activation("gelu"), x, {x}); });
  expect("slope is on meta, the input on cpu", [&] { apply(Activation("prelu"), x, {torch::ones({6}, at::kMeta)}); });
  expect("the slope is for functions of one input", [&] { slope(Activation("swiglu"), x); });
  const auto unit = script(R"(
    def wrong_layout(x):
        return ogee.swiglu(x, layout="gate_middle")
    def out_of_range(x):
        return ogee.celu(x, alpha=-1.0)
  )");
  expect("there are two (two tensors), gate_first, gate_last and interleaved (one tensor)",
         [&] { unit->run_method("wrong_layout", x); });
  expect("ogee::celu: alpha is -1; expected a value in [", [&] { unit->run_method("out_of_range", x); });
}

}  // namespace
}  // namespace ogee::testing::shapes
