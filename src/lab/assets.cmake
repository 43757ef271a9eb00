# Files built into the program: the data set and what the report is made of. Each becomes the bytes between two labels
# of an assembler block inside a C++ file, which costs no compile time, whatever its size.

set(asset_code "")
set(asset_files "")
function(ogee_asset_begin symbol)
  string(APPEND asset_code "asm(\".section .rodata\\n.global ogee_asset_${symbol}\\n.balign 16\\n\"\n"
                           "    \"ogee_asset_${symbol}:\\n\"\n")
  set(asset_code "${asset_code}" PARENT_SCOPE)
endfunction()
function(ogee_asset_text text)
  string(APPEND asset_code "    \".ascii \\\"${text}\\\"\\n\"\n")
  set(asset_code "${asset_code}" PARENT_SCOPE)
endfunction()
function(ogee_asset_file path)
  string(APPEND asset_code "    \".incbin \\\"${path}\\\"\\n\"\n")
  set(asset_code "${asset_code}" PARENT_SCOPE)
  set(asset_files ${asset_files} ${path} PARENT_SCOPE)
endfunction()
function(ogee_asset_end symbol)
  string(APPEND asset_code "    \".global ogee_asset_${symbol}_end\\nogee_asset_${symbol}_end:\\n\"\n"
                           "    \".byte 0\\n.text\\n\");\n")
  set(asset_code "${asset_code}" PARENT_SCOPE)
endfunction()

# ogee_asset(symbol FILES...): these files of the source, one after another.
function(ogee_asset symbol)
  ogee_asset_begin(${symbol})
  foreach(path ${ARGN})
    ogee_asset_file(${PROJECT_SOURCE_DIR}/${path})
  endforeach()
  ogee_asset_end(${symbol})
  set(asset_code "${asset_code}" PARENT_SCOPE)
  set(asset_files ${asset_files} PARENT_SCOPE)
endfunction()

ogee_asset(optdigits data/optdigits.csv.gz)
ogee_asset(page_html src/lab/page.html)
ogee_asset(page_css src/lab/page.css)
ogee_asset(report_js src/lab/report.js src/lab/report_charts.js src/lab/report_compare.js src/lab/report_layers.js
           src/lab/report_draw.js)
ogee_asset(side_by_side_css src/lab/side_by_side.css)
ogee_asset(monitor_report_css src/lab/monitor_report.css)
ogee_asset(monitor_report_js src/lab/monitor_report.js src/lab/monitor_report_maps.js)
ogee_asset(claims_css src/claims/claims.css)
ogee_asset(claims_js src/claims/claims.js src/claims/claims_charts.js src/lab/report_draw.js)

# The claims of the literature, in the order of claims/list.txt, each after a line with its name (claims/claim_files.cc).
file(STRINGS ${PROJECT_SOURCE_DIR}/claims/list.txt claims)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/claims/list.txt)
ogee_asset_begin(claims)
foreach(claim ${claims})
  ogee_asset_text("\\\\n#@ ${claim}\\\\n")
  ogee_asset_file(${PROJECT_SOURCE_DIR}/claims/${claim}.toml)
endforeach()
ogee_asset_end(claims)

# Vega. Some systems ship it whole; Debian ships its packages one by one, as UMD modules that ask for each other by
# name, so here each gets a wrapper that registers it in `ogeeModules`, which stays empty where Vega comes whole.
find_file(OGEE_VEGA vega.min.js PATHS /usr/share/javascript/vega /usr/share/nodejs/vega/build NO_DEFAULT_PATH)
find_path(OGEE_VEGA_PACKAGES vega-view.min.js PATHS /usr/share/javascript/vega NO_DEFAULT_PATH)
ogee_asset_begin(vega)
ogee_asset_text("var ogeeModules={};\\\\n")
if(OGEE_VEGA)
  ogee_asset_file(${OGEE_VEGA})
elseif(OGEE_VEGA_PACKAGES)
  foreach(package util time format loader dataflow scale statistics canvas scenegraph expression selection functions
                  runtime event-selector parser view transforms view-transforms encode)
    set(name vega-${package})
    if(package STREQUAL selection)
      set(name vega-selections)  # the file and the module are called differently
    endif()
    ogee_asset_text("ogeeModules['${name}']=function(exports,module,require){")
    ogee_asset_file(${OGEE_VEGA_PACKAGES}/vega-${package}.min.js)
    ogee_asset_text("\\\\n};\\\\n")
  endforeach()
else()
  message(FATAL_ERROR "Vega not found: install libjs-vega, or set OGEE_VEGA to a vega.min.js")
endif()
ogee_asset_end(vega)

set(asset_source ${CMAKE_CURRENT_BINARY_DIR}/lab/assets.cc)
file(CONFIGURE OUTPUT ${asset_source} CONTENT "// Made by src/lab/assets.cmake.\n@asset_code@" @ONLY)
set_source_files_properties(${asset_source} PROPERTIES OBJECT_DEPENDS "${asset_files}" SKIP_PRECOMPILE_HEADERS ON)
target_sources(ogee_lab PRIVATE ${asset_source})
