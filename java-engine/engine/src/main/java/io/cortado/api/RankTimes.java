package io.cortado.api;

/**
 * How long a rank of this process has waited for others, where experts are on several.
 *
 * @param rank of the gang: those with attention come first
 * @param holdsExperts and runs no attention; else it runs all but the experts
 * @param waitedNanos since the start, in which it computed nothing: for tokens to compute, or for
 *     what experts make of them
 */
public record RankTimes(int rank, boolean holdsExperts, long waitedNanos) {}
