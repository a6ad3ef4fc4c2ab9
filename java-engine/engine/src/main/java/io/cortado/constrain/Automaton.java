package io.cortado.constrain;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The automaton of a grammar that its requests share, built as it is used. One lock guards whatever
 * is not known yet; above its limit of bytes it starts afresh, and requests follow within their
 * next steps.
 */
final class Automaton {
    private final RuleState root;
    private final Regexes regexes;
    private final Map<Regexes.Shape, Regex> compiled;
    private final GrammarLimits limits;
    private final TokenTable vocabulary;
    private final List<LexState> lexMasks = new ArrayList<>();
    private final List<Config> configMasks = new ArrayList<>();
    private long maskBytes;
    private volatile Space space;
    private SliceProofs proofs;

    Automaton(RuleState root, Regexes regexes, GrammarLimits limits, TokenTable vocabulary) {
        this.root = root;
        this.regexes = regexes;
        this.limits = limits;
        this.vocabulary = vocabulary;
        space = new Space(root, regexes, vocabulary, limits);
        proofs = new SliceProofs(regexes, space.lexer);
        compiled = regexes.snapshot();
    }

    TokenTable vocabulary() {
        return vocabulary;
    }

    GrammarLimits limits() {
        return limits;
    }

    /** The present generation. */
    Space space() {
        return space;
    }

    /** Starts a new generation where the present one is too large. */
    synchronized Space renewed() {
        if (isFull()) {
            forgetMasks();
            regexes.forgetBut(compiled);
            regexes.fuel().refill(limits.compileFuel());
            space = new Space(root, regexes, vocabulary, limits);
            proofs = new SliceProofs(regexes, space.lexer);
        }
        return space;
    }

    boolean isFull() {
        return space.footprint.bytes() > limits.automatonBytes()
                || regexes.size() - compiled.size() > limits.maxRegexNodes() / 2;
    }

    /** Whether an older generation, which one output holds on to, has become much too large. */
    boolean isOverTwice(Space in) {
        return in != space && in.footprint.bytes() > 2 * limits.automatonBytes();
    }

    synchronized Config step(Config config, int value, Fuel fuel) {
        regexes.fuel().takeOver(fuel);
        try {
            return config.space.step(config, value);
        } finally {
            fuel.takeOver(regexes.fuel());
        }
    }

    synchronized Config stepToken(Config config, int token, Fuel fuel) {
        regexes.fuel().takeOver(fuel);
        try {
            return config.space.stepToken(config, token);
        } finally {
            fuel.takeOver(regexes.fuel());
        }
    }

    /** The state after a byte; most are known and read without the lock. */
    LexState next(Space in, LexState state, int value, Fuel fuel) {
        LexState known = state.next[value];
        return known != null ? known : derived(in, state, value, fuel);
    }

    private synchronized LexState derived(Space in, LexState state, int value, Fuel fuel) {
        regexes.fuel().takeOver(fuel);
        try {
            return in.lexer.next(state, value);
        } finally {
            fuel.takeOver(regexes.fuel());
        }
    }

    synchronized Row after(Space in, Row row, AcceptSet accepts, @Nullable Tape tape, Fuel fuel) {
        regexes.fuel().takeOver(fuel);
        try {
            return in.parser.after(row, accepts, tape);
        } finally {
            fuel.takeOver(regexes.fuel());
        }
    }

    /** {@link SliceProofs#reach}; unknown also in an older generation. */
    synchronized int reach(Space in, LexState state, int slice, Fuel fuel) {
        if (in != space) {
            return SliceProofs.UNKNOWN;
        }
        regexes.fuel().takeOver(fuel);
        try {
            return proofs.reach(state.rests[0], vocabulary.slices().get(slice), in.clamps(slice));
        } finally {
            fuel.takeOver(regexes.fuel());
        }
    }

    /** The rests of a state, each alone. */
    LexState[] parts(Space in, LexState state) {
        LexState[] known = state.parts;
        return known != null ? known : derivedParts(in, state);
    }

    private synchronized LexState[] derivedParts(Space in, LexState state) {
        return in.lexer.parts(state);
    }

    /**
     * A rest from which the tokens of a trie go where they go from this one, and which counts that
     * they cannot tell apart share.
     */
    LexState shared(Space in, LexState part, int trie, Fuel fuel) {
        return part.rests[0].isCounted ? clamped(in, part, trie, fuel) : part;
    }

    private synchronized LexState clamped(Space in, LexState part, int trie, Fuel fuel) {
        regexes.fuel().takeOver(fuel);
        try {
            return in.lexer.alone(in.clamps(trie).of(part.rests[0]));
        } finally {
            fuel.takeOver(regexes.fuel());
        }
    }

    /**
     * Where a rest is all of a language but finitely many strings, that language's rest; else null.
     */
    synchronized @Nullable LexState unrestricted(Space in, LexState part, Fuel fuel) {
        regexes.fuel().takeOver(fuel);
        try {
            Regex rest = part.rests[0];
            boolean isConcat = rest.kind == Regex.Kind.CONCAT;
            Regex all = (isConcat ? rest.parts[0] : rest).withoutFew();
            if (all == null) {
                return null;
            }
            return in.lexer.alone(isConcat ? regexes.concat(all, rest.parts[1]) : all);
        } finally {
            fuel.takeOver(regexes.fuel());
        }
    }

    /** A rest of a lexeme, alone. */
    synchronized LexState alone(Space in, Regex rest) {
        return in.lexer.alone(rest);
    }

    synchronized AcceptSet accepts(Space in, Regex lexeme) {
        return in.lexer.accepts(List.of(lexeme));
    }

    synchronized Tape append(Tape tape, byte[] bytes) {
        Tape longer = tape;
        for (byte value : bytes) {
            longer = longer.append(value & 0xFF);
        }
        return longer;
    }

    /** Keeps a mask for others, within the limit of bytes. */
    synchronized void keep(LexState state, LexMask mask) {
        if (state.mask == null && makeRoom(mask.sizeBytes())) {
            state.mask = mask;
            lexMasks.add(state);
        }
    }

    synchronized void keepShort(LexState state, LexMask mask) {
        if (state.shortMask == null && makeRoom(mask.sizeBytes())) {
            state.shortMask = mask;
            lexMasks.add(state);
        }
    }

    synchronized void keepLong(LexState state, LexMask mask) {
        if (state.longMask == null && makeRoom(mask.sizeBytes())) {
            state.longMask = mask;
            lexMasks.add(state);
        }
    }

    synchronized void keep(Config config, TokenMask mask) {
        if (config.mask == null && makeRoom(mask.sizeBytes())) {
            config.mask = mask;
            configMasks.add(config);
        }
    }

    private boolean makeRoom(long bytes) {
        if (bytes > limits.maskBytes()) {
            return false;
        }
        if (maskBytes + bytes > limits.maskBytes()) {
            forgetMasks();
        }
        maskBytes += bytes;
        return true;
    }

    private void forgetMasks() {
        for (LexState state : lexMasks) {
            state.mask = null;
            state.shortMask = null;
            state.longMask = null;
        }
        configMasks.forEach(config -> config.mask = null);
        lexMasks.clear();
        configMasks.clear();
        maskBytes = 0;
    }

    /** An estimate of what is held now: regexes, automaton and masks. */
    synchronized long sizeBytes() {
        return regexes.sizeBytes() + space.footprint.bytes() + maskBytes;
    }
}
