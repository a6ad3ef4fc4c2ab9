package io.cortado.bench.llamacpp;

/**
 * One greedy run of either side.
 *
 * @param ids the output
 * @param firstSeconds from the prompt to the first id
 * @param restSeconds from the first id to the last
 */
record Generated(int[] ids, double firstSeconds, double restSeconds) {
    double decodeTokensPerSecond() {
        return (ids.length - 1) / restSeconds;
    }
}
