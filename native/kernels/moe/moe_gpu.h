// moe_gpu.h: the plan as the GPU's kernels have it, and the tiles of the experts' products.
//
// Behind cortado.h's offsets and slots lie the number of tiles and the tiles, expert by expert: the plan's rows (sorted
// slots) of one expert, `height` at a time. The grid of a product is the most tiles that num_tokens, top_k and num_experts
// can give; blocks beyond the number of tiles return. So nothing is read by the host, and a graph's grid holds for any ids.
#pragma once

#include "gpu/gpu.h"

namespace gpu::moe {

struct Tile {
    int32_t expert;
    int32_t first;  // row of the plan
};

// Of the experts' products: rows of a tile. Few rows take W as the operand with 16 rows, and read it once for each 8 or 16
// of x; from 32 rows an expert on average, 64 rows share a tile of W.
inline int32_t tile_height(int64_t num_tokens, int32_t top_k, int32_t num_experts) {
    if (num_tokens <= 8) return 8;
    return num_tokens * top_k < int64_t{32} * num_experts ? 16 : 64;
}

inline int64_t most_tiles(int64_t num_tokens, int32_t top_k, int32_t num_experts) {
    const int64_t slots = num_tokens * top_k;
    const int64_t started = slots < num_experts ? slots : num_experts;
    return started + slots / tile_height(num_tokens, top_k, num_experts);
}

struct PlanView {
    const int32_t* offsets;  // [num_experts + 1]
    const int32_t* slots;    // [num_slots]
    const int32_t* num_tiles;
    const Tile* tiles;

    __device__ __forceinline__ PlanView(const int32_t* plan, int32_t num_experts, int64_t num_slots)
        : offsets(plan),
          slots(plan + num_experts + 1),
          num_tiles(slots + num_slots),
          tiles(reinterpret_cast<const Tile*>(num_tiles + 1)) {}
};

inline int64_t plan_words(int64_t num_tokens, int32_t top_k, int32_t num_experts) {
    return num_experts + 1 + num_tokens * top_k + 1 + 2 * most_tiles(num_tokens, top_k, num_experts);
}

}  // namespace gpu::moe
