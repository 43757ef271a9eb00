// The table while training goes on: in the lowest lines of a terminal, whose other lines stay the program's, or as a
// plain line now and then.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "monitor/show/style.h"
#include "ogee/monitor_record.h"

namespace ogee::monitor::show {

class Live {
 public:
  enum class Form { panel, lines };

  // To this file descriptor: a panel on a terminal that can, else lines.
  explicit Live(int descriptor);
  Live(int descriptor, Form form, Style style);  // for tests
  ~Live();
  Live(const Live&) = delete;
  Live& operator=(const Live&) = delete;

  Form form() const { return form_; }
  // Whether enough time has passed since the last show(): what is shown more often nobody reads.
  bool due() const;
  void show(const Record& record, const std::vector<Finding>& findings);
  // Gives the terminal's lines back. Twice is fine.
  void clear();

 private:
  void reserve(std::size_t lines, std::size_t screen);
  void put(const std::string& text) const;

  int descriptor_;
  Form form_;
  Style style_;
  bool ask_size_ = false;
  std::size_t screen_ = 0, height_ = 0;  // of the terminal and the panel, in lines; 0: no panel now
  double shown_ = -1e9;
};

}  // namespace ogee::monitor::show
