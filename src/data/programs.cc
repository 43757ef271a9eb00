#include "data/programs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "ogee/libtorch.h"
#include "data/parts.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

// Number 0 fills up short texts.
constexpr char all_characters[] = "\0\n()*+-.:;<=0123456789 FTabcdefghijklmnopqrstuvwxyz";
constexpr std::string_view characters(all_characters, sizeof(all_characters) - 1);
constexpr std::string_view variables = "abcdefghijklmnopqrstuvwyz";  // x counts in loops

// A part of a program: lines that must come before, and an expression with its value.
struct Piece {
  std::string lines, expression;
  std::int64_t value;
  bool truth = false;  // printed as True or False; reckoned with as 1 or 0
};

class Writer {
 public:
  Writer(const Programs& task, Draw& draw) : task_(task), draw_(draw), free_(variables) {
    for (std::int64_t i = 0; i < task.length; ++i) largest_ *= 10;
  }

  std::string write() {
    for (std::int64_t i = 0; i < task_.nesting; ++i) stack_.push_back(operation());
    const Piece& last = stack_.back();
    const std::string answer = last.truth ? (last.value != 0 ? "True" : "False") : std::to_string(last.value);
    return fmt::format("{}print({})\n{}.", last.lines, last.expression, answer);
  }

 private:
  Piece operation() {
    switch (draw_.below(6)) {
      case 0: return pair();
      case 1: return small_multiplication();
      case 2: return equality();
      case 3: return variable();
      case 4: return small_loop();
      default: return if_statement();
    }
  }

  Piece number(std::int64_t value) const { return {"", std::to_string(value), value}; }

  // What the last operation gave is one of them, at any place.
  std::vector<Piece> operands(std::size_t count) {
    std::vector<Piece> all;
    for (std::size_t i = 0; i < count; ++i) {
      if (stack_.empty()) {
        all.push_back(number(draw_.from_to(1, largest_)));
      } else {
        all.push_back(std::move(stack_.back()));
        stack_.pop_back();
      }
    }
    for (std::size_t i = count; i > 1; --i)
      std::swap(all[i - 1], all[static_cast<std::size_t>(draw_.below(static_cast<std::int64_t>(i)))]);
    return all;
  }

  static std::string lines_of(const std::vector<Piece>& pieces) {
    std::string lines;
    for (const Piece& piece : pieces) lines += piece.lines;
    return lines;
  }

  std::string fresh_variable() {
    const auto at = static_cast<std::size_t>(draw_.below(static_cast<std::int64_t>(free_.size())));
    const std::string name(1, free_[at]);
    free_.erase(at, 1);
    return name;
  }

  Piece plus_or_minus(const std::string& lines, const Piece& a, const Piece& b) {
    const bool plus = draw_.below(2) == 0;
    return {lines, fmt::format("({}{}{})", a.expression, plus ? '+' : '-', b.expression),
            plus ? a.value + b.value : a.value - b.value};
  }

  Piece pair() {
    const auto o = operands(2);
    return plus_or_minus(lines_of(o), o[0], o[1]);
  }

  Piece small_multiplication() {
    const auto o = operands(1);
    const Piece small = number(draw_.from_to(1, 4 * task_.length));
    const auto& [a, b] = draw_.below(2) == 0 ? std::pair(o[0], small) : std::pair(small, o[0]);
    return {lines_of(o), fmt::format("({}*{})", a.expression, b.expression), a.value * b.value};
  }

  // Two numbers drawn evenly would hardly ever be equal: half of the time the other one is.
  Piece equality() {
    const auto o = operands(1);
    const bool same = draw_.below(2) == 0 && o[0].value >= 0;
    const Piece other = number(same ? o[0].value : draw_.from_to(1, largest_));
    const auto& [a, b] = draw_.below(2) == 0 ? std::pair(o[0], other) : std::pair(other, o[0]);
    return {lines_of(o), fmt::format("({}=={})", a.expression, b.expression), a.value == b.value ? 1 : 0, true};
  }

