package io.cortado.constrain;

import io.cortado.constrain.Row.Item;
import io.cortado.constrain.Row.Waiter;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Interns rows and steps from row to row. Under the lock of its space. */
final class Parser {
    private static final int ROW_BYTES = 500;
    private static final int ITEM_BYTES = 120;
    private static final byte[] NO_BYTES = {};

    /** The origin of the whole output. */
    private final Row bottom = new Row(0, new Row.Key(Set.of(), null));

    private final Network network;
    private final Lexer lexer;
    private final Fuel fuel;
    private final Footprint footprint;
    private final int maxItems;
    private final Tape empty;
    private final Map<Row.Key, Row> rows = new HashMap<>();

    /** Whether recorded bytes decided, since this was last reset, which lexemes may come. */
    private boolean tapeDecides;

    Parser(Network network, Lexer lexer, Fuel fuel, Footprint footprint, int maxItems) {
        this.network = network;
        this.lexer = lexer;
        this.fuel = fuel;
        this.footprint = footprint;
        this.maxItems = maxItems;
        empty = Tape.empty(footprint);
    }

    Row start(RuleState root) {
        StateNode node = network.expanded(root);
        return row(List.of(new Item(node, node, bottom)), null);
    }

    /** The row after these lexemes ended in one that began in {@code row}. */
    Row after(Row row, AcceptSet accepts, @Nullable Tape tape) {
        Row known = tape == null ? row.known(accepts) : null;
        if (known != null) {
            return known;
        }
        var kernel = new ArrayList<Item>();
        for (Regex lexeme : accepts.lexemes) {
            for (Item target : row.scans.getOrDefault(lexeme, List.of())) {
                kernel.add(within(row, target));
            }
            for (Row.Scan scan : row.manyScans) {
                RuleState next = scan.edge().after(lexeme);
                if (next != null) {
                    Item target = new Item(network.expanded(next), scan.rule(), scan.origin());
                    kernel.add(within(row, target));
                }
            }
        }
        tapeDecides = false;
        Row after = row(kernel, tape);
        if (tape == null) {
            row.remember(accepts, after);
        } else if (!tapeDecides && !after.isOfItsTape) {
            row.rememberStart(accepts, after.start);
        }
        return after;
    }

    /** The row after one token by its id; null where the row does not name it. */
    @Nullable Row afterToken(Row row, int token, @Nullable Tape tape, TokenTable vocabulary) {
        var kernel = new ArrayList<Item>();
        for (Row.TokenTarget edge : row.tokens) {
            if (vocabulary.isNamed(edge.tokens(), token)) {
                kernel.add(within(row, edge.target()));
            }
        }
        return kernel.isEmpty() ? null : row(kernel, tape);
    }

    /** One row for rows of the same place; all have inherited the same tape. */
    Row merged(List<Row> same) {
        var kernel = new LinkedHashSet<Item>();
        for (Row row : same) {
            kernel.addAll(row.key.kernel());
        }
        return interned(kernel, same.getFirst().key.inherited());
    }

    private static Item within(Row row, Item target) {
        return target.origin() == null ? new Item(target.state(), target.rule(), row) : target;
    }

    private Row row(Collection<Item> kernel, @Nullable Tape tape) {
        Set<Item> reduced = reduced(kernel, tape);
        boolean records = false;
        for (Item item : reduced) {
            records |= item.origin() != null && item.origin().tape != null;
        }
        return interned(reduced, records ? tape : null);
    }

    private Row interned(Set<Item> kernel, @Nullable Tape inherited) {
        var key = new Row.Key(kernel, inherited);
        Row known = rows.get(key);
        if (known != null) {
            return known;
        }
        var row = new Row(rows.size() + 1, key);
        boolean before = tapeDecides;
        tapeDecides = false;
        new Closure(row).close(kernel);
        row.isOfItsTape = tapeDecides;
        tapeDecides = before;
        rows.put(key, row);
        return row;
    }

    /**
     * Ends rules that can only end, so that what led here does not matter where nothing depends on
     * it; the end of the output stays.
     */
    private Set<Item> reduced(Collection<Item> kernel, @Nullable Tape tape) {
        var seen = new LinkedHashSet<Item>();
        var reduced = new LinkedHashSet<Item>();
        var open = new ArrayDeque<Item>(kernel);
        while (!open.isEmpty()) {
            Item item = open.poll();
            fuel.burn(1);
            if (!seen.add(item)) {
                continue;
            }
            StateNode state = network.expanded(item.state());
            Row origin = Objects.requireNonNull(item.origin());
            if (state.isAlias()) {
                open.add(new Item(state.skips.getFirst(), item.rule(), origin));
            } else if (state.isEnd() && origin != bottom) {
                for (Waiter waiter : origin.waiters.getOrDefault(item.rule(), List.of())) {
                    open.add(resumed(waiter, origin, tape));
                }
            } else {
                reduced.add(item);
            }
        }
        return reduced;
    }

