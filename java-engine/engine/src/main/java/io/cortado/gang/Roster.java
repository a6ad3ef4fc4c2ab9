package io.cortado.gang;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Who has come, as rank 0 knows it, and whether they belong together. */
final class Roster {
    private final Hello mine;
    private final @Nullable Hello[] ranks;
    private final List<Long> nonces = new ArrayList<>();

    Roster(Hello mine) {
        this.mine = mine;
        ranks = new Hello[mine.size()];
        ranks[mine.rank()] = mine;
        nonces.add(mine.nonce());
    }

    /**
     * @throws GangException if the rank cannot belong to the gang, which then there is none of
     */
    void add(Hello hello) {
        nonces.add(hello.nonce());
        int rank = hello.rank();
        if (hello.version() != mine.version()) {
            throw mismatch(
                    "a rank speaks version=%d of the rendezvous, rank 0 version=%d",
                    hello.version(), mine.version());
        }
        if (hello.size() != mine.size()) {
            throw mismatch(
                    "rank %d has WORLD_SIZE=%d, rank 0 WORLD_SIZE=%d",
                    rank, hello.size(), mine.size());
        }
        if (rank < 0 || rank >= ranks.length) {
            throw mismatch("a rank has RANK=%d, WORLD_SIZE=%d", rank, ranks.length);
        }
        if (ranks[rank] != null) {
            throw mismatch("two processes have RANK=%d", rank);
        }
        if (!Arrays.equals(hello.agreement(), mine.agreement())) {
            throw mismatch(
                    "rank %d is started otherwise than rank 0: %s, rank 0: %s",
                    rank, hello.agreementText(), mine.agreementText());
        }
        ranks[rank] = hello;
    }

    /** Comes after there can be no gang any more. */
    void addLate(Hello hello) {
        nonces.add(hello.nonce());
    }

    /** Whether as many have said hello as there are to be. */
    boolean isFull() {
        return nonces.size() >= ranks.length;
    }

    private static GangException mismatch(String format, Object... values) {
        return new GangException(GangException.Kind.MISMATCH, format.formatted(values));
    }

    boolean isComplete() {
        return Arrays.stream(ranks).allMatch(hello -> hello != null);
    }

    /** The deadline is over. */
    GangException incomplete(String place, String remarks) {
        String missing =
                IntStream.range(0, ranks.length)
                        .filter(rank -> ranks[rank] == null)
                        .mapToObj(String::valueOf)
                        .collect(Collectors.joining(", "));
        return new GangException(
                GangException.Kind.DEADLINE,
                "rank %s of %d did not come to %s in time%s"
                        .formatted(missing, ranks.length, place, remarks));
    }

    Answer gang() {
        List<byte[]> addresses = new ArrayList<>();
        for (Hello hello : ranks) {
            if (hello != null) {
                addresses.add(hello.address());
            }
        }
        return Answer.gang(List.copyOf(nonces), addresses);
    }

    Answer refusal(GangException why) {
        return Answer.refusal(List.copyOf(nonces), why);
    }
}
