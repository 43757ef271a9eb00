#include "data/recall.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "ogee/libtorch.h"
#include "data/parts.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

std::string draw_bits(std::int64_t count, Draw& draw) {
  std::string bits;
  for (std::int64_t i = 0; i < count; ++i) bits += draw.below(2) == 0 ? '0' : '1';
  return bits;
}

// Writes an example's steps, one after another.
class Steps {
 public:
  Steps(float* x, float* y, std::int64_t columns, std::int64_t bits) : x_(x), y_(y), columns_(columns), bits_(bits) {}

  void mark(std::int64_t column) {
    x_[column] = 1;
    next();
  }
  // `vectors`: a whole number of them.
  void show(std::string_view vectors) {
    for (std::size_t from = 0; from < vectors.size(); from += static_cast<std::size_t>(bits_), next())
      for (std::int64_t i = 0; i < bits_; ++i) x_[i] = bit(vectors, from, i);
  }
  void ask(std::string_view vectors) {
    for (std::size_t from = 0; from < vectors.size(); from += static_cast<std::size_t>(bits_), next())
      for (std::int64_t i = 0; i < bits_; ++i) y_[i] = bit(vectors, from, i);
  }

 private:
  static float bit(std::string_view vectors, std::size_t from, std::int64_t i) {
    return vectors[from + static_cast<std::size_t>(i)] == '1' ? 1.0F : 0.0F;
  }
  void next() {
    x_ += columns_;
    y_ += bits_;
  }
  float *x_, *y_;
  const std::int64_t columns_, bits_;
};

void write(const Copy& task, std::string_view text, Steps steps) {
  steps.show(text);
  steps.mark(task.bits);
  steps.ask(text);
}
std::int64_t difficulty_of(const Copy& task, std::string_view text) {
  return static_cast<std::int64_t>(text.size()) / task.bits;
}

void write(const AssociativeRecall& task, std::string_view text, Steps steps) {
  const auto size = static_cast<std::size_t>(task.bits * task.length);
  const std::size_t items = text.size() / size, asked = static_cast<std::size_t>(text.back() - 'a');
  const auto item = [&](std::size_t i) { return text.substr(i * size, size); };
  for (std::size_t i = 0; i < items; ++i) {
    steps.mark(task.bits);
    steps.show(item(i));
  }
  steps.mark(task.bits + 1);
  steps.show(item(asked));
  steps.mark(task.bits + 1);
  steps.ask(item(asked + 1));
}
std::int64_t difficulty_of(const AssociativeRecall& task, std::string_view text) {
  return static_cast<std::int64_t>(text.size()) / (task.bits * task.length);
}

// Steps behind the end of shorter examples are all zeros, and not asked for.
template <class Kind>
Part part_from(const Kind& task, const std::vector<std::string>& texts) {
  const auto count = static_cast<std::int64_t>(texts.size());
  Part part{torch::zeros({count, task.steps(), task.columns()}),
            torch::full({count, task.steps(), task.bits}, not_asked, torch::kFloat)};
  for (std::int64_t i = 0; i < count; ++i)
    write(task, texts[static_cast<std::size_t>(i)],
          Steps(part.x.data_ptr<float>() + i * task.steps() * task.columns(),
                part.y.data_ptr<float>() + i * task.steps() * task.bits, task.columns(), task.bits));
  return part;
}

template <class Kind>
Dataset drawn(const Kind& task, const Request& request, Attributes& attributes,
              std::string (*draw_one)(const Kind&, Draw&), const std::string& note) {
  const Sizes sizes = take_sizes(attributes, request, 20000);
  attributes.finish();
  Draw draw(sizes.seed);
  const auto parts = draw_parts(sizes, request.data, [&] { return draw_one(task, draw); });
  Dataset set;
  set.name = request.data;
  set.goal = Goal::recall;
  set.shape = {task.steps(), task.columns()};
  set.answers = task.bits;
  set.train = part_from(task, parts[0]);
  set.validation = part_from(task, parts[1]);
  set.test = part_from(task, parts[2]);
  std::vector<std::int64_t> difficulty;
  for (const std::string& text : parts[0]) difficulty.push_back(difficulty_of(task, text));
  set.difficulty = torch::tensor(difficulty, torch::kLong);
  set.baseline = 0.5;
  set.notes.push_back(note);
  seal(set);
  return set;
}

}  // namespace

std::string draw_copy(const Copy& task, Draw& draw) {
  return draw_bits(draw.from_to(task.shortest, task.longest) * task.bits, draw);
}

std::string draw_recall(const AssociativeRecall& task, Draw& draw) {
  const auto size = static_cast<std::size_t>(task.bits * task.length);
  while (true) {
    const std::int64_t items = draw.from_to(task.fewest, task.most), asked = draw.below(items - 1);
    std::string text = draw_bits(items * static_cast<std::int64_t>(size), draw);
    const std::string query = text.substr(static_cast<std::size_t>(asked) * size, size);
    std::int64_t alike = 0;
    for (std::size_t from = 0; from < text.size(); from += size) alike += text.compare(from, size, query) == 0;
    if (alike == 1) return text + static_cast<char>('a' + asked);
  }
}

Dataset load_copy(const Request& request) {
  Attributes attributes("--data", request.data);
  Copy task;
  task.bits = attributes.take("bits", task.bits, 1, 64);
  task.longest = attributes.take("longest", task.longest, 1, 256);
  task.shortest = attributes.take("shortest", std::min(task.shortest, task.longest), 1, task.longest);
  return drawn(
      task, request, attributes, draw_copy,
      fmt::format("drawn: {} to {} vectors of {} random bits, to be given back in order once an end mark has been "
                  "seen; the loss is in nats, a mean over a step's bits, summed over the steps asked for",
                  task.shortest, task.longest, task.bits));
}

Dataset load_associative_recall(const Request& request) {
  Attributes attributes("--data", request.data);
  AssociativeRecall task;
  task.bits = attributes.take("bits", task.bits, 1, 64);
  task.length = attributes.take("length", task.length, 1, 16);
  task.most = attributes.take("most", task.most, 2, 24);
  task.fewest = attributes.take("fewest", std::min(task.fewest, task.most), 2, task.most);
  return drawn(
      task, request, attributes, draw_recall,
      fmt::format("drawn: {} to {} items of {} vectors of {} random bits; one of them is shown again, and that "
                  "which followed is to be given back; the loss is in nats, a mean over a step's bits, summed "
                  "over the {} steps asked for: {:.3g} for even guesses",
                  task.fewest, task.most, task.length, task.bits, task.length,
                  0.6931471805599453 * static_cast<double>(task.length)));
}

}  // namespace ogee::data
