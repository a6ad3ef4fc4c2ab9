package io.cortado.model;

import java.util.ArrayDeque;
import java.util.Deque;

/** Closes what it was given, the last first; at once where building fails halfway. */
final class ResourceStack implements AutoCloseable {
    /** Something whose closing does not throw checked exceptions. */
    interface Resource extends AutoCloseable {
        @Override
        void close();
    }

    private final Deque<Resource> resources = new ArrayDeque<>();

    void push(Resource resource) {
        resources.push(resource);
    }

    @Override
    public void close() {
        while (!resources.isEmpty()) {
            resources.pop().close();
        }
    }
}
