package io.cortado.device;

import java.util.Set;

/**
 * Experts that are on the device that computes all else, although the others are on one of their
 * own.
 *
 * @param share of the choices that fall on them, in [0, 1], as far as it was measured
 */
public record HotExperts(Set<ExpertId> ids, double share) {
    public static final HotExperts NONE = new HotExperts(Set.of(), 0);

    public HotExperts {
        ids = Set.copyOf(ids);
    }
}
