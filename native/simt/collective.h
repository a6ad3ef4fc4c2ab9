// collective.h: how the lanes of a warp meet. A collective is: join, put this lane's part into the exchange, meet, read
// the others' parts.
#pragma once

#include <cstring>

#include "simt/runtime.h"

namespace simt {

const char* name_of(Collective collective);
// Raise unless 32 lanes can come; unless the lanes that wait already are at the same collective.
[[gnu::cold]] void check_lanes(const Warp& warp, const Fiber& self, Collective collective, Site site);
[[gnu::cold]] void check_same(const Warp& warp, Collective collective, Site site);

inline bool same_object(Site a, Site b) { return std::memcmp(&a, &b, sizeof a) == 0; }

// The exchange that the lanes now gather at, for this lane to put its part in.
inline Exchange& join(Fiber& self, Collective collective, Site site) {
    Warp& warp = *self.warp;
    if (warp.arrived == 0) {
        if ((warp.lanes ^ warp.exited) != kAllLanes || warp.partial != 0) check_lanes(warp, self, collective, site);
        warp.collective = collective;
        warp.site = site;
    } else if (warp.collective != collective || !same_object(warp.site, site)) {
        check_same(warp, collective, site);
    }
    return warp.exchange[warp.parity];
}

// Waits for the other lanes; finish(exchange) is called once, by the last.
template <typename Finish>
inline void meet(Fiber& self, Site site, const Finish& finish) {
    if (self.copies_in_flight != 0) land_some_copies();
    Warp& warp = *self.warp;
    uint32_t bit = 1u << self.lane;
    self.site = site;
    warp.arrived |= bit;
    if (warp.arrived == kAllLanes) {
        Exchange& exchange = warp.exchange[warp.parity];
        warp.arrived = 0;
        warp.parity ^= 1;
        finish(exchange);
        self.block->make_ready(warp, ~bit);
        self.block->runner->idle_polls = 0;
        return;
    }
    self.wait = Wait::kCollective;
    run_others();
    self.wait = Wait::kNothing;
}

}  // namespace simt
