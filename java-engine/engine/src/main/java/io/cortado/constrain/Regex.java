package io.cortado.constrain;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A regular language over bytes, hash-consed by {@link Regexes}: equal structure is the same
 * object. Immutable but for two memos that the owner of its {@link Regexes} guards.
 */
public final class Regex {
    /** What a node is made of. */
    enum Kind {
        /** No string at all. */
        NOTHING,
        /** The empty string. */
        EMPTY,
        /** One byte of a set. */
        BYTES,
        /** Two bytes or more, one after the other. */
        LITERAL,
        CONCAT,
        OR,
        AND,
        NOT,
        /** From min to max copies of its part. */
        REPEAT,
        /**
         * Digits that make a multiple of max when they follow digits of a value that is min modulo
         * max; points do not count.
         */
        MULTIPLE,
        /** The strings of its part of which no proper prefix is in it. */
        SHORTEST
    }

    /** Whether the language is known to hold a string. */
    enum Inhabited {
        UNKNOWN,
        YES,
        NO;

        static Inhabited of(boolean is) {
            return is ? YES : NO;
        }
    }

    static final int UNKNOWN_LENGTH = -1;

    /** Bytes of a character are counted so far. */
    private static final int FEW = 8;

    private static final Regex[] NO_PARTS = {};
    private static final byte[] NO_BYTES = {};

    static final Regex NOTHING =
            new Regex(Kind.NOTHING, NO_PARTS, ByteSet.NONE, NO_BYTES, 0, 0, false);
    static final Regex EMPTY = new Regex(Kind.EMPTY, NO_PARTS, ByteSet.NONE, NO_BYTES, 0, 0, true);

    /** Every string of bytes. */
    static final Regex ANYTHING =
            new Regex(Kind.NOT, new Regex[] {NOTHING}, ByteSet.NONE, NO_BYTES, 0, 0, true);

    static final int NUM_CONSTANTS = 3;

    static {
        EMPTY.id = 1;
        ANYTHING.id = 2;
    }

    final Kind kind;
    final Regex[] parts;
    final ByteSet set;
    final byte[] literal;
    final int min;
    final int max;

    /** Whether the empty string belongs to it. */
    final boolean isNullable;

    /** Whether emptiness cannot be read off its structure. */
    final boolean isBoolean;

    /** Whether it is known to hold no more than finitely many strings. */
    final boolean isFinite;

    /** Whether more than a few copies of something are counted within it. */
    final boolean isCounted;

    /** No string of it is shorter. */
    final int minLength;

    /** Its place in the order of creation, which orders the parts of unions. */
    int id;

    Inhabited inhabited;

    /** Some string of it has no more bytes; {@link #UNKNOWN_LENGTH}. Grows known with searches. */
    int shortest;

    /** Of the whole structure, which other grammars may have too; different ones may share it. */
    final long fingerprint;

    Regex(
            Kind kind,
            Regex[] parts,
            ByteSet set,
            byte[] literal,
            int min,
            int max,
            boolean isNullable) {
        this.kind = kind;
        this.parts = parts;
        this.set = set;
        this.literal = literal;
        this.min = min;
        this.max = max;
        this.isNullable = isNullable;
        isBoolean = isBoolean(kind, parts);
        isFinite = isFinite(kind, parts, max);
        isCounted = isCounted(kind, parts, min, max);
        minLength = minLength();
        inhabited = inhabited();
        shortest = shortest();
        fingerprint = fingerprint();
    }

    private long fingerprint() {
        long print = kind.ordinal() + 1L;
        if (kind == Kind.BYTES) {
            print = mixed(mixed(print, set.word0()), set.word1());
            print = mixed(mixed(print, set.word2()), set.word3());
        }
        for (byte value : literal) {
            print = mixed(print, value);
        }
        print = mixed(print, (long) min << 32 | max & 0xFFFF_FFFFL);
        for (Regex part : parts) {
            print = mixed(print, part.fingerprint);
        }
        return print;
    }

    private static long mixed(long print, long value) {
        long product = (print ^ value) * 0x9E37_79B9_7F4A_7C15L;
        product = (product ^ product >>> 32) * 0xBF58_476D_1CE4_E5B9L;
        return product ^ product >>> 29;
    }

    /** By its number: it is interned. */
    @Override
    public int hashCode() {
        return id * 0x9E37_79B9;
    }

    /** What the structure tells; the rest takes a search. */
    private Inhabited inhabited() {
        if (kind == Kind.NOTHING) {
            return Inhabited.NO;
        }
        boolean is =
                switch (kind) {
                    case CONCAT, REPEAT, SHORTEST -> numHoldingSome() == parts.length;
                    case OR -> numHoldingSome() > 0;
                    case AND -> isAllButFew();
                    case NOTHING, EMPTY, BYTES, LITERAL, NOT, MULTIPLE -> false;
                };
        return is || isNullable || !isBoolean ? Inhabited.YES : Inhabited.UNKNOWN;
    }

