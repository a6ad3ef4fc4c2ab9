package io.cortado.constrain;

import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.function.Function;

/**
 * The state of one output under a grammar. Not thread-safe; several of one grammar may run in
 * parallel. A {@link GrammarException} of a step ends the output: the state stays as it was.
 */
public final class Matcher {
    private static final int MAX_FORCED_BYTES = 4_096;

    /** How many tokens a call goes through again in a new generation. */
    private static final int TOKENS_AGAIN = 8;

    private static final Config[] NONE = {};

    private final Automaton automaton;
    private final MaskWalker walker;
    private final Fuel fuel;
    private int[] tokens = new int[64];

    /** The configuration before each token, and after the last. */
    private Config[] configs = new Config[65];

    private int numTokens;
    private boolean isEnded;
    private Space space;

    /** The same of a new generation, so far as the tokens were gone through again. */
    private Config[] ahead = NONE;

    private int numAhead;

    Matcher(Automaton automaton) {
        this.automaton = automaton;
        walker = new MaskWalker(automaton);
        fuel = new Fuel(automaton.limits().stepFuel());
        space = automaton.space();
        configs[0] = space.start;
    }

    public TokenTable vocabulary() {
        return automaton.vocabulary();
    }

    /** A matcher in the same state that goes its own way. */
    public Matcher copy() {
        var copy = new Matcher(automaton);
        copy.tokens = tokens.clone();
        copy.configs = configs.clone();
        copy.numTokens = numTokens;
        copy.isEnded = isEnded;
        copy.space = space;
        return copy;
    }

    /**
     * Writes the mask of the next token: bit {@code id & 31} of word {@code id >> 5}. A token is
     * allowed if and only if the output can be completed after it, an end token if and only if it
     * is complete; padding never. After the end only end tokens are.
     *
     * @param mask {@link TokenTable#words} long
     */
    public void allowed(int[] mask) {
        nextMask().allowed(mask);
    }

    /** The same as work of its own, of the present state whatever comes after it. */
    public NextMask nextMask() {
        if (isEnded) {
            return new NextMask(automaton, walker, null);
        }
        follow();
        return new NextMask(automaton, walker, configs[numTokens]);
    }

    /** Whether no token is allowed: the output cannot go on, and is not complete. */
    public boolean isDeadEnd() {
        return !isEnded && present().isEmpty();
    }

    private TokenMask present() {
        follow();
        TokenMask known = configs[numTokens].mask;
        if (known != null) {
            return known;
        }
        fuel.refill(automaton.limits().stepFuel());
        return walker.mask(configs[numTokens], fuel);
    }

    /** Takes a token if it is allowed; otherwise nothing changes. An end token ends the output. */
    public boolean accept(int token) {
        if (token < 0 || token >= automaton.vocabulary().size()) {
            return false;
        }
        if (isEnded) {
            return false;
        }
        follow();
        if (automaton.vocabulary().isEnd(token)) {
            if (!configs[numTokens].isAccepting) {
                return false;
            }
            push(token, configs[numTokens]);
            isEnded = true;
            return true;
        }
        fuel.refill(automaton.limits().stepFuel());
        Config after = after(configs[numTokens], token);
        if (after.isDead()) {
            return false;
        }
        push(token, after);
        return true;
    }

    /** Takes back the last tokens, the end included. */
    public void rollback(int count) {
        if (count < 0 || count > numTokens) {
            throw new IllegalArgumentException(
                    "count must be 0 to the tokens accepted: count="
                            + count
                            + " accepted="
                            + numTokens);
        }
        if (count > 0) {
            isEnded = false;
        }
        numTokens -= count;
        numAhead = Math.min(numAhead, numTokens);
    }

    /** Whether the output is complete as it stands; it may be able to go on. */
    public boolean isAccepting() {
        follow();
        return isEnded || configs[numTokens].isAccepting;
    }

    /** Whether an end token was accepted. */
    public boolean isEnded() {
        return isEnded;
    }

    /** The present state of the shared automaton. */
    Config config() {
        follow();
        return configs[numTokens];
    }

    /** How many tokens were accepted, the end included. */
    public int numTokens() {
        return numTokens;
    }

