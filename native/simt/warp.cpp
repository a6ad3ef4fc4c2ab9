// warp.cpp: collectives. Every lane leaves what it brings in the warp's exchange and waits; the last to come lets the
// others go on and goes on itself.
#include <bit>
#include <cstdio>
#include <cstring>

#include "simt/collective.h"

namespace simt {

const char* name_of(Collective collective) {
    switch (collective) {
        case Collective::kShuffle:
            return "shuffle";
        case Collective::kBallot:
            return "ballot";
        case Collective::kSum:
            return "warp_sum";
        case Collective::kMax:
            return "warp_max";
        case Collective::kIntegerSum:
            return "warp_sum";
        case Collective::kSyncWarp:
            return "sync_warp";
        case Collective::kElect:
            return "elect";
        case Collective::kLoadMatrix:
            return "load_matrix";
        case Collective::kMma:
            return "mma";
    }
    return "";
}

void check_lanes(const Warp& warp, const Fiber& self, Collective collective, Site site) {
    if (warp.lanes != kAllLanes) {
        raise(site, "%s takes 32 lanes, this warp has %d", name_of(collective), std::popcount(warp.lanes));
    }
    if (warp.exited != 0) {
        raise(site, "wrong mask: %s takes 32 lanes, %d of this warp have exited (0x%08x)", name_of(collective),
              std::popcount(warp.exited), warp.exited);
    }
    for (uint32_t rest = warp.partial; rest != 0; rest &= rest - 1) {
        int lane = std::countr_zero(rest);
        if (warp.partial_masks[lane] >> self.lane & 1) {
            raise(site, "divergent collective: %s, but lane %d waits for this one at sync_warp(0x%08x) at line %u",
                  name_of(collective), lane, warp.partial_masks[lane], warp.fibers[lane]->site.line());
        }
    }
}

void check_same(const Warp& warp, Collective collective, Site site) {
    if (warp.collective == collective && same_site(warp.site, site)) return;
    raise(site, "divergent collective: %s, but lane %d of this warp waits at %s at %s:%u", name_of(collective),
          std::countr_zero(warp.arrived), name_of(warp.collective), file_of(warp.site), warp.site.line());
}

namespace {

inline float float_of(uint64_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits)); }

// Butterfly 16, 8, 4, 2, 1 over the lanes' values: what every lane would get from shuffle_xor.
template <typename Combine>
void butterfly(Exchange& exchange, const Combine& combine) {
    uint32_t values[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) values[lane] = static_cast<uint32_t>(exchange.values[lane]);
    for (int distance = kLanes / 2; distance > 0; distance /= 2) {
        for (int lane = 0; lane < distance; ++lane) values[lane] = combine(values[lane], values[lane + distance]);
    }
    exchange.result = values[0];
}

template <typename Combine>
uint32_t reduce(Collective collective, uint32_t value, Site site, const Combine& combine) {
    Fiber& self = *current;
    Exchange& exchange = join(self, collective, site);
    exchange.values[self.lane] = value;
    meet(self, site, [&](Exchange& e) { butterfly(e, combine); });
    return static_cast<uint32_t>(exchange.result);
}

}  // namespace

uint64_t shuffle(uint64_t value, uint32_t source_lane, Site site) {
    Fiber& self = *current;
    Exchange& exchange = join(self, Collective::kShuffle, site);
    exchange.values[self.lane] = value;
    meet(self, site, [](Exchange&) {});
    return exchange.values[source_lane & 31];
}

uint32_t ballot(bool vote, Site site) {
    Fiber& self = *current;
    Exchange& exchange = join(self, Collective::kBallot, site);
    if (self.warp->arrived == 0) exchange.votes = 0;
    exchange.votes |= static_cast<uint32_t>(vote) << self.lane;
    meet(self, site, [](Exchange&) {});
    return exchange.votes;
}

float warp_sum(float value, Site site) {
    return float_of(reduce(Collective::kSum, std::bit_cast<uint32_t>(value), site,
                           [](uint32_t a, uint32_t b) { return std::bit_cast<uint32_t>(float_of(a) + float_of(b)); }));
}

float warp_max(float value, Site site) {
    return float_of(reduce(Collective::kMax, std::bit_cast<uint32_t>(value), site, [](uint32_t a, uint32_t b) {
        return std::bit_cast<uint32_t>(__builtin_fmaxf(float_of(a), float_of(b)));
    }));
}

int32_t warp_sum(int32_t value, Site site) {
    return static_cast<int32_t>(reduce(Collective::kIntegerSum, static_cast<uint32_t>(value), site,
                                       [](uint32_t a, uint32_t b) { return a + b; }));
}