  Piece variable() {
    const auto o = operands(2);
    const std::string name = fresh_variable();
    return plus_or_minus(fmt::format("{}{}={};\n", lines_of(o), name, o[0].expression), {"", name, o[0].value}, o[1]);
  }

  Piece small_loop() {
    const auto o = operands(2);
    const std::string name = fresh_variable();
    const std::int64_t times = draw_.from_to(1, 4 * task_.length);
    return {fmt::format("{}{}={};\nfor x in range({}):{}+={}\n", lines_of(o), name, o[0].expression, times, name,
                        o[1].expression),
            name, o[0].value + times * o[1].value};
  }

  Piece if_statement() {
    const auto o = operands(4);
    const Piece& chosen = o[0].value < o[1].value ? o[2] : o[3];
    return {lines_of(o),
            fmt::format("({} if {}<{} else {})", o[2].expression, o[0].expression, o[1].expression, o[3].expression),
            chosen.value, chosen.truth};
  }

  const Programs& task_;
  Draw& draw_;
  std::string free_;
  std::int64_t largest_ = 1;
  std::vector<Piece> stack_;
};

// Every character but the last is given, and the answer's are asked for.
Part part_from(const std::vector<std::string>& texts, std::int64_t longest) {
  const auto count = static_cast<std::int64_t>(texts.size());
  Part part{torch::zeros({count, longest - 1}, torch::kLong),
            torch::full({count, longest - 1}, not_asked_token, torch::kLong)};
  for (std::int64_t i = 0; i < count; ++i) {
    const std::string& text = texts[static_cast<std::size_t>(i)];
    const std::size_t answer = answer_of(text);
    std::int64_t* x = part.x.data_ptr<std::int64_t>() + i * (longest - 1);
    std::int64_t* y = part.y.data_ptr<std::int64_t>() + i * (longest - 1);
    for (std::size_t j = 0; j < text.size(); ++j) {
      const auto token = static_cast<std::int64_t>(characters.find(text[j]));
      if (j + 1 < text.size()) x[j] = token;
      if (j >= answer) y[j - 1] = token;
    }
  }
  return part;
}

// The perplexity of always answering the frequencies of the training answers' characters, with one count more for each.
double answers_perplexity(const Dataset& set) {
  const auto answers = [](const Part& part) { return part.y.masked_select(part.y.ge(0)); };
  const at::Tensor counts = torch::bincount(answers(set.train), {}, set.outputs()).to(torch::kDouble) + 1;
  return std::exp(-(counts / counts.sum()).log().index_select(0, answers(set.test)).mean().item<double>());
}

// The levels below the task, as its authors raise them: all lengths, and then the next nesting.
std::vector<Programs> easier_than(const Programs& task) {
  std::vector<Programs> levels;
  for (std::int64_t nesting = 1; nesting <= task.nesting; ++nesting)
    for (std::int64_t length = 1; length <= task.length; ++length) levels.push_back({length, nesting});
  levels.pop_back();
  return levels;
}

// So many programs of each easier level, to train on and to tell whether it has been learned.
struct Easier {
  std::int64_t train, validation;
};
Easier take_easier(Attributes& attributes, const Request& request, const Programs& task, std::int64_t train) {
  constexpr std::int64_t most = 10'000'000;
  Easier easier{attributes.take("easier", 0, 0, most), attributes.take_given("easier_validation", 0, 1, most)};
  if (easier.train == 0 && easier.validation > 0)
    attributes.refuse("easier_validation", std::to_string(easier.validation), "easier=... beside it");
  if (easier.train == 0) return easier;
  if (task.length == 1 && task.nesting == 1)
    attributes.refuse("easier", std::to_string(easier.train), "length or nesting above 1 beside it");
  if (request.train_limit > 0) easier.train = std::min(easier.train, request.train_limit);
  // An epoch is as long as the task's own training part, and has no room for more.
  if (easier.train > train)
    attributes.refuse("easier", std::to_string(easier.train), fmt::format("at most the {} of train", train));
  if (easier.validation == 0) easier.validation = 1000;
  return easier;
}

