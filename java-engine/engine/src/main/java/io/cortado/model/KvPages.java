package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.Threads;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Has the operating system give the memory of a KV cache on the CPU a little before it is used. The
 * first write to a page waits until it has been cleared, and all layers come to their next page in
 * the same step: 56 huge pages are some 15 ms, or some hundreds on a virtual machine that has not
 * used that memory before. A thread of its own takes that time now and then instead.
 */
public final class KvPages implements AutoCloseable {
    /** Blocks ahead of the last one in use. */
    private static final int AHEAD = 64;

    private static final long PAGE = 4096;

    /** Of the thread's time, so that what computes beside it hardly takes longer. */
    private static final int REST_FACTOR = 4;

    private static final long LEAST_REST_NANOS = TimeUnit.MICROSECONDS.toNanos(100);
    private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();

    private final List<MemorySegment> caches;
    private final int numBlocks;
    private final Thread thread;
    private volatile int wanted;
    private volatile boolean closing;

    KvPages(List<Buffer> buffers, int numBlocks) {
        caches = buffers.stream().map(Buffer::host).toList();
        this.numBlocks = numBlocks;
        thread = Thread.ofPlatform().daemon().name("cortado-kv-pages").unstarted(this::run);
        thread.start();
    }

    /** So many of the first blocks have been used. */
    public void used(int blocks) {
        int target = Math.min(numBlocks, blocks + AHEAD);
        if (target > wanted) {
            wanted = target;
            LockSupport.unpark(thread);
        }
    }

    private void run() {
        int ready = 0;
        while (!closing) {
            if (ready >= wanted) {
                LockSupport.park(this);
                continue;
            }
            for (int i = 0; i < caches.size() && !closing; i++) {
                long blockBytes = caches.get(i).byteSize() / numBlocks;
                touch(caches.get(i), ready * blockBytes, (ready + 1) * blockBytes);
            }
            ready++;
        }
    }

    /** Writes what is there, at once: another thread may be writing the same place. */
    private void touch(MemorySegment cache, long from, long to) {
        long start = System.nanoTime();
        long first = (from + PAGE - 1) / PAGE * PAGE;
        for (long at = first; at < to; at += PAGE) {
            int unused = (int) INT.getAndBitwiseOr(cache, at, 0);
        }
        long rest = REST_FACTOR * (System.nanoTime() - start);
        if (rest > LEAST_REST_NANOS) {
            LockSupport.parkNanos(this, rest);
        }
    }

    @Override
    public void close() {
        closing = true;
        LockSupport.unpark(thread);
        Threads.join(List.of(thread));
    }
}
