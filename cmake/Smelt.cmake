# Helpers shared by every CMakeLists.txt of the project.

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
find_program(LLD_PROGRAM NAMES ld.lld-22 ld.lld)
if(LLD_PROGRAM AND CMAKE_CXX_COMPILER_ID MATCHES Clang)
  add_link_options(--ld-path=${LLD_PROGRAM})
endif()

add_compile_options(-Wall -Wextra -Wno-unused-parameter
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-dangling-else>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-dangling-reference>)
if(SMELT_WARNINGS_AS_ERRORS)
  add_compile_options(-Werror)
endif()
if(SMELT_SANITIZE)
  add_compile_options(-fsanitize=${SMELT_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SMELT_SANITIZE})
endif()

# smelt_add_library(NAME SOURCES... LINK LIBS... DEPENDS TARGETS...)
# A library of the compiler: sees include/ (sources and generated) and MLIR.
function(smelt_add_library name)
  cmake_parse_arguments(ARG "" "" "LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_include_directories(${name} PUBLIC
    ${CMAKE_SOURCE_DIR}/include ${CMAKE_BINARY_DIR}/include)
  target_include_directories(${name} SYSTEM PUBLIC
    ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
  target_link_libraries(${name} PUBLIC ${ARG_LINK} MLIR LLVM)
  if(NOT SMELT_SANITIZE)
    target_precompile_headers(${name} PRIVATE
      ${CMAKE_SOURCE_DIR}/cmake/Precompiled.h)
  endif()
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# smelt_add_tablegen(TARGET TDFILE GENERATOR OUTPUT [GENERATOR OUTPUT]...)
function(smelt_add_tablegen target td)
  set(LLVM_TARGET_DEFINITIONS ${td})
  set(args ${ARGN})
  while(args)
    list(POP_FRONT args generator output)
    string(REPLACE " " ";" generator "${generator}")
    mlir_tablegen(${output} ${generator} -I${CMAKE_SOURCE_DIR}/include
      -I${MLIR_INCLUDE_DIRS})
  endwhile()
  add_custom_target(${target} DEPENDS ${TABLEGEN_OUTPUT})
endfunction()

# smelt_add_unit_test(NAME SOURCES... LINK LIBS...)
# A googletest program; `check-smelt` builds and runs it.
function(smelt_add_unit_test name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  find_package(GTest REQUIRED)
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest
    GTest::gtest_main)
  set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
  set_property(GLOBAL APPEND PROPERTY SMELT_UNIT_TESTS ${name})
endfunction()
