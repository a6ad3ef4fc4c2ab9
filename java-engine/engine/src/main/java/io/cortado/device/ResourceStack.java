package io.cortado.device;

import java.util.ArrayDeque;
import java.util.Deque;

/** Closes what it was given, the last first; at once where building fails halfway. */
public final class ResourceStack implements AutoCloseable {
    private final Deque<Resource> resources = new ArrayDeque<>();

    /** Something whose closing does not throw checked exceptions. */
    public interface Resource extends AutoCloseable {
        @Override
        void close();
    }

    public void push(Resource resource) {
        resources.push(resource);
    }

    /** Closes the rest also where one fails; that failure is thrown in the end. */
    @Override
    public void close() {
        RuntimeException failure = null;
        while (!resources.isEmpty()) {
            try {
                resources.pop().close();
            } catch (RuntimeException e) {
                if (failure == null) {
                    failure = e;
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
