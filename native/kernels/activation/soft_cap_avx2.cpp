// soft_cap_avx2.cpp: the soft cap compiled for avx2.
#include "kernels/activation/soft_cap_run.h"

namespace ct {

constinit const SoftCapRun kSoftCapAvx2 = soft_cap_run;

}  // namespace ct
