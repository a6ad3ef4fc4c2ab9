package io.cortado.gang;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * What a rank tells rank 0. Magic, version and nonce have their places in every version.
 *
 * @param version of the rendezvous
 * @param nonce tells this process from all others that ever had its rank
 * @param agreement what must be the same on all ranks
 * @param address what peers connect to
 */
record Hello(int version, long nonce, int size, int rank, byte[] agreement, byte[] address) {
    static final int VERSION = 1;
    static final int MAX_BYTES = 1 << 16;
    private static final long MAGIC = 0x436f727461646f48L; // "CortadoH"
    private static final int SHOWN = 200;

    byte[] encode() {
        var bytes = new ByteArrayOutputStream();
        try (var out = new DataOutputStream(bytes)) {
            out.writeLong(MAGIC);
            out.writeInt(version);
            out.writeLong(nonce);
            out.writeInt(size);
            out.writeInt(rank);
            writeBytes(out, agreement);
            writeBytes(out, address);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    static Hello decode(byte[] bytes) throws IOException {
        return read(new DataInputStream(new ByteArrayInputStream(bytes)));
    }

    /** Of another version all but version and nonce is empty. */
    static Hello read(DataInputStream in) throws IOException {
        long magic = in.readLong();
        if (magic != MAGIC) {
            throw new IOException("no rank of a gang: it begins with %016x".formatted(magic));
        }
        int version = in.readInt();
        long nonce = in.readLong();
        if (version != VERSION) {
            return new Hello(version, nonce, 0, 0, new byte[0], new byte[0]);
        }
        return new Hello(version, nonce, in.readInt(), in.readInt(), readBytes(in), readBytes(in));
    }

    static void writeBytes(DataOutputStream out, byte[] bytes) throws IOException {
        if (bytes.length > MAX_BYTES) {
            throw new IOException(
                    "at most %d bytes can be told: bytes=%d".formatted(MAX_BYTES, bytes.length));
        }
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    static byte[] readBytes(DataInputStream in) throws IOException {
        int count = in.readInt();
        if (count < 0 || count > MAX_BYTES) {
            throw new IOException("damaged: a field of %d bytes".formatted(count));
        }
        byte[] bytes = new byte[count];
        in.readFully(bytes);
        return bytes;
    }

    /** The agreement as it is where it is a short text, else its SHA-256. */
    String agreementText() {
        String text = new String(agreement, StandardCharsets.ISO_8859_1);
        if (text.length() <= SHOWN && text.chars().allMatch(c -> c >= ' ' && c <= '~')) {
            return '"' + text + '"';
        }
        try {
            byte[] sum = MessageDigest.getInstance("SHA-256").digest(agreement);
            return "sha256:" + HexFormat.of().formatHex(sum, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
