package io.cortado.model;

import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.DELETE_ON_CLOSE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import java.util.UUID;
import java.util.zip.CRC32C;

/**
 * The bytes of the KV cache's third tier: a file of fixed size that only its owner may read and
 * that has no name any more once it is open, so that nothing of it outlives the process. Checksums
 * are kept in memory: what the file gives back is what was written, or an error.
 */
public final class KvFile implements AutoCloseable {
    private final KvTiers tiers;
    private final FileChannel channel;
    private final int[] checksums;
    private final int recordBytes;

    private KvFile(KvTiers tiers, FileChannel channel, int numBlocks) {
        this.tiers = tiers;
        this.channel = channel;
        checksums = new int[numBlocks];
        recordBytes = Math.toIntExact(tiers.recordBytes());
    }

    /**
     * Makes the file, at its full length.
     *
     * @param numBlocks blocks of the file, at least 1
     * @throws IllegalArgumentException if the folder cannot hold it
     */
    public static KvFile create(Path folder, int numBlocks, KvTiers tiers) {
        long bytes = numBlocks * tiers.recordBytes();
        Path path = folder.resolve("cortado-kv-" + UUID.randomUUID());
        try {
            long usable = Files.getFileStore(folder).getUsableSpace();
            if (bytes > usable) {
                throw new IllegalArgumentException(
                        "kv-offload-disk-gb must fit on the disk of kv-offload-dir=%s: bytes=%d usable=%d"
                                .formatted(folder, bytes, usable));
            }
            FileChannel channel =
                    FileChannel.open(
                            path,
                            Set.of(CREATE_NEW, READ, WRITE, DELETE_ON_CLOSE),
                            PosixFilePermissions.asFileAttribute(
                                    PosixFilePermissions.fromString("rw-------")));
            boolean isMade = false;
            try {
                channel.write(ByteBuffer.allocate(1), bytes - 1);
                isMade = true;
                return new KvFile(tiers, channel, numBlocks);
            } finally {
                if (!isMade) {
                    channel.close();
                }
            }
        } catch (IOException e) {
            throw new IllegalArgumentException(
                    "kv-offload-dir must be a folder to write to: kv-offload-dir=%s: %s"
                            .formatted(folder, e),
                    e);
        }
    }

    /** A place for one thread to read and write from. */
    public Lane lane() {
        return new Lane();
    }

    /** One thread's way to the file. */
    public final class Lane {
        private final ByteBuffer record = ByteBuffer.allocateDirect(recordBytes);
        private final MemorySegment bytes = MemorySegment.ofBuffer(record);
        private final CRC32C crc = new CRC32C();

        private Lane() {}

        /** The block of the host tier must not change meanwhile. */
        public void write(int hostBlock, int fileBlock) throws IOException {
            tiers.gather(hostBlock, bytes);
            checksums[fileBlock] = checksum();
            long at = (long) fileBlock * recordBytes;
            record.clear();
            while (record.hasRemaining()) {
                at += channel.write(record, at);
            }
        }

        /**
         * Nobody may use the block of the host tier meanwhile.
         *
         * @throws IOException if these are not the bytes that were written; the host's block is
         *     then as it was
         */
        public void read(int fileBlock, int hostBlock) throws IOException {
            long at = (long) fileBlock * recordBytes;
            record.clear();
            while (record.hasRemaining()) {
                int count = channel.read(record, at);
                if (count < 0) {
                    throw new EOFException("the file ends at " + at);
                }
                at += count;
            }
            if (checksum() != checksums[fileBlock]) {
                throw new IOException("the checksum of block " + fileBlock + " is wrong");
            }
            tiers.scatter(bytes, hostBlock);
        }

        private int checksum() {
            crc.reset();
            crc.update(record.clear());
            return (int) crc.getValue();
        }
    }

    /** For tests of what a broken disk does. */
    FileChannel channel() {
        return channel;
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new IllegalStateException("the file of KV blocks cannot be closed", e);
        }
    }
}
