package io.cortado.constrain;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Future;
import java.util.function.Supplier;

/**
 * The grammars of a server, by what they were compiled from. Bounded by the bytes that their
 * automata take now; the least recently used go first. A grammar that requests still use lives on
 * with them. Thread-safe; equal keys compile once.
 */
public final class GrammarCache {
    private final long maxBytes;
    private final Map<Object, CompletableFuture<CompiledGrammar>> grammars =
            new LinkedHashMap<>(16, 0.75f, true);

    public GrammarCache(long maxBytes) {
        if (maxBytes < 0) {
            throw new IllegalArgumentException(
                    "maxBytes must not be negative: maxBytes=" + maxBytes);
        }
        this.maxBytes = maxBytes;
    }

    /**
     * The grammar of a key, compiled on the calling thread if nobody has. A refusal is not kept.
     *
     * @param key whatever decides the grammar, by value
     */
    public CompiledGrammar get(Object key, Supplier<CompiledGrammar> compiler) {
        var mine = new CompletableFuture<CompiledGrammar>();
        CompletableFuture<CompiledGrammar> known;
        synchronized (this) {
            known = grammars.putIfAbsent(key, mine);
        }
        if (known != null) {
            return joined(known);
        }
        try {
            mine.complete(compiler.get());
        } catch (RuntimeException | Error e) {
            synchronized (this) {
                grammars.remove(key, mine);
            }
            mine.completeExceptionally(e);
            throw e;
        }
        shrink(key);
        return mine.join();
    }

    private static CompiledGrammar joined(CompletableFuture<CompiledGrammar> grammar) {
        try {
            return grammar.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof GrammarException refusal) {
                throw refusal;
            }
            throw e;
        }
    }

    /** Drops the oldest until the rest fits; the newest stays, whatever its size. */
    private synchronized void shrink(Object newest) {
        long bytes = sizeBytes();
        var oldest = grammars.entrySet().iterator();
        while (bytes > maxBytes && oldest.hasNext()) {
            var entry = oldest.next();
            if (!entry.getKey().equals(newest) && entry.getValue().isDone()) {
                bytes -= size(entry.getValue());
                oldest.remove();
            }
        }
    }

    public synchronized int size() {
        return grammars.size();
    }

    /** What the grammars take now. */
    public synchronized long sizeBytes() {
        long sum = 0;
        for (CompletableFuture<CompiledGrammar> grammar : grammars.values()) {
            sum += size(grammar);
        }
        return sum;
    }

    private static long size(CompletableFuture<CompiledGrammar> grammar) {
        return grammar.state() == Future.State.SUCCESS ? grammar.resultNow().sizeBytes() : 0;
    }
}
