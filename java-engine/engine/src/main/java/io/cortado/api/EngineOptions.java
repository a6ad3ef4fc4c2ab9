package io.cortado.api;

/**
 * Settings of an engine, read once at {@link Engine#open}. Zero means "choose": see each field.
 *
 * @param device {@code cpu}, {@code cuda:N}, or {@code simt:0} (the CUDA kernels executed on the
 *     CPU, for tests)
 * @param threads threads that compute; 0: one per core
 * @param isa instruction set of the CPU device: {@code auto}, {@code avx512}, {@code avx2}, {@code
 *     scalar}
 * @param activations type of activations and of the KV cache
 * @param maxModelLen longest prompt plus output in tokens; 0: the model's own
 * @param maxNumSeqs sequences that run at once, 1 to 4096
 * @param maxNumBatchedTokens token budget of a step (prefill chunks and decodes together), 16 to
 *     65536
 * @param maxWaiting requests that may wait before QUEUE_FULL
 * @param kvCacheBytes memory for KV blocks; 0: what maxNumSeqs sequences of maxModelLen need, at
 *     most a quarter of the free memory
 * @param dummyWeights random weights instead of reading {@code *.safetensors}
 * @param deterministic a request's tokens do not depend on what shares its batch; false lets a
 *     GPU's attention share its work out by the batch at hand and cuBLASLt multiply many rows,
 *     which changes the last bits. The CPU is always deterministic
 */
public record EngineOptions(
        String device,
        int threads,
        String isa,
        Activations activations,
        int maxModelLen,
        int maxNumSeqs,
        int maxNumBatchedTokens,
        int maxWaiting,
        long kvCacheBytes,
        boolean dummyWeights,
        boolean deterministic) {

    /** Type of activations between operations, and of the KV cache. */
    public enum Activations {
        /** Two bytes: the default. */
        BF16,
        /** Four bytes: as exact as the reference. */
        F32
    }

    public EngineOptions {
        requireRange("threads", threads, 0, 1024);
        requireRange("max-model-len", maxModelLen, 0, 1 << 24);
        requireRange("max-num-seqs", maxNumSeqs, 1, 4096);
        requireRange("max-num-batched-tokens", maxNumBatchedTokens, 16, 65536);
        requireRange("max-waiting", maxWaiting, 0, 1_000_000);
        if (kvCacheBytes < 0) {
            throw EngineException.invalid(
                    "kv-cache-memory",
                    "kv-cache-memory must not be negative: kv-cache-memory=" + kvCacheBytes);
        }
    }

    private static void requireRange(String name, int value, int low, int high) {
        if (value < low || value > high) {
            throw EngineException.invalid(
                    name, name + " must be in [" + low + ", " + high + "]: " + name + "=" + value);
        }
    }

    public static EngineOptions defaults() {
        return new EngineOptions(
                "cpu", 0, "auto", Activations.BF16, 0, 64, 2048, 1024, 0, false, true);
    }

    public EngineOptions device(String value) {
        return new EngineOptions(
                value,
                threads,
                isa,
                activations,
                maxModelLen,
                maxNumSeqs,
                maxNumBatchedTokens,
                maxWaiting,
                kvCacheBytes,
                dummyWeights,
                deterministic);
    }

    public EngineOptions threads(int value) {
        return new EngineOptions(
                device,
                value,
                isa,
                activations,
                maxModelLen,
                maxNumSeqs,
                maxNumBatchedTokens,
                maxWaiting,
                kvCacheBytes,
                dummyWeights,
                deterministic);
    }

    public EngineOptions isa(String value) {
        return new EngineOptions(
                device,
                threads,
                value,
                activations,
                maxModelLen,
                maxNumSeqs,
                maxNumBatchedTokens,
                maxWaiting,
                kvCacheBytes,
                dummyWeights,
                deterministic);
    }

    public EngineOptions activations(Activations value) {
        return new EngineOptions(
                device,
                threads,
                isa,
                value,
                maxModelLen,
                maxNumSeqs,
                maxNumBatchedTokens,
                maxWaiting,
                kvCacheBytes,
                dummyWeights,
                deterministic);
    }

    public EngineOptions maxModelLen(int value) {
        return new EngineOptions(
                device,
                threads,
                isa,
                activations,
                value,
                maxNumSeqs,
                maxNumBatchedTokens,
                maxWaiting,
                kvCacheBytes,
                dummyWeights,
                deterministic);
    }

    public EngineOptions maxNumSeqs(int value) {
        return new EngineOptions(
                device,
                threads,
                isa,
                activations,
                maxModelLen,
                value,
                maxNumBatchedTokens,
                maxWaiting,
                kvCacheBytes,
                dummyWeights,
                deterministic);
    }

    public EngineOptions maxNumBatchedTokens(int value) {
        return new EngineOptions(
                device,
                threads,
                isa,
                activations,
                maxModelLen,
                maxNumSeqs,
                value,
                maxWaiting,
                kvCacheBytes,
                dummyWeights,
                deterministic);
    }

    public EngineOptions maxWaiting(int value) {
        return new EngineOptions(
                device,
                threads,
                isa,
                activations,
                maxModelLen,
                maxNumSeqs,
                maxNumBatchedTokens,
                value,
                kvCacheBytes,
                dummyWeights,
                deterministic);
    }

    public EngineOptions kvCacheBytes(long value) {
        return new EngineOptions(
                device,
                threads,
                isa,
                activations,
                maxModelLen,
                maxNumSeqs,
                maxNumBatchedTokens,
                maxWaiting,
                value,
                dummyWeights,
                deterministic);
    }

    public EngineOptions dummyWeights(boolean value) {
        return new EngineOptions(
                device,
                threads,
                isa,
                activations,
                maxModelLen,
                maxNumSeqs,
                maxNumBatchedTokens,
                maxWaiting,
                kvCacheBytes,
                value,
                deterministic);
    }

    public EngineOptions deterministic(boolean value) {
        return new EngineOptions(
                device,
                threads,
                isa,
                activations,
                maxModelLen,
                maxNumSeqs,
                maxNumBatchedTokens,
                maxWaiting,
                kvCacheBytes,
                dummyWeights,
                value);
    }
}
