// A peer is timed only if it computes the function: deliberately wrong ones must be found out.
#include "bench/speed/validation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "bench/speed/measure.h"
#include "bench/speed/peers.h"
#include "bench/speed/report.h"

namespace ogee::bench {
namespace {

constexpr std::size_t elements = 5000;

// silu and its derivative in double, and whatever `spoil` makes of it.
class Fake final : public Peer {
 public:
  using Spoil = double (*)(double exact, std::size_t i);
  Fake(std::string name, Spoil spoil) : name_(std::move(name)), spoil_(spoil) {}
  std::string name() const override { return name_; }
  std::string version() const override { return "1"; }
  std::optional<Work> prepare(const Case& c) const override {
    if (c.spec().name != "silu" || c.type != Type::float32) return std::nullopt;
    return Work{[c, spoil = spoil_] {
      const auto* x = static_cast<const float*>(c.input[0]);
      const auto* dy = static_cast<const float*>(c.dy);
      for (std::size_t i = 0; i < c.elements; ++i) {
        const double s = 1 / (1 + std::exp(-static_cast<double>(x[i])));
        if (c.direction == Direction::forward) {
          static_cast<float*>(c.y)[i] = static_cast<float>(spoil(x[i] * s, i));
        } else {
          static_cast<float*>(c.dx[0])[i] = static_cast<float>(spoil(dy[i] * s * (1 + x[i] * (1 - s)), i));
        }
      }
    }};
  }

