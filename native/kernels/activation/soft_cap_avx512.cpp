// soft_cap_avx512.cpp: the soft cap compiled for avx512.
#include "kernels/activation/soft_cap_run.h"

namespace ct {

constinit const SoftCapRun kSoftCapAvx512 = soft_cap_run;

}  // namespace ct
