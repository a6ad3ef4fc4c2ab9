package io.cortado.gang;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What rank 0 answers all that said hello: addresses in the order of ranks, or why there is no
 * gang. The same form in every version.
 *
 * @param nonces of those it is for, to be told from what was left by an earlier gang
 * @param refusal kind and text; empty: a gang
 */
record Answer(List<Long> nonces, List<byte[]> addresses, List<GangException> refusal) {
    private static final long MAGIC = 0x436f727461646f41L; // "CortadoA"
    private static final int MAX_NONCES = 1 << 16;

    static Answer gang(List<Long> nonces, List<byte[]> addresses) {
        return new Answer(nonces, addresses, List.of());
    }

    static Answer refusal(List<Long> nonces, GangException why) {
        return new Answer(nonces, List.of(), List.of(why));
    }

    /** The addresses, or the refusal thrown. */
    List<byte[]> unwrap() {
        for (GangException why : refusal) {
            throw new GangException(why.kind(), String.valueOf(why.getMessage()), why);
        }
        return addresses;
    }

    byte[] encode() {
        var bytes = new ByteArrayOutputStream();
        try (var out = new DataOutputStream(bytes)) {
            out.writeLong(MAGIC);
            out.writeInt(nonces.size());
            for (long nonce : nonces) {
                out.writeLong(nonce);
            }
            out.writeInt(addresses.size());
            for (byte[] address : addresses) {
                Hello.writeBytes(out, address);
            }
            for (GangException why : refusal) {
                Hello.writeBytes(out, why.kind().name().getBytes(StandardCharsets.US_ASCII));
                byte[] text = String.valueOf(why.getMessage()).getBytes(StandardCharsets.UTF_8);
                Hello.writeBytes(out, Arrays.copyOf(text, Math.min(text.length, 4096)));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    static Answer decode(byte[] bytes) throws IOException {
        return read(new DataInputStream(new ByteArrayInputStream(bytes)));
    }

    static Answer read(DataInputStream in) throws IOException {
        long magic = in.readLong();
        if (magic != MAGIC) {
            throw new IOException("no rank 0 of a gang: it begins with %016x".formatted(magic));
        }
        List<Long> nonces = new ArrayList<>();
        for (int i = count(in); i > 0; i--) {
            nonces.add(in.readLong());
        }
        List<byte[]> addresses = new ArrayList<>();
        for (int i = count(in); i > 0; i--) {
            addresses.add(Hello.readBytes(in));
        }
        if (!addresses.isEmpty()) {
            return gang(nonces, addresses);
        }
        String kind = new String(Hello.readBytes(in), StandardCharsets.US_ASCII);
        String text = new String(Hello.readBytes(in), StandardCharsets.UTF_8);
        return refusal(nonces, new GangException(kind(kind), text));
    }

    private static int count(DataInputStream in) throws IOException {
        int count = in.readInt();
        if (count < 0 || count > MAX_NONCES) {
            throw new IOException("damaged: a list of %d".formatted(count));
        }
        return count;
    }

    private static GangException.Kind kind(String name) throws IOException {
        for (GangException.Kind kind : GangException.Kind.values()) {
            if (kind.name().equals(name)) {
                return kind;
            }
        }
        throw new IOException("damaged: a refusal of kind " + name);
    }
}