    /** The bytes that every completion begins with; none where the output may end. */
    public byte[] forcedBytes() {
        follow();
        var forced = new ByteArrayOutputStream();
        Config config = configs[numTokens];
        fuel.refill(automaton.limits().stepFuel());
        while (!isEnded && forced.size() < MAX_FORCED_BYTES) {
            int only = onlyByte(config);
            if (only < 0) {
                break;
            }
            forced.write(only);
            config = step(config, only);
        }
        return forced.toByteArray();
    }

    /**
     * Tokens for the {@link #forcedBytes}, cut where a later token could span the boundary, so that
     * they are those that the tokenizer would have made of the whole output.
     *
     * @param tokenizer the ids of some bytes, canonical
     */
    public int[] forcedTokens(Function<byte[], int[]> tokenizer) {
        byte[] bytes = forcedBytes();
        return bytes.length == 0
                ? new int[0]
                : ForcedTokens.whole(automaton.vocabulary(), bytes, tokenizer.apply(bytes));
    }

    /**
     * The one token that is allowed, where the mask is known from an output before: no mask is made
     * for it. -1 where more are allowed, or none, or nobody knows.
     */
    public int forcedToken() {
        if (isEnded) {
            return -1;
        }
        follow();
        TokenMask known = configs[numTokens].mask;
        return known == null ? -1 : known.only();
    }

    /** The one byte that may follow, or -1. */
    private int onlyByte(Config config) {
        if (config.isAccepting || config.tokenRows.length > 0) {
            return -1;
        }
        int only = -1;
        for (Config.Thread thread : config.threads) {
            for (int value = 0; value < 256; value++) {
                LexState next = thread.lex().next[value];
                if (next == null) {
                    next = automaton.next(config.space, thread.lex(), value, fuel);
                }
                if (next != LexState.DEAD && value != only) {
                    if (only >= 0) {
                        return -1;
                    }
                    only = value;
                }
            }
        }
        return only;
    }

    private Config after(Config config, int token) {
        byte[] bytes = automaton.vocabulary().bytes(token);
        if (config.tokenRows.length > 0) {
            return automaton.stepToken(config, token, fuel);
        }
        if (bytes.length == 0) {
            return config.space.dead;
        }
        Config now = config;
        for (int i = 0; i < bytes.length && !now.isDead(); i++) {
            now = step(now, bytes[i] & 0xFF);
        }
        return now;
    }

    private Config step(Config config, int value) {
        Config known = config.known(value);
        return known != null ? known : automaton.step(config, value, fuel);
    }

    private void push(int token, Config after) {
        if (numTokens == tokens.length) {
            tokens = Arrays.copyOf(tokens, 2 * numTokens);
            configs = Arrays.copyOf(configs, 2 * numTokens + 1);
        }
        tokens[numTokens++] = token;
        configs[numTokens] = after;
    }

    /**
     * Moves to the automaton's present generation, a few tokens at a call: the older one serves
     * until all tokens are gone through again.
     */
    private void follow() {
        if (space == automaton.space() && !automaton.isFull()) {
            return;
        }
        Space now = automaton.renewed();
        if (now == space) {
            return;
        }
        if (automaton.isOverTwice(space)) {
            long limit = 2 * automaton.limits().automatonBytes();
            throw GrammarException.limit("automaton bytes", space.footprint.bytes(), limit);
        }
        if (ahead.length == 0 || ahead[0] != now.start) {
            ahead = new Config[configs.length];
            ahead[0] = now.start;
            numAhead = 0;
        } else if (ahead.length < configs.length) {
            ahead = Arrays.copyOf(ahead, configs.length);
        }
        for (int i = 0; i < TOKENS_AGAIN && numAhead < numTokens; i++) {
            fuel.refill(automaton.limits().stepFuel());
            int token = tokens[numAhead];
            boolean isEnd = automaton.vocabulary().isEnd(token);
            Config before = ahead[numAhead];
            ahead[++numAhead] = isEnd ? before : after(before, token);
        }
        if (numAhead == numTokens) {
            space = now;
            configs = ahead;
            ahead = NONE;
        }
    }
}