 private:
  std::string name_;
  Spoil spoil_;
};

Verdict verdict_of(Direction direction, Fake::Spoil spoil) {
  const Arrays arrays(Type::float32, elements);
  const Activation silu("silu");
  const Case c = arrays.make(silu, direction, elements, 1);
  const std::optional<Work> work = Fake("fake", spoil).prepare(c);
  return Validation(c).check(arrays, *work);
}

TEST(Validation, AcceptsWhatIsRight) {
  for (Direction direction : {Direction::forward, Direction::backward}) {
    const Verdict verdict = verdict_of(direction, [](double exact, std::size_t) { return exact; });
    EXPECT_TRUE(verdict.qualified) << verdict.reason;
    EXPECT_LE(verdict.ulp, 0.51);
  }
}

TEST(Validation, TellsTheErrorOfAnApproximation) {
  const Verdict verdict = verdict_of(Direction::forward, [](double exact, std::size_t) { return exact * (1 + 1e-5); });
  EXPECT_TRUE(verdict.qualified) << verdict.reason;
  EXPECT_GT(verdict.ulp, 80);  // 1e-5 is 84 to 168 units of float32
  EXPECT_LT(verdict.ulp, 170);
}

TEST(Validation, DisqualifiesWhatIsWrong) {
  const Fake::Spoil wrong[] = {
      [](double exact, std::size_t) { return exact * 1.001; },
      [](double exact, std::size_t) { return exact + 1e-3; },
      [](double, std::size_t) { return 0.0; },
      [](double exact, std::size_t) { return -exact; },
      [](double, std::size_t) { return std::numeric_limits<double>::quiet_NaN(); },
  };
  for (Direction direction : {Direction::forward, Direction::backward}) {
    for (Fake::Spoil spoil : wrong) {
      const Verdict verdict = verdict_of(direction, spoil);
      EXPECT_FALSE(verdict.qualified);
      EXPECT_NE(verdict.reason.find("another function"), std::string::npos) << verdict.reason;
    }
  }
}

TEST(Validation, SeesWhatIsNotWritten) {
  const Arrays arrays(Type::float32, elements);
  const Activation silu("silu");
  const Case c = arrays.make(silu, Direction::forward, elements, 1);
  const Verdict verdict = Validation(c).check(arrays, Work{[] {}});
  EXPECT_FALSE(verdict.qualified);
  EXPECT_TRUE(std::isinf(verdict.ulp));
}

TEST(Validation, TellsTheTwoFormsOfGeluApart) {
  const Arrays arrays(Type::float32, 65536);
  const Activation exact("gelu"), by_tanh("gelu_tanh");
  const Case c = arrays.make(exact, Direction::forward, 65536, 1);
  const Verdict verdict =
      Validation(c).check(arrays, Work{[&] {
                            forward<float>(by_tanh, {static_cast<const float*>(c.input[0]), c.elements},
                                           {static_cast<float*>(c.y), c.elements});
                          }});
  EXPECT_FALSE(verdict.qualified);
}

// Of two inputs the first one has the roots: swiglu's derivative by a is 0 at silu's.
TEST(Validation, CountsNoUnitsWhereTheFirstInputIsNearARoot) {
  const Arrays arrays(Type::float32, elements);
  const Activation swiglu("swiglu");
  const Case c = arrays.make(swiglu, Direction::backward, elements, 1);
  for (const bool near : {true, false}) {
    const Verdict verdict = Validation(c).check(
        arrays, Work{[&] {
          for (std::size_t i = 0; i < c.elements; ++i) {
            const double a = Arrays::at(c.type, c.input[0], i), b = Arrays::at(c.type, c.input[1], i);
            const double dy = Arrays::at(c.type, c.dy, i), s = 1 / (1 + std::exp(-a));
            const double wrong = (std::abs(a + 1.278464543) < 0.2) == near ? 1e-5 : 0;
            static_cast<float*>(c.dx[0])[i] = static_cast<float>(dy * b * s * (1 + a * (1 - s)) + wrong);
            static_cast<float*>(c.dx[1])[i] = static_cast<float>(dy * a * s);
          }
        }});
    EXPECT_TRUE(verdict.qualified) << verdict.reason;
    if (near) {
      EXPECT_LE(verdict.ulp, 0.51);
    } else {
      EXPECT_GT(verdict.ulp, 1);
    }
  }
}

TEST(Measure, TimesOnlyPeersThatQualify) {
  Peers peers;
  peers.push_back(std::make_unique<Fake>("right", [](double exact, std::size_t) { return exact; }));
  peers.push_back(std::make_unique<Fake>("wrong", [](double exact, std::size_t) { return exact * 1.01; }));
  Bench bench(&peers);
  Request request;
  request.elements = elements;
  request.budget = {.seconds = 0.001, .rounds = 3};
  const Measurement m = bench.measure(Activation("silu"), request);
  ASSERT_EQ(m.peers.size(), 2u);
  EXPECT_TRUE(m.peers[0].qualified);
  EXPECT_GT(m.peers[0].ns, 0);
  EXPECT_FALSE(m.peers[1].qualified);
  EXPECT_EQ(m.peers[1].ns, 0);
  ASSERT_NE(m.best(), nullptr);
  EXPECT_EQ(m.best()->name, "right");
  const auto row = to_json(m);
  EXPECT_TRUE(row["peers"].contains("right"));
  EXPECT_FALSE(row["peers"].contains("wrong"));
  EXPECT_TRUE(row["disqualified"].contains("wrong"));
  EXPECT_NE(table_row(m).find("wrong disqualified"), std::string::npos);
}

// Every peer that is here computes what it is listed for: no entry of its table may be of another function.
TEST(Peers, QualifyForWhatTheyOffer) {
  const Arrays arrays(Type::float32, elements);
  std::size_t offers = 0;
  for (const auto& peer : all_peers()) {
    if (!peer->absent().empty()) continue;
    EXPECT_FALSE(peer->version().empty()) << peer->name();
    std::size_t own = 0;
    for (const Function* function : functions()) {
      const Activation activation(*function);
      for (Direction direction : {Direction::forward, Direction::backward, Direction::training}) {
        const Case c = arrays.make(activation, direction, elements, 1);
        const std::optional<Work> work = peer->prepare(c);
        if (!work) continue;
        ++own;
        const Verdict verdict = Validation(c).check(arrays, *work);
        EXPECT_TRUE(verdict.qualified) << peer->name() << ", " << activation.text() << " " << name_of(direction) << ": "
                                       << verdict.reason;
      }
    }
    EXPECT_GT(own, 0u) << peer->name();
    offers += own;
  }
  EXPECT_GT(offers, 100u);  // LibTorch and what is composed of it are always here
}

TEST(Peers, WriteTheSameOnTwoThreads) {
  const Arrays arrays(Type::float32, 100'000);
  const Activation tanh("tanh");
  for (const auto& peer : all_peers()) {
    if (!peer->absent().empty()) continue;
    const Case c = arrays.make(tanh, Direction::forward, 100'000, 2);
    const std::optional<Work> work = peer->prepare(c);
    if (!work) continue;
    const Verdict verdict = Validation(c).check(arrays, *work);
    EXPECT_TRUE(verdict.qualified) << peer->name() << ": " << verdict.reason;
  }
}

}  // namespace
}  // namespace ogee::bench
