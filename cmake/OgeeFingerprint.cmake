# cmake -DDIRECTORY=src -DOUT=fingerprint.h -P OgeeFingerprint.cmake
# A header with a checksum, for each family of functions, of all that its float32 kernels are made of, by which stored
# measurements know whose they are: what all share, and the definitions up to its own, as later ones build on earlier
# ones. Quick forms count for the families that include them. How a call is cut into rows, conversions, noise, masks, threads,
# sparse products, memories and recurrent cells do no arithmetic of a function's; neither do comments and white space.
cmake_minimum_required(VERSION 3.22)
function(checksum source out)
  file(READ "${source}" text)
  string(REGEX REPLACE "//[^\n]*" "" text "${text}")
  string(REGEX REPLACE "[ \t\r\n]+" "" text "${text}")
  string(SHA256 sum "${text}")
  set(${out} "${sum}" PARENT_SCOPE)
endfunction()
file(GLOB shared LIST_DIRECTORIES false "${DIRECTORY}/functions/*.h" "${DIRECTORY}/lanes/*" "${DIRECTORY}/kernels/*"
     "${DIRECTORY}/kernels/quick/forms-inl.h" "${DIRECTORY}/kernels/quick/rows-inl.h" "${DIRECTORY}/accuracy/*")
list(FILTER shared EXCLUDE REGEX "/kernels/(cache|convert|driver|mask|noise|normal_table|operands|plain|staging|threads)\\.[a-z]+$")
list(SORT shared)
set(all "")
foreach(source IN LISTS shared)
  checksum("${source}" one)
  string(APPEND all "${one}")
endforeach()
file(STRINGS "${DIRECTORY}/functions/catalogue.inc" lines REGEX "^#include")
set(families "")
foreach(line IN LISTS lines)
  string(REGEX REPLACE ".*/([a-z]+)\\.inc.*" "\\1" family "${line}")
  checksum("${DIRECTORY}/functions/${family}.inc" one)
  string(APPEND all "${one}")
  set(own "${all}")
  set(quick "${family}-inl.h")  # and what it includes; the list grows as it is read
  set(next 0)
  list(LENGTH quick count)
  while(next LESS count)
    list(GET quick ${next} source)
    file(STRINGS "${DIRECTORY}/kernels/quick/${source}" lines_of_source REGEX "^#include \"kernels/quick/")
    foreach(line_of_source IN LISTS lines_of_source)
      string(REGEX REPLACE ".*/(.*)\"" "\\1" source "${line_of_source}")
      list(APPEND quick "${source}")
    endforeach()
    list(REMOVE_DUPLICATES quick)
    list(LENGTH quick count)
    math(EXPR next "${next} + 1")
  endwhile()
  foreach(source IN LISTS quick)
    checksum("${DIRECTORY}/kernels/quick/${source}" one)
    string(APPEND own "${one}")
  endforeach()
  string(SHA256 short "${own}")
  string(SUBSTRING "${short}" 0 16 short)
  string(APPEND families "    {\"${family}\", \"${short}\"},\n")
endforeach()
file(CONFIGURE OUTPUT "${OUT}" @ONLY CONTENT "#pragma once
#include <string_view>
#include <utility>
namespace ogee::accuracy {
inline constexpr std::pair<std::string_view, std::string_view> fingerprints[] = {
${families}};
}
")