// `each`, `last`: how many programs to train on.
void describe_levels(Dataset& set, const std::vector<Programs>& easier, const Programs& task, std::int64_t each,
                     std::int64_t last) {
  const auto add = [&](const Programs& level, std::int64_t size) {
    set.levels.names.push_back(fmt::format("length {}, nesting {}", level.length, level.nesting));
    set.levels.sizes.push_back(size);
  };
  for (const Programs& level : easier) add(level, each);
  add(task, last);
  set.notes.push_back(
      fmt::format("drawn for a curriculum: {} easier level{}, {} programs of each to train on and {} "
                  "to tell whether it has been learned",
                  easier.size(), easier.size() == 1 ? "" : "s", each, set.levels.validation.front().size()));
}

}  // namespace

std::string draw_program(const Programs& task, Draw& draw) { return Writer(task, draw).write(); }

std::size_t answer_of(const std::string& text) { return text.rfind('\n') + 1; }

Dataset load_programs(const Request& request) {
  Attributes attributes("--data", request.data);
  // Results must fit an int64: 10^length times 4*length for each operation.
  Programs task;
  task.length = attributes.take("length", task.length, 1, 8);
  task.nesting = attributes.take("nesting", task.nesting, 1, 6);
  const Sizes sizes = take_sizes(attributes, request, 50000);
  const Easier easier = take_easier(attributes, request, task, sizes.parts[0]);
  attributes.finish();
  Draw draw(sizes.seed);
  const auto parts = draw_parts(sizes, request.data, [&] { return draw_program(task, draw); });
  std::size_t longest = 0;
  const auto measure = [&](const std::vector<std::string>& texts) {
    for (const std::string& text : texts) longest = std::max(longest, text.size());
  };
  for (const auto& part : parts) measure(part);
  // After the task's own programs, which are the same with and without.
  std::vector<std::string> all;  // of all levels to train on
  std::vector<std::vector<std::string>> validations;
  const std::vector<Programs> levels = easier.train > 0 ? easier_than(task) : std::vector<Programs>();
  for (const Programs& level : levels) {
    auto its = draw_parts({{easier.train, easier.validation, 0}, sizes.seed}, request.data,
                          [&] { return draw_program(level, draw); });
    measure(its[0]);
    measure(its[1]);
    std::move(its[0].begin(), its[0].end(), std::back_inserter(all));
    validations.push_back(std::move(its[1]));
  }
  Dataset set;
  set.name = request.data;
  set.goal = Goal::language;
  set.masked = true;
  set.shape = {static_cast<std::int64_t>(longest) - 1};
  for (const char c : characters) set.classes.push_back(c == '\0' ? "<end>" : std::string(1, c));
  const auto filled = [&](const std::vector<std::string>& texts) {
    return part_from(texts, static_cast<std::int64_t>(longest));
  };
  set.notes.push_back(
      fmt::format("drawn: programs of {} operation{} on numbers up to 10^{}; only the characters that a "
                  "program prints are asked for, each after those before it",
                  task.nesting, task.nesting == 1 ? "" : "s", task.length));
  if (levels.empty()) {
    set.train = filled(parts[0]);
  } else {
    all.insert(all.end(), parts[0].begin(), parts[0].end());
    set.levels.train = filled(all);
    for (const auto& texts : validations) set.levels.validation.push_back(filled(texts));
    describe_levels(set, levels, task, easier.train, sizes.parts[0]);
    set.train = set.levels.last();
  }
  set.validation = filled(parts[1]);
  set.test = filled(parts[2]);
  std::vector<std::int64_t> lengths;
  for (const std::string& text : parts[0]) lengths.push_back(static_cast<std::int64_t>(text.size()));
  set.difficulty = torch::tensor(lengths, torch::kLong);
  set.baseline = answers_perplexity(set);
  seal(set);
  return set;
}

}  // namespace ogee::data