    private int numHoldingSome() {
        int num = 0;
        for (Regex part : parts) {
            num += part.inhabited == Inhabited.YES ? 1 : 0;
        }
        return num;
    }

    /** Whether it is an infinite language without finitely many strings. */
    private boolean isAllButFew() {
        Regex all = withoutFew();
        return all != null
                && all.kind == Kind.REPEAT
                && all.max == Regexes.UNBOUNDED
                && !all.part().isBoolean;
    }

    private static boolean isBoolean(Kind kind, Regex[] parts) {
        boolean is = kind == Kind.AND || kind == Kind.NOT || kind == Kind.SHORTEST;
        for (Regex part : parts) {
            is |= part.isBoolean;
        }
        return is;
    }

    private static boolean isCounted(Kind kind, Regex[] parts, int min, int max) {
        boolean is = kind == Kind.REPEAT && (min > FEW || max > FEW && max != Regexes.UNBOUNDED);
        for (Regex part : parts) {
            is |= part.isCounted;
        }
        return is;
    }

    private static boolean isFinite(Kind kind, Regex[] parts, int max) {
        int num = 0;
        for (Regex part : parts) {
            num += part.isFinite ? 1 : 0;
        }
        return switch (kind) {
            case NOTHING, EMPTY, BYTES, LITERAL -> true;
            case NOT, MULTIPLE -> false;
            case AND -> num > 0;
            case CONCAT, OR, SHORTEST -> num == parts.length;
            case REPEAT -> max != Regexes.UNBOUNDED && num == 1;
        };
    }

    private int minLength() {
        if (isNullable) {
            return 0;
        }
        long length = kind == Kind.OR ? Integer.MAX_VALUE : 0;
        for (Regex part : parts) {
            length =
                    switch (kind) {
                        case CONCAT -> length + part.minLength;
                        case OR -> Math.min(length, part.minLength);
                        case AND -> Math.max(length, part.minLength);
                        case REPEAT -> (long) min * part.minLength;
                        case SHORTEST -> part.minLength;
                        case NOTHING, EMPTY, BYTES, LITERAL, NOT, MULTIPLE -> length;
                    };
        }
        return (int) Math.min(Integer.MAX_VALUE, Math.max(length, Math.max(1, literal.length)));
    }

    private int shortest() {
        if (isNullable) {
            return 0;
        }
        if (inhabited != Inhabited.YES) {
            return UNKNOWN_LENGTH;
        }
        return switch (kind) {
            case CONCAT -> {
                long sum = 0;
                for (Regex part : parts) {
                    sum = part.shortest < 0 || sum < 0 ? UNKNOWN_LENGTH : sum + part.shortest;
                }
                yield (int) Math.min(Integer.MAX_VALUE, sum);
            }
            case OR -> {
                int least = UNKNOWN_LENGTH;
                for (Regex part : parts) {
                    boolean isLess = part.shortest >= 0 && (least < 0 || part.shortest < least);
                    least = isLess ? part.shortest : least;
                }
                yield least;
            }
            case BYTES, LITERAL -> minLength;
            case REPEAT -> {
                long sum = part().shortest < 0 ? UNKNOWN_LENGTH : (long) min * part().shortest;
                yield (int) Math.min(Integer.MAX_VALUE, sum);
            }
            case NOTHING, EMPTY, AND, NOT, MULTIPLE, SHORTEST -> UNKNOWN_LENGTH;
        };
    }

    Regex part() {
        return parts[0];
    }

    /**
     * Of an intersection of one language with complements of finite ones, that language; else null.
     */
    @Nullable Regex withoutFew() {
        Regex all = null;
        for (Regex part : kind == Kind.AND ? parts : NO_PARTS) {
            boolean isFew = part.kind == Kind.NOT && part.part().isFinite;
            if (!isFew && all != null) {
                return null;
            }
            all = isFew ? all : part;
        }
        return all;
    }

    /** Whether both have one kind, the same parts and the same constants. */
    boolean isSameAs(Regex that) {
        if (fingerprint != that.fingerprint
                || kind != that.kind
                || min != that.min
                || max != that.max
                || parts.length != that.parts.length) {
            return false;
        }
        for (int i = 0; i < parts.length; i++) {
            if (parts[i] != that.parts[i]) {
                return false;
            }
        }
        return set.equals(that.set) && Arrays.equals(literal, that.literal);
    }

    /** For messages and debugging; not a pattern of any dialect. */
    @Override
    public String toString() {
        return kind + "#" + id;
    }
}
