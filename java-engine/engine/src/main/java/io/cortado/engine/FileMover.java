package io.cortado.engine;

import static java.lang.System.Logger.Level.WARNING;

import io.cortado.kv.Transfer;
import io.cortado.model.KvFile;
import java.io.IOException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadFactory;
import org.jspecify.annotations.Nullable;

/**
 * Moves blocks between host memory and a file on two threads, so that what is wanted does not wait
 * for what is put away. An error is a transfer that went wrong and a line in the log.
 */
final class FileMover implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(FileMover.class.getName());

    private final KvFile file;
    private final KvFile.Lane writing;
    private final KvFile.Lane reading;
    private final ExecutorService writer = Executors.newSingleThreadExecutor(threads("writer"));
    private final ExecutorService reader = Executors.newSingleThreadExecutor(threads("reader"));
    private final ConcurrentLinkedQueue<Executor.Ended> ended = new ConcurrentLinkedQueue<>();
    private volatile Runnable wake = () -> {};
    private volatile boolean isClosing;

    /** Owns the file from here on. */
    FileMover(KvFile file) {
        this.file = file;
        writing = file.lane();
        reading = file.lane();
    }

    private static ThreadFactory threads(String name) {
        return Thread.ofPlatform().daemon().name("cortado-kv-" + name).factory();
    }

    /** Is called whenever a transfer has ended. */
    void onEnded(Runnable callback) {
        wake = callback;
    }

    void start(Transfer transfer) {
        switch (transfer.kind()) {
            case TO_DISK -> writer.execute(() -> run(transfer));
            case FROM_DISK -> reader.execute(() -> run(transfer));
        }
    }

    Executor.@Nullable Ended poll() {
        return ended.poll();
    }

    private void run(Transfer transfer) {
        if (isClosing) {
            return;
        }
        boolean isRight = false;
        try {
            switch (transfer.kind()) {
                case TO_DISK -> writing.write(transfer.hostBlock(), transfer.diskBlock());
                case FROM_DISK -> reading.read(transfer.diskBlock(), transfer.hostBlock());
            }
            isRight = true;
        } catch (IOException e) {
            LOG.log(
                    WARNING,
                    transfer.kind() == Transfer.Kind.TO_DISK
                            ? "KV blocks are put on disk no more: " + e
                            : "a KV block on disk is lost and will be computed again: " + e);
        } finally {
            ended.add(new Executor.Ended(transfer, isRight));
            wake.run();
        }
    }

    /** Waits for the transfer under way; those behind it are dropped. */
    @Override
    public void close() {
        isClosing = true;
        writer.close();
        reader.close();
        file.close();
    }
}