    /** A caller's item, once the rule it called in {@code origin} has ended. */
    private Item resumed(Waiter waiter, Row origin, @Nullable Tape tape) {
        Row callers = waiter.origin() == null ? origin : waiter.origin();
        StateNode.CaptureEdge capture = waiter.capture();
        if (capture == null) {
            return new Item(Objects.requireNonNull(waiter.next()), waiter.rule(), callers);
        }
        tapeDecides |= !capture.isAlike();
        StateNode next = network.expanded(capture.next().apply(captured(origin, tape)));
        return new Item(next, waiter.rule(), callers);
    }

    private static byte[] captured(Row origin, @Nullable Tape tape) {
        return Objects.requireNonNull(tape).since(Objects.requireNonNull(origin.tape).length);
    }

    /** Predicts, completes and collects until nothing new appears. */
    private final class Closure {
        private final Row row;
        private final Set<Item> items = new LinkedHashSet<>();
        private final ArrayDeque<Item> open = new ArrayDeque<>();
        private final Set<StateNode> endedHere = new LinkedHashSet<>();
        private final List<Row.TokenTarget> tokens = new ArrayList<>(0);
        private boolean captures;

        Closure(Row row) {
            this.row = row;
        }

        void close(Set<Item> kernel) {
            kernel.forEach(this::add);
            while (!open.isEmpty()) {
                visit(open.poll());
            }
            if (row.key.inherited() != null) {
                row.tape = row.key.inherited();
            } else if (captures) {
                row.tape = empty;
            }
            row.tokens = List.copyOf(tokens);
            row.start = lexer.start(lexemes());
            footprint.add(ROW_BYTES + (long) ITEM_BYTES * items.size());
        }

        private Set<Regex> lexemes() {
            if (row.manyScans.isEmpty()) {
                return row.scans.keySet();
            }
            var all = new HashSet<Regex>(row.scans.keySet());
            for (Row.Scan scan : row.manyScans) {
                scan.edge().addTo(all);
            }
            return all;
        }

        private void add(Item item) {
            if (items.add(item)) {
                fuel.burn(1);
                if (items.size() > maxItems) {
                    throw GrammarException.limit("items in a row", items.size(), maxItems);
                }
                open.add(item);
            }
        }

        private void visit(Item item) {
            StateNode state = network.expanded(item.state());
            for (StateNode skip : state.skips) {
                add(new Item(skip, item.rule(), item.origin()));
            }
            for (StateNode.LexemeEdge edge : state.lexemes) {
                Item target = new Item(edge.next(), item.rule(), item.origin());
                row.scans.computeIfAbsent(edge.lexeme(), unused -> new ArrayList<>(1)).add(target);
            }
            for (StateNode.LexemesEdge edge : state.manyLexemes) {
                row.manyScans.add(new Row.Scan(edge, item.rule(), item.origin()));
            }
            for (StateNode.TokenEdge edge : state.tokens) {
                Item target = new Item(edge.next(), item.rule(), item.origin());
                tokens.add(new Row.TokenTarget(edge.tokens(), target));
            }
            for (StateNode.CallEdge edge : state.calls) {
                call(item, edge);
            }
            for (StateNode.CaptureEdge edge : state.captures) {
                captures = true;
                await(edge.rule(), new Waiter(null, edge, item.rule(), item.origin()));
            }
            if (state.accepts) {
                end(item);
            }
        }

        /** A call in the last place takes over its caller's place: right recursion stays flat. */
        private void call(Item item, StateNode.CallEdge edge) {
            if (network.expanded(edge.next()).isEnd()) {
                add(new Item(edge.rule(), item.rule(), item.origin()));
            } else {
                await(edge.rule(), new Waiter(edge.next(), null, item.rule(), item.origin()));
            }
        }

        private void await(StateNode rule, Waiter waiter) {
            row.waiters.computeIfAbsent(rule, unused -> new ArrayList<>(1)).add(waiter);
            add(new Item(rule, rule, null));
            if (endedHere.contains(rule)) {
                add(resumedHere(waiter));
            }
        }

        private void end(Item item) {
            Row origin = item.origin();
            if (origin == null) {
                if (endedHere.add(item.rule())) {
                    for (Waiter waiter : row.waiters.getOrDefault(item.rule(), List.of())) {
                        add(resumedHere(waiter));
                    }
                }
            } else if (origin == bottom) {
                row.isAccepting = true;
            } else {
                for (Waiter waiter : origin.waiters.getOrDefault(item.rule(), List.of())) {
                    add(resumed(waiter, origin, row.key.inherited()));
                }
            }
        }

        /** After a rule that matched the empty string. */
        private Item resumedHere(Waiter waiter) {
            StateNode.CaptureEdge capture = waiter.capture();
            StateNode next =
                    capture == null
                            ? Objects.requireNonNull(waiter.next())
                            : network.expanded(capture.next().apply(NO_BYTES));
            return new Item(next, waiter.rule(), waiter.origin());
        }
    }
}
