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
            set(flags ${CORTADO_FLAGS_${isa}})
            # The optimiser takes minutes for checks around these tiles. Nothing in them may be an inline function with
            # external linkage: it would not be inlined, and the linker could hand it to machines without AVX-512.
            if(source MATCHES "(attention|codes)_avx512" AND (CORTADO_SANITIZE OR CORTADO_TSAN))
                list(APPEND flags -O0)
            endif()
            set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${flags}")
        endif()
    endforeach()
endfunction()