bool elect(Site site) {
    Fiber& self = *current;
    join(self, Collective::kElect, site);
    meet(self, site, [](Exchange&) {});
    return static_cast<uint32_t>(self.lane) == self.block->elected;
}

void distribute_rows(uint32_t* d, int count, bool transposed, Vector16 row, Site site) {
    Fiber& self = *current;
    Exchange& exchange = join(self, Collective::kLoadMatrix, site);
    exchange.rows[self.lane] = row;
    meet(self, site, [](Exchange&) {});
    int group = self.lane / 4;
    int pair = self.lane % 4;
    for (int matrix = 0; matrix < count; ++matrix) {
        const Vector16* rows = exchange.rows + matrix * 8;
        if (!transposed) {
            d[matrix] = rows[group].words[pair];
        } else {
            auto element = [&](int r) { return rows[r].words[group / 2] >> (group % 2 * 16) & 0xffffu; };
            d[matrix] = element(2 * pair) | element(2 * pair + 1) << 16;
        }
    }
}

void sync_warp(uint32_t mask, Site site) {
    Fiber& self = *current;
    Warp& warp = *self.warp;
    uint32_t bit = 1u << self.lane;
    if (mask == kAllLanes && warp.lanes == kAllLanes) {
        join(self, Collective::kSyncWarp, site);
        const char* token = &warp.sync_tokens[warp.parity];
        release(token);
        meet(self, site, [](Exchange&) {});
        acquire(token);
        return;
    }
    if (!(mask & bit)) raise(site, "wrong mask: sync_warp(0x%08x) by lane %d, which is not in it", mask, self.lane);
    if (mask & ~(warp.lanes & ~warp.exited)) {
        raise(site, "wrong mask: sync_warp(0x%08x), but only lanes 0x%08x of this warp run", mask,
              warp.lanes & ~warp.exited);
    }
    if (warp.arrived & mask) {
        raise(site, "divergent collective: sync_warp(0x%08x), but lanes 0x%08x of it wait at %s at %s:%u", mask,
              warp.arrived & mask, name_of(warp.collective), file_of(warp.site), warp.site.line());
    }
    for (uint32_t rest = warp.partial; rest != 0; rest &= rest - 1) {
        int lane = std::countr_zero(rest);
        bool meets = (mask >> lane & 1) || (warp.partial_masks[lane] & bit);
        if (meets && (warp.partial_masks[lane] != mask || !same_site(warp.fibers[lane]->site, site))) {
            raise(site, "wrong mask: sync_warp(0x%08x), but lane %d waits at sync_warp(0x%08x) at line %u", mask, lane,
                  warp.partial_masks[lane], warp.fibers[lane]->site.line());
        }
    }
    if (self.copies_in_flight != 0) land_some_copies();
    // One token for all groups of a warp: it may hide a race between groups, and never invents one.
    release(&warp.sync_tokens[0]);
    self.site = site;
    warp.partial |= bit;
    warp.partial_masks[self.lane] = mask;
    if ((warp.partial & mask) == mask) {
        warp.partial &= ~mask;
        self.block->make_ready(warp, mask & ~bit);
        self.block->runner->idle_polls = 0;
    } else {
        self.wait = Wait::kSyncWarp;
        run_others();
        self.wait = Wait::kNothing;
    }
    acquire(&warp.sync_tokens[0]);
}

void wait_for_previous() { current->waited_for_previous = true; }

// ---- order of atomic operations, for ThreadSanitizer ---------------------------------------------------------------

void fence() {
    Fiber& self = *current;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    // It orders what this thread did before it against what reads the atomics it writes after it, and the other way
    // round. A writer is known when it comes; for a reader, the atomics of before are kept. What a thread writes between
    // its fence and its atomic counts as ordered too: that may hide a race, and never invents one.
    self.fenced = true;
    uint32_t count = self.num_recent_atomics < Fiber::kRecentAtomics ? self.num_recent_atomics : Fiber::kRecentAtomics;
    for (uint32_t i = 0; i < count; ++i) acquire(self.recent_atomics[i]);
    self.num_recent_atomics = 0;
}

void note_relaxed_atomic([[maybe_unused]] const void* address) {
#if SIMT_TSAN
    Fiber& self = *current;
    if (self.fenced) release(address);
    self.recent_atomics[self.num_recent_atomics++ % Fiber::kRecentAtomics] = address;
#endif
}

}  // namespace simt
