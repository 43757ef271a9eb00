// What shows a record: the table at all sizes, lines of JSON and back, TensorBoard's events read by a small reader of
// the test's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "monitor/json.h"
#include "monitor/sample_record.h"
#include "monitor/show/events.h"
#include "monitor/show/lines.h"
#include "monitor/show/live.h"
#include "monitor/show/output.h"
#include "monitor/show/table.h"
#include "ogee/ogee.h"

namespace ogee::monitor::show {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> result;
  for (std::string line; std::getline(stream, line);) result.push_back(line);
  return result;
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Folder : public testing::Test {
 protected:
  Folder()
      : path_(std::filesystem::temp_directory_path() /
              (std::string("ogee_show_") + testing::UnitTest::GetInstance()->current_test_info()->name() +
               std::to_string(getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() override { std::filesystem::remove_all(path_); }
  std::string path(const std::string& name) const { return (path_ / name).string(); }

  const std::filesystem::path path_;
};

TEST(Table, FitsEveryWidthAndHeight) {
  for (const std::int64_t layers : {0, 1, 2, 12, 200, 500}) {
    const Record record = sample_record(layers, 5);
    const std::vector<Finding> findings = sample_findings(record);
    for (const std::size_t width : {20, 40, 80, 100, 200}) {
      for (const std::size_t rows : {0, 8, 24, 60}) {
        for (const bool unicode : {false, true}) {
          const std::string text = table(record, findings, {width, false, unicode, rows});
          const auto lines = lines_of(text);
          if (rows) {
            EXPECT_LE(lines.size(), rows) << layers << " layers, width " << width;
          }
          for (const std::string& line : lines) {
            // Findings are wrapped at spaces, and their words may be longer than a very narrow terminal.
            if (width >= 40) {
              EXPECT_LE(columns(line), width) << line;
            }
            for (const char c : line) ASSERT_TRUE(unicode || static_cast<unsigned char>(c) < 128) << line;
          }
        }
      }
    }
  }
}

TEST(Table, ShowsTheWorstOfMany) {
  const Record record = sample_record(500, 3);
  const std::string text = table(record, sample_findings(record), {100, false, true, 24});
  EXPECT_THAT(text, HasSubstr("more layers: saturated at most"));
  EXPECT_THAT(text, HasSubstr("249.feed_forward"));     // which a finding names
  EXPECT_THAT(text, HasSubstr("0.attention.project"));  // the first of those whose gradient vanishes
  EXPECT_THAT(text, HasSubstr("vanishing gradient: 375 layers, since step 1"));
  EXPECT_THAT(text, HasSubstr("2 findings"));  // notes are none
}

TEST(Table, SaysNothingOfAHealthyNetwork) {
  const std::string text = table(sample_record(3, 4), {}, Style{});
  EXPECT_THAT(text, HasSubstr("nothing found"));
  EXPECT_EQ(lines_of(text).size(), 5u) << text;
  EXPECT_EQ(report(Record{}, {}, Style{}), "");
}

TEST(Table, ColoursEndWithTheirLines) {
  const Record record = sample_record(4, 4);
  for (const std::string& line : lines_of(table(record, sample_findings(record), {80, true, true, 0})))
    if (line.find('\x1b') != std::string::npos) {
      EXPECT_TRUE(line.ends_with("\x1b[0m")) << line;
    }
}

TEST(Table, WritesNothingATerminalWouldObey) {
  Record record = sample_record(2, 2);
  record.layers[0].name = "evil\x1b[2J\x07";
  std::vector<Finding> findings = sample_findings(record);
  findings[0].evidence = "\x1b]0;title\x07";
  for (const std::string& text : {table(record, findings, Style{}), report(record, findings, Style{})})
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(Table, Numbers) {
  EXPECT_EQ(number(not_measured), "-");
  EXPECT_EQ(number(0), "0");
  EXPECT_EQ(number(-0.01234), "-0.0123");
  EXPECT_EQ(number(1.234e-7), "1.2e-07");
  EXPECT_EQ(number(12345.6), "12346");
  EXPECT_EQ(number(999.9), "1000");
  EXPECT_EQ(number(INFINITY), "inf");
  EXPECT_EQ(percent(0.0312), "3.1 %");
  EXPECT_EQ(percent(0.9999), ">99 %");
  EXPECT_EQ(percent(1), "100 %");
  EXPECT_EQ(percent(1e-5), "<0.1 %");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(-123), "-123");
  EXPECT_EQ(clip("encoder.linear", 8, Style{}, true), "enco…ear");
}

TEST(Live, KeepsToItsLines) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const Record record = sample_record(40, 3);
  {
    Live live(ends[1], Live::Form::panel, {80, false, true, 24});
    live.show(record, sample_findings(record));
    live.show(record, sample_findings(record));
  }
  close(ends[1]);
  std::string text(1 << 16, '\0');
  std::size_t size = 0;
  for (ssize_t got; (got = read(ends[0], text.data() + size, text.size() - size)) > 0;)
    size += static_cast<std::size_t>(got);
  close(ends[0]);
  text.resize(size);
  EXPECT_THAT(text, HasSubstr("\x1b[1;12r"));        // the program's half of the terminal
  EXPECT_THAT(text, HasSubstr("\x1b[r\x1b[13;1H"));  // given back at the end
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 12);
}

class Lines : public Folder {};

TEST_F(Lines, TellTheWholeStory) {
  const Record record = sample_record(5, 300);
  const std::string file = path("run.jsonl");
  {
    Output output(file, "", [&] { return record; });
    ASSERT_TRUE(output.wanted());
    for (std::size_t w = 0; w < 300; ++w) {
      std::vector<LayerWindow> layers;
      for (const Layer& layer : record.layers) layers.push_back({&layer, &layer.history[w]});
      output.window(record.losses[w].step, record.losses[w].value, layers);
    }
    // Without an end, as where a program is killed.
    EXPECT_EQ(output.trouble(), "");
  }
  LineReader reader = read_lines(file);
  EXPECT_FALSE(reader.complete());
  EXPECT_EQ(reader.bad_lines(), 0);
  EXPECT_EQ(reader.windows(), 300);
  EXPECT_EQ(reader.process(), getpid());
  ASSERT_EQ(reader.record().layers.size(), 5u);
  const Layer& layer = reader.record().layers[4];
  EXPECT_EQ(layer.name, record.layers[4].name);
  EXPECT_EQ(layer.function.text, "relu");
  EXPECT_EQ(layer.windows, 300);
  EXPECT_EQ(layer.first.step, 1);
  ASSERT_EQ(layer.history.size(), 256u);
  EXPECT_EQ(layer.history.back().step, record.layers[4].history.back().step);
  EXPECT_EQ(layer.history.back().z_mean, record.layers[4].history.back().z_mean);
  for (std::size_t i = 1; i < layer.history.size(); ++i)
    EXPECT_LE(layer.history[i].step - layer.history[i - 1].step, 100) << "thinned evenly";
  EXPECT_EQ(reader.record().losses.size(), 300u);
}

TEST_F(Lines, EndWithTheRecord) {
  const Record record = sample_record(3, 4);
  const std::string file = path("run.jsonl");
  {
    Output output(file, "", nullptr);
    output.finish(record, sample_findings(record));
    output.window(5, 1, {});  // ignored
  }
  const LineReader reader = read_lines(file);
  EXPECT_TRUE(reader.complete());
  EXPECT_EQ(reader.record().steps, record.steps);
  EXPECT_EQ(reader.record().optimiser, "SGD");
  EXPECT_EQ(reader.findings().size(), 3u);
  EXPECT_EQ(lines_of(content(file)).size(), 2u);
}

TEST_F(Lines, StayReadableForLargeNetworks) {
  Record record = sample_record(200, 250);
  for (Layer& layer : record.layers)
    for (std::int64_t i = 0; i < 4096; ++i) layer.unit.push_back({.index = i, .seen = 1});
  const std::string file = path("run.jsonl");
  {
    Output output(file, "", nullptr);
    output.finish(record, {});
  }
  EXPECT_LT(std::filesystem::file_size(file), 25'000'000u);
  const LineReader reader = read_lines(file);
  ASSERT_TRUE(reader.complete());
  const Layer& layer = reader.record().layers[199];
  EXPECT_EQ(layer.unit.front().index, 0);
  EXPECT_EQ(layer.unit.back().index, 4095);
  EXPECT_EQ(layer.history.back().step, record.layers[199].history.back().step);
  EXPECT_EQ(layer.history.size(), 16384u / 200);
}

TEST_F(Lines, OutliveACutAnywhere) {
  const Record record = sample_record(2, 6);
  const std::string file = path("run.jsonl");
  {
    Output output(file, "", nullptr);
    for (std::size_t w = 0; w < 6; ++w) {
      const LayerWindow layers[] = {{&record.layers[0], &record.layers[0].history[w]},
                                    {&record.layers[1], &record.layers[1].history[w]}};
      output.window(record.losses[w].step, NAN, layers);
    }
  }
  const std::string all = content(file);
  std::int64_t last = 0;
  for (std::size_t size = 0; size <= all.size(); size += 97) {
    LineReader reader;
    for (std::size_t at = 0; at < size; at += 1000) reader.take(std::string_view(all).substr(0, size).substr(at, 1000));
    EXPECT_EQ(reader.bad_lines(), 0);
    EXPECT_GE(reader.windows(), last);
    last = reader.windows();
  }
  EXPECT_GE(last, 5);
  std::ofstream(file, std::ios::app) << "{\"event\":\"win";
  EXPECT_EQ(read_lines(file).windows(), 6);
  EXPECT_EQ(read_lines(file).bad_lines(), 1);
}

TEST_F(Lines, BadFilesAreNamed) {
  const auto message = [](const std::string& file) -> std::string {
    try {
      read_lines(file);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_THAT(message(path("none")), AllOf(HasSubstr("none"), HasSubstr("No such file")));
  std::ofstream(path("csv")) << "a,b\n1,2\n";
  EXPECT_THAT(message(path("csv")), HasSubstr("no line of it is a monitor's"));
  EXPECT_THROW(Output(path("no/such/folder/x"), "", nullptr), Error);
  EXPECT_THROW(Output("unix:" + path("nobody"), "", nullptr), Error);
}

TEST_F(Lines, AFullDiskOnlyEndsTheWriting) {
  Output output("/dev/full", "", nullptr);
  output.window(1, 0.5, {});
  EXPECT_THAT(output.trouble(), HasSubstr("No space left"));
  output.window(2, 0.5, {});
  output.finish(Record{}, {});
}

// --- TensorBoard
// ------------------------------------------------------------------------------------------------------

std::uint64_t little(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// A protocol buffer's fields, every one as the bytes it stands for.
std::multimap<int, std::string> fields(std::string_view message) {
  std::multimap<int, std::string> result;
  const auto number = [&] {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(message.at(0));
      message.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (!message.empty()) {
    const std::uint64_t key = number();
    std::size_t size = 0;
    switch (key & 7) {
      case 0: {
        const std::uint64_t value = number();
        result.emplace(static_cast<int>(key >> 3), std::string(reinterpret_cast<const char*>(&value), 8));
        continue;
      }
      case 1: size = 8; break;
      case 2: size = number(); break;
      case 5: size = 4; break;
      default: throw std::runtime_error("no such kind of field");
    }
    if (size > message.size()) throw std::runtime_error("a field longer than its message");
    result.emplace(static_cast<int>(key >> 3), std::string(message.substr(0, size)));
    message.remove_prefix(size);
  }
  return result;
}
std::string only(const std::multimap<int, std::string>& all, int field) {
  EXPECT_EQ(all.count(field), 1u) << field;
  return all.count(field) ? all.find(field)->second : "";
}

// The records' data, every checksum checked.
std::vector<std::string> records(std::string_view file) {
  std::vector<std::string> result;
  while (!file.empty()) {
    const std::string_view length = file.substr(0, 8);
    EXPECT_EQ(little(file.substr(8, 4)), masked_crc32c(length));
    const std::string_view data = file.substr(12, little(length));
    EXPECT_EQ(little(file.substr(12 + data.size(), 4)), masked_crc32c(data));
    result.emplace_back(data);
    file.remove_prefix(16 + data.size());
  }
  return result;
}

TEST(Checksum, OfCastagnoli) {
  // RFC 3720, B.4.
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(masked_crc32c(std::string(32, '\0')), std::rotr(0x8a9136aau, 15) + 0xa282ead8u);
}

class Events : public Folder {};

TEST_F(Events, AreReadBack) {
  const Record record = sample_record(2, 3);
  std::string file;
  {
    EventWriter writer(path("logs/run"));
    file = writer.path();
    writer.layer(51, "first", record.layers[0].history[1]);
    writer.scalar(51, "loss", 0.25);
    writer.finding(51, sample_findings(record)[1]);
    EXPECT_TRUE(writer.flush());
  }
  const std::vector<std::string> all = records(content(file));
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(only(fields(all[0]), 3), "brain.Event:2");
  EXPECT_NEAR(std::bit_cast<double>(little(only(fields(all[0]), 1))), static_cast<double>(std::time(nullptr)), 60);
  std::map<std::string, std::multimap<int, std::string>> values;
  for (std::size_t i = 1; i < all.size(); ++i) {
    EXPECT_EQ(little(only(fields(all[i]), 2)), 51u);
    for (const auto& [number, value] : fields(only(fields(all[i]), 5))) {
      EXPECT_EQ(number, 1);
      values[only(fields(value), 1)] = fields(value);
    }
  }
  const auto scalar = [&](const std::string& tag) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(little(only(values.at(tag), 2))));
  };
  EXPECT_EQ(scalar("loss"), 0.25f);
  EXPECT_EQ(scalar("z_deviation/first"), static_cast<float>(record.layers[0].history[1].z_deviation));
  EXPECT_EQ(scalar("saturated_left/first"), static_cast<float>(record.layers[0].history[1].left));
  EXPECT_FALSE(values.contains("noise/first")) << "which was not measured";
  const auto histogram = fields(only(values.at("z/first"), 5));
  const std::string limits = only(histogram, 6), counts = only(histogram, 7);
  EXPECT_EQ(limits.size(), counts.size());
  double sum = 0;
  for (std::size_t i = 0; i < counts.size(); i += 8) sum += std::bit_cast<double>(little(counts.substr(i, 8)));
  EXPECT_EQ(sum, std::bit_cast<double>(little(only(histogram, 3))));
  const auto text = values.at("findings/dead_units/encoder.blocks.0.feed_forward");
  EXPECT_THAT(only(fields(only(text, 8)), 8), HasSubstr("38 of 64 units"));
  EXPECT_EQ(only(fields(only(fields(only(text, 9)), 1)), 1), "text");
}

TEST_F(Events, WhereNoneCanBeMade) {
  std::ofstream(path("file")) << "x";
  EXPECT_THROW(EventWriter(path("file")), Error);
  EXPECT_THROW(EventWriter(path("file/below")), Error);
}

}  // namespace
}  // namespace ogee::monitor::show
