package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KvFileTest {
    private static final int DEVICE_BLOCKS = 2;
    private static final int HOST_BLOCKS = 3;
    private static final int FILE_BLOCKS = 5;
    private static final int BLOCK_BYTES = 512;
    private static final int RECORD = 2 * BLOCK_BYTES;

    @TempDir Path folder;
    private Device device;
    private List<Buffer> onDevice;
    private KvTiers tiers;
    private KvFile file;
    private KvFile.Lane lane;

    @BeforeEach
    void open() {
        device = Device.open("cpu", 1, "auto");
        onDevice =
                List.of(
                        device.createBuffer(DEVICE_BLOCKS * BLOCK_BYTES),
                        device.createBuffer(DEVICE_BLOCKS * BLOCK_BYTES));
        tiers = new KvTiers(device, onDevice, DEVICE_BLOCKS, HOST_BLOCKS);
        file = KvFile.create(folder, FILE_BLOCKS, tiers);
        lane = file.lane();
    }

    @AfterEach
    void close() {
        file.close();
        tiers.close();
        onDevice.forEach(Buffer::close);
        device.close();
    }

    private byte[] fill(int hostBlock, long seed) {
        byte[] bytes = new byte[RECORD];
        new Random(seed).nextBytes(bytes);
        tiers.scatter(MemorySegment.ofArray(bytes), hostBlock);
        return bytes;
    }

    private byte[] content(int hostBlock) {
        byte[] bytes = new byte[RECORD];
        tiers.gather(hostBlock, MemorySegment.ofArray(bytes));
        return bytes;
    }

    @Test
    void givesBackWhatWasWritten() throws IOException {
        byte[] first = fill(0, 1);
        byte[] second = fill(1, 2);
        lane.write(0, 4);
        lane.write(1, 0);
        fill(0, 3);
        lane.read(4, 2);
        lane.read(0, 0);
        assertArrayEquals(first, content(2));
        assertArrayEquals(second, content(0));
        assertArrayEquals(second, content(1));
    }

    @Test
    void aBlockThatChangedOnDiskIsAnErrorAndLeavesTheHostAlone() throws IOException {
        fill(0, 1);
        lane.write(0, 1);
        for (int at : new int[] {RECORD, RECORD + 700, 2 * RECORD - 1}) {
            lane.write(0, 1);
            ByteBuffer one = ByteBuffer.allocate(1);
            file.channel().read(one, at);
            one.put(0, (byte) (one.get(0) ^ 4));
            file.channel().write(one.flip(), at);
            byte[] before = fill(2, at);
            var e = assertThrows(IOException.class, () -> lane.read(1, 2));
            assertTrue(String.valueOf(e.getMessage()).contains("checksum"), e::toString);
            assertArrayEquals(before, content(2));
        }
    }

    @Test
    void aBlockThatWasNeverWrittenHasNoChecksumToMatch() {
        // All zeros, whose checksum is not zero.
        assertThrows(IOException.class, () -> lane.read(3, 0));
    }

    @Test
    void aShortFileIsAnError() throws IOException {
        fill(0, 1);
        lane.write(0, 2);
        file.channel().truncate(2 * RECORD + 10);
        assertThrows(EOFException.class, () -> lane.read(2, 1));
    }

    @Test
    void hasItsLengthAndNoName() throws IOException {
        assertEquals((long) FILE_BLOCKS * RECORD, file.channel().size());
        try (Stream<Path> files = Files.list(folder)) {
            assertEquals(List.of(), files.toList());
        }
    }

    @Test
    void refusesAFolderThatIsNotThereAndASizeThatDoesNotFit() {
        var missing =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> KvFile.create(folder.resolve("no"), 1, tiers));
        assertTrue(String.valueOf(missing.getMessage()).contains("kv-offload-dir"));
        var large =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> KvFile.create(folder, Integer.MAX_VALUE, wide()));
        assertTrue(String.valueOf(large.getMessage()).contains("usable="), large::toString);
    }

    /** Blocks of a megabyte: two petabytes of them. */
    private KvTiers wide() {
        return new KvTiers(device, Collections.nCopies(1000, onDevice.getFirst()), 1, 0);
    }
}
