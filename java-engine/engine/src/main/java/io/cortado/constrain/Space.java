package io.cortado.constrain;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One generation of a grammar's automaton. Everything here is interned, grows only, and is reached
 * under the {@link Automaton}'s lock; what a configuration or lexer state already knows is read
 * without.
 */
final class Space {
    private static final int CONFIG_BYTES = 400;
    private static final Comparator<Config.Thread> BY_IDS =
            Comparator.<Config.Thread>comparingInt(thread -> thread.row().id)
                    .thenComparingInt(thread -> thread.lex().id)
                    .thenComparingInt(thread -> thread.tape() == null ? -1 : thread.tape().id);

    private record Key(List<Config.Thread> threads, List<Row> tokenRows, boolean isAccepting) {}

    final Footprint footprint = new Footprint();
    final Lexer lexer;
    final Parser parser;
    final Config start;
    final Config dead;
    private final TokenTable vocabulary;
    private final Regexes regexes;
    private final Map<Integer, Clamps> clamps = new HashMap<>();
    private final Map<Key, Config> configs = new HashMap<>();

    Space(RuleState root, Regexes regexes, TokenTable vocabulary, GrammarLimits limits) {
        this.vocabulary = vocabulary;
        this.regexes = regexes;
        lexer = new Lexer(regexes, footprint);
        var network = new Network(regexes, footprint);
        parser = new Parser(network, lexer, regexes.fuel(), footprint, limits.maxItems());
        dead = new Config(this, new Config.Thread[0], new Row[0], false);
        start = config(new ArrayList<>(), List.of(parser.start(root)));
    }

    Clamps clamps(int trie) {
        return clamps.computeIfAbsent(trie, key -> new Clamps(regexes, vocabulary, key));
    }

    /** After a byte. */
    Config step(Config config, int value) {
        Config known = config.known(value);
        if (known != null) {
            return known;
        }
        var threads = new ArrayList<Config.Thread>(config.threads.length + 1);
        List<Row> fresh = new ArrayList<>(1);
        for (Config.Thread thread : config.threads) {
            LexState lex = lexer.next(thread.lex(), value);
            Tape tape = thread.tape() == null ? null : thread.tape().append(value);
            if (lex.continues) {
                threads.add(new Config.Thread(thread.row(), lex, tape));
            }
            if (lex.accepts != AcceptSet.NONE) {
                fresh.add(parser.after(thread.row(), lex.accepts, tape));
            }
        }
        Config after = config(threads, fresh);
        footprint.add(config.remember(value, after));
        return after;
    }

    /** After a token: by its bytes, and by its id where the grammar names it. */
    Config stepToken(Config config, int token) {
        byte[] bytes = vocabulary.bytes(token);
        List<Row> fresh = new ArrayList<>(1);
        for (Row row : config.tokenRows) {
            Tape tape = row.tape;
            for (int i = 0; i < bytes.length && tape != null; i++) {
                tape = tape.append(bytes[i] & 0xFF);
            }
            Row after = parser.afterToken(row, token, tape, vocabulary);
            if (after != null) {
                fresh.add(after);
            }
        }
        Config byBytes = dead;
        if (bytes.length > 0) {
            byBytes = config;
            for (int i = 0; i < bytes.length && !byBytes.isDead(); i++) {
                byBytes = step(byBytes, bytes[i] & 0xFF);
            }
        }
        if (fresh.isEmpty()) {
            return byBytes;
        }
        Config byId = config(new ArrayList<>(), fresh);
        return byBytes.isDead() ? byId : both(byId, byBytes);
    }

    private Config both(Config a, Config b) {
        var threads = new ArrayList<>(Arrays.asList(a.threads));
        threads.addAll(Arrays.asList(b.threads));
        var tokenRows = new LinkedHashSet<>(Arrays.asList(a.tokenRows));
        tokenRows.addAll(Arrays.asList(b.tokenRows));
        return interned(threads, tokenRows, a.isAccepting || b.isAccepting);
    }

    /** Lexemes under way, to which it adds, and rows in which one may begin. */
    private Config config(List<Config.Thread> threads, List<Row> fresh) {
        Set<Row> tokenRows = fresh.isEmpty() ? Set.of() : new LinkedHashSet<>(2);
        boolean isAccepting = false;
        for (Row row : merged(fresh)) {
            isAccepting |= row.isAccepting;
            if (row.start != LexState.DEAD) {
                threads.add(new Config.Thread(row, row.start, row.tape));
            }
            if (!row.tokens.isEmpty()) {
                tokenRows.add(row);
            }
        }
        return interned(threads, tokenRows, isAccepting);
    }

    /** Rows of one place are one row, which keeps ambiguous grammars polynomial. */
    private List<Row> merged(List<Row> fresh) {
        if (fresh.size() <= 1) {
            return fresh;
        }
        Map<@Nullable Tape, List<Row>> byTape = new LinkedHashMap<>();
        for (Row row : new LinkedHashSet<>(fresh)) {
            byTape.computeIfAbsent(row.key.inherited(), unused -> new ArrayList<>(1)).add(row);
        }
        var merged = new ArrayList<Row>(byTape.size());
        for (List<Row> same : byTape.values()) {
            merged.add(same.size() == 1 ? same.getFirst() : parser.merged(same));
        }
        return merged;
    }

    private Config interned(List<Config.Thread> threads, Set<Row> tokenRows, boolean isAccepting) {
        if (threads.isEmpty() && tokenRows.isEmpty() && !isAccepting) {
            return dead;
        }
        List<Config.Thread> sorted = distinct(threads);
        List<Row> rows = new ArrayList<>(tokenRows);
        rows.sort(Comparator.comparingInt(row -> row.id));
        return configs.computeIfAbsent(
                new Key(sorted, rows, isAccepting),
                unused -> {
                    footprint.add(CONFIG_BYTES + 56L * sorted.size());
                    return new Config(
                            this,
                            sorted.toArray(new Config.Thread[0]),
                            rows.toArray(new Row[0]),
                            isAccepting);
                });
    }

    private static List<Config.Thread> distinct(List<Config.Thread> threads) {
        if (threads.size() <= 1) {
            return threads;
        }
        threads.sort(BY_IDS);
        var distinct = new ArrayList<Config.Thread>(threads.size());
        for (Config.Thread thread : threads) {
            if (distinct.isEmpty() || !distinct.getLast().equals(thread)) {
                distinct.add(thread);
            }
        }
        return distinct;
    }
}
