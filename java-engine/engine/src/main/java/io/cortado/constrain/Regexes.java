package io.cortado.constrain;

import io.cortado.constrain.Regex.Kind;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Makes the regular languages of one grammar: concatenation, union, intersection, complement,
 * counted repetition, bytes and code points. Equal structure is made once. Not for several threads
 * at once: while a grammar is compiled its compiler owns this, afterwards its automaton's lock
 * does.
 *
 * <p>A language is a set of byte strings. {@link #not} is the complement over <em>all</em> byte
 * strings: intersect with {@link #text} to stay within well-formed UTF-8, as {@link #textExcept}
 * does.
 */
public final class Regexes {
    /** As {@code max} of {@link #repeat}: no limit. */
    public static final int UNBOUNDED = Integer.MAX_VALUE;

    static final Comparator<Regex> BY_ID = Comparator.comparingInt(regex -> regex.id);
    private static final byte[] NO_BYTES = {};
    private static final Regex[] NO_PARTS = {};
    private static final int MAX_SPINE = 32;

    /** A node, its key, and its places in the table and in the automaton's snapshot of it. */
    private static final int NODE_BYTES = 140;

    private static final int PART_BYTES = 4;
    private static final int SET_BYTES = 48;

    /** A node as a key by its structure; nodes themselves are equal by identity. */
    record Shape(Regex regex) {
        @Override
        public boolean equals(Object other) {
            return other instanceof Shape that && regex.isSameAs(that.regex);
        }

        @Override
        public int hashCode() {
            return Long.hashCode(regex.fingerprint);
        }
    }

    private final int maxNodes;
    private final Fuel fuel;
    private final Derivatives derivatives;
    private Map<Shape, Regex> nodes = new HashMap<>();
    private int nextId = Regex.NUM_CONSTANTS;
    private long sizeBytes;
    private final List<LongSupplier> others = new ArrayList<>();

    public Regexes(GrammarLimits limits) {
        maxNodes = limits.maxRegexNodes();
        fuel = new Fuel(limits.compileFuel());
        derivatives = new Derivatives(this, fuel);
    }

    /** The empty language: nothing matches. */
    public Regex nothing() {
        return Regex.NOTHING;
    }

    /** The language of the empty string alone. */
    public Regex empty() {
        return Regex.EMPTY;
    }

    /** All byte strings. */
    public Regex anything() {
        return Regex.ANYTHING;
    }

    /** Any one byte of the set. */
    public Regex bytes(ByteSet set) {
        return set.isEmpty()
                ? Regex.NOTHING
                : intern(Kind.BYTES, NO_PARTS, set, NO_BYTES, 0, 0, false);
    }

    /** Exactly these bytes. */
    public Regex literal(byte[] bytes) {
        return switch (bytes.length) {
            case 0 -> Regex.EMPTY;
            case 1 -> bytes(ByteSet.of(bytes[0] & 0xFF));
            default -> intern(Kind.LITERAL, NO_PARTS, ByteSet.NONE, bytes.clone(), 0, 0, false);
        };
    }

    /** Exactly this text in UTF-8. */
    public Regex literal(String text) {
        return literal(text.getBytes(StandardCharsets.UTF_8));
    }

    /** One code point of the set, in UTF-8. */
    public Regex codePoints(CodePoints set) {
        return Utf8Classes.regex(this, set);
    }

    /** All well-formed UTF-8. */
    public Regex text() {
        return star(codePoints(CodePoints.ANY));
    }

    /** Well-formed UTF-8 that is not in {@code regex}. */
    public Regex textExcept(Regex regex) {
        return and(List.of(text(), not(regex)));
    }

    public Regex concat(List<Regex> parts) {
        Regex result = Regex.EMPTY;
        for (int i = parts.size() - 1; i >= 0; i--) {
            result = concat(parts.get(i), result);
        }
        return result;
    }

    public Regex concat(Regex first, Regex second) {
        if (first == Regex.NOTHING || second == Regex.NOTHING) {
            return Regex.NOTHING;
        }
        if (first == Regex.EMPTY) {
            return second;
        }
        if (second == Regex.EMPTY) {
            return first;
        }
        if (first.kind == Kind.CONCAT) {
            return concatSpine(first, second);
        }
        if (isLiteral(first)) {
            if (isLiteral(second)) {
                return literal(joined(first, second));
            }
            if (second.kind == Kind.CONCAT && isLiteral(second.parts[0])) {
                return concat(literal(joined(first, second.parts[0])), second.parts[1]);
            }
        }
        return pair(first, second);
    }

    /** To the right where that is short: equal strings of parts are then mostly one node. */
    private Regex concatSpine(Regex first, Regex second) {
        var parts = new ArrayList<Regex>();
        Regex rest = first;
        while (rest.kind == Kind.CONCAT && parts.size() < MAX_SPINE) {
            parts.add(rest.parts[0]);
            rest = rest.parts[1];
        }
        if (rest.kind == Kind.CONCAT) {
            return pair(first, second);
        }
        Regex result = concat(rest, second);
        for (int i = parts.size() - 1; i >= 0; i--) {
            result = concat(parts.get(i), result);
        }
        return result;
    }

    private Regex pair(Regex first, Regex second) {
        boolean isNullable = first.isNullable && second.isNullable;
        Regex[] parts = {first, second};
        return intern(Kind.CONCAT, parts, ByteSet.NONE, NO_BYTES, 0, 0, isNullable);
    }

    public Regex or(Regex first, Regex second) {
        return or(List.of(first, second));
    }

    /** The union; of no parts, {@link #nothing}. */
    public Regex or(List<Regex> parts) {
        List<Regex> flat = flat(Kind.OR, parts);
        if (flat.contains(Regex.ANYTHING)) {
            return Regex.ANYTHING;
        }
        if (CountedUnions.merge(this, flat)) {
            flat = flat(Kind.OR, flat);
        }
        boolean isNullable = false;
        boolean hasLonger = false;
        for (Regex part : flat) {
            isNullable |= part.isNullable;
            hasLonger |= part.isNullable && part != Regex.EMPTY;
        }
        if (hasLonger) {
            flat.remove(Regex.EMPTY);
        }
        if (flat.size() <= 1) {
            return flat.isEmpty() ? Regex.NOTHING : flat.getFirst();
        }
        Regex[] array = flat.toArray(NO_PARTS);
        return intern(Kind.OR, array, ByteSet.NONE, NO_BYTES, 0, 0, isNullable);
    }

    public Regex and(Regex first, Regex second) {
        return and(List.of(first, second));
    }

    /** The intersection; of no parts, {@link #anything}. */
    public Regex and(List<Regex> parts) {
        List<Regex> flat = flat(Kind.AND, parts);
        boolean isNullable = true;
        for (Regex part : flat) {
            isNullable &= part.isNullable;
            if (part == Regex.NOTHING || part.kind == Kind.NOT && flat.contains(part.part())) {
                return Regex.NOTHING;
            }
        }
        if (flat.contains(Regex.EMPTY)) {
            return isNullable ? Regex.EMPTY : Regex.NOTHING;
        }
        if (flat.size() <= 1) {
            return flat.isEmpty() ? Regex.ANYTHING : flat.getFirst();
        }
        Regex[] array = flat.toArray(NO_PARTS);
        return intern(Kind.AND, array, ByteSet.NONE, NO_BYTES, 0, 0, isNullable);
    }

    /** All byte strings that are not in it. */
    public Regex not(Regex regex) {
        if (regex == Regex.NOTHING) {
            return Regex.ANYTHING;
        }
        if (regex.kind == Kind.NOT) {
            return regex.part();
        }
        Regex[] parts = {regex};
        return intern(Kind.NOT, parts, ByteSet.NONE, NO_BYTES, 0, 0, !regex.isNullable);
    }

    public Regex optional(Regex regex) {
        return or(regex, Regex.EMPTY);
    }

    public Regex star(Regex regex) {
        return repeat(regex, 0, UNBOUNDED);
    }

    public Regex plus(Regex regex) {
        return repeat(regex, 1, UNBOUNDED);
    }

    /** From {@code min} to {@code max} copies; the counts may be large, they are not unrolled. */
    public Regex repeat(Regex regex, int min, int max) {
        if (min < 0 || max < min) {
            throw new IllegalArgumentException(
                    "a repetition must have 0 <= min <= max: min=" + min + " max=" + max);
        }
        if (max == 0 || regex == Regex.EMPTY) {
            return Regex.EMPTY;
        }
        if (regex == Regex.NOTHING) {
            return min == 0 ? Regex.EMPTY : Regex.NOTHING;
        }
        if (max == 1 || regex == Regex.ANYTHING) {
            return min == 1 ? regex : optional(regex);
        }
        int low = regex.isNullable ? 0 : min;
        if (max == UNBOUNDED && low <= 1 && isStar(regex)) {
            return regex.isNullable || low == 1 ? regex : optional(regex);
        }
        if (max == UNBOUNDED && low == 0 && isAnyByte(regex)) {
            return Regex.ANYTHING;
        }
        Regex[] parts = {regex};
        return intern(Kind.REPEAT, parts, ByteSet.NONE, NO_BYTES, low, max, low == 0);
    }

    /**
     * The strings of {@code regex} that end where it first matches: a lazy lexeme, as a language.
     */
    public Regex shortest(Regex regex) {
        if (regex.isNullable) {
            return Regex.EMPTY;
        }
        if (regex.kind == Kind.BYTES
                || regex.kind == Kind.LITERAL
                || regex.kind == Kind.SHORTEST
                || regex == Regex.NOTHING) {
            return regex;
        }
        Regex[] parts = {regex};
        return intern(Kind.SHORTEST, parts, ByteSet.NONE, NO_BYTES, 0, 0, false);
    }

    /** One of these byte strings; factored by common prefixes, so that long lists stay cheap. */
    public Regex choice(List<byte[]> choices) {
        return ChoiceTree.regex(this, choices);
    }

    /**
     * The texts in which an ECMA-262 pattern matches somewhere.
     *
     * @param alphabet how the texts are spelled
     * @throws GrammarException if the pattern is wrong or not regular
     */
    public Regex search(String pattern, Alphabet alphabet) {
        return RegexParser.anywhere(this, alphabet, pattern, RegexDialect.ECMA);
    }

    /**
     * Strings of digits whose value is a multiple of {@code divisor}; points between them do not
     * count. The empty string is 0.
     */
    public Regex multiple(int divisor) {
        if (divisor < 1) {
            throw new IllegalArgumentException("divisor must be positive: divisor=" + divisor);
        }
        return multiple(divisor, 0);
    }

    Regex multiple(int divisor, int remainder) {
        return intern(
                Kind.MULTIPLE,
                NO_PARTS,
                ByteSet.NONE,
                NO_BYTES,
                remainder,
                divisor,
                remainder == 0);
    }

    /**
     * The strings of the language, shorter ones first; null if there are more than {@code limit},
     * or one of more than 200 bytes.
     */
    public @Nullable List<byte[]> all(Regex regex, int limit) {
        return derivatives.all(regex, limit);
    }

    /** Whether nothing matches: exact, also under intersection and complement. */
    public boolean isEmpty(Regex regex) {
        return derivatives.isEmpty(regex);
    }

    /** Whether every string of {@code inner} is in {@code outer}. */
    public boolean isSubset(Regex inner, Regex outer) {
        return StarProof.isStar(outer) && new StarProof(this, outer).holds(inner)
                || isEmpty(and(inner, not(outer)));
    }

    public boolean matches(Regex regex, byte[] bytes) {
        Regex rest = regex;
        for (byte value : bytes) {
            rest = derivatives.of(rest, value & 0xFF);
        }
        return rest.isNullable;
    }

    Derivatives derivatives() {
        return derivatives;
    }

    Fuel fuel() {
        return fuel;
    }

    int size() {
        return nodes.size();
    }

    /** Adds an estimate of the heap that a front-end keeps for its grammar, at any later time. */
    public void count(LongSupplier bytes) {
        others.add(bytes);
    }

    /** An estimate of the heap that the nodes and the front-end take. */
    long sizeBytes() {
        long sum = sizeBytes;
        for (LongSupplier other : others) {
            sum += other.getAsLong();
        }
        return sum;
    }

    /** Forgets all nodes but those of {@code kept}: what was made stays valid. */
    void forgetBut(Map<Shape, Regex> kept) {
        nodes = new HashMap<>(kept);
        sizeBytes = kept.values().stream().mapToLong(Regexes::sizeBytes).sum();
    }

    Map<Shape, Regex> snapshot() {
        return Map.copyOf(nodes);
    }

    private static boolean isLiteral(Regex regex) {
        return regex.kind == Kind.LITERAL
                || regex.kind == Kind.BYTES && regex.set.next(regex.set.next(0) + 1) == 256;
    }

    private static byte[] joined(Regex first, Regex second) {
        byte[] head = bytesOf(first);
        byte[] tail = bytesOf(second);
        byte[] joined = Arrays.copyOf(head, head.length + tail.length);
        System.arraycopy(tail, 0, joined, head.length, tail.length);
        return joined;
    }

    private static byte[] bytesOf(Regex literal) {
        return literal.kind == Kind.LITERAL
                ? literal.literal
                : new byte[] {(byte) literal.set.next(0)};
    }

    private static boolean isStar(Regex regex) {
        return regex.kind == Kind.REPEAT && regex.max == UNBOUNDED && regex.min <= 1;
    }

    private static boolean isAnyByte(Regex regex) {
        return regex.kind == Kind.BYTES && regex.set.equals(ByteSet.ALL);
    }

    /** The parts, those of nested unions (intersections) one by one, all bytes as one part. */
    private List<Regex> flat(Kind kind, List<Regex> parts) {
        var flat = new ArrayList<Regex>(parts.size());
        flatten(kind, parts, flat);
        ByteSet bytes = kind == Kind.OR ? ByteSet.NONE : ByteSet.ALL;
        boolean hasBytes = false;
        for (Regex part : flat) {
            if (part.kind == Kind.BYTES) {
                bytes = kind == Kind.OR ? bytes.or(part.set) : bytes.and(part.set);
                hasBytes = true;
            }
        }
        if (hasBytes) {
            flat.removeIf(part -> part.kind == Kind.BYTES);
            flat.add(bytes(bytes));
        }
        return distinct(flat);
    }

    private static void flatten(Kind kind, List<Regex> parts, List<Regex> out) {
        Regex neutral = kind == Kind.OR ? Regex.NOTHING : Regex.ANYTHING;
        for (Regex part : parts) {
            if (part.kind == kind) {
                flatten(kind, Arrays.asList(part.parts), out);
            } else if (part != neutral) {
                out.add(part);
            }
        }
    }

    private static List<Regex> distinct(List<Regex> parts) {
        parts.sort(BY_ID);
        var distinct = new ArrayList<Regex>(parts.size());
        for (Regex part : parts) {
            if (distinct.isEmpty() || distinct.getLast() != part) {
                distinct.add(part);
            }
        }
        return distinct;
    }

    private Regex intern(
            Kind kind,
            Regex[] parts,
            ByteSet set,
            byte[] literal,
            int min,
            int max,
            boolean isNullable) {
        fuel.burn(1);
        var made = new Regex(kind, parts, set, literal, min, max, isNullable);
        Regex known = nodes.putIfAbsent(new Shape(made), made);
        if (known != null) {
            return known;
        }
        if (nodes.size() > maxNodes) {
            throw GrammarException.limit("regex nodes", nodes.size(), maxNodes);
        }
        made.id = nextId++;
        sizeBytes += sizeBytes(made);
        return made;
    }

    private static long sizeBytes(Regex node) {
        int set = node.kind == Kind.BYTES ? SET_BYTES : 0;
        return NODE_BYTES + (long) PART_BYTES * node.parts.length + node.literal.length + set;
    }
}
