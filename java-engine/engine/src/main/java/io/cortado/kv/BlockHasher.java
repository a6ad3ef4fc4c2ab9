package io.cortado.kv;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.DigestException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** Makes keys of blocks. For one thread; hashing allocates nothing. */
public final class BlockHasher {
    private static final VarHandle INTS =
            MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle LONGS =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private final MessageDigest sha256;
    private final byte[] tokens = new byte[BlockPool.BLOCK_TOKENS * Integer.BYTES];

    public BlockHasher() {
        try {
            sha256 = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    /**
     * The keys of a sequence that has none yet.
     *
     * @param parts what separates caches: model, adapter, salt of a tenant
     */
    public BlockKeys start(int expectedBlocks, String... parts) {
        for (String part : parts) {
            byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
            INTS.set(tokens, 0, bytes.length);
            sha256.update(tokens, 0, Integer.BYTES); // "ab", "c" is not "a", "bc"
            sha256.update(bytes);
        }
        return BlockKeys.of(sha256.digest(), expectedBlocks);
    }

    /** Adds the keys of all blocks that are full of known tokens and have none yet. */
    public void extend(BlockKeys keys, TokenSource source, int numKnown) {
        while ((keys.size() + 1) * BlockPool.BLOCK_TOKENS <= numKnown) {
            int first = keys.size() * BlockPool.BLOCK_TOKENS;
            for (int i = 0; i < BlockPool.BLOCK_TOKENS; i++) {
                INTS.set(tokens, i * Integer.BYTES, source.token(first + i));
            }
            byte[] digest = keys.digest();
            sha256.update(digest);
            sha256.update(tokens);
            try {
                sha256.digest(digest, 0, digest.length);
            } catch (DigestException e) {
                throw new IllegalStateException("a SHA-256 digest has 32 bytes", e);
            }
            keys.append();
        }
    }

    static long longAt(byte[] bytes, int offset) {
        return (long) LONGS.get(bytes, offset);
    }
}
