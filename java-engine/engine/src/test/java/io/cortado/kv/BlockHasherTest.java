package io.cortado.kv;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import org.junit.jupiter.api.Test;

class BlockHasherTest {
    private final BlockHasher hasher = new BlockHasher();

    private BlockKeys keys(int[] tokens, String... parts) {
        BlockKeys keys = hasher.start(1, parts);
        hasher.extend(keys, i -> tokens[i], tokens.length);
        return keys;
    }

    private static int[] tokens(int count, int first) {
        int[] tokens = new int[count];
        for (int i = 0; i < count; i++) {
            tokens[i] = first + i;
        }
        return tokens;
    }

    @Test
    void chainsTheDigestOfTheBlockBeforeWithTheTokens() throws Exception {
        MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
        ByteBuffer part = ByteBuffer.allocate(9).order(ByteOrder.LITTLE_ENDIAN);
        part.putInt(5).put("model".getBytes(StandardCharsets.UTF_8));
        byte[] root = sha256.digest(part.array());
        ByteBuffer block = ByteBuffer.allocate(96).order(ByteOrder.LITTLE_ENDIAN);
        block.put(root);
        for (int token : tokens(16, 70_000)) {
            block.putInt(token);
        }
        byte[] digest = sha256.digest(block.array());
        BlockKeys keys = keys(tokens(31, 70_000), "model");
        assertEquals(1, keys.size());
        ByteBuffer expected = ByteBuffer.wrap(digest).order(ByteOrder.LITTLE_ENDIAN);
        assertEquals(expected.getLong(0), keys.high(0));
        assertEquals(expected.getLong(8), keys.low(0));
    }

    @Test
    void keysDependOnEveryTokenBeforeAndOnEveryPartOfTheRoot() {
        int[] tokens = tokens(48, 0);
        BlockKeys keys = keys(tokens, "model", "salt");
        assertEquals(3, keys.size());
        assertEquals(keys.low(2), keys(tokens(50, 0), "model", "salt").low(2));
        assertNotEquals(keys.low(0), keys(tokens, "model", "").low(0));
        assertNotEquals(keys.low(0), keys(tokens, "mode", "lsalt").low(0));
        tokens[0]++;
        assertNotEquals(keys.low(2), keys(tokens, "model", "salt").low(2));
        tokens[0] += (1 << 8) - 1; // no token is cut to its low bits
        assertNotEquals(keys.low(2), keys(tokens, "model", "salt").low(2));
    }

    @Test
    void forksGoOnSeparately() {
        int[] tokens = tokens(64, 0);
        BlockKeys first = hasher.start(2, "model");
        hasher.extend(first, i -> tokens[i], 32);
        BlockKeys second = first.fork();
        hasher.extend(first, i -> tokens[i], 64);
        hasher.extend(second, i -> i < 32 ? tokens[i] : 5, 64);
        assertEquals(first.low(1), second.low(1));
        assertNotEquals(first.low(2), second.low(2));
        assertEquals(first.low(3), keys(tokens, "model").low(3));
    }
}
