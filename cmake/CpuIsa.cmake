# Flags of the instruction sets that a source file NAME_avx2.cpp or NAME_avx512.cpp is compiled for. Nothing else is
# compiled with more than the baseline of the architecture: the library must start on every x86-64 machine.
set(CORTADO_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi2)
set(CORTADO_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mavx512bf16 -mavx2 -mfma -mf16c -mbmi2
    -mprefer-vector-width=512)

# GCC 12 takes the deliberately undefined operand inside its own AVX-512 intrinsics for a mistake of ours.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    list(APPEND CORTADO_FLAGS_avx512 -Wno-uninitialized -Wno-maybe-uninitialized)
endif()

function(cortado_isa_flags source)
    foreach(isa avx2 avx512)
        if(source MATCHES "_${isa}\\.cpp$")
            set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${CORTADO_FLAGS_${isa}}")
        endif()
    endforeach()
endfunction()
