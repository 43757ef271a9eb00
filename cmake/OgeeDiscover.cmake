# One ctest entry per TEST or TEST_P of a GoogleTest program, whatever the number of its parameters:
#
#   ogee_discover(core_tests core)     core.Golden.Agrees runs --gtest_filter=Catalogue/Golden.Agrees/*
#
# The program is asked for its tests when ctest starts. Between hundreds of parameters nobody would find a test; and an
# entry counts as skipped only if nothing in it ran (tests/house/gtest).
function(ogee_discover target label)
  set(script ${CMAKE_CURRENT_BINARY_DIR}/${target}_discover.cmake)
  file(GENERATE OUTPUT ${script} CONTENT "
set(emulator [=[${CMAKE_CROSSCOMPILING_EMULATOR}]=])
set(program [=[$<TARGET_FILE:${target}>]=])
set(runner [=[${PROJECT_SOURCE_DIR}/tests/house/gtest]=])
set(directory [=[${PROJECT_SOURCE_DIR}]=])
set(label ${label})
include([=[${PROJECT_SOURCE_DIR}/cmake/OgeeDiscoverTests.cmake]=])
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${script})
endfunction()
